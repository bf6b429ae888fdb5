"""Simulate samples: genomes, libraries, reads, alignments and truth."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pysam

from varcall.errors import InputError, UsageError
from varcall.formats.simulated_origin import FIRST_HIDDEN_COPY
from varcall.formats.text import as_utf8, write_text
from varcall.inputs.contig_sequences import ContigSequences
from varcall.inputs.regions import Region, parse_region, read_bed
from varcall.output.checks import (
    Input,
    Output,
    check_outputs,
    file_inputs,
    file_outputs,
    reference_inputs,
    vcf_inputs,
)
from varcall.simulate.edits import read_truth, write_truth
from varcall.simulate.genome import (
    Genome,
    make_diverged_copy,
    make_genome,
    make_paralog,
    random_reference,
)
from varcall.simulate.library import LIBRARIES, Library, draw_library, typical_library
from varcall.simulate.long_reads.library import LONG_FLANKS, LongLibrary
from varcall.simulate.long_reads.mapping import LongMapper
from varcall.simulate.long_reads.sample import (
    check_platform,
    choose_library,
    molecules_of,
    open_long_mapper,
)
from varcall.simulate.long_reads.sequencer import LongSequencer
from varcall.simulate.mapping import (
    Placement,
    bwa_index,
    lower_mapq,
    map_with_bwa,
    place_exactly,
)
from varcall.simulate.noise import base_codes
from varcall.simulate.sample_files import SUFFIXES, SimulatedSample, publish, work_folder
from varcall.simulate.sequencer import Sequencer
from varcall.simulate.tiles import FLANK, draw_tiles, overlapping

logger = logging.getLogger(__name__)

MAPPERS = ("auto", "bwa", "exact")
#: The platform of short reads; those of long reads are `long_reads.library.CHEMISTRIES`.
SHORT_PLATFORM = "illumina"
#: Contig of a random genome.
RANDOM_CONTIG = "sim"


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What to simulate.

    Attributes
    ----------
    reference
        FASTA, plain or bgzipped; None with ``random_genome``.
    truths
        Truth VCFs (indexed) whose variants the genomes carry.
    output
        Prefix of a single sample; None with ``directory``.
    directory
        Directory of a set of samples (sample_0001.bam ...).
    samples, first_sample, sample_size
        How many samples, the number of the first, and bases of each.
    regions
        Region strings; the whole reference where empty.
    exclude
        BED files of stretches that no read may be simulated from.
    random_genome
        Bases of a random reference to make, 0 for none.
    depth
        Lowest and highest mean depth.
    variants_per_kb
        Density that mutation fills up to; 0 leaves the truths as they are.
    paralog_rate
        Probability that a sample has a hidden paralog.
    library
        ``random`` (every sample its own), ``typical`` (a good PCR-free 2x150 run), or a name of
        ``varcall.simulate.library.LAYOUTS`` or ``TRAITS`` (otherwise drawn at random).
    library_values
        Attributes of the library of short reads that are set to these values, not drawn.
    platform
        ``illumina``, ``hifi`` or ``ont``.
    mapper
        ``bwa`` (of long reads ``minimap2``), ``exact``, or ``auto`` (the mapper of the platform
        where it is on PATH).
    sample_name
        SM of a single sample.
    seed, threads
        Seed of all randomness; threads of bwa.
    """

    reference: Path | None
    output: Path | None = None
    directory: Path | None = None
    truths: tuple[Path, ...] = ()
    samples: int = 1
    first_sample: int = 1
    sample_size: int = 80_000
    regions: tuple[str, ...] = ()
    exclude: tuple[Path, ...] = ()
    random_genome: int = 0
    depth: tuple[float, float] = (40.0, 80.0)
    variants_per_kb: float = 2.75
    paralog_rate: float = 0.03
    library: str = "random"
    library_values: Mapping[str, Any] = field(default_factory=dict)
    platform: str = SHORT_PLATFORM
    mapper: str = "auto"
    sample_name: str = "simulated"
    seed: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        if (self.output is None) == (self.directory is None):
            raise UsageError("give either an output prefix (-o) or a directory (--out-dir)")
        if (self.reference is None) != (self.random_genome > 0):
            raise UsageError("give either a reference (--ref) or --random-genome SIZE")
        if self.is_long:
            check_platform(self.platform, self.mapper, self.library)
        elif self.mapper not in MAPPERS:
            raise UsageError(f"mapper {self.mapper} is unknown: choose {', '.join(MAPPERS)}")
        if self.library not in LIBRARIES:
            raise UsageError(f"library {self.library} is unknown: choose {', '.join(LIBRARIES)}")
        known = () if self.is_long else tuple(item.name for item in fields(Library))
        if unknown := sorted(set(self.library_values) - set(known)):
            raise UsageError(f"libraries of {self.platform} reads have no {', '.join(unknown)}")
        if not 0 < self.depth[0] <= self.depth[1]:
            raise UsageError("depth must be above 0, and its lower bound first")
        # samtools' commands, which pysam runs, take no other names.
        place = os.path.abspath(self.directory or self.output or "")
        for what, name in ((f"the output {place}", place), ("--sample-name", self.sample_name)):
            if as_utf8(name) != name:
                raise UsageError(f"{what} holds bytes that are no UTF-8: choose another name")

    @property
    def is_long(self) -> bool:
        """Whether the reads are long ones."""
        return self.platform != SHORT_PLATFORM

    @property
    def flank(self) -> int:
        """Bases simulated on both sides of a tile."""
        return LONG_FLANKS[self.platform] if self.is_long else FLANK


