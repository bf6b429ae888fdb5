"""Twin of kernels.candidates.copies: what counts and qualities say of 0, 1 and 2 copies."""

from collections.abc import Sequence
from math import lgamma

from pileup.codes import OTHER, UNINFORMATIVE
from pileup.sam import UNKNOWN_MAPQ
from pileup.twins import lengths
from pileup.twins.tally import Question, Witness


def error(question: Question, witness: Witness, error_by_quality: Sequence[float]) -> float:
    """Return how often such a fragment is wrong."""
    mapq = witness.read.mapq
    mapped_wrongly = 0.0 if mapq == UNKNOWN_MAPQ else 10 ** (-mapq / 10)
    is_deleted = witness.allele == OTHER and witness.quality == 0
    if question.site.is_indel or is_deleted:
        return mapped_wrongly
    return max(mapped_wrongly, error_by_quality[witness.quality])


def weigh(question: Question, error_by_quality: Sequence[float]) -> tuple[float, float, float]:
    """Return the weight of the putative fragments, of all, and the sum of weight times error."""
    putative = total = errors = 0.0
    for witness in question.witnesses:
        if witness.allele == UNINFORMATIVE:
            continue
        wrong = error(question, witness, error_by_quality)
        weight = max(0.0, 1 - 4 * wrong)
        total += weight
        errors += weight * wrong
        putative += weight * (witness.allele in question.asked)
    return putative, total, errors


def slipped_share(question: Question, unit: int, slip: float) -> float:
    """Return the share of REF's reads that slip to an allele asked about."""
    if unit == 0:
        return 0.0
    changes = set(lengths.changes(question))
    return sum(lengths.stutter_probability(change or unit, 0, unit, slip) for change in changes)


def log_beta(a: float, b: float) -> float:
    """Return the logarithm of the beta function."""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def log_likelihood(putative: float, total: float, mean: float, concentration: float) -> float:
    """Return the beta-binomial log likelihood without its binomial coefficient."""
    a, b = mean * concentration, (1 - mean) * concentration
    return log_beta(putative + a, total - putative + b) - log_beta(a, b)
