"""Why no record of a file counts, so that a score of zero is explained."""

from collections import Counter
from collections.abc import Iterable, Iterator

from varcall.scoring.evaluation import Inputs
from varcall.scoring.intervals import EMPTY
from varcall.scoring.vcf_records import CallSet, Record
from varcall.scoring.vcfeval.matching import JudgedRecord, MatchOptions, Verdict

COUNTED = (Verdict.MATCH, Verdict.MISMATCH, Verdict.ALLELE_MATCH)


def _calls_alt(calls: CallSet, record: Record) -> bool:
    alleles = record.genotype or ()
    return bool(record.alts) if calls.sample_column < 0 else any(i > 0 for i in alleles)


def _is_filtered(calls: CallSet, record: Record, options: MatchOptions) -> bool:
    own = (calls.value(record, "FT") or ".").split(";")
    is_passed = not record.is_filtered and all(name in ("PASS", ".") for name in own)
    return not options.all_records and not is_passed


def _reason(
    calls: CallSet, inputs: Inputs, options: MatchOptions, contig: str, record: Record
) -> str:
    ranges = None if inputs.ranges is None else inputs.ranges.get(contig, EMPTY)
    if contig not in inputs.reference.lengths:
        return "on contigs that the reference lacks"
    if ranges is not None and not ranges.overlap(record.start, record.end):
        return "outside the regions to compare"
    if _is_filtered(calls, record, options):
        return "filtered (--all-records uses them)"
    if not _calls_alt(calls, record):
        return "without a called ALT allele"
    if inputs.confident is not None:
        return "outside the confident regions or not comparable"
    return "not comparable"


def _reasons(calls: CallSet, inputs: Inputs, options: MatchOptions) -> Iterator[str]:
    for contig, records in calls.contigs.items():
        for record in records:
            yield _reason(calls, inputs, options, contig, record)


def uncounted(
    calls: CallSet, judged: Iterable[JudgedRecord], inputs: Inputs, options: MatchOptions
) -> Counter[str] | None:
    """Why the records of a side do not count; None where one counts.

    Parameters
    ----------
    calls
        The side of the inputs that the judged records come from.
    """
    if any(item.verdict in COUNTED for item in judged):
        return None
    return Counter(_reasons(calls, inputs, options))


def uncounted_note(label: str, calls: CallSet, parts: Iterable[Counter[str] | None]) -> str | None:
    """A sentence about a file of which no record counts; None when one does.

    Parameters
    ----------
    parts
        What `uncounted` found on each part of the file.
    """
    reasons: Counter[str] = Counter()
    for part in parts:
        if part is None:
            return None
        reasons += part
    if not reasons:
        return f"the {label} file {calls.path} has no records"
    why = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
    return f"no record of the {label} file {calls.path} counts: {why}"