def run_simulate(options: SimulateOptions) -> list[SimulatedSample]:
    """Simulate what ``options`` ask for; returns the files of every sample.

    Each sample appears at once when it is finished, its JSON last; its content depends on the
    seed and its number alone.

    Raises
    ------
    InputError
        If an input is missing or does not fit the others.
    OutputError
        If the output cannot be written.
    """
    check_outputs(simulated_outputs(options), _inputs(options))
    home = options.directory or (options.output or Path()).parent
    with work_folder(home, ".simulate_") as work:
        if options.reference is None:
            made = _write_random_reference(options)
            options = replace(options, reference=made, random_genome=0)
        return _simulate_all(options, work)


def simulated_outputs(options: SimulateOptions) -> list[Output]:
    """Return what `run_simulate` writes."""
    option = "--output" if options.directory is None else "--out-dir"
    count = 1 if options.directory is None else options.samples
    numbers = range(options.first_sample, options.first_sample + count)
    made = [] if options.reference is not None else [_random_reference_path(options)]
    return [
        *([] if options.directory is None else [Output(option, options.directory, is_folder=True)]),
        *file_outputs(option, *(f"{path}{suffix}" for path in made for suffix in ("", ".fai"))),
        *file_outputs(
            option,
            *(f"{_prefix(options, n)}{suffix}" for n in numbers for suffix in SUFFIXES),
        ),
    ]


def _inputs(options: SimulateOptions) -> list[Input]:
    return [
        *reference_inputs(options.reference),
        *vcf_inputs("a truth", *options.truths),
        *file_inputs("a BED of --exclude", *options.exclude),
    ]


def _random_reference_path(options: SimulateOptions) -> Path:
    if options.directory is None:
        return Path(f"{options.output}.fa")
    return options.directory / "ref.fa"


def _sample_name(options: SimulateOptions, number: int) -> str:
    return options.sample_name if options.directory is None else f"sample_{number:04d}"


def _prefix(options: SimulateOptions, number: int) -> Path:
    if options.directory is None:
        return options.output or Path(options.sample_name)
    return options.directory / _sample_name(options, number)


def simulate_demo(
    prefix: Path, *, seed: int = 1, genome_size: int = 40_000, depth: float = 30.0
) -> SimulatedSample:
    """Simulate one small sample on a random genome, with no mapper and no input files.

    Parameters
    ----------
    prefix
        Output prefix; the reference becomes PREFIX.fa.
    seed
        Seed of all randomness.
    genome_size
        Bases of the random reference.
    depth
        Mean depth.
    """
    return run_simulate(
        SimulateOptions(
            reference=None,
            output=prefix,
            random_genome=genome_size,
            depth=(depth, depth),
            variants_per_kb=1.5,
            library="typical",
            mapper="exact",
            sample_name="demo",
            seed=seed,
        )
    )[0]


def _write_random_reference(options: SimulateOptions) -> Path:
    path = _random_reference_path(options)
    text = random_reference(options.random_genome, np.random.default_rng([options.seed, 0xFA]))
    lines = [text[i : i + 60] for i in range(0, len(text), 60)]
    path.write_text(f">{RANDOM_CONTIG}\n" + "\n".join(lines) + "\n")
    pysam.faidx(str(path))
    return path


