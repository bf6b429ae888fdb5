"""What the benchmark of clusters tells of its runs."""

from pathlib import Path

from benchmarks.cluster import Killed, kills_table, overhead_table
from benchmarks.runs.callers import Job, Usage
from benchmarks.runs.costs import Cost, Run


def cost(folder: Path, name: str, written: bytes, *seconds: tuple[float, float]) -> Cost:
    """Runs of some seconds of the clock and of CPU, and a start-up of one of each."""
    job = Job(folder, folder, "20:1-2", folder / name)
    job.output.write_bytes(written)
    runs = tuple([Run(Usage(wall, cpu, 100.0), job) for wall, cpu in seconds])
    return Cost(runs, (Run(Usage(1.0, 1.0, 100.0), job),))


def test_overhead_is_of_the_least_and_other_bytes_are_told(tmp_path: Path) -> None:
    pool = cost(tmp_path, "pool", b"same", (10.0, 16.0), (8.0, 20.0))
    cluster = cost(tmp_path, "cluster", b"same", (12.0, 25.0), (14.0, 31.0))
    table = overhead_table(pool, cluster, ["pool", "cluster"], "reads")
    assert table.rows == [
        ["pool", "8.0", "16.0", "1.0", "1.0", "1.00", "1.00", "1.00"],
        ["cluster", "12.0", "25.0", "1.0", "1.0", "1.50", "1.56", "1.60"],
    ]
    assert table.notes[-1] == "all wrote the same bytes"
    other = cost(tmp_path, "other", b"other", (12.0, 24.0))
    assert overhead_table(pool, other, ["p", "c"], "reads").notes[-1].startswith("NOT")


def test_kills_are_counted() -> None:
    runs = [Killed(4.0, True, True), Killed(6.0, True, False), Killed(5.0, False, True)]
    assert kills_table(runs, 3.0, "reads").rows == [["3", "2", "2", "5.0", "3.0"]]
