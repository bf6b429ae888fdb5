"""Random windows of reads for the property tests: every CIGAR operation, N, mates, deep sites."""

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pileup.arrays import QuestionArrays, ReadArrays, ReferenceArrays, ShownArrays, SiteArrays
from pileup.codes import INDEL, SUBSTITUTION
from pileup.twins import observe as observe_twin
from pileup.twins import scan as scan_twin
from pileup.twins.alignment import Stretch, unpack_reads, unpack_reference, unpack_sites
from varcall.evidence.candidates import (
    CandidateThresholds,
    PutativeAllele,
    Scan,
    find_candidates,
    scan_window,
)
from varcall.evidence.observations import observe, pose_questions

QUALITIES = (2, 9, 10, 11, 20, 37, 41, 93, 255)
MAPQS = (5, 19, 20, 37, 60, 255)
# Nearly everything becomes a candidate, so that a small window asks many questions.
EAGER = CandidateThresholds(
    snv_min_count=2, snv_min_fraction=0.03, indel_min_count=1, indel_min_fraction=0.0, max_allele=30
)
_OPS = "MIDNSHP=X"
seeds = st.integers(0, 2**32 - 1)
counts = st.sampled_from([0, 1, 12, 60, 260])
repeatable = settings(derandomize=True, max_examples=20)


@dataclass(frozen=True, slots=True)
class Window:
    """Reads over a stretch of reference, with everything the first kernels make of them."""

    reads: ReadArrays
    reference: ReferenceArrays
    stretch: Stretch
    scan: Scan
    sites: SiteArrays
    observations: ShownArrays
    questions: QuestionArrays


def random_reference(random: np.random.Generator, length: int = 260) -> NDArray[np.uint8]:
    """Plain sequence, homopolymers, short tandem repeats and a few N."""
    pieces: list[NDArray[np.uint8]] = []
    while sum(map(len, pieces)) < length:
        unit = random.integers(0, 4, random.choice([1, 2, 3, 5, 30]))
        copies = 1 if len(unit) == 30 else random.integers(3, 12)
        pieces.append(np.tile(unit, copies).astype(np.uint8))
    reference = np.concatenate(pieces)[:length]
    reference[random.random(length) < 0.01] = 4
    return reference


def random_read(
    random: np.random.Generator,
    reference: NDArray[np.uint8],
    start: int,
    variants: dict[int, tuple[str, int]],
) -> tuple[list[tuple[str, int]], list[int]]:
    """Walk from `start` (an index into `reference`) and return CIGAR and bases of one read.

    `variants` maps places to (operation, length or base) that half the reads share.
    """
    cigar: list[tuple[str, int]] = []
    bases: list[int] = []
    for op in "HS":
        if random.random() < 0.2:
            _add(cigar, bases, op, int(random.integers(1, 9)), random)
    at, aligned, target = start, 0, int(random.integers(8, 70))
    while aligned < target:
        op, size = _next_operation(random, variants.get(at), begun=aligned > 0)
        if op == "I":
            # Mostly a copy of what comes next, so that the insertion can shift.
            copied = [int(reference[(at + step) % len(reference)]) for step in range(size)]
            _add(cigar, bases, "I", size, random, copied if random.random() < 0.8 else None)
        elif op in "DNP":
            _add(cigar, bases, op, size, random)
            at += size if op in "DN" else 0
        if op in "IDNP" and random.random() < 0.1:
            continue
        known = int(reference[at]) if 0 <= at < len(reference) else -1
        base = size if op == "V" else max(known, 0)
        if random.random() < 0.03:
            base = int(random.integers(0, 5))
        letter = "M" if random.random() < 0.9 else ("=" if known == base else "X")
        _add(cigar, bases, letter, 1, random, [base])
        aligned, at = aligned + 1, at + 1
    for op in ("I", "D", "S"):
        if random.random() < 0.1:
            _add(cigar, bases, op, int(random.integers(1, 9)), random)
    return cigar, bases


def _next_operation(
    random: np.random.Generator, variant: tuple[str, int] | None, *, begun: bool
) -> tuple[str, int]:
    """Draw a shared variant, rarely an operation of the read's own, else a match."""
    op, size = variant if variant and random.random() < 0.6 else ("M", 1)
    if random.random() < 0.01:
        op, size = str(random.choice(list("IDNP"))), int(random.choice([1, 2, 3, 7, 35]))
    # An alignment seldom begins with an indel, but it may.
    if op in "IDNP" and not begun and random.random() < 0.9:
        return "M", 1
    return op, size