def _simulate_all(options: SimulateOptions, work: Path) -> list[SimulatedSample]:
    reference = options.reference or Path()
    with ContigSequences(reference) as genome:
        tiles = _tiles(options, genome)
        long_mapper = None
        if options.is_long:
            long_mapper = open_long_mapper(
                reference, options.platform, options.mapper, work, options.threads
            )
        wants_bwa = options.mapper == "bwa" or (options.mapper == "auto" and _has_bwa())
        use_bwa = wants_bwa and not options.is_long
        if use_bwa and not _has_bwa():
            raise InputError("bwa is not on PATH: install it, or use the exact mapper")
        index = bwa_index(reference, work) if use_bwa else None
        made = []
        for number, tile in tiles:
            name = _sample_name(options, number)
            maker = _SampleMaker(options, genome, index, long_mapper, work, number, name)
            made.append(maker.make(tile, _prefix(options, number)))
            logger.info("simulated %s on %s", name, tile)
    return made


def _has_bwa() -> bool:
    return shutil.which("bwa") is not None


def _tiles(options: SimulateOptions, genome: ContigSequences) -> list[tuple[int, Region]]:
    """Numbered tiles of the samples."""
    contigs = genome.lengths
    regions = [parse_region(r, contigs) for r in options.regions] or [
        Region(c, 0, n) for c, n in contigs.items()
    ]
    excluded = [region for bed in options.exclude for region in read_bed(bed, contigs)]
    if options.directory is None:
        if len(regions) > 1:
            raise UsageError("a single sample covers one region: name it with -r")
        region, flank = regions[0], options.flank if options.is_long else 0
        clash = overlapping(
            Region(region.contig, max(region.start - flank, 0), region.end + flank), excluded
        )
        if clash is not None:
            around = f", with the {flank} bases on both sides," if flank else ""
            raise InputError(
                f"{region}{around} holds {clash}, which is excluded: choose another region"
            )
        return [(options.first_sample, regions[0])]
    count = options.first_sample + options.samples - 1
    drawn = draw_tiles(
        genome, regions, excluded, options.sample_size, count, options.seed, options.flank
    )
    numbered = list(enumerate(drawn, 1))
    return numbered[options.first_sample - 1 :]


