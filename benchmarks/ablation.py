"""Train the same recipe with one thing left out at a time, and compare on held-out examples.

Usage: python -m benchmarks.ablation --data EXAMPLES [...] --held-out EXAMPLES --run FOLDER
           [--recipe models/training/recipes/tiny.toml] [--examples 24000] [--only NAME ...]
           [--begin-with WEIGHTS --learning-rate 3e-4] [--history DIR] [--no-record]

`--run` is the folder of a `varcall train` on the same data (or an empty one: they are fitted
then): its feature models tell which questions are hard, and pictures are only asked about those.
Every variant takes the same steps over the same examples in the same order, in one process; what
differs is what it is allowed to see. With `--begin-with` each goes on from trained weights and
learns to do without; otherwise each begins with nothing. The table has the negative log likelihood
and the errors per 1,000 hard held-out questions, and the difference to the first variant with its
standard error over questions; `benchmarks.results` says where it is written. "Another seed" tells
how much two trainings differ by themselves.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmarks.results import add_options, report
from benchmarks.runs import hidden
from benchmarks.runs.history import Table
from models.feature_model.triage import Triage
from models.tasks import COPIES
from models.training.batch import Batch
from models.training.feature_model import TriageRecipe
from models.training.metrics import Predictions, predict
from models.training.recipe import Recipe
from models.training.train import TrainJob, train
from models.weights.model_weights import load_weights
from pileup.spec import SPEC
from varcall.evidence.features import FEATURES
from varcall.evidence.realign import RealignOptions
from varcall.evidence.window import EvidenceOptions
from varcall.training.examples import ExampleStream, Sampling
from varcall.training.feature_model import feature_models
from varcall.training.run import example_files, recipe_table


@dataclass(frozen=True, slots=True)
class Variant:
    """A training with something left out: `change` hides it from every batch."""

    name: str
    change: hidden.Change = hidden.nothing
    size: str | None = None
    share: float = 1.0
    realign: bool = True
    seed: int = 0
    """Added to the recipe's."""


def variants() -> tuple[Variant, ...]:
    """Return everything that is left out, one at a time."""
    channels = [
        Variant(f"without {name}", hidden.channel(panel, channel))
        for panel, names in enumerate(SPEC.panels)
        for channel, name in enumerate(names)
    ]
    return (
        Variant("everything"),
        Variant("everything, another seed", seed=1),
        *channels,
        *(
            Variant(f"without the panel {', '.join(names)}", hidden.panel(panel))
            for panel, names in enumerate(SPEC.panels)
        ),
        Variant("rows in no order", hidden.row_order),
        Variant("without image", hidden.picture),
        Variant("without measured features", hidden.features),
        Variant("without likelihoods of counts", hidden.likelihoods),
        Variant("without context words", hidden.context_words),
        Variant("without library profile", hidden.library_profile),
        Variant("half of the samples", share=0.5),
        Variant("an eighth of the samples", share=0.125),
        Variant("without reassembly", realign=False),
        Variant("size small", size="small"),
        Variant("size base", size="base"),
    )


@dataclass(frozen=True, slots=True)
class _Changed:
    """Batches with something hidden; a `BatchFactory` of one worker."""

    batches: list[Batch]
    change: hidden.Change

    def __call__(self, rank: int, world_size: int, seed: int, skip: int) -> Iterator[Batch]:
        del seed  # the order is the same for every variant
        return map(self.change, self.batches[skip + rank :: world_size])


