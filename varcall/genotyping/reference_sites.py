"""Records of single bases that are as in the reference, for `--all-sites`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.hom_ref.runs import MAX_GQ
from varcall.evidence.reference_model import HomRefEvidence
from varcall.genotyping.blocks import Span, covered
from varcall.inputs.regions import Region
from varcall.output.all_sites import NO_ALT
from varcall.output.record import vcf_pos

_GENOTYPES = {1: (".", "0"), 2: ("./.", "0/0")}
"""Uncalled and called, by ploidy."""


def reference_lines(
    window: Region,
    rated: HomRefEvidence,
    variants: Sequence[Span],
    ploidy: NDArray[np.int8],
) -> list[str]:
    """Return the VCF lines of the bases of a window that belong to no variant.

    GQ is that of a reference block of this one base. PL has one value, as there is one genotype.

    Parameters
    ----------
    rated
        The bases of the window, and no others.
    variants
        Spans of the records of the window.
    ploidy
        int8 [n], 1 or 2.
    """
    confidence = np.where(ploidy == 1, rated.confidence(1), rated.confidence(2))
    columns = (
        np.flatnonzero(~covered(variants, window.start, len(window))),
        rated.codes,
        ploidy,
        np.clip(confidence, 0, MAX_GQ),
        rated.depth,
        rated.matching.sum(axis=0),
    )
    at, *values = columns
    rows = zip(at.tolist(), *(value[at].tolist() for value in values), strict=True)
    return [
        f"{window.contig}\t{vcf_pos(window.start + index)}\t.\t{'ACGTN'[code]}\t{NO_ALT}\t.\t.\t."
        f"\tGT:GQ:DP:AD:PL\t{_GENOTYPES[copies][gq > 0]}:{gq}:{dp}:{ad}:0\n"
        for index, code, copies, gq, dp, ad in rows
    ]
