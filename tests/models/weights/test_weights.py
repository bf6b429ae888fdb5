import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models import prompt
from models.card import Calibration
from models.errors import ModelError
from models.registry import weights_path
from models.weights.model_weights import load_weights, save_weights
from models.weights.weights_file import read_tensors, read_training, with_training
from tests.models import small


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mini.safetensors"
    save_weights(path, small.caller(), small.card())
    return path


def test_round_trip(tmp_path: Path) -> None:
    path, before = tmp_path / "mini.safetensors", small.caller()
    card = replace(
        small.card(),
        recipe={"size": "tiny"},
        calibration={
            "copies": Calibration(1.5, (0.1, 0.0, -0.1)),
            "same_haplotype": Calibration(0.7, (0.0, 0.2, -0.2)),
            "cause": Calibration(1.1, (0.0,) * 6),
        },
        training={"seen": {"platforms": ["illumina", "ont"], "depth": [8, 300]}},
    )
    digest = save_weights(path, before, card)
    after, read_card, read_digest = load_weights(path, digest)
    assert read_card == card
    assert read_digest == digest
    assert not after.training
    for name, tensor in before.state_dict().items():
        assert torch.equal(after.state_dict()[name], tensor), name
    asked = small.tensors(small.questions(2))
    with torch.inference_mode():
        assert torch.equal(after(*asked), before(*asked))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_half_precision_halves_the_file(tmp_path: Path, path: Path) -> None:
    half = tmp_path / "half.safetensors"
    save_weights(half, small.caller(), small.card(), torch.float16)
    assert half.stat().st_size < 0.6 * path.stat().st_size
    caller = load_weights(half)[0]
    assert {t.dtype for t in caller.state_dict().values()} == {torch.float32, torch.int64}


def change_header(path: Path, edit: object) -> None:
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    edit(header)  # type: ignore[operator]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


def set_metadata(key: str, value: object) -> object:
    return lambda header: header["__metadata__"].update({key: json.dumps(value)})


def config_with(**change: object) -> object:
    return set_metadata("config", json.loads(small.CONFIG.to_json()) | change)


def calibrated(task: str, **values: object) -> object:
    return set_metadata("calibration", {task: values})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (config_with(width=10**12), "width"),
        (config_with(width=64), "tensor"),
        (config_with(prompt_version=prompt.VERSION + 1), "prompt version"),
        (calibrated("copies", temperature=-1, bias=[0, 0, 0]), "temperature"),
        (calibrated("copies"), "calibration"),
        (calibrated("cause", temperature=1, bias=[0, 0, 0]), "calibration.*cause"),
        (calibrated("weather", temperature=1, bias=[0, 0, 0]), "calibration.*weather"),
        (set_metadata("calibration", [1]), "metadata"),
        (set_metadata("features", ["one"]), "feature names"),
        (lambda header: header.pop("__metadata__"), "metadata"),
        (lambda header: header["__metadata__"].pop("config"), "config"),
        (lambda header: header.pop("answer.scale.bias"), "damaged.*offset"),
        (lambda header: header["answer.scale.bias"].update(shape=[10**12]), "damaged.*shape"),
        (lambda header: header["answer.scale.bias"].update(dtype="I64"), "damaged.*type"),
        (lambda header: header["answer.scale.bias"].update(data_offsets=[0, 4]), "damaged.*offset"),
        (lambda header: header["answer.scale.bias"].pop("dtype"), "damaged.*dtype"),
        (
            lambda header: header["answer.scale.bias"].update(
                data_offsets=header["answer.scale.weight"]["data_offsets"]
            ),
            "damaged.*offset",
        ),
    ],
)
def test_broken_headers_are_refused(path: Path, edit: object, message: str) -> None:
    change_header(path, edit)
    with pytest.raises(ModelError, match=message):
        load_weights(path)


def test_damaged_files_are_refused(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    for broken in (b"", content[:4], content[:1000], content[:-1], content + b"x", b"\xff" * 100):
        path.write_bytes(broken)
        with pytest.raises(ModelError, match="Cannot use"):
            load_weights(path)
    path.write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256"):
        load_weights(path, "0" * 64)
    with pytest.raises(ModelError, match="Cannot read"):
        load_weights(tmp_path / "absent.safetensors")


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    caller = small.caller()
    with torch.no_grad():
        caller.answer.scale.bias[0] = torch.nan
    save_weights(tmp_path / "mini.safetensors", caller, small.card())
    with pytest.raises(ModelError, match="finite"):
        load_weights(tmp_path / "mini.safetensors")


@pytest.mark.parametrize("name", ["model.pt", "model.bin", "model.ckpt"])
def test_pickles_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(ModelError, match="safetensors only"):
        load_weights(tmp_path / name)
    with pytest.raises(ModelError, match="safetensors only"):
        save_weights(tmp_path / name, small.caller(), small.card())


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        weights_path(tmp_path / "nowhere")


def test_what_is_said_of_the_training_is_read_and_written_alone(path: Path) -> None:
    tensors = read_tensors(path)
    path.write_bytes(with_training(path, {"step": 3}))
    path.write_bytes(with_training(path, {"seen": {"folders": {"a": 1}}}))
    assert read_training(path) == {"step": 3, "seen": {"folders": {"a": 1}}}
    _, card, _ = load_weights(path)
    assert card == replace(small.card(), training=read_training(path))
    assert all(np.array_equal(read_tensors(path)[name], tensors[name]) for name in tensors)
    # Weights of another version of the prompt are refused later, with the reason.
    change_header(path, config_with(prompt_version=0))
    assert read_training(path)["step"] == 3
    change_header(path, lambda header: header["__metadata__"].update(training="{"))
    with pytest.raises(ModelError, match=r"mini\.safetensors: its metadata is broken"):
        read_training(path)
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="damaged, or no safetensors"):
        read_training(path)
