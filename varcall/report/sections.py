"""The charts of a report, each with its table, from what was counted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from varcall.report.charts import Chart, bars, colour, draw, named_bars
from varcall.report.depth import TOTAL, Depths
from varcall.report.table import Cell, Table
from varcall.report.tally import (
    GENOTYPES,
    LONGEST_INDEL,
    VAF_BINS,
    CallTally,
    ContigTally,
    median_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BASES = "ACGT"
_MOST_CONTIGS = 30
# A chart ends where so large a share of what it counts lies; its table goes on.
_SHOWN_SHARE = 0.995


def call_charts(tally: CallTally) -> list[Chart]:
    """Draw what the VCF alone says."""
    return [
        _counter_chart("depth", "Depth of the variants", "DP", tally.depths, _missing(tally, "DP")),
        _counter_chart(
            "genotype_quality",
            "Genotype quality of the variants",
            "GQ",
            tally.qualities,
            _missing(tally, "GQ"),
        ),
        _shares(tally),
        _lengths(tally),
        _substitutions(tally),
        _contigs(tally),
    ]


def _missing(tally: CallTally, key: str) -> str:
    """Say how many variants lack a field; empty where none does."""
    count = tally.variants - tally.seen[key]
    if not tally.variants:
        return "There are no variants."
    if not tally.seen[key]:
        return f"No variant of this VCF has {key}: there is nothing to draw."
    return f" {count:,} of {tally.variants:,} variants have no {key}." if count else ""


def _chart(
    name: str, title: str, summary: str, table: Table | None, paint: "Callable[[Axes], None]"
) -> Chart:
    return Chart(name, title, summary, draw(name, title, summary, paint), table)


def _counter_chart(name: str, title: str, label: str, counts: Counter[int], missing: str) -> Chart:
    """Draw a histogram of whole numbers."""
    if not counts:
        return Chart(name, title, missing.strip(), "")
    total, values = sum(counts.values()), sorted(counts)
    passed = np.cumsum([counts[value] for value in values])
    last = values[int(np.searchsorted(passed, _SHOWN_SHARE * total))]
    step = max(1, -(-(last - values[0] + 1) // 60))
    edges = np.arange(values[0], last + step + 1, step)
    heights = np.histogram(values, edges, weights=[counts[value] for value in values])[0]
    summary = (
        f"{total:,} variants, {label} {values[0]:,} to {values[-1]:,}, "
        f"median {median_of(counts):,}.{missing}"
    )

    def paint(axis: "Axes") -> None:
        bars(axis, edges.tolist(), heights.tolist())
        axis.set(xlabel=label, ylabel="variants")

    rows = tuple((value, counts[value]) for value in values)
    return _chart(name, title, summary, Table(name, title, (label, "variants"), rows), paint)


def _shares(tally: CallTally) -> Chart:
    name, title = "allele_share_by_genotype", "Share of reads with ALT, by genotype"
    shown = {kind: tally.shares[kind] for kind in GENOTYPES if any(tally.shares[kind])}
    if not shown:
        text = "No record has a genotype and AD or VAF at 10 reads or more: nothing to draw."
        return Chart(name, title, text, "")
    edges = [number / VAF_BINS for number in range(VAF_BINS + 1)]
    middles = {
        kind: (0.5 + median_of(Counter(dict(enumerate(counts))))) / VAF_BINS
        for kind, counts in shown.items()
    }
    summary = (
        "; ".join(
            f"{kind}: {sum(shown[kind]):,} records, median {middle:.2f}"
            for kind, middle in middles.items()
        )
        + ". Expected are 0.5 for 0/1 and 1 for 1/1. 0/0 are candidates that were refused."
    )

    def paint(axis: "Axes") -> None:
        for number, (kind, counts) in enumerate(shown.items()):
            axis.stairs(
                counts, edges, label=kind, color=colour(number), linewidth=1.6,
                linestyle=("-", "--", ":", "-.", "-")[number],
            )  # fmt: skip
        axis.set(xlabel="share of reads with ALT", ylabel="records")
        axis.legend(title="genotype", fontsize=8, title_fontsize=8)

    rows = tuple(
        (edges[index], edges[index + 1], *(tally.shares[kind][index] for kind in GENOTYPES))
        for index in range(VAF_BINS)
    )
    columns = ("from", "to", *GENOTYPES)
    return _chart(name, title, summary, Table(name, title, columns, rows), paint)


def _lengths(tally: CallTally) -> Chart:
    name, title = "indel_lengths", "Lengths of indels"
    if not tally.lengths:
        return Chart(name, title, "There are no indels.", "")
    inserted, deleted = tally.total("insertions"), tally.total("deletions")
    summary = (
        f"{inserted:,} inserted and {deleted:,} deleted alleles; {LONGEST_INDEL} bp and longer "
        "are counted together."
    )
    low, high = min(-10, *tally.lengths), max(10, *tally.lengths)
    counts = [tally.lengths[length] for length in range(low, high + 1)]
    edges = [length - 0.5 for length in range(low, high + 2)]

    def paint(axis: "Axes") -> None:
        bars(axis, edges, counts)
        axis.set(xlabel="bases inserted (deleted below 0)", ylabel="alleles")

    rows = tuple((length, tally.lengths[length]) for length in sorted(tally.lengths))
    return _chart(name, title, summary, Table(name, title, ("bases", "alleles"), rows), paint)


def _substitutions(tally: CallTally) -> Chart:
    name, title = "substitutions", "Substitutions"
    if not tally.substitutions:
        return Chart(name, title, "There are no SNVs.", "")
    counts = {
        f"{ref}>{alt}": tally.substitutions[ref, alt]
        for ref in _BASES
        for alt in _BASES
        if ref != alt
    }
    summary = (
        f"{tally.total('transitions'):,} transitions (A>G, G>A, C>T, T>C) and "
        f"{tally.total('transversions'):,} transversions."
    )

    def paint(axis: "Axes") -> None:
        named_bars(axis, counts)
        axis.set(xlabel="REF>ALT", ylabel="alleles")

    table = Table(name, title, ("change", "alleles"), tuple(counts.items()))
    return _chart(name, title, summary, table, paint)


def _contigs(tally: CallTally) -> Chart:
    name, title = "contigs", "Variants per contig"
    found = {contig: item for contig, item in tally.contigs.items() if item.records}
    if not found:
        return Chart(name, title, "There are no records.", "")
    shown = dict(list(found.items())[:_MOST_CONTIGS])
    summary = (
        f"{tally.variants:,} variants on {len(found):,} contig{'s' if len(found) > 1 else ''}."
    )
    if len(found) > len(shown):
        summary += f" The first {len(shown)} are drawn."

    def paint(axis: "Axes") -> None:
        named_bars(axis, {contig: item.variants for contig, item in shown.items()})
        axis.tick_params(axis="x", labelrotation=90 if len(shown) > 12 else 0)
        axis.set(ylabel="variants")

    columns = (
        "contig", "length", "records", "refused", "variants", "SNVs", "insertions", "deletions",
        "others", "Ti/Tv", "het/hom", "mean depth",
    )  # fmt: skip
    rows = tuple(_contig_row(contig, item) for contig, item in found.items())
    return _chart(name, title, summary, Table(name, title, columns, rows), paint)


def _contig_row(contig: str, item: ContigTally) -> tuple[Cell, ...]:
    def ratio(first: int, second: int) -> float | None:
        return first / second if second else None

    return (
        contig, item.length, item.records, item.refused, item.variants, item.snvs,
        item.insertions, item.deletions, item.others,
        ratio(item.transitions, item.transversions), ratio(item.het, item.hom),
        ratio(item.depth, item.with_depth),
    )  # fmt: skip


def cause_chart(tally: CallTally) -> Chart | None:
    """Draw the causes of refused candidates; None where the VCF states none."""
    if not tally.causes:
        return None
    name, title = "causes", "Why refused candidates show ALT"
    counts = dict(tally.causes.most_common())
    refused = tally.total("refused")
    summary = (
        f"{sum(counts.values()):,} of {refused:,} refused candidates were asked about: those "
        "whose ALT 15 % of the reads or more show."
    )

    def paint(axis: "Axes") -> None:
        labels = list(reversed(counts))
        axis.barh(labels, [counts[label] for label in labels], color=colour(0))
        axis.grid(axis="y", visible=False)
        axis.grid(axis="x", linewidth=0.6)
        axis.set(xlabel="records")

    rows = tuple(
        (cause, count, tally.cause_probabilities[cause] / count) for cause, count in counts.items()
    )
    columns = ("cause", "records", "mean CAUSEP")
    return _chart(name, title, summary, Table(name, title, columns, rows), paint)


def filter_table(tally: CallTally) -> Table:
    """List the records with ALT bases by FILTER."""
    rows = tuple((name, count) for name, count in tally.filters.most_common())
    return Table("filters", "Records by FILTER", ("FILTER", "records"), rows)


def depth_chart(depths: Depths) -> Chart:
    """Draw how many bases are covered how deep, of those with reads."""
    name, title = "coverage", "Depth of the bases that reads cover"
    counts = depths.total
    covered = int(counts[1:].sum())
    table = Table(
        name,
        title,
        ("contig", "bases", "covered", "mean depth", "mean depth of covered"),
        tuple(_coverage_rows(depths)),
    )
    if not covered:
        return Chart(name, title, "No base has a read.", "", table)
    passed = np.cumsum(counts[1:])
    last = 1 + int(np.searchsorted(passed, _SHOWN_SHARE * covered))
    middle = 1 + int(np.searchsorted(passed, covered / 2))
    summary = (
        f"{covered:,} bases have a read, half of them {middle} or fewer; "
        " overlaps of mates count once, duplicates not at all."
    )
    step = max(1, -(-last // 100))
    edges = np.arange(1, last + step + 1, step)
    heights = np.add.reduceat(counts[1 : edges[-1]], edges[:-1] - 1)

    def paint(axis: "Axes") -> None:
        bars(axis, edges.tolist(), heights.tolist(), 1)
        axis.set(xlabel="depth", ylabel="bases")

    return _chart(name, title, summary, table, paint)


def _coverage_rows(depths: Depths) -> Sequence[tuple[Cell, ...]]:
    every: Mapping[str, Depths] = {
        **{contig: depths for contig in depths.contigs},
        TOTAL: Depths({TOTAL: depths.total}),
    }
    return [
        (
            contig,
            int(item.contigs[contig].sum()),
            item.covered(contig),
            item.mean(contig) if item.contigs[contig].any() else 0.0,
            item.mean_of_covered(contig),
        )
        for contig, item in every.items()
    ]
