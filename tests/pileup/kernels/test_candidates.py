"""The kernels of candidates equal their slow twins in pileup.twins on random windows."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileup.arrays import ReferenceArrays
from pileup.codes import N_LEVELS
from pileup.kernels.candidates import copies as copy_kernels
from pileup.kernels.candidates import lengths as length_kernels
from pileup.kernels.candidates import surroundings as surrounding_kernels
from pileup.kernels.candidates import tally as tally_kernels
from pileup.kernels.candidates.adjacent import count_adjacent
from pileup.kernels.candidates.count import count_alleles
from pileup.kernels.candidates.observe import count_overlaps
from pileup.kernels.candidates.primers import leave_out_primers
from pileup.kernels.candidates.scan import hash_sequence, shift_deletion, shift_insertion
from pileup.twins import (
    adjacent,
    copies,
    lengths,
    primers,
    repeats,
    scan,
    surroundings,
    tally,
)
from pileup.twins import count as counting
from pileup.twins.alignment import Stretch, unpack_reads, unpack_sites
from tests.pileup.windows import (
    EAGER,
    Window,
    counts,
    random_window,
    repeatable,
    seeds,
    twin_observations,
    twin_scan,
)


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


@given(seeds, counts, st.integers(2, 40))
@repeatable
def test_primers(seed: int, count: int, most_ends: int) -> None:
    window, random = random_window(seed, count), np.random.default_rng(seed)
    starts, ends = random.integers(0, 300, (2, most_ends))
    reads = window.reads._replace(
        read_start=random.choice(starts, len(window.reads.flag)),
        read_end=random.choice(ends, len(window.reads.flag)),
    )
    fast = window.observations._replace(counts=window.observations.counts.copy())
    leave_out_primers(reads, window.sites, fast)
    plain = unpack_reads(reads)
    sites = unpack_sites(window.sites)
    for site, (one, shown) in enumerate(zip(sites, twin_observations(window), strict=True)):
        at = slice(fast.offset[site], fast.offset[site + 1])
        slow = primers.without_primers(one, shown, plain)
        assert fast.counts[at].tolist() == [o.counts for o in slow]


@given(seeds, counts)
@repeatable
def test_scan(seed: int, count: int) -> None:
    window = random_window(seed, count)
    fast, slow = window.scan.counts, twin_scan(window)
    positions = range(window.stretch.start, window.stretch.end)
    assert fast.depth.tolist() == [slow.depth[position] for position in positions]
    assert fast.base_counts.tolist() == [
        [slow.bases[position, base] for base in range(4)] for position in positions
    ]
    assert fast.mismatches.tolist() == slow.mismatches
    assert fast.clipped.tolist() == slow.clipped
    unlike = window.scan.unlike
    assert np.diff(unlike.offset).tolist() == [len(own) for own in slow.unlike]
    pairs = zip(unlike.base.tolist(), unlike.quality.tolist(), strict=True)
    assert list(pairs) == [pair for own in slow.unlike for pair in own]
    found = window.scan.events
    assert np.diff(found.offset).tolist() == [len(events) for events in slow.events]
    for index, event in enumerate(event for events in slow.events for event in events):
        source, size = int(found.source[index]), int(found.inserted[index])
        inserted = np.roll(window.reads.bases[source : source + size], int(found.rotation[index]))
        assert (
            int(found.anchor[index]),
            int(found.deleted[index]),
            tuple(inserted.tolist()),
            int(found.quality[index]),
        ) == (event.anchor, event.deleted, event.inserted, event.quality)
        expected = scan.hash_sequence(event.inserted) if event.inserted else 0
        assert int(found.hash[index]) == expected


def questions_of(window: Window) -> list[tally.Question]:
    reads, sites = unpack_reads(window.reads), unpack_sites(window.sites)
    counted, shown = twin_scan(window), twin_observations(window)
    pairs = zip(window.questions.site.tolist(), window.questions.alleles.tolist(), strict=True)
    return [
        tally.pose(sites[at], mask, reads, shown[at], counted.mismatches, counted.clipped)
        for at, mask in pairs
    ]


@given(seeds, counts, st.sampled_from([(60.0, 0.003), (42.0, 0.05)]))
@repeatable
def test_tally(seed: int, count: int, usual: tuple[float, float]) -> None:
    window = random_window(seed, count)
    reads, sites, shown, asked = window.reads, window.sites, window.observations, window.questions
    n = len(asked.site)
    sums = np.zeros((n, N_LEVELS, tally_kernels.N_SUMS))
    stacks = np.zeros((n, 2, tally_kernels.N_STACKS))
    extras = np.zeros((n, tally_kernels.N_EXTRAS))
    results = sums, stacks, extras
    tally_kernels.tally_witnesses(asked, reads, window.scan.counts, sites, shown, *usual, *results)
    for index, question in enumerate(questions_of(window)):
        for level, group in enumerate(tally.GROUPS):
            slow = astuple(tally.sums(question, group, tally.Usual(*usual)))
            assert sums[index, level].tolist() == pytest.approx(slow)
        assert extras[index].tolist() == pytest.approx(astuple(tally.extras(question)))
        assert [tuple(row) for row in stacks[index].tolist()] == [
            tally.stacks(question, group) for group in ("putative", "ref")
        ]


@given(seeds, counts)
@repeatable
def test_copies(seed: int, count: int) -> None:
    window = random_window(seed, count)
    asked, sites, shown = window.questions, window.sites, window.observations
    random, n = np.random.default_rng(seed), len(asked.site)
    errors = random.choice([0.0, 0.001, 0.03, 0.2, 0.6], 256)
    weighed = np.zeros((n, copy_kernels.N_WEIGHED))
    copy_kernels.weigh_witnesses(asked, window.reads, sites, shown, errors, weighed)
    alts, delta, unit = np.zeros((n, 2), np.int64), np.zeros((n, 2), np.int64), np.zeros(n, int)
    length_kernels.describe_alleles(asked, window.reference, sites, alts, delta, unit)
    slip, share = random.uniform(0.004, 0.6, n), np.zeros(n)
    copy_kernels.slipped_share(delta, unit, slip, share)
    mean, concentration = random.uniform(0.001, 0.999, (n, 3)), random.uniform(2, 100, (n, 3))
    likelihood = np.zeros((n, 3))
    copy_kernels.copy_likelihoods(weighed, mean, concentration, likelihood)
    for index, question in enumerate(questions_of(window)):
        putative, total, wrong = copies.weigh(question, errors.tolist())
        assert weighed[index].tolist() == pytest.approx([putative, total, wrong])
        size = int(unit[index])
        assert share[index] == pytest.approx(copies.slipped_share(question, size, slip[index]))
        rules = zip(mean[index].tolist(), concentration[index].tolist(), strict=True)
        assert likelihood[index].tolist() == pytest.approx(
            [copies.log_likelihood(putative, total, *rule) for rule in rules], abs=1e-9
        )


@given(seeds, counts)
@repeatable
def test_lengths(seed: int, count: int) -> None:
    window = random_window(seed, count)
    shown, asked, sites = window.observations, window.questions, window.sites
    n = len(asked.site)
    alts, delta, unit = np.zeros((n, 2), np.int64), np.zeros((n, 2), np.int64), np.zeros(n, int)
    length_kernels.describe_alleles(asked, window.reference, sites, alts, delta, unit)
    slip = np.random.default_rng(seed).uniform(0.004, 0.6, n)
    spans, likelihood = np.zeros((n, length_kernels.N_SPANS)), np.zeros((n, 3))
    length_kernels.tally_lengths(asked, shown, delta, unit, slip, spans, likelihood)
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
    n = len(asked.site)
    fractions = np.zeros(len(sites.start), np.float32)
    surrounding_kernels.site_fractions(shown, fractions)
    slow = [surroundings.fraction(site) for site in twin_observations(window)]
    assert fractions.tolist() == pytest.approx(slow)
    neighbours = np.zeros((n, surrounding_kernels.N_NEIGHBOUR_VALUES))
    surrounding_kernels.look_around(asked, sites, fractions, neighbours)
    gc, run = np.zeros(n), np.zeros(n)
    surrounding_kernels.describe_reference(asked, window.reference, sites, gc, run)
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
    sites = window.sites
    fast = count_alleles(window.reads, sites, window.observations)
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
        fast = count_adjacent(reads, position, left, right, EAGER.min_base_quality)
        slow = adjacent.count_adjacent(
            unpack_reads(reads), position, left, right, EAGER.min_base_quality
        )
        assert fast == slow


@given(seeds, counts)
@repeatable
def test_overlaps(seed: int, count: int) -> None:
    window = random_window(seed, count)
    reads, sites = window.reads, window.sites
    fast = np.zeros(len(sites.start), np.int64)
    count_overlaps(reads, sites, fast)
    assert fast.tolist() == [
        int(((reads.read_start < end) & (reads.read_end > start)).sum())
        for start, end in zip(sites.start, sites.repeat_end, strict=True)
    ]


@given(st.lists(st.integers(0, 4), max_size=20), st.integers(0, 40))
@repeatable
def test_hash_of_a_rotated_sequence(bases: list[int], rotation: int) -> None:
    codes = np.array([4, *bases, 4], np.uint8)
    rotated = np.roll(np.array(bases, np.uint8), rotation).tolist()
    assert hash_sequence(codes, 1, len(bases), rotation) == scan.hash_sequence(rotated)


@given(st.data())
@settings(derandomize=True, max_examples=100)
def test_shift_left(data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, 1, 4]), min_size=8, max_size=60))
    length = data.draw(st.integers(1, 4))
    start = data.draw(st.integers(100, 100 + len(codes) - length))
    reference = ReferenceArrays(np.array(codes, np.uint8), 100)
    stretch = Stretch(100, tuple(codes))
    moved, _ = scan.left_align(stretch, start, length, ())
    assert shift_deletion(reference, start, length) == start - moved
    inserted = tuple(data.draw(st.lists(st.integers(0, 1), min_size=length, max_size=length)))
    bases = np.array([3, *inserted, 3], np.uint8)
    moved, _ = scan.left_align(stretch, start, 0, inserted)
    assert shift_insertion(reference, start, bases, 1, length) == start - moved


def test_shift_ends_at_its_limit() -> None:
    stretch = Stretch(0, (0,) * 1000)
    reference = ReferenceArrays(np.zeros(1000, np.uint8), 0)
    moved, _ = scan.left_align(stretch, 900, 1, ())
    assert shift_deletion(reference, 900, 1) == 900 - moved == 400
