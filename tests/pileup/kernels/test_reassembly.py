"""The kernels of local reassembly equal their slow twins on small random inputs."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pileup.arrays import ReadArrays, ReferenceArrays
from pileup.kernels.reassembly import activity as activity_kernels
from pileup.kernels.reassembly.align import (
    READ_SCORES,
    SPELLING_SCORES,
    align_gapped,
    align_ungapped,
    place_haplotype,
)
from pileup.kernels.reassembly.arrays import ActivityArrays, AssemblyRules
from pileup.kernels.reassembly.assemble import K_STEP, MAX_K, MAX_PATHS, MIN_K, assemble
from pileup.kernels.reassembly.combine import combine_indels
from pileup.kernels.reassembly.haplotypes import (
    MAX_LENGTH,
    MAX_LOSS,
    MAX_SPELLINGS,
    MIN_GAIN,
    empty_haplotypes,
    find_differences,
    lay_segment,
    longest_free,
    merge_supported,
    reference_scores,
    spell_reads,
    vote,
    with_flanks,
)
from pileup.kernels.reassembly.reassemble import reassemble
from pileup.kernels.reassembly.respell import respell, trim_places
from pileup.kernels.reassembly.segments import collect_segments, find_anchors, longest_usable
from pileup.twins import activity, align, combine, haplotypes
from pileup.twins import assemble as graphs
from pileup.twins import respell as spelling
from pileup.twins import segments as parts
from pileup.twins.alignment import Stretch, unpack_reads, unpack_reference
from pileup.twins.reassemble import composed, mapped_places
from tests.pileup.windows import random_batch, random_reference

seeds = st.integers(0, 2**32 - 1)
repeatable = settings(derandomize=True, max_examples=25)
RULES = AssemblyRules(20, 20, 14, 15, 2, 5, 500)


class Place:
    """Random reads over a random stretch, and a region in its middle."""

    def __init__(self, seed: int, count: int = 40) -> None:
        self.random = np.random.default_rng(seed)
        # The reference that kernels assume is wider than the reads, and known in the region.
        codes = np.concatenate([random_reference(self.random, 300) for _ in range(3)])
        codes[300:600] = np.minimum(codes[300:600], 3)
        self.reference = ReferenceArrays(codes, 1000)
        self.stretch: Stretch = unpack_reference(self.reference)
        self.arrays: ReadArrays = random_batch(self.random, codes[300:600], 1300, count)
        self.reads = unpack_reads(self.arrays)
        self.usable = np.zeros(count, np.bool_)
        activity_kernels.find_usable(self.arrays, RULES, self.usable)
        self.start = int(self.random.integers(1380, 1450))
        self.end = self.start + int(self.random.integers(20, 60))

    def segments(self):  # type: ignore[no-untyped-def]
        longest = longest_usable(self.arrays, self.usable)
        bounds = np.array([self.start]), np.array([self.end])
        anchors = find_anchors(self.reference, *bounds, 0)
        return collect_segments(
            self.arrays, self.usable, longest, self.start, self.end, anchors, RULES, self.reference
        )

    def slow_segments(self) -> list[parts.Segment]:
        region = self.start, self.end
        anchors = parts.anchors(self.stretch, [region], 0)
        return parts.collect(self.reads, self.usable.tolist(), region, anchors, self.stretch)


def sequence_pair(random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a haplotype of few letters, and a read of it with some differences."""
    haplotype = random.integers(0, int(random.choice([2, 4])), 30).astype(np.uint8)
    codes = list(haplotype[8:22])
    for _ in range(random.integers(0, 4)):
        at = int(random.integers(len(codes)))
        change = random.integers(3)
        if change == 0 and len(codes) > 3:
            del codes[at]
        elif change == 1:
            codes.insert(at, random.integers(0, 5))
        else:
            codes[at] = random.integers(0, 5)
    return haplotype, np.array(codes, np.uint8)


@given(seeds, st.booleans(), st.booleans())
@repeatable
def test_ungapped(seed: int, left_free: bool, right_free: bool) -> None:
    random = np.random.default_rng(seed)
    haplotype, codes = sequence_pair(random)
    start = int(random.integers(-3, 20))
    score, first, last = align_ungapped(codes, haplotype, start, left_free, right_free)
    expected = align.ungapped_score(
        codes.tolist(), haplotype.tolist(), start, left_free=left_free, right_free=right_free
    )
    assert score == expected
    assert first == 0 or left_free
    assert last == len(codes) or right_free


