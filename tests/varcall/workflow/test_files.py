"""`varcall workflow`: what is shipped, said and copied, without Snakemake."""

import os
from pathlib import Path

import pytest
import yaml

from varcall import __version__
from varcall.cli import run
from varcall.workflow import FOLDER, SNAKEFILE, copy_workflow

SHIPPED = {
    "Snakefile",
    "common.smk",
    "config.schema.yaml",
    "config.yaml",
    "wrapper/environment.yaml",
    "wrapper/meta.yaml",
    "wrapper/test/Snakefile",
    "wrapper/wrapper.py",
}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_path_is_that_of_the_snakefile(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["workflow", "--path"]) == 0
    (line,) = capfd.readouterr().out.splitlines()
    assert Path(line).is_absolute()
    assert "rule call:" in Path(line).read_text()


@pytest.mark.parametrize("exists", [False, True])
def test_copy_is_whole(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "workflow"
    if exists:
        target.mkdir()
    assert run(["workflow", "--copy", str(target)]) == 0
    assert files(target) == SHIPPED
    assert (target / "Snakefile").read_bytes() == SNAKEFILE.read_bytes()
    assert os.listdir(tmp_path) == ["workflow"]


def test_copy_overwrites_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "Snakefile").write_text("mine\n")
    for target in (folder, folder / "Snakefile"):
        assert run(["workflow", "--copy", str(target)]) == 1
        err = capfd.readouterr().err
        assert err.startswith(f"varcall: error: {target} ")
        assert "choose another folder" in err
        assert err.count("\n") == 1
    assert (folder / "Snakefile").read_text() == "mine\n"
    assert files(tmp_path) == {"mine/Snakefile"}


def test_copy_to_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["workflow", "--copy", str(tmp_path / "no" / "workflow")]) == 1
    assert "choose a folder that exists" in capfd.readouterr().err
    assert files(tmp_path) == set()


def test_a_copy_that_is_stopped_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(source: Path, target: Path) -> None:
        assert files(source) == SHIPPED
        raise KeyboardInterrupt

    monkeypatch.setattr("varcall.workflow.os.rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        copy_workflow(tmp_path / "workflow")
    assert os.listdir(tmp_path) == []


def test_one_of_path_and_copy(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--path", "--copy", str(tmp_path / "x")]):
        assert run(["workflow", *words]) == 2
        assert "--copy DIR" in capfd.readouterr().err


def test_the_example_has_every_key_as_the_schema_sets_it() -> None:
    schema = yaml.safe_load((FOLDER / "config.schema.yaml").read_text())
    example = yaml.safe_load((FOLDER / "config.yaml").read_text())
    assert example.keys() == schema["properties"].keys()
    defaults = {
        name: entry["default"] for name, entry in schema["properties"].items() if "default" in entry
    }
    assert {name: example[name] for name in defaults} == defaults
    assert schema["required"] == sorted(schema["properties"].keys() - defaults.keys())


def test_wrapper_has_what_its_repository_asks_for() -> None:
    meta = yaml.safe_load((FOLDER / "wrapper/meta.yaml").read_text())
    assert {"name", "description", "url", "authors", "input", "output"} <= meta.keys()
    environment = yaml.safe_load((FOLDER / "wrapper/environment.yaml").read_text())
    assert environment["channels"] == ["conda-forge", "bioconda", "nodefaults"]
    # Pinned to the minor version, which is this one.
    minor = __version__.rpartition(".")[0]
    assert environment["dependencies"] == [f"varcall ={minor}"]
