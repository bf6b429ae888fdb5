"""Twin of kernels.image.draw: one pileup image, pixel by pixel."""

from collections.abc import Mapping, Sequence
from math import log2

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import LibraryNorms, asked_alts
from pileup.codes import OTHER, REF, UNINFORMATIVE
from pileup.sam import FPAIRED, FPROPER_PAIR, FREVERSE
from pileup.spec import (
    ABSENT_QUALITY,
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
    DIVERGENCE_LEAST,
    DIVERGENCE_STEP,
    DIVERGENCE_STEPS,
    HAPLOTYPE_FIRST,
    HAPLOTYPE_SECOND,
    HAPLOTYPE_UNKNOWN,
    HEADER_NO,
    HEADER_ROWS,
    HEADER_YES,
    HEIGHT,
    LEAST_DIVERGENCE,
    MAPQ_CAP,
    MAX_PIXEL,
    NEUTRAL_BASE_QUALITY,
    NEUTRAL_MAPQ,
    PAIRING_IMPROPER,
    PAIRING_NONE,
    PAIRING_PROPER,
    PANELS,
    READ_ROWS,
    REFERENCE_ROWS,
    SECOND_NO,
    SECOND_UNKNOWN,
    SECOND_YES,
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
_HAPLOTYPES = (HAPLOTYPE_UNKNOWN, HAPLOTYPE_FIRST, HAPLOTYPE_SECOND)
_HAPLOTYPE_ORDER = (1, 2, 0)
_SECOND_ORDER = (SECOND_YES, SECOND_NO, SECOND_UNKNOWN)


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
    observations: Sequence[Observation],
    asked: Sequence[int],
    site: Site,
    reads: Sequence[Read],
    second: Mapping[int, int] | None = None,
) -> list[Observation]:
    """Return the observations to draw, in row order; `second` is `second_pixels`."""
    second = second or {}
    salt = mix((site.start + 0x9E3779B97F4A7C15) % 2**64)
    ranked = sorted(observations, key=lambda o: mix(reads[o.read].name_hash ^ salt))
    drawn = {observation.read for observation in ranked[:READ_ROWS]}
    return sorted(
        (observation for observation in observations if observation.read in drawn),
        key=lambda o: (
            _HAPLOTYPE_ORDER.index(o.haplotype),
            _GROUPS.index(support_pixel(o.allele, asked)),
            _SECOND_ORDER.index(second.get(reads[o.read].fragment, SECOND_UNKNOWN)),
            reads[o.read].start,
        ),
    )


def second_pixels(
    observations: Sequence[Observation], mask: int, reads: Sequence[Read]
) -> dict[int, int]:
    """Return by fragment the pixel of what it shows of a second variant.

    `observations` are those of its site, `mask` names its alleles.
    """
    found: dict[int, set[int]] = {}
    for observation in observations:
        support = support_pixel(observation.allele, asked_alleles(mask))
        if support != SUPPORT_UNKNOWN:
            shown = SECOND_YES if support == SUPPORT_PUTATIVE else SECOND_NO
            found.setdefault(reads[observation.read].fragment, set()).add(shown)
    return {
        fragment: shown.pop() if len(shown) == 1 else SECOND_UNKNOWN
        for fragment, shown in found.items()
    }


def draw(
    site: Site,
    mask: int,
    reads: Sequence[Read],
    observations: Sequence[Observation],
    reference: Stretch,
    differences: Sequence[int],
    norms: LibraryNorms,
    second: Mapping[int, int] | None = None,
) -> NDArray[np.uint8]:
    """Draw the image of one question: uint8 [224, 224, 3].

    `differences` holds the mismatches, indels and clipped bases of each read; `second` is
    `second_pixels` where the question names a second variant.
    """
    asked = asked_alleles(mask)
    panels = np.zeros((len(PANELS), READ_ROWS, WIDTH, CHANNELS), np.uint8)
    left = site.start - CENTRE
    for row, observation in enumerate(choose_rows(observations, asked, site, reads, second)):
        read = reads[observation.read]
        of_read = (
            _HAPLOTYPES[observation.haplotype],
            pairing_pixel(read, norms)
            if second is None
            else second.get(read.fragment, SECOND_UNKNOWN),
            divergence_pixel(read, differences[observation.read], observation, site, norms),
        )
        support = support_pixel(observation.allele, asked)
        _draw_read(panels[:, row], read, support, of_read, reference, left)
    image = np.concatenate([_header(site, asked, reference, left), *panels])
    assert image.shape == (HEIGHT, WIDTH, CHANNELS)
    return image


