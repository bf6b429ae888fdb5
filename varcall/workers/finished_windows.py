"""Finished windows kept in a folder (`--workdir`), so that a run can go on where it was stopped.

A window's file is named by, and begins with, the digest of all that decides its records: the
inputs, the options, the model, this version, and the window itself. A run reuses exactly the files
whose digests it would write itself; those of other runs, cut ones and altered ones are as good as
absent.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from pileup.kernels.hom_ref.runs import N_COLUMNS
from varcall.errors import OutputError, UsageError
from varcall.inputs.open import Inputs
from varcall.inputs.ploidy import PloidyMap
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.output.atomic import AtomicOutput, output_error
from varcall.output.provenance import ModelIdentity, header_lines, normalised_command
from varcall.reads.library_profile import LibraryProfile
from varcall.workers.window_worker import WindowResult

_log = logging.getLogger(__name__)

_SUFFIX, _PROFILE_SUFFIX = ".window", ".profile"
FILES = ("*" + _PROFILE_SUFFIX, "*/*" + _SUFFIX)
"""The files of a folder, as globs."""

Compute = Callable[[Sequence[Region]], Iterator[tuple[Region, WindowResult]]]


def fingerprint(
    options: CallOptions, inputs: Inputs, model: ModelIdentity, ploidy: PloidyMap
) -> str:
    """Return the SHA-256 (hex) of all that decides the records of a run but its windows.

    Files count by path, size and time of change; the reads also by their header, the model by its
    own digest.
    """
    files = [
        [str(path), status.st_size, status.st_mtime_ns]
        for path in (inputs.reads, inputs.index, inputs.reference, options.alleles)
        if path is not None
        for status in [path.stat()]
    ]
    command = normalised_command("call", options)
    lines = header_lines(reference=str(inputs.reference), model=model, command=command)
    gvcf = None if options.gvcf is None else [options.gvcf_alt, options.gvcf_gq_bands]
    described = [files, inputs.header, inputs.sample, lines, asdict(ploidy), gvcf]
    return _digest(json.dumps(described).encode())


class FinishedWindows:
    """The window files of one folder.

    Parameters
    ----------
    folder
        Made where it does not exist.
    run
        `fingerprint` of the run.
    resume
        Whether windows of an earlier run may lie there.

    Raises
    ------
    UsageError
        When some lie there although `resume` is not set.
    OutputError
        When the folder cannot be made or written to.
    """

    def __init__(self, folder: Path, run: str, *, resume: bool) -> None:
        self._folder = folder
        self._run = run
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(folder, error) from error
        if not resume and next(folder.rglob("*" + _SUFFIX), None) is not None:
            raise UsageError(
                f"{folder} holds finished windows of an earlier run: add --resume to use those "
                "that fit, or name another folder"
            )

    def completed(
        self, windows: Sequence[Region], compute: Compute
    ) -> Iterator[tuple[Region, WindowResult]]:
        """Yield every window with its result, in order; `compute` gets those not yet finished."""
        missing = [window for window in windows if self.load(window) is None]
        _log.info("%d of %d windows are finished", len(windows) - len(missing), len(windows))
        unfinished = set(missing)
        computed = compute(missing)
        for window in windows:
            if window in unfinished:
                _, result = next(computed)
                self.save(window, result)
                yield window, result
            elif kept := self.load(window):
                yield window, kept
            else:
                raise OutputError(
                    f"the finished window {window} was taken out of {self._folder} during the run: "
                    "start it again with --resume"
                )

    def profile(self, measure: Callable[[], LibraryProfile]) -> LibraryProfile:
        """Return the run's library profile; it is measured and kept where it is not there yet."""
        key = _digest(f"profile {self._run}".encode())
        path = self._folder / (key + _PROFILE_SUFFIX)
        kept = _read(path, key)
        if kept is not None:
            return LibraryProfile.from_json(kept.decode())
        profile = measure()
        _write(path, key, profile.to_json().encode())
        return profile

    def load(self, window: Region) -> WindowResult | None:
        """Return the result of a finished window, None where there is none that fits."""
        body = _read(self._path(window), self._key(window))
        if body is None:
            return None
        kept: dict[str, Any] = json.loads(body)
        blocks = np.array(kept.pop("blocks"), np.int32).reshape(-1, N_COLUMNS)
        return WindowResult(**kept, blocks=blocks)

    def save(self, window: Region, result: WindowResult) -> None:
        """Keep the result of a window.

        Raises
        ------
        OutputError
            When it cannot be written.
        """
        # Its CPU seconds are those of the run that spent them.
        kept = {f.name: asdict(result)[f.name] for f in fields(result) if f.name != "seconds"}
        body = json.dumps(kept | {"blocks": result.blocks.tolist()}).encode()
        _write(self._path(window), self._key(window), body)

    def _key(self, window: Region) -> str:
        return _digest(json.dumps([self._run, window.contig, window.start, window.end]).encode())

    def _path(self, window: Region) -> Path:
        key = self._key(window)
        # A genome has 60,000 windows, too many for one folder.
        return self._folder / key[:2] / (key + _SUFFIX)


def _read(path: Path, key: str) -> bytes | None:
    """Return what was kept under a key, None where it is not there, is cut or was altered."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        return body if head.decode() == f"{key} {_digest(body)}" else None
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: Path, key: str, body: bytes) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
    with AtomicOutput(path) as output:
        output.path.write_bytes(f"{key} {_digest(body)}\n".encode() + body)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
