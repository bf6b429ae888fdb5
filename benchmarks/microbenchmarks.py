"""Run the microbenchmarks (`micro/`, with pytest-benchmark) and write down their rates.

Usage: python -m benchmarks.microbenchmarks [--history DIR] [--no-record] [-- PYTEST ARGUMENTS]

Times are CPU seconds of one thread. `benchmarks.results` says where the table is written.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import add_options, report
from benchmarks.runs.history import Table
from benchmarks.runs.machine import ROOT

TITLES = ["benchmark", "items", "least ms", "median ms", "items per core-second"]
# One thread in every library, whatever it would choose.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run(output: Path, more: Sequence[str]) -> None:
    """Run all microbenchmarks; pytest-benchmark's JSON goes to `output`."""
    files = sorted(str(path) for path in (ROOT / "benchmarks" / "micro").glob("benchmark_*.py"))
    command = [sys.executable, "-m", "pytest", *files, "-q", "-p", "no:doctest"]
    command += ["-o", "addopts=--import-mode=importlib -rs", "-o", "python_files=benchmark_*.py"]
    command += ["-o", "python_functions=benchmark_*", f"--benchmark-json={output}"]
    command += ["--benchmark-timer=time.process_time", "--benchmark-columns=min,median,rounds"]
    result = subprocess.run(
        [*command, *more], cwd=ROOT, env={**os.environ, **ONE_THREAD}, check=False
    )
    if result.returncode:
        raise SystemExit(result.returncode)


def rows(measured: Mapping[str, Any]) -> list[list[str]]:
    """Make table rows of pytest-benchmark's JSON; the rate is by the median."""
    lines = []
    for item in measured["benchmarks"]:
        stats, extra = item["stats"], item["extra_info"]
        rate = extra["items"] / stats["median"]
        times = [f"{1000 * stats[name]:.2f}" for name in ("min", "median")]
        name = item["name"].removeprefix("benchmark_")
        lines.append([name, f"{extra['items']:,} {extra['unit']}", *times, f"{rate:,.0f}"])
    return lines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_options(parser)
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="varcall-rates-") as temporary:
        output = Path(temporary) / "rates.json"
        run(output, arguments.pytest)
        table = Table("rates", TITLES, rows(json.loads(output.read_text())))
    report(arguments, "microbenchmarks", "Microbenchmarks, one thread", [table])


if __name__ == "__main__":
    main()
