import hashlib
import re
import shutil
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import torch

from models.card import Calibration
from models.errors import ModelError
from models.inference.engine import Engine, load_engine
from models.inference.torch import BATCH, TorchEngine
from models.prompt import Exemplar, PromptContext, write_tokens
from models.tasks import TASKS, answer_columns
from models.weights.model_weights import load_weights
from models.weights.weights_file import QUESTION_GRAPH, TEXT_GRAPH, graph_path
from tests.models import small
from tests.models.back_ends import EXPORTED, needs
from tests.models.small import Asked, rows_of

N = 2 * BATCH + 7


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.save(tmp_path_factory.mktemp("weights") / "mini.safetensors")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "calibrated.safetensors"
    return small.save(path, calibration={"copies": Calibration(2.0)})


@pytest.fixture(scope="module", params=["torch", *EXPORTED])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(path: Path, name: str) -> Engine:
    return load_engine(path, device="cpu", precision="fp32", engine=name)


@pytest.fixture(scope="module")
def asked() -> Asked:
    images, *rest = small.questions(N)
    # Images of every depth: engines may leave out rows that are blank from some row on.
    for image, rows in zip(
        images, cycle((0, 1, 7, 8, 9, 16, 17, 48, 49, 63, 64, 65, 72)), strict=False
    ):
        small.blank_from(image, rows)
    return images, *rest


def test_answers_are_those_of_the_model(engine: Engine, asked: Asked) -> None:
    answers = engine.predict(*asked)
    with torch.inference_mode():
        logits = small.caller()(*small.tensors(asked))[:, :3]
    np.testing.assert_allclose(answers, logits.softmax(1).numpy(), atol=1e-5)
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-6)
    assert answers.dtype == np.float32
    assert answers.std(axis=0).max() > 1e-3  # rows differ, so equality below means something


@pytest.mark.parametrize("size", [1, 7, 64])
def test_an_answer_does_not_depend_on_its_batch(engine: Engine, asked: Asked, size: int) -> None:
    together = engine.predict(*asked)
    starts = range(0, N, size if size > 1 else 10)
    for start in starts:
        rows = slice(start, start + size)
        np.testing.assert_array_equal(engine.predict(*rows_of(asked, rows)), together[rows])


def test_an_answer_does_not_depend_on_its_place(engine: Engine, asked: Asked) -> None:
    together = engine.predict(*asked)
    order = np.random.default_rng(3).permutation(N)
    np.testing.assert_array_equal(engine.predict(*rows_of(asked, order)), together[order])


def test_nothing_asked_nothing_answered(engine: Engine, asked: Asked) -> None:
    assert engine.predict(*rows_of(asked, slice(0))).shape == (0, 3)


def test_the_calibration_is_applied(
    calibrated: Path, engine: Engine, name: str, asked: Asked
) -> None:
    some = rows_of(asked, slice(4))
    plain = engine.predict(*some)
    softened = np.sqrt(plain) / np.sqrt(plain).sum(1, keepdims=True)
    answers = load_engine(calibrated, "cpu", "fp32", engine=name).predict(*some)
    np.testing.assert_allclose(answers, softened, atol=1e-5)


def test_arrays_that_do_not_fit_are_refused(engine: Engine, asked: Asked) -> None:
    images, tokens, features, likelihoods, task = rows_of(asked, slice(2))
    with pytest.raises(ValueError, match="images"):
        engine.predict(images[:, :100], tokens, features, likelihoods, task)
    with pytest.raises(ValueError, match="features"):
        engine.predict(images, tokens, features[:, 1:], likelihoods, task)
    with pytest.raises(ValueError, match="likelihoods"):
        engine.predict(images, tokens, features, likelihoods[:1], task)
    with pytest.raises(ValueError, match="instruction"):
        engine.predict(images, np.roll(tokens, 1, axis=1), features, likelihoods, task)
    with pytest.raises(ValueError, match="task cause"):
        engine.predict(images, tokens, features, likelihoods, "cause")


