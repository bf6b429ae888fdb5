"""`varcall spike`: real reads with variants spiked into them, and what is certain about them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pysam
from numpy.typing import NDArray

from varcall.errors import InputError, OutputError, UsageError
from varcall.formats.text import as_utf8, write_text
from varcall.inputs.contig_sequences import ContigSequences
from varcall.inputs.regions import Region, merge_regions, parse_region, read_bed
from varcall.output.checks import (
    Input,
    Output,
    check_outputs,
    file_inputs,
    file_outputs,
    reads_inputs,
    reference_inputs,
    vcf_inputs,
)
from varcall.simulate.run import SimulatedSample
from varcall.simulate.spectrum import Spectrum, read_spectrum
from varcall.simulate.spike.background import (
    Background,
    Columns,
    count_columns,
    load_fragments,
    mixed_in,
    stretches_of,
)
from varcall.simulate.spike.haplotyping import Haplotyper, SpikedStretch
from varcall.simulate.spike.phasing import (
    assign_haplotypes,
    by_contig,
    hets_of_columns,
    phased,
    truth_hets,
    with_reference,
)
from varcall.simulate.spike.placing import Placer, block, block_doubtful, free_bases
from varcall.simulate.spike.remap import MAPPERS, Edited, Mapping, choose_mapper, remap
from varcall.simulate.spike.truth import (
    RealRecord,
    main_phase_set,
    phased_edits,
    real_records,
    write_spiked_truth,
)

logger = logging.getLogger(__name__)

#: A spiked sample's files, in the order in which they appear.
_SUFFIXES = (".truth.vcf.gz", ".truth.vcf.gz.tbi", ".bed", ".bam.bai", ".bam", ".json")
#: Bases around a site whose label is certain where nothing else is.
_AROUND = 10


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


def run_spike(options: SpikeOptions) -> SimulatedSample:
    """Spike variants into real reads; returns the sample's files, its JSON made last.

    Raises
    ------
    InputError
        If an input is missing or does not fit the others.
    OutputError
        If the output cannot be written.
    """
    check_outputs(spiked_outputs(options), _inputs(options))
    home = options.output.parent
    try:
        home.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".spike_", dir=home))
    except OSError as error:
        raise OutputError(f"{home} cannot be written to: {error.strerror}") from error
    try:
        with ContigSequences(options.reference) as genome:
            _Spiker(options, genome, work).make()
        for suffix in _SUFFIXES:
            os.replace(work / f"sample{suffix}", f"{options.output}{suffix}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    prefix = options.output
    return SimulatedSample(
        Path(f"{prefix}.bam"), Path(f"{prefix}.truth.vcf.gz"), Path(f"{prefix}.bed"),
        Path(f"{prefix}.json"), options.reference,
    )  # fmt: skip


def spiked_outputs(options: SpikeOptions) -> list[Output]:
    """Return what `run_spike` writes."""
    return file_outputs("--output", *(f"{options.output}{suffix}" for suffix in _SUFFIXES))


def _inputs(options: SpikeOptions) -> list[Input]:
    return [
        *reads_inputs(options.reads),
        *([] if options.mix is None else reads_inputs(options.mix)),
        *reference_inputs(options.reference),
        *vcf_inputs("a VCF of --variants", *options.variants),
        *([] if options.truth is None else vcf_inputs("the truth", options.truth)),
        *file_inputs("the BED of --confident", options.confident),
    ]


class _Spiker:
    """Makes one sample in a work directory."""

    def __init__(self, options: SpikeOptions, genome: ContigSequences, work: Path) -> None:
        self._options = options
        self._genome = genome
        self._work = work
        self._rng = np.random.default_rng([options.seed, 0x5B1CE])
        self._regions = merge_regions(
            [parse_region(r, genome.lengths) for r in options.regions], genome.lengths
        )
        self._confident = self._confident_regions()

    def make(self) -> None:
        """Write the files of the sample."""
        options = self._options
        spectrum = read_spectrum(options.variants)
        background = self._background()
        mapper = choose_mapper(options.mapper, background)
        columns = count_columns(background)
        real = {
            c.stretch: [] if options.truth is None else real_records(options.truth, c.stretch)
            for c in columns
        }
        phase_set = main_phase_set(r for found in real.values() for r in found)
        spiked = [self._place(c, real[c.stretch], spectrum) for c in columns]
        if not any(s.spiked.extents for s in spiked):
            raise InputError(
                f"{options.reads} has no stretch free of variants to spike into: give other regions"
            )
        haplotypes = self._haplotypes(background, columns, real, phase_set)
        haplotyper = Haplotyper(background, spiked, haplotypes)
        edited = [haplotyper.edit(fragment) for fragment in background.fragments]
        self._write_reads(edited, background, Mapping(mapper, options.threads, self._work))
        groups = background.header.get("RG", [])
        records = [r for c in columns for r in real[c.stretch] if self._is_inside(r)]
        write_spiked_truth(
            self._work / "sample.truth.vcf.gz", list(self._genome.lengths.items()),
            str(groups[0].get("SM", "spiked")) if groups else "spiked", records, phase_set,
            [(s.stretch, s.spiked) for s in spiked], self._work,
        )  # fmt: skip
        self._write_bed(spiked, records)
        self._describe(background, columns, spiked, edited, mapper)

    def _background(self) -> Background:
        options = self._options
        loaded = load_fragments(options.reads, self._regions)
        if options.depth is not None:
            share = options.depth / self._depth(loaded.header, loaded.fragments)
            kept = tuple(f for f in loaded.fragments if self._chosen(f.molecule, share))
            if not kept:
                raise InputError(f"no read is left of {options.reads} at --depth {options.depth}")
            loaded = replace(loaded, fragments=kept)
        if options.mix is not None:
            other = load_fragments(options.mix, self._regions)
            loaded = mixed_in(loaded, other, options.mix_share, self._chosen)
        stretches = stretches_of(options.reads, loaded.fragments, self._genome)
        return Background(loaded.header, stretches, loaded.fragments, loaded.left_out)

    def _depth(self, header: dict[str, Any], fragments: Sequence[Any]) -> float:
        """Median depth of the bases that have reads."""
        stretches = stretches_of(self._options.reads, fragments, self._genome)
        columns = count_columns(Background(header, stretches, tuple(fragments), 0))
        depth = np.concatenate([c.depth for c in columns])
        return float(np.median(depth[depth > 0])) if (depth > 0).any() else 1.0

    def _chosen(self, name: str, share: float) -> bool:
        """Draw whether a fragment is in a share of all, by its name."""
        return zlib.crc32(f"kept/{self._options.seed}/{name}".encode()) < share * 2**32

    def _confident_regions(self) -> tuple[Region, ...] | None:
        if self._options.confident is None:
            return None
        known = read_bed(self._options.confident, self._genome.lengths)
        return merge_regions(known, self._genome.lengths)

    def _place(
        self, columns: Columns, real: Sequence[RealRecord], spectrum: Spectrum
    ) -> SpikedStretch:
        options, stretch = self._options, columns.stretch
        asked = self._regions or (Region(stretch.contig, stretch.start, stretch.end),)
        free = free_bases(columns, _spans(asked, stretch.contig))
        if self._confident is None:
            block_doubtful(free, columns)
        else:
            free &= free_bases(columns, _spans(self._confident, stretch.contig))
        for record in real:
            block(free, record.start - stretch.start, record.end - stretch.start)
        wanted = round(options.variants_per_kb * int(free.sum()) / 1000)
        placer = Placer(stretch, free, spectrum, options.close_share, self._rng)
        return SpikedStretch(stretch, placer.place(wanted))

    def _haplotypes(
        self,
        background: Background,
        columns: Sequence[Columns],
        real: dict[Any, list[RealRecord]],
        phase_set: str,
    ) -> dict[str, int]:
        """Haplotype of each molecule, by the truth's phased variants or by those of the reads."""
        ours = [f for f in background.fragments if not f.is_foreign]
        truth = self._options.truth
        known = [] if truth is None else [
            het
            for stretch, records in real.items()
            for het in truth_hets(
                stretch.contig, phased_edits(truth, stretch, records, phase_set)
            )
        ]  # fmt: skip
        if known:
            hets = by_contig(with_reference(known, columns))
        else:
            hets = phased(hets_of_columns(columns), ours)
        return assign_haplotypes(ours, hets, self._options.seed)

    def _write_reads(
        self, edited: Sequence[Edited], background: Background, mapping: Mapping
    ) -> None:
        raw, final = self._work / "raw.bam", self._work / "sample.bam"
        header = pysam.AlignmentHeader.from_dict(background.header)
        with pysam.AlignmentFile(str(raw), "wbu", header=header) as bam:
            for record in remap(edited, background, mapping):
                bam.write(record)
        pysam.sort("--no-PG", "-o", str(final), "-T", str(self._work / "sort"), str(raw))
        pysam.index(str(final))

    def _is_inside(self, record: RealRecord) -> bool:
        spans = _spans(self._regions, record.contig)
        return not self._regions or any(s <= record.start < e for s, e in spans)

    def _write_bed(self, spiked: Sequence[SpikedStretch], real: Sequence[RealRecord]) -> None:
        """Where labels are certain: in the confident regions, else around what is known."""
        if self._confident is not None:
            certain = [
                Region(one.contig, max(one.start, other.start), min(one.end, other.end))
                for one in self._confident
                for other in self._covered(spiked)
                if one.contig == other.contig and one.start < other.end and other.start < one.end
            ]
        else:
            sites = [(s.stretch.contig, *extent) for s in spiked for extent in s.spiked.extents]
            sites += [(r.contig, r.start, r.end) for r in real]
            lengths = self._genome.lengths
            certain = [
                Region(contig, max(start - _AROUND, 0), min(end + _AROUND, lengths[contig]))
                for contig, start, end in sites
            ]
        merged = merge_regions(certain, self._genome.lengths)
        text = "".join(f"{r.contig}\t{r.start}\t{r.end}\n" for r in merged)
        write_text(self._work / "sample.bed", text)

    def _covered(self, spiked: Sequence[SpikedStretch]) -> Sequence[Region]:
        return self._regions or [
            Region(s.stretch.contig, s.stretch.start, s.stretch.end) for s in spiked
        ]

    def _describe(
        self,
        background: Background,
        columns: Sequence[Columns],
        spiked: Sequence[SpikedStretch],
        edited: Sequence[Edited],
        mapper: str,
    ) -> None:
        options = self._options
        edits = [e for s in spiked for e in {*s.spiked.haplotypes[0], *s.spiked.haplotypes[1]}]
        depth: NDArray[np.int64] = np.concatenate([c.depth for c in columns])
        description = {
            "background": options.reads.name,
            "truth": None if options.truth is None else options.truth.name,
            "regions": list(options.regions),
            "seed": options.seed,
            "mapper": mapper,
            "depth": round(float(np.median(depth[depth > 0])), 1),
            "fragments": len(background.fragments),
            "fragments_left_out": background.left_out,
            "reads_changed": sum(sum(one.changed) for one in edited),
            "spiked_snvs": sum(e.is_snv for e in edits),
            "spiked_indels": sum(not e.is_snv for e in edits),
            "library": {"contamination": options.mix_share or None},
            "mixed": None if options.mix is None else options.mix.name,
        }
        text = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
        write_text(self._work / "sample.json", text)


def _spans(regions: Sequence[Region], contig: str) -> list[tuple[int, int]]:
    return [(r.start, r.end) for r in regions if r.contig == contig]
