"""``varcall spike``: real reads with variants spiked into them, and their truth."""

from pathlib import Path
from typing import Annotated

import typer

from varcall.cli.arguments import Reads, Reference, Regions


def spike(
    reads: Reads,
    *,
    reference: Reference,
    variants: Annotated[
        list[Path],
        typer.Option(help="VCF whose indel lengths the spiked indels have; may be repeated."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Prefix of the sample's files.")],
    truth: Annotated[
        Path | None, typer.Option(help="Truth VCF of READS, indexed, if there is one.")
    ] = None,
    confident: Annotated[
        Path | None, typer.Option(help="BED of where the truth is complete.")
    ] = None,
    regions: Regions = None,
    variants_per_kb: Annotated[float, typer.Option(min=0, help="Spiked variants a kb.")] = 2.5,
    close_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share kept of those closer than 150 bases to another."),
    ] = 0.15,
    depth: Annotated[
        float | None, typer.Option(help="Thin the reads to this depth. [all of them]")
    ] = None,
    mix: Annotated[
        Path | None, typer.Option(metavar="READS", help="Reads of another sample to mix in.")
    ] = None,
    mix_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the bases that --mix shall have.")
    ] = 0.0,
    mapper: Annotated[
        str, typer.Option(help="bwa, minimap2, exact, or auto: minimap2 for long reads, else bwa.")
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random choices.")] = 1,
    threads: Annotated[
        int, typer.Option("-t", "--threads", "-@", min=1, help="Threads of the mapper.")
    ] = 1,
) -> None:
    """Spike variants into real reads, map them again, and write what is certain about them.

    Writes PREFIX.bam, PREFIX.truth.vcf.gz (the truth of READS and the spiked variants), PREFIX.bed
    (where labels are certain) and PREFIX.json: a sample that varcall examples reads.
    """
    from varcall.inputs.regions import split_region_list
    from varcall.simulate.spike.options import SpikeOptions
    from varcall.simulate.spike.run import run_spike

    run_spike(
        SpikeOptions(
            reads=reads,
            reference=reference,
            variants=tuple(variants),
            output=output,
            truth=truth,
            confident=confident,
            regions=tuple(r for text in regions or () for r in split_region_list(text)),
            variants_per_kb=variants_per_kb,
            close_share=close_share,
            depth=depth,
            mix=mix,
            mix_share=mix_share,
            mapper=mapper,
            seed=seed,
            threads=threads,
        )
    )
