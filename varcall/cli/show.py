"""``varcall show``: the pileups of a locus, or of the loci of a VCF, as annotated pictures."""

from pathlib import Path
from typing import Annotated

import typer

from varcall.cli.arguments import AllowOtherReference, Index, Reads, Reference, Sample
from varcall.errors import UsageError


def show(
    reads: Reads,
    *,
    reference: Reference,
    position: Annotated[
        str | None,
        typer.Option("-r", "--position", metavar="CONTIG:POS", help="Where to look (1-based)."),
    ] = None,
    vcf: Annotated[
        Path | None,
        typer.Option(help="Or: look at the loci of this VCF, say an fp.vcf.gz of varcall eval."),
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
        typer.Option(help="With -r: ALT to ask about, or two with a comma; all where absent."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="With --vcf: show the first so many loci. [100]")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", help="With --vcf: only these, snp or indel.")
    ] = None,
    index: Index = None,
    allow_other_reference: AllowOtherReference = False,
    sample: Sample = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", help="Who answers: a bundled model's name, or a path."),
    ] = None,
) -> None:
    """Draw the pileup pictures of candidates, with the model's questions and answers."""
    if (position is None) == (vcf is None):
        raise UsageError("give either one place (-r CONTIG:POS) or the loci of a VCF (--vcf)")
    if vcf is not None:
        if alt is not None:
            raise UsageError("--alt goes with -r: a VCF names its own alleles")
        print(
            _sheet(
                reads, reference, vcf, output, limit, kind, index, allow_other_reference, sample,
                model,
            )
        )  # fmt: skip
        return
    if limit is not None or kind is not None:
        raise UsageError("--limit and --type go with --vcf: -r shows one place")
    from varcall.show.pictures import ShowOptions, run_show

    options = ShowOptions(
        reads=reads,
        reference=reference,
        position=position or "",
        output=output or Path("locus.png"),
        alt=alt,
        index=index,
        allow_other_reference=allow_other_reference,
        sample=sample,
        model=model,
    )
    for path in run_show(options):
        print(path)


def _sheet(
    reads: Path,
    reference: Path,
    vcf: Path,
    output: Path | None,
    limit: int | None,
    kind: str | None,
    index: Path | None,
    allow_other_reference: bool,
    sample: str | None,
    model: str | None,
) -> Path:
    """Write a contact sheet; return its file."""
    from varcall.show.contact_sheet import DEFAULT_LIMIT, ContactSheetOptions, run_contact_sheet

    return run_contact_sheet(
        ContactSheetOptions(
            reads=reads,
            reference=reference,
            vcf=vcf,
            output=output or Path("loci.html"),
            limit=DEFAULT_LIMIT if limit is None else limit,
            kind=kind,
            index=index,
            allow_other_reference=allow_other_reference,
            sample=sample,
            model=model,
        )
    )