@pytest.mark.parametrize("task", [task for task in TASKS if task != "copies"])
def test_every_task_is_answered_by_its_own_options(engine: Engine, task: str) -> None:
    asked = small.questions(5, task=task)
    answers = engine.predict(*asked)
    with torch.inference_mode():
        logits = small.caller()(*small.tensors(asked))[:, list(answer_columns(task))]
    assert answers.shape == (5, len(TASKS[task].options))
    np.testing.assert_allclose(answers, logits.softmax(1).numpy(), atol=1e-5)
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-6)


def test_an_example_and_other_words_are_read(engine: Engine, asked: Asked) -> None:
    """Prompts of any length, also side by side with others, are answered as the model answers."""
    images, _, features, likelihoods, task = rows_of(asked, slice(6))
    refs, alts = ["A"] * 6, [("C",)] * 6
    plain = write_tokens(PromptContext(), refs, alts)
    shown = write_tokens(PromptContext(), refs, alts, exemplar=Exemplar("A", ("G",), 1))
    drawn = write_tokens(PromptContext(), refs, alts, rng=np.random.default_rng(1))
    tokens = np.concatenate([plain[:2], shown[2:4], drawn[4:]])
    some = images, tokens, features, likelihoods, task
    answers = engine.predict(*some)
    with torch.inference_mode():
        logits = small.caller()(*small.tensors(some))[:, :3]
    np.testing.assert_allclose(answers, logits.softmax(1).numpy(), atol=1e-5)
    without = engine.predict(images, plain, features, likelihoods, task)
    np.testing.assert_array_equal(answers[:2], without[:2])
    assert (abs(answers[2:] - without[2:]).max(axis=1) > 1e-7).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"device": "tpu"},
        {"precision": "fp8"},
        {"engine": "tensorrt"},
        {"path_or_name": "no-such-model"},
    ],
)
def test_what_is_not_there_is_named(path: Path, arguments: dict[str, str]) -> None:
    with pytest.raises(ModelError, match=next(iter(arguments.values()))):
        load_engine(**{"path_or_name": path} | arguments)


