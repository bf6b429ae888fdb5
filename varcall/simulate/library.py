"""Library configurations: what differs from one sequencing run to the next, drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from varcall.simulate.kernels import ADAPTERS
from varcall.simulate.noise import SHIPPED_PROFILES

#: Slippage of a 12-base homopolymer run: range of the share of fragments off, by library kind.
#: PCR-free and PCR-amplified ends as reported for public 2x150 genomes; log-uniform inside.
SLIPPAGE_AT_12 = {"pcr_free": (0.001, 0.025), "moderate": (0.02, 0.06), "pcr": (0.05, 0.22)}
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
    diverged_copies
        Diverged copies of short stretches a 100 kb, of which a few reads come: repeats that
        differ, and other chromosomes' reads.
    kinds
        What was asked for or drawn, by the names of ``LAYOUTS`` and ``TRAITS``.
    layout
        ``pairs``, ``single``, ``merged`` (mates merged into one read), ``matepair``, ``targets``
        (captured) or ``amplicon``.
    adapter
        Adapter behind short inserts, a key of ``ADAPTERS``.
    quality_trim
        Bases below this quality are cut from the reads' ends; 0 cuts none.
    poly_g
        Share of reads that end in G, as dark clusters of two-colour machines do.
    circle_mean, inward_share
        Of mate pairs: bases between the outward mates, share of short inward pairs.
    stacks
        Stacks a 100 kb: fragments that all begin (or end) at one base.
    covered_share, target_size
        Of targets and amplicons: share of the stretch they cover, and mean bases of a target.
    off_target
        Depth between targets over the depth on them.
    primer
        Bases of an amplicon's primers, which show the reference whatever the sample has.
    has_proper_flag, has_qualities
        Whether pairs carry flag 0x2; whether base qualities are stored.
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
    diverged_copies: float = 0.0
    kinds: tuple[str, ...] = ("pairs",)
    layout: str = "pairs"
    adapter: str = "truseq"
    quality_trim: int = 0
    poly_g: float = 0.0
    circle_mean: float = 0.0
    inward_share: float = 0.0
    stacks: float = 0.0
    covered_share: float = 1.0
    target_size: float = 0.0
    off_target: float = 0.0
    primer: int = 0
    has_proper_flag: bool = True
    has_qualities: bool = True

    @property
    def mates(self) -> int:
        """Reads of a fragment in the file."""
        return 1 if self.layout in ("single", "merged") else 2

    def describe(self) -> dict[str, Any]:
        """The configuration as plain values, for the JSON beside a sample."""
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}


def draw_library(
    rng: np.random.Generator, depth: tuple[float, float], paralog_rate: float, kind: str = "random"
) -> Library:
    """A random library.

    Parameters
    ----------
    rng
        Source of all randomness.
    depth
        Lowest and highest mean depth; uniform between. Some kinds have a depth of their own.
    paralog_rate
        Probability of a hidden paralog.
    kind
        ``random`` draws a layout and any number of traits; a name of ``LAYOUTS`` or ``TRAITS``
        takes just that.
    """
    library = _draw_plain(rng, depth, paralog_rate)
    if kind == "random":
        weights = np.array([weight for weight, _, _ in LAYOUTS.values()])
        layout = str(rng.choice(list(LAYOUTS), p=weights / weights.sum()))
        traits = [
            name for name, (chance, _, _) in TRAITS.items() if chance > 0 and rng.random() < chance
        ]
    else:
        layout = kind if kind in LAYOUTS else "pairs"
        traits = [kind] if kind in TRAITS else []
    library = replace(library, **LAYOUTS[layout][2](rng, library))
    for trait in traits:
        library = replace(library, **TRAITS[trait][2](rng, library))
    return replace(library, kinds=(layout, *traits))


_Changes = dict[str, Any]
_Draw = Callable[[np.random.Generator, Library], _Changes]


def _pairs(_rng: np.random.Generator, _library: Library) -> _Changes:
    return {"layout": "pairs"}


def _single(rng: np.random.Generator, library: Library) -> _Changes:
    length = int(rng.choice([36, 50, 75, 76, 100, 101, 150, 200, 250, 300]))
    insert = max(library.insert_mean, 1.15 * length + 40)
    return {"layout": "single", "read_length": length, "insert_mean": insert}


def _merged(rng: np.random.Generator, library: Library) -> _Changes:
    insert = library.read_length * rng.uniform(0.9, 1.6)
    return {
        "layout": "merged", "insert_mean": insert, "insert_sd": insert * rng.uniform(0.1, 0.2),
        "trimmed_share": 0.0, "indel_rate": 0.0, "chimera_rate": 0.0,
    }  # fmt: skip


def _matepair(rng: np.random.Generator, library: Library) -> _Changes:
    return {
        "layout": "matepair", "circle_mean": rng.uniform(2000, 5000), "adapter": "nextera",
        "inward_share": rng.uniform(0.03, 0.25), "trimmed_share": 0.0,
        "insert_mean": max(library.insert_mean, 2.0 * library.read_length),
        "insert_sd": library.insert_mean * rng.uniform(0.2, 0.35),
        "unmarked_rate": 0.0, "duplicate_rate": rng.uniform(0.02, 0.25),
    }  # fmt: skip


def _targets(rng: np.random.Generator, library: Library) -> _Changes:
    return {
        "layout": "targets", "depth": rng.uniform(30, 200), "covered_share": rng.uniform(0.05, 0.3),
        "target_size": rng.uniform(120, 300), "off_target": _log_uniform(rng, 0.003, 0.05),
        "insert_mean": max(rng.uniform(160, 320), 1.0 * library.read_length),
        "gc_width": _log_uniform(rng, 0.08, 0.3), "coverage_sd": rng.uniform(0.1, 0.4),
        "duplicate_rate": rng.uniform(0.02, 0.2),
    }  # fmt: skip


def _amplicon(rng: np.random.Generator, _library: Library) -> _Changes:
    return {
        "layout": "amplicon", "depth": rng.uniform(100, 300), "insert_mean": rng.uniform(150, 320),
        "covered_share": rng.uniform(0.1, 0.4), "coverage_sd": rng.uniform(0.2, 0.7),
        "primer": int(rng.choice([0, 20, 25])), "unmarked_rate": 0.0, "duplicate_rate": 0.0,
        "trimmed_share": float(rng.choice([0.0, 0.3])),
    }  # fmt: skip


def _trimmed(rng: np.random.Generator, library: Library) -> _Changes:
    return {
        "trimmed_share": 0.0 if library.layout == "merged" else rng.uniform(0.2, 0.7),
        "quality_trim": int(rng.choice([10, 15, 20])),
    }  # fmt: skip


def _adapters(rng: np.random.Generator, library: Library) -> _Changes:
    if library.layout in ("merged", "matepair", "amplicon"):
        return {}
    insert = library.read_length * rng.uniform(0.8, 1.5)
    return {
        "adapter": str(rng.choice(list(ADAPTERS))), "trimmed_share": 0.0, "insert_mean": insert,
        "insert_sd": insert * rng.uniform(0.2, 0.4),
    }  # fmt: skip


def _poly_g(rng: np.random.Generator, _library: Library) -> _Changes:
    return {
        "profile": "novaseq",
        "quality_scheme": "set_1",
        "poly_g": _log_uniform(rng, 0.005, 0.15),
    }


def _duplicates(rng: np.random.Generator, _library: Library) -> _Changes:
    rate, unmarked = rng.uniform(0.05, 0.43), float(rng.choice([0.0, 1.0, rng.random()]))
    return {
        "duplicate_rate": rate * (1 - unmarked), "unmarked_rate": rate * unmarked,
        "damage_rate": _log_uniform(rng, 5e-5, 6e-4),
    }  # fmt: skip


def _stacks(rng: np.random.Generator, _library: Library) -> _Changes:
    return {"stacks": _log_uniform(rng, 3, 60)}


def _chimeras(rng: np.random.Generator, library: Library) -> _Changes:
    return {} if library.layout == "merged" else {"chimera_rate": rng.uniform(0.015, 0.1)}


def _deep(rng: np.random.Generator, _library: Library) -> _Changes:
    return {"depth": rng.uniform(120, 300)}


def _shallow(rng: np.random.Generator, _library: Library) -> _Changes:
    return {"depth": rng.uniform(8, 20)}


def _binned(rng: np.random.Generator, _library: Library) -> _Changes:
    if rng.random() < 0.6:
        return {"profile": "novaseq", "quality_scheme": "set_1", "recalibration": 0.0}
    return {
        "profile": str(rng.choice(["genome_analyzer", "genome_analyzer_raw"])),
        "quality_scheme": "hiseq_x", "recalibration": 0.0, "quality_shift": 0, "quality_cap": 42,
    }  # fmt: skip


def _no_qualities(_rng: np.random.Generator, _library: Library) -> _Changes:
    return {"has_qualities": False}


def _improper(_rng: np.random.Generator, _library: Library) -> _Changes:
    return {"has_proper_flag": False}


def _slippage(rng: np.random.Generator, library: Library) -> _Changes:
    # At 80x, a real PCR library slips two to four times as often as "pcr" above reaches.
    return {
        "slippage_kind": "pcr", "slippage_at_12": rng.uniform(0.1, 0.45),
        "slippage_slope": rng.uniform(*SLIPPAGE_SLOPE["pcr"]),
        "indel_rate": 0.0 if library.layout == "merged" else _log_uniform(rng, 3e-6, 1e-4),
    }  # fmt: skip


def _contaminated(rng: np.random.Generator, _library: Library) -> _Changes:
    return {"contamination": _log_uniform(rng, 0.03, 0.4)}


def _noisy(rng: np.random.Generator, _library: Library) -> _Changes:
    return {
        "error_scale": rng.uniform(1.8, 4.0), "error_floor": _log_uniform(rng, 2e-4, 2e-3),
        "systematic_per_kb": _log_uniform(rng, 0.5, 2.0), "tail_rate": _log_uniform(rng, 0.01, 0.1),
        "class_tilt": rng.uniform(-0.8, 0.2),
    }  # fmt: skip


#: How fragments become reads: weight in a random draw, what it is, and what it changes.
LAYOUTS: dict[str, tuple[float, str, _Draw]] = {
    "pairs": (0.6, "pairs", _pairs),
    "single": (0.12, "single ends of 36 to 300 bases", _single),
    "merged": (0.07, "overlapping mates merged into one read", _merged),
    "matepair": (0.07, "mate pairs with junction adapters", _matepair),
    "targets": (0.07, "captured targets of 120 to 300 bases", _targets),
    "amplicon": (0.07, "amplicons of 100x to 300x with primers", _amplicon),
}
#: What a library of any layout may have: probability, what it is, and what it changes.
TRAITS: dict[str, tuple[float, str, _Draw]] = {
    "trimmed": (0.12, "ends cut at adapters, low qualities and at random", _trimmed),
    "adapters": (0.12, "short inserts: reads run into TruSeq or Nextera adapters", _adapters),
    "polyg": (0.06, "poly-G tails of two-colour machines", _poly_g),
    "duplicates": (0.12, "up to 30 % PCR duplicates, marked or not", _duplicates),
    "stacks": (0.2, "stacks of fragments with one start", _stacks),
    "chimeras": (0.06, "1.5 to 10 % chimeras", _chimeras),
    "deep": (0.03, "120x to 300x", _deep),
    "shallow": (0.08, "8x to 20x", _shallow),
    "binned": (0.12, "4 or 8 levels of quality", _binned),
    "noquality": (0.04, "no base qualities", _no_qualities),
    "improper": (0.05, "pairs without flag 0x2", _improper),
    "contaminated": (0.08, "3 to 40 % of another person", _contaminated),
    "noisy": (0.12, "many base errors", _noisy),
    "slippage": (0.0, "much slippage in repeats; only where it is asked for", _slippage),
}
#: Names of ``--library``.
LIBRARIES = ("random", "typical", *LAYOUTS, *TRAITS)


def _draw_plain(
    rng: np.random.Generator, depth: tuple[float, float], paralog_rate: float
) -> Library:
    """A library of plain pairs."""
    read_length = int(
        rng.choice([100, 101, 125, 148, 150, 151, 250], p=[0.1, 0.12, 0.05, 0.2, 0.28, 0.2, 0.05])
    )
    kind = str(rng.choice(["pcr_free", "moderate", "pcr"], p=[0.3, 0.3, 0.4]))
    insert = max(float(rng.normal(420, 90)), 1.15 * read_length + 40)
    rare = rng.random(4)
    return Library(
        **_draw_qualities(rng),
        class_tilt=rng.uniform(-0.3, 0.9),
        error_scale=_log_uniform(rng, 0.5, 2.5),
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
        chimera_rate=_log_uniform(rng, 1e-4, 0.03),
        contamination=rng.uniform(0.002, 0.03) if rare[0] < 0.3 else 0.0,
        damage_rate=_log_uniform(rng, 4e-6, 1.2e-4),
        indel_rate=_log_uniform(rng, 3e-7, 3e-5),
        systematic_per_kb=_log_uniform(rng, 0.03, 0.65),
        systematic_low_quality=rng.uniform(0.4, 1.0),
        cycle_rise=rng.uniform(0.0, 3.0),
        run_error=_log_uniform(rng, 3e-5, 4e-3),
        dephasing=rng.uniform(0.2, 0.8),
        n_rate=_log_uniform(rng, 1e-5, 1e-3),
        tail_rate=_log_uniform(rng, 1e-3, 0.06),
        mapq_noise=rng.uniform(0.5, 3.0) if rare[1] < 0.6 else 0.0,
        paralogs=int(rare[2] < paralog_rate),
        diverged_copies=_log_uniform(rng, 0.3, 10.0),
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
