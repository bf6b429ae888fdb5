"""The generated references leave nothing out."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from varcall.cli import app
from varcall.evidence.features import FEATURE_TABLE


def extension(root: Path, name: str) -> ModuleType:
    """Load an extension of the documentation."""
    spec = importlib.util.spec_from_file_location(name, root / f"docs/extensions/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_and_option_is_in_the_reference(root: Path) -> None:
    lines = list(extension(root, "command_line").reference_lines())
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        start = lines.index(f".. program:: varcall {name}")
        ends = (i for i in range(start + 1, len(lines)) if lines[i].startswith(".. program::"))
        listed = " ".join(line for line in lines[start : next(ends, None)] if "option::" in line)
        spelled = listed.replace(",", " ").split()
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert {*parameter.opts, *parameter.secondary_opts} <= {*spelled}
            else:
                assert (parameter.metavar or parameter.name) in listed


def test_every_module_is_in_the_reference(root: Path) -> None:
    pages = extension(root, "python_modules").module_pages(root)
    listed = [
        line.split()[-1] for _, text in pages for line in text.splitlines() if "automodule" in line
    ]
    sources = [
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for package in ("varcall", "pileup", "models")
        for path in (root / package).rglob("*.py")
        # Snakemake runs its wrapper as a script: it is in no package.
        if path.stem != "__main__" and (path.parent / "__init__.py").exists()
    ]
    assert sorted(listed) == sorted(sources)


def test_every_feature_is_in_the_reference_as_it_is(root: Path) -> None:
    page = (root / "docs/reference/features.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{f.name}` | {f.unit} | {f.neutral:g} | {f.meaning} |" for f in FEATURE_TABLE
    ]
