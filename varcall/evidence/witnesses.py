"""Fragments that show each allele of the sites, with those that the depth cap left out."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.candidates.count import count_alleles
from varcall.evidence.observations import count_covering, count_others
from varcall.evidence.window import Evidence
from varcall.reads.batch import ReadBatch


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Fragments that show the alleles of the sites of a window.

    `forward`, `reverse` and `both` hold REF and ALTs of each site, one site after another, as in
    `count_alleles`; `covering` is of `count_covering`. Those that were kept stand for those that
    the depth cap left out.
    """

    both: tuple[int, ...]
    forward: tuple[int, ...]
    reverse: tuple[int, ...]
    covering: tuple[int, ...]

    @classmethod
    def of(cls, batch: ReadBatch, evidence: Evidence) -> Self:
        """Count the fragments of a window."""
        factor = _depth_factors(batch, evidence)
        counts = _of_alleles(evidence, factor)
        covering = count_covering(evidence.reads, evidence.sites, evidence.observations)
        columns = (counts.sum(axis=0), *counts, _scaled(covering, factor))
        return cls(*(tuple(column.tolist()) for column in columns))


def count_shown(batch: ReadBatch, evidence: Evidence) -> NDArray[np.int64]:
    """Count the fragments that show any allele of each site, known or not: int64 [2, m].

    The first row counts those on the forward strand. Each allele's are rounded as `Witnesses` are,
    so that the sums are those of the records.
    """
    sites = evidence.sites
    factor = _depth_factors(batch, evidence)
    firsts = sites.alt_offset[:-1] + np.arange(len(sites.start))
    others = count_others(evidence.reads, sites, evidence.observations)
    alleles = np.add.reduceat(_of_alleles(evidence, factor), firsts, axis=1)
    return np.asarray(alleles + _scaled(others, factor))


def _of_alleles(evidence: Evidence, factor: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count the fragments of each strand that show each allele: int64 [2, m + alts]."""
    counts = count_alleles(evidence.reads, evidence.sites, evidence.observations)
    return _scaled(counts, np.repeat(factor, np.diff(evidence.sites.alt_offset) + 1))


def _depth_factors(batch: ReadBatch, evidence: Evidence) -> NDArray[np.float64]:
    return np.array([batch.depth_factor(start) for start in evidence.sites.start.tolist()])


def _scaled(counts: NDArray[np.integer], factor: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(factor * counts).astype(np.int64)
