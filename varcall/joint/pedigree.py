"""Pedigrees: PED files, and the families in them.

PED: lines of family, individual, father, mother, sex (1 male, 2 female, others unknown) and a
phenotype that is not looked at, separated by blanks; 0 is a parent that is not known.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from varcall.errors import InputError
from varcall.formats.text import open_text

_UNKNOWN = "0"
_MALE, _FEMALE = "1", "2"
_LEAST_COLUMNS = 5  # the phenotype may be left out


@dataclass(frozen=True, slots=True)
class _Individual:
    name: str
    father: str
    mother: str
    sex: str
    line: int


@dataclass(frozen=True, slots=True)
class Family:
    """Two parents, one of whom may be unknown (None), and their children: numbers of samples."""

    father: int | None
    mother: int | None
    children: tuple[int, ...]

    @property
    def members(self) -> tuple[int, ...]:
        """Samples of the family."""
        parents = (self.father, self.mother)
        return (*(parent for parent in parents if parent is not None), *self.children)


def read_families(path: Path, samples: Sequence[str]) -> tuple[Family, ...]:
    """Read a pedigree.

    Parameters
    ----------
    path
        PED file.
    samples
        Names that the numbers of the families count.

    Returns
    -------
    tuple of Family
        Those in which a person is a child before those in which he is a parent.

    Raises
    ------
    InputError
        The file is malformed, contradicts itself, names a sample that is not there, or has no
        child with a parent.
    """
    people = _read(path)
    _check_parents(path, people)
    known = {name: number for number, name in enumerate(samples)}
    for person in people.values():
        if person.name not in known:
            raise InputError(
                f"{path}, line {person.line}: no gVCF is of the sample {person.name}; add it, or "
                "take out the line and write 0 where it is named as a parent"
            )
    children: dict[tuple[str, str], list[int]] = {}
    for name in _oldest_first(path, people):
        person = people[name]
        if (person.father, person.mother) != (_UNKNOWN, _UNKNOWN):
            children.setdefault((person.father, person.mother), []).append(known[name])
    if not children:
        raise InputError(f"{path} has no child with a parent; name father and mother of a sample")
    return tuple(
        Family(known.get(father), known.get(mother), tuple(sorted(numbers)))
        for (father, mother), numbers in children.items()
    )


def _read(path: Path) -> dict[str, _Individual]:
    people: dict[str, _Individual] = {}
    try:
        with open_text(path) as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                person = _individual(path, number, line.split())
                if person.name in people:
                    raise InputError(
                        f"{path}, line {number}: the individual {person.name} stands in line "
                        f"{people[person.name].line} too; keep one of them"
                    )
                people[person.name] = person
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"cannot read {path} as a pedigree: {error}; give a PED file") from error
    return people


def _individual(path: Path, number: int, words: Sequence[str]) -> _Individual:
    if len(words) < _LEAST_COLUMNS:
        raise InputError(
            f"{path}, line {number}: {len(words)} columns; a PED file has family, individual, "
            "father, mother, sex and phenotype"
        )
    _, name, father, mother, sex, *_ = words
    if name == _UNKNOWN:
        raise InputError(f"{path}, line {number}: an individual has no name; 0 is for parents")
    return _Individual(name, father, mother, sex, number)


def _check_parents(path: Path, people: Mapping[str, _Individual]) -> None:
    for person in people.values():
        for role, name, other in (
            ("father", person.father, _FEMALE),
            ("mother", person.mother, _MALE),
        ):
            if name == _UNKNOWN:
                continue
            where = f"{path}, line {person.line}: the {role} {name} of {person.name}"
            if name not in people:
                raise InputError(f"{where} has no line; add it, or write 0")
            if people[name].sex == other:
                has = "female" if other == _FEMALE else "male"
                raise InputError(f"{where} is {has} in line {people[name].line}; correct the sex")


def _oldest_first(path: Path, people: Mapping[str, _Individual]) -> Collection[str]:
    """Return the names, parents before their children, otherwise in the order of the file."""
    before = {
        person.name: [name for name in (person.father, person.mother) if name != _UNKNOWN]
        for person in people.values()
    }
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        raise InputError(
            f"{path}: {error.args[1][0]} is an ancestor of itself; correct fathers and mothers"
        ) from error
