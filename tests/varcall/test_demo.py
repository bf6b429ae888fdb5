"""The demo: its files, its table, its errors."""

from pathlib import Path

import pysam
import pytest

from models.registry import BUNDLED_SHA256
from tests.varcall.output.test_vcf import record, write
from varcall.demo import DemoOptions, first_het, report, run_demo
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


@pytest.mark.parametrize(
    ("records", "place"),
    [
        (["A C 1/1", "A C,G 1/2", "AT A 0/1", "A C 0/1", "A C 0/1"], "chr2:303"),
        (["A C 1/1", "AT A 0/1"], "chr2:300"),
    ],
)
def test_the_picture_is_of_the_first_heterozygous_snv(
    records: list[str], place: str, tmp_path: Path
) -> None:
    calls = []
    for start, text in enumerate(records, 299):
        ref, alts, genotype = text.split()
        copies = tuple(map(int, genotype.split("/")))
        calls.append(record(start=start, ref=ref, alts=tuple(alts.split(",")), gt=copies))
    assert first_het(write(tmp_path / "calls.vcf.gz", calls)) == place


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
