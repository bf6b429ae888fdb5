"""Phase the records of a run as they are written: one serial pass in the order of the file.

Each record brings what fragments show there (`varcall.output.phase_votes`), so a pass over the
merged records of shards is the same as one over those of a single run. Heterozygous records that
fragments link, directly or through others, are phased together (`pileup.kernels.phasing.blocks`);
windows and shards leave no trace in it.

Records are held back until no fragment reaches further, or until there are very many: then the
fragments that go on carry what they showed so far into the next part. The reference blocks of a
gVCF, and the bases of `--all-sites`, wait with them and have no say, so the records are phased as
those of the plain VCF.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import AlleleVotes, offsets_of
from pileup.kernels.phasing.blocks import find_components, number_fragments, phase_sites
from varcall.errors import InputError
from varcall.output.mnvs import NO_ALLELE, SampleRecord, join_mnvs
from varcall.output.phase_votes import AFTER, VOTES, RecordVotes, info_value

SLACK = 300
"""Bases from a record to the furthest one that is genotyped together with it, and more."""

ENOUGH, MOST = 1000, 20_000
"""Records that are phased at a time: so many are worth it, and more are not held back."""

_Numbers = NDArray[np.int64]


class _Votes(NamedTuple):
    """Votes about the units of a part: int64 [n] each; `start` and `reach` are positions."""

    name: _Numbers
    unit: _Numbers
    start: _Numbers
    reach: _Numbers
    weight: _Numbers


class FragmentVotes(NamedTuple):
    """Votes, int64 [n] each, by fragment and then by unit, one of a fragment at a unit."""

    fragment: _Numbers
    unit: _Numbers
    weight: _Numbers


class Phased(NamedTuple):
    """What is known of each of n units: `side` and `block` as `phase_sites` has them."""

    side: _Numbers
    block: _Numbers


@dataclass(slots=True)
class _Unit:
    """Records that share their phase: one, or those genotyped together; `phase_set` is a POS.

    `turn` is 1 where the first allele of the first record's GT is the smaller one, else -1.
    """

    phase_set: int
    turn: int
    records: int = 0


@dataclass(slots=True)
class _Part:
    """Records that are held back, and their votes.

    `behind` has lines that follow a record, `unit_of` and `sign_of` its unit and whether it has
    its alleles in the order of that (1 or -1), `given` the votes of given records and who has them.
    """

    records: list[SampleRecord] = field(default_factory=list)
    behind: dict[int, list[str]] = field(default_factory=dict)
    units: list[_Unit] = field(default_factory=list)
    unit_of: list[int] = field(default_factory=list)
    sign_of: list[int] = field(default_factory=list)
    given: dict[tuple[int, bytes, bytes], tuple[int, int]] = field(default_factory=dict)
    by_set: dict[str, int] = field(default_factory=dict)
    votes: list[_Votes] = field(default_factory=list)
    reach: int = 0
    hold: int = 0

    def settle(self, unit: int, sign: int = 1) -> None:
        """Say which unit the last record is of; -1 for none."""
        self.unit_of.append(unit)
        self.sign_of.append(sign)

    def twin(self, record: SampleRecord, shown: RecordVotes) -> tuple[int, int] | None:
        """Return unit and sign where a given record of the same place has the same votes.

        A file may give a variant twice, or its alleles in records of their own: what fragments show
        there counts once.
        """
        return self.given.get(_key(record, shown))


def _key(record: SampleRecord, shown: RecordVotes, sign: int = 1) -> tuple[int, bytes, bytes]:
    return record.pos, shown.name.tobytes(), (sign * shown.weight).tobytes()


def _rank(allele: str) -> float:
    """Return what says which allele is the smaller one; one that is not named comes last."""
    return math.inf if allele == NO_ALLELE else int(allele)


class Phaser:
    """Takes the lines of records in order, and gives them back phased, in order.

    Parameters
    ----------
    join_distance
        SNVs this near on one haplotype become one record; 0 joins none.
    enough, most
        Records that are phased at a time.
    """

    def __init__(self, join_distance: int = 0, *, enough: int = ENOUGH, most: int = MOST) -> None:
        self._join_distance = join_distance
        self._enough, self._most = enough, most
        self._contig = ""
        self._part = _Part()

    def push(self, line: str) -> list[str]:
        """Take the next line, a record or a block, and return those that it settles.

        Raises
        ------
        InputError
            When the line does not hold what a record to be phased does.
        """
        try:
            record = SampleRecord(line)
            if record.is_reference:
                return self.push_blocks(line)
            ready = self._before(record)
            self._add(record)
        except (ValueError, IndexError) as error:
            raise InputError(
                f"a record cannot be phased: {line[:200].strip()!r}; write that shard again"
            ) from error
        return ready

    def push_blocks(self, text: str) -> list[str]:
        """Take lines of reference blocks that come next; return them if nothing is held back."""
        part = self._part
        if not part.records:
            return [text]
        part.behind.setdefault(len(part.records) - 1, []).append(text)
        return []

    def flush(self) -> list[str]:
        """Return the lines that are still held back."""
        return self._close(carry=False)

    def _before(self, record: SampleRecord) -> list[str]:
        """Close the part where the next record begins another one."""
        part = self._part
        if record.contig != self._contig:
            ready = self._close(carry=False)
            self._contig = record.contig
            return ready
        if record.start <= part.hold:
            return []
        if record.start > part.reach and (not part.units or len(part.units) >= self._enough):
            return self._close(carry=False)
        if len(part.units) >= self._most:
            return self._close(carry=True)
        return []

    def _add(self, record: SampleRecord) -> None:
        part = self._part
        part.records.append(record)
        part.hold = max(part.hold, record.end)
        votes = info_value(record.info, VOTES)
        if info_value(record.info, AFTER) is not None:
            part.hold = max(part.hold, record.start + self._join_distance)
        if votes is None:
            part.settle(-1)
            return
        shown = RecordVotes.of_text(votes)
        if record.is_given and (twin := part.twin(record, shown)) is not None:
            part.settle(*twin)
            return
        number = part.by_set.get(record.phase_set, len(part.units))
        if number == len(part.units):
            first, second = record.alleles
            part.units.append(_Unit(record.pos, 1 if _rank(first) < _rank(second) else -1))
        if record.phase_set:
            part.by_set[record.phase_set] = number
            part.hold = max(part.hold, record.start + SLACK)
        part.units[number].records += 1
        part.settle(number)
        if record.is_given:
            part.given[_key(record, shown)] = number, 1
            part.given[_key(record, shown, -1)] = number, -1
        everyone = np.ones(len(shown.name), np.int64)
        reach = record.start + shown.reach
        part.reach = max(part.reach, int(reach.max(initial=0)))
        part.votes.append(
            _Votes(shown.name, number * everyone, record.start * everyone, reach, shown.weight)
        )

    def _close(self, *, carry: bool) -> list[str]:
        """Phase the records that are held back; `carry` their fragments into the next part."""
        part, self._part = self._part, _Part()
        if part.units:
            votes, in_full = _one_each(part.votes)
            phased = phase_units(votes, len(part.units))
            turn = self._settle(part, phased)
            if carry:
                self._carry(part, votes.fragment, in_full, phased, turn)
        lines: list[str] = []
        for last, line in join_mnvs(part.records, self._join_distance):
            # Blocks between the records of an MNV are in its REF.
            lines += [line, *part.behind.get(last, ())]
        return lines

    def _settle(self, part: _Part, phased: Phased) -> _Numbers:
        """Write the phase into the records; return which units (int64 [n], 1 or -1) were turned."""
        own = np.array([unit.turn for unit in part.units])
        blocks = np.where(phased.block < 0, np.arange(len(own)), phased.block)
        turn = phased.side * phased.side[blocks] * own[blocks]
        sets = [part.units[block].phase_set for block in blocks.tolist()]
        together = np.array([unit.records for unit in part.units]) > 1
        is_phased = (phased.block >= 0) | (together & ~_spanned(phased.block))
        for record, unit, sign in zip(part.records, part.unit_of, part.sign_of, strict=True):
            if unit >= 0:
                record.set_phase(sign * int(turn[unit]), sets[unit] if is_phased[unit] else None)
        return np.asarray(turn)

    def _carry(
        self, part: _Part, fragment: _Numbers, votes: _Votes, phased: Phased, turn: _Numbers
    ) -> None:
        """Begin the next part with the fragments of the last block, as one unit."""
        in_blocks = np.flatnonzero(phased.block >= 0)
        if not len(in_blocks):
            return
        block = phased.block[in_blocks[-1]]
        mine = (phased.block == block)[votes.unit]
        mine &= votes.reach > part.records[-1].start
        _, first, own = np.unique(fragment[mine], return_index=True, return_inverse=True)
        votes = _Votes(*(values[mine] for values in votes))
        weight = np.zeros(len(first), np.int64)
        reach = weight.copy()
        np.add.at(weight, own, turn[votes.unit] * votes.weight)
        np.maximum.at(reach, own, votes.reach)
        self._part.votes.append(
            _Votes(votes.name[first], np.zeros_like(first), votes.start[first], reach, weight)
        )
        self._part.units.append(_Unit(part.units[block].phase_set, 1))
        self._part.reach = int(reach.max(initial=0))


def _spanned(block: _Numbers) -> NDArray[np.bool_]:
    """Return which units (bool [n]) lie within a block that is not theirs.

    What was genotyped together and contradicts the haplotypes around it would cut them in two.
    """
    steps = np.zeros(len(block) + 1, np.int64)
    named = np.flatnonzero(block >= 0)
    np.maximum.at(steps, block[named], named)
    furthest = np.maximum.accumulate(steps[:-1])
    return np.asarray((block < 0) & (furthest > np.arange(len(block))))


def _one_each(votes: Sequence[_Votes]) -> tuple[FragmentVotes, _Votes]:
    """Return one vote of each fragment at each unit, twice: as what is phased by, and in full."""
    every = _Votes(*(np.concatenate(column) for column in zip(*votes, strict=True)))
    order = np.lexsort((every.start, every.unit, every.name))
    every = _Votes(*(values[order] for values in every))
    fragment = np.empty(len(order), np.int64)
    number_fragments(every.name, every.start, every.reach, fragment)
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (np.diff(fragment) != 0) | (np.diff(every.unit) != 0)
    first = np.flatnonzero(begins)
    single = _Votes(*(values[first] for values in every))
    if len(first):
        single = single._replace(
            reach=np.maximum.reduceat(every.reach, first),
            weight=np.add.reduceat(every.weight, first),
        )
    return FragmentVotes(fragment[first], single.unit, single.weight), single


def phase_units(votes: FragmentVotes, n_units: int) -> Phased:
    """Phase units by the fragments that vote at several; a block is named by its first unit."""
    heard = FragmentVotes(*(values[votes.weight != 0] for values in votes))
    several = np.bincount(heard.fragment)[heard.fragment] > 1
    fragment, unit, weight = (values[several] for values in heard)
    label = np.empty(n_units, np.int64)
    find_components(fragment, unit, label)
    by_label = np.argsort(label, kind="stable")
    rank = np.empty(n_units, np.int64)
    rank[by_label] = np.arange(n_units)
    first_site = np.append(np.flatnonzero(label[by_label] == by_label), n_units)
    _, begins, own = np.unique(fragment, return_index=True, return_inverse=True)
    by_site = np.argsort(rank[unit[begins]], kind="stable")
    number = np.empty(len(begins), np.int64)
    number[by_site] = np.arange(len(begins))
    order = np.argsort(number[own], kind="stable")
    site = rank[unit[order]]
    table = AlleleVotes(
        offset=offsets_of(np.bincount(number[own], minlength=len(begins))),
        site=site,
        fragment=number[own][order],
        weight=weight[order],
        site_offset=offsets_of(np.bincount(site, minlength=n_units)),
        by_site=np.argsort(site, kind="stable"),
    )
    first_fragment = np.searchsorted(site[table.offset[:-1]], first_site)
    side, block = np.empty(n_units, np.int64), np.empty(n_units, np.int64)
    phase_sites(table, first_site, first_fragment, side, block)
    named = np.append(by_label, -1)[block]
    return Phased(side[rank], named[rank])
