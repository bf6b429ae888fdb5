"""The workflow and the wrapper under the real Snakemake."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pysam
import pytest
import yaml

from tests.programs import VARCALL, varcall_on_path
from varcall.simulate import SimulatedSample
from varcall.workflow import FOLDER, copy_workflow

pytestmark = [pytest.mark.slow, pytest.mark.tools("snakemake")]

INCLUDES = """\
import subprocess


configfile: "config.yaml"


module varcall:
    snakefile: subprocess.check_output(["varcall", "workflow", "--path"], text=True).strip()
    config: config


use rule * from varcall
"""
# Three windows of the 12 kb, so that each shard has one.
WINDOW = "--window 4000"
# The first job with the second shard is killed as soon as its output has begun.
KILLED_ONCE = f"""
case "$*" in *"--shard 2/3"*) if mkdir killed 2>/dev/null; then
    {VARCALL} &
    while kill -0 $! && ! ls calls/shards/*/.2-of-3.*; do sleep 0.05; done 2>/dev/null
    kill -9 $!
    wait $!
    exit $?
fi;; esac
exec {VARCALL}"""


@pytest.fixture
def folder(tmp_path: Path, small_sample: SimulatedSample) -> Path:
    """Two samples with the same reads, and a Snakefile that includes the workflow."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.bam").symlink_to(small_sample.bam)
        (tmp_path / f"{name}.bam.bai").symlink_to(f"{small_sample.bam}.bai")
    for suffix in ("", ".fai"):
        (tmp_path / f"reference.fa{suffix}").symlink_to(f"{small_sample.reference}{suffix}")
    truth = {"truth": str(small_sample.truth), "confident": str(small_sample.bed)}
    config = {
        "reference": "reference.fa",
        "samples": {"one": "one.bam", "two": {"reads": "two.bam"} | truth},
        "outdir": "calls",
        "shards": 3,
        "threads": 1,
        "extra": WINDOW,
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "Snakefile").write_text(INCLUDES)
    return tmp_path


def snakemake(
    folder: Path, *words: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake, with both streams in one."""
    return subprocess.run(
        ["snakemake", "--cores", "2", *words],
        cwd=folder,
        env=environment or varcall_on_path(folder / ".programs"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def one_run(folder: Path, name: str) -> tuple[bytes, bytes]:
    """What one process writes, VCF and gVCF, that is given the options of the workflow."""
    words = ["varcall", "call", f"{name}.bam", "--ref", "reference.fa", "--sample-name", name]
    subprocess.run(
        [*words, *WINDOW.split(), "--quiet", "-o", f"{name}.vcf.gz", "--gvcf", f"{name}.g.vcf.gz"],
        cwd=folder,
        env=varcall_on_path(folder / ".programs"),
        check=True,
    )
    vcf, gvcf = ((folder / f"{name}{suffix}").read_bytes() for suffix in (".vcf.gz", ".g.vcf.gz"))
    return vcf, gvcf


def test_two_samples_from_nothing_with_a_job_killed(folder: Path) -> None:
    """A Snakefile of ten lines: dry run, a run in which a job is killed, the rest, and no more."""
    planned = snakemake(folder, "--dry-run")
    assert planned.returncode == 0, planned.stdout
    counts = {tuple(line.split()) for line in planned.stdout.splitlines()}
    assert {("call", "6"), ("merge", "2"), ("eval", "1"), ("total", "10")} <= counts
    assert not (folder / "calls").exists()

    killing = varcall_on_path(folder / ".killing", KILLED_ONCE)
    failed = snakemake(folder, environment=killing)
    assert failed.returncode != 0
    assert "non-zero exit status 137" in failed.stdout
    assert len(list((folder / "calls").glob("*.vcf.gz"))) < 2

    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    for name in ("one", "two"):
        assert (folder / "calls" / f"{name}.vcf.gz").read_bytes() == one_run(folder, name)[0]
        assert (folder / "calls" / f"{name}.vcf.gz.tbi").is_file()
    # Only the shards, which are temporary, are gone.
    assert not list((folder / "calls" / "shards").rglob("*-of-3.vcf.gz"))
    assert "SNP,PASS" in (folder / "calls" / "two.eval.summary.csv").read_text()

    again = snakemake(folder)
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout


def test_other_regions_are_called_again(folder: Path) -> None:
    """Snakemake sees changed options; a BED limits the calls and their score."""
    assert snakemake(folder, "calls/two.vcf.gz").returncode == 0
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config |= {"regions_file": "targets.bed", "shards": 2}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "targets.bed").write_text("sim\t2000\t9000\n")
    done = snakemake(folder, "calls/two.eval.summary.csv")
    assert done.returncode == 0, done.stdout
    lines = subprocess.run(
        ["bcftools", "query", "-f", "%POS\n", folder / "calls" / "two.vcf.gz"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert lines
    assert 2000 < int(lines[0]) < int(lines[-1]) <= 9000


def test_gvcf(folder: Path) -> None:
    """Its shards come from the same jobs, and it is the gVCF of one run, indexed."""
    config = yaml.safe_load((folder / "config.yaml").read_text()) | {"gvcf": True, "index": "tbi"}
    del config["samples"]["two"]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    counts = {tuple(line.split()) for line in done.stdout.splitlines()}
    assert {("call", "3"), ("merge", "1"), ("merge_gvcf", "1"), ("total", "6")} <= counts
    vcf, gvcf = one_run(folder, "one")
    assert (folder / "calls" / "one.vcf.gz").read_bytes() == vcf
    assert (folder / "calls" / "one.g.vcf.gz").read_bytes() == gvcf
    assert (folder / "calls" / "one.g.vcf.gz.tbi").is_file()
    assert not list((folder / "calls" / "shards").rglob("*-of-3*"))


def test_report(folder: Path) -> None:
    """A sample with a truth has its scores in the page."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config |= {"report": True, "shards": 2}
    del config["samples"]["one"]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    page = (folder / "calls" / "two.report.html").read_text()
    assert "Recall" in page
    assert (folder / "calls" / "two.report_mqc.json").is_file()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shard": 3}, "shard"),
        ({"shards": 0}, "minimum"),
        ({"samples": {"a/b": "one.bam"}}, "a/b"),
        ({"samples": {"a": {"reads": "one.bam", "confident": "x.bed"}}}, "one.bam"),
    ],
)
def test_a_slip_in_the_configuration_is_named(
    folder: Path, change: dict[str, object], said: str
) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text()) | change
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(folder, "--dry-run")
    assert done.returncode != 0
    assert "config.schema.yaml" in done.stdout or "validating" in done.stdout
    assert said in done.stdout


def test_a_copy_runs_by_itself_and_has_no_lint(folder: Path) -> None:
    copy_workflow(folder / "workflow")
    words = ("--snakefile", "workflow/Snakefile", "--configfile", "config.yaml")
    planned = snakemake(folder, *words, "--dry-run")
    assert planned.returncode == 0, planned.stdout
    assert ("total", "10") in {tuple(line.split()) for line in planned.stdout.splitlines()}
    lint = snakemake(folder, *words, "--lint")
    assert lint.returncode == 0, lint.stdout


def test_wrapper(folder: Path) -> None:
    """Its own example rules, from a checkout of the wrappers as their repository has it."""
    home = folder / "wrappers" / "master" / "bio" / "varcall"
    shutil.copytree(FOLDER / "wrapper", home)
    (folder / "mapped").mkdir()
    for suffix in ("", ".bai"):
        (folder / f"one.bam{suffix}").rename(folder / "mapped" / f"one.bam{suffix}")
    for suffix in ("", ".fai"):
        (folder / f"reference.fa{suffix}").rename(folder / f"genome.fasta{suffix}")
    (folder / "regions.bed").write_text("sim\t2000\t9000\n")
    targets = ["calls/one.vcf.gz", "calls/one.bcf", "shards/one.2-of-3.vcf.gz"]
    targets += ["gvcf/one.g.vcf.gz"]
    done = snakemake(
        folder,
        *("--snakefile", str(home / "test" / "Snakefile")),
        *("--wrapper-prefix", f"file://{folder}/wrappers/", *targets),
    )
    assert done.returncode == 0, done.stdout
    assert (folder / "calls" / "one.vcf.gz.tbi").is_file()
    assert not (folder / "calls" / "one.bcf.csi").exists()
    header = subprocess.run(
        ["bcftools", "view", "-h", folder / "shards" / "one.2-of-3.vcf.gz"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "##varcall_shard=" in header
    with pysam.VariantFile(str(folder / "gvcf" / "one.g.vcf.gz")) as gvcf:
        assert "<*>" in next(gvcf.fetch("sim", 3000, 3100)).alts
    assert "windows" in (folder / "logs" / "varcall" / "one.log").read_text().lower()
