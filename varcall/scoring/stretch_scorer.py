"""The evaluation of one stretch of a contig, in a worker process or here."""

import gc
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from varcall.errors import InputError
from varcall.inputs.contig_sequences import ContigReader, OpenedFasta
from varcall.output.bgzf_writer import bgzf_blocks
from varcall.scoring.comparator import TypeCounts, compare_contig, count_records
from varcall.scoring.evaluation import (
    Found,
    Inputs,
    haploid_calls,
    mismatch_sentence,
    reference_mismatches,
)
from varcall.scoring.ga4gh_vcf import annotated_lines, split_lines
from varcall.scoring.happy.comparison import (
    HappyOptions,
    builtin_match,
    one_contig,
    prepared_records,
)
from varcall.scoring.happy.record_tables import record_rows
from varcall.scoring.happy.table_totals import (
    AnnotatedPart,
    StretchPlace,
    Subsets,
    TablePart,
    annotated,
)
from varcall.scoring.intervals import EMPTY, Intervals
from varcall.scoring.metrics import ScoreSums
from varcall.scoring.options import DEFAULT_SCORE_FIELD, EvalOptions
from varcall.scoring.span import Bases, Span
from varcall.scoring.stretches import Stretch
from varcall.scoring.uncounted import uncounted
from varcall.scoring.vcf_file import VcfFile
from varcall.scoring.vcf_records import CallSet
from varcall.scoring.vcfeval.matching import ContigMatch, Verdict
from varcall.scoring.vcfeval.superloci import contig_rows

LABELS = ("truth", "query")


@dataclass(frozen=True, slots=True)
class ScorePlan:
    """What is the same for all stretches.

    ``compared`` are the contigs to compare; ``subsets`` is None where no tables are made;
    ``writes_split`` and ``writes_annotated`` ask for the lines of the VCF files.
    """

    options: EvalOptions
    truth: VcfFile
    query: VcfFile
    reference: OpenedFasta
    confident: Mapping[str, Intervals] | None
    ranges: Mapping[str, Intervals] | None
    compared: frozenset[str]
    subsets: Subsets | None
    writes_split: bool
    writes_annotated: bool

    @property
    def is_mismatch_error(self) -> bool:
        """Whether a REF that is not the reference's ends the run."""
        default = "error" if self.options.counts is None else "warn"
        return (self.options.ref_mismatch or default) == "error"

    @property
    def happy_options(self) -> HappyOptions:
        """The options as hap.py's counting takes them."""
        options = self.options
        return HappyOptions(
            use_filtered_truth=options.all_records,
            pass_only=options.pass_only,
            double_haploid=True,
            ploidy=options.sample_ploidy,
            score_name=options.score_field or DEFAULT_SCORE_FIELD,
            low_scores_first=options.sort_order == "ascending",
        )


@dataclass(slots=True)
class Outcome:
    """What a stretch gives: counts and tables, lines (as blocks of BGZF), and what was odd.

    ``split`` has the lines of vcfeval's files by name, ``annotated`` those of the annotated VCF
    with the ``filters`` that occur; by side, ``mismatches`` are REFs that differ from the
    reference, ``haploid`` haploid calls, ``skipped`` what is not comparable, ``uncounted`` why no
    record counts. ``is_open`` says that what follows the stretch can change its verdicts.
    """

    contig: str
    mismatches: dict[str, Found]
    haploid: dict[str, Found]
    uncounted: dict[str, Counter[str] | None]
    counts: dict[str, TypeCounts]
    scores: ScoreSums
    warnings: list[str]
    skipped: dict[str, list[str]]
    split: dict[str, bytes]
    is_open: bool = False
    table: TablePart | None = None
    table_warnings: list[str] = field(default_factory=list)
    table_skipped: dict[str, list[str]] = field(default_factory=dict)
    annotated: bytes = b""
    filters: frozenset[str] = frozenset()

    def add_annotated(self, part: AnnotatedPart, *, writes: bool) -> None:
        """Take what was annotated, with its lines where these are written."""
        self.table = part.part
        if writes:
            self.annotated = bgzf_blocks(annotated_lines(part.rows, part.records).encode())
            self.filters = frozenset(name for row in part.rows for name in row.filters)


