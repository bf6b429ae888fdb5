"""How likely the counts of a candidate are under 0, 1 and 2 copies: the anchor of every answer.

Nothing here is learned. A fragment counts by how far its base quality, as measured in this library,
and its mapping quality are to be trusted; the number that show the alleles asked about is
beta-binomial, since the fragments of one place err together. So ever more reads make an answer
surer, but only as far as their share says, and never as far as independent errors would.
"""

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import QuestionArrays, ReadArrays, ReferenceArrays, ShownArrays, SiteArrays
from pileup.codes import PUTATIVE, REF_LEVEL
from pileup.kernels.candidates import copies, lengths
from varcall.evidence.tallies import Tallies, share
from varcall.reads.library_profile import LibraryProfile

Values = NDArray[np.float64]

LOWEST = -80.0
"""Of the log likelihoods, against the highest of their row: 347 phred say enough."""

_STEP = 1e-3
"""They are rounded to it, as CPUs differ in the last bits."""

# Concentrations of the beta distributions. With 50 the errors of a place vary about their mean so
# that 3 in 20 fragments come one time in a thousand, as they do at candidates of real libraries;
# the share of a het's alleles varies less, by mapping and capture; both more in repeats.
_ERROR_CONCENTRATION, _HET_CONCENTRATION = 50.0, 80.0
_REPEAT_ERROR_CONCENTRATION, _REPEAT_HET_CONCENTRATION = 30.0, 50.0
# A third of an SNV's errors give the base asked about.
_SPURIOUS_SHARE = 1 / 3
_LEAST_ERROR, _MOST_ERROR = 0.001, 0.3
# Reads of an indel are clipped or left unmapped more often than REF's.
_INDEL_HET_SHARE = 0.48
# Stated qualities promise more than real bases keep; no witness is trusted further than this.
MIN_BASE_ERROR = 0.002
_MIN_INDEL_ERROR = 0.004
_MAX_SLIPPAGE = 0.6
_LONGEST_UNIT = 6  # of short tandem repeats
# Of the slippage of runs of 6 to 8: shorter ones slip less, but those of an ONT library do too.
_SHORT_RUN_SLIPPAGE = 0.25


