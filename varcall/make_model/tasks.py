"""The work of `make model` in pieces that processes do side by side, each into a folder of its own.

A piece writes example files and then a mark. Where the mark is, the piece is not done again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pysam

from varcall.errors import InputError
from varcall.formats.text import write_text
from varcall.make_model.recipe import DataRecipe, Genome, Group, Slice
from varcall.simulate import SimulateOptions, run_simulate
from varcall.simulate.genome import random_reference
from varcall.simulate.mapping import bwa_index
from varcall.simulate.spike.options import SpikeOptions
from varcall.simulate.spike.run import run_spike
from varcall.training.make_examples import ExamplesOptions, run_examples
from varcall.training.spans import SPAN_SUFFIX

_LINE = 60
#: Contig of a random genome, and what its folder's files are called.
_RANDOM_CONTIG = "sim"
_MARK = ".done"


@dataclass(frozen=True, slots=True)
class Place:
    """Where things are.

    Attributes
    ----------
    data
        Folder of real data.
    recipes
        Folder of the recipe, beside which its BEDs lie.
    work
        Folder of all that is made.
    """

    data: Path
    recipes: Path
    work: Path

    def reference(self, genome: Genome) -> Path:
        """FASTA of a genome, made by `prepare_genome`."""
        return self.work / "genomes" / f"{genome.name}.fa"

    def examples(self, name: str) -> Path:
        """Folder of the example files of a group or slice."""
        return self.work / "examples" / name

    def file(self, name: str) -> Path:
        """A file of the real data.

        Raises
        ------
        InputError
            If it is not there.
        """
        path = self.data / name
        if not path.is_file():
            raise InputError(f"there is no {path}: name the folder of real data with DATA=FOLDER")
        return path


def prepare_genome(place: Place, genome: Genome, *, needs_bwa: bool) -> None:
    """Write a genome's FASTA, its index, and bwa's index where reads will be mapped by bwa."""
    fasta = place.reference(genome)
    fasta.parent.mkdir(parents=True, exist_ok=True)
    if not Path(f"{fasta}.fai").exists():
        if genome.random:
            text = random_reference(genome.random, np.random.default_rng([0xFA, genome.random]))
            lines = (text[i : i + _LINE] for i in range(0, len(text), _LINE))
            fasta.write_text(f">{_RANDOM_CONTIG}\n" + "\n".join(lines) + "\n")
        else:
            with (
                pysam.FastxFile(str(place.file(genome.reference))) as source,
                open(fasta, "w", encoding="ascii") as target,
            ):
                target.writelines(f">{one.name}\n{one.sequence}\n" for one in source)
        pysam.faidx(str(fasta))
    if needs_bwa and not Path(f"{fasta}.sa").exists() and shutil.which("bwa"):
        prefix = bwa_index(fasta, fasta.parent)
        for made in sorted(prefix.parent.glob(f"{prefix.name}.*")):
            made.replace(Path(f"{fasta}{made.suffix}"))


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work; its text names it and its mark.

    Attributes
    ----------
    name
        Of the group or slice.
    number
        Of the piece, from 0.
    group
        The group to simulate samples of; None for a piece of `slice`.
    slice
        The slice to spike variants into, or to take labels of.
    depth, mix_share
        Of a spiked sample; depth is None for the slice as it is.
    """

    name: str
    number: int
    group: Group | None = None
    slice: Slice | None = None
    depth: float | None = None
    mix_share: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}.{self.number}"


