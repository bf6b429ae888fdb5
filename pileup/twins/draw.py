"""Twin of kernels.image.draw: one pileup image, pixel by pixel."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import asked_alts
from pileup.codes import OTHER, REF, UNINFORMATIVE
from pileup.sam import FREVERSE
from pileup.spec import (
    ALLELE_ROWS,
    BASE_A,
    BASE_C,
    BASE_G,
    BASE_OTHER,
    BASE_QUALITY_CAP,
    BASE_T,
    CENTRE,
    CHANNELS,
    DIFFERS_DELETION,
    DIFFERS_INSERTION,
    DIFFERS_INSERTION_CAP,
    DIFFERS_INSERTION_STEP,
    DIFFERS_MISMATCH,
    DIFFERS_NOT,
    HEADER_ROWS,
    HEIGHT,
    MAPQ_CAP,
    MAX_PIXEL,
    PANEL_HEIGHT,
    READ_ROWS,
    REFERENCE_ROWS,
    STRAND_FORWARD,
    STRAND_REVERSE,
    SUPPORT_OTHER,
    SUPPORT_PUTATIVE,
    SUPPORT_REFERENCE,
    SUPPORT_UNKNOWN,
    WIDTH,
)
from pileup.twins.alignment import Alt, Read, Site, Stretch
from pileup.twins.observe import Observation

_BASE_PIXELS = (BASE_A, BASE_C, BASE_G, BASE_T, BASE_OTHER)
_GROUPS = (SUPPORT_PUTATIVE, SUPPORT_OTHER, SUPPORT_REFERENCE, SUPPORT_UNKNOWN)


def mix(value: int) -> int:
    """Scramble 64 bits (the finaliser of SplitMix64, Steele et al. 2014)."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
    return value ^ value >> 31


def support_pixel(allele: int, asked: Sequence[int]) -> int:
    """Return the pixel of what a read shows, given the numbers (1, 2, ...) of the asked ALTs."""
    if allele in asked:
        return SUPPORT_PUTATIVE
    if allele == UNINFORMATIVE:
        return SUPPORT_UNKNOWN
    return SUPPORT_OTHER if allele > REF or allele == OTHER else SUPPORT_REFERENCE


def asked_alleles(mask: int) -> tuple[int, ...]:
    """Return the allele numbers (1, 2, ...) of a question's bit mask."""
    return tuple(alt + 1 for alt in asked_alts(mask))


def choose_rows(
    observations: Sequence[Observation], asked: Sequence[int], site: Site, reads: Sequence[Read]
) -> list[Observation]:
    """Return the observations to draw, in row order."""
    salt = mix((site.start + 0x9E3779B97F4A7C15) % 2**64)
    ranked = sorted(observations, key=lambda o: mix(reads[o.read].name_hash ^ salt))
    drawn = {observation.read for observation in ranked[:READ_ROWS]}
    return sorted(
        (observation for observation in observations if observation.read in drawn),
        key=lambda o: (_GROUPS.index(support_pixel(o.allele, asked)), reads[o.read].start),
    )


def draw(
    site: Site,
    mask: int,
    reads: Sequence[Read],
    observations: Sequence[Observation],
    reference: Stretch,
) -> NDArray[np.uint8]:
    """Draw the image of one question: uint8 [224, 224, 3]."""
    asked = asked_alleles(mask)
    upper = np.zeros((PANEL_HEIGHT, WIDTH, CHANNELS), np.uint8)
    lower = np.zeros_like(upper)
    left = site.start - CENTRE
    for column in range(WIDTH):
        if reference.covers(left + column):
            upper[:REFERENCE_ROWS, column] = _solid(reference.base(left + column))
            lower[:REFERENCE_ROWS, column] = (0, 0, DIFFERS_NOT)
    alts = [site.alts[number - 1] for number in asked][:ALLELE_ROWS]
    for row in range(ALLELE_ROWS):
        alt = alts[row % len(alts)]
        for column, (base, own) in _haplotype(site, alt, reference, left).items():
            differs = DIFFERS_MISMATCH if own else DIFFERS_NOT
            upper[REFERENCE_ROWS + row, column] = _solid(base)
            lower[REFERENCE_ROWS + row, column] = (0, SUPPORT_PUTATIVE, differs)
    for row, observation in enumerate(choose_rows(observations, asked, site, reads), HEADER_ROWS):
        support = support_pixel(observation.allele, asked)
        _draw_read(upper[row], lower[row], reads[observation.read], support, reference, left)
    image = np.concatenate([upper, lower])
    assert image.shape == (HEIGHT, WIDTH, CHANNELS)
    return image


def _solid(base: int) -> tuple[int, int, int]:
    return _BASE_PIXELS[base], MAX_PIXEL, MAX_PIXEL


def _haplotype(site: Site, alt: Alt, reference: Stretch, left: int) -> dict[int, tuple[int, bool]]:
    """Return by column the base of the reference with the ALT in its place, and if it is new."""
    begin = site.start + site.is_indel
    places: list[tuple[int | None, int]] = [(position, 0) for position in range(left, begin)]
    places += [(None, base) for base in alt.bases]
    places += [(begin + alt.deleted + step, 0) for step in range(WIDTH)]
    shown = {}
    for column, (position, base) in enumerate(places[:WIDTH]):
        if position is None:
            shown[column] = (base, True)
        elif reference.covers(position):
            shown[column] = (reference.base(position), False)
    return shown


def _draw_read(
    upper: NDArray[np.uint8],
    lower: NDArray[np.uint8],
    read: Read,
    support: int,
    reference: Stretch,
    left: int,
) -> None:
    mapq = min(read.mapq, MAPQ_CAP) * MAX_PIXEL // MAPQ_CAP
    strand = STRAND_REVERSE if read.flag & FREVERSE else STRAND_FORWARD
    for position, index in read.columns().items():
        column = position - left
        if not 0 <= column < WIDTH:
            continue
        if index < 0:
            upper[column] = (0, 0, mapq)
            lower[column] = (strand, support, DIFFERS_DELETION)
            continue
        base = read.bases[index]
        quality = min(read.qualities[index], BASE_QUALITY_CAP) * MAX_PIXEL // BASE_QUALITY_CAP
        same = reference.covers(position) and reference.base(position) == base
        upper[column] = (_BASE_PIXELS[base], quality, mapq)
        lower[column] = (strand, support, DIFFERS_NOT if same else DIFFERS_MISMATCH)
    for letter, length, position, _ in read.blocks():
        anchor = position - 1 - left
        # An insertion before the first aligned base has no anchor inside the read.
        if letter == "I" and position > read.start and 0 <= anchor < WIDTH:
            lower[anchor, 2] = DIFFERS_INSERTION + DIFFERS_INSERTION_STEP * min(
                length, DIFFERS_INSERTION_CAP
            )
