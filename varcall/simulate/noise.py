"""Noise profiles: base qualities and substitution errors as learned from real reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pileup.codes import N_BASES, UNKNOWN_BASE, A, C, G, T
from varcall.errors import InputError

#: Cycle bins of the quality Markov chain, relative to the read's length.
CYCLE_BINS = 10
#: Read-quality classes (0 = worst 6 % of the reads of that mate).
READ_CLASSES = 4
PROFILE_DIRECTORY = Path(__file__).parent / "profiles"
#: Profiles that ship with the package.
SHIPPED_PROFILES = ("novaseq", "genome_analyzer", "genome_analyzer_raw")

_CODE = np.full(256, UNKNOWN_BASE, dtype=np.uint8)
for _i, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"Tt")):
    for _letter in _letters:
        _CODE[_letter] = _i
LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
#: The complement of each base code.
COMPLEMENT = np.array([T, G, C, A, UNKNOWN_BASE], dtype=np.uint8)
_COMPLEMENTARY = str.maketrans("ACGTN", "TGCAN")


def base_codes(sequence: bytes) -> np.ndarray:
    """Codes (uint8: A 0, C 1, G 2, T 3, other 4) of a sequence."""
    return _CODE[np.frombuffer(sequence, dtype=np.uint8)]


def reverse_complement(sequence: str) -> str:
    """The other strand of a sequence of A, C, G, T and N."""
    return sequence[::-1].translate(_COMPLEMENTARY)


def base_text(codes: np.ndarray) -> str:
    """The sequence that ``codes`` stands for."""
    text: str = LETTERS[codes].tobytes().decode()
    return text


@dataclass(frozen=True, slots=True)
class NoiseProfile:
    """What one sequencing platform does to qualities and bases.

    Attributes
    ----------
    levels
        uint8 [k]: base qualities in use, ascending.
    initial
        float32 [2, classes, k]: cumulative probability of the first cycle's level, by mate.
    steps
        float32 [2, classes, bins, k, k]: cumulative transition probabilities, by mate.
    class_pairs
        float64 [classes, classes]: probability of the classes of a fragment's two mates.
    level_error
        float64 [k]: measured substitution error rate of each level.
    context
        float32 [4, 4, 4]: error rate after two previous bases (machine order) over the mean.
    substitution
        float32 [4, 4, 4]: cumulative probability of the base read, by previous and true base.
    """

    levels: np.ndarray
    initial: np.ndarray
    steps: np.ndarray
    class_pairs: np.ndarray
    level_error: np.ndarray
    context: np.ndarray
    substitution: np.ndarray


@lru_cache(maxsize=8)
def load_profile(name: str) -> NoiseProfile:
    """Load a shipped profile by name, or any profile by the path of its .npz.

    Raises
    ------
    InputError
        If there is no such file, or it is not a noise profile.
    """
    path = Path(name) if name.endswith(".npz") else PROFILE_DIRECTORY / f"{name}.npz"
    if not path.exists():
        raise InputError(
            f"no noise profile {name}: name one of {', '.join(SHIPPED_PROFILES)} or a .npz file"
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        return _normalise(arrays)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(f"{path} is not a noise profile written by learn_noise") from error


def _normalise(arrays: dict[str, np.ndarray]) -> NoiseProfile:
    steps = arrays["steps"].astype(np.float64)
    # Thin cells borrow from the same mate over all classes and neighbouring cycles.
    pooled = steps.sum(axis=(1, 2), keepdims=True) + np.eye(steps.shape[-1]) * 0.5
    steps += 4.0 * pooled / pooled.sum(axis=-1, keepdims=True)
    initial = arrays["initial"].astype(np.float64) + 1e-3
    pairs = arrays["class_pairs"].astype(np.float64)
    context = arrays["context"].astype(np.float64)
    bases = context.sum(axis=-1)
    true_base = np.arange(N_BASES)
    right = context[:, :, true_base, true_base]
    rate = (bases - right + 20 * (bases - right).sum() / bases.sum()) / (bases + 20)
    wrong = context.sum(axis=0) + 1.0
    wrong[:, true_base, true_base] = 0.0
    return NoiseProfile(
        levels=arrays["levels"],
        initial=_cumulative(initial),
        steps=_cumulative(steps),
        class_pairs=pairs / pairs.sum(),
        level_error=_smooth_errors(arrays),
        context=(rate / np.average(rate, weights=bases)).astype(np.float32),
        substitution=_cumulative(wrong),
    )


def _cumulative(weights: np.ndarray) -> np.ndarray:
    total = np.cumsum(weights, axis=-1)
    out: np.ndarray = (total / total[..., -1:]).astype(np.float32)
    out[..., -1] = 1.0
    return out


def _smooth_errors(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Error rate by level: measured, drawn to a log-linear fit where few errors were seen."""
    levels = arrays["levels"].astype(np.float64)
    bases = arrays["level_bases"].astype(np.float64)
    errors = arrays["level_errors"].astype(np.float64)
    seen = errors >= 5
    if seen.sum() >= 2:
        slope, offset = np.polyfit(
            levels[seen], np.log10(errors[seen] / bases[seen]), 1, w=np.sqrt(errors[seen])
        )
        fit = 10.0 ** np.clip(offset + slope * levels, -4.5, -0.3)
    else:
        fit = 10.0 ** (-levels / 10.0)
    prior = 30.0
    return np.asarray((errors + prior) / (bases + prior / fit))
