"""Indels by size and by repeat context: recall and precision of varcall, bcftools and freebayes.

Usage: python -m benchmarks.indel_strata [--work FOLDER] [--region REGION] [--depths 15 30 50]
           [-m MODEL] [--history DIR] [--no-record]

Over the ART sets of `benchmarks.simulated` and the five HG002 slices together. Records are judged
by ``varcall eval``'s comparator, so a spelling costs nothing, and a wrong genotype is a false
positive and a false negative. Recall counts records of the truth, precision records of the caller,
each in the strata of its own spelling; TP and FN are of the truth, FP of the caller.

Size is the largest change of length among the called ALTs; a record that changes none (an MNV) is
in no stratum. A context is of the changed bases, with five bases on both sides as in GIAB's
stratifications, and the first that fits is taken: a homopolymer of 12 bases or more, one of 7 to
11, an STR (a unit of 2, 3, 4, 5 or 6 bases, repeated perfectly over at least 8, 11, 12, 15 or 18
bases, as `varcall.simulate.repeats` has it; GIAB's begin at 11, 15 and 20 for units of 2 to 4),
neither. `benchmarks.results` says where the table is written.
"""

import argparse
import math
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy import POOLED
from benchmarks.inputs.slices import SLICES, StagedSlice, stage
from benchmarks.results import add_options, report
from benchmarks.runs.callers import PEERS, VARCALL, Caller, Job
from benchmarks.runs.history import Table
from benchmarks.scores.haplotype_match import match_haplotypes
from benchmarks.simulated import REGION, prepared
from varcall.evidence.alleles import trim
from varcall.inputs.reference import Reference
from varcall.scoring.comparator import TypeCounts
from varcall.scoring.evaluation import Evaluation
from varcall.scoring.intervals import Intervals
from varcall.scoring.vcf_records import Record
from varcall.scoring.vcfeval.matching import Verdict
from varcall.scoring.vcfeval.variants import is_snp, is_symbolic
from varcall.simulate.repeats import find_tracts

ALL = "all indels"
SIZES = ((1, 5), (6, 15), (16, 50))
LONGER = f"{SIZES[-1][1] + 1} bp or more"
LONG_RUN, RUN, STR, NEITHER = "homopolymer 12+", "homopolymer 7-11", "STR of 2-6 bp", "neither"
CONTEXTS = (LONG_RUN, RUN, STR, NEITHER)
LEAST_RUN, LEAST_LONG_RUN = 7, 12
SLOP = 5
# Around a region, so that a repeat is not cut at its border.
MARGIN = 1000

Strata = dict[str, TypeCounts]


def size_name(size: int) -> str:
    """Name the stratum of a change of length."""
    return next((f"{low}-{high} bp" for low, high in SIZES if low <= size <= high), LONGER)


