"""``varcall simulate``: diploid genomes, their reads and their truth."""

from pathlib import Path
from typing import Annotated

import typer

from varcall.errors import UsageError


def simulate(
    *,
    reference: Annotated[
        Path | None,
        typer.Option("-f", "--ref", "--reference", help="Reference FASTA with its .fai."),
    ] = None,
    random_genome: Annotated[
        int,
        typer.Option(metavar="SIZE", help="Make a random reference of SIZE bases instead."),
    ] = 0,
    truth: Annotated[
        list[Path] | None,
        typer.Option(help="Truth VCF whose variants the genome carries; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Prefix of the files of one sample.")
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option(help="Instead of -o: folder for a set of samples.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples of the set.")] = 1,
    first_sample: Annotated[
        int,
        typer.Option(min=1, help="Number of the first sample, to make one set in several runs."),
    ] = 1,
    sample_size: Annotated[
        str, typer.Option(help="Bases covered by each sample of the set, for instance 80kb.")
    ] = "80kb",
    regions: Annotated[
        list[str] | None,
        typer.Option(
            "-r",
            "--regions",
            metavar="REGION",
            help="contig[:start-end] to simulate; may be repeated.",
        ),
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(help="BED of regions to leave out of the set; may be repeated."),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(help="Mean depth, or LOW-HIGH. [30; for a set 40-80, of long reads 8-60]"),
    ] = None,
    variants_per_kb: Annotated[
        float | None,
        typer.Option(
            help="Add random variants up to this density. [0 with --truth; 2.75 for a set]"
        ),
    ] = None,
    paralog_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of samples with a hidden paralog.")
    ] = 0.03,
    library: Annotated[
        str | None,
        typer.Option(
            help="random, typical, single, merged, matepair, targets, amplicon, pairs, trimmed, "
            "adapters, polyg, duplicates, stacks, chimeras, deep, shallow, binned, noquality, "
            "improper, contaminated or noisy. [typical; random for a set]"
        ),
    ] = None,
    platform: Annotated[
        str, typer.Option(help="illumina; or long reads: hifi (PacBio) or ont (nanopore).")
    ] = "illumina",
    mapper: Annotated[
        str,
        typer.Option(
            help="bwa, or minimap2 for long reads; exact; or auto: whichever is installed."
        ),
    ] = "auto",
    sample_name: Annotated[str, typer.Option(help="SM of a single sample.")] = "simulated",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random choices.")] = 1,
    threads: Annotated[
        int,
        typer.Option(
            "-t", "--threads", "-@", min=1, help="Threads of bwa; samples measured in parallel."
        ),
    ] = 1,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="READS",
            help="Compare --against samples with this real one, simulate nothing; repeatable.",
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="With --report: simulated BAM, or a folder of them; repeatable."),
    ] = None,
    report_reference: Annotated[
        Path | None,
        typer.Option("--report-ref", help="FASTA of the real reads, if it is not --ref."),
    ] = None,
) -> None:
    """Simulate reads of a mutated diploid genome, mapped, with their truth.

    Writes PREFIX.bam, PREFIX.truth.vcf.gz (phased), PREFIX.bed (the simulated region) and
    PREFIX.json (the library), or sample_0001.bam and so on in a folder. With --report nothing is
    simulated: simulated samples are compared with real reads, and -o names an HTML page.
    """
    if report or against:
        for line in _realism(
            report, against, reference, report_reference, truth, output, depth, threads
        ):
            print(line)
        return
    from varcall.simulate import SimulateOptions, run_simulate

    is_set = out_dir is not None
    if variants_per_kb is None:
        variants_per_kb = 2.75 if is_set else 0.0 if truth else 1.5
    run_simulate(
        SimulateOptions(
            reference=reference,
            output=output,
            directory=out_dir,
            truths=tuple(truth or ()),
            samples=samples,
            first_sample=first_sample,
            sample_size=_bases(sample_size),
            regions=tuple(regions or ()),
            exclude=tuple(exclude or ()),
            random_genome=random_genome,
            depth=_depth_range(depth or _usual_depth(platform, is_set=is_set)),
            variants_per_kb=variants_per_kb,
            paralog_rate=paralog_rate,
            library=library or ("random" if is_set else "typical"),
            platform=platform,
            mapper=mapper,
            sample_name=sample_name,
            seed=seed,
            threads=threads,
        )
    )


def _realism(
    real: list[Path] | None,
    simulated: list[Path] | None,
    reference: Path | None,
    real_reference: Path | None,
    truth: list[Path] | None,
    output: Path | None,
    depth: str | None,
    threads: int,
) -> list[str]:
    """Compare simulated with real samples; the table's lines."""
    if not real or not simulated or reference is None:
        raise UsageError(
            "a realism report needs --report REAL.bam, --against SIMULATED and the --ref of both"
        )
    from varcall.simulate.report.run import ReportOptions, run_report

    return run_report(
        ReportOptions(
            real=tuple(real),
            real_reference=real_reference or reference,
            simulated=tuple(simulated),
            simulated_reference=reference,
            truths=tuple(truth or ()),
            output=output,
            depth=None if depth is None else _depth_range(depth)[0],
            threads=threads,
        )
    )


def _usual_depth(platform: str, *, is_set: bool) -> str:
    """Depth of a sample, and the range of a set."""
    if not is_set:
        return "30"
    return "40-80" if platform == "illumina" else "8-60"


def _bases(text: str) -> int:
    """Read ``80kb``, ``1Mb`` or plain bases."""
    number = text.lower().removesuffix("b")
    scale = {"k": 1000, "m": 1_000_000}.get(number[-1:], 1)
    digits = number if scale == 1 else number[:-1]
    if not digits.isdigit() or int(digits) < 1:
        raise UsageError(f"sample size {text} is no number of bases: write 80000 or 80kb")
    return int(digits) * scale


def _depth_range(text: str) -> tuple[float, float]:
    """Read ``30`` or ``40-80``."""
    low, _, high = text.partition("-")
    try:
        return float(low), float(high or low)
    except ValueError as error:
        raise UsageError(f"depth {text} is neither a number nor LOW-HIGH") from error
