"""Draw pileup images: the layout is described in pileup.spec.PileupSpec."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import INDEL, OTHER, OTHER_LEVEL, PUTATIVE, REF, REF_LEVEL, UNKNOWN_LEVEL
from pileup.kernels.spans import order_of
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CREF_SKIP, CSOFT_CLIP, FREVERSE
from pileup.spec import (
    ALLELE_ROWS,
    BASE_A,
    BASE_C,
    BASE_G,
    BASE_OTHER,
    BASE_QUALITY_CAP,
    BASE_T,
    CENTRE,
    DIFFERS_DELETION,
    DIFFERS_INSERTION,
    DIFFERS_INSERTION_CAP,
    DIFFERS_INSERTION_STEP,
    DIFFERS_MISMATCH,
    DIFFERS_NOT,
    HEADER_ROWS,
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

_BASE_PIXEL = np.array([BASE_A, BASE_C, BASE_G, BASE_T, BASE_OTHER], dtype=np.uint8)


@kernel
def mix(value):
    """Scramble 64 bits (the finaliser of SplitMix64, Steele et al. 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@part
def support_level(allele, mask):
    """Return the level of what a read shows, given the mask of the putative ALTs."""
    if allele > REF:
        return PUTATIVE if mask >> (allele - 1) & 1 else OTHER_LEVEL
    if allele == REF:
        return REF_LEVEL
    return OTHER_LEVEL if allele == OTHER else UNKNOWN_LEVEL


@kernel
def choose_rows(site, mask, reads, sites, shown):
    """Return the observations of a site to draw, in row order."""
    first = shown.offset[site]
    last = shown.offset[site + 1]
    total = last - first
    count = min(total, READ_ROWS)
    chosen = np.empty(count, np.int64)
    if total <= READ_ROWS:
        for index in range(count):
            chosen[index] = first + index
    else:
        salt = mix(np.uint64(sites.start[site]) + np.uint64(0x9E3779B97F4A7C15))
        ranks = np.empty(total, np.uint64)
        for index in range(total):
            ranks[index] = mix(reads.name_hash[shown.read[first + index]] ^ salt)
        order = order_of(ranks)
        taken = np.zeros(total, np.bool_)
        for index in range(count):
            taken[order[index]] = True
        found = 0
        for index in range(total):
            if taken[index]:
                chosen[found] = first + index
                found += 1
    keys = np.empty(count, np.int64)
    for index in range(count):
        observation = chosen[index]
        level = np.int64(support_level(shown.allele[observation], mask))
        keys[index] = (level << 40) + reads.read_start[shown.read[observation]]
    order = order_of(keys)
    rows = np.empty(count, np.int64)
    for index in range(count):
        rows[index] = chosen[order[index]]
    return rows


@part
def _draw_header(image, site, mask, reference, sites):
    """Draw the rows of the reference and of the putative allele(s), in both panels."""
    codes = reference.codes
    left = sites.start[site] - CENTRE - reference.start
    for column in range(WIDTH):
        source = left + column
        if source < 0 or source >= len(codes):
            continue
        for row in range(REFERENCE_ROWS):
            image[row, column, 0] = _BASE_PIXEL[codes[source]]
            image[row, column, 1] = MAX_PIXEL
            image[row, column, 2] = MAX_PIXEL
            image[PANEL_HEIGHT + row, column, 2] = DIFFERS_NOT
    # Where the alleles' own bases begin.
    begin = CENTRE + (1 if sites.kind[site] == INDEL else 0)
    # A lone allele fills both rows, so that "two alleles asked" looks different.
    copies = ALLELE_ROWS if mask & (mask - 1) == 0 else 1
    first_alt = sites.alt_offset[site]
    row = REFERENCE_ROWS
    for alt in range(first_alt, sites.alt_offset[site + 1]):
        if not mask >> (alt - first_alt) & 1 or row >= REFERENCE_ROWS + ALLELE_ROWS:
            continue
        first_base = sites.alt_base_offset[alt]
        put = sites.alt_base_offset[alt + 1] - first_base
        # By how much what follows the allele's own bases is shifted.
        shift = put - sites.alt_deleted[alt]
        for column in range(WIDTH):
            if column < begin or column >= begin + put:
                source = left + column - (shift if column >= begin else 0)
                if source < 0 or source >= len(codes):
                    continue
                base = codes[source]
                differs = DIFFERS_NOT
            else:
                base = sites.alt_bases[first_base + column - begin]
                differs = DIFFERS_MISMATCH
            for copy in range(copies):
                image[row + copy, column, 0] = _BASE_PIXEL[base]
                image[row + copy, column, 1] = MAX_PIXEL
                image[row + copy, column, 2] = MAX_PIXEL
                image[PANEL_HEIGHT + row + copy, column, 1] = SUPPORT_PUTATIVE
                image[PANEL_HEIGHT + row + copy, column, 2] = differs
        row += copies


@part
def _draw_read(image, row, read, support, left, reference, reads):
    """Draw a read into a row of both panels; `left` is the contig position of column 0."""
    codes = reference.codes
    mapq_pixel = min(reads.mapq[read], MAPQ_CAP) * MAX_PIXEL // MAPQ_CAP
    strand_pixel = STRAND_REVERSE if reads.flag[read] & FREVERSE else STRAND_FORWARD
    lower = PANEL_HEIGHT + row
    position = np.int64(reads.read_start[read])
    query = reads.base_offset[read]
    for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
        op = reads.cigar_op[index]
        size = np.int64(reads.cigar_length[index])
        if op == CMATCH or op == CEQUAL or op == CDIFF or op == CDEL:
            begin = max(0, left - position)
            end = min(size, left + WIDTH - position)
            for step in range(begin, end):
                column = position + step - left
                image[row, column, 2] = mapq_pixel
                image[lower, column, 0] = strand_pixel
                image[lower, column, 1] = support
                if op == CDEL:
                    image[lower, column, 2] = DIFFERS_DELETION
                    continue
                base = reads.bases[query + step]
                quality = min(np.int64(reads.qualities[query + step]), BASE_QUALITY_CAP)
                image[row, column, 0] = _BASE_PIXEL[base]
                image[row, column, 1] = quality * MAX_PIXEL // BASE_QUALITY_CAP
                source = position + step - reference.start
                same = 0 <= source < len(codes) and codes[source] == base
                image[lower, column, 2] = DIFFERS_NOT if same else DIFFERS_MISMATCH
            position += size
            if op != CDEL:
                query += size
        elif op == CINS:
            column = position - 1 - left
            if 0 <= column < WIDTH and position > reads.read_start[read]:
                image[lower, column, 2] = DIFFERS_INSERTION + DIFFERS_INSERTION_STEP * min(
                    size, DIFFERS_INSERTION_CAP
                )
            query += size
        elif op == CSOFT_CLIP:
            query += size
        elif op == CREF_SKIP:
            position += size
        if position >= left + WIDTH:
            break


@kernel
def draw_images(images, questions, reference, reads, sites, shown):
    """Draw one image per question into `images` (uint8 [q, 224, 224, 3], zeroed)."""
    for question in range(len(questions.site)):
        site = questions.site[question]
        mask = np.int64(questions.alleles[question])
        image = images[question]
        _draw_header(image, site, mask, reference, sites)
        left = sites.start[site] - CENTRE
        rows = choose_rows(site, mask, reads, sites, shown)
        for index in range(len(rows)):
            observation = rows[index]
            level = support_level(shown.allele[observation], mask)
            if level == PUTATIVE:
                support = SUPPORT_PUTATIVE
            elif level == OTHER_LEVEL:
                support = SUPPORT_OTHER
            elif level == REF_LEVEL:
                support = SUPPORT_REFERENCE
            else:
                support = SUPPORT_UNKNOWN
            read = shown.read[observation]
            _draw_read(image, HEADER_ROWS + index, read, support, left, reference, reads)
