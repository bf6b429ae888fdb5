"""What one library's reads are like: the numbers that are measured of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pileup.sam import UNKNOWN_QUALITY

SHORT_PLATFORM = "illumina"
LONG_PLATFORMS = ("pacbio", "ont")
# Those of `@RG PL` (SAM specification 1.3) whose reads are short ones of other chemistries.
OTHER_PLATFORMS = (
    "dnbseq", "element", "helicos", "iontorrent", "ls454", "singular", "solid", "ultima",
)  # fmt: skip
UNKNOWN_PLATFORM = "unknown"
SHORT_READ = 500  # bases; longer reads of no stated platform may be of any
# Positions that look like SNVs, for a share of them to be known.
LEAST_CANDIDATES = 20
# Of a human (HG002, GIAB v4.2.1: 3.37 million in 2.54 Gb).
USUAL_SNV_DENSITY = 0.0013
# REF bases at homozygous SNVs, errors among them: 0.0002 to 0.004 in slices of one person's reads
# (Illumina, HiFi, ONT; 0.009 in mate pairs).
USUAL_REF_AT_HOM = 0.002

# Bins of stated base qualities: absent, then from each of these on.
QUALITY_STEPS = (0, 10, 20, 30, 40)
# What they mean (-10 log10 of the error) near their middles, for bins without bases; an absent
# quality means nothing, and 0.005 is what lies between the platforms.
STATED_MISMATCHES = (0.005, 0.3, 0.03, 0.004, 0.0005, 0.0001)
# Qualities above it promise what nobody can check: PacBio states up to 93.
MAX_QUALITY = 60
# Of a read that bwa, minimap2 and most other mappers are sure of.
USUAL_MAPQ = 60.0

RUN_BINS = ((6, 8), (9, 11), (12, 14), (15, 20))
_MIN_PROPER_SHARE = 0.5
# Of a human genome, about (1000 Genomes, doi:10.1038/nature15393: 4.1 to 5.0 million sites).
_VARIANTS_BY_BASE = 0.0015
# Rates where no read spans runs of a length: typical of Illumina data with PCR.
PRIOR_SLIPPAGE = (0.004, 0.015, 0.05, 0.14)


@dataclass(frozen=True, slots=True)
class LibraryProfile:
    """What one library's reads are like.

    Attributes
    ----------
    platform
        As stated: "illumina", "pacbio", "ont" or one of `OTHER_PLATFORMS`. Where none of these is
        stated it is "illumina" for short reads, else "unknown".
    paired
        Most reads are of pairs.
    read_length
        Median, bases.
    depth
        Depth, without duplicates, at which the median sequenced base lies.
    insert_size, insert_size_sd
        Median and half the central 68 % of the template lengths of proper pairs; 0 if unpaired.
    proper_share
        Share of the reads of pairs that are flagged as properly paired; 0 if unpaired.
    duplicate_rate
        Share of reads marked as duplicates.
    quality_levels
        Base qualities in use (each at least 1 base in 10,000).
    error_rate
        Mismatches per base of quality >= 20 at positions that do not look variant.
    slippage
        For homopolymers of 6-8, 9-11, 12-14 and 15-20 bases: share of spanning reads that do not
        show the site's commonest length. Sites whose second length has 25 % are left out as
        probably heterozygous; with few reads the rate leans to `PRIOR_SLIPPAGE`.
    slippage_reads
        Reads behind each of them.
    looks_like
        Platform as the reads look, whatever is stated: "illumina" where they are short, else
        "pacbio" or "ont" by how often they differ; "unknown" without reads.
    mapq
        What the mapper gives to a read that it is sure of (the 90th percentile of those that are
        known, at least 1); 60 where none is known.
    base_quality, base_quality_sd
        Mean and standard deviation of the stated base qualities, each at most `MAX_QUALITY`; 0
        where all are absent.
    mismatch_by_quality
        Mismatches per base at positions that do not look variant, by stated quality: absent, below
        10, 10-19, 20-29, 30-39, 40 and more; with few bases it leans to what was stated.
    mismatch_rate, mismatch_rate_sd
        Mismatches (of base quality 10 and more) and indels per aligned base of a read, variants
        included: mean and standard deviation over reads, longer ones counting more.
    clip_rate, clip_rate_sd
        Soft-clipped share of a read's bases: the same.
    clipped_share
        Share of reads with soft-clipped bases.
    low_fraction_share
        Of positions that look like SNVs, the share where under a quarter of the reads differ; NaN
        where fewer than `LEAST_CANDIDATES` were seen.
    snv_density
        SNVs per base, as far as counts of bases tell; with few bases it leans to
        `USUAL_SNV_DENSITY`.
    ref_at_hom
        Share of REF bases at SNVs that look homozygous: more than errors where reads are of another
        person or another copy of the sequence. With few such bases it leans to `USUAL_REF_AT_HOM`.
    stack_share
        Share of the reads, duplicates left out, that begin at one base as those of amplicons do,
        with no primer clipped.
    basecaller
        Name of the basecalling model as the header states it; empty where it states none.
    """

    platform: str = UNKNOWN_PLATFORM
    paired: bool = False
    read_length: int = 0
    depth: float = 0.0
    insert_size: float = 0.0
    insert_size_sd: float = 0.0
    proper_share: float = 0.0
    duplicate_rate: float = 0.0
    quality_levels: int = 0
    error_rate: float = 0.0
    slippage: tuple[float, ...] = PRIOR_SLIPPAGE
    slippage_reads: tuple[int, ...] = (0, 0, 0, 0)
    looks_like: str = UNKNOWN_PLATFORM
    mapq: float = USUAL_MAPQ
    base_quality: float = 0.0
    base_quality_sd: float = 0.0
    mismatch_by_quality: tuple[float, ...] = STATED_MISMATCHES
    mismatch_rate: float = 0.0
    mismatch_rate_sd: float = 0.0
    clip_rate: float = 0.0
    clip_rate_sd: float = 0.0
    clipped_share: float = 0.0
    # NaN is equal to nothing, not to itself.
    low_fraction_share: float = field(default=nan, compare=False)
    snv_density: float = USUAL_SNV_DENSITY
    ref_at_hom: float = USUAL_REF_AT_HOM
    stack_share: float = 0.0
    basecaller: str = ""

    def error_by_quality(self) -> NDArray[np.float64]:
        """Return the measured mismatch rate of each stated base quality 0 to 255, float64 [256]."""
        rates = np.array(self.mismatch_by_quality)[quality_bins()]
        # Where none is stated, reads have MISSING_QUALITY, which means nothing.
        return rates if self.base_quality else np.full(256, self.mismatch_by_quality[0])

    def to_mapping(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them: an unknown number is None."""
        mapping = asdict(self)
        if isnan(self.low_fraction_share):
            mapping["low_fraction_share"] = None
        return mapping

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "LibraryProfile":
        """Read what `to_mapping` gave."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in mapping.items()
        }
        if fields["low_fraction_share"] is None:
            fields["low_fraction_share"] = nan
        return cls(**fields)

    @property
    def pairs_tell(self) -> bool:
        """Whether an improper pair is a sign of a wrong mapping.

        Where fewer pairs are proper, an improper one is the rule: some mappers never set the flag,
        mate pairs point outwards.
        """
        return self.proper_share >= _MIN_PROPER_SHARE

    @property
    def usual_divergence(self) -> float:
        """Differences from the reference by aligned base: of the library's own, and variants."""
        return self.error_rate + _VARIANTS_BY_BASE

    def to_json(self) -> str:
        """Spell it as a JSON object."""
        return json.dumps(self.to_mapping(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "LibraryProfile":
        """Read what `to_json` spelled."""
        return cls.from_mapping(json.loads(text))


def quality_bins() -> NDArray[np.int64]:
    """Return the bin of `mismatch_by_quality` of each stated quality, int64 [256]."""
    bins = np.searchsorted(QUALITY_STEPS, np.arange(256), side="right")
    bins[UNKNOWN_QUALITY] = 0
    return bins
