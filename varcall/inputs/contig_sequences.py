"""Whole sequences of a FASTA as text; nothing is written beside the file."""

import gzip
import shutil
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import pyfaidx

from varcall.errors import InputError
from varcall.formats.bgzf import is_gzipped
from varcall.formats.fasta_index import BgzippedFasta, check_fasta


@dataclass(frozen=True, slots=True)
class OpenedFasta:
    """A FASTA that was checked, for other processes to open: a file is not shared with a fork.

    ``plain`` and ``index`` are the names by which pyfaidx is given the file and its .fai.
    """

    path: Path
    plain: Path
    index: Path
    is_packed: bool

    def opened(self, *, build_index: bool = False) -> pyfaidx.Fasta:
        """Open it with pyfaidx."""
        fasta = pyfaidx.Fasta(
            self.plain,
            indexname=self.index,
            build_index=build_index,
            as_raw=True,
            sequence_always_upper=True,
        )
        if self.is_packed:
            # The .fai counts uncompressed bytes, which is what pyfaidx then seeks and reads.
            fasta.faidx.file.close()
            fasta.faidx.file = BgzippedFasta(self.path)
        return fasta


class ContigReader:
    """Upper-case sequences of the contigs of a FASTA that was opened before, read by pyfaidx."""

    def __init__(self, source: OpenedFasta, fasta: pyfaidx.Fasta | None = None) -> None:
        self.path = source.path
        self.source = source
        self._fasta = fasta or source.opened()
        self._last = ("", "")
        self.lengths: dict[str, int] = {name: len(item) for name, item in self._fasta.items()}

    def fetch(self, contig: str, start: int, end: int) -> str:
        """Letters of a span inside a contig, 0-based half-open.

        Raises
        ------
        InputError
            The file cannot be read there, or its index is stale.
        """
        place = f"{contig}:{start + 1}-{end} of {self.path}"
        try:
            text = str(self._fasta[contig][start:end])
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot read {place} ({error}): the file is corrupt, copy it again"
            ) from error
        if len(text) != end - start or ">" in text:
            raise InputError(f"the index does not fit {place}: run: samtools faidx {self.path}")
        return text

    def sequence(self, contig: str) -> str:
        """The sequence of a whole contig; the last one is kept."""
        if self._last[0] != contig:
            self._last = contig, self.fetch(contig, 0, self.lengths[contig])
        return self._last[1]

    def close(self) -> None:
        """Close the file."""
        self._fasta.close()


class ContigSequences(ContigReader):
    """Upper-case sequences of the contigs of a FASTA, plain or bgzipped, read by pyfaidx.

    An index beside the FASTA is checked before it is used: with a stale one, pyfaidx returns other
    bases without an error, since it drops the line ends that would show it. Where there is none,
    one is built in a temporary folder. `varcall.inputs.reference.Reference` reads base codes of
    short spans in every worker.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputError(f"there is no reference FASTA {path}")
        self._scratch = tempfile.TemporaryDirectory(prefix="varcall-fasta-")
        # pyfaidx takes what ends in .gz for compressed, which it can read with Biopython alone.
        self._plain = Path(self._scratch.name) / "reference.fa"
        try:
            source = self._checked(path)
            super().__init__(source, source.opened(build_index=not source.index.exists()))
        except InputError:
            self._scratch.cleanup()
            raise
        except (OSError, ValueError, EOFError, zlib.error, pyfaidx.FastaIndexingError) as error:
            self._scratch.cleanup()
            said = str(error).replace(str(self._plain), str(path)).splitlines()
            reason = said[0] if said else "it has no sequence"
            raise InputError(
                f"cannot read the reference FASTA {path} ({reason}): is it FASTA, plain or "
                "bgzip-compressed?"
            ) from error

    def __enter__(self) -> "ContigSequences":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _checked(self, path: Path) -> OpenedFasta:
        index, blocks = Path(f"{path}.fai"), Path(f"{path}.gzi")
        is_compressed = is_gzipped(path)
        has_index = index.exists() and (blocks.exists() or not is_compressed)
        if is_compressed and not has_index:
            with gzip.open(path) as packed, self._plain.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        else:
            self._plain.symlink_to(path.absolute())
        if not has_index:
            return OpenedFasta(path, self._plain, Path(f"{self._plain}.fai"), is_packed=False)
        lengths = check_fasta(path)
        check_fasta(path, sorted(lengths, key=lambda name: -lengths[name]))
        return OpenedFasta(path, self._plain, index, is_compressed)

    def close(self) -> None:
        """Close the file and drop a temporary index."""
        super().close()
        self._scratch.cleanup()