@given(seeds, st.booleans(), st.booleans(), st.sampled_from([2, 6]))
@repeatable
def test_gapped(seed: int, left_free: bool, right_free: bool, band: int) -> None:
    random = np.random.default_rng(seed)
    haplotype, codes = sequence_pair(random)
    scores = READ_SCORES if random.random() < 0.5 else SPELLING_SCORES
    target = np.zeros(len(codes), np.int64)
    score = align_gapped(codes, haplotype, 8, 22, left_free, right_free, band, scores, target)
    spelled = codes.tolist(), haplotype.tolist()
    expected = align.gapped_score(
        *spelled, 8, 22, left_free=left_free, right_free=right_free, band=band, scores=scores
    )
    assert score == expected
    placed = target[target >= 0]
    assert (np.diff(placed) > 0).all()
    if left_free and right_free and (target >= 0).any():
        assert align.score_of(*spelled, target.tolist(), scores) == score


@given(seeds)
@repeatable
def test_place_haplotype(seed: int) -> None:
    random = np.random.default_rng(seed)
    reference, bases = sequence_pair(random)
    reference, bases = reference[8:22].copy(), np.minimum(bases, 3)
    place = np.zeros(len(bases), np.int64)
    place_haplotype(bases, reference, place)
    assert place.max() < len(reference)
    assert (np.diff(place[place >= 0]) > 0).all()
    best = align.gapped_score(
        bases.tolist(), reference.tolist(), 0, len(reference),
        left_free=False, right_free=False, band=40, scores=SPELLING_SCORES,
    )  # fmt: skip
    # Bases of flank on both sides show what gaps at the ends cost.
    flanked = [place_of + 1 if place_of >= 0 else place_of for place_of in place.tolist()]
    score = align.score_of(
        [0, *bases.tolist(), 0],
        [0, *reference.tolist(), 0],
        [0, *flanked, len(reference) + 1],
        SPELLING_SCORES,
    )
    assert score == best + 2 * SPELLING_SCORES[0]


def test_gaps_stand_left() -> None:
    place = np.zeros(9, np.int64)
    #                             C  A  A  A  A  G  T  C  T       and CAAAGTAACT
    place_haplotype(
        np.array([1, 0, 0, 0, 0, 2, 3, 1, 3], np.uint8),
        np.array([1, 0, 0, 0, 2, 3, 0, 0, 1, 3], np.uint8),
        place,
    )
    assert place.tolist() == [0, -1, 1, 2, 3, 4, 5, 8, 9]


def test_of_two_gaps_that_cost_the_same_the_right_one_is_longer() -> None:
    # TTTAAA(CA)n on TTTAAC(CA)m: A deleted, then all the rest, not the other way about.
    reference = np.array([3, 3, 3, 0, 0, 0, *[1, 0] * 11, 2], np.uint8)
    short = np.array([3, 3, 3, 0, 0, 1, 1, 0, *[1, 0] * 4, 2], np.uint8)
    deleted = np.zeros(len(short), np.int64)
    place_haplotype(short, reference, deleted)
    assert deleted[:8].tolist() == [0, 1, 2, 4, 5, 6, 18, 19]
    inserted = np.zeros(len(reference), np.int64)
    place_haplotype(reference, short, inserted)
    gaps = np.flatnonzero(inserted < 0).tolist()
    assert gaps == [3, *range(7, 18)]


@given(seeds)
@repeatable
def test_activity(seed: int) -> None:
    place = Place(seed)
    length = 500
    counted = ActivityArrays(*(np.zeros(length, np.int32) for _ in ActivityArrays._fields))
    activity_kernels.mark_activity(
        place.arrays, place.reference, place.usable, RULES, 1200, counted
    )
    reads = [
        read
        for read, usable in zip(place.reads, place.usable, strict=True)
        if usable and read.mapq >= RULES.min_mapq
    ]
    expected = activity.active_reads(reads, place.stretch, RULES.min_base_quality, 2)
    slow = [len(expected.get(1200 + at, ())) for at in range(length)]
    assert counted.reads.tolist() == slow
    assert counted.depth.tolist() == [
        sum(read.start <= 1200 + at < read.end for read in reads) for at in range(length)
    ]


