"""The arrays of a window: tuples that kernels take whole and read by field name.

Positions are 0-based on the contig, ends exclusive; bases are codes of pileup.codes. An `*_offset`
of n + 1 entries says where each of n things begins in the arrays it names.

`len()` of a tuple is its number of fields: count reads with `len(reads.read_start)`, sites with
`len(sites.start)`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.spans import reorder


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of n things of these lengths begins, and where the last ends: int64 [n + 1]."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


class ReadArrays(NamedTuple):
    """The alignments of a window, n in number, sorted by start.

    Attributes
    ----------
    read_start, read_end
        int32 [n], reference span of each alignment.
    mapq, flag
        uint8 [n], uint16 [n], as in SAM.
    fragment
        int32 [n], the same number for both mates, from 0 on.
    name_hash
        uint64 [n], CRC-32 of the read name: stable over runs.
    template_length
        int32 [n], TLEN.
    base_offset
        int64 [n + 1] into `bases` (uint8 codes) and `qualities` (uint8).
    cigar_offset
        int64 [n + 1] into `cigar_op` (uint8, see pileup.sam) and `cigar_length` (int32).
    """

    read_start: NDArray[np.int32]
    read_end: NDArray[np.int32]
    mapq: NDArray[np.uint8]
    flag: NDArray[np.uint16]
    fragment: NDArray[np.int32]
    name_hash: NDArray[np.uint64]
    template_length: NDArray[np.int32]
    base_offset: NDArray[np.int64]
    bases: NDArray[np.uint8]
    qualities: NDArray[np.uint8]
    cigar_offset: NDArray[np.int64]
    cigar_op: NDArray[np.uint8]
    cigar_length: NDArray[np.int32]

    def take(self, order: NDArray[np.int64]) -> "ReadArrays":
        """Return the reads of these numbers (int64 [m]), in this order."""
        taken: dict[str, NDArray[Any]] = {}
        for offset, names in _PARTS_OF_A_READ.items():
            begins = getattr(self, offset)
            taken[offset] = offsets_of(np.diff(begins)[order])
            for name in names:
                values = getattr(self, name)
                taken[name] = np.empty(taken[offset][-1], values.dtype)
                reorder(values, begins, order, taken[offset], taken[name])
        one_each = {name: getattr(self, name)[order] for name in self._fields if name not in taken}
        return ReadArrays(**one_each, **taken)


# The fields that hold several values of each read, by the field that says where these begin.
_PARTS_OF_A_READ = {
    "base_offset": ("bases", "qualities"),
    "cigar_offset": ("cigar_op", "cigar_length"),
}


class RecordSpan(NamedTuple):
    """What part of a BAM a scan is for; all 0-based, ends exclusive.

    Reads that overlap [first, last) of the contig with the number `contig`, of `length` bases, are
    looked at; those that start in [own_start, own_end) are counted. Where these reach the contig's
    end, reads placed past the end belong to them. Bytes are marked every `tile` bases.
    """

    contig: int
    length: int
    first: int
    last: int
    own_start: int
    own_end: int
    tile: int


class RecordRules(NamedTuple):
    """Which alignments a scan lists; `by_group` says whether only those of given read groups."""

    min_mapq: int
    exclude_flags: int
    by_group: bool


class ReadGroupNames(NamedTuple):
    """Names of the wanted read groups: `offset` int64 [n + 1] into `names` uint8."""

    names: NDArray[np.uint8]
    offset: NDArray[np.int64]


class RecordArrays(NamedTuple):
    """BAM records in a buffer of bytes, n in number.

    Attributes
    ----------
    offset
        int64 [n], byte of each record's first.
    start, end
        int32 [n], reference span.
    name_hash
        uint64 [n], CRC-32 of the read name.
    cigar, n_cigar
        int64 [n], byte of the CIGAR from the record's first, and int32 [n], its operations.
    n_bases
        int32 [n].
    """

    offset: NDArray[np.int64]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    name_hash: NDArray[np.uint64]
    cigar: NDArray[np.int64]
    n_cigar: NDArray[np.int32]
    n_bases: NDArray[np.int32]


class ReferenceArrays(NamedTuple):
    """A stretch of a contig: `codes` (uint8) of its bases from position `start` on."""

    codes: NDArray[np.uint8]
    start: int


class CountArrays(NamedTuple):
    """What the reads show of a stretch of reference, by position and by read.

    Attributes
    ----------
    base_counts
        int32 [length, 4], good bases at each position of the stretch.
    depth
        int32 [length], reads with such a base, or a deletion, at the position.
    mismatches, clipped
        int32 [n], mismatching good bases plus indels, and soft-clipped bases, of each read.
    """

    base_counts: NDArray[np.int32]
    depth: NDArray[np.int32]
    mismatches: NDArray[np.int32]
    clipped: NDArray[np.int32]


class CoverArrays(NamedTuple):
    """Fragments at n positions in a row; weights are thousandths of a sure fragment.

    Attributes
    ----------
    fragments
        int32 [2, n], forward and reverse ones that lie at each position.
    unlike
        int32 [2, n], those of them that do not show REF there: another base, a bad one, a deletion.
    begun, ended
        int64 [n], weight of what begins at or before each position, and of what ends before it.
    lost
        int32 [n], weight there that says nothing of the base: bad or deleted ones.
    other
        int32 [n], weight that shows another base.
    indels
        int32 [n], weight that has an indel right after the base.
    """

    fragments: NDArray[np.int32]
    unlike: NDArray[np.int32]
    begun: NDArray[np.int64]
    ended: NDArray[np.int64]
    lost: NDArray[np.int32]
    other: NDArray[np.int32]
    indels: NDArray[np.int32]


class EventArrays(NamedTuple):
    """The indels of the reads, left-aligned, in read order.

    There may be room for more events than there are: `offset[-1]` is their number.

    Attributes
    ----------
    offset
        int64 [n + 1], the events of each read.
    anchor
        int64, position of the reference base before the indel.
    deleted, inserted
        int32, lengths.
    source, rotation
        int64 index into the reads' `bases` of the inserted sequence, and int32, how far it is
        rotated right by the left alignment.
    hash
        uint64, of the rotated sequence; 0 of a deletion.
    quality
        int32, mean base quality of an insertion, the lower of the two next to a deletion.
    """

    offset: NDArray[np.int64]
    anchor: NDArray[np.int64]
    deleted: NDArray[np.int32]
    inserted: NDArray[np.int32]
    source: NDArray[np.int64]
    rotation: NDArray[np.int32]
    hash: NDArray[np.uint64]
    quality: NDArray[np.int32]


class UnlikeArrays(NamedTuple):
    """The aligned bases of the reads that do not surely show the reference, in read order.

    Bad ones, other ones, and those that are N or lie on N.

    Attributes
    ----------
    offset
        int64 [n + 1], those of each read.
    base
        int32, index of the base within its read, ascending.
    quality
        int16, of a base that shows something; -1 of one that is bad or N.
    """

    offset: NDArray[np.int64]
    base: NDArray[np.int32]
    quality: NDArray[np.int16]


class SiteArrays(NamedTuple):
    """Candidate sites, m in number, sorted by start; a site has one or more ALTs, a in all.

    Attributes
    ----------
    start
        int64 [m], start of REF; an indel's start is its anchor base.
    kind
        uint8 [m], SUBSTITUTION or INDEL.
    ref_length
        int32 [m], length of REF.
    repeat_end
        int64 [m], end of the stretch over which the site's indels can be shifted; a read must
        reach beyond it to show which allele it has. Of a substitution: start + ref_length.
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
    is_shown
        bool [m], whether the reads suggest the site; false where its ALT was only asked for. Such a
        site has one ALT, and is no neighbour of any other.
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
    is_shown: NDArray[np.bool_]


