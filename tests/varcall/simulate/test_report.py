"""The realism report: what it measures on reads whose habits are known, and how it compares."""

from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest

from tests.builders import DUPLICATE, REVERSE
from tests.varcall.evidence.loci import Locus, sequence_with, window_of
from varcall.cli.simulate import simulate
from varcall.errors import InputError, UsageError
from varcall.evidence.window import WindowReads
from varcall.reads.batch import ReadFilter
from varcall.reads.library_profile import LibraryProfile
from varcall.simulate import SimulatedSample
from varcall.simulate.report.base_errors import ErrorTally
from varcall.simulate.report.bases import aligned_bases, context_of, variant_positions
from varcall.simulate.report.candidates import CandidateTally
from varcall.simulate.report.chunk import Metrics
from varcall.simulate.report.comparison import Row, compare, write_table
from varcall.simulate.report.reads import DepthTally, ReadTally
from varcall.simulate.report.run import ReportOptions, run_report
from varcall.simulate.report.runs import RunTally
from varcall.simulate.report.sample import ReportSample, measure_sample

RUN = 12
SEQUENCE = sequence_with("A" * RUN, flank=600)
RUN_START = 600
NEXT = {"A": "C", "C": "G", "G": "T", "T": "A"}


def other(position: int) -> dict[int, str]:
    return {position: NEXT[SEQUENCE[position]]}


def chunk_of(locus: Locus, start: int = 0, end: int = 1200) -> WindowReads:
    batch = locus.load(read_filter=ReadFilter(min_mapq=0, exclude_flags=0x4))
    return window_of(batch, locus.reference, start, end)


def flat(measured: dict[str, Metrics]) -> dict[str, float]:
    return {f"{g}: {n}": value for g, metrics in measured.items() for n, value in metrics.items()}


def tallied(tally: object, chunk: WindowReads) -> dict[str, float]:
    tally.add(chunk)
    return flat(tally.metrics())


