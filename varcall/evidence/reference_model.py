"""How sure it is that a base is as in the reference: for every base, a candidate or not.

The likelihood is the one of `varcall.evidence.likelihood`, with the library's own errors: of the
fragments over a base, those that show another allele are beta-binomial, about the library's error
if there is no copy of it, about a half if there is one, about all if there are two. What is asked
is whether there is any other allele: another base, or an indel right after this one, whichever the
fragments speak against least. An indel in a short tandem repeat is seen by the fragments that reach
beyond the repeat only, and slips as often as such repeats do in this library.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import CoverArrays
from pileup.codes import UNKNOWN_BASE
from pileup.kernels.candidates.copies import ERROR_BY_MAPQ
from pileup.kernels.candidates.scan import MAX_SHIFT
from pileup.kernels.hom_ref.confidence import (
    LONGEST_UNIT,
    UNIT,
    mark_repeats,
    rate_bases,
    rate_counts,
)
from pileup.kernels.hom_ref.cover import cover_reads
from varcall.evidence.likelihood import (
    MIN_BASE_ERROR,
    Values,
    copy_parameters,
    expected_slippage,
    trusted_weight,
)
from varcall.evidence.window import Evidence
from varcall.reads.library_profile import LibraryProfile

# Of more fragments the shares count only: these are surer than any PL can say.
_MOST_FRAGMENTS = 511
_LONGEST_RUN = 40  # slippage grows to its limit by then
# Reference beyond the last base that a repeat may reach over.
_BEYOND = MAX_SHIFT + LONGEST_UNIT


@dataclass(frozen=True, slots=True)
class HomRefEvidence:
    """What the reads say of n bases in a row, each as if the reference were right there.

    Attributes
    ----------
    start
        0-based position of the first base.
    codes
        uint8 [n], the reference (4 is N).
    fragments, unlike
        int32 [2, n], as `CoverArrays` has them.
    pl
        int32 [n, 2], phred of one copy and of two of any other allele, against none; below 0 where
        the reads speak for it. 0 without fragments and at N.
    depth_factors
        float64 [n] or one for all, how many fragments each stands for: the cap on the depth left
        out the others.
    """

    start: int
    codes: NDArray[np.uint8]
    fragments: NDArray[np.int32]
    unlike: NDArray[np.int32]
    pl: NDArray[np.int32]
    depth_factors: Values | float = 1.0

    @classmethod
    def without_reads(cls, start: int, codes: NDArray[np.uint8]) -> "HomRefEvidence":
        """Return what is known of bases, uint8 [n], where no read lies."""
        n = len(codes)
        nothing = np.zeros((2, n), np.int32)
        return cls(start, codes, nothing, nothing, np.zeros((n, 2), np.int32))

    @property
    def covering(self) -> NDArray[np.int32]:
        """Forward and reverse fragments that lie at each base, int32 [2, n]."""
        return _scaled(self.fragments, self.depth_factors)

    @property
    def matching(self) -> NDArray[np.int32]:
        """Those that show REF with a good base, int32 [2, n]; 0 at N."""
        # An N that a read shows is no base that is as in the reference.
        alike = np.where(self.codes < UNKNOWN_BASE, self.fragments - self.unlike, 0)
        return _scaled(alike, self.depth_factors)

    @property
    def depth(self) -> NDArray[np.int32]:
        """Fragments of both strands, int32 [n]."""
        forward, reverse = self.covering
        return np.asarray(forward + reverse)

    def confidence(self, ploidy: int) -> NDArray[np.int32]:
        """PL of the likeliest genotype but the reference's, int32 [n], as if all had one ploidy."""
        one, two = self.pl.T
        return np.asarray(two if ploidy == 1 else np.minimum(one, two))