class StretchScorer:
    """Compares and counts the records of stretches; made once in a process."""

    def __init__(self, plan: ScorePlan) -> None:
        self._plan = plan
        self._reference = ContigReader(plan.reference)

    def call(self, stretch: Stretch) -> Outcome:
        """Evaluate one stretch.

        Raises
        ------
        InputError
            A record is malformed, or is on another reference.
        """
        with _collection_held():
            return self._evaluated(stretch)

    def _evaluated(self, stretch: Stretch) -> Outcome:
        plan = self._plan
        contig = stretch.contig
        inputs = Inputs(
            plan.truth.with_records({contig: stretch.truth}),
            plan.query.with_records({contig: stretch.query}),
            self._reference,
            plan.confident,
            plan.ranges,
        )
        if contig not in self._reference.lengths:
            return judged(plan, inputs, ContigMatch(contig, [], []), {})
        place = self._place(stretch)
        mismatches = checked_references(plan, inputs, contig, place.sequence)
        if contig not in plan.compared:
            return judged(plan, inputs, ContigMatch(contig, [], []), mismatches)
        has_both = contig in plan.truth.contigs and contig in plan.query.contigs
        is_part = place.start > 0 or stretch.end < self._reference.lengths[contig]
        match = compare_contig(
            inputs.truth,
            inputs.query,
            contig,
            place.sequence,
            self._reference.lengths[contig],
            plan.options.matching,
            regions=None if plan.confident is None else plan.confident.get(contig, EMPTY),
            ranges=None if plan.ranges is None else plan.ranges[contig],
            has_both_sides=has_both and is_part,
        )
        outcome = judged(plan, inputs, match, mismatches)
        if plan.subsets is not None:
            self._tabulate(inputs, place, match, outcome, has_both_sides=has_both and is_part)
        return outcome

    def _place(self, stretch: Stretch) -> StretchPlace:
        text = self._reference.fetch(stretch.contig, stretch.start, stretch.end)
        sequence: Bases = Span(text, stretch.start) if stretch.start else text
        if stretch.end == self._reference.lengths[stretch.contig]:
            return StretchPlace(stretch.contig, sequence, stretch.start)
        return StretchPlace(stretch.contig, sequence, stretch.start, stretch.end)

    def _tabulate(
        self,
        inputs: Inputs,
        place: StretchPlace,
        match: ContigMatch,
        outcome: Outcome,
        *,
        has_both_sides: bool,
    ) -> None:
        plan, contig = self._plan, place.contig
        assert plan.subsets is not None
        if not plan.options.uses_genotypes:
            part = tabulated_records(plan, inputs, place, match)
        else:
            options = plan.happy_options
            truth, query = prepared_records(
                inputs, contig, place.sequence, options, double=options.double_haploid
            )
            own = builtin_match(
                one_contig(inputs.truth, contig, truth),
                one_contig(inputs.query, contig, query),
                place,
                self._reference.lengths[contig],
                options,
                has_both_sides=has_both_sides,
            )
            outcome.is_open |= own.is_open
            outcome.table_warnings, outcome.table_skipped = own.warnings, own.skipped
            part = annotated(contig_rows(own), place, plan.subsets, plan.confident, truth, query)
        outcome.add_annotated(part, writes=plan.writes_annotated)


@contextmanager
def _collection_held() -> Iterator[None]:
    """Look for no cycles among the objects of a stretch: there are many of these, and no cycles."""
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()


def tabulated_records(
    plan: ScorePlan, inputs: Inputs, place: StretchPlace, match: ContigMatch
) -> AnnotatedPart:
    """Tables of the records as vcfeval judged them, where genotypes do not count."""
    assert plan.subsets is not None
    truth = inputs.truth.contigs.get(place.contig, [])
    query = inputs.query.contigs.get(place.contig, [])
    rows = record_rows(match, inputs, plan.happy_options)
    return annotated(rows, place, plan.subsets, plan.confident, truth, query, only_confident=False)


def checked_references(
    plan: ScorePlan, inputs: Inputs, contig: str, sequence: Bases
) -> dict[str, Found]:
    """Records of each side whose REF is not the reference's.

    Raises
    ------
    InputError
        There are some, and the options make that an error.
    """
    found = {}
    for label, calls in zip(LABELS, (inputs.truth, inputs.query), strict=True):
        found[label] = reference_mismatches(contig, calls.contigs.get(contig, []), sequence)
        sentence = mismatch_sentence(calls, label, found[label])
        if sentence is not None and plan.is_mismatch_error:
            raise InputError(sentence)
    return found


def judged(
    plan: ScorePlan, inputs: Inputs, match: ContigMatch, mismatches: dict[str, Found]
) -> Outcome:
    """What follows from the verdicts on the records of a stretch."""
    contig, options = match.contig, plan.options.matching
    split = split_lines(match) if plan.writes_split else {}
    return Outcome(
        contig,
        mismatches,
        {
            label: haploid_calls(contig, calls.contigs.get(contig, []))
            for label, calls in zip(LABELS, (inputs.truth, inputs.query), strict=True)
        },
        {
            "truth": uncounted(inputs.truth, match.truth, inputs, options),
            "query": uncounted(inputs.query, match.query, inputs, options),
        },
        count_records(match, options),
        ScoreSums.of(list(_scored(inputs.query, match))),
        list(match.warnings),
        dict(match.skipped),
        {name: bgzf_blocks(text.encode()) for name, text in split.items()},
        match.is_open,
    )


def _scored(query: CallSet, match: ContigMatch) -> Iterator[tuple[float, bool]]:
    """GQ and correctness of the query records that count."""
    for item in match.query:
        if item.verdict in (Verdict.MATCH, Verdict.MISMATCH):
            try:
                score = float(query.value(item.record, "GQ") or "nan")
            except ValueError:
                continue
            if not math.isnan(score):
                yield score, item.verdict == Verdict.MATCH
