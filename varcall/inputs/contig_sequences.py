"""Whole sequences of a FASTA as text; nothing is written beside the file."""

import gzip
import shutil
import tempfile
import zlib
from pathlib import Path

import pyfaidx

from varcall.errors import InputError
from varcall.formats.bgzf import is_gzipped
from varcall.formats.fasta_index import BgzippedFasta, check_fasta


class ContigSequences:
    """Upper-case sequences of the contigs of a FASTA, plain or bgzipped, read by pyfaidx.

    An index beside the FASTA is checked before it is used: with a stale one, pyfaidx returns other
    bases without an error, since it drops the line ends that would show it. Where there is none,
    one is built in a temporary folder. `varcall.inputs.reference.Reference` reads base codes of
    short spans in every worker.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InputError(f"there is no reference FASTA {path}")
        self._last = ("", "")
        self._scratch = tempfile.TemporaryDirectory(prefix="varcall-fasta-")
        # pyfaidx takes what ends in .gz for compressed, which it can read with Biopython alone.
        self._plain = Path(self._scratch.name) / "reference.fa"
        try:
            self._fasta = self._opened()
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
        self.lengths: dict[str, int] = {name: len(item) for name, item in self._fasta.items()}

    def __enter__(self) -> "ContigSequences":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _opened(self) -> pyfaidx.Fasta:
        index, blocks = Path(f"{self.path}.fai"), Path(f"{self.path}.gzi")
        is_compressed = is_gzipped(self.path)
        has_index = index.exists() and (blocks.exists() or not is_compressed)
        if is_compressed and not has_index:
            with gzip.open(self.path) as packed, self._plain.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        else:
            self._plain.symlink_to(self.path.absolute())
        if has_index:
            lengths = check_fasta(self.path)
            check_fasta(self.path, sorted(lengths, key=lambda name: -lengths[name]))
        fasta = pyfaidx.Fasta(
            self._plain,
            indexname=index if has_index else f"{self._plain}.fai",
            build_index=not has_index,
            as_raw=True,
            sequence_always_upper=True,
        )
        if is_compressed and has_index:
            # The .fai counts uncompressed bytes, which is what pyfaidx then seeks and reads.
            fasta.faidx.file.close()
            fasta.faidx.file = BgzippedFasta(self.path)
        return fasta

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
        """Close the file and drop a temporary index."""
        self._fasta.close()
        self._scratch.cleanup()
