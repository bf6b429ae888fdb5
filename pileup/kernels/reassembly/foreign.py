"""Bases of a read that are not the sample's: adapters, and what a read shows beyond them."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import N_BASES, UNKNOWN_BASE, C, G
from pileup.kernels.reassembly.align import CLIPPED
from pileup.kernels.reassembly.places import fill_places
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CSOFT_CLIP, FREVERSE

CORE = 12
# The first bases of the adapters that reads run into (Illumina adapter sequences, document
# 1000000002694; MGI: as fastp and cutadapt list them).
_ADAPTERS = (
    "AGATCGGAAGAG",  # TruSeq, both reads
    "CTGTCTCTTATA",  # Nextera, and the first half of a mate-pair junction
    "AGATGTGTATAA",  # the second half of a mate-pair junction
    "TGGAATTCTCGG",  # TruSeq small RNA, 3'
    "GATCGTCGGACT",  # TruSeq small RNA, 5'
    "AAGTCGGAGGCC",  # MGI, read 1
    "AAGTCGGATCGT",  # MGI, read 2
)


def _codes_of(adapters: tuple[str, ...]) -> np.ndarray:
    """Return the adapters and their reverse complements: uint8 [2 adapters, CORE]."""
    forward = np.array([["ACGT".index(base) for base in adapter] for adapter in adapters], np.uint8)
    return np.concatenate([forward, 3 - forward[:, ::-1]])


CORES = _codes_of(_ADAPTERS)
# A core with one mismatch has one half without any: only where a half is, cores are compared.
SEED = CORE // 2
_IS_SEED = np.zeros(N_BASES**SEED, np.bool_)
for _half in (CORES[:, :SEED], CORES[:, SEED:]):
    _IS_SEED[_half @ N_BASES ** np.arange(SEED)[::-1]] = True
# So much of a core must be seen at an end of a read; with a mismatch if it is seen whole.
MIN_SEEN = 8
# An adapter fits so many bases more than the reference does where the mapper put them.
MIN_BETTER = 3
# Two-colour machines read G where there is no signal. A run of it at the end of a read is so long,
# and a base that is none costs so many that are.
MIN_RUN, RUN_COST, RUN_DROP = 10, 4, 8
# What bwa mem reports at least (-T 30) and how it scores (-A 1 -B 4 -O 6 -E 1).
MIN_SCORE, MISMATCH_COST, OPEN_COST = 30, 4, 6


@kernel
def find_foreign(reads, reference, usable, left, right):
    """Fill how many bases at either end of each read are foreign: int32 [n], zeroed.

    Looked at are `usable` reads with a soft clip. Of a read that holds an adapter inside, the side
    with more aligned bases is the sample's; of one that has lost so many aligned bases that no
    mapper would have placed it, all bases are foreign.
    """
    for read in range(len(reads.read_start)):
        if not usable[read] or not _has_clip(read, reads):
            continue
        base = reads.base_offset[read]
        length = reads.base_offset[read + 1] - base
        bases = reads.bases[base : base + length]
        low, high = _without_run(read, reads, reference, bases)
        low, high = _without_cores(read, reads, reference, bases, low, high)
        if low == 0 and high == length:
            continue
        left[read] = low
        right[read] = length - high
        aligned, _ = _count_aligned(read, reads, reference, low, high)
        every, _ = _count_aligned(read, reads, reference, 0, length)
        if aligned < every and _score(read, reads, reference, low, high) < MIN_SCORE:
            left[read] = length
            right[read] = 0


@part
def _has_clip(read, reads):
    for at in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
        if reads.cigar_op[at] == CSOFT_CLIP:
            return True
    return False


@part
def _without_run(read, reads, reference, bases):
    """Return the bases (first, and end) of a read before its last run of G, as it was read."""
    length = len(bases)
    backward = reads.flag[read] & FREVERSE != 0
    wanted = C if backward else G
    score = 0
    best = 0
    run = 0
    for step in range(length):
        base = bases[step] if backward else bases[length - 1 - step]
        score += 1 if base == wanted else -RUN_COST
        if score > best:
            best = score
            run = step + 1
        if score < best - RUN_DROP:
            break
    low = run if backward else 0
    high = length if backward else length - run
    first = 0 if backward else high
    matches = run - (run - best) // (RUN_COST + 1)
    _, equal = _count_aligned(read, reads, reference, first, first + run)
    if run < MIN_RUN or matches < equal + MIN_BETTER:
        return 0, length
    return low, high


@part
def _without_cores(read, reads, reference, bases, low, high):
    """Return the bases (first, and end) of a read that lie on its side of all adapters."""
    key = 0
    known = 0
    for at in range(len(bases)):
        known = known + 1 if bases[at] < UNKNOWN_BASE else 0
        key = (key * N_BASES + bases[at]) % len(_IS_SEED) if known else 0
        if known < SEED or not _IS_SEED[key]:
            continue
        for core in range(len(CORES)):
            for half in range(2):
                place = at + 1 - SEED - half * SEED
                first = max(place, 0)
                last = min(place + CORE, len(bases))
                matches = _core_matches(bases, place, core)
                if matches == 0 or last <= low or first >= high:
                    continue
                _, equal = _count_aligned(read, reads, reference, first, last)
                if matches < equal + MIN_BETTER:
                    continue
                before, _ = _count_aligned(read, reads, reference, low, first)
                after, _ = _count_aligned(read, reads, reference, last, high)
                if before >= after:
                    high = max(first, low)
                else:
                    low = min(last, high)
    return low, high


@part
def _core_matches(bases, place, core):
    """Return how many bases match a core laid on `place`, or 0 where it does not fit."""
    first = max(place, 0)
    last = min(place + CORE, len(bases))
    if last - first < MIN_SEEN:
        return 0
    matches = 0
    for at in range(first, last):
        matches += bases[at] == CORES[core, at - place]
    return matches if matches == last - first or matches == CORE - 1 == last - first - 1 else 0


@part
def _count_aligned(read, reads, reference, first, last):
    """Return how many of a read's bases [first, last) are aligned, and how many match."""
    position = np.int64(reads.read_start[read])
    query = 0
    base = reads.base_offset[read]
    aligned = 0
    equal = 0
    for at in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
        op = reads.cigar_op[at]
        size = np.int64(reads.cigar_length[at])
        if op == CMATCH or op == CEQUAL or op == CDIFF:
            for step in range(max(first - query, 0), min(last - query, size)):
                column = position + step - reference.start
                aligned += 1
                if 0 <= column < len(reference.codes):
                    equal += reads.bases[base + query + step] == reference.codes[column]
            position += size
            query += size
        elif op == CDEL:
            position += size
        elif op == CINS or op == CSOFT_CLIP:
            query += size
    return aligned, equal


