"""`varcall train`: a model from folders of examples."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from models.recipe import Recipe
from models.train import TrainJob
from models.train import train as train_model
from pileup.spec import SPEC
from varcall.errors import InputError, UsageError
from varcall.examples import ExampleStream, Sampling
from varcall.features import FEATURES


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Options of `varcall train`; see `models.train.TrainJob`."""

    recipe: Path
    data: Path
    output: Path
    held_out: tuple[Path, ...] = ()
    device: str = "cpu"
    workers: int = 1
    threads: int = 1
    resume: bool = False

    def __post_init__(self) -> None:
        """Check what argument types cannot."""
        if self.workers < 1 or self.threads < 1:
            raise UsageError("--workers and --threads must be at least 1")


def run_train(options: TrainOptions) -> Path:
    """Train a model and return the path of its weights.

    Raises
    ------
    InputError
        Where a folder holds no examples.
    """
    recipe = Recipe.from_file(options.recipe)
    job = TrainJob(
        recipe=recipe,
        make_batches=ExampleStream(
            _spans(options.data), recipe.batch_size, _sampling(options.recipe)
        ),
        out=options.output,
        pileup_spec=SPEC.to_dict(),
        features=FEATURES,
        evaluations={
            folder.name: ExampleStream(_spans(folder), recipe.batch_size, sampling=None)
            for folder in options.held_out
        },
        device=options.device,
        workers=options.workers,
        threads=options.threads,
        resume=options.resume,
    )
    return train_model(job)


def _sampling(recipe: Path) -> Sampling:
    """Read the `[examples]` table of a recipe."""
    values = tomllib.loads(recipe.read_text()).get("examples", {})
    if unknown := set(values) - {field.name for field in fields(Sampling)}:
        raise InputError(f"{recipe} has unknown entries in [examples]: {', '.join(unknown)}")
    return Sampling(**values)


def _spans(folder: Path) -> tuple[Path, ...]:
    paths = tuple(sorted(folder.glob("*.safetensors")))
    if not paths:
        raise InputError(f"{folder} holds no examples; make some with: varcall examples")
    return paths