class ReferenceModel:
    """The likelihoods of one library's bases.

    Parameters
    ----------
    profile
        The library.
    """

    def __init__(self, profile: LibraryProfile) -> None:
        self._by_mapq = _weights(ERROR_BY_MAPQ)
        self._by_quality = _weights(profile.error_by_quality())
        runs = np.arange(_LONGEST_RUN + 1)
        slips = expected_slippage(profile, runs, np.ones(len(runs), np.int64))
        levels, self._table_of_run = np.unique(slips, return_inverse=True)
        self._table_of_run += 1
        base_error = np.array([max(MIN_BASE_ERROR, profile.error_rate)])
        substitution = copy_parameters(base_error, base_error, np.array([False]), np.array([False]))
        is_repeat = np.ones(len(levels), np.bool_)
        indels = copy_parameters(levels, levels, is_repeat, is_repeat)
        means, concentrations = map(np.concatenate, zip(substitution, indels, strict=True))
        self._tables = _terms(means, concentrations)

    def rate_bases(
        self, evidence: Evidence, start: int, end: int, depth_factors: Values | float = 1.0
    ) -> HomRefEvidence:
        """Rate every base of [start, end), 0-based half-open.

        Parameters
        ----------
        evidence
            Its reads are all that overlap the span and some 400 bases more.
        depth_factors
            float64 [end - start] or one for all, `ReadBatch.depth_factors` there.
        """
        reference = evidence.scan.reference
        n = end - start + _BEYOND
        codes = _stretch(reference.codes, start - reference.start, n + LONGEST_UNIT)
        n = min(n, reference.start + len(reference.codes) - start)
        cover = self._cover(evidence, start, n)
        repeat = np.zeros((2, n), np.int32)
        mark_repeats(codes, repeat)
        pl = np.zeros((end - start, 2), np.int32)
        rate_bases(cover, codes, repeat, self._tables, self._table_of_run, pl)
        own = slice(0, end - start)
        fragments, unlike = cover.fragments[:, own], cover.unlike[:, own]
        return HomRefEvidence(start, codes[own], fragments, unlike, pl, depth_factors)

    def _cover(self, evidence: Evidence, start: int, n: int) -> CoverArrays:
        scan = evidence.scan
        cover = CoverArrays(
            fragments=np.zeros((2, n), np.int32),
            unlike=np.zeros((2, n), np.int32),
            begun=np.zeros(n, np.int64),
            ended=np.zeros(n, np.int64),
            lost=np.zeros(n, np.int32),
            other=np.zeros(n, np.int32),
            indels=np.zeros(n, np.int32),
        )
        weights = self._by_mapq, self._by_quality
        cover_reads(evidence.reads, scan.events, scan.unlike, start, *weights, cover)
        return cover

    def rate_counts(
        self, n: NDArray[np.int64], k: NDArray[np.int64], run: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """Return int32 [m, 2] as `HomRefEvidence.pl`: of k fragments among n that show it.

        Parameters
        ----------
        n, k
            int64 [m].
        run
            int64 [m], length of the homopolymer that an indel slips in; -1 for another base.
        """
        pl = np.zeros((len(n), 2), np.int32)
        table = np.where(run < 0, 0, self._table_of_run[np.clip(run, 0, _LONGEST_RUN)])
        rate_counts(self._tables, table, n, k, pl)
        return pl


def _stretch(codes: NDArray[np.uint8], first: int, n: int) -> NDArray[np.uint8]:
    """Return n codes from an index on, N where there are none."""
    found = codes[first : first + n]
    return np.concatenate([found, np.full(n - len(found), 4, np.uint8)])


def _scaled(counts: NDArray[np.int32], factors: Values | float) -> NDArray[np.int32]:
    if isinstance(factors, float):  # the cap left none out
        return counts
    return np.rint(factors * counts).astype(np.int32)


def _weights(errors: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(UNIT * trusted_weight(errors)).astype(np.int32)


def _terms(mean: Values, concentration: Values) -> NDArray[np.int32]:
    """Return the terms of beta-binomials of up to _MOST_FRAGMENTS, thousandths of phred.

    Those of k fragments that show the allele, of those that do not, and of all of them: int32
    [..., 3, _MOST_FRAGMENTS + 1].
    """
    a = mean * concentration
    first = np.stack([a, concentration - a, concentration], axis=-1)
    # One more fragment multiplies by what there is already; `lgamma` of each would take 0.1 s.
    factors = first[..., np.newaxis] + np.arange(_MOST_FRAGMENTS)
    terms = np.zeros((*first.shape, _MOST_FRAGMENTS + 1))
    np.cumsum(np.log10(factors), axis=-1, out=terms[..., 1:])
    return np.asarray(np.rint(10_000 * terms), np.int32)