def test_aligned_bases_of_both_strands_with_indels_and_clips(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    locus.show(1, 100, "5S10M2D10M3I10M", flag=0, inserted="ACG")
    locus.show(1, 105, "20M", flag=REVERSE)
    chunk = chunk_of(locus)
    bases = aligned_bases(chunk.reads.arrays, np.ones(2, bool), 0, 1200)
    first = bases.subset(bases.read == 0)
    assert first.position.tolist() == [*range(100, 110), *range(112, 132)]
    assert first.cycle[0] == pytest.approx(5 / 38)
    second = bases.subset(bases.read == 1)
    assert second.cycle[[0, -1]] == pytest.approx([19 / 20, 0.0])
    expected = ["ACGT".index(SEQUENCE[p]) for p in second.position]
    assert second.base.tolist() == expected
    inside = aligned_bases(chunk.reads.arrays, np.array([False, True]), 110, 115)
    assert inside.position.tolist() == list(range(110, 115))


def test_context_is_that_of_the_machine(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    start = RUN_START - 10
    locus.show(1, start, "40M", flag=0).show(1, start, "40M", flag=REVERSE)
    chunk = chunk_of(locus)
    bases = aligned_bases(chunk.reads.arrays, np.ones(2, bool), 0, 1200)
    context = context_of(bases, chunk.reference)
    behind = bases.position == RUN_START + RUN
    assert context.run[behind & ~bases.reverse].tolist() == [RUN]
    assert context.previous[behind & ~bases.reverse].tolist() == [0]
    before = bases.position == RUN_START - 1
    assert context.run[before & bases.reverse].tolist() == [RUN]
    assert context.previous[before & bases.reverse].tolist() == [3]
    complement = 3 - "ACGT".index(SEQUENCE[RUN_START - 1])
    assert context.true_base[before & bases.reverse].tolist() == [complement]


def test_errors_by_quality_and_strand_and_not_at_variants(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    locus.show(8, 100, "60M").show(8, 100, "60M", other(130))
    locus.show(1, 100, "60M", other(110), flag=0, qual=30)
    locus.show(1, 100, "60M", other(120), flag=REVERSE, qual=12)
    chunk = chunk_of(locus)
    bases = aligned_bases(chunk.reads.arrays, np.ones(18, bool), 0, 1200)
    variant = variant_positions(bases, chunk.reference)
    assert np.flatnonzero(variant).tolist() == [130 - chunk.reference.start]
    measured = tallied(ErrorTally(), chunk)
    assert measured["error rate: all bases"] == pytest.approx(2 / (18 * 59))
    assert measured["error rate: Q20 and more"] == pytest.approx(1 / (17 * 59))
    assert measured["error rate: Q0-14"] == pytest.approx(1 / 59)
    change = f"{SEQUENCE[110]}>{NEXT[SEQUENCE[110]]}"
    assert measured[f"substitutions, share of errors: {change}"] == 1
    assert measured["positions with repeated errors, per kb: 2 or more"] == 0
    assert measured["base quality: share Q0-14"] == pytest.approx(1 / 18)


def test_reads_and_depth(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    for start in range(0, 1100, 25):
        locus.show(2, start, "100M")
    locus.show(4, 300, "80M20S", mapq=30).show(4, 300, "100M", flag=DUPLICATE)
    chunk = chunk_of(locus, 0, 1000)
    measured = tallied(ReadTally(), chunk)
    total = 2 * len(range(0, 1000, 25)) + 8
    assert measured["reads: share flagged duplicate"] == pytest.approx(4 / total)
    assert measured["soft clips: median clip"] == 20
    assert measured["mapping quality, share of reads: 20-59"] == pytest.approx(4 / total)
    assert isnan(measured["insert size: median"])
    depth = tallied(DepthTally(), chunk)
    assert 7.5 < depth["depth: mean"] < 9
    assert depth["depth: coefficient of variation (500 bp)"] < 0.1


def test_slips_and_what_follows_a_run(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    start = RUN_START - 40
    locus.show(18, start, f"{40 + RUN + 40}M")
    locus.show(2, start, f"40M1I{RUN + 40}M", inserted="A")
    # Bases after the run are wrong and bad on the strand that comes through it.
    after = RUN_START + RUN + 5
    bad = [30] * (RUN + 45) + [10] + [30] * 34
    locus.show(2, start, f"{40 + RUN + 40}M", other(after), flag=0, qual=bad)
    measured = tallied(RunTally(), chunk_of(locus))
    assert measured["slippage, share of reads: run of 12-14"] == pytest.approx(2 / 22)
    assert measured["slippage, share of reads: share of gains, runs of 9 and more"] == 1
    followed = "40 bases after a homopolymer"
    # The reads of the other strand come to the 40 bases on the left.
    assert measured[f"{followed}: error rate, run of 10-12"] == pytest.approx(2 / (22 * 40))
    assert measured[f"{followed}: share below Q20, run of 10-12"] == pytest.approx(2 / (22 * 40))
    assert isnan(measured[f"{followed}: error rate, run of 17-40"])


def test_candidates_with_and_without_truth(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    # Reads of one strand: the ends of others would be primers of an amplicon at the second SNV.
    locus.show(12, 100, "60M", flag=0).show(12, 100, "60M", other(130), flag=0)
    locus.show(5, 100, "60M", other(140), flag=0, qual=15)
    chunk = chunk_of(locus)
    for with_truth, expected in ((False, nan), (True, 1e6 / 1200)):
        profile = LibraryProfile(base_quality=30.0, base_quality_sd=8.0)
        tally = CandidateTally(profile, with_truth=with_truth)
        tally.add(chunk, [])
        measured = flat(tally.metrics())
        assert measured["candidates per Mb: SNV"] == pytest.approx(2e6 / 1200)
        assert measured["noise (VAF < 0.25) per Mb: SNV"] == pytest.approx(1e6 / 1200)
        assert measured["noisy SNV candidates: on one strand only"] == 1
        assert measured["noisy SNV candidates: base quality, z of the library's"] == pytest.approx(
            -1.5
        )
        false = measured["not in truth, per Mb: SNV, VAF 0.00-0.25"]
        assert false == pytest.approx(expected, nan_ok=True)


def test_comparison() -> None:
    simulated = [{"g": {"a": float(value), "b": nan}} for value in range(1, 101)]
    (first, second) = compare(
        [{"g": {"a": 50.0, "b": 1.0}}, {"g": {"a": 0.0, "b": nan}}], simulated
    )
    assert first.verdicts == ("yes", "LOW")
    assert second.verdicts == ("-", "-")
    assert first.simulated[1] == 50.5
    assert Row("g", "a", (99.0,), (1.0, 2.0, 3.0)).verdicts == ("HIGH",)
    text = "\n".join(write_table([first, second], ["one.bam", "two.bam"]))
    assert "one.bam: 1 of 1 metrics" in text
    assert "two.bam: 0 of 1 metrics" in text


def test_the_report_of_simulated_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate(random_genome=25_000, output=tmp_path / "one", mapper="exact", depth="12")
    reads, reference = tmp_path / "one.bam", tmp_path / "one.fa"
    page = tmp_path / "report.html"
    simulate(report=[reads], against=[tmp_path], reference=reference, output=page)
    text = capsys.readouterr().out
    assert "1 simulated samples" in text
    assert "40 bases after a homopolymer" in text
    assert "real 1 is one.bam" in text
    assert page.read_text().count("data:image/png;base64,") >= 15
    assert "<script" not in page.read_text()
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no simulated samples"):
        run_report(ReportOptions((reads,), reference, (tmp_path / "none",), reference))


def test_a_truth_without_index_is_refused(tmp_path: Path, small_sample: SimulatedSample) -> None:
    truth = tmp_path / "truth.vcf.gz"
    truth.write_bytes(small_sample.truth.read_bytes())
    sample = ReportSample(small_sample.bam, small_sample.reference, (truth,), small_sample.bed)
    with pytest.raises(InputError, match=rf"cannot read truth {truth} .*: tabix {truth}"):
        measure_sample(sample, depth=30.0)


def test_usage(tmp_path: Path) -> None:
    reads = tmp_path / "a.bam"
    with pytest.raises(UsageError, match="--against"):
        simulate(report=[reads], reference=tmp_path / "r.fa")
    with pytest.raises(UsageError, match=r"\.html"):
        ReportOptions((reads,), reads, (reads,), reads, output=tmp_path / "a.png")
    with pytest.raises(UsageError, match="one real sample"):
        ReportOptions((reads, reads), reads, (reads,), reads, truths=(tmp_path / "t.vcf.gz",))
