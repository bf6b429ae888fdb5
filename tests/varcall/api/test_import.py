"""`import varcall` costs nothing, and its names are what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

import varcall

HEAVY = ("numpy", "torch", "pysam", "numba", "matplotlib", "pandas", "typer", "models", "pileup")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def test_import_alone_loads_nothing() -> None:
    shown = python(
        "import sys, varcall\n"
        "from varcall import InputError, VarcallError, __version__\n"
        "print(dir(varcall))\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    names, heavy = shown.splitlines()
    assert heavy == "[]"
    assert all(repr(name) in names for name in varcall.__all__)


def test_every_name_is_there_and_no_other() -> None:
    for name in varcall.__all__:
        assert getattr(varcall, name) is getattr(varcall, name)
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        varcall.no_such_name  # type: ignore[attr-defined]  # noqa: B018


def test_no_folder_of_the_package_hides_a_function(root: Path) -> None:
    """Python sets the name of a subpackage on its package at import."""
    inside = {path.stem for path in (root / "varcall").iterdir()}
    assert not inside & set(varcall.__all__)


@pytest.mark.slow
def test_calling_imports_what_the_command_line_does_and_no_more() -> None:
    """Annotated pictures, tables and scores are only for those who ask for them."""
    shown = python(
        "import sys\nfrom varcall import call\n"
        "print(sorted({'torch', 'matplotlib', 'pandas', 'cyvcf2', 'jinja2'} & set(sys.modules)))"
    )
    assert shown == "[]\n"
