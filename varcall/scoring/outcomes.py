"""The evaluation of a call set from those of its stretches, which come in the reference's order."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from varcall.inputs.contig_sequences import ContigReader
from varcall.scoring.comparator import (
    TypeCounts,
    compared_contigs,
    skipped_warning,
    total_counts,
)
from varcall.scoring.evaluation import (
    Found,
    confident_regions,
    haploid_note,
    mismatch_sentence,
    region_ranges,
)
from varcall.scoring.happy.rows import Row
from varcall.scoring.happy.table_totals import Subsets, TableTotals
from varcall.scoring.intervals import read_bed
from varcall.scoring.metrics import ScoreSums
from varcall.scoring.options import EvalOptions
from varcall.scoring.strata import read_stratification
from varcall.scoring.stretch_scorer import LABELS, Outcome, ScorePlan
from varcall.scoring.uncounted import uncounted_note
from varcall.scoring.vcf_file import VcfFile, scan_vcf
from varcall.workers.pool import run_in_order


class _Scanner:
    """Goes over files, each of which may be another process's."""

    def __init__(self, plan: None) -> None:
        del plan

    def call(self, asked: tuple[Path, str, str | None]) -> VcfFile:
        """Go over one file, with its label and sample."""
        return scan_vcf(*asked)


def score_plan(
    options: EvalOptions, reference: ContigReader, *, tables: bool, writes: bool
) -> ScorePlan:
    """Go over the inputs of an evaluation and see that they fit each other.

    Parameters
    ----------
    tables
        hap.py's tables are wanted.
    writes
        The files of the report are wanted.

    Raises
    ------
    InputError
        A file is missing or malformed, or the files do not fit each other.
    """
    asked = list(zip((options.truth, options.queries[0]), LABELS, options.samples, strict=True))
    scans = run_in_order(_Scanner, None, asked, min(options.threads, len(asked)))
    truth, query = (scanned for _, scanned in scans)
    confident = confident_regions(options.confident, reference)
    ranges = region_ranges(options.regions, options.bed_regions, reference)
    compared = compared_contigs(truth, query, reference.lengths, ranges)
    subsets = None
    if tables:
        rows = read_bed(options.confident) if options.confident else {}
        subsets = Subsets(
            read_stratification(options.stratification) if options.stratification else {},
            sum(end - start for items in rows.values() for start, end in items),
        )
    return ScorePlan(
        options, truth, query, reference.source, confident, ranges, frozenset(compared), subsets,
        writes_split=writes and options.split_vcfs, writes_annotated=writes,
    )  # fmt: skip


@dataclass(slots=True)
class Outcomes:
    """Adds up the outcomes of the stretches."""

    plan: ScorePlan
    reference: ContigReader
    counts: dict[str, TypeCounts] = field(default_factory=lambda: total_counts(()))
    scores: ScoreSums = field(default_factory=lambda: ScoreSums.of(()))
    first_warnings: list[str] = field(default_factory=list)
    parts: list[Outcome] = field(default_factory=list)  # without tables and lines
    tables: TableTotals | None = None
    held: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.plan.subsets is not None:
            self.tables = TableTotals(self.plan.subsets, self.plan.confident, self.reference)

    def add(self, outcome: Outcome) -> list[Outcome]:
        """Add the next outcome; returns those whose annotated lines are now known to count.

        hap.py leaves out contigs without truth records, and that a contig has one may be seen in a
        later stretch.
        """
        self.counts = total_counts((self.counts, outcome.counts))
        self.scores += outcome.scores
        self.parts.append(replace(outcome, split={}, table=None, annotated=b""))
        table = outcome.table
        if self.tables is None or table is None:
            return []
        if self.held and self.held[0].contig != outcome.contig:
            self.held.clear()
        self.held.append(outcome)
        is_all = not self.plan.options.uses_genotypes
        if not (is_all or table.has_truth or outcome.contig in self.tables.contigs):
            return []
        counted, self.held = self.held, []
        for item in counted:
            assert item.table is not None
            self.tables.add(item.table)
        return counted

    def table(self) -> list[Row]:
        """Rows of hap.py's tables; none where they are not wanted."""
        if self.tables is None:
            return []
        return self.tables.table(self.plan.happy_options.score_name)

    def warnings(self) -> tuple[str, ...]:
        """All that was odd, one sentence each."""
        plan = self.plan
        sides = dict(zip(LABELS, (plan.truth.calls, plan.query.calls), strict=True))
        found = [
            mismatch_sentence(calls, label, self._found("mismatches", label))
            for label, calls in sides.items()
        ]
        if plan.options.uses_genotypes and plan.options.sample_ploidy == 2:
            haploid = {label: self._found("haploid", label) for label in LABELS}
            found.append(haploid_note(plan.truth.calls, plan.query.calls, haploid))
        found += self.first_warnings
        found += [text for part in self.parts for text in part.warnings]
        found += self._skipped("skipped")
        found += [
            uncounted_note(label, calls, [part.uncounted[label] for part in self.parts])
            for label, calls in sides.items()
        ]
        if self.tables is not None and plan.options.uses_genotypes:
            found += self.tables.warnings(plan.query.contigs)
            found += [text for part in self.parts for text in part.table_warnings]
            found += self._skipped("table_skipped")
        return tuple(dict.fromkeys(text for text in found if text is not None))

    def _found(self, name: str, label: str) -> Found:
        total = Found()
        for part in self.parts:
            total += getattr(part, name).get(label, Found())
        return total

    def _skipped(self, name: str) -> list[str]:
        notes = {
            label: [note for part in self.parts for note in getattr(part, name).get(label, ())]
            for label in LABELS
        }
        return [skipped_warning(label, items) for label, items in notes.items() if items]
