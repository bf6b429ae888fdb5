"""`varcall spike`: real reads with variants spiked into them, and what is certain about them."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
from numpy.typing import NDArray

from varcall.errors import InputError
from varcall.formats.text import write_text
from varcall.inputs.contig_sequences import ContigSequences
from varcall.inputs.regions import Region, merge_regions, parse_region, read_bed
from varcall.output.checks import check_outputs
from varcall.simulate.sample_files import SimulatedSample, publish, work_folder
from varcall.simulate.spectrum import Spectrum, read_spectrum
from varcall.simulate.spike.background import (
    Background,
    Columns,
    count_columns,
    load_fragments,
    mixed_in,
    stretches_of,
)
from varcall.simulate.spike.editing import Stretch
from varcall.simulate.spike.haplotyping import Haplotyper, SpikedStretch
from varcall.simulate.spike.options import SpikeOptions, spiked_inputs, spiked_outputs
from varcall.simulate.spike.phasing import (
    assign_haplotypes,
    by_contig,
    hets_of_columns,
    phased,
    truth_hets,
    with_reference,
)
from varcall.simulate.spike.placing import Placer, block, free_bases, quiet_bases
from varcall.simulate.spike.remap import Edited, Mapping, choose_mapper, remap
from varcall.simulate.spike.truth import (
    RealRecord,
    main_phase_set,
    phased_edits,
    real_records,
    write_spiked_truth,
)

logger = logging.getLogger(__name__)

#: Bases around a record of a truth without confident regions whose labels are certain.
_AROUND = 10


def run_spike(options: SpikeOptions) -> SimulatedSample:
    """Spike variants into real reads; returns the sample's files, its JSON made last.

    Raises
    ------
    InputError
        If an input is missing or does not fit the others.
    OutputError
        If the output cannot be written.
    """
    check_outputs(spiked_outputs(options), spiked_inputs(options))
    home = options.output.parent
    with work_folder(home, ".spike_") as work:
        with ContigSequences(options.reference) as genome:
            _Spiker(options, genome, work).make()
        return publish(work / "sample", options.output, options.reference)


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
        background, whole = self._background()
        mapper = choose_mapper(options.mapper, background)
        columns = count_columns(background)
        real = {
            c.stretch: [] if options.truth is None else real_records(options.truth, c.stretch)
            for c in columns
        }
        phase_set = main_phase_set(r for found in real.values() for r in found)
        quiet = {c.stretch: quiet_bases(c) for c in whole}
        spiked = [self._place(c, quiet[c.stretch], real[c.stretch], spectrum) for c in columns]
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
        self._write_bed(self._certain(quiet, spiked, records, haplotyper))
        self._describe(background, columns, spiked, edited, mapper)

    def _background(self) -> tuple[Background, list[Columns]]:
        """The reads as they shall be, and the columns of all reads of the sample."""
        options = self._options
        loaded = load_fragments(options.reads, self._regions)
        stretches = stretches_of(options.reads, loaded.fragments, self._genome)
        whole = Background(loaded.header, stretches, loaded.fragments, loaded.left_out)
        columns = count_columns(whole)
        if options.depth is not None:
            share = options.depth / median_depth(columns)
            kept = tuple(f for f in loaded.fragments if self._chosen(f.molecule, share))
            if not kept:
                raise InputError(f"no read is left of {options.reads} at --depth {options.depth}")
            loaded = replace(loaded, fragments=kept)
        if options.mix is not None:
            other = load_fragments(options.mix, self._regions)
            loaded = mixed_in(loaded, other, options.mix_share, self._chosen)
        return replace(whole, fragments=loaded.fragments), columns

    def _chosen(self, name: str, share: float) -> bool:
        """Draw whether a fragment is in a share of all, by its name."""
        return zlib.crc32(f"kept/{self._options.seed}/{name}".encode()) < share * 2**32

    def _confident_regions(self) -> tuple[Region, ...] | None:
        if self._options.confident is None:
            return None
        known = read_bed(self._options.confident, self._genome.lengths)
        return merge_regions(known, self._genome.lengths)

    def _place(
        self,
        columns: Columns,
        quiet: NDArray[np.bool_],
        real: Sequence[RealRecord],
        spectrum: Spectrum,
    ) -> SpikedStretch:
        """Draw the variants of a stretch; `quiet` is bool [n], where no variant is already."""
        options, stretch = self._options, columns.stretch
        asked = self._regions or (Region(stretch.contig, stretch.start, stretch.end),)
        free = free_bases(columns, _spans(asked, stretch.contig))
        if self._confident is None:
            free &= quiet
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
        real: dict[Stretch, list[RealRecord]],
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

    def _certain(
        self,
        quiet: dict[Stretch, NDArray[np.bool_]],
        spiked: Sequence[SpikedStretch],
        real: Sequence[RealRecord],
        haplotyper: Haplotyper,
    ) -> list[Region]:
        """Where labels are certain: in the confident regions, else as far as the reads tell.

        Without confident regions, what could be a variant of the background is not labelled, nor
        are spiked sites whose haplotypes are as unequal: else all that is seen in so few reads
        would be true.
        """
        covered = self._covered(spiked)
        if self._confident is not None:
            return _shared(self._confident, covered)
        certain = []
        for one in spiked:
            sure, start = quiet[one.stretch].copy(), one.stretch.start
            for low, high in one.spiked.extents:
                if not haplotyper.is_balanced(one.stretch.contig, low, high):
                    block(sure, low - start, high - start)
            edges = np.flatnonzero(np.diff(np.concatenate([[False], sure, [False]]))) + start
            certain += [
                Region(one.stretch.contig, int(low), int(high))
                for low, high in zip(edges[::2], edges[1::2], strict=True)
            ]
        certain += [Region(r.contig, max(r.start - _AROUND, 0), r.end + _AROUND) for r in real]
        return _shared(certain, covered)

    def _write_bed(self, certain: Sequence[Region]) -> None:
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
        description = {
            "background": options.reads.name,
            "truth": None if options.truth is None else options.truth.name,
            "regions": list(options.regions),
            "seed": options.seed,
            "mapper": mapper,
            "depth": round(median_depth(columns), 1),
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


def median_depth(columns: Sequence[Columns]) -> float:
    """Median depth of the bases that have reads."""
    depth: NDArray[np.int64] = np.concatenate([c.depth for c in columns])
    return float(np.median(depth[depth > 0])) if (depth > 0).any() else 1.0


def _shared(some: Sequence[Region], others: Sequence[Region]) -> list[Region]:
    """What lies in one of `some` and in one of `others`."""
    return [
        Region(one.contig, max(one.start, other.start), min(one.end, other.end))
        for one in some
        for other in others
        if one.contig == other.contig and one.start < other.end and other.start < one.end
    ]


def _spans(regions: Sequence[Region], contig: str) -> list[tuple[int, int]]:
    return [(r.start, r.end) for r in regions if r.contig == contig]
