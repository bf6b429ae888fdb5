"""Candidate sites of a window: which alleles the reads suggest, before anyone judges them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import (
    CountArrays,
    EventArrays,
    ReadArrays,
    ReferenceArrays,
    SiteArrays,
    UnlikeArrays,
)
from pileup.codes import INDEL, N_BASES, SUBSTITUTION, UNKNOWN_BASE
from pileup.kernels.candidates.adjacent import count_adjacent
from pileup.kernels.candidates.repeats import indel_extents
from pileup.kernels.candidates.scan import MAX_SHIFT, count_indels, hash_sequence, scan_reads
from varcall.options import (
    DEFAULT_MIN_ALT_COUNT,
    DEFAULT_MIN_ALT_FRACTION_INDEL,
    DEFAULT_MIN_ALT_FRACTION_SNV,
    DEFAULT_MIN_BASE_QUALITY,
)

_LETTERS = bytes.maketrans(bytes(range(5)), b"ACGTN")
# How much reference is needed on both sides of the reads of a window.
REFERENCE_MARGIN = MAX_SHIFT + 200


@dataclass(frozen=True, slots=True)
class CandidateThresholds:
    """When an allele becomes a candidate.

    The defaults are DeepVariant's (make_examples_options.py).
    """

    min_base_quality: int = DEFAULT_MIN_BASE_QUALITY
    snv_min_count: int = DEFAULT_MIN_ALT_COUNT
    snv_min_fraction: float = DEFAULT_MIN_ALT_FRACTION_SNV
    indel_min_count: int = DEFAULT_MIN_ALT_COUNT
    indel_min_fraction: float = DEFAULT_MIN_ALT_FRACTION_INDEL
    max_alts: int = 4
    max_allele: int = 100
    # Adjacent SNVs become one MNV where at most this share of either one's reads lacks the other.
    mnv_max_discordance: float = 0.1


@dataclass(frozen=True, slots=True)
class Scan:
    """What one walk over the CIGARs of a window saw; `counts` by position are of `reference`."""

    reference: ReferenceArrays
    counts: CountArrays
    events: EventArrays
    unlike: UnlikeArrays


def spell(codes: NDArray[np.uint8]) -> str:
    """Return base codes (0 A, 1 C, 2 G, 3 T, 4 other) as letters."""
    return codes.tobytes().translate(_LETTERS).decode()


def spell_alts(sites: SiteArrays, site: int, ref: str) -> tuple[str, ...]:
    """Return the ALTs of a site as VCF strings against its REF (an indel's has its anchor)."""
    alts = []
    for alt in range(sites.alt_offset[site], sites.alt_offset[site + 1]):
        put = spell(sites.alt_bases[sites.alt_base_offset[alt] : sites.alt_base_offset[alt + 1]])
        if sites.kind[site] == INDEL:
            alts.append(ref[0] + put + ref[1 + int(sites.alt_deleted[alt]) :])
        else:
            alts.append(put)
    return tuple(alts)


def spell_alleles(
    sites: SiteArrays, site: int, reference: ReferenceArrays
) -> tuple[str, tuple[str, ...]]:
    """Return REF and the ALTs of a site as VCF strings; what is no A, C, G, T is N."""
    first = int(sites.start[site]) - reference.start
    ref = spell(reference.codes[first : first + int(sites.ref_length[site])])
    return ref, spell_alts(sites, site, ref)


@dataclass(frozen=True, slots=True)
class PutativeAllele:
    """An allele to look up in the reads, whether they suggest it or not.

    Attributes
    ----------
    start
        0-based; of an INDEL the anchor, as far left as the reference lets it.
    kind
        SUBSTITUTION or INDEL.
    deleted
        Reference bases replaced: from `start` on, or after the anchor.
    bases
        Codes of the bases put there.
    """

    start: int
    kind: int
    deleted: int
    bases: bytes


@dataclass(slots=True)
class _Allele:
    start: int
    kind: int
    deleted: int
    bases: NDArray[np.uint8]
    count: int
    hash: int = 0


def scan_window(
    reads: ReadArrays, reference: ReferenceArrays, thresholds: CandidateThresholds
) -> Scan:
    """Walk the reads of a window once; positions outside `reference` are left out."""
    n = len(reads.read_start)
    length = len(reference.codes)
    capacity = int(count_indels(reads.cigar_op))
    counts = CountArrays(
        base_counts=np.zeros((length, N_BASES), np.int32),
        depth=np.zeros(length, np.int32),
        mismatches=np.zeros(n, np.int32),
        clipped=np.zeros(n, np.int32),
    )
    events = EventArrays(
        offset=np.zeros(n + 1, np.int64),
        anchor=np.zeros(capacity, np.int64),
        deleted=np.zeros(capacity, np.int32),
        inserted=np.zeros(capacity, np.int32),
        source=np.zeros(capacity, np.int64),
        rotation=np.zeros(capacity, np.int32),
        hash=np.zeros(capacity, np.uint64),
        quality=np.zeros(capacity, np.int32),
    )
    most = len(reads.bases)
    unlike = UnlikeArrays(
        np.zeros(n + 1, np.int64), np.empty(most, np.int32), np.empty(most, np.int16)
    )
    rules = np.uint8(thresholds.min_base_quality), thresholds.max_allele
    scan_reads(reads, reference, *rules, counts, events, unlike)
    listed = slice(0, unlike.offset[-1])
    unlike = unlike._replace(base=unlike.base[listed].copy(), quality=unlike.quality[listed].copy())
    return Scan(reference, counts, events, unlike)


def find_candidates(
    reads: ReadArrays,
    scan: Scan,
    start: int,
    end: int,
    thresholds: CandidateThresholds,
    asked: Iterable[PutativeAllele] = (),
) -> SiteArrays:
    """Return the candidate sites whose REF starts in [start, end) (0-based half-open).

    An allele that is `asked` for and is no candidate has a site of its own, after those of the same
    start: what else is asked for changes no other site.
    """
    # A variant across the border belongs to the window of its start, so SNVs are looked at a
    # little beyond the end and MNVs formed before ownership is decided.
    margin = 16
    alleles = _substitutions(reads, scan, start - margin, end + margin, thresholds)
    alleles += _indels(reads, scan, start, end, thresholds)
    owned = [allele for allele in alleles if start <= allele.start < end]
    proposed = _group(owned, thresholds.max_alts)
    return _sites_of(proposed, _unproposed(asked, proposed), scan.reference)


def _unproposed(
    asked: Iterable[PutativeAllele], proposed: Iterable[Sequence[_Allele]]
) -> list[_Allele]:
    wanted = set(asked)
    if not wanted:
        return []
    wanted -= {
        PutativeAllele(allele.start, allele.kind, allele.deleted, allele.bases.tobytes())
        for members in proposed
        for allele in members
    }
    alleles = []
    for allele in sorted(wanted, key=lambda a: (a.start, a.kind, a.deleted, a.bases)):
        bases = np.frombuffer(allele.bases, np.uint8).copy()
        value = int(hash_sequence(bases, 0, len(bases), 0)) if len(bases) else 0
        alleles.append(_Allele(allele.start, allele.kind, allele.deleted, bases, 0, value))
    return alleles


def alleles_of(sites: SiteArrays, site: int) -> tuple[PutativeAllele, ...]:
    """Return the ALTs of a site, in its order."""
    alts = range(int(sites.alt_offset[site]), int(sites.alt_offset[site + 1]))
    return tuple(
        PutativeAllele(
            int(sites.start[site]),
            int(sites.kind[site]),
            int(sites.alt_deleted[alt]),
            sites.alt_bases[sites.alt_base_offset[alt] : sites.alt_base_offset[alt + 1]].tobytes(),
        )
        for alt in alts
    )


def _substitutions(
    reads: ReadArrays, scan: Scan, start: int, end: int, thresholds: CandidateThresholds
) -> list[_Allele]:
    low = max(0, start - scan.reference.start)
    high = max(low, min(len(scan.reference.codes), end - scan.reference.start))
    counts = scan.counts.base_counts[low:high]
    reference = scan.reference.codes[low:high]
    depth = scan.counts.depth[low:high]
    enough = counts >= thresholds.snv_min_count
    enough[np.arange(len(reference)), np.minimum(reference, 3)] = False
    columns, bases = np.nonzero(enough)
    passed = (reference[columns] <= 3) & (
        counts[columns, bases] >= thresholds.snv_min_fraction * depth[columns]
    )
    columns, bases = columns[passed], bases[passed]
    alleles = [
        _Allele(
            start=scan.reference.start + low + column,
            kind=SUBSTITUTION,
            deleted=1,
            bases=np.array([base], np.uint8),
            count=count,
        )
        for column, base, count in zip(
            columns.tolist(), bases.tolist(), counts[columns, bases].tolist(), strict=True
        )
    ]
    return _join_adjacent(reads, alleles, thresholds)


def _join_adjacent(
    reads: ReadArrays, alleles: list[_Allele], thresholds: CandidateThresholds
) -> list[_Allele]:
    """Join SNVs at neighbouring positions that the same reads show into one MNV."""
    per_start: dict[int, int] = {}
    for allele in alleles:
        per_start[allele.start] = per_start.get(allele.start, 0) + 1
    joined: list[_Allele] = []
    for allele in alleles:
        last = joined[-1] if joined else None
        if (
            last is not None
            and per_start[allele.start] == 1
            and per_start[last.start + last.deleted - 1] == 1
            and last.start + last.deleted == allele.start
        ):
            both, left, right = count_adjacent(
                reads,
                allele.start - 1,
                last.bases[-1],
                allele.bases[0],
                thresholds.min_base_quality,
            )
            discordance = thresholds.mnv_max_discordance
            if (
                both >= thresholds.snv_min_count
                and left <= discordance * both
                and right <= discordance * both
            ):
                last.bases = np.concatenate([last.bases, allele.bases])
                last.deleted += 1
                last.count = min(last.count, int(both))
                continue
        joined.append(allele)
    return joined


def _indels(
    reads: ReadArrays, scan: Scan, start: int, end: int, thresholds: CandidateThresholds
) -> list[_Allele]:
    events = scan.events
    anchor = events.anchor[: events.offset[-1]]
    inside = np.flatnonzero((anchor >= start) & (anchor < end))
    if len(inside) == 0:
        return []
    read_of_event = np.repeat(np.arange(len(reads.read_start)), np.diff(events.offset))
    fragment = reads.fragment[read_of_event[inside]]
    keys = (
        fragment,
        events.hash[inside],
        events.inserted[inside],
        events.deleted[inside],
        anchor[inside],
    )
    order = np.lexsort(keys)
    index = inside[order]
    same_allele = np.ones(len(order), bool)
    for key in keys[1:]:
        same_allele[1:] &= key[order][1:] == key[order][:-1]
    same_allele[0] = False
    new_fragment = np.ones(len(order), bool)
    new_fragment[1:] = ~same_allele[1:] | (fragment[order][1:] != fragment[order][:-1])
    firsts = np.flatnonzero(~same_allele)
    counts = np.add.reduceat(new_fragment.astype(np.int64), firsts)
    alleles = []
    for first, count in zip(firsts, counts, strict=True):
        event = index[first]
        column = int(anchor[event]) - scan.reference.start
        depth = max(int(scan.counts.depth[column]), int(count))
        if count < thresholds.indel_min_count or count < thresholds.indel_min_fraction * depth:
            continue
        if scan.reference.codes[column] >= UNKNOWN_BASE:
            continue
        alleles.append(
            _Allele(
                start=int(anchor[event]),
                kind=INDEL,
                deleted=int(events.deleted[event]),
                bases=_inserted_bases(reads, events, int(event)),
                count=int(count),
                hash=int(events.hash[event]),
            )
        )
    return alleles


def _inserted_bases(reads: ReadArrays, events: EventArrays, event: int) -> NDArray[np.uint8]:
    source = int(events.source[event])
    bases = reads.bases[source : source + int(events.inserted[event])]
    return np.roll(bases, int(events.rotation[event]))


def _group(alleles: list[_Allele], max_alts: int) -> list[list[_Allele]]:
    """Put alleles of one start and kind into one site, the best supported ALTs first kept."""
    grouped: dict[tuple[int, int], list[_Allele]] = {}
    for allele in sorted(alleles, key=lambda a: (a.start, a.kind)):
        # SNVs at the start of an MNV stay a site of their own.
        width = allele.deleted if allele.kind == SUBSTITUTION else 0
        grouped.setdefault((allele.start, allele.kind * 1000 + width), []).append(allele)
    chosen_sites = []
    for members in grouped.values():
        members.sort(key=lambda a: (-a.count, a.deleted, len(a.bases), a.bases.tobytes()))
        chosen = members[:max_alts]
        chosen.sort(key=lambda a: (-a.deleted, len(a.bases), a.bases.tobytes()))
        chosen_sites.append(chosen)
    return chosen_sites


def _sites_of(
    proposed: list[list[_Allele]], asked: list[_Allele], reference: ReferenceArrays
) -> SiteArrays:
    """Return the arrays of sites by start: those that reads suggest, and one of each asked ALT."""
    chosen_sites = [*proposed, *([allele] for allele in asked)]
    is_shown = [True] * len(proposed) + [False] * len(asked)
    order = sorted(range(len(chosen_sites)), key=lambda site: chosen_sites[site][0].start)
    chosen_sites = [chosen_sites[site] for site in order]
    flat = [allele for members in chosen_sites for allele in members]
    alt_base_offset = np.zeros(len(flat) + 1, np.int64)
    np.cumsum([len(allele.bases) for allele in flat], out=alt_base_offset[1:])
    alt_offset = np.zeros(len(chosen_sites) + 1, np.int64)
    np.cumsum([len(members) for members in chosen_sites], out=alt_offset[1:])
    start = np.array([members[0].start for members in chosen_sites], np.int64)
    ref_length = np.array(
        [
            (members[0].kind == INDEL) + max(allele.deleted for allele in members)
            for members in chosen_sites
        ],
        np.int32,
    )
    sites = SiteArrays(
        start=start,
        kind=np.array([members[0].kind for members in chosen_sites], np.uint8),
        ref_length=ref_length,
        repeat_end=start + ref_length,
        alt_offset=alt_offset,
        alt_deleted=np.array([allele.deleted for allele in flat], np.int32),
        alt_inserted=np.diff(alt_base_offset).astype(np.int32),
        alt_count=np.array([allele.count for allele in flat], np.int32),
        alt_hash=np.array([allele.hash for allele in flat], np.uint64),
        alt_base_offset=alt_base_offset,
        alt_bases=np.concatenate([np.empty(0, np.uint8), *(allele.bases for allele in flat)]),
        is_shown=np.array([is_shown[site] for site in order], np.bool_),
    )
    indel_extents(reference, sites)
    return sites
