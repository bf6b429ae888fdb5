"""One model of all tasks beside models of one task each, and beside models that never saw an assay.

Usage: python -m benchmarks.specialists --examples DIR --work DIR [--steps N] [--files N]
           [--recipe FILE] [--history DIR] [--no-record]

DIR has the folders of `varcall examples` that `make model` makes; those named ``*_held_out`` are
asked about, the others trained on. Every model is trained here, from nothing, by the recipe of the
bundled one, but for as many steps as `--steps` says: the generalist on all tasks; a specialist on
one task, for as many examples of it as the generalist has; one without each long-read assay, which
is then asked about that assay by its words and pictures alone. What is finished in the work folder
is not trained again. No answer is calibrated: the networks are compared as they are.
"""

import argparse
import json
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.inputs.sources import Source, batches_of, held_out_sources
from benchmarks.results import add_options, report
from benchmarks.runs import hidden
from benchmarks.runs.history import Table
from benchmarks.runs.machine import ROOT
from benchmarks.runs.network import Network
from benchmarks.tasks import PLAIN, SHEET, Answers, Assay, by_task, in_rows, joined, percent
from models.tasks import TASK_NAMES
from models.training.checkpoint import COUNTS
from models.training.train import WEIGHTS
from models.weights.weights_file import graph_paths
from varcall.training.examples import make_examples
from varcall.training.feature_model import TRIAGE_FILES
from varcall.training.run import TrainOptions, run_train
from varcall.training.spans import load_span

RECIPE = ROOT / "models" / "training" / "recipes" / "tiny.toml"
GENERALIST = "generalist"
ASSAYS = ("hifi", "ont")
"""Each is left out of the training of one model: folders with the word in their names."""

STEPS = 2500
_HELD_OUT = "_held_out"
_LEAST_WARMUP = 20
_TABLES = ("train", "examples", "triage")


@dataclass(frozen=True, slots=True)
class Plan:
    """A model to train.

    Attributes
    ----------
    name
        Of its folder, and in the tables.
    tasks
        Shares of the examples, by task.
    steps
        Of training.
    task, assay
        What it is compared on: a specialist's task; the assay that it never saw, which none of its
        folders has.
    """

    name: str
    tasks: Mapping[str, float]
    steps: int
    task: str | None = None
    assay: str | None = None

    def may_see(self, folder: Path) -> bool:
        """Tell whether examples of a folder are for its training."""
        words = folder.name.lower().split("_")
        return not folder.name.endswith(_HELD_OUT) and self.assay not in words

    def is_asked(self, source: str, task: str) -> bool:
        """Tell whether it is compared on a task of a held-out folder."""
        is_its_assay = self.assay is None or source == self.assay + _HELD_OUT
        return is_its_assay and self.task in (None, task)


Trained = tuple[Plan, Network]


def ask_all(source: Source, generalist: Network, others: Sequence[Trained]) -> Assay:
    """Ask the generalist all that is labelled of a source, and the others what is theirs."""
    answers: dict[str, list[Answers]] = {task: [] for task in SHEET}
    for path in source.files:
        examples = make_examples(load_span(path), 1.0, 0, tasks=TASK_NAMES)
        for task in examples.tasks:
            for rows, batch in batches_of(examples, task):
                given = generalist.answer(batch, {PLAIN: hidden.nothing})
                for plan, network in others:
                    if plan.is_asked(source.name, task):
                        given |= network.answer(batch, {plan.name: hidden.nothing})
                picture = examples.tasks[task].question[rows]
                asked = Answers(batch.labels, picture, given)
                for name, part in in_rows(examples, task, asked).items():
                    answers[name].append(part)
    tasks = {task: joined(parts) for task, parts in answers.items() if any(map(len, parts))}
    nothing = np.zeros(0, np.bool_)
    return Assay(tasks, nothing, nothing)


def plans_of(recipe: Mapping[str, Any], steps: int) -> list[Plan]:
    """Return all models to train, the generalist first."""
    shares: dict[str, float] = recipe["examples"]["tasks"]
    whole = sum(shares.values())
    return [
        Plan(GENERALIST, shares, steps),
        *(
            Plan(f"{task} alone", {task: 1.0}, round(steps * share / whole), task=task)
            for task, share in shares.items()
        ),
        *(Plan(f"without {assay}", shares, steps, assay=assay) for assay in ASSAYS),
    ]


