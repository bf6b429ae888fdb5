"""Records of a gVCF: those of the VCF, with an allele that stands for all that were not called.

What a joint caller asks of a sample about an allele that other samples have.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from varcall.evidence.reference_model import ReferenceModel
from varcall.genotyping.genotype import MAX_PL
from varcall.output.record import VariantRecord


def with_unseen(
    records: Sequence[VariantRecord],
    shown: NDArray[np.int64],
    runs: NDArray[np.int64],
    model: ReferenceModel,
    allele: str,
) -> list[VariantRecord]:
    """Add the unseen allele to r records.

    Its AD are the fragments that show an allele of the site which the record does not have. PL of
    a genotype with one copy of it and one of another allele is that of two of the other, and what
    one copy costs by the counts; of two copies, what these cost. So PL of a record where nothing is
    seen is what a reference block there would have.

    Parameters
    ----------
    shown
        int64 [2, r], forward and reverse fragments that show any allele.
    runs
        int64 [r], as `ReferenceModel.rate_counts` takes them.
    allele
        How it is spelled.
    """
    own = np.array([[sum(r.adf) for r in records], [sum(r.adr) for r in records]])
    others = np.maximum(0, shown - own)
    total = np.array([sum(record.ad) for record in records])
    likelihoods = model.rate_counts(total + others.sum(axis=0), others.sum(axis=0), runs)
    return [
        _extended(record, other[0], other[1], pl[0], pl[1], allele)
        for record, other, pl in zip(records, others.T.tolist(), likelihoods.tolist(), strict=True)
    ]


def _extended(
    record: VariantRecord, forward: int, reverse: int, one: int, two: int, allele: str
) -> VariantRecord:
    n_alleles = len(record.ad)
    if len(record.gt) == 1:
        more = [two]
    else:
        homozygous = [record.pl[allele * (allele + 3) // 2] for allele in range(n_alleles)]
        more = [pl + one for pl in homozygous] + [two]
    more = [min(max(pl, 0), MAX_PL) for pl in more]
    gl = record.gl
    if gl is not None:
        called = max(gl)
        gl = (*gl, *(called - pl / 10 for pl in more))
    return record._replace(
        alts=(*record.alts, allele),
        ad=(*record.ad, forward + reverse),
        adf=(*record.adf, forward),
        adr=(*record.adr, reverse),
        pl=(*record.pl, *more),
        gl=gl,
    )
