"""Is a GQ of q wrong about 10^(-q/10) of the time? Held-out examples and real slices.

Usage: python -m benchmarks.calibration --held-out EXAMPLES [--real EXAMPLES ...] [-m MODEL]

The folders are of `varcall examples`. Every question is answered as `varcall call` answers it, at
the depth of its span and at lower ones; its GQ is phred(1 - P of the answer). Prints a markdown
table per folder and appends them to RESULTS.md.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import append
from models.prompt import PromptContext
from varcall.answers import Answerer, load_answerer
from varcall.candidates import CandidateThresholds
from varcall.examples import make_examples
from varcall.options import DEFAULT_MODEL
from varcall.spans import load_span

# Shares of the depth each held-out span is seen at; real ones are seen as they are.
SHARES = (1.0, 0.6, 0.35)
STEP, HIGHEST = 5, 50


@dataclass(frozen=True, slots=True)
class Answered:
    """Stated error probability, float64 [n], and whether the answer was wrong, bool [n]."""

    error: NDArray[np.float64]
    wrong: NDArray[np.bool_]


def answer(folder: Path, answerer: Answerer, shares: tuple[float, ...]) -> Answered:
    """Answer the examples of a folder."""
    errors, wrong = [], []
    for path in sorted(folder.glob("*.safetensors")):
        span = load_span(path)
        for share in shares:
            examples = make_examples(span, share, 0, CandidateThresholds())
            if not len(examples):
                continue
            profile = replace(span.profile, depth=span.profile.depth * share)
            context = PromptContext.from_profile(profile)
            given = answerer.answer(examples.evidence, context, examples.features)
            p = given.probabilities.astype(np.float64)
            errors.append(1 - p.max(axis=1))
            wrong.append(p.argmax(axis=1) != examples.labels)
    return Answered(np.concatenate(errors), np.concatenate(wrong))


def rows(answered: Answered) -> Iterator[str]:
    """Yield the table's lines: GQ stated, questions, wrong ones, GQ found."""
    quality = -10 * np.log10(np.maximum(answered.error, 10 ** (-HIGHEST / 10)))
    yield "| GQ | questions | wrong | mean GQ stated | GQ found |"
    yield "| --- | --- | --- | --- | --- |"
    for low in range(0, HIGHEST, STEP):
        last = low + STEP >= HIGHEST
        inside = (quality >= low) & ((quality < low + STEP) | last)
        n, bad = int(inside.sum()), int(answered.wrong[inside].sum())
        if n:
            stated = phred(float(answered.error[inside].mean()))
            found = f"{phred(bad / n):.1f}" if bad else f"> {phred(1 / n):.1f}"
            yield f"| {low}-{'' if last else low + STEP} | {n} | {bad} | {stated:.1f} | {found} |"


def phred(probability: float) -> float:
    """Return a probability of error as a quality, at most 60."""
    return float(-10 * np.log10(max(probability, 1e-6)))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL)
    parser.add_argument("--no-append", action="store_true", help="print only")
    arguments = parser.parse_args()
    answerer = load_answerer(arguments.model)
    text = ""
    for folder, shares in [
        (arguments.held_out, SHARES), *((folder, (1.0,)) for folder in arguments.real)
    ]:  # fmt: skip
        lines = "\n".join(rows(answer(folder, answerer, shares)))
        print(f"\n{folder.name}\n\n{lines}", flush=True)
        text += f"{folder.name}, depth times {', '.join(map(str, shares))}:\n\n{lines}\n\n"
    if not arguments.no_append:
        append("Calibration of GQ", text)


if __name__ == "__main__":
    main()
