"""Foreign bases of reads: the kernels equal their twin, and find what they should."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileup.arrays import ReadArrays, ReferenceArrays
from pileup.kernels.reassembly.foreign import (
    CORE,
    CORES,
    clip_foreign,
    find_foreign,
    shorten_clips,
)
from pileup.kernels.reassembly.respell import respell, trim_places
from pileup.sam import CSOFT_CLIP, FREVERSE
from pileup.twins.alignment import Read, unpack_reads, unpack_reference
from pileup.twins.foreign import foreign
from tests.builders import random_sequence
from tests.pileup.windows import offsets, random_batch, random_reference

ORIGIN = 1000
PLAIN = random_sequence(300, 5)
NEXTERA, TRUSEQ = "CTGTCTCTTATACACATCT", "AGATCGGAAGAGCACACGTCTGAACTCCAGTCA"
OTHER_END = "AGATGTGTATAAGAGACAG"
ELSEWHERE = random_sequence(60, 6)


def codes_of(sequence: str) -> np.ndarray:
    return np.array(["ACGTN".index(base) for base in sequence], np.uint8)


def found(
    sequence: str, start: int, cigar: list[tuple[int, int]], flag: int = 0
) -> tuple[int, int]:
    """Return what is foreign of one read; `cigar` holds (operation, length)."""
    span = sum(size for op, size in cigar if op in (0, 2))
    reads = ReadArrays(
        read_start=np.array([ORIGIN + start], np.int32),
        read_end=np.array([ORIGIN + start + span], np.int32),
        mapq=np.array([60], np.uint8),
        flag=np.array([flag], np.uint16),
        fragment=np.zeros(1, np.int32),
        name_hash=np.zeros(1, np.uint64),
        template_length=np.zeros(1, np.int32),
        base_offset=offsets(np.array([len(sequence)])),
        bases=codes_of(sequence),
        qualities=np.full(len(sequence), 37, np.uint8),
        cigar_offset=offsets(np.array([len(cigar)])),
        cigar_op=np.array([op for op, _ in cigar], np.uint8),
        cigar_length=np.array([size for _, size in cigar], np.int32),
    )
    left, right = np.zeros(1, np.int32), np.zeros(1, np.int32)
    reference = ReferenceArrays(codes_of(PLAIN), ORIGIN)
    find_foreign(reads, reference, np.ones(1, np.bool_), left, right)
    return int(left[0]), int(right[0])


@pytest.mark.parametrize("adapter", [NEXTERA, TRUSEQ, OTHER_END, NEXTERA + OTHER_END])
def test_what_follows_a_clipped_adapter_is_foreign(adapter: str) -> None:
    tail = (adapter + ELSEWHERE)[:40]
    assert found(PLAIN[50:110] + tail, 50, [(0, 60), (4, 40)]) == (0, 40)
    # Bases of the sample between the last aligned one and the adapter are its own.
    assert found(PLAIN[50:112] + tail[:38], 50, [(0, 60), (4, 40)]) == (0, 38)
    changed = ("A" if tail[4] != "A" else "C").join([tail[:4], tail[5:]])
    assert found(PLAIN[50:110] + changed, 50, [(0, 60), (4, 40)]) == (0, 40)


def test_what_precedes_an_adapter_is_foreign() -> None:
    head = ELSEWHERE[:20] + NEXTERA + OTHER_END
    assert found(head + PLAIN[50:110], 50, [(4, len(head)), (0, 60)]) == (len(head), 0)
    # A read that begins within the adapter.
    assert found(OTHER_END[-9:] + PLAIN[50:110], 50, [(4, 9), (0, 60)]) == (9, 0)


def test_aligned_bases_of_an_adapter_are_foreign() -> None:
    """The mapper found the adapter's first bases in the reference, with a mismatch or two."""
    sequence = PLAIN[50:110] + NEXTERA + ELSEWHERE[:21]
    assert found(sequence, 50, [(0, 70), (4, 30)]) == (0, 40)


def test_a_read_placed_by_its_adapter_is_all_foreign() -> None:
    sequence = ELSEWHERE + NEXTERA + PLAIN[69:90]
    assert found(sequence, 60, [(4, 65), (0, 30), (4, 5)]) == (100, 0)


def test_what_the_reference_holds_is_no_adapter() -> None:
    at = 90
    inside = PLAIN[:at] + NEXTERA + PLAIN[at + len(NEXTERA) :]
    reference = ReferenceArrays(codes_of(inside), ORIGIN)
    assert found(PLAIN[50:150], 50, [(0, 95), (4, 5)]) == (0, 0)
    sequence = inside[50:145] + ELSEWHERE[:5]
    arrays = ReadArrays(
        *(np.array([value], np.int32) for value in (ORIGIN + 50, ORIGIN + 145)),
        np.array([60], np.uint8), np.zeros(1, np.uint16), np.zeros(1, np.int32),
        np.zeros(1, np.uint64), np.zeros(1, np.int32), offsets(np.array([100])),
        codes_of(sequence), np.full(100, 37, np.uint8), offsets(np.array([2])),
        np.array([0, 4], np.uint8), np.array([95, 5], np.int32),
    )  # fmt: skip
    left, right = np.zeros(1, np.int32), np.zeros(1, np.int32)
    find_foreign(arrays, reference, np.ones(1, np.bool_), left, right)
    assert (left[0], right[0]) == (0, 0)


