from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.errors import ModelError
from models.registry import weights_path
from varcall.errors import InputError, UsageError
from varcall.training.run import TrainOptions, run_train


@pytest.mark.parametrize("name", ["workers", "threads"])
def test_no_worker_is_a_usage_error(name: str) -> None:
    plain = {"recipe": Path("r.toml"), "data": Path("d"), "output": Path("o")}
    with pytest.raises(UsageError, match=name):
        TrainOptions(**plain | {name: 0})  # type: ignore[arg-type]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    options = TrainOptions(recipe=recipe, data=(tmp_path,), output=tmp_path / "out")
    with pytest.raises(ModelError, match=r"recipe\.toml"):
        run_train(options)
    recipe.write_text("[train]\nsteps = 1\n")
    with pytest.raises(InputError, match="varcall examples"):
        run_train(options)
    assert not (tmp_path / "out").exists()


def test_weights_of_absent_folders_are_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[train]\nsteps = 1\n[examples.weights]\nreal = 2.0\n")
    options = TrainOptions(recipe=recipe, data=(tmp_path,), output=tmp_path / "out")
    with pytest.raises(InputError, match=r"folders that no --data names: real"):
        run_train(options)


def test_without_steps_weights_are_kept_and_the_rest_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[tuple[object, Path, tuple[Path, ...]]] = []

    def feature_models(folder: Path, *_: object) -> tuple[str, tuple[str, str]]:
        folder.mkdir()
        return "trees", ("half", "half")

    def attach(trees: object, weights: Path, held_out: SimpleNamespace, device: str) -> None:
        fitted.append((trees, weights, held_out.paths))

    monkeypatch.setattr("varcall.training.run.feature_models", feature_models)
    monkeypatch.setattr("varcall.training.run.attach", attach)
    exported: list[Path] = []
    monkeypatch.setattr("varcall.training.run.export", exported.append)
    span = tmp_path / "span.safetensors"
    span.touch()
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[train]\nsteps = 0\n")
    options = TrainOptions(
        recipe=recipe, data=(tmp_path,), output=tmp_path / "out", held_out=(tmp_path,)
    )
    with pytest.raises(UsageError, match="--begin-with"):
        run_train(options)
    with pytest.raises(ModelError, match=r"absent\.safetensors"):
        run_train(replace(options, begin_with=tmp_path / "absent.safetensors"))
    assert not options.output.exists()
    known, _ = weights_path("tiny")
    weights = run_train(replace(options, begin_with=known))
    assert weights.read_bytes() == known.read_bytes()
    assert fitted == [("trees", weights, (span,))]
    # The ONNX files are made last: of the weights as they stay.
    assert exported == [weights]


def test_a_missing_exporter_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.weights.export.find_spec", lambda package: None)
    options = TrainOptions(recipe=tmp_path / "absent", data=(tmp_path,), output=tmp_path / "out")
    with pytest.raises(ModelError, match=r"onnxscript.*varcall-pileup\[train\]"):
        run_train(options)