@given(seeds)
@repeatable
def test_regions(seed: int) -> None:
    random = np.random.default_rng(seed)
    active = np.zeros(3000, np.bool_)
    for at in random.integers(0, 3000, 12):
        active[at : at + int(random.choice([1, 5, 60, 200]))] = True
    bounds = np.zeros((3, 200), np.int64)
    found = activity_kernels.cut_regions(active, np.zeros(3000, np.int32), *bounds)
    cut = list(zip(bounds[0, :found].tolist(), bounds[1, :found].tolist(), strict=True))
    assert cut == activity.regions(active.tolist())


@given(seeds)
@repeatable
def test_anchors(seed: int) -> None:
    random = np.random.default_rng(seed)
    codes = random_reference(random, 400)
    cuts = np.sort(random.choice(np.arange(10, 390), 8, replace=False)).tolist()
    regions = [(1000 + low, 1000 + high) for low, high in zip(cuts[::2], cuts[1::2], strict=True)]
    bounds = np.array(regions, np.int64).T
    reference = ReferenceArrays(codes, 1000)
    fast = [find_anchors(reference, *bounds, region) for region in range(len(regions))]
    stretch = unpack_reference(reference)
    assert fast == [parts.anchors(stretch, regions, region) for region in range(len(regions))]


@given(seeds)
@repeatable
def test_segments(seed: int) -> None:
    place = Place(seed)
    fast = place.segments()
    slow = place.slow_segments()
    found = [
        parts.Segment(
            read=int(fast.read[index]),
            first=int(fast.first[index] - place.arrays.base_offset[fast.read[index]]),
            last=int(fast.last[index] - place.arrays.base_offset[fast.read[index]]),
            left_free=bool(fast.left_free[index]),
            right_free=bool(fast.right_free[index]),
            codes=tuple(fast.codes[fast.offset[index] : fast.offset[index + 1]].tolist()),
            score=int(fast.score[index]),
        )
        for index in range(len(fast.read))
    ]
    assert found == slow


def spelled_by(haps: object) -> dict[tuple[int, ...], int]:
    return {
        tuple(haps.bases[index, : haps.length[index]].tolist()): int(haps.reads[index])  # type: ignore[attr-defined]
        for index in range(haps.size[0])  # type: ignore[attr-defined]
    }


@given(seeds)
@repeatable
def test_spellings(seed: int) -> None:
    place = Place(seed)
    segments = place.segments()
    whole, events = empty_haplotypes(), empty_haplotypes()
    spell_reads(segments, place.arrays, place.reference, place.start, place.end, 15, whole, events)
    chosen = [int(read) for read in segments.read[segments.chosen]]
    spelled: set[tuple[int, ...]] = set()
    single: set[tuple[int, ...]] = set()
    for _, shown, alone in haplotypes.spellings(
        [place.reads[read] for read in chosen], place.start, place.end, place.stretch, 15
    ):
        if shown is not None and max(shown, default=0) <= 3:
            spelled.add(shown)
        single |= {one for one in alone if max(one, default=0) <= 3}
    known = {key for key in spelled_by(events) if max(key, default=0) <= 3}
    assert spelled_by(whole).keys() == spelled - {()}
    assert known == single - {()}
    assert whole.size[0] <= MAX_SPELLINGS


@given(seeds)
@repeatable
def test_combined_indels(seed: int) -> None:
    random = np.random.default_rng(seed)
    known = random_reference(random, 60)
    reference = ReferenceArrays(known, 500)
    events, merged = empty_haplotypes(), empty_haplotypes()
    for index in range(5):
        low, size = int(random.integers(0, 50)), int(random.integers(1, 6))
        if random.random() < 0.5:
            spelled = np.concatenate([known[:low], known[low + size :]])
        else:
            spelled = np.concatenate([known[: low + size], known[low:]])
        events.bases[index, : len(spelled)] = spelled
        events.length[index] = len(spelled)
        # The last is seen by one read only.
        events.reads[index] = 1 if index == 4 else 2
    events.size[0] = 5
    supported = [
        tuple(events.bases[index, : events.length[index]].tolist())
        for index in range(5)
        if events.reads[index] > 1
    ]
    combine_indels(events, reference, 500, 560, 2, merged)
    whole = tuple(known.tolist())
    slow = {combine.combined(whole, one, two) for one in supported for two in supported}
    assert spelled_by(merged).keys() == slow - {None}


