"""Where simulated reads come from, as the tags of their BAM say."""

import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
from numpy.typing import NDArray

from pileup.arrays import ReadArrays
from varcall.errors import InputError
from varcall.reads.batch import ReadBatch

# Values of the tag `mo`: the person's two haplotypes, another person, hidden copies from there on.
UNKNOWN_MOLECULE = -1
CONTAMINANT = 2
FIRST_HIDDEN_COPY = 3
# Bits of the tag `ak`.
CHIMERA, ADAPTER, DUPLICATE = 1, 2, 4
# A read placed further than this from where it belongs is wrongly mapped; clipped bases at its
# beginning move a short read's start by less.
MISPLACED_BY = 300


class Origins(NamedTuple):
    """Where each of n reads comes from.

    Attributes
    ----------
    molecule
        int32 [n]: 0 or 1, the person's haplotypes; CONTAMINANT; hidden copies from
        FIRST_HIDDEN_COPY on; UNKNOWN_MOLECULE of a real read.
    true_start
        int32 [n], true start of the alignment (0-based), -1 where it is not known.
    artefact
        uint8 [n], bits CHIMERA, ADAPTER and DUPLICATE.
    """

    molecule: NDArray[np.int32]
    true_start: NDArray[np.int32]
    artefact: NDArray[np.uint8]

    def take(self, order: NDArray[np.int64]) -> "Origins":
        """Return the origins of the reads of these numbers (int64 [m]), in this order."""
        return Origins(self.molecule[order], self.true_start[order], self.artefact[order])

    def misplaced(self, read_start: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell which reads the mapper put elsewhere; `read_start` as it placed them."""
        away = np.abs(self.true_start.astype(np.int64) - read_start)
        is_away: NDArray[np.bool_] = (self.true_start >= 0) & (away > MISPLACED_BY)
        return is_away


def unknown_origins(n: int) -> Origins:
    """Return the origins of n real reads."""
    return Origins(
        np.full(n, UNKNOWN_MOLECULE, np.int32), np.full(n, -1, np.int32), np.zeros(n, np.uint8)
    )


def read_origins(path: Path, reference: Path, batch: ReadBatch) -> Origins:
    """Read the tags of loaded reads, in their order.

    The reader of alignments knows no tags, so the same stretch is read once more.

    Raises
    ------
    InputError
        Where the file cannot be read, or a tag holds no number.
    """
    tags: dict[tuple[int, int, int], tuple[int, int, int]] = {}
    try:
        with pysam.AlignmentFile(str(path), reference_filename=str(reference)) as file:
            for read in file.fetch(batch.contig, batch.start, batch.end):
                if read.has_tag("mo"):
                    name_hash = zlib.crc32((read.query_name or "").encode())
                    molecule, true_start, artefact = (
                        int(read.get_tag(tag)) for tag in ("mo", "tp", "ak")
                    )
                    key = name_hash, read.flag, read.reference_start
                    tags[key] = molecule, true_start, artefact
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"cannot read the tags mo, tp, ak of {path} at {batch.contig}:{batch.start + 1}-"
            f"{batch.end} ({error}); make the sample again with varcall simulate"
        ) from None
    columns = batch.arrays.name_hash, batch.arrays.flag, batch.arrays.read_start
    keys = zip(*(column.tolist() for column in columns), strict=True)
    unknown = UNKNOWN_MOLECULE, -1, 0
    found = np.array([tags.get(key, unknown) for key in keys], np.int32).reshape(-1, 3)
    return Origins(found[:, 0].copy(), found[:, 1].copy(), found[:, 2].astype(np.uint8))


def follow(origins: Origins, before: ReadArrays, after: ReadArrays) -> Origins:
    """Return the origins of the same reads after they were realigned, which changes their order."""
    moved = np.empty(len(before.flag), np.int64)
    moved[_by_name(after)] = _by_name(before)
    return origins.take(moved)


def _by_name(reads: ReadArrays) -> NDArray[np.int64]:
    """Return an order of reads that their places have no part in: int64 [n]."""
    return np.lexsort((reads.flag, reads.fragment))
