"""Every command of README, CONTRIBUTING and docs is run, on small files of the names used there."""

import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pysam
import pytest

from tests.docs.pages import Block, blocks, pages
from tests.programs import varcall_on_path
from varcall.simulate import SimulateOptions, run_simulate

ROOT = Path(__file__).resolve().parents[2]
PAGES = [str(page.relative_to(ROOT)) for page in pages(ROOT)]
RUN = ("sh", "bash", "console")
TOOLS = ("bcftools", "samtools")

# What begins so is not run here, and why.
NOT_RUN = {
    "pip install": "installs packages",
    "make install": "makes .venv",
    "make check": "runs these tests",
    "make test": "runs these tests",
    "make docs": "a step of CI",
    "make format": "rewrites the sources",
    "make model": "minutes; a step of CI, and tests/varcall/make_model tests it",
    "make demo": "installs first; the tutorial runs the demo",
    "glnexus_cli": "is no package of Debian's or Python's",
    "make mutations": "takes minutes; tests/faults/test_mutations.py tests the program",
}


def is_run(block: Block) -> bool:
    """Whether a block is of commands that are run: all of them or none."""
    if block.language not in RUN:
        return False
    left_out = [command.startswith(tuple(NOT_RUN)) for command in block.commands]
    assert all(left_out) or not any(left_out), f"a block is run or not, as a whole: {block.text}"
    return not any(left_out)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages take for given."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(3)
    with (folder / "reference.fa").open("w") as fasta:
        for contig, length in (("chr20", 40_000), ("chrX", 2_000), ("chrY", 2_000)):
            fasta.write(f">{contig}\n{''.join(rng.choice(list('ACGT'), length))}\n")
    pysam.faidx(str(folder / "reference.fa"))
    run_simulate(
        SimulateOptions(
            reference=folder / "reference.fa",
            output=folder / "sample",
            regions=("chr20:1-40000",),
            depth=(20.0, 20.0),
            variants_per_kb=1.5,
            library="typical",
            mapper="exact",
            sample_name="NA24385",
        )
    )
    for old, new in (("sample.truth.vcf.gz", "truth.vcf.gz"), ("sample.bed", "confident.bed")):
        (folder / old).rename(folder / new)
    (folder / "sample.truth.vcf.gz.tbi").rename(folder / "truth.vcf.gz.tbi")
    (folder / "targets.bed").write_text("chr20\t1000\t3000\nchr20\t8000\t9000\n")
    reads, reference = str(folder / "sample.bam"), str(folder / "reference.fa")
    pysam.view("-C", "-T", reference, "-o", str(folder / "sample.cram"), reads, catch_stdout=False)
    pysam.index(str(folder / "sample.cram"))
    # The last variants are not among these calls, so that there is something to score.
    shell(
        "varcall call sample.bam --ref reference.fa -r chr20:1-35000 --quiet -o calls.vcf.gz\n"
        "cp calls.vcf.gz other.vcf.gz && cp calls.vcf.gz.tbi other.vcf.gz.tbi",
        folder,
    )
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared files for the commands of one page."""
    return shutil.copytree(prepared, tmp_path / "page")


def shell(script: str, folder: Path) -> str:
    """Run a script with this checkout's varcall, and return what it prints."""
    environment = varcall_on_path(folder / ".programs") | {
        "PYTHONPATH": str(ROOT),
        "SLURM_ARRAY_TASK_ID": "1",
        "SLURM_CPUS_PER_TASK": "2",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(map(is_run, blocks(ROOT / page)))])
def test_commands_of_a_page(page: str, folder: Path) -> None:
    found = [block for block in blocks(ROOT / page) if is_run(block)]
    words = {word for block in found for word in block.text.split()}
    absent = [tool for tool in TOOLS if tool in words and shutil.which(tool) is None]
    if absent:
        pytest.skip(f"needs {', '.join(absent)}: apt-get install it to run this test")
    for block in found:
        if block.language != "console":
            shell(block.text, folder)
            continue
        for command, expected in block.session():
            printed = shell(command, folder)
            assert is_output(expected, printed), f"{command}\nprints\n{printed}and not\n{expected}"


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/reference/api.md"])
def test_python_of_a_page(page: str, folder: Path) -> None:
    """The blocks of a page are one script, which prints no warning."""
    texts = [block.text for block in blocks(ROOT / page) if block.language == "python"]
    (folder / "script.py").write_text("\n".join(texts))
    shell(f'"{sys.executable}" -W error script.py', folder)


def is_output(expected: str, printed: str) -> bool:
    """Compare what a page shows with what was printed; "..." stands for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected, printed, flags)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\tb\n", "a\tb\n", True),
        ("a\n...\n", "a\nb\nc\n", True),
        ("a 1 ...\n", "a  1  2\n", True),
        ("a\n", "b\n", False),
        ("", "a\n", False),
    ],
)
def test_is_output(expected: str, printed: str, same: bool) -> None:
    assert is_output(expected, printed) is same


def test_what_is_not_run_is_listed_for_a_reason() -> None:
    commands = [
        command
        for page in PAGES
        for block in blocks(ROOT / page)
        if block.language in RUN
        for command in block.commands
    ]
    for beginning, reason in NOT_RUN.items():
        assert reason
        assert any(command.startswith(beginning) for command in commands), beginning
    makefile = (ROOT / "Makefile").read_text()
    targets = {command.split()[1] for command in commands if command.startswith("make ")}
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


@pytest.mark.slow
@pytest.mark.tools("snakemake")
def test_snakemake_runs_the_snakefile(folder: Path) -> None:
    """The page's Snakefiles with its configuration, by its commands."""
    found = blocks(ROOT / "docs/howto/snakemake.md")
    (module,) = (block.text for block in found if "module varcall:" in block.text)
    (wrapper,) = (block.text for block in found if "wrapper:" in block.text)
    (config,) = (block.text for block in found if block.language == "yaml")
    first, copied = (block.text for block in found if block.text.startswith("snakemake"))
    (folder / "config.yaml").write_text(config)
    (folder / "Snakefile").write_text(module)
    shell(first, folder)
    shell("varcall call sample.bam --ref reference.fa --sample-name NA24385 -o w.vcf.gz", folder)
    calls = folder / "calls"
    assert (calls / "NA24385.vcf.gz").read_bytes() == (folder / "w.vcf.gz").read_bytes()
    assert (calls / "NA24385.eval.summary.csv").is_file()
    shell("varcall workflow --copy workflow", folder)
    shell(f"{copied.strip()} --dry-run", folder)
    (folder / "Snakefile").write_text(wrapper)
    shell("snakemake --cores 2", folder)
    assert (folder / "sample.vcf.gz.tbi").is_file()
