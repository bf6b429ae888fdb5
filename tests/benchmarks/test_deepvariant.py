"""The workflow against DeepVariant: its plan as shipped, and a run with a stand-in."""

import csv
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmarks.deepvariant import report
from tests.programs import varcall_on_path
from varcall.simulate import SimulatedSample

SNAKEFILE = Path("benchmarks/deepvariant/Snakefile")
CALLER = (
    "bcftools mpileup --fasta-ref {reference} --regions {regions} {reads} | bcftools call -mv"
    " -Oz -o {output} && bcftools index -t {output}"
)


def snakemake(folder: Path, root: Path, *words: str) -> str:
    done = subprocess.run(
        ["snakemake", "--snakefile", root / SNAKEFILE, "--cores", "2", *words],
        cwd=folder,
        env=varcall_on_path(folder / ".programs"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.tools("snakemake")
@pytest.mark.parametrize("genome", [False, True])
def test_plan_as_shipped(root: Path, tmp_path: Path, genome: bool) -> None:
    """Everything is fetched, both callers run, each is scored twice."""
    more = ["--configfile", str(root / SNAKEFILE.parent / "genome.yaml")] if genome else []
    said = snakemake(tmp_path, root, "--dry-run", "--printshellcmds", *more)
    counts = {tuple(line.split()) for line in said.splitlines()}
    # Reads, reference and truth with their indexes, the confident regions, three strata.
    expected = {"fetch": 10, "varcall": 1, "peer": 1, "varcall_eval": 2, "happy": 2, "report": 1}
    assert {(name, str(count)) for name, count in expected.items()} <= counts
    assert "docker://docker.io/google/deepvariant:1.10.0" in said
    assert "--model_type=WGS" in said
    assert ("--regions=chr20" in said) is not genome
    assert ("35x.dedup.grch38_no_alt.bam.bai" in said) is genome
    assert "/opt/hap.py/bin/hap.py" in said
    assert "stand-in" not in said


@pytest.mark.slow
@pytest.mark.tools("snakemake", "bcftools")
def test_run_with_a_stand_in(root: Path, tmp_path: Path, small_sample: SimulatedSample) -> None:
    stratum = tmp_path / "first_half.bed"
    stratum.write_text("sim\t0\t6000\n")
    config = {
        "outdir": "out",
        "sample": "simulated",
        "regions": "sim",
        "threads": 1,
        "reads": str(small_sample.bam),
        "reads_index": f"{small_sample.bam}.bai",
        "reference": str(small_sample.reference),
        "reference_index": f"{small_sample.reference}.fai",
        "truth": str(small_sample.truth),
        "truth_index": f"{small_sample.truth}.tbi",
        "confident": str(small_sample.bed),
        "deepvariant": {"image": "none", "model_type": "none", "stand_in": CALLER},
        "happy": "",
    }
    # A file replaces keys, of a map too, but adds to maps: the shipped strata would stay.
    shipped = yaml.safe_load((root / SNAKEFILE.parent / "config.yaml").read_text())
    config["strata"] = dict.fromkeys(shipped["strata"], str(stratum))
    (tmp_path / "local.yaml").write_text(yaml.safe_dump(config))
    snakemake(tmp_path, root, "--configfile", "local.yaml")

    page = (tmp_path / "out" / "report.md").read_text()
    assert report.WARNING in page
    assert "# varcall and a stand-in: simulated, sim" in page
    with (tmp_path / "out" / "table.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["caller"] for row in rows} == {"varcall", report.STAND_IN}
    assert {row["subset"] for row in rows} >= {"*", *shipped["strata"]}
    snps = {row["caller"]: row for row in rows if (row["type"], row["subset"]) == ("SNP", "*")}
    assert int(snps["varcall"]["truth"]) > 10
    assert float(snps["varcall"]["recall"]) > 0.8
    assert float(snps["varcall"]["wall_seconds"]) > 0
    half = next(row for row in rows if (row["type"], row["subset"]) == ("SNP", "difficult"))
    assert 0 < int(half["truth"]) < int(snps["varcall"]["truth"])
    # No file and no row is called DeepVariant.
    names = [path.name for path in (tmp_path / "out").rglob("*")]
    assert not any(name.startswith("deepvariant") for name in names)


COST = "s\th:m:s\tmax_rss\tcpu_time\n12.5\t0:00:12\t300.5\t20.1\n"
EXTENDED = (
    "Type,Subtype,Subset,Filter,Genotype,TRUTH.TOTAL,TRUTH.TP,TRUTH.FN,QUERY.FP,METRIC.Recall,"
    "METRIC.Precision,METRIC.F1_Score\n"
    "SNP,*,*,PASS,*,10,9,1,2,0.9,0.8,0.85\n"
    "SNP,*,*,ALL,*,10,10,0,3,1,0.7,0.8\n"
    "SNP,ti,*,PASS,*,6,6,0,0,1,1,1\n"
    "SNP,*,hard.bed.gz,PASS,*,4,3,1,2,0.75,0.6,0.67\n"
    "SNP,*,*,PASS,het,5,5,0,0,1,1,1\n"
)


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """What the rules leave, for DeepVariant and for a stand-in."""
    for folder in ("eval", "happy", "cost"):
        (tmp_path / folder).mkdir()
    for caller in ("varcall", "deepvariant", report.STAND_IN):
        (tmp_path / "cost" / f"{caller}.tsv").write_text(COST)
        for scorer in ("eval", "happy"):
            (tmp_path / scorer / f"{caller}.extended.csv").write_text(EXTENDED)
    return tmp_path


def test_report_of_deepvariant(measured: Path) -> None:
    words = [str(measured), "--callers", "varcall", "deepvariant", "--scorers", "eval", "happy"]
    report.main([*words, "--title", "HG003", "--cost", "wall", "--image", "deepvariant:1.10.0"])
    page = (measured / "report.md").read_text()
    assert "# varcall and DeepVariant: HG003" in page
    assert "`deepvariant:1.10.0`" in page
    assert report.WARNING not in page
    assert "| deepvariant | hap.py | SNP | hard | 4 | 3 | 1 | 2 | 0.75 | 0.6 | 0.67 |" in page
    # The processes of a Docker container are not Snakemake's.
    assert "| deepvariant | 12.5 | not measured | not measured |" in page
    assert "| varcall | 12.5 | 20.1 | 300.5 |" in page
    lines = (measured / "table.tsv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 2 * 2
    assert lines[1].split("\t")[-3:] == ["12.5", "20.1", "300.5"]


@pytest.mark.parametrize(
    ("caller", "image"), [("deepvariant", []), (report.STAND_IN, ["--image", "deepvariant:1.10.0"])]
)
def test_a_stand_in_cannot_be_taken_for_deepvariant(
    measured: Path, caller: str, image: list[str]
) -> None:
    words = [str(measured), "--callers", "varcall", caller, "--scorers", "eval", "--title", "x"]
    with pytest.raises(SystemExit, match="must not"):
        report.main([*words, "--cost", "all", *image])
    assert not (measured / "report.md").exists()
