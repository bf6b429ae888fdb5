"""Paths, options, modules and tests that README, CONTRIBUTING and docs name are there."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.docs.pages import blocks, code_spans, pages
from tests.test_packaging import LAYERS
from varcall.cli import app

_FOLDERS = ("varcall", "pileup", "models", "tests", "benchmarks", "docs")
_PATH = re.compile(rf"(?<![\w/.~-])(?:{'|'.join(_FOLDERS)}|\.ci)/[\w./*-]*")
_OTHER_PROGRAMS = (
    "make", "mypy", "pip", "pytest", "python", "snakemake", "freebayes", "run_clair3.sh",
    "run_deepvariant",
)  # fmt: skip
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def paths(text: str) -> list[str]:
    """Paths of the checkout in a text, as globs: a word in capitals stands for any name."""
    found = (path.rstrip(".") for path in _PATH.findall(text))
    return [re.sub(r"\b[A-Z]+\b(?!\.md)", "*", path) for path in found]


def test_paths_exist(root: Path) -> None:
    for page in pages(root):
        for path in paths(page.read_text()):
            assert any(root.glob(path.rstrip("/"))), f"{page.name} names {path}"


def test_links_of_files_outside_of_docs_lead_somewhere(root: Path) -> None:
    """Sphinx sees to those of its own pages."""
    for name in ("README.md", "CONTRIBUTING.md", "tests/faults/README.md"):
        page = root / name
        for target in re.findall(r"\]\(([^):#]+)(?:#[\w-]+)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{name} links to {target}"


def test_modules_and_tests_exist(root: Path) -> None:
    sources = "".join(path.read_text() for path in (root / "tests").rglob("test_*.py"))
    for page in pages(root):
        text = page.read_text()
        for module in re.findall(r"\bbenchmarks\.([a-z_]+)\b", text):
            assert (root / "benchmarks" / f"{module}.py").is_file(), f"{page.name}: {module}"
        for test in re.findall(r"`(test_\w+)`", text):
            assert f"def {test}(" in sources, f"{page.name} names {test}"


def test_layers_are_those_of_the_imports(root: Path) -> None:
    architecture = blocks(root / "docs" / "architecture.md")
    assert [block.text.split() for block in architecture if block.text.startswith("errors")] == [
        [*LAYERS]
    ]


@pytest.fixture(scope="module")
def options() -> dict[str, set[str]]:
    """The long options of each command, and of all under ""."""
    group: Any = typer.main.get_command(app)
    found = {
        name: {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        for name, command in group.commands.items()
    }
    own = {option for p in group.params for option in p.opts}
    return found | {"": own.union({"--help"}, *found.values())}


def test_options_exist(root: Path, options: dict[str, set[str]]) -> None:
    for page in pages(root):
        for span in code_spans(page):
            if span.split()[0] in _OTHER_PROGRAMS:
                continue
            command = re.match(r"varcall ([a-z]+)\b", span)
            known = options[command[1] if command else ""]
            for option in _OPTION.findall(span):
                assert option in known, f"{page.name} names {option} in `{span}`"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see `varcall/cli/` and docs/index.md.", ["varcall/cli/", "docs/index.md"]),
        ("guards/ROW.toml", []),
        ("tests/faults/guards/ROW.toml", ["tests/faults/guards/*.toml"]),
        ("benchmarks/RESULTS.md", ["benchmarks/RESULTS.md"]),
        ("~/.cache/varcall/x and ../shared/tests/y", []),
    ],
)
def test_paths_sees_what_it_must(text: str, expected: list[str]) -> None:
    assert paths(text) == expected
