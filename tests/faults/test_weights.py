"""Fault S1: whatever stands in a weights file, a call is refused in one sentence or works."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from models.weights.weights_file import QUESTION_GRAPH, TEXT_GRAPH, graph_path
from tests.builders import ReadsBuilder, random_sequence, substitute, write_reference
from tests.models.back_ends import needs
from varcall.cli import run as run_varcall


class Bomb:
    """Would tell, were it ever unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("unpickled!",)


def pickled(whole: bytes) -> bytes:
    return pickle.dumps(Bomb())


def huge_header(whole: bytes) -> bytes:
    return (1 << 62).to_bytes(8, "little") + whole[8:]


def huge_header_that_is_there(whole: bytes) -> bytes:
    header = b"{" + b" " * (1 << 21) + b"}"
    return len(header).to_bytes(8, "little") + header


def nested_header(whole: bytes) -> bytes:
    header = b"[" * 200_000
    return len(header).to_bytes(8, "little") + header


def edited(change: Callable[[dict[str, dict[str, object]]], None]) -> Callable[[bytes], bytes]:
    def make(whole: bytes) -> bytes:
        size = int.from_bytes(whole[:8], "little")
        header = json.loads(whole[8 : 8 + size])
        change(header)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + whole[8 + size :]

    return make


def wrong_shape(header: dict[str, dict[str, object]]) -> None:
    name = next(name for name in header if name != "__metadata__")
    header[name]["shape"] = [1 << 40, 1 << 20]


def with_numbers(value: float) -> Callable[[bytes], bytes]:
    """All weights at one value; the metadata stay."""

    def make(whole: bytes) -> bytes:
        size = int.from_bytes(whole[:8], "little")
        metadata = json.loads(whole[8 : 8 + size])["__metadata__"]
        tensors = {
            name: np.full_like(tensor, value) if tensor.dtype == np.float32 else tensor
            for name, tensor in load(whole).items()
        }
        return save(tensors, metadata)

    return make


CRAFTED: dict[str, Callable[[bytes], bytes]] = {
    "a pickle": pickled,
    "a huge header": huge_header,
    "a huge header that is there": huge_header_that_is_there,
    "a nested header": nested_header,
    "a wrong shape": edited(wrong_shape),
    "no metadata": edited(lambda header: header.pop("__metadata__", None) and None),
    "numbers that are none": with_numbers(float("nan")),
    "numbers that overflow": with_numbers(3e38),
    "nothing": lambda whole: b"",
    "half a file": lambda whole: whole[: len(whole) // 2],
}


def is_refused(model: Path, engine: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    """Call a variant with a model, and return whether one sentence refuses it."""
    bases = random_sequence(600)
    reference = write_reference(folder / "ref.fa", {"chr1": bases})
    other = substitute(bases, {300: "ACGT"["CGTA".index(bases[300])]})
    builder = ReadsBuilder(reference)
    for start in range(220, 290, 4):
        builder.add(start=start, cigar="100M", seq=other[start : start + 100])
    bam = builder.write_bam(folder / "reads.bam")
    output = folder / "out.vcf"
    files = [str(bam), "--ref", str(reference), "-o", str(output), "--model", str(model)]
    code = run_varcall(["call", *files, "--engine", engine, "--quiet"])
    out, said = capsys.readouterr()
    assert "unpickled!" not in out + said
    assert (code == 0) == output.exists()
    return code == 1 and said.startswith("varcall: error: ") and said.count("\n") == 1


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("craft", CRAFTED.values(), ids=CRAFTED.keys())
def test_s1_crafted_weights_are_one_sentence(
    craft: Callable[[bytes], bytes],
    engine: str,
    untrained_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for file in untrained_model.parent.iterdir():
        shutil.copy(file, tmp_path)
    model = tmp_path / untrained_model.name
    model.write_bytes(craft(untrained_model.read_bytes()))
    assert is_refused(model, engine, tmp_path, capsys)


def with_other_hash(whole: bytes) -> bytes:
    """An ONNX file that was made of other weights."""
    at = whole.index(b"weights_sha256") + len(b"weights_sha256") + 2
    return whole[:at] + b"0" * 64 + whole[at + 64 :]


CRAFTED_ONNX: dict[str, Callable[[bytes], bytes]] = {
    "a pickle": pickled,
    "nothing": lambda whole: b"",
    "half a file": lambda whole: whole[: len(whole) // 2],
    "its hash alone": lambda whole: whole[-200:],
    "of other weights": with_other_hash,
    "text": lambda whole: b"SELECT * FROM weights;" + whole[-200:],
}


@needs("onnxruntime")
@pytest.mark.parametrize("graph", [TEXT_GRAPH, QUESTION_GRAPH])
@pytest.mark.parametrize("craft", CRAFTED_ONNX.values(), ids=CRAFTED_ONNX.keys())
def test_s1_crafted_onnx_files_are_one_sentence(
    craft: Callable[[bytes], bytes],
    graph: str,
    untrained_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for file in untrained_model.parent.iterdir():
        shutil.copy(file, tmp_path)
    model = tmp_path / untrained_model.name
    file = graph_path(model, graph)
    file.write_bytes(craft(file.read_bytes()))
    assert is_refused(model, "auto", tmp_path, capsys)
