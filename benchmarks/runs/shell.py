"""Lines of bash, as benchmarks run other programs."""

import subprocess
from pathlib import Path


def shell(line: str, directory: Path) -> None:
    """Run a line of bash in a folder; it ends with the first command that fails.

    Raises
    ------
    subprocess.CalledProcessError
        One does, in a pipe too.
    """
    command = ["bash", "-c", f"set -eo pipefail; {line}"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
