"""Score varcall, bcftools and freebayes on every real slice, in one run on one machine.

Usage: python -m benchmarks.accuracy [--peers-only] [-m MODEL] [--differences FILE]
           [--history DIR] [--no-record]

Tables of every slice, and of the errors on the pooled held-out slices; `benchmarks.results` says
where they are written.
"""

import argparse
import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.inputs.slices import SLICES, StagedSlice, require_data, stage
from benchmarks.results import add_options, report
from benchmarks.runs.callers import PEERS, VARCALL, Caller, Job
from benchmarks.runs.history import Table
from benchmarks.scores.exact_match import Copies, Counts, Score, atomic_copies, compare
from benchmarks.scores.haplotype_match import haplotype_counts

POOLED = "five HG002 slices"
EMPTY = (Counts(), Counts())


@dataclass(frozen=True, slots=True)
class Row:
    """The score of one caller on one slice: by exact match, and by haplotypes (SNP, indel).

    Attributes
    ----------
    cpu
        CPU seconds of the caller.
    """

    slice_name: str
    caller: str
    score: Score
    by_haplotype: tuple[Counts, Counts]
    held_out: bool
    differences: tuple[str, ...]
    cpu: float = 0.0


def score_slice(
    staged: StagedSlice, callers: Iterable[Caller], directory: Path, model: str | None = None
) -> list[Row]:
    """Run each caller on one slice and compare it with the truth."""
    item = staged.slice
    truth = atomic_copies(staged.truth, staged.reference, staged.confident)
    rows = []
    for caller in callers:
        output = directory / f"{staged.reads.stem}.{caller.name}.vcf.gz"
        usage = caller.run(Job(staged.reads, staged.reference, item.region, output, model=model))
        calls = atomic_copies(output, staged.reference, staged.confident, caller.include)
        row = Row(
            slice_name=item.name,
            caller=caller.name,
            score=compare(truth, calls),
            by_haplotype=haplotype_counts(staged, output, caller.include),
            held_out=item.held_out,
            differences=tuple(_differences(item.contig, truth, calls)),
            cpu=usage.cpu,
        )
        rows.append(row)
        print(*_cells(row), sep=" | ", flush=True)
    return rows


def _differences(contig: str, truth: Copies, calls: Copies) -> Iterable[str]:
    """Yield every discrepancy: locus (1-based), alleles, copies in the truth and in the calls."""
    for key in sorted(truth.keys() | calls.keys()):
        wanted, found = truth.get(key, 0), calls.get(key, 0)
        if wanted != found:
            position, ref, alt = key
            yield f"{contig}:{position}\t{ref}\t{alt}\ttruth {wanted}\tcalled {found}"


def pool(rows: Iterable[Row]) -> list[Row]:
    """Add up the held-out slices by caller."""
    return total(POOLED, [row for row in rows if row.held_out])


def total(name: str, rows: Iterable[Row]) -> list[Row]:
    """Add up slices by caller, under one name."""
    totals: dict[str, Row] = {}
    for row in rows:
        so_far = totals.get(row.caller, Row(name, row.caller, Score(), EMPTY, False, ()))
        snp, indel = so_far.by_haplotype
        totals[row.caller] = replace(
            so_far,
            score=so_far.score + row.score,
            by_haplotype=(snp + row.by_haplotype[0], indel + row.by_haplotype[1]),
            differences=so_far.differences + row.differences,
            cpu=so_far.cpu + row.cpu,
        )
    return list(totals.values())


def _cells(row: Row) -> list[str]:
    score = row.score
    cells = [row.slice_name, row.caller]
    for counts in (score.snp, score.indel):
        cells += [str(counts), "-" if math.isnan(counts.f1) else f"{counts.f1:.4f}"]
    return cells + [str(c) for c in (score.snp_blind, score.indel_blind, *row.by_haplotype)]


def slice_table(rows: Iterable[Row]) -> Table:
    """Return the table of all rows; triples are TP/FP/FN."""
    titles = ["slice", "caller", "SNP", "F1", "indel", "F1", "SNP, any genotype"]
    titles += ["indel, any genotype", "SNP by haplotype", "indel by haplotype"]
    return Table("slices", titles, list(map(_cells, rows)))


def pooled_table(pooled: Iterable[Row]) -> Table:
    """Return the table of the errors on the pooled slices."""
    titles = ["caller", "SNP FP", "SNP FN", "SNP F1", "indel FP", "indel FN", "indel F1"]
    rows = []
    for row in pooled:
        cells = [row.caller]
        for counts in (row.score.snp, row.score.indel):
            cells += [str(counts.fp), str(counts.fn), f"{counts.f1:.4f}"]
        rows.append(cells)
    return Table("pooled", titles, rows)


def write_differences(path: Path, rows: Iterable[Row]) -> None:
    """Write every discrepancy of every row as TSV."""
    lines = (f"{r.slice_name}\t{r.caller}\t{line}\n" for r in rows for line in r.differences)
    path.write_text("".join(lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers-only", action="store_true", help="leave varcall out")
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    parser.add_argument("--differences", type=Path, help="write every discrepancy to this TSV")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    require_data()
    callers = [caller for caller in PEERS if caller.available()]
    if not arguments.peers_only:
        callers.insert(0, VARCALL)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="varcall-accuracy-") as temporary:
        for item in SLICES:
            directory = Path(temporary)
            rows += score_slice(stage(item, directory), callers, directory, arguments.model)
    pooled = pool(rows)
    if arguments.differences:
        write_differences(arguments.differences, rows)
    tables = [pooled_table(pooled), slice_table([*rows, *pooled])]
    report(arguments, "accuracy", "Accuracy on real reads", tables)


if __name__ == "__main__":
    main()
