"""The library profile: each number against reads made to have it."""

import itertools
import json
from collections.abc import Callable, Mapping
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileup.arrays import ReadArrays
from pileup.kernels.reads.library import find_plain, shown_lengths, tally_bases
from tests.builders import (
    DUPLICATE,
    PAIRED,
    PROPER,
    REVERSE,
    ReadGroup,
    ReadsBuilder,
    parse_cigar,
    random_sequence,
    substitute,
    write_reference,
)
from varcall.cli.profile import profile as profile_command
from varcall.inputs.open import Inputs, open_inputs
from varcall.reads.library_profile import (
    PRIOR_SLIPPAGE,
    STATED_MISMATCHES,
    USUAL_REF_AT_HOM,
    USUAL_SNV_DENSITY,
    LibraryProfile,
)
from varcall.reads.measure_library import (
    CELL,
    PRIOR_DENSITY_BASES,
    PRIOR_HOM_BASES,
    _cells,
    measure_profile,
)

RUN = 13
RUN_AT = 3000


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 kb without homopolymers of 6, but one of 13 bases."""
    bases = random_sequence(30_000)
    bases = "".join(
        "ACGT"["CGTA".index(b)] if i % 4 == 0 and bases[i - 1] == b else b
        for i, b in enumerate(bases)
    )
    for base in "ACGT":
        bases = bases.replace(base * 6, base * 3 + "ACGT"["CGTA".index(base)] + base * 2)
    text = bases[: RUN_AT - 1] + "C" + "A" * RUN + "G" + bases[RUN_AT + RUN + 1 :]
    folder = tmp_path_factory.mktemp("profile")
    return write_reference(folder / "ref.fa", {"chr1": text, "chr2": random_sequence(9000, 3)})


def measured(reads: ReadsBuilder, folder: Path, **options: object) -> LibraryProfile:
    path = reads.write_bam(folder / "reads.bam")
    return measure_profile(open_inputs(path, reads.reference, **options))  # type: ignore[arg-type]


def test_pairs_insert_size_and_read_length(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference)
    for number in range(300):
        reads.add_pair(start=number * 90, insert_size=300 + 10 * (number % 11), read_length=75)
    profile = measured(reads, tmp_path)
    assert (profile.paired, profile.read_length, profile.platform) == (True, 75, "illumina")
    assert profile.insert_size == 350
    assert 30 <= profile.insert_size_sd <= 40
    assert profile.proper_share == 1
    assert profile.error_rate == 0
    assert profile.duplicate_rate == 0
    assert profile.quality_levels == 1


def test_the_share_of_proper_pairs_is_of_the_paired_reads(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference)
    for start in range(0, 20_000, 50):
        flag = {0: PAIRED | PROPER, 50: PAIRED, 100: 0, 150: PROPER}[start % 200]
        reads.add(start=start, cigar="100M", flag=flag)
    assert measured(reads, tmp_path).proper_share == pytest.approx(0.5, abs=0.01)


def test_depth_is_without_duplicates(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference)
    for start in range(0, 29_900, 5):
        reads.add(start=start, cigar="100M")
        if start % 20 == 0:
            reads.add(start=start, cigar="100M", flag=DUPLICATE)
    profile = measured(reads, tmp_path)
    assert profile.depth == pytest.approx(20, rel=0.02)
    assert profile.duplicate_rate == pytest.approx(0.2, abs=0.005)
    assert not profile.paired
    assert profile.insert_size == 0


def test_a_collapsed_repeat_does_not_move_the_depth(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference).tile(step=10, read_length=100)
    for number in range(400):
        reads.add(start=8000 + number % 7, cigar="100M")
    assert measured(reads, tmp_path).depth == pytest.approx(10, rel=0.1)


def test_error_rate_counts_good_bases_away_from_variants(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference)
    sequence = reads.sequences["chr1"]
    variant = {at: "ACGT"["CGTA".index(sequence[at])] for at in range(500, 29_000, 500)}
    errors = bases = 0
    for number, start in enumerate(range(4000, 29_800, 10)):
        letters = substitute(
            sequence[start : start + 100],
            {at - start: base for at, base in variant.items() if start <= at < start + 100}
            if number % 2
            else {},
        )
        qualities = [37] * 100
        if number % 5 == 0:
            # One mismatch of good quality, and one that the machine itself doubted.
            for at, quality in ((number % 97, 37), (98, 8)):
                letters = substitute(letters, {at: "ACGT"["GTAC".index(letters[at])]})
                qualities[at] = quality
            errors += 1
        bases += 100
        reads.add(start=start, cigar="100M", seq=letters, qual=qualities)
    profile = measured(reads, tmp_path)
    assert profile.error_rate == pytest.approx(errors / bases, rel=0.05)
    assert profile.quality_levels == 2


def test_slippage_is_the_share_of_reads_off_the_mode(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference).tile(start=5000, step=20)
    before, after = 40, 60 - RUN
    start = RUN_AT - before
    for number in range(100):
        if number < 10:
            # Aligners put the gap at the left end of the run.
            reads.add(start=start, cigar=f"{before}M1D{after + RUN - 1}M")
        elif number < 15:
            reads.add(start=start, cigar=f"{before}M1I{after + RUN}M", inserted="A")
        else:
            reads.add(start=start, cigar=f"{before + RUN + after}M")
    # These do not span the run, or change it by something else than its own base.
    reads.add(start=RUN_AT - 2, cigar="50M")
    reads.add(start=start, cigar=f"{before}M1I{after + RUN}M", inserted="T")
    profile = measured(reads, tmp_path)
    assert profile.slippage_reads == (0, 0, 100, 0)
    assert profile.slippage[2] == pytest.approx((15 + 20 * PRIOR_SLIPPAGE[2]) / 120, abs=1e-4)
    assert profile.slippage[0] == PRIOR_SLIPPAGE[0]


def test_a_heterozygous_run_is_no_slippage(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference).tile(start=5000, step=20)
    for number in range(40):
        cigar = "40M1D60M" if number % 2 else "101M"
        reads.add(start=RUN_AT - 40, cigar=cigar)
    assert measured(reads, tmp_path).slippage_reads == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("platform", "length", "expected"),
    [
        ("PACBIO", 2000, "pacbio"),
        ("ONT", 2000, "ont"),
        ("", 100, "illumina"),
        ("", 2000, "unknown"),
        ("DNBSEQ", 100, "dnbseq"),
        ("MGI", 100, "dnbseq"),
        ("NANOPORE", 2000, "ont"),
        ("CAPILLARY", 100, "illumina"),
    ],
)
def test_platform(
    reference: Path, tmp_path: Path, platform: str, length: int, expected: str
) -> None:
    reads = ReadsBuilder(reference, read_groups=[ReadGroup(platform=platform)])
    reads.tile(read_length=length, step=length // 5)
    assert measured(reads, tmp_path).platform == expected


def test_only_the_chosen_sample_is_measured(reference: Path, tmp_path: Path) -> None:
    groups = [ReadGroup("a", "S1"), ReadGroup("b", "S2")]
    reads = ReadsBuilder(reference, read_groups=groups)
    for start in range(0, 29_000, 20):
        reads.add(start=start, cigar="60M", read_group="a")
        reads.add(start=start, cigar="90M", read_group="b")
    assert measured(reads, tmp_path, sample="S1").read_length == 60
    assert measured(reads, tmp_path, sample="S2").read_length == 90


def test_d1_it_does_not_depend_on_regions(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference).tile(step=7).tile(contig="chr2", step=30)
    whole = measured(reads, tmp_path)
    assert measured(reads, tmp_path, regions=["chr2:100-200"]) == whole
    assert measured(reads, tmp_path) == whole


def test_bam_and_cram_give_the_same(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference).tile(step=7).tile(contig="chr2", step=30)
    cram = reads.write_cram(tmp_path / "reads.cram")
    assert measure_profile(open_inputs(cram, reference)) == measured(reads, tmp_path)


def test_no_reads(reference: Path, tmp_path: Path) -> None:
    profile = measured(ReadsBuilder(reference, read_groups=[]), tmp_path)
    assert profile == LibraryProfile()
    assert isnan(profile.low_fraction_share)
    spelled = profile.to_json()
    assert json.loads(spelled)["low_fraction_share"] is None
    again = LibraryProfile.from_json(spelled)
    assert again == profile
    assert isnan(again.low_fraction_share)


@settings(max_examples=30)
@given(
    spans=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 60_000), st.integers(1, 30_000)), max_size=6
    )
)
def test_cells_cover_what_is_occupied_once_and_spread_evenly(
    spans: list[tuple[int, int, int]],
) -> None:
    lengths = {"a": 70_500, "b": 40_100}
    occupied = tuple((number, start, start + length) for number, start, length in spans)
    inputs = Inputs(
        reads=Path("x"), index=Path("x"), reference=Path("x"), is_cram=False, sample="s",
        read_groups=None, platform="", contigs=lengths, md5={}, mapped={}, regions=(), header="",
        header_contigs=lengths,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("varcall.inputs.open.occupied_spans", lambda path: occupied)
        cells = list(_cells(inputs))
    expected = {
        (name, cell)
        for number, start, end in occupied
        for name in ["ab"[number]]
        if start < lengths[name]
        for cell in range(start // CELL, -(-min(end, lengths[name]) // CELL))
    }
    found = [(cell.contig, cell.start // CELL) for cell in cells]
    assert len(found) == len(set(found))
    assert set(found) >= expected
    assert all(cell.end <= lengths[cell.contig] and len(cell) > 0 for cell in cells)
    # Any first half of them holds no two neighbours more than it must.
    ranks = [sorted(found).index(cell) for cell in found]
    half = sorted(ranks[: len(ranks) // 4])
    assert all(b - a > 1 for a, b in itertools.pairwise(half))


cigars = st.lists(
    st.tuples(st.sampled_from("MMMIDN=XSH"), st.integers(1, 9)), min_size=1, max_size=8
).map(lambda ops: "".join(f"{length}{op}" for op, length in ops))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 40), cigars), min_size=1, max_size=5), st.integers(0, 99))
def test_kernels_equal_their_slow_twins(reads: list[tuple[int, str]], seed: int) -> None:
    reads = sorted(reads)
    rng = np.random.default_rng(seed)
    ops = [parse_cigar(cigar) for _, cigar in reads]
    codes = [[("MIDNSHP=X".index(op), length) for op, length in read] for read in ops]
    n_bases = [sum(n for op, n in read if op in (0, 1, 4, 7, 8)) for read in codes]
    n_span = [sum(n for op, n in read if op in (0, 2, 3, 7, 8)) for read in codes]
    n = len(reads)
    start = np.array([at for at, _ in reads], dtype=np.int32)
    end = start + np.array(n_span, dtype=np.int32)
    base_offset = np.concatenate(([0], np.cumsum(n_bases))).astype(np.int64)
    bases = rng.integers(0, 2, base_offset[-1]).astype(np.uint8)
    qualities = rng.integers(0, 40, base_offset[-1]).astype(np.uint8)
    flat = [pair for read in codes for pair in read]
    cigar_offset = np.concatenate(([0], np.cumsum([len(read) for read in codes]))).astype(np.int64)
    arrays = ReadArrays(
        read_start=start,
        read_end=end,
        mapq=np.zeros(n, np.uint8),
        flag=np.zeros(n, np.uint16),
        fragment=np.arange(n, dtype=np.int32),
        name_hash=np.zeros(n, np.uint64),
        template_length=np.zeros(n, np.int32),
        base_offset=base_offset,
        bases=bases,
        qualities=qualities,
        cigar_offset=cigar_offset,
        cigar_op=np.array([op for op, _ in flat], dtype=np.uint8),
        cigar_length=np.array([size for _, size in flat], dtype=np.int32),
    )
    used = rng.random(n) < 0.8
    covering = rng.random(n) < 0.6

    first, span = 10, 30
    counts, coverage = np.zeros((span, 4), np.int32), np.zeros(span, np.int32)
    tally_bases(arrays, covering, used, first, 20, counts, coverage)
    slow_counts, slow_coverage = np.zeros_like(counts), np.zeros_like(coverage)
    run_start, run_end = np.array([14, 25]), np.array([20, 31])
    histogram = np.zeros((2, 7), np.int32)
    shown_lengths(arrays, used, run_start, run_end, np.zeros(2, np.uint8), 3, histogram)
    slow_histogram = np.zeros_like(histogram)
    for number in range(n):
        at, query = int(start[number]), int(base_offset[number])
        pieces = []
        for op, length in codes[number]:
            for _ in range(length):
                if op in (0, 7, 8) and 0 <= at - first < span:
                    slow_coverage[at - first] += covering[number]
                    if used[number] and qualities[query] >= 20:
                        slow_counts[at - first, bases[query]] += 1
                if op in (1, 2, 3):
                    pieces.append((op, at, length, query))
                at += op in (0, 2, 3, 7, 8)
                query += op in (0, 1, 4, 7, 8)
        for run in range(2):
            change = slow_change(pieces, bases, int(run_start[run]), int(run_end[run]))
            if start[number] <= run_start[run] - 3 and end[number] >= run_end[run] + 3:
                if used[number] and change is not None:
                    slow_histogram[run, 3 + max(-3, min(3, change))] += 1
    np.testing.assert_array_equal(coverage, slow_coverage)
    np.testing.assert_array_equal(counts, slow_counts)
    np.testing.assert_array_equal(histogram, slow_histogram)


def test_errors_are_counted_where_nothing_looks_variant() -> None:
    counts = np.array(
        [[9, 1, 0, 0], [0, 8, 2, 0], [1, 1, 1, 7], [2, 0, 0, 2], [10, 0, 0, 1], [50, 3, 2, 0]],
        dtype=np.int32,
    )
    # The second looks variant, the fourth is too shallow, the fifth is unknown in the reference.
    reference = np.array([0, 1, 3, 0, 4, 0], dtype=np.uint8)
    plain, fraction = np.zeros(6, np.bool_), np.zeros(6)
    find_plain(counts, reference, 5, 2, 0.12, plain, fraction)
    assert plain.tolist() == [True, False, True, False, False, True]
    assert fraction.tolist() == [0, 0.2, 0, 0, 0, 0]


def wrong(base: str) -> str:
    return "ACGT"["CGTA".index(base)]


def test_mismatches_by_stated_quality(reference: Path, tmp_path: Path) -> None:
    """Qualities of 35 that err as often as 20 should, of 25 as they say, and none of the others."""
    reads = ReadsBuilder(reference)
    sequence = reads.sequences["chr1"]
    for number, start in enumerate(range(4000, 29_800, 5)):
        errors = {number * 7 % 50: number % 2 == 0, 50 + number * 7 % 50: number % 5 == 0}
        changed = {at: wrong(sequence[start + at]) for at, is_wrong in errors.items() if is_wrong}
        letters = substitute(sequence[start : start + 100], changed)
        reads.add(start=start, cigar="100M", seq=letters, qual=[35] * 50 + [25] * 50)
    profile = measured(reads, tmp_path)
    assert profile.mismatch_by_quality[4] == pytest.approx(0.01, rel=0.05)
    assert profile.mismatch_by_quality[3] == pytest.approx(0.004, rel=0.05)
    assert profile.mismatch_by_quality[:3] == STATED_MISMATCHES[:3]
    assert profile.error_by_quality()[[255, 9, 25, 35, 254]].tolist() == [
        profile.mismatch_by_quality[number] for number in (0, 1, 3, 4, 5)
    ]
    assert profile.mismatch_rate == pytest.approx(0.007, rel=0.05)
    assert 0 < profile.mismatch_rate_sd < 0.1
    assert (profile.base_quality, profile.base_quality_sd) == (30, 5)


def test_absent_qualities_are_measured_and_never_good(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference)
    sequence = reads.sequences["chr1"]
    for number, start in enumerate(range(4000, 29_800, 5)):
        at = number * 7 % 100
        changed = {at: wrong(sequence[start + at])} if number % 2 else {}
        letters = substitute(sequence[start : start + 100], changed)
        reads.add(start=start, cigar="100M", seq=letters, qual="*", mapq=255)
    profile = measured(reads, tmp_path)
    assert profile.mismatch_by_quality[0] == pytest.approx(0.005, rel=0.05)
    assert profile.mismatch_by_quality[1:] == STATED_MISMATCHES[1:]
    assert (profile.base_quality, profile.base_quality_sd, profile.mapq) == (0, 0, 60)


def test_clips_and_sure_mapping_quality(reference: Path, tmp_path: Path) -> None:
    reads = ReadsBuilder(reference)
    for number, start in enumerate(range(1000, 29_000, 10)):
        cigar = "20S80M" if number % 4 == 0 else "100M"
        reads.add(start=start, cigar=cigar, mapq=0 if number % 7 == 0 else 42)
    profile = measured(reads, tmp_path)
    assert profile.clipped_share == pytest.approx(0.25, abs=0.01)
    assert profile.clip_rate == pytest.approx(0.05, abs=0.002)
    assert profile.clip_rate_sd == pytest.approx((0.25 * 0.04 - 0.0025) ** 0.5, rel=0.02)
    assert profile.mapq == 42


def variant_reads(
    reference: Path,
    show: Callable[[int, Mapping[int, str]], Mapping[int, str]],
    *,
    apart: int = 500,
    step: int = 4,
) -> tuple[ReadsBuilder, list[int]]:
    """Tile reads of 100 bases over SNVs; return them and the positions of the SNVs.

    `show` is given a read's number and the SNVs that lie in it (position: base), and returns those
    that it shows.
    """
    reads = ReadsBuilder(reference)
    sequence = reads.sequences["chr1"]
    variant = {at: wrong(sequence[at]) for at in range(4500, 29_000, apart)}
    for number, start in enumerate(range(4000, 29_800, step)):
        inside = {at: base for at, base in variant.items() if start <= at < start + 100}
        shown = {at - start: base for at, base in show(number, inside).items()}
        letters = substitute(sequence[start : start + 100], shown)
        reads.add(start=start, cigar="100M", seq=letters)
    return reads, list(variant)


def as_het(number: int, snvs: Mapping[int, str]) -> Mapping[int, str]:
    return {} if number % 2 else snvs


@pytest.mark.parametrize(("every", "expected"), [(2, 0.0), (6, 1.0)])
def test_the_share_of_candidates_with_few_reads(
    reference: Path, tmp_path: Path, every: int, expected: float
) -> None:
    """Hets have half of the reads, noise that recurs a sixth."""
    reads, _ = variant_reads(reference, lambda number, snvs: {} if number % every else snvs)
    profile = measured(reads, tmp_path)
    assert profile.low_fraction_share == expected
    again = LibraryProfile.from_json(profile.to_json())
    assert again == profile
    assert again.low_fraction_share == expected


@pytest.mark.parametrize(("apart", "depth"), [(500, 25), (2500, 25), (500, 8)])
def test_how_dense_snvs_are(reference: Path, tmp_path: Path, apart: int, depth: int) -> None:
    """Hets of half of the reads count where 10 reads and more lie; few bases say little."""
    reads, variant = variant_reads(reference, as_het, apart=apart, step=100 // depth)
    searched = 25_800 if depth >= 10 else 0
    found = len(variant) if searched else 0
    usual = USUAL_SNV_DENSITY * PRIOR_DENSITY_BASES
    expected = (found + usual) / (searched + PRIOR_DENSITY_BASES)
    assert measured(reads, tmp_path).snv_density == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("every", [0, 20, 6])
def test_ref_bases_of_homozygous_snvs(reference: Path, tmp_path: Path, every: int) -> None:
    """Of the SNVs every other is het; of all reads each so many-th is of someone without any."""
    seen = np.zeros(2)

    def of_two_people(number: int, snvs: Mapping[int, str]) -> Mapping[int, str]:
        hom = {at: base for at, base in snvs.items() if at % 1000 == 500}
        foreign = bool(every) and number % every == 3
        seen[:] += len(hom) * np.array([foreign, True])
        return {} if foreign else {**hom, **(snvs if number % 2 else {})}

    reads, _ = variant_reads(reference, of_two_people)
    prior = np.array([USUAL_REF_AT_HOM, 1]) * PRIOR_HOM_BASES
    share, whole = seen + prior
    expected = pytest.approx(share / whole, rel=0.01, abs=2e-4)
    assert measured(reads, tmp_path).ref_at_hom == expected


def test_hets_alone_say_nothing_of_homozygous_snvs(reference: Path, tmp_path: Path) -> None:
    reads, _ = variant_reads(reference, as_het)
    assert measured(reads, tmp_path).ref_at_hom == pytest.approx(USUAL_REF_AT_HOM, abs=2e-4)


@pytest.mark.parametrize(("errors", "expected"), [(2, "pacbio"), (20, "ont")])
def test_long_reads_look_like_what_they_are(
    reference: Path, tmp_path: Path, errors: int, expected: str
) -> None:
    """Errors in 1,000 bases tell, whatever the header says."""
    reads = ReadsBuilder(reference, read_groups=[ReadGroup(platform="ILLUMINA")])
    sequence = reads.sequences["chr1"]
    for number, start in enumerate(range(0, 28_000, 200)):
        places = [(number * 37 + 97 * i) % 2000 for i in range(2 * errors)]
        changed = {at: wrong(sequence[start + at]) for at in places}
        letters = substitute(sequence[start : start + 2000], changed)
        reads.add(start=start, cigar="2000M", seq=letters)
    profile = measured(reads, tmp_path)
    assert (profile.platform, profile.looks_like) == ("illumina", expected)


def slow_change(
    pieces: list[tuple[int, int, int, int]], bases: np.ndarray, low: int, high: int
) -> int | None:
    """Change of one run by the single inserted and deleted bases of a read; None if unclear."""
    change = 0
    for op, at, _, query in pieces:
        if op == 1:
            if low <= at <= high:
                if bases[query] != 0:
                    return None
                change += 1
            elif low - 3 < at < high + 3:
                return None
        elif low <= at < high and op == 2:
            change -= 1
        elif low - 3 <= at < high + 3:
            return None
    return change


@pytest.mark.shared_data
def test_real_libraries_differ_as_known(shared_data: Path) -> None:
    """A PCR-free 30x library and an old one of 7x, measured once and looked at."""
    slices = shared_data / "slices"
    fasta = shared_data / "reference" / "hs37_chr20.fa.gz"
    old = measure_profile(open_inputs(slices / "HG001_7x_b37_20_10.00-10.27Mb.bam", fasta))
    assert (old.read_length, old.paired, old.platform) == (101, True, "illumina")
    assert 6.5 < old.depth < 8.5
    assert 0.1 < old.duplicate_rate < 0.16
    novaseq = slices / "NA19401_NovaSeq30x_GRCh38_chr21_chr22_16.57-16.61Mb.bam"
    fasta = shared_data / "reference" / "GRCh38_chr21_chr22_16.57-16.61Mb_from_reads.fa.gz"
    new = measure_profile(open_inputs(novaseq, fasta))
    assert 29 < new.depth < 35
    assert new.quality_levels < 10 < old.quality_levels
    assert new.slippage_reads[0] > 1000


def test_command_writes_json(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ReadsBuilder(reference).tile(step=20).write_bam(tmp_path / "reads.bam")
    expected = measure_profile(open_inputs(path, reference))
    profile_command(path, reference=reference, output=str(tmp_path / "p.json"))
    profile_command(path, reference=reference)
    written = (tmp_path / "p.json").read_text()
    assert written == capsys.readouterr().out
    fields = json.loads(written)
    assert (
        LibraryProfile(
            **{
                key: tuple(value) if isinstance(value, list) else value
                for key, value in fields.items()
            }
        )
        == expected
    )


@pytest.mark.parametrize(
    ("apart", "cigar", "flag", "expected"),
    [
        (300, "100M", 0, 1.0),
        (300, "100M", REVERSE, 1.0),
        (300, "5S95M", 0, 1.0),
        (300, "20S80M", 0, 0.0),
        (300, "20H80M", 0, 0.0),
        (300, "80M20S", REVERSE, 0.0),
        (300, "80M20S", 0, 1.0),
        (300, "100M", DUPLICATE, 0.0),
        (3, "100M", 0, 0.0),
    ],
)
def test_reads_that_begin_in_stacks(
    reference: Path, tmp_path: Path, apart: int, cigar: str, flag: int, expected: float
) -> None:
    """Of amplicons, unless their primers were clipped; where reads begin all over, none are."""
    reads = ReadsBuilder(reference)
    for start in range(0, 18_000, apart):
        for _ in range(12):
            reads.add(start=start, cigar=cigar, flag=flag)
    assert measured(reads, tmp_path).stack_share == pytest.approx(expected, abs=0.02)