def _add(
    cigar: list[tuple[str, int]],
    bases: list[int],
    op: str,
    size: int,
    random: np.random.Generator,
    own: list[int] | None = None,
) -> None:
    if cigar and cigar[-1][0] == op:
        cigar[-1] = (op, cigar[-1][1] + size)
    else:
        cigar.append((op, size))
    if op in "M=XIS":
        bases.extend(random.integers(0, 4, size).tolist() if own is None else own)


def random_batch(
    random: np.random.Generator, reference: NDArray[np.uint8], origin: int, count: int
) -> ReadArrays:
    """Return `count` reads around a stretch that begins at contig position `origin`."""
    length = len(reference)
    variants: dict[int, tuple[str, int]] = {}
    for place in random.integers(0, length, 10).tolist():
        op = str(random.choice(list("IDVVV")))
        variants[place] = (op, int(random.integers(0 if op == "V" else 1, 4)))
        if op == "V" and random.random() < 0.5:
            variants[place + 1] = ("V", int(random.integers(0, 4)))
    # Some windows are narrow, so that sites are deeper than the picture has rows.
    low, high = sorted(random.integers(-min(30, origin), length + 10, 2).tolist())
    reads = []
    for start in sorted(random.integers(low, high + 1, count).tolist()):
        cigar, bases = random_read(random, reference, start, variants)
        reads.append((origin + start, cigar, bases))
    sizes = np.array([len(bases) for _, _, bases in reads], np.int64)
    flat = [operation for _, cigar, _ in reads for operation in cigar]
    fragment = random.integers(0, max(1, count * 2 // 3), count).astype(np.int32)
    qualities = random.choice(QUALITIES, int(sizes.sum())).astype(np.uint8)
    # Long stretches of good bases are compared many at once.
    qualities[np.repeat(random.random(count) < 0.3, sizes)] = 41
    ends = [s + sum(n for op, n in cigar if op in "M=XDN") for s, cigar, _ in reads]
    return ReadArrays(
        read_start=np.array([start for start, _, _ in reads], np.int32),
        read_end=np.array(ends, np.int32),
        mapq=random.choice(MAPQS, count).astype(np.uint8),
        flag=random.choice([0, 16, 3, 19, 83, 99], count).astype(np.uint16),
        fragment=fragment,
        name_hash=random.integers(0, 2**32, count, np.uint64)[fragment % max(count, 1)],
        template_length=np.zeros(count, np.int32),
        base_offset=offsets(sizes),
        bases=np.array([base for _, _, bases in reads for base in bases], np.uint8),
        qualities=qualities,
        cigar_offset=offsets(np.array([len(cigar) for _, cigar, _ in reads], np.int64)),
        cigar_op=np.array([_OPS.index(op) for op, _ in flat], np.uint8),
        cigar_length=np.array([size for _, size in flat], np.int32),
    )


def offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each of the concatenated parts begins, and the end."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def random_allele(random: np.random.Generator, reference: ReferenceArrays) -> PutativeAllele:
    """Return an allele that somebody may ask for: of every kind, seldom one that reads show."""
    place = int(random.integers(5, len(reference.codes) - 20))
    kind = int(random.choice([SUBSTITUTION, INDEL]))
    deleted = int(random.integers(kind == SUBSTITUTION, 5))
    put = deleted if kind == SUBSTITUTION else int(random.integers(deleted == 0, 5))
    bases = random.integers(0, 4, put).astype(np.uint8).tobytes()
    return PutativeAllele(reference.start + place, kind, deleted, bases)


def random_window(seed: int, count: int) -> Window:
    """Return a window of `count` reads; the same for the same seed."""
    random = np.random.default_rng(seed)
    codes = random_reference(random)
    reference = ReferenceArrays(codes, int(random.choice([0, 7, 5000])))
    reads = random_batch(random, codes, reference.start, count)
    scan = scan_window(reads, reference, EAGER)
    end = reference.start + len(codes)
    asked = [random_allele(random, reference) for _ in range(random.integers(0, 4))]
    sites = find_candidates(reads, scan, reference.start, end, EAGER, asked)
    return Window(
        reads=reads,
        reference=reference,
        stretch=unpack_reference(reference),
        scan=scan,
        sites=sites,
        observations=observe(reads, scan.events, reference, sites, EAGER.min_base_quality),
        questions=pose_questions(sites),
    )


def twin_scan(window: Window) -> scan_twin.Counts:
    """What the slow scan counts in a window."""
    return scan_twin.scan(
        unpack_reads(window.reads), window.stretch, EAGER.min_base_quality, EAGER.max_allele
    )


def twin_observations(window: Window) -> list[list[observe_twin.Observation]]:
    """What the slow twin observes at each site of a window."""
    return observe_twin.observe(
        unpack_reads(window.reads),
        twin_scan(window).events,
        unpack_sites(window.sites),
        window.stretch,
        EAGER.min_base_quality,
    )
