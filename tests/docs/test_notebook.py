"""The notebook of the documentation runs from end to end, and shows its pictures."""

import ast
import base64
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = "docs/notebook/region.ipynb"
TEN = "ten-lines"


def cells(root: Path) -> list[dict[str, Any]]:
    return list(json.loads((root / NOTEBOOK).read_text())["cells"])


def pictures(cell: Any) -> list[tuple[int, int]]:
    """Width and height of the PNGs that a cell shows."""
    encoded = [
        output["data"]["image/png"]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    return [struct.unpack(">II", base64.b64decode(text)[16:24]) for text in encoded]


def test_it_is_kept_without_what_it_shows(root: Path) -> None:
    """So that nothing in it can be out of date: `make docs` runs it."""
    for cell in cells(root):
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_ten_lines_are_ten(root: Path) -> None:
    (cell,) = (cell for cell in cells(root) if TEN in cell["metadata"].get("tags", ()))
    lines = [line for line in "".join(cell["source"]).splitlines() if line]
    assert len(lines) <= 10
    names = {node.attr for node in ast.walk(ast.parse("\n".join(lines))) if hasattr(node, "attr")}
    assert {"call", "pileup", "plot"} <= names


@pytest.mark.slow
def test_the_notebook_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat: pip install '.[dev]'")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient: pip install '.[dev]'")
    pytest.importorskip("ipykernel", reason="needs ipykernel: pip install '.[dev]'")
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install '.[report]'")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{root}:{os.environ.get('PYTHONPATH', '')}")
    notebook = nbformat.read(root / NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    (ten,) = (cell for cell in code if TEN in cell.metadata.get("tags", ()))
    assert len(pictures(ten)) == 1
    # An annotated pileup fills a page.
    assert any(width > 2000 for cell in code for width, _ in pictures(cell))
    printed = "".join(
        output.get("text", "") for cell in code for output in cell.outputs if "text" in output
    )
    assert "Why do reads differ" in printed
    assert "SNP recall" in printed
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    said = [o.text for cell in code for o in cell.outputs if o.get("name") == "stderr"]
    assert said == []
