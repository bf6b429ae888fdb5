"""The annotated VCF in the GA4GH form, and the split files of vcfeval."""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

from varcall.formats.vcf_text import COLUMN_NAMES
from varcall.scoring.happy.rows import AnnotatedRecord, Entry
from varcall.scoring.vcf_records import CallSet
from varcall.scoring.vcfeval.matching import ContigMatch, JudgedRecord, Verdict
from varcall.scoring.vcfeval.superloci import Row, RowSide

HEADER = """##fileformat=VCFv4.2
##FILTER=<ID=PASS,Description="All filters passed">
##INFO=<ID=BS,Number=.,Type=Integer,Description="Benchmarking superlocus of these variants">
##INFO=<ID=Regions,Number=.,Type=String,Description="Regions that hold the record">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=BD,Number=1,Type=String,Description="Decision (TP, FP, FN, UNK or N)">
##FORMAT=<ID=BK,Number=1,Type=String,Description="Kind of match (gm, am, lm or .)">
##FORMAT=<ID=BI,Number=1,Type=String,Description="Subtypes">
##FORMAT=<ID=BVT,Number=1,Type=String,Description="Type (SNP, INDEL, NOCALL, HOMREF, UNK)">
##FORMAT=<ID=BLT,Number=1,Type=String,Description="Genotype class">
##FORMAT=<ID=QQ,Number=1,Type=Float,Description="Score of the call">
"""
FORMAT_KEYS = "GT:BD:BK:BI:BVT:BLT:QQ"
SPLIT_FILES = ("tp-baseline", "fn", "tp", "fp")


@lru_cache(maxsize=1 << 14)
def _fields(
    genotype: tuple[int, ...], is_phased: bool, decision: str, kind: str,
    subtypes: frozenset[str], variant_type: str, location_type: str,
) -> str:  # fmt: skip
    """All of a sample column but the score: few different ones make up most of a file."""
    alleles = ("|" if is_phased else "/").join("." if i < 0 else str(i) for i in genotype)
    found = ",".join(sorted(subtypes)) or "."
    return f"{alleles}:{decision}:{kind}:{found}:{variant_type}:{location_type}"


def _sample(side: RowSide, entry: Entry) -> str:
    decision, kind, variant_type, location_type, subtypes, score = entry
    genotype = side.genotype if side.has_genotype else (-1,)
    text = _fields(genotype, side.is_phased, decision, kind, subtypes, variant_type, location_type)
    return f"{text}:." if math.isnan(score) else f"{text}:{score:g}"


def _line(row: Row, record: AnnotatedRecord) -> str:
    info = []
    if row.superloci:
        info.append("BS=" + ",".join(map(str, row.superloci)))
    if row.regions:
        info.append("Regions=" + ",".join(row.regions))
    alts, filters = ",".join(row.alts) or ".", ";".join(row.filters) or "."
    truth, query = _sample(row.truth, record.truth), _sample(row.query, record.query)
    return (
        f"{row.contig}\t{row.start + 1}\t.\t{row.ref}\t{alts}\t.\t{filters}\t"
        f"{';'.join(info) or '.'}\t{FORMAT_KEYS}\t{truth}\t{query}\n"
    )


def annotated_lines(rows: Iterable[Row], records: Iterable[AnnotatedRecord]) -> str:
    """Lines of the annotated VCF."""
    return "".join(_line(row, record) for row, record in zip(rows, records, strict=True))


def annotated_header(contigs: Mapping[str, int], filters: Iterable[str]) -> str:
    """Header of the annotated VCF.

    Parameters
    ----------
    contigs
        Lengths by name.
    filters
        Names of filters that occur.
    """
    header = HEADER
    header += "".join(f'##FILTER=<ID={name},Description="From the query">\n' for name in filters)
    header += "".join(f"##contig=<ID={name},length={n}>\n" for name, n in contigs.items())
    return header + "\t".join([*COLUMN_NAMES, "FORMAT", "TRUTH", "QUERY"]) + "\n"


def _split_name(item: JudgedRecord, *, is_truth: bool) -> str | None:
    if item.verdict == Verdict.MATCH:
        return "tp-baseline" if is_truth else "tp"
    if item.verdict in (Verdict.MISMATCH, Verdict.ALLELE_MATCH):
        return "fn" if is_truth else "fp"
    return None


def split_lines(match: ContigMatch) -> dict[str, str]:
    """Lines of vcfeval's four files: the records as they stand in the inputs."""
    lines: dict[str, list[str]] = {name: [] for name in SPLIT_FILES}
    for items, is_truth in ((match.truth, True), (match.query, False)):
        for item in items:
            name = _split_name(item, is_truth=is_truth)
            if name is not None:
                lines[name].append("\t".join(item.record.fields) + "\n")
    return {name: "".join(texts) for name, texts in lines.items()}


def split_header(name: str, truth: CallSet, query: CallSet) -> str:
    """Header of one of the four files: that of the input."""
    calls = truth if name in ("tp-baseline", "fn") else query
    columns = [*COLUMN_NAMES, *(["FORMAT", *calls.samples] if calls.samples else [])]
    return "".join(f"{line}\n" for line in calls.header) + "\t".join(columns) + "\n"
