"""What a prompt says of the sample: the library in words, one for each thing that is measured."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Protocol

UNKNOWN = " unknown"
ASSAYS = (" genome", " exome", " panel")
PLATFORMS = (
    " illumina", " dnbseq", " element", " ultima", " iontorrent", " pacbio", " ont",
)  # fmt: skip
BASECALLERS = (" fast", " hac", " sup", " ccs", " deepconsensus")
"""Parts of basecalling models' names that tell how well they call: of ONT, and two of PacBio."""

PAIRINGS = (" paired", " single")
HAPLOID, DIPLOID = PLOIDIES = (" haploid", " diploid")
READ_LENGTHS = (
    36, 50, 75, 100, 125, 150, 200, 250, 300, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000,
)  # fmt: skip
DEPTHS = (5, 8, 12, 16, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400)
PERCENTS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
"""Levels of error, slippage and shares; a rate becomes the nearest one by ratio."""

QUALITY_BINS = (" absent", " Q0", " Q10", " Q20", " Q30", " Q40")
"""Ranges of stated base quality whose error is told, by the lowest quality of each."""

SLIPPAGE_RUNS = (" 6-8", " 9-11", " 12-14", " 15-20")
FEWEST_SPANNING_READS = 50
"""A slippage rate measured on fewer reads is said to be unknown."""


def _level_words(values: Sequence[float], unit: str) -> tuple[str, ...]:
    return tuple(f" {value:.10g}{unit}" for value in values)


READ_LENGTH_WORDS = _level_words(READ_LENGTHS, "bp")
DEPTH_WORDS = _level_words(DEPTHS, "x")
PERCENT_WORDS = _level_words(PERCENTS, "%")

CONTEXT = (
    "\nContext: assay{}, platform{} looks{} basecaller{}, reads{}{}, depth{}, ploidy{}, error{}"
    + "".join(f"{quality}{{}}" for quality in QUALITY_BINS)
    + ", noise{}, slippage"
    + "".join(f"{run}{{}}" for run in SLIPPAGE_RUNS)
    + "."
)
"""The line of the prompt; "noise" is the share of candidates that few reads show."""

SLOTS: tuple[tuple[str, ...], ...] = (
    ASSAYS, PLATFORMS, PLATFORMS, BASECALLERS, PAIRINGS, READ_LENGTH_WORDS, DEPTH_WORDS, PLOIDIES,
    PERCENT_WORDS, *(PERCENT_WORDS,) * len(QUALITY_BINS), PERCENT_WORDS,
    *(PERCENT_WORDS,) * len(SLIPPAGE_RUNS),
)  # fmt: skip
"""The words, but for "unknown", that can stand in each place of the line."""


class LibraryLike(Protocol):
    """What the prompt says of a library; `varcall.reads.library_profile.LibraryProfile` is one."""

    @property
    def platform(self) -> str:
        """Sequencing platform as stated, such as "illumina"."""
        ...

    @property
    def looks_like(self) -> str:
        """Platform as the reads look."""
        ...

    @property
    def basecaller(self) -> str:
        """Name of the basecalling model as stated; empty where none is."""
        ...

    @property
    def paired(self) -> bool:
        """Whether reads come in pairs."""
        ...

    @property
    def read_length(self) -> int:
        """Bases of a typical read."""
        ...

    @property
    def depth(self) -> float:
        """Mean reads over a base."""
        ...

    @property
    def error_rate(self) -> float:
        """Share of wrong bases among confident ones."""
        ...

    @property
    def mismatch_by_quality(self) -> Sequence[float]:
        """Share of wrong bases in each of `QUALITY_BINS`."""
        ...

    @property
    def low_fraction_share(self) -> float:
        """Share of SNV candidates that under a quarter of the reads show; NaN if unknown."""
        ...

    @property
    def slippage(self) -> Sequence[float]:
        """Share of reads that miscount homopolymers, by `SLIPPAGE_RUNS`."""
        ...

    @property
    def slippage_reads(self) -> Sequence[int]:
        """Reads behind each slippage."""
        ...