def pieces_of(recipe: DataRecipe) -> Iterator[Piece]:
    """All pieces; those whose sample stands for real reads last."""
    for group in recipe.groups:
        for number in range(-(-group.samples // recipe.batch)):
            yield Piece(group.name, number, group=group)
    for one in recipe.slices:
        if not one.is_used:
            continue
        spiked = [(depth, 0.0) for depth in one.depths] + [(0.0, s) for s in one.mix_shares]
        if one.has_labels:
            yield Piece(one.name, 0, slice=one)
        for number, (depth, share) in enumerate(spiked, 1):
            yield Piece(one.name, number, slice=one, depth=depth, mix_share=share)


@dataclass(frozen=True, slots=True)
class Plan:
    """What every process needs."""

    recipe: DataRecipe
    place: Place


@dataclass(frozen=True, slots=True)
class _Files:
    reads: Path
    reference: Path
    truth: Path | None
    confident: Path | None


def _publish(made: Path, folder: Path, piece: str) -> None:
    """Move finished example files to their folder, by names that do not tell where it lies.

    Which half of the examples a file belongs to follows from its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(made.glob(f"*{SPAN_SUFFIX}"), key=_without_tag)):
        path.replace(folder / f"{piece}.{number:04d}{SPAN_SUFFIX}")


def _without_tag(path: Path) -> tuple[str, ...]:
    """A span's file name without the hash of the path of its reads."""
    sample, _, span, _ = path.name.rsplit(".", 3)
    return sample, span


class Maker:
    """Does one piece after another; each process has its own."""

    def __init__(self, plan: Plan) -> None:
        self._recipe, self._place = plan.recipe, plan.place

    def call(self, piece: Piece) -> float:
        """Make the examples of a piece; returns seconds, 0 where they were there already."""
        folder = self._place.examples(piece.name)
        mark = folder / f"{_MARK}_{piece.number:04d}"
        if mark.exists():
            return 0.0
        began = time.monotonic()
        work = self._place.work / "samples" / str(piece)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        made = work / "examples"
        if piece.group is not None:
            self._simulate(piece.group, piece.number, work, made)
        else:
            self._use_slice(piece, work, made)
        _publish(made, folder, str(piece))
        shutil.rmtree(work)
        seconds = time.monotonic() - began
        write_text(mark, f"{seconds:.1f}\n")
        return seconds

    def simulate_options(self, group: Group, number: int, work: Path) -> SimulateOptions:
        """What a piece of a group simulates."""
        recipe, place = self._recipe, self._place
        if unknown := set(group.options) - {field.name for field in fields(SimulateOptions)}:
            raise InputError(
                f"group {group.name} of the recipe has options that varcall simulate lacks: "
                f"{', '.join(sorted(unknown))}"
            )
        genome = next(g for g in recipe.genomes if g.name == group.genome)
        first = number * recipe.batch + 1
        return SimulateOptions(
            reference=place.reference(genome),
            directory=work,
            truths=tuple(place.file(name) for name in genome.truths),
            samples=min(recipe.batch, group.samples + 1 - first),
            first_sample=first,
            sample_size=group.size,
            regions=group.regions,
            exclude=(place.recipes / genome.exclude,) if genome.exclude else (),
            depth=group.depth,
            seed=group.seed,
            **group.options,
        )

    def _simulate(self, group: Group, number: int, work: Path, folder: Path) -> None:
        samples = work / "samples"
        options = self.simulate_options(group, number, samples)
        run_simulate(options)
        assert options.reference is not None
        run_examples(
            ExamplesOptions(
                reference=options.reference, output=folder, samples=samples, span=self._recipe.span
            )
        )

    def _use_slice(self, piece: Piece, work: Path, folder: Path) -> None:
        one = piece.slice
        assert one is not None
        files = self._stand_in(one, work) if one.simulated_from else self._files(one)
        if piece.depth is None:
            assert files.truth is not None, "labels need a truth"
            reads, truth, confident = files.reads, files.truth, files.confident
        else:
            spiked = run_spike(self._spike_options(piece, one, files, work))
            reads, truth, confident = spiked.bam, spiked.truth, spiked.bed
        run_examples(
            ExamplesOptions(
                reference=files.reference, output=folder, reads=reads, truth=truth,
                confident=confident, regions=one.regions, span=self._recipe.span,
            )
        )  # fmt: skip

    def _spike_options(self, piece: Piece, one: Slice, files: _Files, work: Path) -> SpikeOptions:
        place = self._place
        if self._recipe.spectra:
            variants = tuple(place.file(name) for name in self._recipe.spectra)
        else:
            assert files.truth is not None, "a stand-in has a truth"
            variants = (files.truth,)
        return SpikeOptions(
            reads=files.reads,
            reference=files.reference,
            variants=variants,
            # Example files are named by their reads: each piece has a name of its own.
            output=work / f"{one.name}_{piece.number}",
            truth=files.truth,
            confident=files.confident,
            regions=one.regions,
            depth=piece.depth or None,
            mix=place.file(one.mix) if piece.mix_share else None,
            mix_share=piece.mix_share,
            mapper="exact" if one.simulated_from else "auto",
            seed=piece.number,
        )

    def _files(self, one: Slice) -> _Files:
        file = self._place.file
        return _Files(
            file(one.reads),
            file(one.reference),
            file(one.truth) if one.truth else None,
            file(one.confident) if one.confident else None,
        )

    def _stand_in(self, one: Slice, work: Path) -> _Files:
        """Simulate the first sample of a group, in the place of real reads."""
        group = next(g for g in self._recipe.groups if g.name == one.simulated_from)
        options = self.simulate_options(group, 0, work / "real")
        sample = run_simulate(options)[0]
        return _Files(sample.bam, sample.reference, sample.truth, sample.bed)
