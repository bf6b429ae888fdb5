"""Library configurations: what differs from one sequencing run to the next, drawn at random."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from varcall.simulate.noise import SHIPPED_PROFILES

#: Slippage of a 12-base homopolymer run: range of the share of fragments off, by library kind.
#: PCR-free and PCR-amplified ends as reported for public 2x150 genomes; log-uniform inside.
SLIPPAGE_AT_12 = {"pcr_free": (0.001, 0.025), "moderate": (0.02, 0.06), "pcr": (0.05, 0.15)}
#: Gain of the logit of slippage for every base beyond ten: range by library kind. Three PCR-free
#: NovaSeq genomes show 2 % at 12 bases, 4 % at 16 and 7 % at 20.
SLIPPAGE_SLOPE = {"pcr_free": (0.12, 0.25), "moderate": (0.15, 0.3), "pcr": (0.22, 0.33)}
#: Quality alphabets of platforms: (upper bounds of the bins, quality reported).
QUALITY_BINS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "eight": ((9, 19, 24, 29, 34, 39), (6, 15, 22, 27, 33, 37, 40)),
    "hiseq_x": ((8, 16, 24, 29, 34, 38), (2, 12, 22, 27, 32, 37, 42)),
    "four": ((5, 15, 28), (2, 12, 23, 37)),
    "three": ((9, 30), (9, 24, 40)),
}
#: Qualities that replace the four bins of the NovaSeq profile (its levels 2-6, 10, 20, 30).
FOUR_BIN_SETS = ((6, 10, 20, 30), (2, 12, 23, 37), (2, 11, 25, 37), (2, 9, 24, 40))


@dataclass(frozen=True, slots=True)
class Library:
    """One sequencing library and run; every sample draws its own.

    Attributes
    ----------
    profile
        Name of the noise profile.
    quality_scheme
        How the profile's levels are reported: ``as_is``, a key of ``QUALITY_BINS``, or
        ``set_N`` for ``FOUR_BIN_SETS``.
    quality_shift, quality_cap, recalibration
        Points added to every stated quality, its ceiling, and the standard deviation of the
        offsets by cycle and context that recalibration leaves (0 = not recalibrated).
    class_tilt
        Log factor on the share of read-quality classes, by class: above 0 makes better reads.
    error_scale, error_floor
        Factor on the learned error rates, and errors a base that no quality tells of.
    read_length, trimmed_share
        Bases a read; share of reads cut short at a random length.
    insert_mean, insert_sd
        Fragment length in bases.
    depth
        Mean depth.
    gc_centre, gc_width
        GC share of the best covered fragments; standard deviation of the coverage around it.
    coverage_sd, balance_sd
        Standard deviation of the local log coverage, and of the local log ratio of haplotypes.
    slippage_kind, slippage_at_12, slippage_slope, slippage_gain
        Library kind; share of fragments with a wrong length of a 12-base run; gain of its logit a
        base; share of slips that are gains.
    duplicate_rate, unmarked_rate
        Duplicate fragments that are flagged, and that are not.
    chimera_rate, contamination
        Share of chimeric fragments, of fragments from another person.
    damage_rate
        Fragment-level wrong bases (both mates agree) a base.
    indel_rate
        Sequencing indels a base outside repeats.
    systematic_per_kb, systematic_low_quality
        Strand-specific error sites a kb; share of their wrong bases with low quality.
    cycle_rise, run_error, dephasing
        Error factor gained from the first to the last cycle; error probability after a run, for
        every base of it beyond four; share of reads out of phase after a very long run.
    n_rate, tail_rate
        Share of N bases; share of reads with a burst of errors at the end.
    mapq_noise
        Number of stretches a 100 kb in which mapping qualities are lowered, standing for copies
        on contigs that the reference lacks.
    paralogs
        Number of hidden paralogs.
    """

    profile: str
    quality_scheme: str
    quality_shift: int
    quality_cap: int
    recalibration: float
    class_tilt: float
    error_scale: float
    error_floor: float
    read_length: int
    trimmed_share: float
    insert_mean: float
    insert_sd: float
    depth: float
    gc_centre: float
    gc_width: float
    coverage_sd: float
    balance_sd: float
    slippage_kind: str
    slippage_at_12: float
    slippage_slope: float
    slippage_gain: float
    duplicate_rate: float
    unmarked_rate: float
    chimera_rate: float
    contamination: float
    damage_rate: float
    indel_rate: float
    systematic_per_kb: float
    systematic_low_quality: float
    cycle_rise: float
    run_error: float
    dephasing: float
    n_rate: float
    tail_rate: float
    mapq_noise: float
    paralogs: int

    def describe(self) -> dict[str, str | int | float]:
        """The configuration as plain values, for the JSON beside a sample."""
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}


def draw_library(
    rng: np.random.Generator, depth: tuple[float, float], paralog_rate: float
) -> Library:
    """A random library.

    Parameters
    ----------
    rng
        Source of all randomness.
    depth
        Lowest and highest mean depth; uniform between.
    paralog_rate
        Probability of a hidden paralog.
    """
    read_length = int(
        rng.choice([100, 101, 125, 148, 150, 151, 250], p=[0.1, 0.12, 0.05, 0.2, 0.28, 0.2, 0.05])
    )
    kind = str(rng.choice(["pcr_free", "moderate", "pcr"], p=[0.4, 0.3, 0.3]))
    insert = max(float(rng.normal(420, 90)), 1.15 * read_length + 40)
    rare = rng.random(4)
    return Library(
        **_draw_qualities(rng),
        class_tilt=rng.uniform(-0.3, 0.9),
        error_scale=_log_uniform(rng, 0.5, 1.8),
        error_floor=_log_uniform(rng, 1e-5, 2e-4),
        read_length=read_length,
        trimmed_share=float(rng.choice([0.0, rng.uniform(0.05, 0.4)], p=[0.6, 0.4])),
        insert_mean=insert,
        insert_sd=insert * rng.uniform(0.12, 0.28),
        depth=float(rng.uniform(*depth)),
        gc_centre=rng.uniform(0.36, 0.5),
        gc_width=_log_uniform(rng, 0.12, 0.6),
        coverage_sd=rng.uniform(0.02, 0.25),
        balance_sd=rng.uniform(0.0, 0.2),
        slippage_kind=kind,
        slippage_at_12=_log_uniform(rng, *SLIPPAGE_AT_12[kind]),
        slippage_slope=rng.uniform(*SLIPPAGE_SLOPE[kind]),
        slippage_gain=rng.uniform(0.15, 0.4),
        duplicate_rate=rng.uniform(0.0, 0.03),
        unmarked_rate=float(
            rng.choice([rng.uniform(0.0, 0.02), rng.uniform(0.02, 0.06)], p=[0.85, 0.15])
        ),
        chimera_rate=_log_uniform(rng, 1e-4, 0.015),
        contamination=rng.uniform(0.002, 0.03) if rare[0] < 0.3 else 0.0,
        damage_rate=_log_uniform(rng, 4e-6, 1.2e-4),
        indel_rate=_log_uniform(rng, 3e-7, 3e-5),
        systematic_per_kb=_log_uniform(rng, 0.03, 0.65),
        systematic_low_quality=rng.uniform(0.4, 1.0),
        cycle_rise=rng.uniform(0.0, 3.0),
        run_error=_log_uniform(rng, 3e-5, 4e-3),
        dephasing=rng.uniform(0.2, 0.8),
        n_rate=_log_uniform(rng, 1e-5, 1e-3),
        tail_rate=_log_uniform(rng, 1e-3, 0.02),
        mapq_noise=rng.uniform(0.5, 3.0) if rare[1] < 0.6 else 0.0,
        paralogs=int(rare[2] < paralog_rate),
    )


def typical_library(depth: float) -> Library:
    """A good PCR-free 2x150 run with four quality bins, as most public genomes are."""
    return Library(
        profile="novaseq",
        quality_scheme="set_1",
        quality_shift=0,
        quality_cap=42,
        recalibration=0.0,
        class_tilt=0.2,
        error_scale=1.0,
        error_floor=1e-4,
        read_length=150,
        trimmed_share=0.0,
        insert_mean=420.0,
        insert_sd=90.0,
        depth=depth,
        gc_centre=0.42,
        gc_width=0.4,
        coverage_sd=0.12,
        balance_sd=0.05,
        slippage_kind="pcr_free",
        slippage_at_12=0.015,
        slippage_slope=0.2,
        slippage_gain=0.3,
        duplicate_rate=0.02,
        unmarked_rate=0.005,
        chimera_rate=0.003,
        contamination=0.0,
        damage_rate=5e-5,
        indel_rate=5e-6,
        systematic_per_kb=0.3,
        systematic_low_quality=0.6,
        cycle_rise=1.0,
        run_error=1e-3,
        dephasing=0.5,
        n_rate=5e-5,
        tail_rate=3e-3,
        mapq_noise=0.0,
        paralogs=0,
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _draw_qualities(rng: np.random.Generator) -> dict[str, Any]:
    """Profile, scheme, shift, cap and recalibration of the stated qualities."""
    profile = str(rng.choice(SHIPPED_PROFILES, p=[0.4, 0.3, 0.3]))
    if profile == "novaseq":
        scheme = f"set_{int(rng.integers(len(FOUR_BIN_SETS)))}"
    else:
        scheme = str(rng.choice(["as_is", *QUALITY_BINS], p=[0.5, 0.15, 0.2, 0.1, 0.05]))
    recalibrated = rng.random() < 0.3
    shifted = scheme == "as_is" or recalibrated
    return {
        "profile": profile,
        "quality_scheme": scheme,
        "quality_shift": int(rng.integers(-6, 5)) if shifted else 0,
        "quality_cap": int(rng.integers(32, 43)) if shifted else 42,
        "recalibration": float(rng.uniform(0.5, 2.5)) if recalibrated else 0.0,
    }


def stated_qualities(library: Library, levels: np.ndarray) -> np.ndarray:
    """float32 [k]: quality reported for each level of the profile, before recalibration."""
    values = levels.astype(np.int64)
    if library.quality_scheme.startswith("set_"):
        chosen = FOUR_BIN_SETS[int(library.quality_scheme[4:])]
        stated = np.array(chosen)[np.searchsorted([6, 10, 20], values)]
    elif library.quality_scheme == "as_is":
        stated = values
    else:
        bounds, reported = QUALITY_BINS[library.quality_scheme]
        stated = np.array(reported)[np.searchsorted(bounds, values)]
    shifted = np.clip(stated + library.quality_shift, 2, library.quality_cap)
    return np.asarray(shifted, dtype=np.float32)