@part
def _score(read, reads, reference, first, last):
    """Return what bwa mem would score the alignment of the bases [first, last)."""
    aligned, equal = _count_aligned(read, reads, reference, first, last)
    score = equal - MISMATCH_COST * (aligned - equal)
    query = 0
    for at in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
        op = reads.cigar_op[at]
        size = np.int64(reads.cigar_length[at])
        if (op == CINS or op == CDEL) and first < query < last:
            score -= OPEN_COST + size
        if op == CMATCH or op == CEQUAL or op == CDIFF or op == CINS or op == CSOFT_CLIP:
            query += size
    return score


@kernel
def clip_foreign(reads, left, right, places, moved):
    """Fill the `places` of reads whose foreign bases are aligned, so that these are clipped.

    `places` and `moved` are as in `reassemble`.
    """
    for read in range(len(reads.read_start)):
        if left[read] == 0 and right[read] == 0:
            continue
        moved[read] = True
        fill_places(read, reads, places)
        low = reads.base_offset[read] + left[read]
        high = reads.base_offset[read + 1] - right[read]
        for filled in range(reads.base_offset[read], low):
            places[filled] = CLIPPED
        for filled in range(high, reads.base_offset[read + 1]):
            places[filled] = CLIPPED


@kernel
def shorten_clips(reads, left, right, cigar_length):
    """Take clipped foreign bases off the clips of `cigar_length` (int32, a copy of the reads')."""
    for read in range(len(reads.read_start)):
        first = reads.cigar_offset[read]
        last = reads.cigar_offset[read + 1]
        if left[read] > 0:
            while reads.cigar_op[first] != CSOFT_CLIP:
                first += 1
            cigar_length[first] -= left[read]
        if right[read] > 0:
            last -= 1
            while reads.cigar_op[last] != CSOFT_CLIP:
                last -= 1
            cigar_length[last] -= right[read]
