"""Where simulated reads come from, as the tags of their BAM say."""

import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
from numpy.typing import NDArray

from pileup.arrays import ReadArrays
from varcall.errors import InputError
from varcall.formats.simulated_origin import ARTEFACT_TAG, MOLECULE_TAG, START_TAG
from varcall.reads.batch import ReadBatch

UNKNOWN_MOLECULE = -1
_TAGS = MOLECULE_TAG, START_TAG, ARTEFACT_TAG
# A read placed further than this from where its first aligned base belongs is wrongly mapped;
# within it, an indel is spelled otherwise.
MISPLACED_BY = 30


class Origins(NamedTuple):
    """Where each of n reads comes from.

    Attributes
    ----------
    molecule
        int32 [n], what `varcall.formats.simulated_origin.MOLECULE_TAG` says; UNKNOWN_MOLECULE of a
        real read.
    true_start
        int32 [n], where the first aligned base comes from (0-based), -1 where it is not known; what
        lies before the origin of a circular contig is below 0, too, and counts as not known.
    artefact
        uint8 [n], the bits of ARTEFACT_TAG.
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


def read_origins(path: Path, reference: Path, batch: ReadBatch) -> Origins:
    """Read the tags of loaded reads, in their order.

    The reader of alignments knows no tags, so the same stretch is read once more. Reads around the
    origin of a circular contig lie before its first base or behind its last one in a batch that
    goes on there: of such a batch the whole contig is read.

    Raises
    ------
    InputError
        Where the file cannot be read, or a tag holds no number.
    """
    tags: dict[tuple[int, int, int], tuple[int, int, int]] = {}
    unknown = UNKNOWN_MOLECULE, -1, 0
    try:
        with pysam.AlignmentFile(str(path), reference_filename=str(reference)) as file:
            length = file.get_reference_length(batch.contig)
            is_inside = batch.start >= 0 and batch.end <= length
            span = (batch.start, batch.end) if is_inside else ()
            for read in file.fetch(batch.contig, *span):
                if read.has_tag(MOLECULE_TAG):
                    name_hash = zlib.crc32((read.query_name or "").encode())
                    key = name_hash, read.flag, read.reference_start
                    # A spiked read has a molecule, but no place of its own.
                    told = dict(read.get_tags())
                    molecule, true_start, artefact = (
                        int(told.get(tag, default))
                        for tag, default in zip(_TAGS, unknown, strict=True)
                    )
                    tags[key] = molecule, true_start, artefact
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"cannot read the tags {', '.join(_TAGS)} of {path} near {batch.contig}:"
            f"{batch.start + 1} ({error}); make the sample again with varcall simulate"
        ) from None
    arrays = batch.arrays
    in_file = arrays.read_start % length
    columns = arrays.name_hash, arrays.flag, in_file
    keys = zip(*(column.tolist() for column in columns), strict=True)
    found = np.array([tags.get(key, unknown) for key in keys], np.int32).reshape(-1, 3)
    place = found[:, 1]
    # As far around the circle as the read is.
    place = np.where(place >= 0, place + arrays.read_start - in_file, place).astype(np.int32)
    return Origins(found[:, 0].copy(), place, found[:, 2].astype(np.uint8))


def places_before(before: ReadArrays, after: ReadArrays) -> NDArray[np.int64]:
    """Return where each read was before realignment changed the order of reads, or left some out.

    Reads of one fragment and one flag count as the same: they are of one molecule.

    Returns
    -------
    int64 [n]: read i of `after` is read number [i] of `before`.
    """
    # Their places are no help: realignment changes these.
    known, wanted = (
        reads.fragment.astype(np.int64) << 16 | reads.flag for reads in (before, after)
    )
    order = np.argsort(known, kind="stable")
    return np.asarray(order[np.searchsorted(known[order], wanted)], np.int64)