def test_it_answers_without_varcall(path: Path) -> None:
    program = (
        "import sys; sys.modules['varcall'] = None; sys.modules['pileup'] = None\n"
        "import numpy as np\n"
        "from models.inference.engine import load_engine\n"
        "from models.prompt import PromptContext, write_tokens\n"
        f"engine = load_engine({str(path)!r}, 'cpu', engine='torch')\n"
        "answers = engine.predict(np.zeros((1, 224, 224, 3), np.uint8),\n"
        "    write_tokens(PromptContext(), ['A'], [('C',)]),\n"
        f"    np.zeros((1, {small.N_FEATURES}), np.float32),\n"
        "    np.zeros((1, 3), np.float32), 'copies')\n"
        "assert abs(answers.sum() - 1) < 1e-5\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)


@pytest.mark.parametrize("engine", EXPORTED)
def test_exported_engines_do_not_import_torch(path: Path, engine: str) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from models.inference.engine import load_engine\n"
        f"load_engine({str(path)!r}, engine={engine!r})\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_a_missing_extra_is_one_sentence(
    path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _remove(monkeypatch, engine)
    with pytest.raises(ModelError, match=rf"engine {engine}.*varcall-pileup\[{engine}\]"):
        load_engine(path, "cpu", engine=engine)


@pytest.mark.parametrize("has_bf16", [False, True])
def test_neither_engine_nor_precision_depends_on_the_cpu(
    path: Path,
    name: str,
    has_bf16: bool,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = rows_of(asked, slice(4))
    chosen = type(load_engine(path, "cpu", "fp32"))
    monkeypatch.setattr("models.inference.engine.cpu_multiplies_bf16", lambda: has_bf16)
    assert type(load_engine(path, "cpu")) is chosen
    stated, unstated = (
        load_engine(path, "cpu", precision, engine=name).predict(*some)
        for precision in ("fp32", "auto")
    )
    np.testing.assert_array_equal(unstated, stated)


def test_auto_takes_the_next_engine_when_one_is_missing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.inference.engine.find_spec", lambda package: None)
    assert isinstance(load_engine(path, "cpu"), TorchEngine)


def test_auto_takes_the_next_engine_when_one_is_broken(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("models.inference.engine.find_spec", lambda package: object())
    _remove(monkeypatch, "openvino")
    _remove(monkeypatch, "onnx")
    assert isinstance(load_engine(path, "cpu"), TorchEngine)
    assert "the engine onnx does not work here" in caplog.text


def test_auto_takes_the_next_engine_when_the_answer_is_no_probability(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.inference.engine._PROBE_TOLERANCE", 0.0)
    assert isinstance(load_engine(path, "cpu"), TorchEngine)


def _remove(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """Let importing an engine fail as it does where its package is absent."""
    package = {"openvino": "openvino", "onnx": "onnxruntime"}[engine]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"models.inference.{engine}", raising=False)
    import models.inference

    monkeypatch.delattr(models.inference, engine, raising=False)


@needs("onnxruntime")
def test_damaged_weights_are_not_a_reason_to_try_the_next_engine(
    path: Path, tmp_path: Path
) -> None:
    damaged = copied(path, tmp_path)
    damaged.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"mini\.safetensors: "):
        load_engine(damaged, "cpu", "fp32")


def copied(path: Path, folder: Path) -> Path:
    """Copy weights with their ONNX files."""
    for file in path.parent.iterdir():
        shutil.copy(file, folder)
    return folder / path.name


@pytest.mark.parametrize("graph", [TEXT_GRAPH, QUESTION_GRAPH])
@pytest.mark.parametrize("engine", [*EXPORTED, pytest.param("auto", marks=needs("onnxruntime"))])
def test_onnx_files_that_are_not_those_of_the_weights_are_refused(
    path: Path, calibrated: Path, tmp_path: Path, engine: str, graph: str
) -> None:
    copy = copied(path, tmp_path)
    file = graph_path(copy, graph)
    remade = re.escape(f"remake it with: python -m models.weights.export {copy}")
    file.write_bytes(graph_path(calibrated, graph).read_bytes())
    with pytest.raises(ModelError, match=f"{file}.*other weights.*{remade}"):
        load_engine(copy, "cpu", engine=engine)
    whole = graph_path(path, graph).read_bytes()
    hash_of_weights = hashlib.sha256(path.read_bytes()).hexdigest().encode()
    for damaged in (b"", whole[: len(whole) // 2], b"any bytes, and " + hash_of_weights):
        file.write_bytes(damaged)
        with pytest.raises(ModelError, match=f"{file}.*{remade}"):
            load_engine(copy, "cpu", engine=engine)
    file.unlink()
    with pytest.raises(ModelError, match=f"{file}.*No such file.*{remade[2:]}"):
        load_engine(copy, "cpu", engine=engine)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "onnx", "device": "cuda"}, "CPU only"),
        ({"engine": "openvino", "device": "cuda:0"}, "CPU only"),
        ({"engine": "onnx", "precision": "bf16"}, "no bf16 arithmetic"),
    ],
)
def test_what_an_engine_cannot_do_is_said(
    path: Path, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        load_engine(path, **arguments)


@pytest.mark.parametrize("level", ["AVX2", "avx512_core"])
def test_bf16_that_onednn_may_not_use_is_said(
    path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", level)
    for engine in ("auto", "torch", "openvino"):
        with pytest.raises(ModelError, match="no bf16 arithmetic"):
            load_engine(path, "cpu", "bf16", engine=engine)


def test_bf16_is_near_fp32(path: Path, asked: Asked) -> None:
    some = rows_of(asked, slice(4))
    exact, rounded = (
        TorchEngine(*load_weights(path), "cpu", precision).predict(*some)
        for precision in ("fp32", "bf16")
    )
    np.testing.assert_allclose(rounded, exact, atol=0.05)
    assert (rounded != exact).any()
