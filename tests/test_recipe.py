"""The conda recipe: it renders, asks for what the package asks for, and its test commands pass."""

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from tests.programs import varcall_on_path
from varcall import __version__

# What a package of PyPI is called on conda-forge and bioconda, where that is another name.
CONDA_NAMES = {"torch": "pytorch", "isal": "python-isal", "matplotlib": "matplotlib-base"}


@pytest.fixture(scope="module")
def recipe(root: Path) -> dict[str, Any]:
    """The recipe as conda-build reads it."""
    functions = {"PYTHON": "python", "pin_subpackage": lambda name, max_pin: f"{name} {max_pin}"}
    template = Environment(undefined=StrictUndefined).from_string(
        (root / "recipe" / "meta.yaml").read_text()
    )
    return yaml.safe_load(template.render(functions))


def requirements(lines: list[str]) -> set[tuple[str, str]]:
    """Names on conda's channels with their lower bounds."""
    found = set()
    for line in lines:
        name, bound = re.fullmatch(r"([\w-]+) ?>=([\d.]+)", line).groups()
        found.add((CONDA_NAMES.get(name, name), bound))
    return found


def test_it_is_this_package(recipe: dict[str, Any], root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert recipe["package"] == {"name": "varcall", "version": __version__}
    assert recipe["about"]["summary"] == project["description"]
    assert (root / recipe["about"]["license_file"]).is_file()
    scripts = [f"{name} = {target}" for name, target in project["scripts"].items()]
    assert recipe["build"]["entry_points"] == scripts
    # A package for all Pythons and CPUs holds no machine code.
    assert recipe["build"]["noarch"] == "python"
    assert "VARCALL_BUILD_KERNELS=0" in recipe["build"]["script_env"]
    # Other packages must not be built against another minor version.
    assert recipe["build"]["run_exports"] == ["varcall x.x"]


def test_it_needs_what_the_package_needs(recipe: dict[str, Any], root: Path) -> None:
    pyproject = tomllib.loads((root / "pyproject.toml").read_text())
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    run = requirements(recipe["requirements"]["run"])
    python = ("python", project["requires-python"].removeprefix(">="))
    assert run == requirements([*project["dependencies"], *extras["onnx"]]) | {python}
    optional = requirements(recipe["requirements"]["run_constrained"])
    assert optional == requirements([*extras["openvino"], *extras["report"]])
    host = requirements([line for line in recipe["requirements"]["host"] if line != "pip"])
    assert host == requirements(pyproject["build-system"]["requires"]) | {python}


@pytest.mark.slow
def test_its_test_commands_pass(recipe: dict[str, Any], tmp_path: Path) -> None:
    environment = varcall_on_path(tmp_path / ".programs")
    for module in recipe["test"]["imports"]:
        __import__(module)
    assert len(recipe["test"]["commands"]) >= 4
    for command in recipe["test"]["commands"]:
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "demo" in os.listdir(tmp_path)
