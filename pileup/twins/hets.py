"""Twin of kernels.phasing.hets: positions that look heterozygous, and what fragments show there."""

from collections.abc import Sequence
from dataclasses import dataclass

from pileup.arrays import PhasingRules
from pileup.codes import N_BASES, UNKNOWN_BASE
from pileup.sam import FREVERSE
from pileup.twins.alignment import Read, Stretch
from pileup.twins.scan import Counts

_REPEATED = {1: 4, 2: 6, 3: 9}
_BOTH_STRANDS = 4
_ABSENT_MAPQ, _NEUTRAL_MAPQ = 255, 40


@dataclass(frozen=True, slots=True)
class Het:
    """A heterozygous SNV: `votes` says by fragment which allele, 0 the smaller base, it shows."""

    position: int
    votes: dict[int, int]


def is_near_repeat(position: int, reference: Stretch) -> bool:
    """Return whether a repeat of a unit of one to three bases ends or begins beside a position."""
    before = [position - distance for distance in range(1, 13)]
    after = [position + distance for distance in range(1, 13)]
    return any(
        all(
            reference.covers(side[at])
            and reference.covers(side[at + unit])
            and reference.base(side[at]) == reference.base(side[at + unit])
            for at in range(length)
        )
        for side in (before, after)
        for unit, length in _REPEATED.items()
    )


def looks_het(
    position: int, counts: Counts, reference: Stretch, rules: PhasingRules
) -> tuple[int, int] | None:
    """Return the two bases of a position that looks heterozygous by counts of reads, sorted."""
    ref, depth = reference.base(position), counts.depth[position]
    if ref >= UNKNOWN_BASE:
        return None
    shown = [counts.bases[position, base] for base in range(N_BASES)]
    alt = max((base for base in range(N_BASES) if base != ref), key=lambda base: shown[base])
    two = shown[ref] + shown[alt]
    rarer = min(shown[ref], shown[alt])
    is_het = (
        rarer >= rules.min_fragments
        and 100 * rarer >= rules.min_percent * two
        and 100 * (depth - two) <= rules.max_other_percent * depth
        and not is_near_repeat(position, reference)
    )
    return (min(ref, alt), max(ref, alt)) if is_het else None


def find_hets(
    reads: Sequence[Read],
    counts: Counts,
    reference: Stretch,
    start: int,
    end: int,
    rules: PhasingRules,
) -> list[Het]:
    """Return the heterozygous SNVs in [start, end) (0-based half-open)."""
    hets = []
    for position in range(max(start, reference.start), min(end, reference.end)):
        bases = looks_het(position, counts, reference, rules)
        if bases is None:
            continue
        witnesses = [
            (read, bases.index(read.bases[at]))
            for read in reads
            if (at := read.index_at(position)) >= 0
            and read.bases[at] in bases
            and read.qualities[at] >= rules.min_base_quality
        ]
        votes = _settled(witnesses)
        if _is_confirmed(votes, rules):
            by_fragment = {read.fragment: allele for read, allele in votes}
            hets.append(Het(position, by_fragment))
    return hets


def _settled(witnesses: Sequence[tuple[Read, int]]) -> list[tuple[Read, int]]:
    """Keep the first of each fragment's reads, and none where they differ."""
    by_fragment: dict[int, list[tuple[Read, int]]] = {}
    for read, allele in witnesses:
        by_fragment.setdefault(read.fragment, []).append((read, allele))
    return [of[0] for of in by_fragment.values() if len({allele for _, allele in of}) == 1]


def _is_confirmed(votes: Sequence[tuple[Read, int]], rules: PhasingRules) -> bool:
    shown = [[read for read, allele in votes if allele == number] for number in (0, 1)]
    rarer = min(map(len, shown))
    if rarer < rules.min_fragments or 100 * rarer < rules.min_percent * len(votes):
        return False
    for of in shown:
        mapqs = [_NEUTRAL_MAPQ if read.mapq == _ABSENT_MAPQ else read.mapq for read in of]
        if sum(mapqs) < rules.min_mapq * len(mapqs):
            return False
    reverse = [[bool(read.flag & FREVERSE) for read in of] for of in shown]
    if min(sum(map(sum, reverse)), len(votes) - sum(map(sum, reverse))) < _BOTH_STRANDS:
        return True
    return all(len(set(of)) == 2 for of in reverse)
