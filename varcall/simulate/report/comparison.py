"""Real samples against the spread of simulated ones, metric by metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from varcall.simulate.report.chunk import Metrics

#: What of the simulated samples a real one is compared with.
PERCENTILES = (5.0, 50.0, 95.0)
INSIDE, LOW, HIGH, UNKNOWN = "yes", "LOW", "HIGH", "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One metric.

    Attributes
    ----------
    group, name
        What was measured.
    real
        Value of each real sample; NaN where it could not be measured.
    simulated
        The percentiles of `PERCENTILES` over the simulated samples; NaN where none has a value.
    """

    group: str
    name: str
    real: tuple[float, ...]
    simulated: tuple[float, float, float]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Say of each real value whether it lies among the simulated ones."""
        low, _, high = self.simulated
        return tuple(_verdict(value, low, high) for value in self.real)


def _verdict(value: float, low: float, high: float) -> str:
    if isnan(value) or isnan(low):
        return UNKNOWN
    if low <= value <= high:
        return INSIDE
    return LOW if value < low else HIGH


def compare(
    real: Sequence[dict[str, Metrics]], simulated: Sequence[dict[str, Metrics]]
) -> list[Row]:
    """Hold real samples against simulated ones; both as `measure_sample` returns them."""
    rows = []
    for group, metrics in real[0].items():
        for name in metrics:
            values = [sample[group][name] for sample in simulated]
            known = [value for value in values if not isnan(value)]
            low, middle, high = np.percentile(known, PERCENTILES).tolist() if known else [nan] * 3
            own = tuple(sample[group][name] for sample in real)
            rows.append(Row(group, name, own, (low, middle, high)))
    return rows


def spell(value: float) -> str:
    """Spell a value with four digits; what is not known is a dash."""
    return UNKNOWN if isnan(value) else f"{value:.4g}"


def write_table(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    """Spell the comparison as lines of text; `names` are those of the real samples."""
    for number, name in enumerate(names, 1):
        yield f"real {number} is {name}"
    head = [f"real {number}" for number in range(1, len(names) + 1)]
    head += [f"sim {percentile:g} %" for percentile in PERCENTILES]
    width = max(len(row.name) for row in rows) + 2
    yield "  " + "metric".ljust(width) + "".join(column.rjust(11) for column in head) + "  inside?"
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            yield group
        values = "".join(spell(value).rjust(11) for value in (*row.real, *row.simulated))
        yield "  " + row.name.ljust(width) + values + "  " + " ".join(row.verdicts)
    yield ""
    yield from _summary(rows, names)


def _summary(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(names):
        verdicts = [row.verdicts[number] for row in rows]
        inside, known = verdicts.count(INSIDE), len(verdicts) - verdicts.count(UNKNOWN)
        yield f"{name}: {inside} of {known} metrics lie among the simulated samples"