@dataclass(frozen=True, slots=True)
class PromptContext:
    """What a prompt says of the sample, in words of the vocabulary; one per sample.

    `seen_platform` is the platform that the reads look like, whatever the file states;
    `error_by_quality` is the error in each of `QUALITY_BINS`; `noise` is the share of the SNV
    candidates that under a quarter of the reads show: most of them are noise, so it tells how many
    candidates are.
    """

    assay: str = UNKNOWN
    platform: str = UNKNOWN
    seen_platform: str = UNKNOWN
    basecaller: str = UNKNOWN
    pairing: str = UNKNOWN
    read_length: str = UNKNOWN
    depth: str = UNKNOWN
    ploidy: str = DIPLOID
    error: str = UNKNOWN
    error_by_quality: tuple[str, ...] = (UNKNOWN,) * len(QUALITY_BINS)
    noise: str = UNKNOWN
    slippage: tuple[str, str, str, str] = (UNKNOWN,) * 4

    @classmethod
    def from_profile(
        cls, profile: LibraryLike, assay: str = "genome", ploidy: int = 2
    ) -> "PromptContext":
        """Quantise a library profile into words; what it does not know becomes "unknown".

        Parameters
        ----------
        profile
            Its rates are fractions; a slippage rate behind which stand fewer than
            `FEWEST_SPANNING_READS` reads is unknown.
        assay
            "genome", "exome" or "panel".
        ploidy
            1 or 2; anything else is unknown.
        """
        a, b, c, d = (
            _percent_word(rate) if reads >= FEWEST_SPANNING_READS else UNKNOWN
            for rate, reads in zip(profile.slippage, profile.slippage_reads, strict=True)
        )
        return cls(
            assay=_known(f" {assay}", ASSAYS),
            platform=_known(f" {profile.platform.lower()}", PLATFORMS),
            seen_platform=_known(f" {profile.looks_like}", PLATFORMS),
            basecaller=basecaller_word(profile.basecaller),
            pairing=PAIRINGS[0] if profile.paired else PAIRINGS[1],
            read_length=_nearest(profile.read_length, READ_LENGTHS, READ_LENGTH_WORDS),
            depth=_nearest(profile.depth, DEPTHS, DEPTH_WORDS),
            ploidy=dict(zip((1, 2), PLOIDIES, strict=True)).get(ploidy, UNKNOWN),
            error=_percent_word(profile.error_rate),
            error_by_quality=tuple(map(_percent_word, profile.mismatch_by_quality)),
            noise=_percent_word(profile.low_fraction_share),
            slippage=(a, b, c, d),
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The words in the places of `CONTEXT`, as `SLOTS` lists them."""
        return (
            self.assay, self.platform, self.seen_platform, self.basecaller, self.pairing,
            self.read_length, self.depth, self.ploidy, self.error, *self.error_by_quality,
            self.noise, *self.slippage,
        )  # fmt: skip

    @property
    def text(self) -> str:
        """The context's line of the prompt."""
        return CONTEXT.format(*self.words)


def _nearest(value: float, levels: Sequence[float], words: Sequence[str]) -> str:
    """Return the word of the level nearest by ratio; values that are not positive are unknown."""
    if not 0 < value < inf:
        return UNKNOWN
    distances = [abs(log(value) - log(level)) for level in levels]
    return words[distances.index(min(distances))]


def _percent_word(rate: float) -> str:
    if not 0 <= rate < inf:
        return UNKNOWN
    return _nearest(max(100 * rate, PERCENTS[0]), PERCENTS, PERCENT_WORDS)


def basecaller_word(name: str) -> str:
    """Return the word for a basecalling model's name, as dna_r10.4.1_e8.2_400bps_sup@v5.0.0."""
    parts = re.findall("[a-z]+", name.lower())
    return next((word for word in BASECALLERS if word.strip() in parts), UNKNOWN)


def _known(word: str, words: Sequence[str]) -> str:
    return word if word in words else UNKNOWN
