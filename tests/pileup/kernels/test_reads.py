"""The kernels of reads equal their slow twins on random windows."""

import numpy as np
from hypothesis import given

from pileup.kernels.reads.library import (
    find_plain,
    shown_lengths,
    tally_bases,
    tally_mismatches,
)
from pileup.kernels.reads.walk import first_overlapping, longest_span, query_index
from pileup.twins import (
    library,
)
from pileup.twins.alignment import unpack_reads
from tests.pileup.windows import counts, random_window, repeatable, seeds


@given(seeds)
@repeatable
def test_walk(seed: int) -> None:
    window = random_window(seed, 12)
    arrays, reads = window.reads, unpack_reads(window.reads)
    longest = max(read.end - read.start for read in reads)
    assert longest_span(arrays) == longest
    for position in range(window.stretch.start - 3, window.stretch.end + 3, 7):
        first = first_overlapping(arrays, longest, position)
        assert all(read.end <= position for read in reads[:first])
        for index, read in enumerate(reads):
            at = query_index(index, position, arrays)
            expected = read.index_at(position)
            assert at == (expected + read.first_base if expected >= 0 else expected)


@given(seeds, counts)
@repeatable
def test_library(seed: int, count: int) -> None:
    window = random_window(seed, count)
    reads, start = window.reads, window.stretch.start
    random = np.random.default_rng(seed)
    used, covering = random.random((2, count)) < 0.8
    bases, coverage = np.zeros((260, 4), np.int32), np.zeros(260, np.int32)
    tally_bases(reads, covering, used, start, 20, bases, coverage)
    every = unpack_reads(reads)
    chosen = [read for read, wanted in zip(every, used, strict=True) if wanted]
    slow, _ = library.tally_bases(chosen, 20)
    _, covered = library.tally_bases(
        [read for read, wanted in zip(every, covering, strict=True) if wanted], 20
    )
    span = range(start, window.stretch.end)
    assert bases.tolist() == [[slow[at, base] for base in range(4)] for at in span]
    assert coverage.tolist() == [covered[at] for at in span]
    plain, fraction = np.zeros(260, np.bool_), np.zeros(260)
    find_plain(bases, window.reference.codes, 2, 2, 0.25, plain, fraction)
    slow_plain, slow_fraction = library.find_plain(slow, window.stretch, 2, 2, 0.25)
    assert {at for at, is_plain in zip(span, plain, strict=True) if is_plain} == slow_plain
    assert fraction.tolist() == [slow_fraction.get(at, 0.0) for at in span]

    per_read, by_quality = np.zeros((count, 2), np.int64), np.zeros((256, 2), np.int64)
    codes = window.reference.codes
    tally_mismatches(reads, covering, used, start, codes, plain, 10, per_read, by_quality)
    assert [tuple(row) for row in per_read.tolist()] == [
        library.mismatches_of(read, window.stretch, 10) if wanted else (0, 0)
        for read, wanted in zip(every, covering, strict=True)
    ]
    differing, all_bases = library.mismatches_by_quality(chosen, window.stretch, slow_plain)
    assert by_quality.tolist() == [[differing[q], all_bases[q]] for q in range(256)]

    runs = library.runs(window.stretch, 3)
    histogram = np.zeros((len(runs), 7), np.int32)
    shown_lengths(
        reads,
        used,
        np.array([run[0] for run in runs], np.int64),
        np.array([run[1] for run in runs], np.int64),
        np.array([run[2] for run in runs], np.uint8),
        3,
        histogram,
    )
    for row, run in zip(histogram.tolist(), runs, strict=True):
        assert row == library.shown_lengths(chosen, run, flank=3, largest=3)
