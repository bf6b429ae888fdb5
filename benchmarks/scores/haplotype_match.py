"""Count calls against a truth by the haplotypes they spell, whatever the spelling."""

import subprocess
from pathlib import Path

from benchmarks.inputs.slices import StagedSlice
from benchmarks.scores.exact_match import Counts
from varcall.scoring.comparator import TypeCounts
from varcall.scoring.evaluation import Evaluation, evaluate


def match_haplotypes(staged: StagedSlice, calls: Path, include: str) -> Evaluation:
    """Judge every record by ``varcall eval``'s comparator.

    Parameters
    ----------
    include
        bcftools expression of the records that count as calls.
    """
    chosen = calls.with_name(f"{calls.name.removesuffix('.vcf.gz')}.chosen.vcf.gz")
    subprocess.run(["bcftools", "view", "-i", include, "-Oz", "-o", chosen, calls], check=True)
    subprocess.run(["bcftools", "index", "-t", "-f", chosen], check=True)
    return evaluate(
        staged.truth,
        chosen,
        staged.reference,
        confident=staged.confident_bed,
        regions=(staged.slice.region,),
    )


def haplotype_counts(staged: StagedSlice, calls: Path, include: str) -> tuple[Counts, Counts]:
    """Return the counts of SNPs and of indels; `include` as for `match_haplotypes`."""
    counts = match_haplotypes(staged, calls, include).counts
    return _counts(counts["SNP"]), _counts(counts["INDEL"])


def _counts(counts: TypeCounts) -> Counts:
    return Counts(counts.truth_tp, counts.query_fp, counts.truth_fn)
