"""Twin of kernels.candidates.lengths: what spanning reads say of a repeat's length."""

from collections.abc import Sequence
from math import log

from pileup.codes import NOT_SPANNING
from pileup.twins.alignment import Stretch
from pileup.twins.tally import Question

_STEP = 0.2


def changes(question: Question) -> tuple[int, int]:
    """Return the length change of the first and of the last asked ALT."""
    alts = [question.site.alts[number - 1] for number in question.asked]
    return alts[0].change, alts[-1].change


def unit_length(bases: Sequence[int]) -> int:
    """Return the length of the shortest sequence that repeats to give `bases`."""
    return next(
        period
        for period in range(1, len(bases) + 1)
        if tuple(bases[:period]) * (len(bases) // period) == tuple(bases)
    )


def unit(question: Question, reference: Stretch) -> int:
    """Return the repeat unit of the first asked indel; 0 of a substitution."""
    if not question.site.is_indel:
        return 0
    alt, first = question.site.alts[question.asked[0] - 1], question.site.start + 1
    return unit_length(alt.bases or reference.bases(first, first + alt.deleted))


def stutter_probability(delta: int, allele: int, unit_size: int, slip: float) -> float:
    """Return P(length change of a read | that of its allele)."""
    distance = abs(delta - allele)
    if not distance:
        return 1 - slip
    steps = -(-distance // unit_size)
    whole = 1.0 if distance % unit_size == 0 else 0.1
    return max(whole * slip / 2 * (1 - _STEP) * _STEP ** (steps - 1), 1e-5)


def spanning(question: Question) -> list[int]:
    """Return the length changes that the spanning reads show."""
    return [w.delta for w in question.witnesses if w.delta != NOT_SPANNING]


def spans(question: Question, unit_size: int) -> tuple[int, int, int, int]:
    """Return how many reads span, show REF's length, a putative one, one a unit off that."""
    asked = set(changes(question))
    shown = spanning(question) if unit_size else []
    off = {change + step for change in asked for step in (-unit_size, unit_size)}
    # Two putative alleles three units apart: what is nearer to one decides.
    off = {value for value in off if min(abs(value - change) for change in asked) == unit_size}
    return (
        len(shown),
        sum(delta == 0 and delta not in asked for delta in shown),
        sum(delta in asked for delta in shown),
        sum(delta in off - asked - {0} for delta in shown),
    )


def log_likelihoods(question: Question, unit_size: int, slip: float) -> tuple[float, float, float]:
    """Return log P(lengths | 0, 1, 2 copies of the asked alleles), the rest being REF."""
    zero = one = two = 0.0
    for delta in spanning(question) if unit_size else []:
        ref, first, second = (
            stutter_probability(delta, allele, unit_size, slip)
            for allele in (0, *changes(question))
        )
        zero += log(ref)
        one += log(ref / 2 + max(first, second) / 2)
        two += log(first / 2 + second / 2)
    return zero, one, two