class ShownArrays(NamedTuple):
    """What the reads show at the sites: one observation per site and read that touches it.

    Attributes
    ----------
    offset
        int64 [m + 1], the observations of each site.
    read
        int32, index of the read.
    allele
        int8, REF, 1.. the site's ALTs, OTHER or UNINFORMATIVE (pileup.codes).
    quality
        uint8, the lowest base quality of the bases that show the allele.
    delta
        int16, net length change over an indel site's repeat, or NOT_SPANNING.
    counts
        bool, false for one of two overlapping mates: a fragment is counted once.
    haplotype
        uint8, 1 or 2 where the read's other alleles tell which haplotype it is of, else 0.
    """

    offset: NDArray[np.int64]
    read: NDArray[np.int32]
    allele: NDArray[np.int8]
    quality: NDArray[np.uint8]
    delta: NDArray[np.int16]
    counts: NDArray[np.bool_]
    haplotype: NDArray[np.uint8]


class PhasingRules(NamedTuple):
    """When a position counts as a heterozygous SNV that reads are phased by.

    Attributes
    ----------
    min_fragments
        Least fragments of each of the two bases.
    min_percent
        Least percentage that the rarer base has of both, of reads and of fragments.
    max_other_percent
        Most percentage of the reads there that show neither: other bases, deletions.
    min_mapq
        Least mean MAPQ of the fragments that show either base, of each.
    min_base_quality
        Of bases that count.
    """

    min_fragments: int
    min_percent: int
    max_other_percent: int
    min_mapq: int
    min_base_quality: int