@dataclass(frozen=True, slots=True)
class _SampleMaker:
    """Makes one sample, in a work directory first."""

    options: SimulateOptions
    genome: ContigSequences
    index: Path | None
    long_mapper: LongMapper | None
    work: Path
    number: int
    name: str

    def make(self, tile: Region, prefix: Path) -> SimulatedSample:
        """Simulate ``tile`` and move the finished files to ``prefix``.*."""
        options = self.options
        rng = np.random.default_rng([options.seed, self.number])
        length = self.genome.lengths[tile.contig]
        flank = options.flank
        start, end = max(tile.start - flank, 0), min(tile.end + flank, length)
        reference = re.sub("[^ACGT]", "N", self.genome.fetch(tile.contig, start, end))
        truths = [
            read_truth(vcf, tile.contig, start, end, reference, start) for vcf in options.truths
        ]
        person, other = make_genome(
            tile.contig, start, reference, truths, options.variants_per_kb, rng,
            mix_truths=options.directory is not None,
        )  # fmt: skip
        draft = self.work / self.name
        placement = Placement(tuple(self.genome.lengths.items()), tile.contig, start, self.name)
        if self.long_mapper is not None:
            self._make_long(self.long_mapper, tile, placement, draft, person, other, rng)
            return publish(draft, prefix, self.options.reference or Path())
        if options.library == "typical":
            library = typical_library(sum(options.depth) / 2)
        else:
            library = draw_library(rng, options.depth, options.paralog_rate, options.library)
        library = replace(library, **options.library_values)
        molecules = [person.molecule(0), person.molecule(1)]
        if library.contamination > 0:
            molecules += other.contaminants()
        diverged = int(rng.poisson(library.diverged_copies * len(reference) / 100_000))
        for number in range(library.paralogs + diverged):
            make = make_paralog if number < library.paralogs else make_diverged_copy
            copy = make(person, FIRST_HIDDEN_COPY + number, rng)
            molecules += [] if copy is None else [copy]
        sequencer = Sequencer(molecules, base_codes(reference.encode()), library, rng)
        placement = replace(
            placement,
            has_proper_flag=library.has_proper_flag,
            has_qualities=library.has_qualities,
        )
        pairs = self._align(sequencer, placement, draft, library, rng)
        mapper = "exact" if self.index is None else "bwa mem"
        self._write_truth(draft, tile, placement, person, other, library, mapper, pairs)
        return publish(draft, prefix, self.options.reference or Path())

    def _make_long(
        self,
        mapper: LongMapper,
        tile: Region,
        placement: Placement,
        draft: Path,
        person: Genome,
        other: Genome,
        rng: np.random.Generator,
    ) -> None:
        """Write the files of a long-read sample to ``draft``.*."""
        options = self.options
        library = choose_library(
            options.platform, options.library, options.depth, options.paralog_rate, rng
        )
        inner = (tile.start - placement.start, tile.end - placement.start)
        molecules = molecules_of(person, other, library, rng)
        sequencer = LongSequencer(molecules, len(person.reference), inner, library, rng)
        raw = Path(f"{draft}.raw.bam")
        reads = mapper.map(sequencer.reads(), placement, library, raw)
        pysam.sort("--no-PG", "-o", f"{draft}.bam", "-T", f"{draft}.sort", str(raw))
        raw.unlink()
        pysam.index(f"{draft}.bam")
        name = "exact" if mapper.index is None else "minimap2"
        self._write_truth(draft, tile, placement, person, other, library, name, reads)

    def _write_truth(
        self,
        draft: Path,
        tile: Region,
        placement: Placement,
        person: Genome,
        other: Genome,
        library: Library | LongLibrary,
        mapper: str,
        count: int,
    ) -> None:
        """Write the truth, the region and the description of a sample."""
        records = write_truth(
            Path(f"{draft}.truth.vcf.gz"), placement.contigs, tile.contig, self.name,
            person.haplotypes, person.reference, person.start,
            other.haplotypes if library.contamination > 0 else ((), ()),
        )  # fmt: skip
        write_text(Path(f"{draft}.bed"), f"{tile.contig}\t{tile.start}\t{tile.end}\n")
        description = {
            "sample": self.name,
            "region": str(tile),
            "seed": [self.options.seed, self.number],
            "mapper": mapper,
            "fragments": count,
            "truth_records": records,
            "variants_per_kb": self.options.variants_per_kb,
            "library": library.describe(),
        }
        Path(f"{draft}.json").write_text(json.dumps(description, indent=1) + "\n")

    def _align(
        self,
        sequencer: Sequencer,
        placement: Placement,
        draft: Path,
        library: Library,
        rng: np.random.Generator,
    ) -> int:
        raw, aligned = Path(f"{draft}.raw.bam"), Path(f"{draft}.bam")
        if self.index is None:
            pairs = place_exactly(sequencer.batches(), placement, raw)
        else:
            pairs = map_with_bwa(
                sequencer.batches(), placement, self.index, raw, self.work, self.options.threads
            )
        sort = ["-o", str(aligned), "-T", f"{draft}.sort", str(raw)]
        if library.mapq_noise == 0.0:
            pysam.sort("--no-PG", *sort)
        else:
            noisy = Path(f"{draft}.noisy.bam")
            stretches = _noisy_stretches(placement, library, sequencer.size, rng)
            with (
                pysam.AlignmentFile(str(raw)) as source,
                pysam.AlignmentFile(str(noisy), "wbu", header=source.header) as sink,
            ):
                for read in lower_mapq(source, stretches, rng):
                    sink.write(read)
            pysam.sort("--no-PG", *sort[:-1], str(noisy))
            noisy.unlink()
        raw.unlink()
        pysam.index(str(aligned))
        return pairs


def _noisy_stretches(
    placement: Placement, library: Library, size: int, rng: np.random.Generator
) -> list[tuple[int, int, float]]:
    """Stretches (start, end, share of reads) whose mapping qualities are to be lowered."""
    out = []
    for _ in range(int(rng.poisson(library.mapq_noise * size / 100_000))):
        start = placement.start + int(rng.integers(0, size))
        out.append((start, start + int(rng.integers(200, 3000)), float(rng.uniform(0.1, 1.0))))
    return out
