"""Every kernel equals its slow twin in pileup.reference on random windows."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileup.encode import encode
from pileup.kernels import lengths as length_kernels
from pileup.kernels import surroundings as surrounding_kernels
from pileup.kernels import tally as tally_kernels
from pileup.kernels.adjacent import count_adjacent
from pileup.kernels.count import count_alleles
from pileup.kernels.draw import mix
from pileup.kernels.library import shown_lengths, tally_bases
from pileup.kernels.observe import count_overlaps
from pileup.kernels.scan import hash_sequence, shift_deletion, shift_insertion
from pileup.kernels.walk import first_overlapping, query_index
from pileup.reference import (
    adjacent,
    draw,
    lengths,
    library,
    observe,
    repeats,
    scan,
    surroundings,
    tally,
)
from pileup.reference import count as counting
from pileup.reference.alignment import Stretch, unpack_reads, unpack_sites
from pileup.spec import READ_ROWS
from tests.pileup.windows import EAGER, Window, random_window

seeds = st.integers(0, 2**32 - 1)
counts = st.sampled_from([0, 1, 12, 60, 260])
repeatable = settings(derandomize=True, deadline=None, max_examples=20)


def twin_scan(window: Window) -> scan.Counts:
    return scan.scan(
        unpack_reads(window.reads), window.stretch, EAGER.min_base_quality, EAGER.max_allele
    )


def twin_observations(window: Window) -> list[list[observe.Observation]]:
    return observe.observe(
        unpack_reads(window.reads),
        twin_scan(window).events,
        unpack_sites(window.sites),
        window.stretch,
        EAGER.min_base_quality,
    )


def test_every_kernel_file_has_a_twin(root) -> None:
    kernels = {path.name for path in (root / "pileup" / "kernels").glob("*.py")}
    readable = {path.name for path in (root / "pileup" / "reference").glob("*.py")}
    assert kernels - {"walk.py"} == readable - {"alignment.py"}


@given(seeds, counts)
@repeatable
def test_draw(seed: int, count: int) -> None:
    window = random_window(seed, count)
    chosen = np.random.default_rng(seed).permutation(len(window.questions))[:6]
    images = encode(
        window.reads,
        window.sites,
        window.observations,
        window.questions.site[chosen],
        window.questions.alleles[chosen],
        window.reference,
        window.scan.reference_start,
    )
    reads, sites = unpack_reads(window.reads), unpack_sites(window.sites)
    shown = twin_observations(window)
    for image, question in zip(images, chosen, strict=True):
        site = window.questions.site[question]
        mask = int(window.questions.alleles[question])
        slow = draw.draw(sites[site], mask, reads, shown[site], window.stretch)
        np.testing.assert_array_equal(image, slow)


@given(seeds, counts)
@repeatable
def test_observe(seed: int, count: int) -> None:
    window = random_window(seed, count)
    fast = window.observations
    for site, shown in enumerate(twin_observations(window)):
        at = slice(fast.offset[site], fast.offset[site + 1])
        columns = (fast.read, fast.allele, fast.quality, fast.delta, fast.counts)
        rows = list(zip(*(column[at].tolist() for column in columns), strict=True))
        assert rows == [(o.read, o.allele, o.quality, o.delta, o.counts) for o in shown]


@given(seeds, counts)
@repeatable
def test_scan(seed: int, count: int) -> None:
    window = random_window(seed, count)
    fast, slow = window.scan, twin_scan(window)
    positions = range(window.stretch.start, window.stretch.end)
    assert fast.depth.tolist() == [slow.depth[position] for position in positions]
    assert fast.base_counts.tolist() == [
        [slow.bases[position, base] for base in range(4)] for position in positions
    ]
    assert fast.mismatches.tolist() == slow.mismatches
    assert fast.clipped.tolist() == slow.clipped
    assert np.diff(fast.event_offset).tolist() == [len(events) for events in slow.events]
    for index, event in enumerate(event for events in slow.events for event in events):
        source, size = int(fast.event_source[index]), int(fast.event_inserted[index])
        inserted = np.roll(
            window.reads.bases[source : source + size], int(fast.event_rotation[index])
        )
        assert (
            int(fast.event_anchor[index]),
            int(fast.event_deleted[index]),
            tuple(inserted.tolist()),
            int(fast.event_quality[index]),
        ) == (event.anchor, event.deleted, event.inserted, event.quality)
        expected = scan.hash_sequence(event.inserted) if event.inserted else 0
        assert int(fast.event_hash[index]) == expected


def questions_of(window: Window) -> list[tally.Question]:
    reads, sites = unpack_reads(window.reads), unpack_sites(window.sites)
    counted, shown = twin_scan(window), twin_observations(window)
    pairs = zip(window.questions.site.tolist(), window.questions.alleles.tolist(), strict=True)
    return [
        tally.pose(sites[at], mask, reads, shown[at], counted.mismatches, counted.clipped)
        for at, mask in pairs
    ]


@given(seeds, counts)
@repeatable
def test_tally(seed: int, count: int) -> None:
    window = random_window(seed, count)
    reads, scanned, sites = window.reads, window.scan, window.sites
    shown, asked = window.observations, window.questions
    n = len(asked)
    sums = np.zeros((n, tally_kernels.N_LEVELS, tally_kernels.N_SUMS))
    extras = np.zeros((n, tally_kernels.N_EXTRAS))
    tally_kernels.tally_witnesses(
        asked.site,
        asked.alleles,
        reads.read_start,
        reads.read_end,
        reads.mapq,
        reads.flag,
        scanned.mismatches,
        scanned.clipped,
        sites.start,
        sites.kind,
        sites.ref_length,
        sites.alt_offset,
        shown.offset,
        shown.read,
        shown.allele,
        shown.quality,
        shown.counts,
        sums,
        extras,
    )
    least_error = np.random.default_rng(seed).choice([0.0, 0.004, 0.1], n)
    likelihood = np.zeros((n, 3))
    tally_kernels.log_likelihoods(
        asked.site,
        asked.alleles,
        reads.mapq,
        sites.kind,
        shown.offset,
        shown.read,
        shown.allele,
        shown.quality,
        shown.counts,
        least_error,
        likelihood,
    )
    for index, question in enumerate(questions_of(window)):
        slow = [astuple(tally.sums(question, group)) for group in tally.GROUPS]
        assert sums[index].tolist() == [list(row) for row in slow]
        assert extras[index].tolist() == list(astuple(tally.extras(question)))
        expected = tally.log_likelihoods(question, float(least_error[index]))
        assert likelihood[index].tolist() == pytest.approx(expected)


@given(seeds, counts)
@repeatable
def test_lengths(seed: int, count: int) -> None:
    window = random_window(seed, count)
    shown, asked, sites = window.observations, window.questions, window.sites
    n = len(asked)
    alts, delta, unit = np.zeros((n, 2), np.int64), np.zeros((n, 2), np.int64), np.zeros(n, int)
    length_kernels.describe_alleles(
        asked.site,
        asked.alleles,
        window.reference,
        window.scan.reference_start,
        sites.start,
        sites.kind,
        sites.alt_offset,
        sites.alt_deleted,
        sites.alt_inserted,
        sites.alt_base_offset,
        sites.alt_bases,
        alts,
        delta,
        unit,
    )
    slip = np.random.default_rng(seed).uniform(0.004, 0.6, n)
    spans, likelihood = np.zeros((n, length_kernels.N_SPANS)), np.zeros((n, 3))
    length_kernels.tally_lengths(
        asked.site, shown.offset, shown.delta, shown.counts, delta, unit, slip, spans, likelihood
    )
    for index, question in enumerate(questions_of(window)):
        first = sites.alt_offset[asked.site[index]]
        numbers = (question.asked[0], question.asked[-1])
        assert tuple(alts[index] - first + 1) == numbers
        assert tuple(delta[index]) == lengths.changes(question)
        size = lengths.unit(question, window.stretch)
        assert unit[index] == size
        assert tuple(spans[index]) == lengths.spans(question, size)
        expected = lengths.log_likelihoods(question, size, float(slip[index]))
        assert likelihood[index].tolist() == pytest.approx(expected)


@given(seeds, counts)
@repeatable
def test_surroundings(seed: int, count: int) -> None:
    window = random_window(seed, count)
    shown, asked, sites = window.observations, window.questions, window.sites
    fractions = np.zeros(len(sites), np.float32)
    surrounding_kernels.site_fractions(shown.offset, shown.allele, shown.counts, fractions)
    slow = [surroundings.fraction(site) for site in twin_observations(window)]
    assert fractions.tolist() == pytest.approx(slow)
    neighbours = np.zeros((len(asked), surrounding_kernels.N_NEIGHBOUR_VALUES))
    surrounding_kernels.look_around(asked.site, sites.start, fractions, neighbours)
    gc, run = np.zeros(len(asked)), np.zeros(len(asked))
    surrounding_kernels.describe_reference(
        asked.site, sites.start, window.reference, window.scan.reference_start, gc, run
    )
    plain = unpack_sites(sites)
    for index, site in enumerate(asked.site.tolist()):
        expected = surroundings.look_around(site, plain, fractions.tolist())
        assert tuple(neighbours[index]) == expected
        assert gc[index] == pytest.approx(surroundings.gc_share(window.stretch, plain[site].start))
        assert run[index] == surroundings.run_length(window.stretch, plain[site].start)


@given(seeds, counts)
@repeatable
def test_count(seed: int, count: int) -> None:
    window = random_window(seed, count)
    shown, sites = window.observations, window.sites
    fast = count_alleles(
        shown.offset, shown.read, shown.allele, shown.counts, window.reads.flag, sites.alt_offset
    )
    reads = unpack_reads(window.reads)
    slow: tuple[list[int], list[int]] = ([], [])
    for site, observations in zip(unpack_sites(sites), twin_observations(window), strict=True):
        for strand, more in zip(
            slow, counting.count_alleles(site, reads, observations), strict=True
        ):
            strand += more
    assert fast.tolist() == list(slow)


@given(seeds, counts)
@repeatable
def test_repeat_extent(seed: int, count: int) -> None:
    window = random_window(seed, count)
    slow = [repeats.repeat_end(window.stretch, site) for site in unpack_sites(window.sites)]
    assert window.sites.repeat_end.tolist() == slow


@given(seeds)
@repeatable
def test_adjacent(seed: int) -> None:
    window = random_window(seed, 40)
    reads = window.reads
    random = np.random.default_rng(seed)
    for position in random.integers(window.stretch.start, window.stretch.end, 20).tolist():
        left, right = random.integers(0, 4, 2).tolist()
        fast = count_adjacent(
            reads.read_start,
            reads.read_end,
            reads.base_offset,
            reads.bases,
            reads.qualities,
            reads.cigar_offset,
            reads.cigar_op,
            reads.cigar_length,
            position,
            left,
            right,
            EAGER.min_base_quality,
        )
        slow = adjacent.count_adjacent(
            unpack_reads(reads), position, left, right, EAGER.min_base_quality
        )
        assert fast == slow


@given(seeds)
@repeatable
def test_walk(seed: int) -> None:
    batch = random_window(seed, 12).reads
    reads = unpack_reads(batch)
    longest = max(read.end - read.start for read in reads)
    for position in range(batch.start - 3, batch.end + 3, 7):
        first = first_overlapping(batch.read_start, longest, position)
        assert all(read.end <= position for read in reads[:first])
        for index, read in enumerate(reads):
            at = query_index(
                index,
                position,
                batch.read_start,
                batch.base_offset,
                batch.cigar_offset,
                batch.cigar_op,
                batch.cigar_length,
            )
            expected = read.index_at(position)
            assert at == (expected + read.first_base if expected >= 0 else expected)


@given(seeds, counts)
@repeatable
def test_overlaps(seed: int, count: int) -> None:
    window = random_window(seed, count)
    reads, sites = window.reads, window.sites
    fast = np.zeros(len(sites), np.int64)
    count_overlaps(reads.read_start, reads.read_end, sites.start, sites.repeat_end, fast)
    assert fast.tolist() == [
        int(((reads.read_start < end) & (reads.read_end > start)).sum())
        for start, end in zip(sites.start, sites.repeat_end, strict=True)
    ]


@given(seeds, counts)
@repeatable
def test_library(seed: int, count: int) -> None:
    window = random_window(seed, count)
    reads, start = window.reads, window.stretch.start
    random = np.random.default_rng(seed)
    used = random.random(count) < 0.8
    bases, coverage = np.zeros((len(window.reference), 4), np.int32), np.zeros(260, np.int32)
    tally_bases(
        reads.read_start,
        reads.base_offset,
        reads.bases,
        reads.qualities,
        reads.cigar_offset,
        reads.cigar_op,
        reads.cigar_length,
        used,
        start,
        20,
        bases,
        coverage,
    )
    chosen = [read for read, wanted in zip(unpack_reads(reads), used, strict=True) if wanted]
    slow, covered = library.tally_bases(chosen, 20)
    span = range(start, window.stretch.end)
    assert bases.tolist() == [[slow[at, base] for base in range(4)] for at in span]
    assert coverage.tolist() == [covered[at] for at in span]

    runs = library.runs(window.stretch, 3)
    histogram = np.zeros((len(runs), 7), np.int32)
    shown_lengths(
        reads.read_start,
        reads.read_end,
        reads.base_offset,
        reads.bases,
        reads.cigar_offset,
        reads.cigar_op,
        reads.cigar_length,
        used,
        np.array([run[0] for run in runs], np.int64),
        np.array([run[1] for run in runs], np.int64),
        np.array([run[2] for run in runs], np.uint8),
        3,
        histogram,
    )
    for row, run in zip(histogram.tolist(), runs, strict=True):
        assert row == library.shown_lengths(chosen, run, flank=3, largest=3)


@given(st.lists(st.integers(0, 4), max_size=20), st.integers(0, 40))
@repeatable
def test_hash_of_a_rotated_sequence(bases: list[int], rotation: int) -> None:
    codes = np.array([4, *bases, 4], np.uint8)
    rotated = np.roll(np.array(bases, np.uint8), rotation).tolist()
    assert hash_sequence(codes, 1, len(bases), rotation) == scan.hash_sequence(rotated)


@given(st.integers(0, 2**64 - 1))
@repeatable
def test_mix(value: int) -> None:
    assert int(mix(np.uint64(value))) == draw.mix(value)


@given(st.data())
@settings(derandomize=True, deadline=None, max_examples=100)
def test_shift_left(data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, 1, 4]), min_size=8, max_size=60))
    length = data.draw(st.integers(1, 4))
    start = data.draw(st.integers(100, 100 + len(codes) - length))
    reference, stretch = np.array(codes, np.uint8), Stretch(100, tuple(codes))
    moved, _ = scan.left_align(stretch, start, length, ())
    assert shift_deletion(reference, 100, start, length) == start - moved
    inserted = tuple(data.draw(st.lists(st.integers(0, 1), min_size=length, max_size=length)))
    bases = np.array([3, *inserted, 3], np.uint8)
    moved, _ = scan.left_align(stretch, start, 0, inserted)
    assert shift_insertion(reference, 100, start, bases, 1, length) == start - moved


def test_shift_ends_at_its_limit() -> None:
    stretch = Stretch(0, (0,) * 1000)
    reference = np.zeros(1000, np.uint8)
    moved, _ = scan.left_align(stretch, 900, 1, ())
    assert shift_deletion(reference, 0, 900, 1) == 900 - moved == 400


def test_deep_site_draws_the_same_reads_whatever_their_number_of_neighbours() -> None:
    """Which reads are drawn depends on names and locus only."""
    window = random_window(3, 260)
    sites = unpack_sites(window.sites)
    reads = unpack_reads(window.reads)
    shown = twin_observations(window)
    deep = max(range(len(sites)), key=lambda site: len(shown[site]))
    assert len(shown[deep]) > READ_ROWS
    rows = draw.choose_rows(shown[deep], (1,), sites[deep], reads)
    assert len(rows) == READ_ROWS
    moved = replace(sites[deep], start=sites[deep].start + 1)
    other = draw.choose_rows(shown[deep], (1,), moved, reads)
    assert {o.read for o in rows} != {o.read for o in other}
