"""``varcall train``: train a model on examples."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    *,
    recipe: Annotated[Path, typer.Option(help="TOML recipe: size, schedule, regularisation.")],
    data: Annotated[
        list[Path],
        typer.Option(help="Folder of varcall examples to train on; repeated, it counts double."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--out", "--output", help="Folder of weights, log, checkpoint.")
    ],
    held_out: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of examples to measure on; may be repeated, first calibrates."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option(help="Number of single-threaded CPU processes.")] = 1,
    threads: Annotated[
        int, typer.Option("-t", "--threads", "-@", help="Threads of one process.")
    ] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the checkpoint.")] = False,
    begin_with: Annotated[
        Path | None, typer.Option(help="Weights to start from instead of random ones.")
    ] = None,
) -> None:
    """Train a model on examples; the log is train.jsonl in the output folder."""
    from varcall.training.run import TrainOptions, run_train

    run_train(
        TrainOptions(
            recipe=recipe,
            data=tuple(data),
            output=output,
            held_out=tuple(held_out or ()),
            device=device,
            workers=workers,
            threads=threads,
            resume=resume,
            begin_with=begin_with,
        )
    )
