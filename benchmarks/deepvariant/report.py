"""The table and the report of varcall against DeepVariant, from what the workflow's rules wrote.

Needs nothing but Python: it runs where Snakemake does.
"""

import argparse
import csv
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

STAND_IN = "stand-in-not-deepvariant"
"""Name of what ran in DeepVariant's place; the workflow gives it to all its files."""

WARNING = (
    "**THIS IS NOT A COMPARISON WITH DEEPVARIANT.** Another program stood in for it, to try the "
    "workflow; its figures say nothing of DeepVariant."
)
SCORERS = {"eval": "varcall eval", "happy": "hap.py"}


@dataclass(frozen=True, slots=True)
class Score:
    """A row of a scorer's table: counts of records that pass, in one subset of the genome."""

    caller: str
    scorer: str
    type: str
    subset: str
    truth: str
    tp: str
    fn: str
    fp: str
    recall: str
    precision: str
    f1: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a caller took: seconds and MB; "not measured" where its processes were not seen."""

    caller: str
    wall_seconds: str
    cpu_seconds: str
    peak_mb: str


def read_scores(path: Path, caller: str, scorer: str) -> Iterator[Score]:
    """Yield the rows for SNPs and indels as a whole, by subset, of an `.extended.csv`."""
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if (row["Filter"], row["Subtype"], row["Genotype"]) != ("PASS", "*", "*"):
                continue
            yield Score(
                caller,
                SCORERS[scorer],
                row["Type"],
                row["Subset"].removesuffix(".bed.gz"),
                row["TRUTH.TOTAL"],
                row["TRUTH.TP"],
                row["TRUTH.FN"],
                row["QUERY.FP"],
                *(row[f"METRIC.{name}"] for name in ("Recall", "Precision", "F1_Score")),
            )


def read_cost(path: Path, caller: str, only_wall: bool) -> Cost:
    """Read what Snakemake's `benchmark:` has written."""
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    seen = not only_wall or caller == "varcall"
    absent = "not measured"
    return Cost(
        caller,
        row["s"],
        row["cpu_time"] if seen else absent,
        row["max_rss"] if seen else absent,
    )


def markdown(rows: Sequence[Score] | Sequence[Cost]) -> str:
    """Return rows as a table."""
    header = [field.name.replace("_", " ") for field in fields(rows[0])]
    lines = [header, ["---"] * len(header), *(list(astuple(row)) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def report(title: str, image: str | None, scores: Sequence[Score], costs: Sequence[Cost]) -> str:
    """Return the page."""
    if image is None:
        head = [f"# varcall and a stand-in: {title}", WARNING]
    else:
        head = [f"# varcall and DeepVariant: {title}", f"DeepVariant: `{image}`."]
    cpus = len(os.sched_getaffinity(0))
    return "\n\n".join(
        [
            *head,
            "## Accuracy",
            "Records that pass, inside the confident regions; `*` is all of them.",
            markdown(scores),
            "## Cost",
            f"On {platform.machine()}, {cpus} CPUs visible, as Snakemake measures a job.",
            markdown(costs),
            "",
        ]
    )


def table(scores: Sequence[Score], costs: Sequence[Cost]) -> str:
    """Return scores with the cost of their caller as TSV."""
    of_caller = {cost.caller: cost for cost in costs}
    header = [field.name for field in (*fields(Score), *fields(Cost)[1:])]
    rows = [[*astuple(score), *astuple(of_caller[score.caller])[1:]] for score in scores]
    return "".join("\t".join(row) + "\n" for row in [header, *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `report.md` and `table.tsv` into the workflow's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--callers", nargs="+", required=True)
    parser.add_argument("--scorers", nargs="+", choices=SCORERS, required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--cost", choices=("all", "wall"), required=True)
    parser.add_argument("--image", help="DeepVariant's container; none where it was not run")
    chosen = parser.parse_args(arguments)
    if (chosen.image is None) != (STAND_IN in chosen.callers):
        sys.exit("DeepVariant needs --image, and a stand-in must not have one")
    folder: Path = chosen.folder
    scores = [
        score
        for scorer in chosen.scorers
        for caller in chosen.callers
        for score in read_scores(folder / scorer / f"{caller}.extended.csv", caller, scorer)
    ]
    scores.sort(key=lambda score: (score.scorer, score.type, score.subset))
    costs = [
        read_cost(folder / "cost" / f"{caller}.tsv", caller, chosen.cost == "wall")
        for caller in chosen.callers
    ]
    (folder / "report.md").write_text(report(chosen.title, chosen.image, scores, costs))
    (folder / "table.tsv").write_text(table(scores, costs))


if __name__ == "__main__":
    main()