def recipe_text(recipe: Mapping[str, Any], plan: Plan) -> str:
    """Spell the recipe of a model in TOML."""
    tables = {name: dict(recipe[name]) for name in _TABLES}
    train = tables["train"]
    train.pop("max_seconds", None)
    warmup = max(_LEAST_WARMUP, plan.steps // 5)
    train |= {"steps": plan.steps, "warmup_steps": min(train["warmup_steps"], warmup)}
    tables["examples"].pop("tasks")
    tables["examples.tasks"] = dict(plan.tasks)
    lines = []
    for name, values in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def trained(plan: Plan, recipe: Mapping[str, Any], examples: Path, work: Path) -> Network:
    """Train a model, or go on with it, and return its network.

    The trees that choose the pictures are the generalist's for all.
    """
    folder = work / plan.name.replace(" ", "_")
    weights = folder / WEIGHTS
    if not all(path.is_file() for path in graph_paths(weights)):  # which are written last
        folder.mkdir(parents=True, exist_ok=True)
        for name in TRIAGE_FILES:
            if (work / GENERALIST / name).is_file() and not (folder / name).is_file():
                shutil.copyfile(work / GENERALIST / name, folder / name)
        written = work / f"{folder.name}.toml"
        written.write_text(recipe_text(recipe, plan))
        data = tuple(path for path in sorted(examples.iterdir()) if plan.may_see(path))
        resume = (folder / COUNTS).is_file()
        run_train(TrainOptions(recipe=written, data=data, output=folder, resume=resume))
    return Network.load(str(weights))


def rivalry(answers: Answers, plan: Plan) -> NDArray[np.int64]:
    """Count answers, those that only the generalist has right, and those that only the other has.

    int64 [3].
    """
    ours, theirs = answers.right, answers.is_right(plan.name)
    return np.array([len(ours), (ours & ~theirs).sum(), (theirs & ~ours).sum()])


def comparison_table(
    name: str, assays: Mapping[str, Assay], plans: Sequence[Plan], notes: Sequence[str] = ()
) -> Table:
    """Return the table of the generalist beside others, on what each of them is compared on."""
    rows = []
    for task, assay, answers in by_task(assays):
        for plan in plans:
            if plan.name not in answers.given:
                continue
            right = (answers.is_right(way) for way in (PLAIN, plan.name))
            shares = (percent(float(which.mean())) for which in right)
            losses = (f"{answers.loss(way):.3f}" for way in (PLAIN, plan.name))
            n, *only = map(str, rivalry(answers, plan))
            rows.append([task, assay, plan.name, n, *shares, *only, *losses])
    titles = ["task", "assay", "the other", "questions", "generalist, %", "the other, %"]
    titles += ["only the generalist right", "only the other right", "log loss", "the other's"]
    return Table(name, titles, rows, list(notes))


def totals_table(name: str, assays: Mapping[str, Assay], plans: Sequence[Plan]) -> Table:
    """Return how often only one of two models is right, over all assays, task by task."""
    counts: dict[str, NDArray[np.int64]] = {}
    for task, _, answers in by_task(assays):
        for plan in plans:
            if plan.name in answers.given:
                counts[task] = counts.get(task, 0) + rivalry(answers, plan)
    rows = [[task, *map(str, numbers.tolist())] for task, numbers in counts.items()]
    titles = ["task", "questions", "only the generalist right", "only the other right"]
    return Table(name, titles, rows)


def main() -> None:
    """Train what is not there yet, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=Path, required=True, help="folder of their folders")
    parser.add_argument("--work", type=Path, required=True, help="folder of the models")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--steps", type=int, default=STEPS, help="of the generalist")
    parser.add_argument("--files", type=int, help="held-out ones of a folder, at most")
    add_options(parser)
    arguments = parser.parse_args()
    recipe = tomllib.loads(arguments.recipe.read_text())
    plans = plans_of(recipe, arguments.steps)
    (_, generalist), *others = (
        (plan, trained(plan, recipe, arguments.examples, arguments.work)) for plan in plans
    )
    folders = sorted(arguments.examples.glob(f"*{_HELD_OUT}"))
    sources = held_out_sources(folders, arguments.files)
    assays = {source.name: ask_all(source, generalist, others) for source in sources}
    batch = recipe["train"]["batch_size"]
    note = (
        f"Simulated reads. The generalist saw {plans[0].steps * batch:,} examples, a specialist "
        f"as many of its task, a model without an assay {plans[-1].steps * batch:,} of the others."
    )
    specialists = [plan for plan in plans if plan.task]
    tables = [
        totals_table("totals", assays, specialists),
        comparison_table("by-task", assays, specialists, [note]),
        comparison_table("zero-shot", assays, [plan for plan in plans if plan.assay], [note]),
    ]
    report(arguments, "specialists", "One model of all tasks beside others", tables)


if __name__ == "__main__":
    main()
