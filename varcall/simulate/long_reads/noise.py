"""What long-read platforms do to bases and qualities, as learned from real reads."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pileup.codes import N_BASES
from varcall.errors import InputError
from varcall.simulate.noise import PROFILE_DIRECTORY

#: Profiles that ship with the package.
LONG_PROFILES = ("revio", "sequel2", "ont_r10")
#: Classes of stretches of ``WINDOW`` bases by mean quality, 0 the worst.
LOCAL_CLASSES = 5
#: Classes of reads by mean quality, 0 the worst.
LONG_READ_CLASSES = 3
WINDOW = 200
#: Longest homopolymer and longest change of its length that are told apart.
MAX_RUN, MAX_CHANGE = 30, 6
#: Longest homopolymer whose next base has a mismatch rate of its own.
MAX_AFTER = 12
#: Repeated units (2 to 6 bases) and their number that are told apart.
MAX_UNIT, MAX_UNITS = 6, 25
#: Bases of the longest insertion or deletion that is no change of a repeat's length.
MAX_INDEL = 30
#: Gain of the logarithm of the rate of change of a tandem repeat for every unit.
_UNIT_GROWTH = 0.15

Arrays = dict[str, np.ndarray]


class LongNoise(NamedTuple):
    """Noise of one long-read platform; everything on the strand that was read.

    Attributes
    ----------
    read_share
        float64 [r], share of reads of each class by mean quality.
    local_initial, local_steps
        float32 [r, k] and [r, k, k]: cumulative probabilities of the class of a stretch of
        ``WINDOW`` bases: of the first, and after another, by class of the read.
    mismatch_scale, indel_scale
        float64 [k]: error rate of a stretch's class over the mean.
    mismatch
        float64 [4, 4, 4]: mismatch rate by base before, base, base behind.
    after_run
        float64 [``MAX_AFTER`` + 1]: factor on the mismatch rate of a base behind a homopolymer, by
        its length; of a base inside one at 0.
    substitution
        float32 [4, 4, 4]: cumulative probability of the base read, by base before and true base.
    run_change
        float64 [4, ``MAX_RUN`` + 1]: probability that a homopolymer is read with another length.
    run_delta
        float32 [4, ``MAX_RUN`` + 1, 2 ``MAX_CHANGE`` + 1]: cumulative probability of the change,
        -``MAX_CHANGE`` first, given that there is one.
    unit_change
        float64 [``MAX_UNIT`` + 1, ``MAX_UNITS`` + 1]: probability that a tandem repeat of units of
        2 to 6 bases changes its length.
    unit_gain
        float64 [``MAX_UNIT`` + 1]: share of gains among these changes.
    insertion, deletion
        Rate of other insertions and deletions, per base.
    insertion_length, deletion_length
        float32 [``MAX_INDEL`` + 1]: cumulative probability of their lengths.
    quality_steps
        float32 [k, categories, g, g]: cumulative probability of the group of a base's quality
        after that of the base before, by class of the stretch and by what the base is
        (`varcall.simulate.long_reads.kernels.quality_category`).
    quality_values
        float32 [g, 94]: cumulative probability of the quality in a group.
    """

    read_share: np.ndarray
    local_initial: np.ndarray
    local_steps: np.ndarray
    mismatch_scale: np.ndarray
    indel_scale: np.ndarray
    mismatch: np.ndarray
    after_run: np.ndarray
    substitution: np.ndarray
    run_change: np.ndarray
    run_delta: np.ndarray
    unit_change: np.ndarray
    unit_gain: np.ndarray
    insertion: float
    deletion: float
    insertion_length: np.ndarray
    deletion_length: np.ndarray
    quality_steps: np.ndarray
    quality_values: np.ndarray


@lru_cache(maxsize=8)
def load_long_noise(name: str) -> LongNoise:
    """Load a shipped profile by name, or any profile by the path of its .npz.

    Raises
    ------
    InputError
        If there is no such file, or it is no profile of long reads.
    """
    path = Path(name) if name.endswith(".npz") else PROFILE_DIRECTORY / f"{name}.npz"
    if not path.exists():
        raise InputError(
            f"no noise profile {name}: name one of {', '.join(LONG_PROFILES)} or a .npz file"
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key].astype(np.float64) for key in stored.files}
        return _normalise(arrays)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(f"{path} is no noise profile written by learn_long_noise") from error


def _normalise(arrays: Arrays) -> LongNoise:
    change, delta = _run_changes(arrays["runs"])
    unit_change, unit_gain = _unit_changes(arrays["units"])
    right = np.arange(N_BASES)
    counts = arrays["mismatches"]
    errors = counts.sum(-1) - counts[:, right, :, right].transpose(1, 0, 2)
    seen = counts.sum(-1)
    mean = errors.sum() / seen.sum()
    wrong = counts.sum(2) + 0.5
    wrong[:, right, right] = 0.0
    bases = arrays["local_bases"]
    return LongNoise(
        read_share=arrays["reads"] / arrays["reads"].sum(),
        local_initial=_cumulative(arrays["local_initial"] + 0.1),
        local_steps=_cumulative(arrays["local_steps"] + 0.1),
        mismatch_scale=_scale(arrays["local_mismatches"], bases),
        indel_scale=_scale(arrays["local_indels"], bases),
        mismatch=(errors + 20) / (seen + 20 / mean),
        after_run=_after_runs(arrays["after_runs"]),
        substitution=_cumulative(wrong),
        run_change=change,
        run_delta=delta,
        unit_change=unit_change,
        unit_gain=unit_gain,
        insertion=float(arrays["insertions"].sum() / seen.sum()),
        deletion=float(arrays["deletions"].sum() / seen.sum()),
        insertion_length=_cumulative(arrays["insertions"] + 1e-3),
        deletion_length=_cumulative(arrays["deletions"] + 1e-3),
        quality_steps=_cumulative(_smooth_qualities(arrays["qualities"])),
        quality_values=_cumulative(arrays["quality_values"]),
    )


def _after_runs(counts: np.ndarray) -> np.ndarray:
    """Mismatch rate behind homopolymers over the mean; long, rare ones are drawn to the shorter."""
    mean = counts[:, 1].sum() / counts.sum()
    factor = np.ones(len(counts))
    for length, (right, wrong) in enumerate(counts):
        near = factor[length - 1] if length > 1 else 1.0
        factor[length] = (wrong + 5 * near) / ((right + wrong) * mean + 5)
    return factor


def _scale(errors: np.ndarray, bases: np.ndarray) -> np.ndarray:
    """Error rate of each class over the mean; thin classes lean to the mean."""
    mean = errors.sum() / bases.sum()
    return np.asarray((errors + 5) / (bases + 5 / mean) / mean)


def _cumulative(weights: np.ndarray) -> np.ndarray:
    total = np.cumsum(weights, axis=-1)
    out: np.ndarray = (total / total[..., -1:]).astype(np.float32)
    out[..., -1] = 1.0
    return out


def _run_changes(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rates of change and cumulative changes of homopolymers; long, rare runs by extrapolation.

    Parameters
    ----------
    counts
        float64 [4, ``MAX_RUN`` + 1, 2 ``MAX_CHANGE`` + 1]: reads by base, length and change.
    """
    spanning = counts.sum(-1)
    changed = spanning - counts[:, :, MAX_CHANGE]
    counts = counts.copy()
    counts[:, :, MAX_CHANGE] = 0
    pooled = spanning.sum(0)
    pooled_rate = (changed.sum(0) + 1e-6) / (pooled + 1)
    # The logit of the rate is close to linear in the logarithm of the length.
    lengths = np.arange(MAX_RUN + 1)
    known = (changed.sum(0) >= 20) & (lengths >= 3)
    if known.sum() < 2:
        raise ValueError("too few homopolymers")
    logit = np.log(pooled_rate[known] / (1 - pooled_rate[known]))
    slope, offset = np.polyfit(np.log(lengths[known]), logit, 1, w=np.sqrt(changed.sum(0)[known]))
    fit = 1 / (1 + np.exp(-(offset + slope * np.log(np.maximum(lengths, 1)))))
    expected = np.where(pooled >= 400, pooled_rate, np.minimum(fit, 0.9))
    prior = 60.0
    rate = (changed + prior * expected) / (spanning + prior)
    shape = counts.sum(0) + 0.02
    # Lengths borrow the shape of changes from their neighbours.
    near = np.abs(lengths[:, None] - lengths[None, :]) <= np.maximum(1, lengths // 6)[:, None]
    shape = near @ shape
    shape /= shape.sum(-1, keepdims=True)
    delta = counts + 30.0 * shape
    delta[:, :, MAX_CHANGE] = 0.0
    for length in range(MAX_CHANGE):
        delta[:, length, : MAX_CHANGE - length] = 0.0  # a run loses no more than it has
    return np.minimum(rate, 0.9), _cumulative(delta)


def _unit_changes(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rates of change of tandem repeats by unit and units, and the share of gains by unit.

    Parameters
    ----------
    counts
        float64 [``MAX_UNIT`` + 1, ``MAX_UNITS`` + 1, 3]: reads that lost, kept, gained units.
    """
    spanning = counts.sum(-1)
    changed = spanning - counts[..., 1]
    # Each unit more makes a change likelier by one factor; how likely, is measured by unit.
    growth = np.exp(_UNIT_GROWTH * np.arange(MAX_UNITS + 1))
    hits, weight = changed.sum(1), spanning @ growth
    pooled = (hits.sum() + 0.5) / (weight.sum() + 500)
    level = (hits + 1) / (weight + 1 / pooled)
    expected = np.minimum(level[:, None] * growth, 0.5)
    prior = 300.0
    change = np.minimum((changed + prior * expected) / (spanning + prior), 0.6)
    gained, all_changes = counts[..., 2].sum(1), changed.sum(1)
    return change, (gained + 2) / (all_changes + 4)


def _smooth_qualities(counts: np.ndarray) -> np.ndarray:
    """Thin cells borrow: from the category in its class, then from it in all classes.

    The quality of a wrong base follows from what is wrong, not from the base before.
    """
    counts = counts.copy()
    wrong = counts.shape[1] - 2  # the category of wrong bases, see `quality_category`
    counts[:, wrong] = counts[:, wrong].sum(axis=1, keepdims=True)
    by_category = counts.sum(axis=(0, 2))[None, :, None, :] + 0.01
    everywhere = by_category / by_category.sum(-1, keepdims=True)
    steps = counts.sum(axis=0, keepdims=True) + 5.0 * everywhere
    steps /= steps.sum(-1, keepdims=True)
    in_class = counts.sum(axis=2, keepdims=True) + 10.0 * everywhere
    in_class /= in_class.sum(-1, keepdims=True)
    return np.asarray(counts + 4.0 * steps + 4.0 * in_class)
