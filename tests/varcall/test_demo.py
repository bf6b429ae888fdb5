"""The demo: its files, its table, its errors."""

from pathlib import Path

import pysam
import pytest

from models.registry import BUNDLED_SHA256
from varcall.demo import DemoOptions, report, run_demo
from varcall.errors import OutputError, UsageError
from varcall.options import DEFAULT_MODEL


@pytest.mark.parametrize("values", [{"threads": 0}, {"seed": -1}])
def test_refuses_bad_options(values: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        DemoOptions(**values)


def test_says_that_the_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder"):
        run_demo(DemoOptions(output=tmp_path / "file" / "demo"))


@pytest.mark.slow
@pytest.mark.skipif(DEFAULT_MODEL not in BUNDLED_SHA256, reason="no bundled model")
def test_calls_most_of_a_simulated_sample(tmp_path: Path) -> None:
    result = run_demo(DemoOptions(output=tmp_path, threads=1))
    with pysam.VariantFile(str(result.calls)) as calls:
        assert sum(1 for _ in calls) > 40
    assert result.counts["SNP"].f1 > 0.98
    assert result.counts["INDEL"].f1 > 0.85
    text = report(result)
    assert str(result.calls) in text
    assert "INDEL" in text
