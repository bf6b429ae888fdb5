"""What the benchmark of clusters tells of its runs."""

from benchmarks.callers import Usage
from benchmarks.cluster import Killed, kills_table, overhead_table


def test_overhead_is_of_the_least_and_other_bytes_are_told() -> None:
    pool = [(Usage(10.0, 16.0, 100.0), b"same"), (Usage(8.0, 20.0, 100.0), b"same")]
    cluster = [(Usage(12.0, 24.0, 100.0), b"same")]
    table = overhead_table(pool, cluster, ["pool", "cluster"], "reads")
    assert table.rows == [
        ["pool", "8.0", "16.0", "1.00", "1.00"],
        ["cluster", "12.0", "24.0", "1.50", "1.50"],
    ]
    assert table.notes[-1] == "all wrote the same bytes"
    other = overhead_table(pool, [(Usage(12.0, 24.0, 100.0), b"other")], ["p", "c"], "reads")
    assert other.notes[-1].startswith("NOT")


def test_kills_are_counted() -> None:
    runs = [Killed(4.0, True, True), Killed(6.0, True, False), Killed(5.0, False, True)]
    assert kills_table(runs, 3.0, "reads").rows == [["3", "2", "2", "5.0", "3.0"]]
