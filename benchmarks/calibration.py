"""Is a GQ of q wrong about 10^(-q/10) of the time? Simulated libraries and real slices.

Usage: python -m varcall.make_model --examples-only --recipe benchmarks/calibration.toml --data DATA
           --out WORK
       python -m benchmarks.calibration --examples WORK/examples/* [-m MODEL] [--plot FILE.svg]
           [--history DIR] [--no-record]

Each folder of examples is of one platform. They are of libraries and places that neither training
nor the fit of temperatures and of the map of GQ saw; a library is seen at its depth or at a lower
one. The real slices are those of `benchmarks.inputs.slices` with certified truth, cut to examples
here. Every question is answered as `varcall call` answers it; its GQ is phred(1 - P of the answer).
Where a hidden copy looks like a het in every respect, or another person does in a library full of
them, no reads can tell, and simulated libraries have many more such places than life: they have
columns of their own ("misled"), and are not in what is found. A table of each, by the folder's
name, and one of sites so plain that GQ has to be high (`benchmarks.scores.plain_sites`);
`benchmarks.results` says where they are written. The figures go beside the weights, too, as
NAME.calibration.json.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.inputs.slices import DATA, SLICES, StagedSlice, stage
from benchmarks.results import add_options, report
from benchmarks.runs.answered import Answered, answer_folder
from benchmarks.runs.history import Table, slug
from benchmarks.scores.calibration_plot import Point, plot
from benchmarks.scores.plain_sites import plain_sites
from models.registry import weights_path
from models.weights.weights_file import read_weights
from varcall.genotyping.answers import load_calling_model
from varcall.options import DEFAULT_MODEL
from varcall.scoring.metrics import wilson
from varcall.training.examples import CALIBRATION_SHARES
from varcall.training.make_examples import ExamplesOptions, run_examples

STEP, HIGHEST = 5, 50
REAL = "real slices"
# Found and stated GQ may differ by so much, between these GQs.
WITHIN, WANTED = 2, (5, 40)


@dataclass(frozen=True, slots=True)
class Bin:
    """Questions whose GQ lies in [low, low + STEP), or above `low` in the last bin.

    `n` of them, `wrong` answered wrong; beside these `misled` and of these `misled_wrong`.
    """

    low: int
    n: int
    wrong: int
    stated_error: float
    misled: int = 0
    misled_wrong: int = 0

    @property
    def name(self) -> str:
        """The bin's GQ."""
        return f"{self.low}-{'' if self.low + STEP >= HIGHEST else self.low + STEP}"

    @property
    def stated(self) -> float:
        """GQ of the mean stated error."""
        return phred(self.stated_error)

    @property
    def found(self) -> float | None:
        """GQ of the share of wrong answers; None where there are none."""
        return phred(self.wrong / self.n) if self.wrong else None

    @property
    def bounds(self) -> tuple[float, float]:
        """Wilson's 95 % interval of `found`."""
        low, high = wilson(self.wrong, self.n)
        return phred(high), phred(low)

    @property
    def is_honest(self) -> bool:
        """Whether what was found may lie WITHIN phred of what is stated, for all that is known."""
        low, high = self.bounds
        return low - WITHIN <= self.stated <= high + WITHIN

    def to_mapping(self) -> dict[str, object]:
        """Return the figures as they stand in the JSON file."""
        numbers = {"stated": self.stated, "found": self.found}
        numbers |= dict(zip(("found_from", "found_to"), self.bounds, strict=True))
        rounded = {key: value and round(value, 2) for key, value in numbers.items()}
        misled = {"misled": self.misled, "misled_wrong": self.misled_wrong}
        return {"gq": self.name, "n": self.n, "wrong": self.wrong, **rounded, **misled}


