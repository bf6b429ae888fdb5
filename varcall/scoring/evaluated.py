"""The outcomes of all stretches in order: by the built-in comparator in processes, or by rtg."""

from collections.abc import Iterator
from dataclasses import replace

from varcall.inputs.contig_sequences import ContigReader
from varcall.scoring.comparator import contig_warnings
from varcall.scoring.evaluation import Inputs
from varcall.scoring.happy.comparison import matched_rows, prepared_contigs
from varcall.scoring.happy.table_totals import StretchPlace, annotated
from varcall.scoring.outcomes import Outcomes
from varcall.scoring.rtg.comparison import RtgEngine
from varcall.scoring.stretch_scorer import (
    Outcome,
    ScorePlan,
    StretchScorer,
    checked_references,
    judged,
    tabulated_records,
)
from varcall.scoring.stretches import Stretch, stretches
from varcall.scoring.vcf_records import CallSet
from varcall.scoring.vcfeval.matching import ContigMatch
from varcall.workers.pool import run_in_order

_ENDLESS = 1 << 62  # length of a contig that the reference lacks


def evaluated(
    plan: ScorePlan, reference: ContigReader, engine: RtgEngine | None, outcomes: Outcomes
) -> Iterator[Outcome]:
    """Evaluate all stretches, in the reference's order, then those on other contigs."""
    if engine is not None:
        yield from _by_rtg(plan, reference, engine, outcomes)
        return
    if plan.ranges is None:
        chosen = [contig for contig in reference.lengths if contig in plan.compared]
        outcomes.first_warnings += contig_warnings(
            plan.truth, plan.query, reference.lengths, chosen
        )
    items = [
        stretch
        for contig in _contigs(plan, reference)
        for stretch in stretches(
            contig,
            reference.lengths.get(contig, _ENDLESS),
            plan.truth.contigs,
            plan.query.contigs,
        )
    ]
    results = run_in_order(StretchScorer, plan, items, plan.options.threads)
    yield from _closed(plan, reference, results)


def _contigs(plan: ScorePlan, reference: ContigReader) -> list[str]:
    used = dict.fromkeys((*plan.truth.contigs, *plan.query.contigs))
    inside = [contig for contig in reference.lengths if contig in used]
    return [*inside, *(contig for contig in used if contig not in reference.lengths)]


def _closed(
    plan: ScorePlan, reference: ContigReader, results: Iterator[tuple[Stretch, Outcome]]
) -> Iterator[Outcome]:
    """Evaluate a stretch once more, with the one behind it, where that can change its verdicts."""
    left_open: Stretch | None = None
    for stretch, outcome in results:
        if left_open is not None:
            stretch = left_open.joined(stretch)
            outcome = StretchScorer(plan).call(stretch)
        is_last = stretch.end == reference.lengths.get(stretch.contig, _ENDLESS)
        left_open = stretch if outcome.is_open and not is_last else None
        if left_open is None:
            yield outcome


def _of(calls: CallSet, contig: str) -> CallSet:
    return replace(calls, contigs={contig: calls.contigs.get(contig, [])})


def _by_rtg(
    plan: ScorePlan, reference: ContigReader, engine: RtgEngine, outcomes: Outcomes
) -> Iterator[Outcome]:
    """Let rtg compare all contigs at once."""
    inputs = Inputs(
        plan.truth.all_records(), plan.query.all_records(), reference, plan.confident, plan.ranges
    )
    mismatches = {
        contig: checked_references(plan, inputs, contig, reference.sequence(contig))
        for contig in _contigs(plan, reference)
        if contig in reference.lengths
    }
    comparison = engine.compare(inputs, plan.options)
    outcomes.first_warnings += comparison.warnings
    matches = {match.contig: match for match in comparison.contigs}
    has_rows = plan.subsets is not None and plan.options.uses_genotypes
    all_records = not plan.options.pass_only
    prepared = prepared_contigs(inputs, plan.happy_options) if has_rows else {}
    rows = matched_rows(
        inputs, prepared, lambda *sides: engine.rows(*sides, all_records=all_records)
    )
    for contig in _contigs(plan, reference):
        own = replace(inputs, truth=_of(inputs.truth, contig), query=_of(inputs.query, contig))
        match = matches.get(contig, ContigMatch(contig, [], []))
        outcome = judged(plan, own, match, mismatches.get(contig, {}))
        part = None
        if plan.subsets is not None and contig in prepared:
            place = StretchPlace.whole(contig, reference)
            part = annotated(
                rows.get(contig, []), place, plan.subsets, plan.confident, *prepared[contig]
            )
        elif plan.subsets is not None and not has_rows and contig in matches:
            part = tabulated_records(plan, own, StretchPlace.whole(contig, reference), match)
        if part is not None:
            outcome.add_annotated(part, writes=plan.writes_annotated)
        yield outcome
