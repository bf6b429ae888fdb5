"""The tables of a training's log."""

import json
from pathlib import Path

import pytest

from benchmarks.learning_curve import curve_table, last_table, read_log
from models.tasks import TASK_NAMES
from models.training.train import LOG


def _evaluation(step: int, name: str, accuracy: float, **more: object) -> dict[str, object]:
    copies = {"n": 1200, "accuracy": accuracy, "loss": 1 - accuracy}
    tasks = {"copies": copies, **more}
    return {"event": "evaluate", "step": step, "seconds": 0.4 * step, "name": name, "tasks": tasks}


EVENTS = [
    {"event": "train", "step": 100, "seconds": 40.0, "examples": 12_800},
    _evaluation(3000, "short", 0.75),
    _evaluation(3000, "ont", 0.5),
    {"event": "weights", "step": 3000, "seconds": 1200.0},
    _evaluation(6000, "short", 0.9375, cause={"n": 40, "accuracy": 0.975, "loss": 0.1}),
    _evaluation(6000, "ont", 0.625),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    text = "".join(json.dumps(event) + "\n" for event in EVENTS)
    (tmp_path / "model" / LOG).write_text(text)
    return tmp_path


def test_the_curve_has_a_row_for_each_evaluation(folder: Path) -> None:
    table = curve_table(read_log(folder))
    assert table.columns == ["minutes", "steps", "examples", "short", "ont"]
    assert table.rows == [
        ["20", "3,000", "0.38 M", "75.00, 0.2500", "50.00, 0.5000"],
        ["40", "6,000", "0.77 M", "93.75, 0.0625", "62.50, 0.3750"],
    ]


def test_the_last_evaluation_is_told_by_task(folder: Path) -> None:
    table = last_table(read_log(folder))
    assert [row[0] for row in table.rows] == list(TASK_NAMES)
    shown = dict(zip(TASK_NAMES, (row[1:] for row in table.rows), strict=True))
    assert shown["copies"] == ["93.8 % of 1,200", "62.5 % of 1,200"]
    assert shown["cause"] == ["97.5 % of 40", "-"]


def test_a_folder_without_a_training_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"train\.jsonl cannot be read"):
        read_log(tmp_path)


def test_a_training_without_an_evaluation_is_refused(folder: Path) -> None:
    log = folder / "model" / LOG
    log.write_text(log.read_text().splitlines(keepends=True)[0])
    with pytest.raises(SystemExit, match="has no evaluation"):
        read_log(folder)
