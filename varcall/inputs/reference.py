"""Reading the reference FASTA: base codes for the kernels, VCF letters for records."""

import os
from pathlib import Path

import numpy as np
import pysam
from numpy.typing import NDArray

from pileup.codes import UNKNOWN_BASE
from varcall.errors import InputError

_INVALID = 255

# Ambiguity letters (NC-IUB 1984) are N in a VCF, whose bases are A, C, G, T and N (VCF 4.2, 1.4.1).
# VCF 4.3 puts the alphabetically first base in their place, but `bcftools norm -c e` refused that
# until 2026. All its versions read N there, which bcftools mpileup and freebayes write, too.
_AMBIGUOUS = "NRYSWKMBDHV"


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Code and VCF letter of each byte of a FASTA, uint8 [256] each; other bytes are invalid."""
    codes = np.full(256, _INVALID, dtype=np.uint8)
    letters = np.full(256, _INVALID, dtype=np.uint8)
    bases = {base: base for base in "ACGT"} | {"U": "T"} | dict.fromkeys(_AMBIGUOUS, "N")
    for letter, base in bases.items():
        both_cases = [ord(letter), ord(letter.lower())]
        codes[both_cases] = "ACGTN".index(base)
        letters[both_cases] = ord(base)
    return codes, letters


_CODE, _LETTER = _tables()


def vcf_letters(bases: str) -> str:
    """Return bases, any IUPAC letters in any case, as a VCF has them in REF.

    >>> vcf_letters("acRT")
    'ACNT'
    """
    return _LETTER[np.frombuffer(bases.encode("ascii"), np.uint8)].tobytes().decode("ascii")


class Reference:
    """An indexed FASTA, plain or bgzipped.

    Holds the path only and opens the file on first use in each process, so that it can be sent to
    spawned workers. `varcall.inputs.open.open_inputs` has checked the index; what is fetched is
    checked again here because a stale index gives line ends inside a sequence (htslib does not
    notice).

    Parameters
    ----------
    path
        The FASTA.
    circular
        Contigs whose last base is followed by their first one.
    """

    def __init__(self, path: Path | str, circular: frozenset[str] = frozenset()) -> None:
        self.path = Path(path)
        self.circular = circular
        self._file: pysam.FastaFile | None = None
        self._process = 0

    def __reduce__(self) -> tuple[type["Reference"], tuple[Path, frozenset[str]]]:
        return Reference, (self.path, self.circular)

    def __enter__(self) -> "Reference":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next fetch opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def contigs(self) -> dict[str, int]:
        """Names and lengths in the order of the FASTA."""
        file = self._open()
        return dict(zip(file.references, file.lengths, strict=True))

    def length(self, contig: str) -> int:
        """Bases of a contig."""
        try:
            return self._open().get_reference_length(contig)
        except KeyError as error:
            raise InputError(f"there is no contig {contig!r} in {self.path}") from error

    def fetch(self, contig: str, start: int, end: int) -> NDArray[np.uint8]:
        """Fetch base codes of a span, 0-based half-open, which may reach beyond the contig.

        Returns
        -------
        uint8 [end - start]
            0 A, 1 C, 2 G, 3 T, 4 for N, ambiguity letters and positions outside the contig; a
            circular one has no outside.

        Raises
        ------
        InputError
            Unknown contig, unreadable file, stale index.
        """
        length = self.length(contig)
        if contig in self.circular:
            return self._around(contig, start, end, _CODE)
        first, last = min(max(start, 0), length), max(min(end, length), 0)
        codes = np.full(max(end - start, 0), UNKNOWN_BASE, dtype=np.uint8)
        if last > first:
            codes[first - start : last - start] = self._translated(contig, first, last, _CODE)
        return codes

    def fetch_string(self, contig: str, start: int, end: int) -> str:
        """Fetch upper-case letters of a span inside the contig, as a VCF has them in REF.

        Ambiguity letters become N. Of a circular contig it may reach beyond both ends.
        """
        if contig in self.circular:
            return self._around(contig, start, end, _LETTER).tobytes().decode("ascii")
        if not 0 <= start <= end <= self.length(contig):
            raise InputError(f"{contig}:{start + 1}-{end} is outside {contig} of {self.path}")
        return self._translated(contig, start, end, _LETTER).tobytes().decode("ascii")

    def _around(
        self, contig: str, start: int, end: int, table: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        length = self.length(contig)
        whole = self._translated(contig, 0, length, table)
        return whole[np.arange(start, end) % length]

    def _translated(
        self, contig: str, start: int, end: int, table: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        text = self._text(contig, start, end) if end > start else ""
        values = table[np.frombuffer(text.encode("latin-1"), dtype=np.uint8)]
        if len(values) == end - start and not (values == _INVALID).any():
            return values
        invalid = np.flatnonzero(values == _INVALID).tolist()
        if len(values) != end - start or any(text[at] in ">\r\n" for at in invalid):
            raise InputError(
                f"{self.path} does not fit its index at {contig}:{start + 1}-{end}: "
                f"run: samtools faidx {self.path}"
            )
        raise InputError(
            f"{self.path} has {text[invalid[0]]!r} at {contig}:{start + invalid[0] + 1}, which is "
            "no letter of a base (* is a pad: align to the sequence without pads); if the FASTA "
            f"was changed after it was indexed, run: samtools faidx {self.path}"
        )

    def _text(self, contig: str, start: int, end: int) -> str:
        try:
            return str(self._open().fetch(contig, start, end))
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot read {contig}:{start + 1}-{end} of {self.path} ({error}): the file is "
                f"corrupt or its index is stale; run: samtools faidx {self.path}"
            ) from error

    def _open(self) -> pysam.FastaFile:
        # A handle shared with a forked parent would share its file offset: open one per process.
        if self._file is None or self._process != os.getpid():
            if not self.path.with_name(self.path.name + ".fai").exists():
                # pysam would build the index beside the input, unasked.
                raise InputError(f"{self.path} has no index; run: samtools faidx {self.path}")
            try:
                self._file = pysam.FastaFile(str(self.path))
            except (OSError, ValueError) as error:
                raise InputError(f"cannot open the reference {self.path}: {error}") from error
            self._process = os.getpid()
        return self._file