def pairing_pixel(read: Read, norms: LibraryNorms) -> int:
    """Return the pixel of how a read is paired."""
    if not norms.pairs_tell or not read.flag & FPAIRED:
        return PAIRING_NONE
    return PAIRING_PROPER if read.flag & FPROPER_PAIR else PAIRING_IMPROPER


def divergence_pixel(
    read: Read, differences: int, observation: Observation, site: Site, norms: LibraryNorms
) -> int:
    """Return the pixel of a read's differences beyond the allele that it shows at a site."""
    if observation.allele > REF:
        differences -= 1 if site.is_indel else site.ref_length
    rate = max(differences, 0) / max(read.end - read.start, 1)
    octaves = log2(1 + rate / max(norms.divergence, LEAST_DIVERGENCE))
    return DIVERGENCE_LEAST + DIVERGENCE_STEP * min(int(2 * octaves), DIVERGENCE_STEPS)


def _header(site: Site, asked: Sequence[int], reference: Stretch, left: int) -> NDArray[np.uint8]:
    header = np.zeros((HEADER_ROWS, WIDTH, CHANNELS), np.uint8)
    alts = [site.alts[number - 1] for number in asked][:2]
    taken = max(alt.deleted for alt in alts)
    begin = site.start + site.is_indel
    for column in range(WIDTH):
        position = left + column
        if reference.covers(position):
            header[:REFERENCE_ROWS, column] = (
                _BASE_PIXELS[reference.base(position)],
                _yes(begin <= position < begin + taken),
                _yes(site.start <= position < site.repeat_end),
            )
    for row in range(ALLELE_ROWS):
        alt = alts[row * len(alts) // ALLELE_ROWS]
        for column, (base, own, inside) in _haplotype(site, alt, reference, left).items():
            header[REFERENCE_ROWS + row, column] = (_BASE_PIXELS[base], _yes(own), _yes(inside))
    return header


def _yes(condition: bool) -> int:
    return HEADER_YES if condition else HEADER_NO


def _haplotype(
    site: Site, alt: Alt, reference: Stretch, left: int
) -> dict[int, tuple[int, bool, bool]]:
    """Return by column the base of the reference with the ALT in its place.

    With it, whether the base is new, and whether it is inside the repeat.
    """
    begin = site.start + site.is_indel
    places: list[tuple[int | None, int]] = [(position, 0) for position in range(left, begin)]
    places += [(None, base) for base in alt.bases]
    places += [(begin + alt.deleted + step, 0) for step in range(WIDTH)]
    shown = {}
    for column, (position, base) in enumerate(places[:WIDTH]):
        if position is None:
            shown[column] = (base, True, True)
        elif reference.covers(position):
            inside = site.start <= position < site.repeat_end
            shown[column] = (reference.base(position), False, inside)
    return shown


def quality_pixel(quality: int, neutral: int, cap: int) -> int:
    """Return the pixel of a base or mapping quality."""
    return min(neutral if quality == ABSENT_QUALITY else quality, cap) * MAX_PIXEL // cap


def _draw_read(
    rows: NDArray[np.uint8],
    read: Read,
    support: int,
    of_read: tuple[int, int, int],
    reference: Stretch,
    left: int,
) -> None:
    """Draw a read into its rows of the panels, uint8 [3, 224, 3]."""
    bases, alleles, whole = rows
    mapq = quality_pixel(read.mapq, NEUTRAL_MAPQ, MAPQ_CAP)
    strand = STRAND_REVERSE if read.flag & FREVERSE else STRAND_FORWARD
    for position, index in read.columns().items():
        column = position - left
        if not 0 <= column < WIDTH:
            continue
        whole[column] = of_read
        if index < 0:
            bases[column] = (0, 0, mapq)
            alleles[column] = (strand, support, DIFFERS_DELETION)
            continue
        base = read.bases[index]
        quality = quality_pixel(read.qualities[index], NEUTRAL_BASE_QUALITY, BASE_QUALITY_CAP)
        same = reference.covers(position) and reference.base(position) == base
        bases[column] = (_BASE_PIXELS[base], quality, mapq)
        alleles[column] = (strand, support, DIFFERS_NOT if same else DIFFERS_MISMATCH)
    for letter, length, position, _ in read.blocks():
        anchor = position - 1 - left
        # An insertion before the first aligned base has no anchor inside the read.
        if letter == "I" and position > read.start and 0 <= anchor < WIDTH:
            alleles[anchor, 2] = DIFFERS_INSERTION + DIFFERS_INSERTION_STEP * min(
                length, DIFFERS_INSERTION_CAP
            )
