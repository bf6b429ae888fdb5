"""How a training went: what it had seen and how right it was, evaluation by evaluation.

Usage: python -m benchmarks.learning_curve FOLDER [--history DIR] [--no-record]

FOLDER is that of `make model` (OUT, build/model by default), whose network has been trained.
`benchmarks.results` says where the tables are written.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import add_options, report
from benchmarks.runs.history import Table
from models.tasks import COPIES, TASK_NAMES
from models.training.train import LOG

Event = Mapping[str, Any]
"""A line of the log: its "event", the "step" it came after, and what belongs to it."""


def read_log(folder: Path) -> list[Event]:
    """Return the events of a training, in order.

    Raises
    ------
    SystemExit
        Where there is none, or it has no evaluation yet.
    """
    log = folder / "model" / LOG
    try:
        events = [json.loads(line) for line in log.read_text().splitlines()]
    except OSError as error:
        raise SystemExit(f"{log} cannot be read ({error}): name the OUT of make model") from None
    if not any(event["event"] == "evaluate" for event in events):
        raise SystemExit(f"{log} has no evaluation: the recipe's evaluate_seconds have not passed")
    return events


def curve_table(events: Sequence[Event]) -> Table:
    """Return minutes, steps, examples, and accuracy and log loss of copies, by evaluation."""
    evaluations = [event for event in events if event["event"] == "evaluate"]
    trained = next(event for event in events if event["event"] == "train")
    a_step = trained["examples"] / trained["step"]
    names = list(dict.fromkeys(event["name"] for event in evaluations))
    rows = []
    for step in sorted({event["step"] for event in evaluations}):
        found = {event["name"]: event for event in evaluations if event["step"] == step}
        seconds = min(event["seconds"] for event in found.values())
        answers = [found[name]["tasks"][COPIES.name] for name in names]
        rows.append(
            [
                f"{seconds / 60:.0f}",
                f"{step:,}",
                f"{step * a_step / 1e6:.2f} M",
                *(f"{100 * one['accuracy']:.2f}, {one['loss']:.4f}" for one in answers),
            ]
        )
    note = "copies, the network alone before calibration: accuracy in percent, log loss"
    return Table("curve", ["minutes", "steps", "examples", *names], rows, [note])


def last_table(events: Sequence[Event]) -> Table:
    """Return how right the last evaluation was, by task."""
    evaluations = [event for event in events if event["event"] == "evaluate"]
    last = [event for event in evaluations if event["step"] == evaluations[-1]["step"]]
    rows = [
        [
            task,
            *(
                f"{100 * of_task['accuracy']:.1f} % of {of_task['n']:,}"
                if (of_task := event["tasks"].get(task))
                else "-"
                for event in last
            ),
        ]
        for task in TASK_NAMES
    ]
    note = "the network alone before calibration, at the end"
    return Table("last", ["task", *(event["name"] for event in last)], rows, [note])


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="OUT of make model")
    add_options(parser)
    arguments = parser.parse_args()
    events = read_log(arguments.folder)
    tables = [curve_table(events), last_table(events)]
    report(arguments, "learning-curve", "How the training went", tables)


if __name__ == "__main__":
    main()
