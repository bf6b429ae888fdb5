"""``varcall show``: the pileups of a locus, or of the loci of a VCF, as annotated pictures."""

from pathlib import Path
from typing import Annotated

import typer

from varcall import options as defaults
from varcall.cli.arguments import (
    AllowOtherReference,
    ExcludeFlags,
    HaploidContigs,
    Index,
    MaxDepth,
    MinAltCountIndel,
    MinAltCountSnv,
    MinAltFractionIndel,
    MinAltFractionSnv,
    MinBaseQuality,
    MinMapq,
    Model,
    ParBed,
    Ploidy,
    PloidyBed,
    Reads,
    Realign,
    Reference,
    Sample,
    Sex,
    comma_list,
)
from varcall.errors import UsageError


def show(
    reads: Reads,
    *,
    reference: Reference,
    position: Annotated[
        str | None,
        typer.Option("-r", "--position", metavar="CONTIG:POS", help="Position to show (1-based)."),
    ] = None,
    vcf: Annotated[
        Path | None,
        typer.Option(help="Show the loci of this VCF instead, such as fp.vcf.gz of varcall eval."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="PNG to write, numbered if several; with --vcf .html, .png or a folder. "
            "[locus.png; loci.html]",
        ),
    ] = None,
    alt: Annotated[
        str | None,
        typer.Option(help="With -r: ALT allele, or two separated by a comma; all if not given."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="With --vcf: maximum number of loci. [100]")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", help="With --vcf: show snp or indel only.")
    ] = None,
    index: Index = None,
    allow_other_reference: AllowOtherReference = False,
    sample: Sample = None,
    min_mapq: MinMapq = defaults.DEFAULT_MIN_MAPQ,
    min_base_quality: MinBaseQuality = defaults.DEFAULT_MIN_BASE_QUALITY,
    exclude_flags: ExcludeFlags = defaults.DEFAULT_EXCLUDE_FLAGS,
    max_depth: MaxDepth = defaults.DEFAULT_MAX_DEPTH,
    min_alt_count_snv: MinAltCountSnv = defaults.DEFAULT_MIN_ALT_COUNT,
    min_alt_count_indel: MinAltCountIndel = defaults.DEFAULT_MIN_ALT_COUNT,
    min_alt_fraction_snv: MinAltFractionSnv = defaults.DEFAULT_MIN_ALT_FRACTION_SNV,
    min_alt_fraction_indel: MinAltFractionIndel = defaults.DEFAULT_MIN_ALT_FRACTION_INDEL,
    ploidy: Ploidy = 2,
    haploid_contigs: HaploidContigs = "",
    sex: Sex = None,
    par_bed: ParBed = None,
    ploidy_bed: PloidyBed = None,
    realign: Realign = True,
    model: Model = defaults.DEFAULT_MODEL,
) -> None:
    """Draw the pileup pictures of candidates, with the model's questions and answers."""
    if (position is None) == (vcf is None):
        raise UsageError("give either one place (-r CONTIG:POS) or the loci of a VCF (--vcf)")
    call = defaults.CallOptions(
        reads=reads,
        reference=reference,
        index=index,
        allow_other_reference=allow_other_reference,
        sample=sample,
        min_mapq=min_mapq,
        min_base_quality=min_base_quality,
        exclude_flags=exclude_flags,
        max_depth=max_depth,
        min_alt_count_snv=min_alt_count_snv,
        min_alt_count_indel=min_alt_count_indel,
        min_alt_fraction_snv=min_alt_fraction_snv,
        min_alt_fraction_indel=min_alt_fraction_indel,
        ploidy=ploidy,
        haploid_contigs=comma_list(haploid_contigs),
        sex=sex,
        par_bed=par_bed,
        ploidy_bed=ploidy_bed,
        realign=realign,
        model=model,
    )
    if vcf is not None:
        if alt is not None:
            raise UsageError("--alt goes with -r: a VCF names its own alleles")
        print(_sheet(call, vcf, output, limit, kind))
        return
    if limit is not None or kind is not None:
        raise UsageError("--limit and --type go with --vcf: -r shows one place")
    from varcall.show.pictures import ShowOptions, run_show

    options = ShowOptions(call, position or "", output or Path("locus.png"), alt)
    for path in run_show(options):
        print(path)


def _sheet(
    call: defaults.CallOptions,
    vcf: Path,
    output: Path | None,
    limit: int | None,
    kind: str | None,
) -> Path:
    """Write a contact sheet; return its file."""
    from varcall.show.contact_sheet import DEFAULT_LIMIT, ContactSheetOptions, run_contact_sheet

    return run_contact_sheet(
        ContactSheetOptions(
            call=call,
            vcf=vcf,
            output=output or Path("loci.html"),
            limit=DEFAULT_LIMIT if limit is None else limit,
            kind=kind,
        )
    )
