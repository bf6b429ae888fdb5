"""Pileup images from the arrays of a window."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.draw import draw_images
from pileup.spec import CHANNELS, HEIGHT, WIDTH


class Reads(Protocol):
    """The arrays of alignments that a picture needs (see varcall.reads.ReadBatch)."""

    @property
    def read_start(self) -> NDArray[np.int32]: ...
    @property
    def mapq(self) -> NDArray[np.uint8]: ...
    @property
    def flag(self) -> NDArray[np.uint16]: ...
    @property
    def name_hash(self) -> NDArray[np.uint64]: ...
    @property
    def base_offset(self) -> NDArray[np.int64]: ...
    @property
    def bases(self) -> NDArray[np.uint8]: ...
    @property
    def qualities(self) -> NDArray[np.uint8]: ...
    @property
    def cigar_offset(self) -> NDArray[np.int64]: ...
    @property
    def cigar_op(self) -> NDArray[np.uint8]: ...
    @property
    def cigar_length(self) -> NDArray[np.int32]: ...


class CandidateSites(Protocol):
    """The arrays of candidate sites that a picture needs (see varcall.candidates.Sites)."""

    @property
    def start(self) -> NDArray[np.int64]: ...
    @property
    def kind(self) -> NDArray[np.uint8]: ...
    @property
    def alt_offset(self) -> NDArray[np.int64]: ...
    @property
    def alt_deleted(self) -> NDArray[np.int32]: ...
    @property
    def alt_base_offset(self) -> NDArray[np.int64]: ...
    @property
    def alt_bases(self) -> NDArray[np.uint8]: ...


class ShownAlleles(Protocol):
    """Which allele each read shows at each site (see varcall.observations.Observations)."""

    @property
    def offset(self) -> NDArray[np.int64]: ...
    @property
    def read(self) -> NDArray[np.int32]: ...
    @property
    def allele(self) -> NDArray[np.int8]: ...


def encode(
    reads: Reads,
    sites: CandidateSites,
    shown: ShownAlleles,
    question_site: NDArray[np.int32],
    question_alleles: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    reference_start: int,
) -> NDArray[np.uint8]:
    """Draw one image per question.

    Parameters
    ----------
    question_site, question_alleles
        int32 [q], the site asked about; uint8 [q], bit mask of its putative ALTs.
    reference, reference_start
        uint8 codes (0 A, 1 C, 2 G, 3 T, 4 other) of the contig from `reference_start` on
        (0-based); what it does not cover stays blank.

    Returns
    -------
    uint8 [q, 224, 224, 3], laid out as `pileup.spec.PileupSpec` says.
    """
    images = np.zeros((len(question_site), HEIGHT, WIDTH, CHANNELS), np.uint8)
    draw_images(
        images,
        question_site,
        question_alleles,
        reference,
        reference_start,
        reads.read_start,
        reads.mapq,
        reads.flag,
        reads.name_hash,
        reads.base_offset,
        reads.bases,
        reads.qualities,
        reads.cigar_offset,
        reads.cigar_op,
        reads.cigar_length,
        sites.start,
        sites.kind,
        sites.alt_offset,
        sites.alt_deleted,
        sites.alt_base_offset,
        sites.alt_bases,
        shown.offset,
        shown.read,
        shown.allele,
    )
    return images
