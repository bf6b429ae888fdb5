"""The nf-core module: its script and stub run by bash, and nf-core's own lint.

Nextflow itself is not run here: its launcher downloads the program from its own site.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pileup.kernel_cache import user_folder
from tests.programs import varcall_on_path
from varcall import __version__
from varcall.simulate import SimulatedSample

MODULE = Path("nf-core/varcall/call")


def main_nf(root: Path) -> str:
    return (root / MODULE / "main.nf").read_text()


def rendered(section: str, values: dict[str, str]) -> str:
    """What Nextflow makes of a `script:` or `stub:` block: values put in, then escapes undone."""
    (text,) = re.findall(r'"""\n(.*?)"""', section, re.DOTALL)
    filled = re.sub(r"(?<!\\)\$\{([\w.]+)\}", lambda found: values[found[1]], text)
    return re.sub(r"\\(.)", r"\1", filled)


def bash(script: str, folder: Path) -> str:
    done = subprocess.run(
        # As Nextflow runs a task.
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=varcall_on_path(folder / ".programs"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def outputs(text: str, prefix: str) -> dict[str, str]:
    """The globs of the module's outputs, by what they emit."""
    found = re.findall(r'tuple val\(meta\), path\("(.*?)"\), emit: (\w+)', text)
    return {emitted: pattern.replace("${prefix}", prefix) for pattern, emitted in found}


def values_of(sample: SimulatedSample, regions: str) -> dict[str, str]:
    """What a pipeline would give to the script."""
    return {
        "input": str(sample.bam),
        "index": f"{sample.bam}.bai",
        "fasta": str(sample.reference),
        "regions": regions,
        "meta.id": "NA1",
        "task.cpus": "2",
        "args": "--min-qual 3",
        "prefix": "NA1.calls",
    }


@pytest.mark.slow
@pytest.mark.parametrize("with_bed", [False, True])
def test_script(root: Path, tmp_path: Path, small_sample: SimulatedSample, with_bed: bool) -> None:
    text = main_nf(root)
    script = text[text.index("    script:") : text.index("    stub:")]
    (option,) = re.findall(r'def regions = intervals \? "(.*?)" : \'\'', script)
    regions = option.replace("${intervals}", str(small_sample.bed)) if with_bed else ""
    # A task compiles for itself, for a minute: here it finds what is compiled already.
    (tmp_path / ".numba").mkdir()
    (tmp_path / ".numba" / "varcall").symlink_to(user_folder())
    bash(rendered(script, values_of(small_sample, regions)), tmp_path)
    for pattern in outputs(text, "NA1.calls").values():
        # Python's globs have no alternatives in braces.
        alternatives = re.sub(r"\{(\w+),(\w+)\}", "*", pattern)
        assert len(list(tmp_path.glob(alternatives))) == 1, pattern
    header = subprocess.run(
        ["bcftools", "view", "-h", tmp_path / "NA1.calls.vcf.gz"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert header.splitlines()[-1].endswith("\tNA1")
    assert "--min-qual 3" in header
    assert ("--regions-file" in header) is with_bed


def test_stub_makes_what_the_script_makes(root: Path, tmp_path: Path) -> None:
    text = main_nf(root)
    bash(rendered(text[text.index("    stub:") :], {"prefix": "x"}), tmp_path)
    made = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert made == {"x.vcf.gz", "x.vcf.gz.tbi", "x.g.vcf.gz", "x.g.vcf.gz.tbi"}
    assert outputs(text, "x") == {
        "vcf": "x.vcf.gz",
        "index": "x.vcf.gz.{tbi,csi}",
        "gvcf": "x.g.vcf.gz",
        "gvcf_index": "x.g.vcf.gz.{tbi,csi}",
    }


def test_version_is_that_of_the_package(root: Path, tmp_path: Path) -> None:
    text = main_nf(root)
    (command,) = re.findall(r"eval\('(.*?)'\), emit: versions_varcall, topic: versions", text)
    assert bash(command, tmp_path) == f"{__version__}\n"
    meta = yaml.safe_load((root / MODULE / "meta.yml").read_text())
    assert command in meta["topics"]["versions"][0][2]
    environment = yaml.safe_load((root / MODULE / "environment.yml").read_text())
    assert environment["dependencies"] == [f"bioconda::varcall={__version__}"]
    assert set(re.findall(r"varcall:([\d.]+)--", text)) == {__version__}


def test_meta_describes_every_channel(root: Path) -> None:
    text = main_nf(root)
    meta = yaml.safe_load((root / MODULE / "meta.yml").read_text())
    body = text[text.index("    input:") : text.index("    output:")]
    channels = [
        re.findall(r"(?:val|path)\((\w+)\)", line) for line in body.splitlines() if "tuple" in line
    ]
    assert [[name for entry in channel for name in entry] for channel in meta["input"]] == channels
    emitted = set(re.findall(r"emit: (\w+)", text))
    assert meta["output"].keys() == emitted


@pytest.mark.slow
@pytest.mark.tools("nf-core", "git")
def test_nf_core_finds_nothing_but_what_needs_the_network(root: Path, tmp_path: Path) -> None:
    """`nf-core modules lint`, with a repository of modules that has this one only.

    Left out are the checks of `meta.yml` and `environment.yml` against schemas that lie in
    nf-core's own repository. Containers cannot be looked up, and nf-test writes the snapshot.
    """
    home = tmp_path / "modules"
    shutil.copytree(root / MODULE, home / "modules" / "nf-core" / "varcall" / "call")
    (home / ".nf-core.yml").write_text("repository_type: modules\norg_path: nf-core\n")
    (home / "tests" / "config").mkdir(parents=True)
    tags = "varcall/call:\n  - modules/nf-core/varcall/call/**\n"
    (home / "tests" / "config" / "pytest_modules.yml").write_text(tags)
    programs = tmp_path / "programs"
    environment = varcall_on_path(programs) | {
        # nf-core's tools clone their repository: they are given this one.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{home}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/nf-core/modules.git",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "NFCORE_NO_VERSION_CHECK": "1",
        "COLUMNS": "200",
    }
    # Asked for the configuration of the repository, of which there is none.
    (programs / "nextflow").write_text(f"#!{sys.executable}\nprint('{{}}')\n")
    (programs / "nextflow").chmod(0o755)
    for words in (
        ["init", "--quiet", "--initial-branch=master"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "t"],
    ):
        subprocess.run(["git", *words], cwd=home, env=environment, check=True)
    keys = [word for key in ("main_nf", "module_tests", "module_todos") for word in ("-k", key)]
    done = subprocess.run(
        ["nf-core", "modules", "lint", "--dir", ".", "--plain-text", *keys, "varcall/call"],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Linting module: 'varcall/call'" in said
    failed = said[said.index("Tests Failed") :]
    names = set(re.findall(r"^varcall/call (\w+)$", failed, re.MULTILINE))
    assert names == {"docker_tag", "singularity_tag", "test_snapshot_exists"}, said
    assert "0 Test Warnings" in said
