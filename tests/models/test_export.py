from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.card import Calibration, ModelCard
from models.config import ModelConfig
from models.errors import ModelError
from models.export import Exporter
from models.export.decoder_graph import QUESTION_TOKENS, TEXT_LENGTH
from models.export.onnx_format import GraphBuilder
from models.network.caller import build_caller
from models.network.image_encoder import ImageEncoder
from tests.models import small
from tests.models.back_ends import needs

Run = Callable[..., list[np.ndarray]]

OTHER_SIZES = replace(
    small.CONFIG,
    image_channels=(8, 16, 8, 8, 16),
    image_blocks=(2, 1, 2, 1, 1),
    width=24,
    depth=3,
    heads=3,
    soft_tokens=2,
)


def tensors_of(caller: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in caller.state_dict().items()}


def run(graph: bytes, *inputs: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    outputs: list[np.ndarray] = session.run(None, dict(zip(names, inputs, strict=True)))
    return outputs


def randomised(config: ModelConfig) -> torch.nn.Module:
    torch.manual_seed(1)
    caller = build_caller(config)
    for name, tensor in caller.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif tensor.is_floating_point() and not name.endswith("edges"):
            tensor.add_(0.3 * torch.randn_like(tensor))
    return caller.eval()


@needs("onnxruntime")
@pytest.mark.parametrize("config", [small.CONFIG, OTHER_SIZES], ids=["mini", "other sizes"])
def test_graphs_answer_as_the_model_does(config: ModelConfig) -> None:
    caller = randomised(config)
    calibration = Calibration(1.7, (0.3, -0.2, 0.1))
    card = ModelCard(config, {}, small.card().features, calibration)
    exporter = Exporter(card, tensors_of(caller))
    images, tokens, features = small.questions(4)
    images[:, 60:112] = images[:, 172:] = 0
    with torch.inference_mode():
        logits = caller(*(torch.from_numpy(x) for x in (images, tokens, features)))
        expected = calibration.apply(logits).softmax(1).numpy()
    assert (tokens[:, TEXT_LENGTH:] == QUESTION_TOKENS).all()
    for i in range(len(images)):
        text = run(exporter.text_graph(), tokens[i, :TEXT_LENGTH])
        for rows in (60, 80, 112):
            panels = images[i, :rows], images[i, 112 : 112 + rows]
            answer = run(exporter.question_graph(rows), *panels, features[i : i + 1], *text)[0]
            np.testing.assert_allclose(answer[0], expected[i], atol=2e-5)


@needs("onnx")
@pytest.mark.parametrize("rows", [40, 112])
def test_graphs_are_valid_onnx(rows: int) -> None:
    import onnx

    exporter = Exporter(small.card(), tensors_of(small.caller()))
    for content in (exporter.text_graph(), exporter.question_graph(rows)):
        graph = onnx.load_from_string(content)
        onnx.checker.check_model(graph, full_check=True)


def test_the_same_weights_make_the_same_bytes() -> None:
    first, second = (Exporter(small.card(), tensors_of(small.caller())) for _ in range(2))
    assert first.question_graph(40) == second.question_graph(40)
    assert first.text_graph() == second.text_graph()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda tensors: tensors.pop("answer.bias"), "answer.bias"),
        (lambda tensors: tensors.update(spare=np.zeros(1)), "spare"),
        (lambda tensors: tensors.update({"answer.bias": np.zeros(7)}), r"answer.bias is \[7\]"),
    ],
)
def test_tensors_that_are_not_the_models_are_refused(
    edit: Callable[[dict[str, np.ndarray]], object], message: str
) -> None:
    tensors = tensors_of(small.caller())
    edit(tensors)
    with pytest.raises(ModelError, match=message):
        Exporter(small.card(), tensors)


@needs("onnx")
def test_every_kind_of_attribute_and_number_is_written() -> None:
    import onnx

    graph = GraphBuilder("all")
    x = graph.input("x", np.float32, (2, 300))
    y = graph.add("LayerNormalization", x, graph.constant(np.ones(300)), axis=-1, epsilon=1e-5)
    first, _ = graph.split(graph.add("Transpose", y, perm=(1, 0)), 0, (200, 100))
    graph.output("y", first, (200, 2))
    model = onnx.load_from_string(graph.to_bytes())
    onnx.checker.check_model(model, full_check=True)
    attributes = {
        a.name: onnx.helper.get_attribute_value(a)
        for node in model.graph.node
        for a in node.attribute
    }
    assert attributes == {"axis": 0, "epsilon": pytest.approx(1e-5), "perm": [1, 0]}
    axes = [a.i for node in model.graph.node for a in node.attribute if a.name == "axis"]
    assert axes == [-1, 0]
    assert model.graph.input[0].type.tensor_type.shape.dim[1].dim_value == 300


def test_the_image_encoder_has_the_batch_norm_of_the_exporter() -> None:
    encoder = ImageEncoder(small.CONFIG)
    norms = [m for m in encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {1e-5}
