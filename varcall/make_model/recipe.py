"""The [data] tables of a recipe: what examples are made of, and which slices a fold leaves out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from varcall.errors import InputError

#: How the reads of a slice may be used.
UNTOUCHED, CROSS_VALIDATED, FREE = RULES = ("untouched", "cross-validated", "free")
#: Fold of slices that no model sees.
NO_MODEL = 0
#: Names of one assembly that have the same coordinates.
_SAME_ASSEMBLY = {"hg19": "b37", "hs37": "b37"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Genome:
    """A reference to simulate from.

    Attributes
    ----------
    name
        What groups call it.
    reference
        FASTA in the folder of data; empty with `random`.
    truths
        VCFs in the folder of data, whose variants simulated people carry.
    exclude
        BED beside the recipe: nothing is simulated from there.
    random
        Bases of a random genome to make instead, 0 for none.
    """

    name: str
    reference: str = ""
    truths: tuple[str, ...] = ()
    exclude: str = ""
    random: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Simulated samples of one kind.

    Attributes
    ----------
    name
        Folder of the examples.
    genome
        Name of a `Genome`.
    samples, size, depth
        How many, bases of each, lowest and highest mean depth.
    regions
        Where they come from; all of the genome if empty.
    seed
        Of the group.
    held_out
        Whether the samples watch the training and calibrate the model instead.
    repeated
        How often the folder is drawn from, 1 for once.
    options
        Further options of `varcall.simulate.SimulateOptions`.
    """

    name: str
    genome: str
    samples: int
    size: int
    depth: tuple[float, float]
    seed: int
    regions: tuple[str, ...] = ()
    held_out: bool = False
    repeated: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slice:
    """Real reads, and what is made of them.

    Attributes
    ----------
    name
        Folder of the examples.
    reads, reference, truth, confident
        Files in the folder of data; the last two may be empty.
    regions
        What to use.
    assembly
        Of the regions' coordinates.
    rule
        `untouched`, `cross-validated` or `free`.
    fold
        The model of this fold does not see the slice; 0 is seen by none.
    has_labels
        Whether the reads are also used as they are, with the labels of their truth.
    depths
        A spiked sample for each: its depth, or 0 for all reads.
    mix, mix_shares
        Reads of another slice of the same place, and a spiked sample for each share of them.
    repeated
        How often the folder is drawn from.
    simulated_from
        In place of `reads`, a group whose first sample stands for real reads: for a trial run.
    """

    name: str
    regions: tuple[str, ...]
    assembly: str
    rule: str
    fold: int
    reads: str = ""
    reference: str = ""
    truth: str = ""
    confident: str = ""
    has_labels: bool = False
    depths: tuple[float, ...] = ()
    mix: str = ""
    mix_shares: tuple[float, ...] = ()
    repeated: int = 1
    simulated_from: str = ""

    @property
    def is_used(self) -> bool:
        """Whether any model sees it."""
        return self.fold != NO_MODEL and self.rule != UNTOUCHED

    def places(self) -> list[tuple[str, str, int, int]]:
        """(assembly, contig, start, end) of its regions, 0-based half-open."""
        assembly = _SAME_ASSEMBLY.get(self.assembly, self.assembly)
        found = []
        for region in self.regions:
            contig, _, span = region.rpartition(":")
            start, _, end = span.partition("-")
            found.append((assembly, contig.removeprefix("chr"), int(start) - 1, int(end)))
        return found


@dataclass(frozen=True, slots=True)
class DataRecipe:
    """All that examples are made of.

    Attributes
    ----------
    spectra
        VCFs in the folder of data whose indel lengths spiked variants have.
    batch
        Simulated samples made by one process at a time.
    span
        Bases of an example file.
    margin
        Bases around a slice that a model which is scored on it may not have seen.
    genomes, groups, slices
        What there is.
    """

    genomes: tuple[Genome, ...]
    groups: tuple[Group, ...]
    slices: tuple[Slice, ...] = ()
    spectra: tuple[str, ...] = ()
    batch: int = 4
    span: int = 100_000
    margin: int = 5000

    def folds(self) -> list[int]:
        """The folds that there are, in order."""
        return sorted({s.fold for s in self.slices if s.is_used})

    def seen_slices(self, fold: int | None) -> list[Slice]:
        """The slices that the model of a fold sees; the shipped one, None, sees all allowed."""
        return [s for s in self.slices if s.is_used and s.fold != fold]


def read_recipe(path: Path) -> DataRecipe:
    """Read the [data] tables of a TOML recipe and check them.

    Raises
    ------
    InputError
        If the file cannot be read, or says what cannot be.
    """
    try:
        values = dict(tomllib.loads(path.read_text(encoding="utf-8-sig"))["data"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is no recipe with a [data] table ({error})") from error
    recipe = _made(
        DataRecipe,
        values
        | {
            "genomes": _all(Genome, values.get("genomes", ()), path),
            "groups": _all(Group, values.get("groups", ()), path),
            "slices": _all(Slice, values.get("slices", ()), path),
        },
        path,
    )
    _check(recipe, path)
    return recipe


def _all(kind: type[T], tables: Sequence[Mapping[str, Any]], path: Path) -> tuple[T, ...]:
    return tuple(_made(kind, table, path) for table in tables)


def _made(kind: type[T], values: Mapping[str, Any], path: Path) -> T:
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    what = f"{path}: {kind.__name__.lower()} {values.get('name', '')}".rstrip()
    if unknown := sorted(set(values) - set(known)):
        raise InputError(f"{what} has unknown entries: {', '.join(unknown)}")
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in needed if name not in values]:
        raise InputError(f"{what} lacks {', '.join(missing)}")
    tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return kind(**tuples)


def _check(recipe: DataRecipe, path: Path) -> None:
    """See that names are unique and known, and that no fold has seen what it is scored on."""
    names = [*(g.name for g in recipe.groups), *(s.name for s in recipe.slices)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{path} names {', '.join(twice)} twice")
    genomes = {genome.name for genome in recipe.genomes}
    for group in recipe.groups:
        if group.genome not in genomes:
            raise InputError(f"{path}: group {group.name} is of no genome: {group.genome}")
    for one in recipe.slices:
        if one.rule not in RULES:
            raise InputError(f"{path}: slice {one.name} has a rule that is none of {RULES}")
        made_of_it = one.has_labels or one.depths or one.mix_shares
        if one.rule == UNTOUCHED and made_of_it:
            raise InputError(f"{path}: slice {one.name} is untouched: nothing is made of it")
        if one.rule == FREE and one.has_labels:
            raise InputError(f"{path}: slice {one.name} has no truth to take labels of")
    for one, two in combinations(recipe.slices, 2):
        if one.fold != two.fold and _near(one, two, recipe.margin):
            raise InputError(
                f"{path}: slices {one.name} and {two.name} lie within {recipe.margin} bases of "
                "each other: give them the same fold"
            )


def _near(one: Slice, two: Slice, margin: int) -> bool:
    return any(
        a[:2] == b[:2] and a[2] < b[3] + margin and b[2] < a[3] + margin
        for a in one.places()
        for b in two.places()
    )
