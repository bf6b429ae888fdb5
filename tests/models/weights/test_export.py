"""The ONNX files answer as the model does, and those in the repository are of its weights."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.card import Calibration, ModelCard
from models.config import ModelConfig
from models.errors import ModelError
from models.inference.engine import load_engine
from models.network.caller import VariantCaller, build_caller
from models.registry import BUNDLED_SHA256, weights_path
from models.weights.export import UpperRows, export
from models.weights.model_weights import save_weights
from models.weights.weights_file import (
    QUESTION_GRAPH,
    TEXT_GRAPH,
    graph_path,
    graph_paths,
    read_graph,
)
from tests.models import small
from tests.models.back_ends import EXPORTED, needs

OTHER_SIZES = replace(
    small.CONFIG,
    image_channels=(8, 16, 8, 8, 16),
    image_blocks=(2, 1, 2, 1, 1),
    width=24,
    depth=3,
    heads=3,
    soft_tokens=2,
)
ONE_BLOCK_LESS = replace(small.CONFIG, image_channels=(8,), image_blocks=(0,))


def randomised(config: ModelConfig) -> VariantCaller:
    torch.manual_seed(1)
    caller = build_caller(config)
    for name, tensor in caller.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif tensor.is_floating_point() and not name.endswith("edges"):
            tensor.add_(0.3 * torch.randn_like(tensor))
    return caller.eval()


@pytest.fixture(scope="module")
def other_sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "other.safetensors"
    calibration = {"copies": Calibration(1.7, (0.3, -0.2, 0.1))}
    card = ModelCard(OTHER_SIZES, {}, small.card().features, calibration)
    save_weights(path, randomised(OTHER_SIZES), card)
    export(path)
    return path


@pytest.mark.parametrize("engine", EXPORTED)
def test_graphs_of_any_size_answer_as_the_model_does(other_sizes: Path, engine: str) -> None:
    asked = small.questions(6)
    images = asked[0]
    for i, image in enumerate(images):
        small.blank_from(image, 14 * i)
    expected, answers = (
        load_engine(other_sizes, "cpu", engine=name).predict(*asked) for name in ("torch", engine)
    )
    np.testing.assert_allclose(answers, expected, atol=2e-5)
    assert expected.std(axis=0).max() > 1e-3


@pytest.mark.parametrize("config", [small.CONFIG, OTHER_SIZES, ONE_BLOCK_LESS])
def test_blank_rows_need_not_be_looked_at(config: ModelConfig) -> None:
    encoder = randomised(config).image_encoder.double()
    images = torch.from_numpy(small.questions(1)[0])
    with torch.no_grad():
        encoder.fold()
        upper_rows = UpperRows(encoder)
        for rows in range(72, 0, -8):
            panels = images[:, 8:].view(1, 3, 72, 224, 3)
            panels[:, :, rows:] = 0
            torch.testing.assert_close(
                upper_rows(images[:, :8], panels[:, :, :rows]), encoder(images)
            )


@needs("onnx")
@pytest.mark.parametrize("name", BUNDLED_SHA256)
def test_the_bundled_graphs_are_what_the_exporter_makes_of_the_weights(
    name: str, tmp_path: Path
) -> None:
    import onnx

    path, _ = weights_path(name)
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    for made in export(copy):
        kept = onnx.load(path.parent / made.name)
        again = onnx.load(made)
        onnx.checker.check_model(kept, full_check=True)
        assert list(kept.metadata_props) == list(again.metadata_props)
        assert [(n.op_type, n.input) for n in kept.graph.node] == [
            (n.op_type, n.input) for n in again.graph.node
        ]
        for before, after in zip(kept.graph.initializer, again.graph.initializer, strict=True):
            np.testing.assert_allclose(
                onnx.numpy_helper.to_array(before),
                onnx.numpy_helper.to_array(after),
                rtol=1e-5,
                atol=1e-6,
                err_msg=before.name,
            )


def test_a_bundled_graph_that_is_damaged_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    path, sha256 = weights_path("tiny")
    assert sha256 is not None
    whole = graph_path(path, TEXT_GRAPH).read_bytes()
    monkeypatch.setattr(Path, "read_bytes", lambda _: whole[:-1] + b"?")
    with pytest.raises(ModelError, match=r"tiny\.text\.onnx are damaged"):
        read_graph(path, sha256, TEXT_GRAPH)


def test_it_says_neither_where_it_was_made_nor_of_which_sources() -> None:
    for path in graph_paths(weights_path("tiny")[0]):
        content = path.read_bytes()
        assert b".py" not in content
        assert b"site-packages" not in content


def test_numbers_that_overflow_are_refused(tmp_path: Path) -> None:
    caller = small.caller()
    with torch.no_grad():
        caller.answer.correction.weight.fill_(3e38)
    path = tmp_path / "mini.safetensors"
    save_weights(path, caller, small.card())
    with pytest.raises(ModelError, match=r"mini\.safetensors: its numbers are too large"):
        export(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_command_remakes_them_or_says_why_not(tmp_path: Path) -> None:
    path = tmp_path / "mini.safetensors"
    save_weights(path, small.caller(), small.card())
    command = [sys.executable, "-m", "models.weights.export"]
    root = Path(__file__).parents[3]
    done = subprocess.run([*command, path], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(file) for file in graph_paths(path)]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(read_graph(path, digest, graph) for graph in (TEXT_GRAPH, QUESTION_GRAPH))
    failed = subprocess.run([*command, tmp_path / "x"], cwd=root, capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stderr.startswith("models.weights.export: error: ")
    assert failed.stderr.count("\n") == 1
