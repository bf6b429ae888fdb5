"""``varcall joint``: gVCFs of several samples to one VCF.

All gVCFs are read side by side, contig by contig; of each sample only the records that cover the
position at hand are kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from varcall.errors import InputError, UsageError
from varcall.inputs.sex_chromosomes import find_x, find_y, is_mitochondrial
from varcall.joint.gvcf_input import Gvcf, GvcfRecord
from varcall.joint.inheritance import refined
from varcall.joint.lines import header_text, site_line
from varcall.joint.pedigree import Family, read_families
from varcall.joint.sites import Site, sites_at
from varcall.options import DEFAULT_DE_NOVO_PRIOR, STDOUT
from varcall.output.atomic import check_writable
from varcall.output.checks import check_outputs, file_inputs, vcf_inputs, vcf_outputs
from varcall.output.provenance import normalised_command
from varcall.output.vcf_writer import OutputType, open_vcf

_Keyed = tuple[int, int, int, GvcfRecord]  # start; number of the sample, of the record; the record


@dataclass(frozen=True, slots=True)
class JointOptions:
    """Options of `varcall joint`.

    Attributes
    ----------
    inputs
        gVCFs, one of each sample, in the order of the columns.
    output
        Output path, or "-" for standard output.
    ped
        Pedigree of the samples; None for samples that are not related.
    de_novo_prior
        Prior of one allele that is not inherited.
    output_type
        v, z[0-9], u or b[0-9]; None for the type that the suffix names.
    write_index
        Index a .vcf.gz or .bcf output.
    """

    inputs: tuple[Path, ...]
    output: str = STDOUT
    ped: Path | None = None
    de_novo_prior: float = DEFAULT_DE_NOVO_PRIOR
    output_type: str | None = None
    write_index: bool = True


def call_jointly(options: JointOptions) -> None:
    """Write one VCF of several gVCFs.

    Raises
    ------
    UsageError
        There is nothing to join, or an option is out of range.
    InputError
        A gVCF is unreadable, unsorted, or of another reference than the others; two are of one
        sample; the pedigree is malformed.
    OutputError
        When the output cannot be written.
    """
    output_type = OutputType.of(options.output, options.output_type)
    if not options.inputs:
        raise UsageError("nothing to join: name the gVCFs of the samples")
    if not 0 < options.de_novo_prior <= 0.05:
        raise UsageError("--de-novo-prior must be above 0 and at most 0.05")
    inputs = vcf_inputs("an input", *options.inputs)
    inputs += file_inputs("the pedigree", options.ped)
    check_outputs(vcf_outputs("--output", options.output), inputs)
    check_writable(options.output)
    with ExitStack() as stack:
        gvcfs = [Gvcf(path) for path in options.inputs]
        for gvcf in gvcfs:
            stack.callback(gvcf.close)
        _check_together(gvcfs)
        families: tuple[Family, ...] = ()
        if options.ped is not None:
            families = read_families(options.ped, [gvcf.sample for gvcf in gvcfs])
        header = header_text(
            [gvcf.sample for gvcf in gvcfs],
            _contigs_with_md5(gvcfs),
            normalised_command("joint", options),
            with_family=bool(families),
        )
        with open_vcf(
            options.output, header, output_type, write_index=options.write_index
        ) as writer:
            writer.write_sorted(_lines(gvcfs, families, options.de_novo_prior))


def _check_together(gvcfs: Sequence[Gvcf]) -> None:
    first = gvcfs[0]
    by_sample: dict[str, Path] = {}
    for gvcf in gvcfs:
        if gvcf.sample in by_sample:
            raise InputError(
                f"{by_sample[gvcf.sample]} and {gvcf.path} are both of the sample {gvcf.sample}; "
                "leave one out, or call one again with --sample-name"
            )
        by_sample[gvcf.sample] = gvcf.path
        name = _differing_contig(first, gvcf)
        if name is not None:
            raise InputError(
                f"{first.path} and {gvcf.path} are of other references: contig {name} is not the "
                "same in both headers; call all samples against one reference"
            )


def _differing_contig(one: Gvcf, other: Gvcf) -> str | None:
    ours, theirs = list(one.contigs.items()), list(other.contigs.items())
    for mine, its in zip(ours, theirs, strict=False):
        if mine != its:
            return mine[0]
    if len(ours) != len(theirs):
        return max(ours, theirs, key=len)[min(len(ours), len(theirs))][0]
    stated = other.md5s
    return next(
        (name for name, md5 in one.md5s.items() if stated.get(name, md5) != md5),
        None,
    )


def _contigs_with_md5(gvcfs: Sequence[Gvcf]) -> list[tuple[str, int, str | None]]:
    md5s = {name: md5 for gvcf in gvcfs for name, md5 in gvcf.md5s.items()}
    return [(name, length, md5s.get(name)) for name, length in gvcfs[0].contigs.items()]


def _lines(
    gvcfs: Sequence[Gvcf], families: Sequence[Family], de_novo_prior: float
) -> Iterator[str]:
    contigs = gvcfs[0].contigs
    samples = [gvcf.sample for gvcf in gvcfs]
    for contig in contigs:
        elsewhere = _Inheritance(contigs, contig)
        for site in _sites(gvcfs, contig):
            if families and elsewhere.is_autosomal(site.start):
                yield site_line(refined(site, families, de_novo_prior), samples, families)
            else:
                yield site_line(site, samples, families)


class _Inheritance:
    """Where on a contig children have one allele of each parent."""

    def __init__(self, contigs: dict[str, int], contig: str) -> None:
        sexed = [x_or_y for x_or_y in (find_x(contigs), find_y(contigs)) if x_or_y is not None]
        self._own = next((one for one in sexed if one.name == contig), None)
        self._is_mitochondrial = is_mitochondrial(contig, contigs[contig])

    def is_autosomal(self, start: int) -> bool:
        """Whether a position is on an autosome or where X and Y pair."""
        if self._own is None:
            return not self._is_mitochondrial
        return any(begin <= start < end for begin, end in self._own.par or ())


def _sites(gvcfs: Sequence[Gvcf], contig: str) -> Iterator[Site]:
    covering: list[list[GvcfRecord]] = [[] for _ in gvcfs]
    for start, group in groupby(_merged(gvcfs, contig), key=itemgetter(0)):
        is_called = False
        for _, sample, _, record in group:
            covering[sample] = [one for one in covering[sample] if one.end > start]
            covering[sample].append(record)
            is_called = is_called or bool(record.called)
        if is_called:
            yield from sites_at(
                contig, start, [[one for one in own if one.end > start] for own in covering]
            )


def _merged(gvcfs: Sequence[Gvcf], contig: str) -> Iterator[_Keyed]:
    return heapq.merge(*(_keyed(sample, gvcf.records(contig)) for sample, gvcf in enumerate(gvcfs)))


def _keyed(sample: int, records: Iterable[GvcfRecord]) -> Iterator[_Keyed]:
    for number, record in enumerate(records):
        yield record.start, sample, number, record
