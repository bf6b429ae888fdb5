"""`varcall train`: a model from folders of examples."""

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from models.tasks import COPIES, TASK_NAMES
from models.training.feature_model import TriageRecipe, attach
from models.training.recipe import Recipe
from models.training.train import FILES, WEIGHTS, TrainJob
from models.training.train import train as train_model
from models.weights.export import check_exporter, export
from models.weights.model_weights import write_whole
from models.weights.weights_file import graph_paths, read_weights, with_training
from pileup.spec import SPEC
from varcall.errors import InputError, UsageError
from varcall.evidence.features import FEATURES
from varcall.output.checks import Output, check_outputs, file_inputs, file_outputs
from varcall.training.examples import CALIBRATION_SHARES, ExampleStream, Sampling
from varcall.training.feature_model import TRIAGE_FILES, feature_models
from varcall.training.seen import seen_in
from varcall.training.spans import SPAN_SUFFIX

T = TypeVar("T", Sampling, TriageRecipe)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Options of `varcall train`; see `models.training.train.TrainJob`.

    A folder named twice in `data` is drawn from twice as often.
    """

    recipe: Path
    data: tuple[Path, ...]
    output: Path
    held_out: tuple[Path, ...] = ()
    device: str = "cpu"
    workers: int = 1
    threads: int = 1
    resume: bool = False
    begin_with: Path | None = None

    def __post_init__(self) -> None:
        """Check what argument types cannot."""
        if self.workers < 1 or self.threads < 1:
            raise UsageError("--workers and --threads must be at least 1")


def run_train(options: TrainOptions) -> Path:
    """Train a model, feature model and picture model, and return the path of its weights.

    Beside them are their ONNX files, as `models.weights.export` writes them.

    Raises
    ------
    InputError
        Where a folder holds no examples.
    ModelError
        Where the recipe or the weights to begin with cannot be used, or a package is missing.
    UsageError
        Where the recipe has no steps and there are no weights to keep.
    """
    check_exporter()
    recipe = Recipe.from_file(options.recipe).on(options.device)
    kept = _kept_weights(recipe, options)
    sampling = recipe_table(options.recipe, "examples", Sampling)
    _check_weights(sampling, options)
    data = tuple(path for folder in options.data for path in example_files(folder))
    _check_files(options)
    seen = seen_in(data, sampling)
    asked = tuple(task for task in TASK_NAMES if sampling.tasks.get(task) or task == COPIES.name)
    evaluations = {
        folder.name: ExampleStream(
            example_files(folder),
            recipe.batch_size,
            sampling=None,
            tasks=asked,
            misled_weight=sampling.misled_weight,
        )
        for folder in options.held_out
    }
    triage, halves = feature_models(
        options.output, data, sampling, recipe_table(options.recipe, "triage", TriageRecipe),
        options.workers,
    )  # fmt: skip
    if kept is not None:
        weights = options.output / WEIGHTS
        write_whole(weights, with_training(kept, {"seen": seen}))
    else:
        weights = train_model(
            TrainJob(
                recipe=recipe,
                make_batches=ExampleStream(data, recipe.batch_size, sampling, halves),
                out=options.output,
                pileup_spec=SPEC.to_dict(),
                features=FEATURES,
                evaluations=evaluations,
                seen=seen,
                device=options.device,
                workers=options.workers,
                threads=options.threads,
                resume=options.resume,
                begin_with=options.begin_with,
            )
        )
    if evaluations:
        # All folders together: what is fitted must hold for every kind of library.
        files = tuple(path for folder in options.held_out for path in example_files(folder))
        one = next(iter(evaluations.values()))
        held_out = replace(one, paths=files, shares=CALIBRATION_SHARES)
        attach(triage, weights, held_out, options.device)
    export(weights)
    return weights


def _check_weights(sampling: Sampling, options: TrainOptions) -> None:
    """See that every folder that counts more or less is there."""
    if unknown := set(sampling.weights) - {folder.name for folder in options.data}:
        raise InputError(
            f"{options.recipe} has weights of folders that no --data names: "
            f"{', '.join(sorted(unknown))}"
        )


def _check_files(options: TrainOptions) -> None:
    """See that the training writes over nothing that it learns from."""
    folders = (*options.data, *options.held_out)
    files = [options.output / name for name in (*FILES, *TRIAGE_FILES)]
    files += graph_paths(options.output / WEIGHTS)
    check_outputs(
        [
            Output("--output", options.output, is_folder=True),
            *file_outputs("--output", *files),
        ],
        [
            *file_inputs("the recipe", options.recipe),
            *file_inputs("the file of --begin-with", options.begin_with),
            *file_inputs("a folder of examples", *folders),
            *file_inputs("an example file", *(path for f in folders for path in example_files(f))),
        ],
    )


def _kept_weights(recipe: Recipe, options: TrainOptions) -> Path | None:
    """Return the weights file that a recipe without steps keeps; None where there is training."""
    if recipe.steps != 0:
        return None
    if options.begin_with is None:
        raise UsageError(f"{options.recipe} has no steps: give the weights to keep, --begin-with")
    read_weights(options.begin_with)
    return options.begin_with


def recipe_table(recipe: Path, name: str, kind: type[T]) -> T:
    """Read one more table of a recipe."""
    values = tomllib.loads(recipe.read_text(encoding="utf-8-sig")).get(name, {})
    if unknown := set(values) - {field.name for field in fields(kind)}:
        raise InputError(f"{recipe} has unknown entries in [{name}]: {', '.join(unknown)}")
    return kind(**values)


def example_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of `varcall examples` in a folder, by name.

    Raises
    ------
    InputError
        Where there are none.
    """
    paths = tuple(sorted(folder.glob(f"*{SPAN_SUFFIX}")))
    if not paths:
        raise InputError(f"{folder} holds no examples; make some with: varcall examples")
    return paths