def test_a_clip_without_adapter_is_the_samples() -> None:
    assert found(PLAIN[50:110] + ELSEWHERE[:40], 50, [(0, 60), (4, 40)]) == (0, 0)
    # Too little of an adapter to be told from chance.
    assert found(PLAIN[50:110] + NEXTERA[:7], 50, [(0, 60), (4, 7)]) == (0, 0)


def test_a_run_of_g_ends_a_read_of_either_strand() -> None:
    run = "GGGGGGAGGGGGGGG"
    assert found(PLAIN[50:110] + "A" + run, 50, [(0, 60), (4, 16)]) == (0, 15)
    complement = run.translate(str.maketrans("ACGT", "TGCA"))
    read = complement + "T" + PLAIN[50:110]
    assert found(read, 50, [(4, 16), (0, 60)], FREVERSE) == (15, 0)
    # A run at the start of a read was read.
    assert found(read, 50, [(4, 16), (0, 60)]) == (0, 0)


def with_adapters(random: np.random.Generator, reads: ReadArrays) -> None:
    """Write (parts of) adapters and runs over some reads' bases, in place."""
    for first, last in zip(reads.base_offset[:-1], reads.base_offset[1:], strict=True):
        for _ in range(int(random.integers(0, 3))):
            core = CORES[random.integers(len(CORES))].copy()
            core[random.integers(CORE)] = random.integers(0, 5)
            place = int(random.integers(first - 5, last))
            low, high = max(first, place), min(last, place + CORE)
            reads.bases[low:high] = core[low - place : high - place]
        if random.random() < 0.2:
            run = min(last - first, int(random.integers(5, 20)))
            reads.bases[last - run : last] = 2
            reads.bases[first : first + run] = 1


@given(st.integers(0, 2**32 - 1))
@settings(derandomize=True, max_examples=40)
def test_equals_the_twin(seed: int) -> None:
    random = np.random.default_rng(seed)
    codes = random_reference(random, 300)
    reference = ReferenceArrays(codes, ORIGIN)
    reads = random_batch(random, codes, ORIGIN, 40)
    with_adapters(random, reads)
    left, right = np.zeros(40, np.int32), np.zeros(40, np.int32)
    usable = np.array([not has_skip(read) for read in unpack_reads(reads)])
    find_foreign(reads, reference, usable, left, right)
    fast = list(zip(left.tolist(), right.tolist(), strict=True))
    stretch = unpack_reference(reference)
    assert fast == [
        foreign(read, stretch) if is_usable else (0, 0)
        for read, is_usable in zip(unpack_reads(reads), usable, strict=True)
    ]


def has_skip(read: Read) -> bool:
    return any(letter in "NP" for letter, _ in read.cigar)


def clipped(read: Read) -> tuple[int, int]:
    letters = [(letter, size) for letter, size in read.cigar if letter != "H"]
    return (
        letters[0][1] if letters[0][0] == "S" else 0,
        letters[-1][1] if letters[-1][0] == "S" else 0,
    )


@given(st.integers(0, 2**32 - 1))
@settings(derandomize=True, max_examples=20)
def test_foreign_bases_are_clipped_and_all_others_stay(seed: int) -> None:
    random = np.random.default_rng(seed)
    codes = random_reference(random, 300)
    reads = random_batch(random, codes, ORIGIN, 30)
    skips = [has_skip(read) for read in unpack_reads(reads)]
    lengths = np.diff(reads.base_offset)
    left = random.integers(0, lengths // 3 + 1).astype(np.int32)
    right = random.integers(0, lengths // 3 + 1).astype(np.int32)
    left[skips] = right[skips] = 0
    places = np.zeros(len(reads.bases), np.int32)
    moved = np.zeros(30, np.bool_)
    clip_foreign(reads, left, right, places, moved)
    assert (moved == ((left > 0) | (right > 0))).all()
    start, end = reads.read_start.copy(), reads.read_end.copy()
    trim_places(reads, places, moved, start, end)
    order, offset = np.arange(30), np.zeros(31, np.int64)
    none = np.zeros(0, np.uint8), np.zeros(0, np.int32)
    respell(reads, places, moved, order, offset, *none, write=False)
    ops, sizes = np.zeros(offset[-1], np.uint8), np.zeros(offset[-1], np.int32)
    respell(reads, places, moved, order, offset, ops, sizes, write=True)
    new = reads._replace(
        read_start=start, read_end=end, cigar_offset=offset, cigar_op=ops, cigar_length=sizes
    )
    for index, (before, after) in enumerate(
        zip(unpack_reads(reads), unpack_reads(new), strict=True)
    ):
        if not moved[index]:
            assert after == before
            continue
        low, high = clipped(after)
        assert low >= left[index]
        assert high >= right[index]
        own = range(int(left[index]), int(lengths[index] - right[index]))
        kept = {at: q for at, q in before.columns().items() if q in own}
        assert {at: q for at, q in after.columns().items() if q >= 0} == kept
    shorter = new.cigar_length.copy()
    left[~moved] = right[~moved] = 0
    shorten_clips(new, left, right, shorter)
    clips = new.cigar_op == CSOFT_CLIP
    assert (shorter >= 0).all()
    assert (shorter[~clips] == new.cigar_length[~clips]).all()
    assert int((new.cigar_length - shorter).sum()) == int(left.sum() + right.sum())
