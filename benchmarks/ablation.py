"""Train the same small recipe with one thing left out at a time, and compare on held-out examples.

Usage: python -m benchmarks.ablation --data EXAMPLES --held-out EXAMPLES [--examples 60000]
           [--only NAME ...] [--size tiny]

Every variant sees the same examples in the same order for the same number of steps, in one
process; what differs is what it is allowed to see. Prints a markdown table and appends it to
RESULTS.md: negative log likelihood and errors per 1,000 questions on the held-out examples.
"""

import argparse
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.results import append
from models.batch import Batch, BatchFactory
from models.prompt import CONTEXT_COLUMNS, UNKNOWN_TOKEN
from models.recipe import Recipe
from models.train import LOG, TrainJob, train
from pileup.spec import HEADER_ROWS, PANEL_HEIGHT, SPEC
from varcall.evidence import DEFAULT_REALIGN
from varcall.examples import ExampleStream, Sampling
from varcall.features import FEATURES

# What the library profile tells the features; its words are part of the prompt's context.
PROFILE_FEATURES = (
    "expected_slippage_sqrt", "stutter_one_over_zero", "stutter_two_over_one",
    "sample_error_rate_log10", "sample_slippage_12_14_sqrt",
)  # fmt: skip

Change = Callable[[Batch], Batch]


@dataclass(frozen=True, slots=True)
class Variant:
    """A training with something left out: `change` hides it from every batch."""

    name: str
    change: Change
    size: str | None = None
    share: float = 1.0
    realign: bool = True


def _same(batch: Batch) -> Batch:
    return batch


def _without_channel(panel: int, channel: int) -> Change:
    def change(batch: Batch) -> Batch:
        images = batch.images.copy()
        images[:, panel * PANEL_HEIGHT : (panel + 1) * PANEL_HEIGHT, :, channel] = 0
        return replace(batch, images=images)

    return change


def _without_panel(panel: int) -> Change:
    def change(batch: Batch) -> Batch:
        images = batch.images.copy()
        images[:, panel * PANEL_HEIGHT : (panel + 1) * PANEL_HEIGHT] = 0
        return replace(batch, images=images)

    return change


def _rows_in_no_order(batch: Batch) -> Batch:
    """Shuffle the read rows of each picture, both panels alike."""
    images = batch.images.copy()
    rng = np.random.default_rng(zlib.crc32(batch.features.tobytes()))
    for image in images:
        order = rng.permutation(PANEL_HEIGHT - HEADER_ROWS)
        for panel in range(2):
            first = panel * PANEL_HEIGHT + HEADER_ROWS
            image[first : (panel + 1) * PANEL_HEIGHT] = image[first + order]
    return replace(batch, images=images)


def _without_image(batch: Batch) -> Batch:
    return replace(batch, images=np.zeros_like(batch.images))


def _without_features(batch: Batch) -> Batch:
    return replace(batch, features=np.zeros_like(batch.features))


def _without_context(batch: Batch) -> Batch:
    tokens = batch.tokens.copy()
    tokens[:, CONTEXT_COLUMNS] = UNKNOWN_TOKEN
    return replace(batch, tokens=tokens)


def _without_profile(batch: Batch) -> Batch:
    features = batch.features.copy()
    features[:, [FEATURES.index(name) for name in PROFILE_FEATURES]] = 0
    return replace(_without_context(batch), features=features)


def variants() -> tuple[Variant, ...]:
    """Return everything that is left out, one at a time."""
    channels = [
        Variant(f"without {name}", _without_channel(panel, channel))
        for panel, names in enumerate(SPEC.panels)
        for channel, name in enumerate(names)
    ]
    return (
        Variant("everything", _same),
        *channels,
        Variant("upper panel only", _without_panel(1)),
        Variant("lower panel only", _without_panel(0)),
        Variant("rows in no order", _rows_in_no_order),
        Variant("without image", _without_image),
        Variant("without measured features", _without_features),
        Variant("without context words", _without_context),
        Variant("without library profile", _without_profile),
        Variant("without reassembly", _same, realign=False),
        Variant("size small", _same, size="small"),
        Variant("size base", _same, size="base"),
        Variant("half of the samples", _same, share=0.5),
        Variant("an eighth of the samples", _same, share=0.125),
    )


@dataclass(frozen=True, slots=True)
class _Changed:
    """Batches with something hidden."""

    batches: BatchFactory
    change: Change

    def __call__(self, rank: int, world_size: int, seed: int, skip: int) -> Iterator[Batch]:
        return map(self.change, self.batches(rank, world_size, seed, skip))


def run(
    variant: Variant, recipe: Recipe, data: tuple[Path, ...], held_out: Mapping[str, Path]
) -> dict[str, dict[str, float]]:
    """Train one variant; return the last evaluation on each held-out folder."""
    realign = DEFAULT_REALIGN if variant.realign else None
    paths = data[: max(1, int(len(data) * variant.share))]
    streams = {
        name: ExampleStream(spans(folder), recipe.batch_size, None, realign=realign)
        for name, folder in held_out.items()
    }
    with tempfile.TemporaryDirectory(prefix="varcall-ablation-") as folder:
        out = Path(folder) / "run"
        train(
            TrainJob(
                recipe=replace(recipe, size=variant.size or recipe.size),
                make_batches=_Changed(
                    ExampleStream(paths, recipe.batch_size, Sampling(), realign=realign),
                    variant.change,
                ),
                out=out,
                pileup_spec=SPEC.to_dict(),
                features=FEATURES,
                evaluations={n: _Changed(s, variant.change) for n, s in streams.items()},
            )
        )
        lines = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    return {line["name"]: line for line in lines if line["event"] == "evaluate"}


def spans(folder: Path) -> tuple[Path, ...]:
    """Return the files of examples of a folder."""
    return tuple(sorted(folder.glob("*.safetensors")))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of varcall examples")
    parser.add_argument("--held-out", type=Path, required=True, nargs="+")
    parser.add_argument("--examples", type=int, default=60_000, help="seen by each variant")
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--only", nargs="+", help="names of variants")
    parser.add_argument("--no-append", action="store_true", help="print only")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    recipe = Recipe(size=arguments.size, steps=arguments.examples // 64, evaluate_seconds=1e9)
    held_out = {folder.name: folder for folder in arguments.held_out}
    # In an order that mixes what was simulated together, and is the same for every variant.
    data = spans(arguments.data)
    data = tuple(data[i] for i in np.random.default_rng(recipe.seed).permutation(len(data)))
    rows = [f"| variant | {' | '.join(f'{n}: NLL | errors per 1,000' for n in held_out)} |"]
    rows.append("| --- " * (1 + 2 * len(held_out)) + "|")
    print("\n".join(rows), flush=True)
    for variant in variants():
        if arguments.only and variant.name not in arguments.only:
            continue
        result = run(variant, recipe, data, held_out)
        cells = [
            f"{result[n]['loss']:.4f} | {1000 * (1 - result[n]['accuracy']):.1f}" for n in held_out
        ]
        rows.append(f"| {variant.name} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    if not arguments.no_append:
        about = f"{arguments.examples:,} examples of {len(data)} spans each, size {arguments.size}"
        append(f"Ablations, {about}", "\n".join(rows))


if __name__ == "__main__":
    main()
