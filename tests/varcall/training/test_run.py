from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.errors import ModelError
from models.feature_model.trees import Trees
from models.feature_model.triage import Triage, TriageSettings
from models.training.train import TrainJob
from models.weights.model_weights import save_weights
from models.weights.weights_file import read_tensors, read_weights
from tests.models import small
from varcall.errors import InputError, UsageError
from varcall.training.examples import Sampling
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
    monkeypatch.setattr("varcall.training.run.seen_in", lambda paths, sampling: {"of": len(paths)})
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
    known = tmp_path / "known" / "known.safetensors"
    leaves = np.full(3, -1, np.int32), np.ones(3, np.float32), np.zeros(3, np.int32)
    triage = Triage(Trees(np.arange(3, dtype=np.int32), *leaves), TriageSettings(sure=0.9))
    save_weights(known, small.caller(), replace(small.card(), training={"step": 7}), triage=triage)
    weights = run_train(replace(options, begin_with=known))
    kept = read_weights(weights)
    assert kept.card.training == {"step": 7, "seen": {"of": 1}}
    before = read_weights(known)
    assert replace(kept.card, training=before.card.training) == before.card
    assert kept.triage is not None
    for name, tensor in read_tensors(known).items():
        assert np.array_equal(read_tensors(weights)[name], tensor), name
    assert read_tensors(known)
    assert fitted == [("trees", weights, (span,))]
    # The ONNX files are made last: of the weights as they stay.
    assert exported == [weights]


def test_the_card_of_a_training_says_what_it_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "a", tmp_path / "b"
    for folder in data:
        folder.mkdir()
        (folder / "x.safetensors").touch()
    jobs: list[TrainJob] = []

    def train(job: TrainJob) -> Path:
        jobs.append(job)
        return tmp_path / "weights.safetensors"

    def seen_in(paths: Sequence[Path], sampling: Sampling) -> dict[str, object]:
        return {"paths": paths, "least": sampling.min_depth}

    monkeypatch.setattr("varcall.training.run.train_model", train)
    monkeypatch.setattr("varcall.training.run.seen_in", seen_in)
    monkeypatch.setattr("varcall.training.run.feature_models", lambda *_: ("trees", ()))
    monkeypatch.setattr("varcall.training.run.export", lambda weights: None)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[train]\nsteps = 1\n[examples]\nmin_depth = 5.0\n")
    run_train(TrainOptions(recipe=recipe, data=data, output=tmp_path / "out"))
    (job,) = jobs
    paths = tuple(folder / "x.safetensors" for folder in data)
    assert job.seen == {"paths": paths, "least": 5.0}


def test_a_missing_exporter_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.weights.export.find_spec", lambda package: None)
    options = TrainOptions(recipe=tmp_path / "absent", data=(tmp_path,), output=tmp_path / "out")
    with pytest.raises(ModelError, match=r"onnxscript.*varcall-pileup\[train\]"):
        run_train(options)
