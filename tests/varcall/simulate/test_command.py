"""``varcall simulate`` from its command-line function."""

import json
from pathlib import Path

import pysam
import pytest

from varcall.cli.simulate import simulate
from varcall.errors import UsageError


def test_one_sample_on_a_random_genome(tmp_path: Path) -> None:
    simulate(random_genome=8000, output=tmp_path / "one", mapper="exact", sample_name="NA1")
    with pysam.AlignmentFile(str(tmp_path / "one.bam")) as bam:
        assert bam.check_index()
        assert bam.header.to_dict()["RG"][0]["SM"] == "NA1"
    with pysam.VariantFile(str(tmp_path / "one.truth.vcf.gz")) as vcf:
        assert list(vcf.header.samples) == ["NA1", "contaminant"]
        assert all(r.samples[0].phased for r in vcf)
    assert (tmp_path / "one.bed").read_text() == "sim\t0\t8000\n"
    description = json.loads((tmp_path / "one.json").read_text())
    assert description["library"]["depth"] == 30
    assert description["mapper"] == "exact"
    assert (tmp_path / "one.fa.fai").exists()


def test_a_set_of_samples(tmp_path: Path) -> None:
    simulate(
        random_genome=30_000,
        out_dir=tmp_path / "set",
        samples=2,
        sample_size="5kb",
        depth="4-6",
        regions=["sim:2001-20000"],
        mapper="exact",
    )
    assert sorted(p.name for p in (tmp_path / "set").glob("*.bam")) == [
        "sample_0001.bam",
        "sample_0002.bam",
    ]
    for bed in (tmp_path / "set").glob("*.bed"):
        contig, start, end = bed.read_text().split()
        assert contig == "sim"
        assert int(end) - int(start) == 5000
        assert int(start) >= 2000
        assert int(end) <= 20_000


@pytest.mark.parametrize(
    "wrong", [{"depth": "deep"}, {"sample_size": "kb"}, {"mapper": "best"}, {"library": "good"}]
)
def test_usage_errors(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        simulate(random_genome=8000, output=tmp_path / "x", **wrong)
    assert not list(tmp_path.iterdir())
