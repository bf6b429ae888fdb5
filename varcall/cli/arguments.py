"""Arguments that several commands share: one spelling, one help text."""

from pathlib import Path
from typing import Annotated

import typer

Reads = Annotated[Path, typer.Argument(metavar="READS", help="Sorted, indexed BAM or CRAM.")]
Reference = Annotated[
    Path, typer.Option("-f", "--ref", "--reference", help="Reference FASTA with its .fai.")
]
Index = Annotated[Path | None, typer.Option(help="Index of READS, if not next to it.")]
Sample = Annotated[
    str | None,
    typer.Option("-s", "--sample", help="Sample (SM) to call, if READS has several."),
]
Regions = Annotated[
    list[str] | None,
    typer.Option(
        "-r", "--regions", metavar="REGION", help="contig[:start-end], comma list; may be repeated."
    ),
]
RegionsFile = Annotated[Path | None, typer.Option("-R", "--regions-file", help="BED of regions.")]
VcfOutput = Annotated[
    str, typer.Option("-o", "--output", help="VCF or BCF to write; - is standard output.")
]
OutputType = Annotated[
    str | None,
    typer.Option(
        "-O", "--output-type", help="v|z[0-9]|u|b[0-9]; by the suffix of the output if not given."
    ),
]
NoWriteIndex = Annotated[
    bool, typer.Option("--no-write-index", help="Do not index a compressed output.")
]
AllowOtherReference = Annotated[
    bool,
    typer.Option(
        "--allow-other-reference",
        help="Accept a reference whose MD5 differs from the M5 of READS, if the reads match it.",
    ),
]
Threads = Annotated[
    int, typer.Option("-t", "--threads", "-@", help="Maximum number of worker processes.")
]
MinMapq = Annotated[
    int, typer.Option("-q", "--min-mapq", help="Minimum mapping quality of a read.")
]
MinBaseQuality = Annotated[
    int,
    typer.Option("-Q", "--min-base-quality", "--min-baseq", help="Minimum base quality."),
]
ExcludeFlags = Annotated[
    int, typer.Option("-F", "--exclude-flags", help="Skip reads with any of these SAM flags.")
]
MaxDepth = Annotated[
    int, typer.Option("-d", "--max-depth", help="Maximum reads used at a position, approximately.")
]
MinAltCountSnv = Annotated[int, typer.Option(help="Minimum reads supporting an SNV.")]
MinAltCountIndel = Annotated[int, typer.Option(help="Minimum reads supporting an indel.")]
MinAltFractionSnv = Annotated[float, typer.Option(help="Minimum share of reads with an SNV.")]
MinAltFractionIndel = Annotated[float, typer.Option(help="Minimum share of reads with an indel.")]
Ploidy = Annotated[int, typer.Option(help="Ploidy of the sample: 1 or 2.")]
HaploidContigs = Annotated[
    str, typer.Option(help="Comma list of contigs to call as haploid.", show_default=False)
]
Sex = Annotated[
    str | None,
    typer.Option(help="male|female|auto: copies of X and Y; auto tells it from the depth."),
]
ParBed = Annotated[
    Path | None,
    typer.Option(help="BED of the pseudo-autosomal regions, where the build is not known."),
]
PloidyBed = Annotated[
    Path | None,
    typer.Option(help="BED with the ploidy (0, 1 or 2) of each interval in its fourth column."),
]
Model = Annotated[
    str, typer.Option("-m", "--model", help="Bundled model's name, or a .safetensors path.")
]
Realign = Annotated[bool, typer.Option(help="Reassemble reads where the mapper was unsure.")]


def comma_list(text: str) -> tuple[str, ...]:
    """Split a comma list; nothing for an empty text."""
    return tuple(name for name in text.split(",") if name)
