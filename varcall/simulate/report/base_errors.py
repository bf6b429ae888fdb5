"""Base qualities, and substitution errors by quality, cycle and context."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pileup.codes import N_BASES, UNKNOWN_BASE
from varcall.evidence.window import WindowReads
from varcall.simulate.report.bases import (
    AlignedBases,
    Context,
    aligned_bases,
    context_of,
    mismatch_counts,
    variant_positions,
)
from varcall.simulate.report.chunk import GOOD_MAPQ, Metrics, ratio, used_reads

QUALITY_STEPS = ((0, 15), (15, 25), (25, 33), (33, 41), (41, 94))
RUN_STEPS = ((4, 5), (6, 8), (9, 99))
_FIFTHS = 5
#: Errors that the machine did not know of.
_GOOD_QUALITY = 20
#: What `varcall call` counts at all.
_MIN_QUALITY = 10
_BAD_READ = 4
_LETTERS = "ACGT"


class ErrorTally:
    """What is counted by aligned base."""

    def __init__(self) -> None:
        self._qualities = np.zeros((10, 256), np.int64)
        self._seen: dict[str, int] = {}
        self._wrong: dict[str, int] = {}
        self._changes = np.zeros((N_BASES, N_BASES), np.int64)
        self._in_bad_reads = self._as_before = 0
        self._agreeing = self._overlapping = 0
        self._repeated: dict[str, int] = {}
        self._positions = 0

    def add(self, chunk: WindowReads) -> None:
        """Take the bases aligned to the chunk; positions that look variant have no errors."""
        bases = aligned_bases(
            chunk.reads.arrays, used_reads(chunk, GOOD_MAPQ), chunk.start, chunk.end
        )
        tenth = np.minimum((bases.cycle * 10).astype(np.int64), 9)
        np.add.at(self._qualities, (tenth, bases.quality), 1)
        column = bases.position - chunk.reference.start
        codes = chunk.reference.codes[column]
        usable = ~variant_positions(bases, chunk.reference)[column]
        usable &= (codes < UNKNOWN_BASE) & (bases.base < UNKNOWN_BASE)
        bases = bases.subset(usable)
        wrong = bases.base != codes[usable]
        context = context_of(bases, chunk.reference)
        self._count_rates(bases, context, wrong)
        self._count_kinds(bases, context, wrong)
        self._count_repeated(chunk, bases)
        self._count_agreeing(chunk, bases, wrong)

    def _count_rates(self, bases: AlignedBases, context: Context, wrong: NDArray[np.bool_]) -> None:
        good = bases.quality >= _GOOD_QUALITY
        changed = context.true_base != context.previous
        groups = {"all": np.ones(len(wrong), bool), "good": good}
        for low, high in QUALITY_STEPS:
            groups[f"Q{low}-{high - 1}"] = (bases.quality >= low) & (bases.quality < high)
        for fifth in range(_FIFTHS):
            groups[f"fifth {fifth + 1}"] = good & ((bases.cycle * _FIFTHS).astype(int) == fifth)
        for code, letter in enumerate(_LETTERS):
            groups[f"after {letter}"] = good & (context.previous == code)
        groups["after GG"] = good & (context.previous == 2) & (context.before_previous == 2)
        for low, high in RUN_STEPS:
            groups[f"run {low}"] = good & changed & (context.run >= low) & (context.run <= high)
        for name, chosen in groups.items():
            self._seen[name] = self._seen.get(name, 0) + int(chosen.sum())
            self._wrong[name] = self._wrong.get(name, 0) + int((chosen & wrong).sum())

    def _count_kinds(self, bases: AlignedBases, context: Context, wrong: NDArray[np.bool_]) -> None:
        """Count errors of good bases by what was read for what, on the read's strand."""
        chosen = wrong & (bases.quality >= _GOOD_QUALITY)
        read = np.where(bases.reverse, 3 - bases.base, bases.base)[chosen]
        np.add.at(self._changes, (context.true_base[chosen], read), 1)
        self._as_before += int((read == context.previous[chosen]).sum())
        by_read = np.bincount(bases.read[wrong], minlength=1)
        self._in_bad_reads += int(by_read[by_read >= _BAD_READ].sum())

    def _count_repeated(self, chunk: WindowReads, bases: AlignedBases) -> None:
        """Count positions where several reads show the same wrong base."""
        counted = bases.subset(bases.quality >= _MIN_QUALITY)
        counts = mismatch_counts(counted, chunk.reference)
        forward = mismatch_counts(counted.subset(~counted.reverse), chunk.reference)
        one_strand = (forward == 0) | (forward == counts)
        self._positions += chunk.end - chunk.start
        for least in (2, 3):
            spots = counts >= least
            for name, chosen in (("", spots), (", on one strand", spots & one_strand)):
                key = f"{least} or more{name}"
                self._repeated[key] = self._repeated.get(key, 0) + int(chosen.sum())

    def _count_agreeing(
        self, chunk: WindowReads, bases: AlignedBases, wrong: NDArray[np.bool_]
    ) -> None:
        """Count errors where mates overlap, and those that both mates show."""
        fragment = chunk.reads.arrays.fragment[bases.read].astype(np.int64)
        key = fragment << 32 | bases.position
        order = np.argsort(key, kind="stable")
        pair = np.flatnonzero(key[order][1:] == key[order][:-1])
        one, two = order[pair], order[pair + 1]
        self._overlapping += int((wrong[one] | wrong[two]).sum())
        same = wrong[one] & wrong[two] & (bases.base[one] == bases.base[two])
        self._agreeing += int(same.sum())

    def metrics(self) -> dict[str, Metrics]:
        """Sum up."""
        rates = {name: ratio(self._wrong[name], seen) for name, seen in self._seen.items()}
        mean = rates.get("good", 0.0)
        steps = [f"Q{low}-{high - 1}" for low, high in QUALITY_STEPS]
        good, every = self._wrong["good"], self._wrong["all"]
        contexts = {f"after {name}": rates[f"after {name}"] for name in (*_LETTERS, "GG")}
        contexts |= {
            f"after a run of {_spell(step)}": rates[f"run {step[0]}"] for step in RUN_STEPS
        }
        return {
            "base quality": self._quality_metrics(),
            "error rate": {
                "all bases": rates["all"],
                f"Q{_GOOD_QUALITY} and more": mean,
                **{name: rates[name] for name in steps},
                f"share of errors at Q{_GOOD_QUALITY} and more": ratio(good, every),
                f"share of errors in reads with {_BAD_READ}": ratio(self._in_bad_reads, every),
                "share of errors in overlaps in both mates": ratio(
                    self._agreeing, self._overlapping
                ),
            },
            "error by cycle, over the mean": {
                f"fifth {fifth}": ratio(rates[f"fifth {fifth}"], mean)
                for fifth in range(1, _FIFTHS + 1)
            },
            "error by context, over the mean": {
                name: ratio(rate, mean) for name, rate in contexts.items()
            },
            "substitutions, share of errors": self._change_metrics(),
            "positions with repeated errors, per kb": {
                name: ratio(1000 * count, self._positions) for name, count in self._repeated.items()
            },
        }

    def _quality_metrics(self) -> Metrics:
        values = np.arange(self._qualities.shape[1])
        total = self._qualities.sum(0)
        result = {
            f"mean, {name} tenth of cycles": ratio(
                int(self._qualities[row] @ values), int(self._qualities[row].sum())
            )
            for name, row in (("first", 0), ("middle", 5), ("last", 9))
        }
        for low, high in QUALITY_STEPS:
            result[f"share Q{low}-{high - 1}"] = ratio(int(total[low:high].sum()), int(total.sum()))
        return result

    def _change_metrics(self) -> Metrics:
        total = int(self._changes.sum())
        result = {
            f"{true}>{read}": ratio(int(self._changes[row, column]), total)
            for row, true in enumerate(_LETTERS)
            for column, read in enumerate(_LETTERS)
            if row != column
        }
        return result | {"repeats the base before": ratio(self._as_before, total)}


def _spell(step: tuple[int, int]) -> str:
    low, high = step
    return f"{low} and more" if high >= 99 else f"{low}-{high}"