STRATA = (ALL, *(size_name(low) for low, _ in SIZES), LONGER, *CONTEXTS)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Where the contexts but the last lie on one contig, slop included."""

    contexts: Mapping[str, Intervals]

    @classmethod
    def of(cls, reference: Path, contig: str, span: tuple[int, int]) -> "Repeats":
        """Find the repeats of a span of a FASTA, 0-based half-open."""
        low = max(0, span[0] - MARGIN)
        with Reference(reference) as sequence:
            tracts = find_tracts(sequence.fetch(contig, low, span[1] + MARGIN))
        found: dict[str, list[tuple[int, int]]] = {name: [] for name in CONTEXTS[:-1]}
        rows = zip(tracts.start.tolist(), tracts.end.tolist(), tracts.unit.tolist(), strict=True)
        for start, end, unit in rows:
            if unit == 1 and end - start < LEAST_RUN:
                continue
            name = STR if unit > 1 else LONG_RUN if end - start >= LEAST_LONG_RUN else RUN
            found[name].append((low + start - SLOP, low + end + SLOP))
        return cls({name: Intervals.merged(pairs) for name, pairs in found.items()})

    def context(self, start: int, end: int) -> str:
        """Name the context of changed bases; an empty span lies between two bases."""
        names = (name for name, place in self.contexts.items() if place.overlap(start, end))
        return next(names, NEITHER)


def strata_of(record: Record, repeats: Repeats) -> tuple[str, ...]:
    """Name the strata of a record: none where no called ALT changes the length."""
    called = [record.alts[allele - 1] for allele in set(record.genotype or ()) if allele > 0]
    alts = [alt for alt in called if not is_symbolic(alt)]
    size = max((abs(len(alt) - len(record.ref)) for alt in alts), default=0)
    if not size:
        return ()
    start, ref, _ = trim(record.start, record.ref, alts)
    return ALL, size_name(size), repeats.context(start + 1, start + len(ref))


def count_strata(evaluation: Evaluation, repeats: Repeats) -> Strata:
    """Count the judged indels of one contig by stratum."""
    counts: Strata = defaultdict(TypeCounts)
    for match in evaluation.comparison.contigs:
        for items, right, wrong in (
            (match.truth, TypeCounts(truth_tp=1), TypeCounts(truth_fn=1)),
            (match.query, TypeCounts(query_tp=1), TypeCounts(query_fp=1)),
        ):
            for item in items:
                if is_snp(item.record, use_all_alts=False):
                    continue
                is_right = item.verdict == Verdict.MATCH
                if is_right or item.verdict in (Verdict.MISMATCH, Verdict.ALLELE_MATCH):
                    for name in strata_of(item.record, repeats):
                        counts[name] += right if is_right else wrong
    return counts


def score(
    name: str, sets: Iterable[StagedSlice], callers: Sequence[Caller], model: str | None
) -> list[list[str]]:
    """Run the callers on some sets, count them together, and return the rows of the table."""
    totals: dict[str, Strata] = {caller.name: defaultdict(TypeCounts) for caller in callers}
    with tempfile.TemporaryDirectory(prefix="varcall-strata-") as folder:
        for staged in sets:
            item = staged.slice
            repeats = Repeats.of(staged.reference, item.contig, item.span)
            for caller in callers:
                output = Path(folder) / f"{staged.reads.stem}.{caller.name}.vcf.gz"
                caller.run(Job(staged.reads, staged.reference, item.region, output, model=model))
                judged = match_haplotypes(staged, output, caller.include)
                for stratum, counts in count_strata(judged, repeats).items():
                    totals[caller.name][stratum] += counts
    return rows(name, totals)


def rows(name: str, totals: Mapping[str, Strata]) -> list[list[str]]:
    """Spell the counts of a set as rows of the table; strata without any record are left out."""
    spelled = []
    for stratum in STRATA:
        found = [counts.get(stratum, TypeCounts()) for counts in totals.values()]
        if any(counts != TypeCounts() for counts in found):
            cells = [cell for counts in found for cell in _cells(counts)]
            spelled.append([name, stratum, *cells])
    return spelled


def _cells(counts: TypeCounts) -> tuple[str, str, str]:
    recall, precision = (
        "-" if math.isnan(share) else f"{share:.4f}" for share in (counts.recall, counts.precision)
    )
    return recall, precision, f"{counts.truth_tp}/{counts.query_fp}/{counts.truth_fn}"


def strata_table(callers: Sequence[Caller], lines: list[list[str]]) -> Table:
    """Return the table of the rows of all sets."""
    columns = [
        title for caller in callers for title in (f"{caller.name} recall", "precision", "TP/FP/FN")
    ]
    return Table("strata", ["reads", "indels", *columns], lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, help="folder that keeps the simulated reads")
    parser.add_argument("--region", default=REGION, help="inside 20:50-55M")
    parser.add_argument("--depths", type=int, nargs="*", default=[15, 30, 50])
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    callers = [VARCALL, *(caller for caller in PEERS if caller.available())]
    lines = []
    with tempfile.TemporaryDirectory(prefix="varcall-strata-") as temporary:
        work = arguments.work or Path(temporary)
        for depth in arguments.depths:
            staged = prepared(arguments.region, depth, work)
            lines += score(f"ART {depth}x", [staged], callers, arguments.model)
        held_out = [stage(item, Path(temporary)) for item in SLICES if item.held_out]
        lines += score(POOLED, held_out, callers, arguments.model)
    title = f"Indels by size and context, {arguments.region} and real reads"
    report(arguments, "indel-strata", title, [strata_table(callers, lines)])


if __name__ == "__main__":
    main()
