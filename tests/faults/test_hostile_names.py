"""Fault S2: names from files are only text, in pages and pictures as in a VCF."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pileup.spec import HEIGHT, WIDTH
from varcall.scoring.happy.rows import Row
from varcall.scoring.plots import plot_precision_recall

jinja2 = pytest.importorskip("jinja2")
meta = pytest.importorskip("jinja2.meta")

SCRIPT = "\"><script>alert(1)</script><img src=x onerror='alert(1)'>"
NAMES = [SCRIPT, "$\\frac$", "$x$", "_x", "a\\b", "%s{x}", "a;rm -rf"]


def templates(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "varcall" / "output" / "templates").glob("*"))


class Hostile:
    """Stands for every value of a template: whatever is asked of it, it spells a script."""

    def __getattr__(self, name: str) -> "Hostile":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> "Hostile":
        return self

    def __call__(self, *arguments: object, **options: object) -> "Hostile":
        return self

    def __iter__(self) -> Iterator["Hostile"]:
        # Twice, so that it can be taken apart into two as well.
        return iter([self, self])

    def __len__(self) -> int:
        return 2

    def __float__(self) -> float:
        return 0.5

    def __str__(self) -> str:
        return SCRIPT

    def __format__(self, specification: str) -> str:
        return SCRIPT


def test_s2_every_page_escapes_every_value(root: Path) -> None:
    from varcall.output.html import render_template

    environment = jinja2.Environment()
    assert templates(root)
    shown = 0
    for name in templates(root):
        tree = environment.parse((root / "varcall" / "output" / "templates" / name).read_text())
        values = dict.fromkeys(meta.find_undeclared_variables(tree), Hostile())
        page = render_template(name, **values)
        shown += page.count("&lt;script&gt;")
        assert "<script" not in page
        assert "<img src=x" not in page
    assert shown > 10


def test_s2_pages_are_made_in_one_place_that_escapes(root: Path) -> None:
    """No other source makes an HTML page, and none marks text as safe."""
    for package in ("varcall", "pileup", "models"):
        for path in (root / package).rglob("*.py"):
            source = path.read_text()
            assert not re.search(r"autoescape=False|select_autoescape", source), path
            strings = [
                node.value
                for node in ast.walk(ast.parse(source))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            assert not [text for text in strings if re.search(r"<(html|table|p|td)\b", text)], path
            is_maker = re.search(r"\b(Environment|Template)\(", source) is not None
            assert is_maker == (path.name == "html.py"), path
            assert is_maker or not re.search(r"\bMarkup\b", source), path
    for name in templates(root):
        text = (root / "varcall" / "output" / "templates" / name).read_text()
        assert not re.search(r"\|\s*safe\b|autoescape", text), name


@pytest.mark.parametrize(
    ("inside", "is_plain"),
    [
        ('<path d="M 0 0"/><text>&lt;script&gt;</text><use href="#a"/>', True),
        ("<script>alert(1)</script>", False),
        ('<path onload="alert(1)"/>', False),
        ('<use href="https://example.org/a"/>', False),
        ("<foreignObject><b/></foreignObject>", False),
        ("<style>*{}</style>", False),
        ("<path>", False),
    ],
)
def test_s2_only_plain_drawings_stand_unescaped(inside: str, is_plain: bool) -> None:
    from varcall.output.html import is_drawing

    assert is_drawing(f"<svg>{inside}</svg>") == is_plain


def row(score: str, recall: str, precision: str) -> Row:
    fixed = {"Type": "SNP", "Filter": "ALL", "Subtype": "*", "Subset": "*"}
    return fixed | {"QQ": score, "METRIC.Recall": recall, "METRIC.Precision": precision}


@pytest.mark.parametrize("name", NAMES)
def test_s2_names_of_callers_in_plots(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [row("*", "0.5", "0.4"), row("3", "0.4", "0.9")]
    plot_precision_recall(tmp_path / "report", {name: rows})
    drawn = (tmp_path / "report.precision_recall.svg").read_text()
    assert "<script" not in drawn
    assert drawn.count("legend_1") == 1


@pytest.mark.parametrize("name", NAMES)
def test_s2_names_in_pictures(name: str) -> None:
    pytest.importorskip("matplotlib")
    from pileup.image.annotated import Label, render

    label = Label(contig=name, start=100, ref="A", alts=("C",), sample=name)
    assert render(np.zeros((HEIGHT, WIDTH, 3), np.uint8), label).startswith(b"\x89PNG")
