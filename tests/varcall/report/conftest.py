"""A simulated sample, its calls, their score, and the report of all three."""

from pathlib import Path
from typing import NamedTuple

import pytest

from varcall.cli import run
from varcall.simulate import SimulatedSample


class Reported(NamedTuple):
    """The inputs of a report, and the page."""

    sample: SimulatedSample
    calls: Path
    prefix: Path
    page: Path
    tables: Path

    def words(self, page: Path, *more: str) -> list[str]:
        """The command that makes the same report elsewhere."""
        return [
            "report", str(self.calls), "--reads", str(self.sample.bam),
            "--ref", str(self.sample.reference), "--eval", str(self.prefix), "--uncertain", "2",
            "-o", str(page), *more,
        ]  # fmt: skip


@pytest.fixture(scope="session")
def reported(small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    folder = tmp_path_factory.mktemp("report")
    calls, prefix, page = folder / "calls.vcf.gz", folder / "score", folder / "page" / "r.html"
    page.parent.mkdir()
    reads = [str(small_sample.bam), "--ref", str(small_sample.reference)]
    assert run(["call", *reads, "-o", str(calls), "--quiet"]) == 0
    scored = ["eval", "-b", str(small_sample.truth), "-c", str(calls), "-o", str(prefix)]
    scored += ["--ref", str(small_sample.reference), "--engine", "builtin", "--no-plots"]
    assert run([*scored, "--quiet"]) == 0
    made = Reported(small_sample, calls, prefix, page, folder / "tables")
    assert run(made.words(page, "--tables", str(made.tables))) == 0
    return made
