"""The Snakemake workflow and wrapper that come with varcall, as files to include or copy.

`Snakefile` calls samples in shards and merges them; another Snakefile includes it as a module.
`wrapper/` has the layout of the snakemake-wrappers repository. Nothing here imports Snakemake,
which may live in an environment of its own.
"""

import os
import shutil
import tempfile
from pathlib import Path

from varcall.errors import OutputError
from varcall.output.atomic import output_error

FOLDER = Path(__file__).resolve().parent
SNAKEFILE = FOLDER / "Snakefile"
"""What ``snakemake --snakefile`` and ``module ... snakefile:`` are given."""


def copy_workflow(target: Path) -> None:
    """Copy the workflow into a folder that is new or empty; it appears there whole.

    Raises
    ------
    OutputError
        Something is there already, or the folder cannot be written.
    """
    home = target.absolute().parent
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=home))
    except OSError as error:
        raise output_error(target, error) from error
    try:
        made = work / "workflow"
        shutil.copytree(FOLDER, made, ignore=shutil.ignore_patterns("__init__.py", "__pycache__"))
        # Renames over an empty folder, and over nothing else.
        os.rename(made, target)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(
            f"{target} is there already: choose another folder, or remove it first"
        ) from error
    except OSError as error:
        if target.is_dir() and any(target.iterdir()):
            raise OutputError(
                f"{target} has files in it: choose another folder, or remove it first"
            ) from error
        raise output_error(target, error) from error
    finally:
        shutil.rmtree(work)