class HetArrays(NamedTuple):
    """Heterozygous SNVs of a window, h in number, by position, and what fragments show there.

    Attributes
    ----------
    position
        int64 [h].
    offset
        int64 [h + 1], the votes of each.
    fragment
        int32, as in `ReadArrays`; a fragment has at most one vote at a position.
    allele
        uint8, 0 for the smaller of the two bases, 1 for the larger.
    """

    position: NDArray[np.int64]
    offset: NDArray[np.int64]
    fragment: NDArray[np.int32]
    allele: NDArray[np.uint8]


class AlleleVotes(NamedTuple):
    """Which of two haplotypes v observations speak for, at s heterozygous sites, of f fragments.

    Sites that fragments link, directly or through others, lie side by side, and so do these
    fragments. A fragment votes once at a site.

    Attributes
    ----------
    offset
        int64 [f + 1], the votes of each fragment.
    site, fragment
        int64 [v], ascending within a fragment, and the fragment.
    weight
        int64 [v], phred that the vote is wrong; positive for the first allele of the site,
        negative for the second.
    site_offset, by_site
        int64 [s + 1], and int64 [v]: the votes at each site.
    """

    offset: NDArray[np.int64]
    site: NDArray[np.int64]
    fragment: NDArray[np.int64]
    weight: NDArray[np.int64]
    site_offset: NDArray[np.int64]
    by_site: NDArray[np.int64]


class LibraryNorms(NamedTuple):
    """What is usual in a library, which its reads are drawn against.

    Attributes
    ----------
    pairs_tell
        Whether an improper pair is a sign of anything there.
    divergence
        Mismatches, indels and clipped bases by aligned base.
    """

    pairs_tell: bool
    divergence: float


class QuestionArrays(NamedTuple):
    """What the model is asked, q questions: how many copies of one or two ALTs of a site.

    `site` int32 [q]; `alleles` uint8 [q], a bit mask over the site's ALTs (bit 0 = first ALT).
    """

    site: NDArray[np.int32]
    alleles: NDArray[np.uint8]


NO_QUESTIONS = QuestionArrays(np.zeros(0, np.int32), np.zeros(0, np.uint8))


def asked_alts(mask: int) -> tuple[int, ...]:
    """Return which ALTs of its site, counted from 0, a mask of `QuestionArrays.alleles` means."""
    return tuple(bit for bit in range(8) if mask >> bit & 1)