@dataclass(frozen=True)
class Bench:
    """What all variants share: recipe, spans, and the feature models of these spans.

    `triage` tells which held-out questions are hard, of which it never saw one; `halves` which
    training questions are. The last draws of both are kept, since most variants share them.
    """

    recipe: Recipe
    sampling: Sampling
    data: tuple[Path, ...]
    held_out: tuple[Path, ...]
    triage: Triage
    halves: tuple[Triage, Triage]
    begin_with: Path | None

    def run(self, variant: Variant) -> Predictions:
        """Train one variant; return its answers to the hard held-out questions."""
        recipe = replace(
            self.recipe,
            size=variant.size or self.recipe.size,
            seed=self.recipe.seed + variant.seed,
        )
        shown = self._shown(variant.share, variant.realign)
        with tempfile.TemporaryDirectory(prefix="varcall-ablation-") as folder:
            job = TrainJob(
                recipe=recipe,
                make_batches=_Changed(shown, variant.change),
                out=Path(folder) / "run",
                pileup_spec=SPEC.to_dict(),
                features=FEATURES,
                begin_with=self.begin_with,
            )
            caller, _, _ = load_weights(train(job))
        asked = map(variant.change, self._asked(variant.realign))
        return predict(caller, asked, torch.device("cpu"))[COPIES.name]

    @cached_property
    def _shown(self) -> Callable[[float, bool], list[Batch]]:
        return lru_cache(maxsize=1)(self._draw)

    @cached_property
    def _asked(self) -> Callable[[bool], list[Batch]]:
        return lru_cache(maxsize=1)(self._ask)

    def _draw(self, share: float, realign: bool) -> list[Batch]:
        """Draw the examples of a training from a share of the spans."""
        paths = self.data[: max(1, int(len(self.data) * share))]
        stream = self._stream(paths, self.sampling, realign)
        return list(islice(stream(0, 1, self.recipe.seed, 0), self.recipe.steps))

    def _ask(self, realign: bool) -> list[Batch]:
        """Return all hard questions that are held out."""
        batches = map(self._hard, self._stream(self.held_out, None, realign)(0, 1, 0, 0))
        return [batch for batch in batches if len(batch)]

    def _stream(
        self, paths: tuple[Path, ...], sampling: Sampling | None, realign: bool
    ) -> ExampleStream:
        options = EvidenceOptions(realign=RealignOptions() if realign else None)
        return ExampleStream(paths, self.recipe.batch_size, sampling, self.halves, evidence=options)

    def _hard(self, batch: Batch) -> Batch:
        chosen = ~self.triage.is_sure(self.triage.predict(batch.features, batch.likelihoods))
        return Batch(**{name: getattr(batch, name)[chosen] for name in Batch.__slots__})


def losses(predictions: Predictions) -> NDArray[np.float64]:
    """Return the negative log likelihood of each question, in nats, float64 [n]."""
    each = functional.cross_entropy(predictions.logits, predictions.labels, reduction="none")
    return np.asarray(each.double())


def row(name: str, answers: Predictions, first: NDArray[np.float64] | None) -> list[str]:
    """Return a row of the table; `first` are the losses of what it is compared with."""
    each = losses(answers)
    wrong = 1000 * float((answers.logits.argmax(1) != answers.labels).double().mean())
    difference = "other questions"
    if first is not None:
        change = each - first
        error = change.std() / np.sqrt(len(change))
        difference = f"{change.mean():+.4f} ± {error:.4f}"
    return [name, str(len(each)), f"{each.mean():.4f}", difference, f"{wrong:.1f}"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, nargs="+", help="varcall examples")
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="folder of a training on the data")
    parser.add_argument("--recipe", type=Path, default=Path("models/training/recipes/tiny.toml"))
    parser.add_argument("--examples", type=int, default=24_000, help="seen by each variant")
    parser.add_argument("--begin-with", type=Path, help="weights to go on from")
    parser.add_argument("--learning-rate", type=float, help="instead of the recipe's")
    parser.add_argument("--only", nargs="+", help="names of variants")
    add_options(parser)
    return parser.parse_args()


def _bench(arguments: argparse.Namespace) -> Bench:
    recipe = Recipe.from_file(arguments.recipe)
    steps = arguments.examples // recipe.batch_size
    recipe = replace(
        recipe, steps=steps, max_seconds=None, evaluate_seconds=1e9,
        warmup_steps=min(recipe.warmup_steps, steps // 8),
        learning_rate=arguments.learning_rate or recipe.learning_rate,
    )  # fmt: skip
    sampling = recipe_table(arguments.recipe, "examples", Sampling)
    # In an order that mixes what was simulated together, and is the same for every variant.
    data = tuple(path for folder in arguments.data for path in example_files(folder))
    data = tuple(data[i] for i in np.random.default_rng(recipe.seed).permutation(len(data)))
    trees = recipe_table(arguments.recipe, "triage", TriageRecipe)
    triage, halves = feature_models(arguments.run, data, sampling, trees, processes=1)
    held_out = example_files(arguments.held_out)
    return Bench(recipe, sampling, data, held_out, triage, halves, arguments.begin_with)


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    bench = _bench(arguments)
    titles = ["variant", "questions", "NLL", "more than the first", "errors per 1,000"]
    rows: list[list[str]] = []
    first: NDArray[np.float64] | None = None
    for variant in variants():
        if arguments.only and variant.name not in arguments.only:
            continue
        if arguments.begin_with and variant.size:
            continue
        answers = bench.run(variant)
        if first is None:
            first = losses(answers)
        # Without reassembly there are other candidates, and so other questions.
        rows.append(row(variant.name, answers, first if variant.realign else None))
        print(*rows[-1], sep=" | ", flush=True)
    begin = f"from {arguments.begin_with.name} on" if arguments.begin_with else "from nothing"
    about = f"{arguments.examples:,} hard examples of {len(bench.data)} spans, {begin}"
    report(arguments, "ablation", f"Ablations, {about}", [Table("variants", titles, rows)])


if __name__ == "__main__":
    main()
