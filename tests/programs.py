"""This checkout's varcall as a program on PATH, for tools that start it by its name."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VARCALL = f'env PYTHONPATH="{ROOT}" "{sys.executable}" -m varcall "$@"'


def varcall_on_path(folder: Path, script: str = f"exec {VARCALL}") -> dict[str, str]:
    """Write the program `varcall` into a folder, and return an environment that finds it first.

    Parameters
    ----------
    folder
        Where the program goes; made where it is not there.
    script
        What the program does, for `sh`.
    """
    folder.mkdir(exist_ok=True)
    program = folder / "varcall"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
