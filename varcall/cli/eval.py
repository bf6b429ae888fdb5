"""``varcall eval``: score a call set against a truth set."""

from pathlib import Path
from typing import Annotated

import typer


def eval_(
    *,
    truth: Annotated[Path, typer.Option("-b", "--truth", "--baseline", help="Truth VCF.")],
    query: Annotated[
        list[Path], typer.Option("-c", "--query", "--calls", help="Call set; may be repeated.")
    ],
    reference: Annotated[Path, typer.Option("--ref", "--reference", help="Reference FASTA.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PREFIX", help="Prefix of the report.")
    ] = None,
    confident: Annotated[
        Path | None,
        typer.Option(
            "-e", "--confident", "--evaluation-regions", help="BED; calls outside are UNK."
        ),
    ] = None,
    regions: Annotated[
        list[str] | None,
        typer.Option(
            "-r",
            "--regions",
            "--region",
            metavar="REGION",
            help="Regions to compare, contig[:start-end]; may be repeated.",
        ),
    ] = None,
    bed_regions: Annotated[
        Path | None,
        typer.Option("-R", "--bed-regions", "--regions-file", help="The same from a BED file."),
    ] = None,
    stratification: Annotated[
        Path | None, typer.Option("--strat", "--stratification", help="TSV: name, BED file.")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(
            "-s",
            "--sample",
            help="NAME or TRUTH,QUERY; ALT takes all ALT alleles and no genotypes.",
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="auto|rtg|builtin.")] = "auto",
    all_records: Annotated[
        bool, typer.Option("--all-records", help="Use filtered records too.")
    ] = False,
    pass_only: Annotated[
        bool, typer.Option("--pass-only", help="Leave filtered query records out of the tables.")
    ] = False,
    squash_ploidy: Annotated[
        bool,
        typer.Option(
            "--squash-ploidy",
            help="Match alleles, not genotypes; the tables then count records, as --counts.",
        ),
    ] = False,
    decompose: Annotated[
        bool, typer.Option("--decompose", help="Split complex records before matching.")
    ] = False,
    ref_overlap: Annotated[
        bool, typer.Option("--ref-overlap", help="Let reference bases of records overlap.")
    ] = False,
    sample_ploidy: Annotated[
        int,
        typer.Option(help="Alleles of a genotype; at 2 a haploid 1 is 1/1. From 3 on no tables."),
    ] = 2,
    score_field: Annotated[
        str | None,
        typer.Option("-f", "--score-field", "--vcf-score-field", help="QUAL, GQ, INFO.X, ..."),
    ] = None,
    sort_order: Annotated[
        str, typer.Option("-O", "--sort-order", help="ascending|descending: best score first.")
    ] = "descending",
    counts: Annotated[
        Path | None, typer.Option(help="Write the counts of records as JSON.")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="Name of a call set in the table; once per --query.")
    ] = None,
    split_vcfs: Annotated[
        bool, typer.Option("--split-vcfs", help="Write tp, tp-baseline, fp and fn VCF files.")
    ] = False,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Draw no plots.")] = False,
    sdf: Annotated[
        Path | None, typer.Option(help="rtg's formatted reference; made where absent.")
    ] = None,
    rtg_memory: Annotated[
        str | None, typer.Option("--rtg-mem", help="Memory for rtg, as 4g.")
    ] = None,
    ref_mismatch: Annotated[
        str | None,
        typer.Option(help="error|warn where REF is not the reference's (warn with --counts)."),
    ] = None,
    threads: Annotated[int, typer.Option("-t", "--threads", "-@", "-T", help="Threads.")] = 1,
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, show_default=False, help="More messages.")
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Warnings and errors only.")] = False,
) -> None:
    """Score call sets against a truth set: vcfeval's matching, hap.py's tables."""
    from varcall.log import configure_logging
    from varcall.scoring.options import EvalOptions
    from varcall.scoring.run import run_eval

    configure_logging(verbose=verbose, quiet=quiet)
    run_eval(
        EvalOptions(
            truth=truth,
            queries=tuple(query),
            reference=reference,
            output=output,
            counts=counts,
            confident=confident,
            regions=tuple(regions or ()),
            bed_regions=bed_regions,
            stratification=stratification,
            sample=sample,
            engine=engine,
            all_records=all_records,
            pass_only=pass_only,
            squash_ploidy=squash_ploidy,
            decompose=decompose,
            ref_overlap=ref_overlap,
            sample_ploidy=sample_ploidy,
            score_field=score_field,
            sort_order=sort_order,
            names=tuple(name or ()),
            split_vcfs=split_vcfs,
            plots=not no_plots,
            sdf=sdf,
            rtg_memory=rtg_memory,
            ref_mismatch=ref_mismatch,
            threads=threads,
        )
    )
