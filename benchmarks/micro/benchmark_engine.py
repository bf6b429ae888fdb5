"""Images per second of each engine, one thread, and questions per second of the triage."""

import time
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.micro.conftest import Count, EngineInput
from models.inference.engine import cpu_multiplies_bf16, load_engine
from models.weights.weights_file import load_triage
from varcall.options import DEFAULT_BATCH_SIZE, DEFAULT_MODEL

PACKAGES = {"torch": "torch", "openvino": "openvino", "onnx": "onnxruntime"}
ON_CPU = [
    ("torch", "fp32"), ("openvino", "fp32"), ("onnx", "fp32"),
    ("torch", "bf16"), ("openvino", "bf16"),
]  # fmt: skip
CUDA_IMAGES = 512
TRIAGE_QUESTIONS = 4096


@pytest.mark.parametrize(("engine", "precision"), ON_CPU)
def benchmark_engine(count: Count, engine: str, precision: str, engine_input: EngineInput) -> None:
    """Answer one batch of questions about pictures."""
    if find_spec(PACKAGES[engine]) is None:
        pytest.skip(f"needs {PACKAGES[engine]}: pip install it to run this benchmark")
    if precision == "bf16" and not cpu_multiplies_bf16():
        pytest.skip("this CPU has no bf16 arithmetic")
    loaded = load_engine(DEFAULT_MODEL, device="cpu", precision=precision, engine=engine)
    asked = engine_input.repeated(DEFAULT_BATCH_SIZE)
    count("images", lambda: asked.answered_by(loaded))


# Of the clock: what a GPU does costs no CPU time.
@pytest.mark.benchmark(timer=time.perf_counter)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def benchmark_cuda(count: Count, precision: str, engine_input: EngineInput) -> None:
    """Answer one batch of questions on a GPU, copies to and fro in it."""
    from models.inference.torch import has_cuda

    if not has_cuda():
        pytest.skip("there is no CUDA device")
    loaded = load_engine(DEFAULT_MODEL, device="cuda", precision=precision, engine="torch")
    asked = engine_input.repeated(CUDA_IMAGES)
    count("images", lambda: asked.answered_by(loaded))


def benchmark_triage(count: Count, engine_input: EngineInput) -> None:
    """Let the feature model answer, and decide which answers are sure."""
    triage = load_triage(DEFAULT_MODEL)
    if triage is None:
        pytest.skip(f"the weights {DEFAULT_MODEL} have no feature model")
    features = engine_input.repeated(TRIAGE_QUESTIONS).features
    likelihoods = np.zeros((len(features), 3), np.float32)
    count("questions", lambda: len(triage.is_sure(triage.predict(features, likelihoods))))