@given(seeds)
@repeatable
def test_vote(seed: int) -> None:
    place = Place(seed, 60)
    segments = place.segments()
    whole, events, merged = (empty_haplotypes() for _ in range(3))
    start, end = place.start, place.end
    spell_reads(segments, place.arrays, place.reference, start, end, 15, whole, events)
    merge_supported(whole, 1, merged)
    flank = longest_free(segments) + 32
    before = np.zeros(len(segments.read), np.int64)
    reference_scores(segments, place.reference, start, end, flank, before)
    scores = before.copy()
    chosen = vote(segments, place.arrays, place.reference, start, end, flank, 2, merged, scores)
    table = []
    for index in range(int(merged.size[0])):
        bases = merged.bases[index, : merged.length[index]]
        flanked = with_flanks(bases, place.reference, start, end, flank)
        table.append(
            [
                int(lay_segment(segments, read, flanked, flank, end - start)[0])
                if segments.chosen[read]
                else int(before[read])
                for read in range(len(segments.read))
            ]
        )

    def is_spanned(index: int) -> bool:
        bases = merged.bases[index, : merged.length[index]]
        return spanned(place, segments, bases, before)

    fragments = place.arrays.fragment[segments.read].tolist()
    slow = haplotypes.vote(
        table, before.tolist(), segments.perfect.tolist(), fragments, 2, is_spanned
    )
    assert chosen.tolist() == slow


def spanned(place: Place, segments: Any, bases: NDArray[np.uint8], before: NDArray[Any]) -> bool:
    """Ask the twin whether reads span all places where a haplotype differs."""
    start, end = place.start, place.end
    flank = longest_free(segments) + 32
    flanked = with_flanks(bases, place.reference, start, end, flank)
    witnesses = []
    for index, read in enumerate(segments.read):
        score, first, last, at = lay_segment(segments, index, flanked, flank, end - start)
        gains = score >= before[index] + MIN_GAIN and score + MAX_LOSS >= segments.perfect[index]
        if segments.chosen[index] and gains:
            low = at + first - flank if segments.left_free[index] else -10_000
            high = at + last - flank if segments.right_free[index] else 10_000
            own = place.reads[read]
            witnesses.append(haplotypes.Witness(own.fragment, (own.start, own.end), low, high))
    known = place.stretch.bases(start, end)
    return haplotypes.spanned(haplotypes.differences(bases.tolist(), known), witnesses)


@given(seeds)
@repeatable
def test_differences(seed: int) -> None:
    random = np.random.default_rng(seed)
    known = np.minimum(random_reference(random, 60), 3)
    edited = known.tolist()
    for _ in range(random.integers(1, 4)):
        at, size = int(random.integers(1, len(edited) - 8)), int(random.integers(0, 7))
        edited[at : at + size] = random.integers(0, 4, int(random.integers(0, 7))).tolist()
    bases = np.array(edited, np.uint8)
    lows, highs = np.zeros(len(bases) + 1, np.int64), np.zeros(len(bases) + 1, np.int64)
    found = find_differences(bases, known, lows, highs)
    fast = list(zip(lows[:found].tolist(), highs[:found].tolist(), strict=True))
    assert fast == haplotypes.differences(edited, known.tolist())
    assert bool(found) == (edited != known.tolist())


