"""What a worker on another machine must have in common with the run it works for.

Imports only what is light: it is also imported where nothing is called.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError
from models.registry import weights_path
from models.weights.weights_file import graph_paths
from varcall.inputs.given_sites import GivenSites
from varcall.inputs.open import Inputs
from varcall.version import __version__

_PIECES, _PIECE = 64, 1 << 16


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the process that starts a run has; `trouble` tells how this process differs.

    Attributes
    ----------
    version
        Of varcall.
    model, model_sha256
        As the user named it, and the digest of the weights and their graphs.
    files
        Paths of the inputs, each with its size in bytes and the digest of a sample.
    """

    version: str
    model: str
    model_sha256: str
    files: tuple[tuple[str, int, str], ...]

    @classmethod
    def of(cls, inputs: Inputs, model: str, given: GivenSites | None) -> "Requirements":
        """Return the requirements of a call; its paths are absolute.

        Raises
        ------
        OSError
            A file cannot be read.
        """
        paths = [*_files(inputs), *([] if given is None else [given.path, given.index])]
        files = tuple((str(path), *_sampled(path)) for path in paths)
        return cls(__version__, model, _model_digest(model), files)

    def trouble(self) -> str | None:
        """Return what goes on after a worker's name, and how to mend it; None if all is there."""
        if self.version != __version__:
            return (
                f"runs varcall {__version__}, this is {self.version}: install the same version "
                "on both"
            )
        for name, size, digest in self.files:
            try:
                found = _sampled(Path(name))
            except OSError as error:
                reason = error.strerror or error
                return (
                    f"cannot read {name} ({reason}): reads, reference, given sites and their "
                    "indexes must lie at the same paths on every worker"
                )
            if found != (size, digest):
                return f"has another file at {name}: copy the one that lies here to it"
        try:
            same = _model_digest(self.model) == self.model_sha256
        except (OSError, ModelError):
            return f"has no model {self.model}: copy it to the same path on every worker"
        return None if same else f"has other weights under {self.model}: copy those that lie here"


def _files(inputs: Inputs) -> Iterator[Path]:
    """Yield the files that a worker opens."""
    yield from (inputs.reads, inputs.index, inputs.reference)
    for suffix in (".fai", ".gzi"):
        companion = inputs.reference.with_name(inputs.reference.name + suffix)
        if companion.exists():
            yield companion


def _sampled(path: Path) -> tuple[int, str]:
    """Return the size of a file and the SHA-256 (hex) of pieces of it, evenly spread.

    4 MiB are read at most: whole genomes' reads take minutes. Times of change are not looked at,
    as copies have others.
    """
    size = path.stat().st_size
    last = max(0, size - _PIECE)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in sorted({last * piece // (_PIECES - 1) for piece in range(_PIECES)}):
            file.seek(start)
            digest.update(file.read(_PIECE))
    return size, digest.hexdigest()


def _model_digest(model: str) -> str:
    weights, _ = weights_path(model)
    digest = hashlib.sha256(weights.read_bytes())
    for graph in graph_paths(weights):
        digest.update(graph.read_bytes() if graph.exists() else b"")
    return digest.hexdigest()
