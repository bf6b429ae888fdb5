import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.multiprocessing.spawn import spawn

from models import registry
from models.errors import ModelError
from models.registry import ModelSize
from models.training import train
from models.training.recipe import Recipe
from models.training.train import LOG, TrainJob
from models.weights.model_weights import load_weights
from tests.models import small
from tests.models.small import ToyBatches

RECIPE = Recipe(
    size="mini",
    batch_size=16,
    steps=70,
    warmup_steps=5,
    learning_rate=4e-3,
    ema_decay=0.9,
    log_every=35,
    drop_image=0.0,
    drop_features=0.0,
    drop_likelihoods=0.0,
)


@pytest.fixture(autouse=True)
def _mini(monkeypatch: pytest.MonkeyPatch) -> None:
    mini = ModelSize((8, 8, 16, 16), (0, 1, 1, 1), 32, 2, 2, 32, 12, 4)
    monkeypatch.setitem(registry.SIZES, "mini", mini)


def job(out: Path, where: str, tasks: tuple[str, ...] = ("copies",), **changes: Any) -> TrainJob:
    return TrainJob(
        recipe=replace(RECIPE, **changes.pop("recipe", {})),
        make_batches=ToyBatches(where, tasks=tasks),
        out=out,
        pileup_spec={"version": 1},
        features=small.card().features,
        evaluations={"toy": ToyBatches(where, n_batches=3, tasks=tasks)},
        **changes,
    )


def log_of(out: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize("where", ["image", "features", "prompt"])
def test_a_label_is_learned_wherever_it_shows(tmp_path: Path, where: str) -> None:
    weights = train.train(job(tmp_path, where, seen={"platforms": ["illumina"]}))
    assert log_of(tmp_path, "evaluate")[-1]["tasks"]["copies"]["accuracy"] > 0.95
    _, card, digest = load_weights(weights)
    assert card.training["seen"] == {"platforms": ["illumina"]}
    assert card.recipe["size"] == "mini"
    assert card.training["step"] == 70
    assert list(card.calibration) == ["copies"]
    assert card.calibration["copies"].temperature != 1.0
    assert log_of(tmp_path, "weights")[-1]["sha256"] == digest
    line = log_of(tmp_path, "train")[-1]
    assert line["examples"] == 1120
    assert len(line["tasks"]["copies"]["recall"]) == 3
    assert line["tasks"]["copies"]["n"] == 35 * 16


def test_two_tasks_are_learned_at_once(tmp_path: Path) -> None:
    """The question decides which of two marks is told."""
    tasks = ("copies", "share")
    recipe = {"steps": 220, "measured_weight": 0.0}
    weights = train.train(job(tmp_path, "features", tasks, recipe=recipe))
    found = log_of(tmp_path, "evaluate")[-1]["tasks"]
    assert list(found) == list(tasks)
    assert min(found[task]["accuracy"] for task in tasks) > 0.9
    assert sum(found[task]["n"] for task in tasks) == 48
    assert list(log_of(tmp_path, "train")[-1]["tasks"]) == list(tasks)
    assert {line["task"] for line in log_of(tmp_path, "calibrate")} == set(tasks)
    _, card, _ = load_weights(weights)
    assert len(card.calibration["share"].bias) == 5


def test_what_counts_say_is_right_from_the_start(tmp_path: Path) -> None:
    train.train(job(tmp_path, "counts", recipe={"steps": 1, "learning_rate": 0.0}))
    found = log_of(tmp_path, "evaluate")[-1]["tasks"]["copies"]
    assert found["accuracy"] == 1.0
    assert found["loss"] == pytest.approx(2 * np.exp(-9), rel=0.05)


def test_half_precision_is_the_recipes_choice(tmp_path: Path) -> None:
    short = {"steps": 3, "log_every": 3}
    losses = []
    for precision in ("auto", "fp32", "bf16"):
        folder = tmp_path / precision
        train.train(job(folder, "image", recipe=short | {"precision": precision}))
        losses.append(log_of(folder, "train")[-1]["image_alone"]["loss"])
    assert losses[0] == losses[1] != losses[2]
    assert losses[2] == pytest.approx(losses[1], rel=0.05)


def test_a_resumed_training_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    short = {"steps": 8, "evaluate_seconds": 1e-3, "final_learning_rate": 4e-3}
    unbroken = train.train(job(tmp_path / "a", "image", recipe=short))
    train.train(job(tmp_path / "b", "image", recipe=short | {"steps": 3}))
    resumed = train.train(job(tmp_path / "b", "image", recipe=short, resume=True))
    first, second = (load_weights(path)[0].state_dict() for path in (unbroken, resumed))
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, msg=name)


