"""Draw pileup images: the layout is described in pileup.spec.PileupSpec."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import (
    INDEL,
    N_LEVELS,
    OTHER,
    OTHER_LEVEL,
    PUTATIVE,
    REF,
    REF_LEVEL,
    UNKNOWN_LEVEL,
)
from pileup.kernels.spans import order_of
from pileup.sam import (
    CDEL,
    CDIFF,
    CEQUAL,
    CINS,
    CMATCH,
    CREF_SKIP,
    CSOFT_CLIP,
    FPAIRED,
    FPROPER_PAIR,
    FREVERSE,
)
from pileup.spec import (
    ABSENT_QUALITY,
    ALLELE_ROWS,
    ALLELES_PANEL,
    BASE_A,
    BASE_C,
    BASE_G,
    BASE_OTHER,
    BASE_QUALITY_CAP,
    BASE_T,
    BASES_PANEL,
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
    LEAST_DIVERGENCE,
    MAPQ_CAP,
    MAX_PIXEL,
    NEUTRAL_BASE_QUALITY,
    NEUTRAL_MAPQ,
    PAIRING_IMPROPER,
    PAIRING_NONE,
    PAIRING_PROPER,
    READ_ROWS,
    READS_PANEL,
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
    panel_top,
)

_BASE_PIXEL = np.array([BASE_A, BASE_C, BASE_G, BASE_T, BASE_OTHER], dtype=np.uint8)
_BASES_TOP, _ALLELES_TOP, _READS_TOP = (
    panel_top(panel) for panel in (BASES_PANEL, ALLELES_PANEL, READS_PANEL)
)
# Where 1 + ratio passes each half octave.
_DIVERGENCE_BOUNDS = 2.0 ** (np.arange(1, DIVERGENCE_STEPS + 1) / 2) - 1


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
def choose_rows(site, mask, reads, sites, shown, second):
    """Return the observations of a site to draw, in row order.

    `second` (uint8 by fragment) holds the pixels of a second variant; empty where there is none.
    """
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
        # First, second, not known.
        haplotype = (np.int64(shown.haplotype[observation]) + 2) % 3
        level = np.int64(support_level(shown.allele[observation], mask))
        start = np.int64(reads.read_start[shown.read[observation]])
        after = np.int64(0)
        if len(second):
            after = MAX_PIXEL - np.int64(second[reads.fragment[shown.read[observation]]])
        keys[index] = (haplotype * N_LEVELS + level << 48) + (after << 40) + start
    order = order_of(keys)
    rows = np.empty(count, np.int64)
    for index in range(count):
        rows[index] = chosen[order[index]]
    return rows


@part
def _yes(condition):
    return HEADER_YES if condition else HEADER_NO


@part
def _draw_reference(image, site, mask, begin, left, reference, sites):
    """Draw the header's rows of the reference; `begin` is the column of the alleles' own bases."""
    first_alt = sites.alt_offset[site]
    taken = 0
    for alt in range(first_alt, sites.alt_offset[site + 1]):
        if mask >> (alt - first_alt) & 1:
            taken = max(taken, sites.alt_deleted[alt])
    for column in range(WIDTH):
        source = left + column - reference.start
        if source < 0 or source >= len(reference.codes):
            continue
        for row in range(REFERENCE_ROWS):
            image[row, column, 0] = _BASE_PIXEL[reference.codes[source]]
            image[row, column, 1] = _yes(begin <= column < begin + taken)
            image[row, column, 2] = _yes(CENTRE <= column < sites.repeat_end[site] - left)


@part
def _draw_header(image, site, mask, reference, sites):
    """Draw the rows of the reference and of the putative allele(s)."""
    left = sites.start[site] - CENTRE
    # Where the alleles' own bases begin.
    begin = CENTRE + (1 if sites.kind[site] == INDEL else 0)
    _draw_reference(image, site, mask, begin, left, reference, sites)
    # A lone allele fills all rows, so that "two alleles asked" looks different.
    copies = ALLELE_ROWS if mask & (mask - 1) == 0 else ALLELE_ROWS // 2
    first_alt = sites.alt_offset[site]
    row = REFERENCE_ROWS
    for alt in range(first_alt, sites.alt_offset[site + 1]):
        if not mask >> (alt - first_alt) & 1 or row >= HEADER_ROWS:
            continue
        first_base = sites.alt_base_offset[alt]
        put = sites.alt_base_offset[alt + 1] - first_base
        # By how much what follows the allele's own bases is shifted.
        shift = put - sites.alt_deleted[alt]
        for column in range(WIDTH):
            own = begin <= column < begin + put
            if own:
                base = sites.alt_bases[first_base + column - begin]
                inside = True
            else:
                position = left + column - (shift if column >= begin else 0)
                source = position - reference.start
                if source < 0 or source >= len(reference.codes):
                    continue
                base = reference.codes[source]
                inside = sites.start[site] <= position < sites.repeat_end[site]
            for copy in range(copies):
                image[row + copy, column, 0] = _BASE_PIXEL[base]
                image[row + copy, column, 1] = _yes(own)
                image[row + copy, column, 2] = _yes(inside)
        row += copies


@part
def _support_pixel(level):
    if level == PUTATIVE:
        return SUPPORT_PUTATIVE
    if level == OTHER_LEVEL:
        return SUPPORT_OTHER
    return SUPPORT_REFERENCE if level == REF_LEVEL else SUPPORT_UNKNOWN


@part
def _haplotype_pixel(haplotype):
    if haplotype == 0:
        return HAPLOTYPE_UNKNOWN
    return HAPLOTYPE_FIRST if haplotype == 1 else HAPLOTYPE_SECOND


@part
def _pairing_pixel(flag, norms):
    if not (norms.pairs_tell and flag & FPAIRED):
        return PAIRING_NONE
    return PAIRING_PROPER if flag & FPROPER_PAIR else PAIRING_IMPROPER


@part
def _divergence_pixel(read, allele, site, reads, counts, sites, norms):
    """Return the pixel of how much a read differs elsewhere from what is usual."""
    differences = np.int64(counts.mismatches[read]) + counts.clipped[read]
    if allele > REF:
        differences -= 1 if sites.kind[site] == INDEL else sites.ref_length[site]
    aligned = max(reads.read_end[read] - reads.read_start[read], 1)
    ratio = differences / aligned / max(norms.divergence, LEAST_DIVERGENCE)
    step = 0
    while step < DIVERGENCE_STEPS and ratio >= _DIVERGENCE_BOUNDS[step]:
        step += 1
    return DIVERGENCE_LEAST + DIVERGENCE_STEP * step


@part
def _quality_pixel(quality, neutral, cap):
    if quality == ABSENT_QUALITY:
        quality = neutral
    return min(quality, cap) * MAX_PIXEL // cap


@part
def _draw_read(image, row, left, observation, level, of_read, reference, reads, shown):
    """Draw a read into a row of each panel.

    `left` is the contig position of column 0; `of_read` (uint8 [3]) holds the pixels of the panel
    that tells of the read as a whole.
    """
    codes = reference.codes
    read = shown.read[observation]
    mapq_pixel = _quality_pixel(np.int64(reads.mapq[read]), NEUTRAL_MAPQ, MAPQ_CAP)
    strand_pixel = STRAND_REVERSE if reads.flag[read] & FREVERSE else STRAND_FORWARD
    support_pixel = _support_pixel(level)
    bases, alleles, whole = _BASES_TOP + row, _ALLELES_TOP + row, _READS_TOP + row
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
                image[bases, column, 2] = mapq_pixel
                image[alleles, column, 0] = strand_pixel
                image[alleles, column, 1] = support_pixel
                for channel in range(CHANNELS):
                    image[whole, column, channel] = of_read[channel]
                if op == CDEL:
                    image[alleles, column, 2] = DIFFERS_DELETION
                    continue
                base = reads.bases[query + step]
                quality = np.int64(reads.qualities[query + step])
                image[bases, column, 0] = _BASE_PIXEL[base]
                image[bases, column, 1] = _quality_pixel(
                    quality, NEUTRAL_BASE_QUALITY, BASE_QUALITY_CAP
                )
                source = position + step - reference.start
                same = 0 <= source < len(codes) and codes[source] == base
                image[alleles, column, 2] = DIFFERS_NOT if same else DIFFERS_MISMATCH
            position += size
            if op != CDEL:
                query += size
        elif op == CINS:
            column = position - 1 - left
            if 0 <= column < WIDTH and position > reads.read_start[read]:
                image[alleles, column, 2] = DIFFERS_INSERTION + DIFFERS_INSERTION_STEP * min(
                    size, DIFFERS_INSERTION_CAP
                )
            query += size
        elif op == CSOFT_CLIP:
            query += size
        elif op == CREF_SKIP:
            position += size
        if position >= left + WIDTH:
            break


@part
def _look_up_second(second, site, mask, reads, shown):
    """Write what each fragment shows of a variant into `second`, uint8 by fragment.

    A fragment whose mates contradict each other shows nothing.
    """
    second[:] = SECOND_UNKNOWN
    for turn in range(2):
        for observation in range(shown.offset[site], shown.offset[site + 1]):
            level = support_level(shown.allele[observation], mask)
            if level == UNKNOWN_LEVEL:
                continue
            pixel = SECOND_YES if level == PUTATIVE else SECOND_NO
            fragment = reads.fragment[shown.read[observation]]
            if turn == 0:
                second[fragment] = pixel
            elif second[fragment] != pixel:
                second[fragment] = SECOND_UNKNOWN


@kernel
def draw_images(images, questions, others, reference, reads, counts, sites, shown, norms):
    """Draw one image per question into `images` (uint8 [q, 224, 224, 3], zeroed).

    `others` are the second variants that the questions name: as many, or none.
    """
    of_read = np.empty(CHANNELS, np.uint8)
    n_fragments = 0
    if len(others.site) and len(reads.fragment):
        n_fragments = np.int64(reads.fragment.max()) + 1
    second = np.empty(n_fragments, np.uint8)
    for question in range(len(questions.site)):
        if n_fragments:
            other_mask = np.int64(others.alleles[question])
            _look_up_second(second, others.site[question], other_mask, reads, shown)
        site = questions.site[question]
        mask = np.int64(questions.alleles[question])
        image = images[question]
        _draw_header(image, site, mask, reference, sites)
        left = sites.start[site] - CENTRE
        rows = choose_rows(site, mask, reads, sites, shown, second)
        for row in range(len(rows)):
            observation = rows[row]
            allele = shown.allele[observation]
            read = shown.read[observation]
            of_read[0] = _haplotype_pixel(shown.haplotype[observation])
            if n_fragments:
                of_read[1] = second[reads.fragment[read]]
            else:
                of_read[1] = _pairing_pixel(reads.flag[read], norms)
            of_read[2] = _divergence_pixel(read, allele, site, reads, counts, sites, norms)
            level = support_level(allele, mask)
            _draw_read(image, row, left, observation, level, of_read, reference, reads, shown)
