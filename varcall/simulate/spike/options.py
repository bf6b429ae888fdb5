"""What `varcall spike` is asked for, what it reads and what it writes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from varcall.errors import UsageError
from varcall.formats.text import as_utf8
from varcall.output.checks import (
    Input,
    Output,
    file_inputs,
    file_outputs,
    reads_inputs,
    reference_inputs,
    vcf_inputs,
)
from varcall.simulate.sample_files import SUFFIXES
from varcall.simulate.spike.remap import MAPPERS


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeOptions:
    """What to spike into which reads.

    Attributes
    ----------
    reads, reference
        BAM of the background, and the FASTA that it was mapped to.
    variants
        VCFs whose indel lengths the spiked indels have.
    output
        Prefix of the sample's files.
    truth, confident
        Truth VCF of the background, and BED of where it is complete; None where it has none.
    regions
        Region strings to spike into; wherever there are reads if empty.
    variants_per_kb
        Spiked variants a kb of what can carry them.
    close_share
        Share of the events kept though they lie closer than 150 bases to another.
    depth
        Mean depth to thin the background to; None keeps all reads.
    mix, mix_share
        BAM of another sample, and the share of the bases that its reads shall have.
    mapper
        ``bwa``, ``minimap2``, ``exact``, or ``auto`` (minimap2 for long reads, else bwa).
    seed, threads
        Seed of all randomness; threads of the mapper.
    """

    reads: Path
    reference: Path
    variants: tuple[Path, ...]
    output: Path
    truth: Path | None = None
    confident: Path | None = None
    regions: tuple[str, ...] = ()
    variants_per_kb: float = 2.5
    close_share: float = 0.15
    depth: float | None = None
    mix: Path | None = None
    mix_share: float = 0.0
    mapper: str = "auto"
    seed: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        """Check what argument types cannot."""
        if not self.variants:
            raise UsageError("name a VCF whose indels set the lengths: --variants POOL.vcf.gz")
        if self.mapper not in MAPPERS:
            raise UsageError(f"mapper {self.mapper} is unknown: choose {', '.join(MAPPERS)}")
        if self.confident is not None and self.truth is None:
            raise UsageError("--confident says where --truth is complete: give both")
        if (self.mix is None) != (self.mix_share == 0) or not 0 <= self.mix_share < 1:
            raise UsageError("give --mix READS with --mix-share above 0 and below 1")
        if self.depth is not None and self.depth <= 0:
            raise UsageError("--depth must be above 0")
        place = os.path.abspath(self.output)
        if as_utf8(place) != place:
            raise UsageError(f"the output {place} holds bytes that are no UTF-8: choose another")


def spiked_outputs(options: SpikeOptions) -> list[Output]:
    """Return what `run_spike` writes."""
    return file_outputs("--output", *(f"{options.output}{suffix}" for suffix in SUFFIXES))


def spiked_inputs(options: SpikeOptions) -> list[Input]:
    """Return what `run_spike` reads."""
    return [
        *reads_inputs(options.reads),
        *([] if options.mix is None else reads_inputs(options.mix)),
        *reference_inputs(options.reference),
        *vcf_inputs("a VCF of --variants", *options.variants),
        *([] if options.truth is None else vcf_inputs("the truth", options.truth)),
        *file_inputs("the BED of --confident", options.confident),
    ]
