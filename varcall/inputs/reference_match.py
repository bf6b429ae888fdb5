"""Is this FASTA the one that the reads were aligned to? Checksums, and the reads themselves."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
from numpy.typing import NDArray

from pileup.codes import EQUAL, UNKNOWN_BASE, A, C, G, T
from pileup.sam import (
    ALIGNS,
    CONSUMES_QUERY,
    CONSUMES_REFERENCE,
    FDUP,
    FQCFAIL,
    FSECONDARY,
    FSUPPLEMENTARY,
    FUNMAP,
)
from varcall.errors import InputError
from varcall.formats.contig_names import some_names
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region

# Reads of one build laid on another differ at about 3 of 4 bases; the worst reads on the right one
# (nanopore) at some per cent.
MAX_MISMATCH_RATE = 0.10
MIN_COMPARED = 300  # bases, below which a rate says nothing
# Positions at which most reads show another base than the reference, which errors of sequencing do
# not do: at most 0.5 % of those of 21 real slices of human reads (of all platforms), from 0.9 % on
# where one base of 100 of the reference is another one. Other species differ by 1 % and more.
MAX_DIVERGENCE = 0.01
MIN_POSITIONS = 500  # below which that share says nothing
MIN_QUALITY = 20  # of bases that say so
# Share of the length of all contigs, below which a contig is not judged alone: decoys and patches
# differ from the reads that are put there.
LEAST_SHARE = 0.02
POINTS_PER_CONTIG = 8
READS_PER_POINT = 40
BASES_PER_READ = 500
CHECKED_CONTIGS = 100
# More N than any human contig has (chrY of GRCh38: 0.59) means a masked or rebuilt FASTA.
MASKED_SHARE = 0.6

_UNUSED = FUNMAP | FSECONDARY | FQCFAIL | FDUP | FSUPPLEMENTARY
_PIECE = 1 << 22
_CODE_OF_BYTE = np.full(256, UNKNOWN_BASE, dtype=np.uint8)
_CODE_OF_BYTE[list(b"ACGTacgt")] = [A, C, G, T] * 2
_CODE_OF_BYTE[ord("=")] = EQUAL


@dataclass(frozen=True, slots=True)
class BaseAgreement:
    """How many aligned bases of sampled reads were compared with the reference, and differed.

    `positions` of the reference have sampled bases of good quality; at `diverged` of them, most of
    these are another base.
    """

    reads: int
    compared: int
    mismatches: int
    positions: int = 0
    diverged: int = 0

    @property
    def rate(self) -> float:
        """Share of bases that differ."""
        return self.mismatches / self.compared if self.compared else 0.0

    @property
    def differs(self) -> bool:
        """Whether so many bases differ that the sequence must be another one."""
        return self.compared >= MIN_COMPARED and self.rate > MAX_MISMATCH_RATE

    @property
    def divergence(self) -> float:
        """Share of positions at which most reads show another base."""
        return self.diverged / self.positions if self.positions else 0.0


@dataclass(frozen=True, slots=True)
class ContigDigest:
    """MD5 of the upper-case sequence (the M5 of SAM 1.3.2) and its share of N."""

    md5: str
    n_share: float


def contig_digest(fasta: Path, contig: str) -> ContigDigest:
    """Digest one contig; kept for this process while the file stays the same."""
    status = fasta.stat()
    return _digest(fasta, contig, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8192)
def _digest(fasta: Path, contig: str, size: int, mtime: int) -> ContigDigest:
    del size, mtime  # part of the cache key
    digest = hashlib.md5(usedforsecurity=False)
    unknown = 0
    with pysam.FastaFile(str(fasta)) as file:
        length = file.get_reference_length(contig)
        for start in range(0, length, _PIECE):
            try:
                piece = file.fetch(contig, start, min(length, start + _PIECE)).upper().encode()
            except (OSError, ValueError) as error:
                raise InputError(
                    f"cannot read {contig!r} of {fasta} ({error}): the file is corrupt, copy it "
                    "again"
                ) from error
            digest.update(piece)
            unknown += piece.count(b"N")
    return ContigDigest(digest.hexdigest(), unknown / length if length else 0.0)


def sample_agreement(
    alignments: pysam.AlignmentFile, reference: Reference, spans: Sequence[Region]
) -> BaseAgreement:
    """Compare some reads of one contig with the reference at evenly spaced points of `spans`."""
    seen: set[tuple[int, str | None]] = set()
    bases: list[_ComparedBases] = []
    for point in _points(spans):
        taken = 0
        for read in alignments.fetch(point.contig, point.start, point.end):
            if read.flag & _UNUSED or read.query_sequence is None:
                continue
            taken += 1
            key = (read.reference_start, read.query_name)
            if key not in seen:
                seen.add(key)
                bases += _compare(read, point.contig, reference)
            if taken >= READS_PER_POINT:
                break
    if not bases:
        return BaseAgreement(len(seen), 0, 0)
    position, differs, is_good = (np.concatenate(column) for column in zip(*bases, strict=True))
    positions, place = np.unique(position[is_good], return_inverse=True)
    diverged = 2 * np.bincount(place, weights=differs[is_good]) > np.bincount(place)
    return BaseAgreement(
        len(seen), len(position), int(differs.sum()), len(positions), int(diverged.sum())
    )


def _points(spans: Sequence[Region]) -> Iterator[Region]:
    """Places from which reads are taken: evenly spaced over the length of all spans together."""
    total = sum(len(span) for span in spans)
    step = max(1, total // POINTS_PER_CONTIG)
    passed = 0
    for span in spans:
        for offset in range(-passed % step, len(span), step):
            yield Region(span.contig, span.start + offset, span.end)
        passed += len(span)


class _ComparedBases(NamedTuple):
    """Bases of a read that face one of the reference: where, whether they differ, are good."""

    position: NDArray[np.int64]
    differs: NDArray[np.bool_]
    is_good: NDArray[np.bool_]


def _compare(
    read: pysam.AlignedSegment, contig: str, reference: Reference
) -> Iterator[_ComparedBases]:
    """Compare the bases of a read that face its first reference bases, stretch by stretch."""
    letters = np.frombuffer((read.query_sequence or "").encode(), dtype=np.uint8)
    codes = _CODE_OF_BYTE[letters]
    stated = read.query_qualities
    # Qualities that are not stored are as good as any.
    is_good = np.ones(len(codes), bool) if stated is None else np.asarray(stated) >= MIN_QUALITY
    start = read.reference_start
    span = reference.fetch(contig, start, start + BASES_PER_READ)
    offset = position = 0
    for op, length in read.cigartuples or ():
        if position >= len(span):
            break
        if op in ALIGNS:
            theirs = span[position : position + length]
            facing = slice(offset, offset + len(theirs))
            ours = codes[facing]
            known = np.flatnonzero((ours != UNKNOWN_BASE) & (theirs != UNKNOWN_BASE))
            differs = (ours != theirs) & (ours != EQUAL)
            yield _ComparedBases(start + position + known, differs[known], is_good[facing][known])
        offset += length if op in CONSUMES_QUERY else 0
        position += length if op in CONSUMES_REFERENCE else 0


def compare_bases(
    alignments: pysam.AlignmentFile,
    reference: Reference,
    regions: Iterable[Region],
    lengths: Mapping[str, int],
    *,
    has_reads: Mapping[str, bool],
) -> dict[str, BaseAgreement]:
    """Compare reads of each contig of `regions` with the FASTA.

    `has_reads` says of which contigs the index knows reads; htslib may return none of them, without
    an error, when an index is wrong or the reference of a CRAM cannot be had.

    Raises
    ------
    InputError
        Reads and reference disagree, or no read comes where the index knows some.
    """
    by_contig: dict[str, list[Region]] = {}
    for region in regions:
        by_contig.setdefault(region.contig, []).append(region)
    wanted = [name for name in by_contig if has_reads.get(name, True)]
    wanted.sort(key=lambda name: -lengths[name])
    agreements: dict[str, BaseAgreement] = {}
    for name in wanted[:CHECKED_CONTIGS]:
        agreement = sample_agreement(alignments, reference, by_contig[name])
        if agreement.reads == 0:
            whole = [Region(name, 0, lengths[name])]
            agreement = sample_agreement(alignments, reference, whole)
        if agreement.reads == 0 and has_reads.get(name, False):
            if next(alignments.fetch(name), None) is None:
                raise InputError(
                    f"the index knows reads on {name!r} but none can be fetched: run samtools "
                    "index again, and give the reference that a CRAM was made with"
                )
        if agreement.differs:
            raise InputError(
                f"{agreement.rate:.0%} of the bases of {agreement.reads} sampled reads on {name!r} "
                f"differ from {reference.path}: wrong reference build? Give the FASTA that the "
                "reads were aligned to"
            )
        agreements[name] = agreement
    return agreements


def divergence_warning(
    agreements: Mapping[str, BaseAgreement], lengths: Mapping[str, int], reference: Path
) -> str | None:
    """Say that the reads agree on another sequence than the reference, where they do.

    Contigs count by their length, so that many small ones of odd reads do not make a genome odd.
    """
    compared = {name: a for name, a in agreements.items() if a.positions >= MIN_COMPARED}
    total = sum(lengths[name] for name in compared)
    overall = sum(a.divergence * lengths[name] / total for name, a in compared.items())
    if overall >= MAX_DIVERGENCE:
        share, where = overall, ""
    else:
        odd = {
            name: a
            for name, a in compared.items()
            if a.divergence >= MAX_DIVERGENCE and lengths[name] >= LEAST_SHARE * total
        }
        compared, where = odd, f" of {some_names(odd)}"
        share = max((a.divergence for a in odd.values()), default=0.0)
    positions = sum(a.positions for a in compared.values())
    if share < MAX_DIVERGENCE or positions < MIN_POSITIONS:
        return None
    return (
        f"at {share:.1%} of {positions:,} sampled positions{where}, most reads show another base "
        f"than {reference}: were they aligned to another build (a contig of the same length), or "
        "is the sample of another species or strain? Reads with many errors of a high stated "
        "quality look so, too"
    )


def other_reference_warning(
    other: Sequence[str], agreements: Mapping[str, BaseAgreement], reference: Path
) -> str:
    """Say that contigs are used whose checksum is another one, and how well the reads agree."""
    compared = sum(agreements[name].compared for name in other if name in agreements)
    mismatches = sum(agreements[name].mismatches for name in other if name in agreements)
    return (
        f"{reference} does not hold the sequence that the reads were aligned to (M5) of "
        f"{some_names(other)}, and is used as --allow-other-reference says; "
        f"{mismatches / max(1, compared):.1%} of {compared:,} sampled bases differ"
    )
