"""One record of one sample, and its line in a VCF.

Records are formatted as text here: building a pysam record per call costs ten times as much. The
text is also what workers hand to the writer and what shards are merged from, so that a run has one
spelling, byte for byte.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from varcall.output.all_sites import NO_ALT
from varcall.output.forced import FORCED, is_forced
from varcall.output.phase_votes import AFTER, VOTES

PASS = "PASS"
REF_CALL = "RefCall"
LOW_QUAL = "LowQual"
NO_CALL = "NoCall"
LineKey = tuple[int, str, str, str]
"""What lines are sorted by: POS, REF, ALT, the line; nothing behind POS where it was given."""
_FORMAT = "GT:GQ:DP:AD:ADF:ADR:VAF:PL"
_LAST_REF = "~"  # behind all letters


def vcf_pos(start: int) -> int:
    """Return the 1-based POS of a 0-based start."""
    return start + 1


def start_of_pos(pos: int) -> int:
    """Return the 0-based start of a 1-based POS."""
    return pos - 1


class VariantRecord(NamedTuple):
    """One record of one sample.

    Attributes
    ----------
    contig, start, ref, alts
        The site: 0-based start; at least one ALT.
    qual, filter
        phred P(hom-ref), and one of PASS, RefCall, LowQual, NoCall.
    gt
        Allele of each copy of the contig, None where not called.
    gq, dp
        Genotype quality and depth.
    ad, adf, adr
        Reads of each allele, REF first: all, forward, reverse.
    pl
        Phred genotype likelihoods in VCF order.
    gl
        log10 genotype likelihoods in VCF order; None leaves the field out.
    phase_set
        0-based start of the first site that `gt` is phased with, its alleles then in the order of
        the haplotypes; None where it is not phased.
    cause
        Why reads show ALT, in words, and the probability of that; None where it was not asked.
    votes, after
        What fragments show, to phase the record by, and the reference bases after its start, to
        join it to an MNV with (`varcall.output.phase_votes`); None where that is not wanted.
    name
        What stands in ID.
    is_given
        Whether the record was asked for: it stands as it was given, and before others of its POS.
    """

    contig: str
    start: int
    ref: str
    alts: tuple[str, ...]
    qual: float
    filter: str
    gt: tuple[int | None, ...]
    gq: int
    dp: int
    ad: tuple[int, ...]
    adf: tuple[int, ...]
    adr: tuple[int, ...]
    pl: tuple[int, ...]
    gl: tuple[float, ...] | None = None
    phase_set: int | None = None
    cause: tuple[str, float] | None = None
    votes: str | None = None
    after: str | None = None
    name: str = "."
    is_given: bool = False

    @property
    def vaf(self) -> tuple[float, ...]:
        """Fraction of `dp` that supports each ALT."""
        return tuple([_fraction(count, self.dp) for count in self.ad[1:]])


def _fraction(count: int, depth: int) -> float:
    return count / depth if depth else 0.0


# Half of a record's time would go into text of the same few counts, which come again and again.
@lru_cache(maxsize=1 << 14)
def _fraction_text(count: int, depth: int) -> str:
    return f"{round(_fraction(count, depth), 4):g}"


def _integers(values: Sequence[int]) -> str:
    return ",".join([f"{value}" for value in values]) or "."


@lru_cache(maxsize=1 << 14)
def _counts_text(counts: tuple[int, ...]) -> str:
    return _integers(counts)


def format_record(record: VariantRecord) -> str:
    r"""Return the line of a record, "\n" included.

    Floats have at most six digits, as htslib prints them, so a BCF round trip keeps the text.
    """
    separator = "/" if record.phase_set is None else "|"
    gt = separator.join(["." if allele is None else str(allele) for allele in record.gt])
    vaf = ",".join([_fraction_text(count, record.dp) for count in record.ad[1:]]) or "."
    if record.gl is None:
        names, likelihoods = _FORMAT, _integers(record.pl)
    else:
        names = _FORMAT + ":GL"
        logs = ",".join([f"{round(log, 3) + 0.0:g}" for log in record.gl]) or "."
        likelihoods = f"{_integers(record.pl)}:{logs}"
    if record.phase_set is not None:
        names += ":PS"
        likelihoods += f":{vcf_pos(record.phase_set)}"
    return (
        f"{record.contig}\t{vcf_pos(record.start)}\t{record.name}\t{record.ref}\t"
        f"{','.join(record.alts) or '.'}\t"
        f"{record.qual:g}\t{record.filter}\t{_info_text(record)}\t{names}\t{gt}:{record.gq}:{record.dp}:"
        f"{_counts_text(record.ad)}:{_counts_text(record.adf)}:{_counts_text(record.adr)}:{vaf}:"
        f"{likelihoods}\n"
    )


def _info_text(record: VariantRecord) -> str:
    fields = [FORCED] if record.is_given else []
    if record.cause is not None:
        fields.append(_cause_text(*record.cause))
    if record.votes is not None:
        fields.append(f"{VOTES}={record.votes}")
    if record.after is not None:
        fields.append(f"{AFTER}={record.after}")
    return ";".join(fields) or "."


def _cause_text(cause: str, probability: float) -> str:
    # An INFO value has no spaces (VCF 4.3, section 1.6.1.8).
    return f"CAUSE={cause.strip().replace(' ', '_')};CAUSEP={round(probability, 2):g}"


def line_key(line: str) -> tuple[str, LineKey]:
    """Return the contig of a record's line, and what lines of one contig are sorted by.

    Given records of one POS have equal keys, before all others: they stay as they were given. A
    base as in the reference comes last: a variant that starts there leaves it out (`Uncovered`).
    """
    contig, pos, _, ref, alts, _, _, info, _ = line.split("\t", 8)
    if is_forced(info):
        return contig, (int(pos), "", "", "")
    if alts == NO_ALT:
        return contig, (int(pos), _LAST_REF, "", "")
    return contig, (int(pos), ref, alts, line)
