"""``varcall demo``: simulate a small sample, call it, score it, show a pileup."""

from pathlib import Path
from typing import Annotated

import typer

from varcall import options as defaults


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the sample, the calls, the picture.")
    ] = Path("varcall-demo"),
    model: Annotated[
        str, typer.Option("-m", "--model", help="Bundled model's name, or a .safetensors path.")
    ] = defaults.DEFAULT_MODEL,
    threads: Annotated[int, typer.Option("-t", "--threads", "-@", help="Worker processes.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the simulated sample.")] = 1,
) -> None:
    """Simulate a small diploid sample, call it with the bundled model, and score the calls."""
    from varcall.demo import DemoOptions, report, run_demo

    options = DemoOptions(output=output, model=model, threads=threads, seed=seed)
    print(report(run_demo(options)))