def expected_slippage(
    profile: LibraryProfile, repeat_length: NDArray[np.int64], unit: NDArray[np.int64]
) -> Values:
    """Return the share of reads expected to slip at each repeat, float64 [q].

    The profile knows runs of 6-8, 9-11, 12-14 and 15-20; a repeat of units of 2 to 6 bases slips
    like a homopolymer of half its length. What is no repeat, or one of longer units, slips like the
    shortest run. Where `unit` is 0 (a substitution) it is the base error.
    """
    is_repeat = in_repeat(repeat_length, unit)
    run = np.where(unit == 1, repeat_length, np.where(is_repeat, repeat_length // 2, 0))
    short = max(_MIN_INDEL_ERROR, _SHORT_RUN_SLIPPAGE * profile.slippage[0])
    by_bin = np.array([short, *profile.slippage])
    slip = by_bin[np.searchsorted([6, 9, 12, 15], run, side="right")]
    slip = slip * (1 + 0.1 * np.maximum(0, run - 17))
    slip = np.clip(slip, _MIN_INDEL_ERROR, _MAX_SLIPPAGE)
    return np.where(unit == 0, MIN_BASE_ERROR, slip)


def in_repeat(repeat_length: NDArray[np.int64], unit: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell where an indel adds or takes units of a short tandem repeat, bool [q]."""
    return (unit > 0) & (unit <= _LONGEST_UNIT) & (repeat_length >= 2 * unit)


class AskedAlleles:
    """What the alleles of q questions do to the length of the reference.

    Attributes
    ----------
    alts, delta
        int64 [q, 2], the first and last ALT asked about among all ALTs, and their length change.
    unit
        int64 [q], repeat unit of an indel; 0 for a substitution.
    repeat_length
        int64 [q], length of the repeat that an indel can be shifted along.
    slip
        float64 [q], `expected_slippage` there.
    foreign
        Share of the fragments that lack an allele of both haplotypes, `LibraryProfile.ref_at_hom`;
        what a library without foreign reads has of it is its errors.
    """

    def __init__(
        self,
        questions: QuestionArrays,
        reference: ReferenceArrays,
        sites: SiteArrays,
        profile: LibraryProfile,
    ) -> None:
        n, site = len(questions.site), questions.site
        self.alts, self.delta = np.zeros((n, 2), np.int64), np.zeros((n, 2), np.int64)
        self.unit = np.zeros(n, np.int64)
        lengths.describe_alleles(questions, reference, sites, self.alts, self.delta, self.unit)
        self.repeat_length = np.where(
            self.unit > 0, sites.repeat_end[site] - sites.start[site] - 1, 0
        )
        self.slip = expected_slippage(profile, self.repeat_length, self.unit)
        self.foreign = profile.ref_at_hom


def weigh_witnesses(
    questions: QuestionArrays,
    reads: ReadArrays,
    sites: SiteArrays,
    shown: ShownArrays,
    profile: LibraryProfile,
) -> Values:
    """Return float64 [q, 3]: weight of the putative fragments, of all, and weight times error."""
    weighed = np.zeros((len(questions.site), copies.N_WEIGHED))
    errors = profile.error_by_quality()
    copies.weigh_witnesses(questions, reads, sites, shown, errors, weighed)
    return weighed


def stacks_once(weighed: Values, tallies: Tallies) -> Values:
    """Return weights in which a stack of fragments counts as one witness, float64 [q, 3].

    Fragments that start, or end, at one base are often copies of one molecule, made by PCR before
    sequencing and not marked, or of one stretch that lies elsewhere: what one shows wrongly, all
    do. They are told from those of amplicons, where both alleles start at the primer, by the
    other allele: of n fragments that show an allele, those by which its stack share exceeds that of
    the others count as one. An allele without two fragments on the other side keeps its weight.

    Parameters
    ----------
    weighed
        Of `weigh_witnesses`.
    tallies
        Of the same questions.
    """
    kept = [
        1.0
        - np.maximum(0.0, tallies.stack_share(level) - tallies.stack_share(other, 1.0))
        * (1.0 - 1.0 / np.maximum(1.0, tallies.count(level)))
        for level, other in ((PUTATIVE, REF_LEVEL), (REF_LEVEL, PUTATIVE))
    ]
    putative = kept[0] * weighed[:, copies.PUTATIVE_WEIGHT]
    total = putative + kept[1] * (weighed[:, copies.WEIGHT] - weighed[:, copies.PUTATIVE_WEIGHT])
    shrunk = np.empty_like(weighed)
    shrunk[:, copies.PUTATIVE_WEIGHT], shrunk[:, copies.WEIGHT] = putative, total
    # Those that count less are as often wrong as the others.
    shrunk[:, copies.ERROR] = total * share(weighed[:, copies.ERROR], weighed[:, copies.WEIGHT])
    return shrunk


def trusted_weight(error: Values) -> Values:
    """Return what fragments that are wrong so often count for, as `weigh_witnesses` does."""
    return np.maximum(0.0, 1.0 - error / copies.USELESS_ERROR)


def copy_parameters(
    spurious: Values, lost: Values, is_indel: NDArray[np.bool_], is_repeat: NDArray[np.bool_]
) -> tuple[Values, Values]:
    """Return means and concentrations, float64 [q, 3], of the beta distributions of 0, 1, 2 copies.

    Parameters
    ----------
    spurious, lost
        float64 [q], share of the fragments without the allele that show it, and of those with it
        that do not.
    is_indel, is_repeat
        bool [q].
    """
    spurious, lost = (np.clip(p, _LEAST_ERROR, _MOST_ERROR) for p in (spurious, lost))
    het = np.where(is_indel, _INDEL_HET_SHARE, 0.5)
    mean = np.stack([spurious, het * (1 - lost) + (1 - het) * spurious, 1 - lost], axis=1)
    concentration = np.where(
        is_repeat[:, None],
        (_REPEAT_ERROR_CONCENTRATION, _REPEAT_HET_CONCENTRATION, _REPEAT_ERROR_CONCENTRATION),
        (_ERROR_CONCENTRATION, _HET_CONCENTRATION, _ERROR_CONCENTRATION),
    )
    return mean, concentration


def copy_likelihoods(weighed: Values, alleles: AskedAlleles) -> NDArray[np.float32]:
    """Return the natural log likelihoods of 0, 1 and 2 copies, float32 [q, 3].

    The highest of each row is 0, none is below `LOWEST`; without informative reads all are 0.

    Parameters
    ----------
    weighed
        Of `weigh_witnesses` or `stacks_once`.
    """
    n = len(weighed)
    slipped = np.zeros(n)
    copies.slipped_share(alleles.delta, alleles.unit, alleles.slip, slipped)
    error = weighed[:, copies.ERROR] / np.maximum(weighed[:, copies.WEIGHT], 1e-9)
    is_indel = alleles.unit > 0
    spurious = np.where(is_indel, slipped + error, _SPURIOUS_SHARE * error)
    lost = np.where(is_indel, alleles.slip + error, error) + alleles.foreign
    is_repeat = in_repeat(alleles.repeat_length, alleles.unit)
    mean, concentration = copy_parameters(spurious, lost, is_indel, is_repeat)
    likelihood = np.zeros((n, 3))
    copies.copy_likelihoods(weighed, mean, concentration, likelihood)
    likelihood -= likelihood.max(axis=1, keepdims=True)
    rounded = np.rint(np.maximum(likelihood, LOWEST) / _STEP) * _STEP
    # No -0.0, so that equal rows have equal bytes.
    return np.asarray(rounded + 0.0, np.float32)
