"""Candidate sites of a window: which alleles the reads suggest, before anyone judges them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.adjacent import count_adjacent
from pileup.kernels.repeats import indel_extents
from pileup.kernels.scan import MAX_SHIFT, count_indels, scan_reads
from varcall import options
from varcall.reads import ReadBatch

SUBSTITUTION, INDEL = 0, 1
BASE_LETTERS = "ACGTN"
# How much reference is needed on both sides of the reads of a window.
REFERENCE_MARGIN = MAX_SHIFT + 200


@dataclass(frozen=True, slots=True)
class CandidateThresholds:
    """When an allele becomes a candidate.

    The defaults are DeepVariant's (make_examples_options.py).
    """

    min_base_quality: int = options.DEFAULT_MIN_BASE_QUALITY
    snv_min_count: int = options.DEFAULT_MIN_ALT_COUNT
    snv_min_fraction: float = options.DEFAULT_MIN_ALT_FRACTION_SNV
    indel_min_count: int = options.DEFAULT_MIN_ALT_COUNT
    indel_min_fraction: float = options.DEFAULT_MIN_ALT_FRACTION_INDEL
    max_alts: int = 4
    max_allele: int = 100
    # Adjacent SNVs become one MNV where at most this share of either one's reads lacks the other.
    mnv_max_discordance: float = 0.1


@dataclass(frozen=True, slots=True)
class Scan:
    """What one walk over the CIGARs of a window saw (see pileup.kernels.scan).

    `reference` is uint8 codes of the contig from `reference_start` on; the arrays over positions
    share that origin, the arrays over reads and events are described in `scan_reads`.
    """

    reference: NDArray[np.uint8]
    reference_start: int
    base_counts: NDArray[np.int32]
    depth: NDArray[np.int32]
    mismatches: NDArray[np.int32]
    clipped: NDArray[np.int32]
    event_offset: NDArray[np.int64]
    event_anchor: NDArray[np.int64]
    event_deleted: NDArray[np.int32]
    event_inserted: NDArray[np.int32]
    event_source: NDArray[np.int64]
    event_rotation: NDArray[np.int32]
    event_hash: NDArray[np.uint64]
    event_quality: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Sites:
    """Candidate sites, sorted by start; a site has one or more ALTs.

    Attributes
    ----------
    start
        int64 [m], 0-based start of REF; an indel's start is its anchor base.
    kind
        uint8 [m], SUBSTITUTION (SNV, MNV) or INDEL.
    ref_length
        int32 [m], length of REF.
    repeat_end
        int64 [m], end of the stretch over which the site's indels can be shifted; a read must
        reach beyond it to tell the allele. Of a substitution: start + ref_length.
    alt_offset
        int64 [m + 1] into the arrays over ALTs.
    alt_deleted, alt_inserted
        int32 [a], reference bases replaced (after the anchor for an indel) and bases put there.
    alt_count
        int32 [a], reads that showed the allele in the scan.
    alt_hash
        uint64 [a], hash of the bases put there.
    alt_base_offset
        int64 [a + 1] into `alt_bases`, uint8 codes of the bases put there.
    """

    start: NDArray[np.int64]
    kind: NDArray[np.uint8]
    ref_length: NDArray[np.int32]
    repeat_end: NDArray[np.int64]
    alt_offset: NDArray[np.int64]
    alt_deleted: NDArray[np.int32]
    alt_inserted: NDArray[np.int32]
    alt_count: NDArray[np.int32]
    alt_hash: NDArray[np.uint64]
    alt_base_offset: NDArray[np.int64]
    alt_bases: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.start)

    def alts(self, site: int, ref: str) -> tuple[str, ...]:
        """Return the ALTs of a site as VCF strings against its REF (an indel's has its anchor)."""
        alts = []
        for alt in range(self.alt_offset[site], self.alt_offset[site + 1]):
            put = spell(self.alt_bases[self.alt_base_offset[alt] : self.alt_base_offset[alt + 1]])
            if self.kind[site] == INDEL:
                alts.append(ref[0] + put + ref[1 + int(self.alt_deleted[alt]) :])
            else:
                alts.append(put)
        return tuple(alts)

    def alleles(
        self, site: int, reference: NDArray[np.uint8], reference_start: int
    ) -> tuple[str, tuple[str, ...]]:
        """Return REF and the ALTs of a site as VCF strings; what is no A, C, G, T is N."""
        first = int(self.start[site]) - reference_start
        ref = spell(reference[first : first + int(self.ref_length[site])])
        return ref, self.alts(site, ref)


def spell(codes: NDArray[np.uint8]) -> str:
    """Return base codes (0 A, 1 C, 2 G, 3 T, 4 other) as letters."""
    return "".join(BASE_LETTERS[code] for code in codes)


@dataclass(slots=True)
class _Allele:
    start: int
    kind: int
    deleted: int
    bases: NDArray[np.uint8]
    count: int
    hash: int = 0


def scan_window(
    reads: ReadBatch,
    reference: NDArray[np.uint8],
    reference_start: int,
    thresholds: CandidateThresholds,
) -> Scan:
    """Walk the reads of a window once; positions outside `reference` are left out."""
    n = len(reads)
    length = len(reference)
    capacity = int(count_indels(reads.cigar_op))
    scan = Scan(
        reference=reference,
        reference_start=reference_start,
        base_counts=np.zeros((length, 4), np.int32),
        depth=np.zeros(length, np.int32),
        mismatches=np.zeros(n, np.int32),
        clipped=np.zeros(n, np.int32),
        event_offset=np.zeros(n + 1, np.int64),
        event_anchor=np.zeros(capacity, np.int64),
        event_deleted=np.zeros(capacity, np.int32),
        event_inserted=np.zeros(capacity, np.int32),
        event_source=np.zeros(capacity, np.int64),
        event_rotation=np.zeros(capacity, np.int32),
        event_hash=np.zeros(capacity, np.uint64),
        event_quality=np.zeros(capacity, np.int32),
    )
    scan_reads(
        reads.read_start,
        reads.base_offset,
        reads.bases,
        reads.qualities,
        reads.cigar_offset,
        reads.cigar_op,
        reads.cigar_length,
        reference,
        reference_start,
        thresholds.min_base_quality,
        thresholds.max_allele,
        scan.base_counts,
        scan.depth,
        scan.mismatches,
        scan.clipped,
        scan.event_offset,
        scan.event_anchor,
        scan.event_deleted,
        scan.event_inserted,
        scan.event_source,
        scan.event_rotation,
        scan.event_hash,
        scan.event_quality,
    )
    return scan


def find_candidates(
    reads: ReadBatch, scan: Scan, start: int, end: int, thresholds: CandidateThresholds
) -> Sites:
    """Return the candidate sites whose REF starts in [start, end) (0-based half-open)."""
    # A variant across the border belongs to the window of its start, so SNVs are looked at a
    # little beyond the end and MNVs formed before ownership is decided.
    margin = 16
    alleles = _substitutions(reads, scan, start - margin, end + margin, thresholds)
    alleles += _indels(reads, scan, start, end, thresholds)
    owned = [allele for allele in alleles if start <= allele.start < end]
    return _group(owned, scan, thresholds.max_alts)


def _substitutions(
    reads: ReadBatch, scan: Scan, start: int, end: int, thresholds: CandidateThresholds
) -> list[_Allele]:
    low = max(0, start - scan.reference_start)
    high = max(low, min(len(scan.depth), end - scan.reference_start))
    counts = scan.base_counts[low:high]
    reference = scan.reference[low:high]
    depth = scan.depth[low:high]
    known = np.minimum(reference, 3)
    is_alt = np.arange(4)[None, :] != known[:, None]
    passed = (
        is_alt
        & (reference <= 3)[:, None]
        & (counts >= thresholds.snv_min_count)
        & (counts >= thresholds.snv_min_fraction * depth[:, None])
    )
    alleles = [
        _Allele(
            start=scan.reference_start + low + int(column),
            kind=SUBSTITUTION,
            deleted=1,
            bases=np.array([base], np.uint8),
            count=int(counts[column, base]),
        )
        for column, base in np.argwhere(passed)
    ]
    return _join_adjacent(reads, alleles, thresholds)


def _join_adjacent(
    reads: ReadBatch, alleles: list[_Allele], thresholds: CandidateThresholds
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
                reads.read_start,
                reads.read_end,
                reads.base_offset,
                reads.bases,
                reads.qualities,
                reads.cigar_offset,
                reads.cigar_op,
                reads.cigar_length,
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
    reads: ReadBatch, scan: Scan, start: int, end: int, thresholds: CandidateThresholds
) -> list[_Allele]:
    events = int(scan.event_offset[-1])
    anchor = scan.event_anchor[:events]
    inside = np.flatnonzero((anchor >= start) & (anchor < end))
    if len(inside) == 0:
        return []
    read_of_event = np.repeat(np.arange(len(reads)), np.diff(scan.event_offset))
    fragment = reads.fragment[read_of_event[inside]]
    keys = (
        fragment,
        scan.event_hash[inside],
        scan.event_inserted[inside],
        scan.event_deleted[inside],
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
        column = int(anchor[event]) - scan.reference_start
        depth = max(int(scan.depth[column]), int(count))
        if count < thresholds.indel_min_count or count < thresholds.indel_min_fraction * depth:
            continue
        if scan.reference[column] > 3:
            continue
        alleles.append(
            _Allele(
                start=int(anchor[event]),
                kind=INDEL,
                deleted=int(scan.event_deleted[event]),
                bases=_inserted_bases(reads, scan, int(event)),
                count=int(count),
                hash=int(scan.event_hash[event]),
            )
        )
    return alleles


def _inserted_bases(reads: ReadBatch, scan: Scan, event: int) -> NDArray[np.uint8]:
    source = int(scan.event_source[event])
    bases = reads.bases[source : source + int(scan.event_inserted[event])]
    return np.roll(bases, int(scan.event_rotation[event]))


def _group(alleles: list[_Allele], scan: Scan, max_alts: int) -> Sites:
    """Put alleles of one start and kind into one site, the best supported ALTs first kept."""
    grouped: dict[tuple[int, int], list[_Allele]] = {}
    for allele in sorted(alleles, key=lambda a: (a.start, a.kind)):
        # SNVs at the start of an MNV stay a site of their own.
        width = allele.deleted if allele.kind == SUBSTITUTION else 0
        grouped.setdefault((allele.start, allele.kind * 1000 + width), []).append(allele)
    sites = []
    for members in grouped.values():
        members.sort(key=lambda a: (-a.count, a.deleted, len(a.bases), a.bases.tobytes()))
        chosen = members[:max_alts]
        chosen.sort(key=lambda a: (-a.deleted, len(a.bases), a.bases.tobytes()))
        sites.append(chosen)
    flat = [allele for members in sites for allele in members]
    alt_base_offset = np.zeros(len(flat) + 1, np.int64)
    np.cumsum([len(allele.bases) for allele in flat], out=alt_base_offset[1:])
    alt_offset = np.zeros(len(sites) + 1, np.int64)
    np.cumsum([len(members) for members in sites], out=alt_offset[1:])
    start = np.array([members[0].start for members in sites], np.int64)
    kind = np.array([members[0].kind for members in sites], np.uint8)
    alt_deleted = np.array([allele.deleted for allele in flat], np.int32)
    alt_bases = np.concatenate([np.empty(0, np.uint8), *(allele.bases for allele in flat)])
    ref_length = np.array(
        [
            (members[0].kind == INDEL) + max(allele.deleted for allele in members)
            for members in sites
        ],
        np.int32,
    )
    repeat_end = start + ref_length
    if len(sites):
        indel_extents(
            scan.reference,
            scan.reference_start,
            start,
            kind,
            alt_offset,
            alt_deleted,
            alt_base_offset,
            alt_bases,
            repeat_end,
        )
    return Sites(
        start=start,
        kind=kind,
        ref_length=ref_length,
        repeat_end=repeat_end,
        alt_offset=alt_offset,
        alt_deleted=alt_deleted,
        alt_inserted=np.diff(alt_base_offset).astype(np.int32),
        alt_count=np.array([allele.count for allele in flat], np.int32),
        alt_hash=np.array([allele.hash for allele in flat], np.uint64),
        alt_base_offset=alt_base_offset,
        alt_bases=alt_bases,
    )
