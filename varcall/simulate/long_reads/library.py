"""Long-read libraries: what differs from one run to the next, drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType

import numpy as np

#: Long-read platforms that can be simulated, and the chemistries of each.
CHEMISTRIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"hifi": ("revio", "sequel2"), "ont": ("ont_r10", "ont_r9")}
)
#: Noise profile of each chemistry. There are no R9 reads here: they are R10 reads with more errors.
PROFILES: Mapping[str, str] = MappingProxyType(
    {"revio": "revio", "sequel2": "sequel2", "ont_r10": "ont_r10", "ont_r9": "ont_r10"}
)
#: The seven qualities of Revio (PacBio, SMRT Link): upper bounds of the bins, and what is stated.
REVIO_BINS = ((6, 13, 19, 24, 29, 39), (3, 10, 17, 22, 27, 35, 40))
#: Presets of minimap2.
PRESETS: Mapping[str, str] = MappingProxyType({"hifi": "map-hifi", "ont": "map-ont"})
#: Bases simulated around each tile: a read that ends in the tile began here. Nearly all HiFi reads
#: are shorter; the longest nanopore reads are cut where the stretch ends.
LONG_FLANKS: Mapping[str, int] = MappingProxyType({"hifi": 22_000, "ont": 40_000})
#: Shortest read.
MIN_LONG_READ = 200
#: Of random libraries, the share whose reads were chosen for targets.
TARGETED_SHARE = 0.25
_MODELS = {
    "ont_r10": (
        "dna_r10.4.1_e8.2_400bps_sup@v4.3.0",
        "dna_r10.4.1_e8.2_400bps_sup@v5.0.0",
        "dna_r10.4.1_e8.2_400bps_hac@v4.3.0",
        "dna_r10.4.1_e8.2_400bps_sup@v4.1.0",
    ),
    "ont_r9": ("dna_r9.4.1_e8_sup@v3.3", "dna_r9.4.1_450bps_hac", "dna_r9.4.1_e8_hac@v3.3"),
}
_KITS = {
    "revio": "READTYPE=CCS;BINDINGKIT=102-739-100;SEQUENCINGKIT=102-118-800;BASECALLERVERSION=5.0;"
    "FRAMERATEHZ=100.000000",
    "sequel2": "READTYPE=CCS;BINDINGKIT=101-490-800;SEQUENCINGKIT=101-490-900;"
    "BASECALLERVERSION=5.0.0;FRAMERATEHZ=100.000000",
}


@dataclass(frozen=True, slots=True)
class LongLibrary:
    """One long-read library and run; every sample draws its own.

    Attributes
    ----------
    platform, chemistry, profile
        ``hifi`` or ``ont``; a name of ``CHEMISTRIES``; the noise profile behind it.
    depth
        Mean depth; of targets where there are some.
    length, length_spread
        Mean and standard deviation of HiFi reads, in bases; N50 of nanopore reads, and the standard
        deviation of the logarithm of their length.
    short_share
        Share of short reads (a few hundred to 3,000 bases).
    mismatch_scale, indel_scale
        Factors on the profile's rates.
    run_growth
        Exponent on (length / 4) of homopolymers from 4 bases on, beyond what was learned.
    read_sd
        Standard deviation of the logarithm of a read's own factor on its errors.
    site_mismatch_sd, site_indel_sd
        Standard deviation of the logarithm of a place's factor, on each strand.
    quality_scheme, quality_shift
        ``as_is`` or ``revio``; points added to each quality.
    error_floor
        Wrong bases a base that no quality tells of: of PCR, damage, or a recalibration that
        promises too much.
    coverage_sd, balance_sd
        Standard deviation of the local log coverage; of the log ratio of the two haplotypes.
    covered_share, target_size
        Share of the tile that reads were chosen for, by capture or while they were sequenced, and
        mean bases of a target; 1 and 0 of whole genomes.
    off_target
        Depth between targets over the depth on them.
    chimera_rate, adapter_rate
        Share of reads that were joined from two; that keep an adapter at an end.
    contamination
        Share of reads from another person.
    paralogs
        Number of hidden copies.
    extended_cigar
        Whether CIGARs say ``=`` and ``X``.
    stated_platform, description
        PL and DS of the read group; empty where it says none.
    """

    platform: str
    chemistry: str
    profile: str
    depth: float
    length: float
    length_spread: float
    short_share: float
    mismatch_scale: float
    indel_scale: float
    run_growth: float
    read_sd: float
    site_mismatch_sd: float
    site_indel_sd: float
    quality_scheme: str
    quality_shift: int
    error_floor: float
    coverage_sd: float
    balance_sd: float
    covered_share: float
    target_size: float
    off_target: float
    chimera_rate: float
    adapter_rate: float
    contamination: float
    paralogs: int
    extended_cigar: bool
    stated_platform: str
    description: str

    def describe(self) -> dict[str, str | int | float]:
        """The configuration as plain values, for the JSON beside a sample."""
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}

    def read_group(self) -> dict[str, str]:
        """PL and DS of the @RG line."""
        fields = {"PL": self.stated_platform, "DS": self.description}
        return {key: value for key, value in fields.items() if value}


def draw_long_library(
    platform: str, rng: np.random.Generator, depth: tuple[float, float], paralog_rate: float
) -> LongLibrary:
    """A random library.

    Parameters
    ----------
    platform
        A key of ``CHEMISTRIES``.
    rng
        Source of all randomness.
    depth
        Lowest and highest mean depth; uniform between. Targets have depths of their own.
    paralog_rate
        Probability of a hidden copy.
    """
    chemistries = CHEMISTRIES[platform]
    # Newer chemistries are the commoner ones.
    chemistry = chemistries[int(rng.random() < (0.4 if platform == "hifi" else 0.2))]
    is_hifi = platform == "hifi"
    rare = rng.random(5)
    mismatch, indel, shift = _draw_errors(chemistry, rng)
    library = LongLibrary(
        platform=platform,
        chemistry=chemistry,
        profile=PROFILES[chemistry],
        depth=float(rng.uniform(*depth)),
        length=rng.uniform(9_000, 20_000) if is_hifi else _log_uniform(rng, 10_000, 35_000),
        length_spread=rng.uniform(1000, 5000) if is_hifi else rng.uniform(0.5, 1.0),
        short_share=0.0 if is_hifi else rng.uniform(0.0, 0.2),
        mismatch_scale=mismatch,
        indel_scale=indel,
        run_growth=rng.uniform(-0.15, 0.25),
        read_sd=rng.uniform(0.1, 0.5),
        site_mismatch_sd=rng.uniform(1.0, 1.8) if is_hifi else rng.uniform(0.5, 1.3),
        site_indel_sd=rng.uniform(0.5, 1.2) if is_hifi else rng.uniform(1.0, 1.9),
        quality_scheme="revio" if chemistry == "sequel2" and rng.random() < 0.2 else "as_is",
        quality_shift=shift,
        error_floor=_log_uniform(rng, 2e-4, 3e-3) if rare[4] < 0.3 else 0.0,
        coverage_sd=rng.uniform(0.02, 0.12),
        balance_sd=rng.uniform(0.0, 0.15),
        covered_share=1.0,
        target_size=0.0,
        off_target=0.0,
        chimera_rate=_log_uniform(rng, 5e-4, 0.01) if is_hifi else _log_uniform(rng, 3e-3, 0.03),
        adapter_rate=_adapter_rate(is_hifi, rng),
        contamination=rng.uniform(0.002, 0.03) if rare[0] < 0.2 else 0.0,
        paralogs=int(rare[1] < paralog_rate),
        extended_cigar=bool(is_hifi and rare[2] < 0.5),
        **_draw_header(chemistry, is_hifi, rng),
    )
    return _targeted(library, rng) if rare[3] < TARGETED_SHARE else library


def typical_long_library(platform: str, depth: float) -> LongLibrary:
    """A plain run of the newest chemistry, as its noise was learned."""
    is_hifi = platform == "hifi"
    chemistry = CHEMISTRIES[platform][0]
    return LongLibrary(
        platform=platform,
        chemistry=chemistry,
        profile=PROFILES[chemistry],
        depth=depth,
        length=15_000 if is_hifi else 25_000,
        length_spread=3000 if is_hifi else 0.8,
        short_share=0.0 if is_hifi else 0.05,
        mismatch_scale=1.0,
        indel_scale=1.0,
        run_growth=0.0,
        read_sd=0.2,
        site_mismatch_sd=1.4 if is_hifi else 0.9,
        site_indel_sd=0.8 if is_hifi else 1.5,
        quality_scheme="as_is",
        quality_shift=0,
        error_floor=0.0,
        coverage_sd=0.05,
        balance_sd=0.05,
        covered_share=1.0,
        target_size=0.0,
        off_target=0.0,
        chimera_rate=1e-3 if is_hifi else 1e-2,
        adapter_rate=0.002 if is_hifi else 0.05,
        contamination=0.0,
        paralogs=0,
        extended_cigar=is_hifi,
        stated_platform="PACBIO" if is_hifi else "ONT",
        description=_KITS["revio"] if is_hifi else f"basecall_model={_MODELS['ont_r10'][0]}",
    )


def _targeted(library: LongLibrary, rng: np.random.Generator) -> LongLibrary:
    """Return a library whose reads were chosen: deep on targets, ever shallower beside them.

    Most are captured, of fragments of some kilobases; the others were chosen by the sequencer.
    """
    length, spread, short_share = library.length, library.length_spread, library.short_share
    if rng.random() < 0.7:
        length, short_share = _log_uniform(rng, 2500, 9000), 0.0
        spread = 0.15 * length if library.platform == "hifi" else rng.uniform(0.2, 0.5)
    return replace(
        library,
        length=length,
        length_spread=spread,
        short_share=short_share,
        depth=rng.uniform(30, 250),
        covered_share=rng.uniform(0.1, 0.4),
        target_size=_log_uniform(rng, 500, 10_000),
        off_target=_log_uniform(rng, 0.003, 0.05),
        coverage_sd=rng.uniform(0.1, 0.4),
        paralogs=0,
    )


def _draw_errors(chemistry: str, rng: np.random.Generator) -> tuple[float, float, int]:
    """Factors on mismatches and indels, and the shift of qualities that goes with them.

    Sup models of R9 read with about two and a half times the errors of R10, hac with four
    (Clair3's F1 of R9 at 50x: 0.997 and 0.83 for indels, where R10 has 0.999 and 0.90).
    """
    if chemistry == "ont_r9":
        worse = _log_uniform(rng, 2.0, 4.0)
        return worse * rng.uniform(0.7, 1.2), worse * rng.uniform(0.9, 1.5), -int(4 + worse)
    overall = _log_uniform(rng, 0.5, 1.8)
    shift = int(rng.integers(-2, 3)) if chemistry == "ont_r10" else 0
    return overall * _log_uniform(rng, 0.7, 1.4), overall * _log_uniform(rng, 0.7, 1.4), shift


def _adapter_rate(is_hifi: bool, rng: np.random.Generator) -> float:
    """Remnants are rare in HiFi; nanopore runs are trimmed, or not at all."""
    if is_hifi:
        return _log_uniform(rng, 5e-4, 0.03)
    return float(rng.uniform(0.7, 1.0)) if rng.random() < 0.35 else _log_uniform(rng, 0.005, 0.1)


def _draw_header(chemistry: str, is_hifi: bool, rng: np.random.Generator) -> dict[str, str]:
    """Draw what the read group says; often PL or DS is missing."""
    kind = rng.random()
    if is_hifi:
        described = _KITS[chemistry] if kind < 0.6 else "READTYPE=CCS" if kind < 0.75 else ""
    else:
        models = _MODELS[chemistry]
        model = models[int(rng.integers(len(models)))]
        described = f"basecall_model={model}" if kind < 0.7 else ""
    platform = ("PACBIO" if is_hifi else "ONT") if rng.random() < 0.85 else ""
    return {"stated_platform": platform, "description": described}


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
