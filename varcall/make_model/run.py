"""One command from a recipe to a model: samples, spiked reads, examples, training, export."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError
from models.training.checkpoint import COUNTS
from models.training.train import WEIGHTS
from models.weights.weights_file import graph_paths
from varcall.errors import UsageError, VarcallError
from varcall.log import configure_logging
from varcall.make_model.recipe import DataRecipe, read_recipe
from varcall.make_model.tasks import Maker, Place, Plan, pieces_of, prepare_genome
from varcall.training.run import TrainOptions, run_train
from varcall.training.spans import SPAN_SUFFIX
from varcall.workers.pool import run_in_order


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeOptions:
    """What to make.

    Attributes
    ----------
    recipe
        TOML file with [data], [train], [examples] and [triage].
    data
        Folder of real data; a recipe without any needs none.
    output
        Folder of examples and models. What it holds already is not made again.
    fold
        Fold whose slices the model must not see; None makes the shipped model.
    workers
        Processes.
    device
        Of the training: cpu or cuda.
    examples_only
        Stop before the training.
    """

    recipe: Path
    data: Path
    output: Path
    fold: int | None = None
    workers: int = 2
    device: str = "cpu"
    examples_only: bool = False


def make_model(options: MakeOptions) -> Path:
    """Make a model and return the folder of its weights.

    Raises
    ------
    VarcallError
        If the recipe, an input or a step fails.
    """
    recipe = read_recipe(options.recipe)
    if options.fold is not None and options.fold not in recipe.folds():
        known = ", ".join(map(str, recipe.folds())) or "none"
        raise UsageError(f"{options.recipe} has no fold {options.fold}, but {known}")
    place = Place(options.data, options.recipe.parent, options.output)
    seconds = _make_examples(recipe, place, options.workers)
    model = options.output / ("model" if options.fold is None else f"model_fold{options.fold}")
    began = time.monotonic()
    if not options.examples_only and not _is_finished(model):
        run_train(train_options(recipe, place, options, model))
    seconds["train"] = time.monotonic() - began
    report = {name: round(spent, 1) for name, spent in seconds.items() if spent}
    (options.output / f"{model.name}.seconds.json").write_text(json.dumps(report, indent=1) + "\n")
    return model


def _make_examples(recipe: DataRecipe, place: Place, workers: int) -> dict[str, float]:
    """Make what is not there yet; returns seconds by step, groups and slices by their name."""
    began = time.monotonic()
    for genome in recipe.genomes:
        mapped = any(
            g.genome == genome.name and g.options.get("mapper") != "exact" for g in recipe.groups
        )
        prepare_genome(place, genome, needs_bwa=mapped)
    seconds = {"genomes": time.monotonic() - began}
    pieces = list(pieces_of(recipe))
    made = run_in_order(Maker, Plan(recipe, place), pieces, workers)
    for number, (piece, spent) in enumerate(made, 1):
        seconds[piece.name] = seconds.get(piece.name, 0.0) + spent
        if spent:
            _say(f"{piece}: {spent:.1f} s ({number} of {len(pieces)})")
    return seconds


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _is_finished(model: Path) -> bool:
    weights = model / WEIGHTS
    return weights.exists() and all(path.exists() for path in graph_paths(weights))


def train_options(
    recipe: DataRecipe, place: Place, options: MakeOptions, model: Path
) -> TrainOptions:
    """How a model is trained on the examples that it may see."""
    seen = [g for g in recipe.groups if not g.held_out], recipe.seen_slices(options.fold)
    data = [place.examples(x.name) for part in seen for x in part for _ in range(x.repeated)]
    held_out = [place.examples(g.name) for g in recipe.groups if g.held_out]
    # A slice all of whose labels are uncertain leaves an empty folder.
    return TrainOptions(
        recipe=options.recipe,
        data=tuple(folder for folder in data if any(folder.glob(f"*{SPAN_SUFFIX}"))),
        output=model,
        held_out=tuple(held_out),
        device=options.device,
        workers=options.workers if options.device == "cpu" else 1,
        resume=(model / COUNTS).exists(),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `make_model` from the command line; errors are one sentence and status 1 or 2."""
    parser = argparse.ArgumentParser(prog="make model", description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True, help="TOML file")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="real data")
    parser.add_argument("--out", type=Path, required=True, help="folder of all that is made")
    parser.add_argument("--fold", type=int, help="leave the slices of this fold out")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--examples-only", action="store_true", help="stop before the training")
    chosen = parser.parse_args(arguments)
    configure_logging()
    try:
        model = make_model(
            MakeOptions(
                recipe=chosen.recipe,
                data=chosen.data,
                output=chosen.out,
                fold=chosen.fold,
                workers=chosen.workers,
                device=chosen.device,
                examples_only=chosen.examples_only,
            )
        )
    except (VarcallError, ModelError) as error:
        _say(f"make model: error: {error}")
        sys.exit(error.exit_code if isinstance(error, VarcallError) else 1)
    _say(f"{model}")
