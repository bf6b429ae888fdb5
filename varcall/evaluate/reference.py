"""The reference as codes of bases, by contig; nothing is written beside the FASTA file."""

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pysam
import pysam.utils

from varcall.errors import InputError

# N and every IUPAC code are one "unknown" base that equals only itself, as in vcfeval.
BASES = "NACGT"
_CODES = np.zeros(256, np.uint8)
for _code, _base in enumerate(BASES):
    _CODES[ord(_base)] = _CODES[ord(_base.lower())] = _code


def encode(sequence: str) -> npt.NDArray[np.uint8]:
    """Codes of bases: N 0, A 1, C 2, G 3, T 4; any other character reads as N."""
    return _CODES[np.frombuffer(sequence.encode("latin-1"), np.uint8)]


class Reference:
    """Contig lengths and sequences of a FASTA file, with or without an index beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InputError(f"there is no reference FASTA {path}")
        self._last = ("", "")
        self._scratch = tempfile.TemporaryDirectory(prefix="varcall-eval-")
        try:
            self._fasta = self._opened()
        except (OSError, ValueError, pysam.utils.SamtoolsError) as error:
            self._scratch.cleanup()
            reason = str(error).splitlines()[0] if str(error) else "it has no sequence"
            raise InputError(
                f"cannot read the reference FASTA {path} ({reason}): is it FASTA, plain or "
                "bgzip-compressed?"
            ) from error
        self.lengths: dict[str, int] = dict(
            zip(self._fasta.references, self._fasta.lengths, strict=True)
        )

    def _opened(self) -> pysam.FastaFile:
        index, blocks = Path(f"{self.path}.fai"), Path(f"{self.path}.gzi")
        with self.path.open("rb") as handle:
            compressed = handle.read(2) == b"\x1f\x8b"
        if index.exists() and (blocks.exists() or not compressed):
            return pysam.FastaFile(str(self.path))
        index = Path(self._scratch.name) / "reference.fai"
        blocks = Path(self._scratch.name) / "reference.gzi"
        arguments = ["--fai-idx", str(index)] + (["--gzi-idx", str(blocks)] if compressed else [])
        # samtools' commands, which pysam runs, take no path that is not UTF-8.
        link = Path(self._scratch.name) / "reference"
        link.symlink_to(self.path.absolute())
        pysam.faidx(*arguments, str(link))
        return pysam.FastaFile(
            str(self.path),
            filepath_index=str(index),
            filepath_index_compressed=str(blocks) if compressed else None,
        )

    def sequence(self, contig: str) -> str:
        """The upper-case sequence of a whole contig; the last one is kept."""
        if self._last[0] != contig:
            self._last = contig, self._fasta.fetch(contig).upper()
        return self._last[1]

    def close(self) -> None:
        """Close the file and drop a temporary index."""
        self._fasta.close()
        self._scratch.cleanup()
