"""One model of all tasks beside specialists and beside models that never saw an assay."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.inputs.sources import Source
from benchmarks.runs.network import Network
from benchmarks.specialists import (
    RECIPE,
    Plan,
    ask_all,
    comparison_table,
    plans_of,
    recipe_text,
    totals_table,
)
from benchmarks.tasks import PLAIN, SHEET, Answers, Assay
from models.training.recipe import Recipe
from varcall.training.examples import Sampling
from varcall.training.run import example_files, recipe_table

BUNDLED = tomllib.loads(RECIPE.read_text())
PLANS = {plan.name: plan for plan in plans_of(BUNDLED, 1000)}


def test_a_specialist_sees_as_many_examples_of_its_task() -> None:
    shares = BUNDLED["examples"]["tasks"]
    assert PLANS["generalist"].tasks == shares
    for task, share in shares.items():
        plan = PLANS[f"{task} alone"]
        assert (dict(plan.tasks), plan.steps) == ({task: 1.0}, round(1000 * share))


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("generalist", {"short", "hifi", "ont", "hg001_hifi_chrM"}),
        ("cause alone", {"short", "hifi", "ont", "hg001_hifi_chrM"}),
        ("without hifi", {"short", "ont"}),
        ("without ont", {"short", "hifi", "hg001_hifi_chrM"}),
    ],
)
def test_an_assay_left_out_is_in_no_folder(name: str, seen: set[str]) -> None:
    folders = ("short", "hifi", "ont", "hg001_hifi_chrM", "short_held_out", "ont_held_out")
    assert {folder for folder in folders if PLANS[name].may_see(Path(folder))} == seen


def test_what_each_is_compared_on() -> None:
    cause, unseen = PLANS["cause alone"], PLANS["without ont"]
    assert cause.is_asked("short_held_out", "cause")
    assert not cause.is_asked("short_held_out", "copies")
    assert unseen.is_asked("ont_held_out", "copies")
    assert not unseen.is_asked("hifi_held_out", "copies")


def test_recipes_are_the_bundled_one_but_for_steps_and_tasks(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_text(BUNDLED, PLANS["share alone"]))
    recipe, bundled = Recipe.from_file(path), Recipe.from_file(RECIPE)
    assert (recipe.steps, recipe.max_seconds, recipe.warmup_steps) == (100, None, 20)
    assert recipe.learning_rate == bundled.learning_rate
    sampling = recipe_table(path, "examples", Sampling)
    assert sampling.tasks == {"share": 1.0}
    assert sampling.easy_share == recipe_table(RECIPE, "examples", Sampling).easy_share


def test_answers_are_compared_one_by_one() -> None:
    labels = np.array([0, 0, 0, 1])
    ours, theirs = (
        np.full((4, 3), 0.05, np.float32) + 0.85 * np.eye(3, dtype=np.float32)[said]
        for said in ([0, 0, 1, 1], [0, 0, 0, 0])
    )
    answers = Answers(labels, np.arange(4), {PLAIN: ours, "other": theirs})
    none = np.zeros(0, bool)
    plan = Plan("other", {}, 1)
    table = comparison_table("t", {"short": Assay({"copies": answers}, none, none)}, [plan])
    expected = ["copies", "short", "other", "4", "75.0", "75.0", "1", "1", "0.828", "0.828"]
    assert table.rows == [expected]
    two = {name: Assay({"copies": answers}, none, none) for name in ("short", "ont")}
    assert totals_table("t", two, [plan]).rows == [["copies", "8", "2", "2"]]


def test_all_are_asked_what_is_labelled(example_folder: Path, weights: Path) -> None:
    network = Network.load(str(weights))
    others = [(PLANS[name], network) for name in ("cause alone", "without ont")]
    source = Source("ont_held_out", example_files(example_folder))
    found = ask_all(source, network, others)
    assert set(found.tasks) == set(SHEET)
    for task, answers in found.tasks.items():
        assert ("cause alone" in answers.given) == (task == "cause")
        np.testing.assert_allclose(answers.given["without ont"], answers.given[PLAIN], atol=1e-6)
