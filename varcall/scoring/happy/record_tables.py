"""The tables of a comparison that hap.py does not make: alleles alone, or no genotypes at all.

hap.py compares diploid genotypes, of a query that it has cut into primitives. Where genotypes do
not count, vcfeval's verdicts on the unchanged records are put into the same tables, so that these
hold the numbers of ``--counts`` and of the split files.
"""

from dataclasses import replace

from varcall.scoring.evaluation import Inputs
from varcall.scoring.happy.comparison import HappyOptions, own_column, scored
from varcall.scoring.vcf_records import CallSet, Record
from varcall.scoring.vcfeval.matching import ContigMatch, JudgedRecord, Verdict
from varcall.scoring.vcfeval.superloci import Row, RowSide, bare_side, contig_rows
from varcall.scoring.vcfeval.variants import is_snp


def _all_alts(record: Record) -> Record:
    """The record with all its ALT alleles in the place of a genotype."""
    return record._replace(genotype=tuple(range(1, len(record.alts) + 1)))


def _with_scores(match: ContigMatch, inputs: Inputs, options: HappyOptions) -> ContigMatch:
    """The match with the records of the chosen sample, and their score in the place of QUAL."""

    def one(calls: CallSet, item: JudgedRecord, *, is_query: bool) -> JudgedRecord:
        record = scored(calls, item.record, options) if is_query else item.record
        (record,) = own_column([record], calls.sample_column)
        if calls.sample_column < 0:
            record = _all_alts(record)
        return replace(item, record=record)

    return ContigMatch(
        match.contig,
        [one(inputs.truth, item, is_query=False) for item in match.truth],
        [one(inputs.query, item, is_query=True) for item in match.query],
    )


def record_rows(match: ContigMatch, inputs: Inputs, options: HappyOptions) -> list[Row]:
    """Rows of the records as vcfeval judged them.

    A query record that is neither right nor wrong (outside the confident regions, or in a region
    that was too complex) is UNK.
    """

    def side(item: JudgedRecord, mismatch: str, score: float) -> RowSide:
        made = bare_side(item.record)
        calls = inputs.truth if mismatch == "FN" else inputs.query
        made.has_genotype = calls.sample_column >= 0
        made.variant_type = "SNP" if is_snp(item.record, use_all_alts=False) else "INDEL"
        made.score = score
        if item.verdict == Verdict.MATCH:
            made.decision, made.kind = "TP", "gm"
        elif item.verdict == Verdict.MISMATCH:
            made.decision = mismatch
        else:
            made.decision = "N" if item.verdict == Verdict.IGNORED else "UNK"
        return made

    return contig_rows(_with_scores(match, inputs, options), side)