def bins(answered: Answered) -> list[Bin]:
    """Sort questions by their GQ; bins without any are left out."""
    error = np.maximum(answered.error, 10 ** (-HIGHEST / 10))
    index = np.minimum(-10 * np.log10(error) // STEP, HIGHEST // STEP - 1).astype(int)
    found = []
    for number in np.unique(index[~answered.misled]).tolist():
        here = index == number
        inside, misled = here & ~answered.misled, here & answered.misled
        wrong, misled_wrong = (int(answered.wrong[rows].sum()) for rows in (inside, misled))
        stated = float(error[inside].mean())
        found.append(
            Bin(STEP * number, int(inside.sum()), wrong, stated, int(misled.sum()), misled_wrong)
        )
    return found


def phred(probability: float) -> float:
    """Return a probability of error as a quality, at most 60."""
    return float(-10 * np.log10(max(probability, 1e-6)))


def bin_table(name: str, found: Sequence[Bin]) -> Table:
    """Return the table of some bins."""
    titles = [
        "GQ", "questions", "wrong", "mean GQ stated", "GQ found", "95 % of it", "misled",
        "of these wrong",
    ]  # fmt: skip
    lines = []
    for item in found:
        low, high = item.bounds
        gq = f"> {phred(1 / item.n):.1f}" if item.found is None else f"{item.found:.1f}"
        cells = [item.name, str(item.n), str(item.wrong), f"{item.stated:.1f}", gq]
        cells += [f"{low:.1f} to {high:.1f}", str(item.misled), str(item.misled_wrong)]
        lines.append(cells)
    return Table(slug(name), titles, lines, [_verdict(found)])


def _verdict(found: Sequence[Bin]) -> str:
    """Say which bins are not as honest as they should be."""
    first, last = WANTED
    wanted = [item for item in found if first <= item.low < last]
    outside = [item for item in wanted if not item.is_honest]
    known = [item.found - item.stated for item in wanted if item.found is not None]
    worst = f"; the largest difference is {max(known, key=abs):+.1f}" if known else ""
    bins = f"GQ {', '.join(item.name for item in outside)}" if outside else "no GQ"
    return (
        f"further than {WITHIN} from what is stated, by the whole 95 % interval, between {first} "
        f"and {last}: {bins}{worst}"
    )


def cut_real(folder: Path) -> Path:
    """Cut the real slices with certified truth to examples; return their folder."""
    examples = folder / "examples"
    for item in (item for item in SLICES if item.confident is not None):
        cut_examples(stage(item, folder), examples)
    return examples


def cut_examples(staged: StagedSlice, output: Path) -> None:
    """Cut a slice to examples in a folder."""
    run_examples(
        ExamplesOptions(
            reference=staged.reference,
            output=output,
            reads=staged.reads,
            truth=staged.truth,
            confident=staged.confident_bed,
            regions=(staged.slice.region,),
        )
    )


def write_json(model: str, found: Mapping[str, Sequence[Bin]]) -> Path:
    """Write what was fitted and what was found beside the weights; return the file."""
    path, _ = weights_path(model)
    weights = read_weights(path)
    about = {
        "sha256": weights.sha256,
        "calibration": {
            task: fitted.to_mapping() for task, fitted in weights.card.calibration.items()
        },
        "triage": weights.triage and weights.triage.settings.to_mapping(),
        "quality_map": weights.card.quality_map.to_mapping(),
        "found": {name: [item.to_mapping() for item in items] for name, items in found.items()},
    }
    target = path.with_suffix(".calibration.json")
    target.write_text(json.dumps(about, indent=1) + "\n")
    return target


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL)
    parser.add_argument("--plot", type=Path, help="SVG or PNG to draw")
    add_options(parser)
    arguments = parser.parse_args()
    model = load_calling_model(arguments.model)
    found = {
        folder.name: bins(answer_folder(folder, model, CALIBRATION_SHARES))
        for folder in arguments.examples
    }
    with tempfile.TemporaryDirectory(prefix="varcall-calibration-") as temporary:
        folder = Path(temporary)
        plain = plain_sites(folder, arguments.model)
        if DATA.is_dir():
            found[REAL] = bins(answer_folder(cut_real(folder), model, (1.0,)))
    if arguments.plot:
        points = {
            name: [Point(item.stated, item.found, item.bounds) for item in items]
            for name, items in found.items()
        }
        plot(arguments.plot, points)
    tables = [*(bin_table(name, items) for name, items in found.items()), plain]
    report(arguments, "calibration", "Calibration of GQ", tables)
    if not arguments.no_record:
        write_json(arguments.model, found)


if __name__ == "__main__":
    main()
