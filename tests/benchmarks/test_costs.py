"""Costs, stages and growth: the arithmetic, on numbers small enough to do by hand."""

import math
from pathlib import Path

import pytest

from benchmarks.compare_callers import Targets, cost_table, target_notes
from benchmarks.microbenchmarks import rows
from benchmarks.runs.callers import Caller, Job, Usage
from benchmarks.runs.costs import Cost, Run, around_middle, parts, time_jobs
from benchmarks.runs.stages import (
    BUDGETS,
    PROFILE,
    Stages,
    genome_table,
    minutes_of_genome,
    stage_table,
)
from benchmarks.scaling import exponent, first_bases, growth_table, worker_table
from varcall.workers.timings import Timings
from varcall.workers.window_worker import STAGES

JOB = Job(Path("reads.bam"), Path("ref.fa"), "20:1-1000000", Path("calls.vcf.gz"))


def cost(*cpus: float, start_up: float = 1.0, wall: float = 2.0, peak_mb: float = 100.0) -> Cost:
    runs = tuple(Run(Usage(wall, cpu, peak_mb), JOB) for cpu in cpus)
    return Cost(
        runs, (Run(Usage(1.5, start_up + 5, 1.0), JOB), Run(Usage(1.0, start_up, 1.0), JOB))
    )


def stages() -> Stages:
    return Stages({PROFILE: 0.5, **dict.fromkeys(STAGES, 0.25), "write": 0.05}, {"pictures": 40})


def test_cost_is_the_least_run_less_the_least_start_up() -> None:
    assert cost(5.0, 3.0, 7.0).cpu == 2.0
    assert cost(5.0, 3.0, 7.0).median_cpu == 5.0


def test_share_of_a_peer_is_told_with_and_without_start_up() -> None:
    costs = {"varcall": cost(3.0), "bcftools": cost(4.2, start_up=0.2)}
    table = cost_table(costs, Targets({"bcftools": 0.5}))
    assert "0.50" in table.rows[0]
    (note,) = table.notes
    assert "0.500, wanted at most 0.5: reached;" in note
    assert note.endswith("0.476, all by all 0.714")
    (note,) = target_notes(costs, Targets({"bcftools": 0.49}))
    assert "not reached" in note
    assert list(target_notes(costs, Targets({"freebayes": 0.1}))) == []


def test_every_stage_has_one_budget() -> None:
    budgeted = [stage for budget in BUDGETS for stage in budget.stages]
    assert sorted(budgeted) == sorted([*STAGES, "write"])


def test_stages_read_what_varcall_writes(tmp_path: Path) -> None:
    Timings().save(tmp_path / "timings.tsv")
    read = Stages.read(tmp_path / "timings.tsv")
    assert set(read.seconds) == {PROFILE, *STAGES, "write"}
    assert read.counts["pictures"] == 0


def test_what_stages_cost_at_the_start_is_no_calling() -> None:
    start = Stages({PROFILE: 0.4, **dict.fromkeys(STAGES, 0.1), "write": 0.0}, {"pictures": 1})
    calling = stages().less(start)
    assert calling.of(STAGES) == pytest.approx(0.15 * len(STAGES))
    assert calling.seconds[PROFILE] == 0.5
    assert calling.counts["pictures"] == 40


def test_stages_and_the_rest_add_up() -> None:
    lines = stage_table("stages", cost(4.0), stages()).markdown().splitlines()
    assert stages().by_length == pytest.approx(2.8)
    assert "| in no stage | 0.200 | 0.050 |" in lines
    assert "| all | 4.000 | 1.000 |" in lines


def test_genome_is_a_multiple_of_the_stretch() -> None:
    assert minutes_of_genome(6.0, 3_100_000) == pytest.approx(100.0)
    table = genome_table(cost(4.0), stages(), 3_100_000, {"bcftools": cost(37.0)})
    text = table.markdown()
    # 0.25 s × 1000 / 60, and 3 s × 1000 / 60 with the start-up of one second paid once.
    assert "| read BAM into arrays | 20 | 0.25 | 16.667 | 4.2 |" in text
    assert "| all | 120 | 4.00 |  | 50.0 |" in text
    assert "varcall 0.83, bcftools 10.00" in text
    assert "Pictures: 0.04 M" in text


def test_growth_is_an_exponent() -> None:
    assert exponent([1, 2, 4], [3, 6, 12]) == pytest.approx(1.0)
    assert exponent([10, 100], [1, 100]) == pytest.approx(2.0)
    assert math.isnan(exponent([1, 2], [0.0, 1.0]))
    (note,) = growth_table("Mb", [1, 2], [cost(3.0), cost(5.0)]).notes
    assert "power 1.00, wanted at most 1 (within 0.1): reached" in note
    (note,) = growth_table("x", [1, 2], [cost(3.0), cost(9.0)]).notes
    assert "not reached" in note


def test_workers_are_compared_by_the_clock() -> None:
    costs = [cost(5.0, wall=9.0), cost(5.5, wall=5.0, peak_mb=2500.0)]
    text = worker_table("art-30x", costs).markdown()
    assert "| 2 | 5.0 | 5.0 | 5.5 | 2500.0 | 1.80 | 2.00 |" in text
    assert "1.80 times as fast, wanted at least 1.8: reached" in text
    assert "2500 MB, wanted under 2000: not reached" in text


def test_regions_are_cut() -> None:
    assert parts("HLA:01:5-9") == ("HLA:01", 5, 9)
    assert around_middle("20:11-20", 1) == "20:15-15"
    assert around_middle("20:11-20", 4) == "20:14-17"
    assert around_middle("20:11-20", 400) == "20:11-20"
    assert first_bases("20:11-20", 3) == "20:11-13"
    with pytest.raises(SystemExit, match="shorter"):
        first_bases("20:11-20", 11)


def test_jobs_are_run_in_turn_and_measured_apart(tmp_path: Path) -> None:
    log = tmp_path / "regions"
    caller = Caller("echo", "bash", lambda job: f"echo {job.region} >> '{log}'", "")
    found = time_jobs([("one", caller, JOB), ("two", caller, JOB)], 2, tmp_path)
    warm, whole, start = "20:490001-510000", JOB.region, "20:499001-501000"
    assert log.read_text().split() == [warm, warm, *[start, whole] * 4]
    assert [len(item.runs) for item in found.values()] == [2, 2]
    # Of the shell, not of this process with all that it imported.
    assert found["one"].peak_mb < 60
    failing = Caller("fail", "bash", lambda _: "echo no room >&2; false", "")
    with pytest.raises(RuntimeError, match="no room"):
        time_jobs([("fail", failing, JOB)], 1, tmp_path)


def test_rates_are_items_by_the_median() -> None:
    item = {
        "name": "benchmark_reads[bam]",
        "extra_info": {"items": 5000, "unit": "reads"},
        "stats": {"min": 0.002, "median": 0.0025},
    }
    expected = ["reads[bam]", "5,000 reads", "2.00", "2.50", "2,000,000"]
    assert rows({"benchmarks": [item]}) == [expected]
