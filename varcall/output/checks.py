"""No output is ever an input: what a command will write, checked against all that it reads.

A slip of the user (`-o sample.bam`, `eval -c sample.vcf.gz -o sample`) would otherwise cost the
reads, the reference or the calls. Files are compared by path and by device and inode, so through
symbolic and hard links, and before any work. A new output option belongs into the list that its
command hands to `check_outputs`.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError
from varcall.errors import OutputError
from varcall.options import STDOUT
from varcall.output.atomic import is_special
from varcall.output.vcf_writer import INDEX_SUFFIXES

_READS_INDEXES = (".bai", ".csi", ".crai")
_FASTA_INDEXES = (".fai", ".gzi")


@dataclass(frozen=True, slots=True)
class Input:
    """A file or folder that is read, and what it is to the user."""

    what: str
    path: Path


@dataclass(frozen=True, slots=True)
class Output:
    """A file or folder that is written, replaced or removed, and the option that asks for it.

    `is_cleared`: whatever stands in the folder is removed first.
    """

    option: str
    path: Path
    is_folder: bool = False
    is_cleared: bool = False


def reads_inputs(reads: Path, index: Path | None = None) -> list[Input]:
    """Alignments (`READS##idx##INDEX` too), their index, and indexes that lie beside them."""
    name, _, named_index = str(reads).partition("##idx##")
    path = Path(name)
    beside = [
        place
        for suffix in _READS_INDEXES
        for place in (Path(name + suffix), path.parent / (path.stem + suffix))
    ]
    given = [Path(named_index)] if named_index else []
    given += [index] if index is not None else []
    return [
        Input("the reads", path),
        *(Input("the index of the reads", place) for place in (*given, *beside)),
    ]


def reference_inputs(reference: Path | None) -> list[Input]:
    """Return a FASTA and its indexes."""
    if reference is None:
        return []
    indexes = [Path(f"{reference}{suffix}") for suffix in _FASTA_INDEXES]
    return [
        Input("the reference", reference),
        *(Input("an index of the reference", path) for path in indexes),
    ]


def vcf_inputs(what: str, *paths: Path) -> list[Input]:
    """Return VCF or BCF files and their indexes."""
    return [
        item
        for path in paths
        for item in (
            Input(what, path),
            *(Input(f"an index of {what}", Path(f"{path}{suffix}")) for suffix in INDEX_SUFFIXES),
        )
    ]


def file_inputs(what: str, *paths: Path | None) -> list[Input]:
    """Return files without companions, those that were given."""
    return [Input(what, path) for path in paths if path is not None]


def model_inputs(model: str) -> list[Input]:
    """Return the files of weights; that there are none is said where they are loaded."""
    from models.registry import weights_path
    from models.weights.weights_file import graph_paths

    with suppress(ModelError):
        path, _ = weights_path(model)
        return file_inputs("the model", path, *graph_paths(path))
    return []


def vcf_outputs(option: str, path: str | Path) -> list[Output]:
    """Return a VCF or BCF and its indexes: one is written, a stale one is removed."""
    if str(path) == STDOUT:
        return [Output(option, Path(STDOUT))]
    return [Output(option, Path(f"{path}{suffix}")) for suffix in ("", *INDEX_SUFFIXES)]


def file_outputs(option: str, *paths: str | Path | None) -> list[Output]:
    """Return files without companions, those that were asked for."""
    return [Output(option, Path(path)) for path in paths if path is not None]


def present_outputs(option: str, folder: Path, before: str, pattern: str) -> list[Output]:
    """Return those present of the files that will be named by what is found in the data.

    Their names are `before` and what fits the glob `pattern`.
    """
    found = folder.glob(glob.escape(before) + pattern) if folder.is_dir() else ()
    return [Output(option, path) for path in sorted(found)]


def check_outputs(outputs: Sequence[Output], inputs: Iterable[Input]) -> None:
    """See before any work that nothing is written over an input, and no file written twice.

    Pipes and devices are never anybody's file.

    Raises
    ------
    OutputError
        An output is an input, another output, or lies in the place of another's folder.
    """
    read: dict[Hashable, Input] = {}
    for source in inputs:
        for identity in _identities(source.path):
            read.setdefault(identity, source)
    written: dict[Hashable, Output] = {}
    for output in outputs:
        identities = _identities(output.path)
        for identity in identities:
            if identity in read:
                raise _refused(output, f"{read[identity].what} ({read[identity].path})")
            other = written.get(identity)
            # What one option names is replaced whole, each name by itself, so that hard links
            # among the files of an earlier run do no harm.
            if other and (isinstance(identity, Path) or other.option != output.option):
                raise _refused(output, f"what {other.option} writes")
        written |= dict.fromkeys(identities, output)
    _check_places(outputs, {real for real in read if isinstance(real, Path)})


def _refused(output: Output, what: str) -> OutputError:
    if output.path == Path(STDOUT):
        return OutputError(f"standard output is {what}: send it to another file")
    return OutputError(
        f"{output.option} would write {output.path}, which is {what}: choose another name"
    )


def _check_places(outputs: Iterable[Output], inputs: Iterable[Path]) -> None:
    """See that no output is to lie inside another, and no input in a folder that is cleared."""
    places = {
        path: output
        for output in outputs
        for path in _identities(output.path)
        if isinstance(path, Path)
    }
    files = {path: output for path, output in places.items() if not output.is_folder}
    for path, output in places.items():
        for parent in path.parents:
            if parent in files:
                raise OutputError(
                    f"{files[parent].option} names the file {files[parent].path}, and "
                    f"{output.option} a place in a folder of that name: choose another name"
                )
    cleared = {path: output for path, output in places.items() if output.is_cleared}
    for source in inputs:
        for parent in source.parents:
            if parent in cleared:
                raise OutputError(
                    f"{cleared[parent].option} clears the folder {cleared[parent].path}, in which "
                    f"the input {source.name} lies: choose another name"
                )


def _identities(path: Path) -> tuple[Hashable, ...]:
    """Return what files are the same by: the resolved path; device and inode where it exists."""
    try:
        status = os.fstat(1) if path == Path(STDOUT) else os.stat(path)
    except OSError:
        return () if path == Path(STDOUT) else (Path(os.path.realpath(path)),)
    inode = (status.st_dev, status.st_ino)
    if path == Path(STDOUT):
        return (inode,) if stat.S_ISREG(status.st_mode) else ()
    return () if is_special(path) else (Path(os.path.realpath(path)), inode)