@given(seeds)
@repeatable
def test_paths(seed: int) -> None:
    place = Place(seed, 30)
    segments = place.segments()
    paths = np.zeros((MAX_PATHS, MAX_LENGTH), np.uint8)
    lengths = np.zeros(MAX_PATHS, np.int64)
    found, start = assemble(
        segments, place.arrays, place.reference, place.start, place.end, 15, paths, lengths
    )
    fast = {tuple(paths[rank, : lengths[rank]].tolist()) for rank in range(found)}
    slow: set[tuple[int, ...]] | None = None
    for k in range(MIN_K, MAX_K + 1, K_STEP):
        lead = place.start - start if found else k + 15
        if lead != k + 15:
            continue
        low = place.start - lead
        reads = []
        for index in np.flatnonzero(segments.chosen):
            read = segments.read[index]
            first = max(place.arrays.base_offset[read], segments.first[index] - lead)
            last = min(place.arrays.base_offset[read + 1], segments.last[index] + lead)
            qualities = place.arrays.qualities[first:last] >= 15
            reads.append((place.arrays.bases[first:last].tolist(), qualities.tolist()))
        codes = place.stretch.bases(low, place.end + lead)
        slow = graphs.paths_of(codes, reads, k, 2) if max(codes) <= 3 else None
        if found or slow:
            break
    if not found:
        return
    assert slow is not None
    assert fast <= slow
    assert fast == slow or len(slow) > MAX_PATHS


@given(seeds)
@repeatable
def test_respelled(seed: int) -> None:
    place = Place(seed)
    count = len(place.reads)
    places = np.zeros(len(place.arrays.bases), np.int32)
    moved = place.usable & (place.random.random(count) < 0.7)
    was_moved = moved.copy()
    expected = []
    for index, read in enumerate(place.reads):
        own = mapped_places(read)
        # Some bases lose their place, so that gaps, insertions and clips arise.
        own = [
            at if place.random.random() < 0.9 else int(place.random.integers(-2, 0)) for at in own
        ]
        places[place.arrays.base_offset[index] : place.arrays.base_offset[index + 1]] = own
        before = read.cigar[0][1] if read.cigar[0][0] == "H" else 0
        after = read.cigar[-1][1] if read.cigar[-1][0] == "H" and len(read.cigar) > 1 else 0
        expected.append(spelling.respelled(own, before, after) if moved[index] else None)
    read_start, read_end = place.arrays.read_start.copy(), place.arrays.read_end.copy()
    trim_places(place.arrays, places, moved, read_start, read_end)
    order = np.arange(count)
    offset = np.zeros(count + 1, np.int64)
    respell(
        place.arrays, places, moved, order, offset,
        np.zeros(0, np.uint8), np.zeros(0, np.int32), write=False,
    )  # fmt: skip
    ops, sizes = np.zeros(offset[-1], np.uint8), np.zeros(offset[-1], np.int32)
    respell(place.arrays, places, moved, order, offset, ops, sizes, write=True)
    for index, read in enumerate(place.reads):
        at = slice(offset[index], offset[index + 1])
        cigar = [("MIDNSHP=X"[op], int(n)) for op, n in zip(ops[at], sizes[at], strict=True)]
        slow = expected[index]
        assert bool(moved[index]) == (slow is not None)
        if slow is None:
            slow = (read.start, read.end, list(read.cigar))
        assert (int(read_start[index]), int(read_end[index]), cigar) == slow
    assert (was_moved | ~moved).all()


@given(seeds)
@repeatable
def test_moved_reads_keep_what_lies_outside_the_region(seed: int) -> None:
    place = Place(seed, 60)
    places = np.zeros(len(place.arrays.bases), np.int32)
    moved = np.zeros(len(place.reads), np.bool_)
    bounds = (np.array([value], np.int64) for value in (place.start, place.end, 1))
    reassemble(place.arrays, place.reference, place.usable, RULES, *bounds, places, moved)
    inside = {segment.read: segment for segment in place.slow_segments()}
    for index in np.flatnonzero(moved).tolist():
        segment = inside[index]
        first = int(place.arrays.base_offset[index])
        now = places[first : int(place.arrays.base_offset[index + 1])].tolist()
        old = mapped_places(place.reads[index])
        assert now[: segment.first] == old[: segment.first]
        assert now[segment.last :] == old[segment.last :]
        aligned = [at for at in now if at >= 0]
        assert aligned == sorted(set(aligned))


def test_composed() -> None:
    assert composed([3, 4, -1, 5, -2], [10, 11, 12, 13, -1, 20]) == [13, -1, -1, 20, -2]