def test_workers_share_the_work(tmp_path: Path) -> None:
    work = job(tmp_path, "features", recipe={"steps": 6, "log_every": 3, "size": "tiny"}, workers=2)
    weights = train.train(work)
    assert load_weights(weights)[1].training["examples"] == 6 * 16 * 2
    assert log_of(tmp_path, "evaluate")[-1]["n"] == 3 * 16


def test_a_worker_ends_with_no_thread_of_its_group_alive(tmp_path: Path) -> None:
    work = job(tmp_path, "features", recipe={"steps": 1, "size": "tiny"})
    spawn(_work_alone, args=(work, f"file://{tmp_path}/meeting"))
    assert json.loads((tmp_path / "threads.json").read_text()) == []


def _work_alone(rank: int, work: TrainJob, meeting: str) -> None:
    train._work(rank, work, meeting)
    names = []
    for path in Path("/proc/self/task").glob("*/comm"):
        # One that ends just now has no name.
        with suppress(OSError):
            names.append(path.read_text().strip())
    (work.out / "threads.json").write_text(json.dumps([name for name in names if "gloo" in name]))


def test_it_ends_with_the_time_or_the_examples(tmp_path: Path) -> None:
    recipe = {"steps": None, "max_seconds": 0.5}
    train.train(job(tmp_path / "time", "features", recipe=recipe))
    assert log_of(tmp_path / "time", "weights")[-1]["seconds"] < 10
    ends = replace(job(tmp_path / "data", "features"), make_batches=ToyBatches("features", 16, 4))
    assert load_weights(train.train(ends))[1].training["step"] == 4


def test_a_folder_in_use_and_a_missing_checkpoint_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no checkpoint"):
        train.train(job(tmp_path, "image", resume=True))
    train.train(job(tmp_path, "features", recipe={"steps": 1}))
    with pytest.raises(ModelError, match="resume it"):
        train.train(job(tmp_path, "features"))
    (tmp_path / "checkpoint.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="Cannot resume"):
        train.train(job(tmp_path, "features", resume=True))


def test_recipes(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[train]\nsize = "small"\nsteps = 10\nlearning_rate = 1\n')
    recipe = Recipe.from_file(path)
    assert (recipe.size, recipe.steps) == ("small", 10)
    assert recipe.learning_rate_at(0, 0.0) == pytest.approx(1 / 200)
    assert recipe.learning_rate_at(500, 1.0) == pytest.approx(1e-5)
    assert recipe.progress(5, 1000.0) == 0.5
    assert recipe.on("cpu") == recipe
    assert recipe.on("cuda:1").batch_size == recipe.cuda_batch_size == 8 * recipe.batch_size
    assert recipe.on("cuda").learning_rate == pytest.approx(8**0.5)
    for text, message in [
        ("steps = 1\ncolour = 2", "colour"),
        ("steps = 'x'", "steps"),
        ("steps = 1.5", "steps"),
        ("steps = 1\nbatch_size = 0", "batch_size"),
        ("steps = 1\nlearning_rate = nan", "learning_rate"),
        ("seed = 1", "end"),
        ("steps = 1\nprecision = 'fp8'", "precision"),
        ("steps = 1\ndrop_likelihoods = 2", "drop"),
        ("steps = ", "Cannot read"),
    ]:
        path.write_text(text)
        with pytest.raises(ModelError, match=message):
            Recipe.from_file(path)


def test_shipped_recipes_are_readable() -> None:
    folder = Path(train.__file__).parent / "recipes"
    assert [Recipe.from_file(path).size for path in sorted(folder.glob("*.toml"))]
