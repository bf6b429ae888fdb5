"""Counts behind a library profile: bases by position, and lengths that reads show for runs."""

from pileup.accelerate import kernel
from pileup.codes import N_BASES, UNKNOWN_BASE
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CREF_SKIP, CSOFT_CLIP


@kernel
def tally_bases(reads, covering, compared, start, min_quality, counts, coverage):
    """Count aligned bases by position.

    `coverage` (int32 [span]) takes all those of the `covering` (bool [n]) reads, `counts`
    (int32 [span, 4], A C G T) those of at least `min_quality` of the `compared` reads; both begin
    at the contig position `start`.
    """
    span = len(coverage)
    for read in range(len(reads.read_start)):
        if not (covering[read] or compared[read]):
            continue
        at = reads.read_start[read] - start
        query = reads.base_offset[read]
        for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
            op = reads.cigar_op[index]
            size = reads.cigar_length[index]
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                low, high = max(0, -at), min(size, span - at)
                if covering[read]:
                    for step in range(low, high):
                        coverage[at + step] += 1
                if compared[read]:
                    for step in range(low, high):
                        base = reads.bases[query + step]
                        if base < UNKNOWN_BASE and reads.qualities[query + step] >= min_quality:
                            counts[at + step, base] += 1
            if op == CMATCH or op == CDEL or op == CREF_SKIP or op == CEQUAL or op == CDIFF:
                at += size
            if op == CMATCH or op == CINS or op == CSOFT_CLIP or op == CEQUAL or op == CDIFF:
                query += size


@kernel
def find_plain(counts, reference, min_depth, variant_count, variant_fraction, plain, fraction):
    """Tell the positions that look like an SNV from those that do not.

    Parameters
    ----------
    counts
        int32 [span, 4], bases at each position.
    reference
        uint8 codes [span].
    min_depth
        Positions with fewer bases are neither.
    variant_count, variant_fraction
        Least number of another base, and least share of all, that look like a variant.
    plain
        bool [span], set where nothing looks like a variant.
    fraction
        float64 [span], zeroed: the commonest other base's share where something does.
    """
    for position in range(len(reference)):
        ref = reference[position]
        if ref >= UNKNOWN_BASE:
            continue
        depth = 0
        commonest = 0
        for base in range(N_BASES):
            depth += counts[position, base]
            if base != ref:
                commonest = max(commonest, counts[position, base])
        if depth < min_depth:
            continue
        if commonest >= variant_count and commonest >= variant_fraction * depth:
            fraction[position] = commonest / depth
        else:
            plain[position] = True


@kernel
def tally_mismatches(
    reads, covering, compared, start, reference, plain, min_quality, per_read, by_quality
):
    """Count mismatches by read and by stated quality.

    Parameters
    ----------
    covering, compared
        bool [n], the reads counted in `per_read` and in `by_quality`.
    start, reference
        Contig position and codes (uint8 [span]) of the stretch that is looked at.
    plain
        bool [span], positions that count in `by_quality`.
    min_quality
        Of the mismatches in `per_read`.
    per_read
        int64 [n, 2], zeroed: each read's mismatches and indels, and its aligned bases.
    by_quality
        int64 [256, 2], added to: mismatches and bases of each stated quality.
    """
    span = len(reference)
    for read in range(len(reads.read_start)):
        if not (covering[read] or compared[read]):
            continue
        at = reads.read_start[read] - start
        query = reads.base_offset[read]
        for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
            op = reads.cigar_op[index]
            size = reads.cigar_length[index]
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                low, high = max(0, -at), min(size, span - at)
                if covering[read] and high > low:
                    per_read[read, 1] += high - low
                for step in range(low, high):
                    base = reads.bases[query + step]
                    ref = reference[at + step]
                    if base >= UNKNOWN_BASE or ref >= UNKNOWN_BASE:
                        continue
                    quality = reads.qualities[query + step]
                    differs = base != ref
                    if covering[read] and quality >= min_quality:
                        per_read[read, 0] += differs
                    if compared[read] and plain[at + step]:
                        by_quality[quality, 0] += differs
                        by_quality[quality, 1] += 1
            elif (op == CINS or op == CDEL) and covering[read] and 0 <= at < span:
                per_read[read, 0] += 1
            if op == CMATCH or op == CDEL or op == CREF_SKIP or op == CEQUAL or op == CDIFF:
                at += size
            if op == CMATCH or op == CINS or op == CSOFT_CLIP or op == CEQUAL or op == CDIFF:
                query += size


@kernel
def shown_lengths(reads, used, run_start, run_end, run_base, flank, histogram):
    """Count by how much each read's run is longer or shorter than the reference's.

    `histogram` (int32 [runs, 2 * d + 1]) has the difference 0 in column d; reads with a larger
    difference go to its ends. Only those of the `used` (bool [n]) reads count that span a run with
    `flank` aligned bases on both sides, and whose indels inside are whole run bases. Runs lie at
    [`run_start`, `run_end`) (int64) and are of `run_base` (uint8).
    """
    middle = histogram.shape[1] // 2
    for run in range(len(run_start)):
        low = run_start[run]
        high = run_end[run]
        for read in range(len(reads.read_start)):
            if reads.read_start[read] > low - flank:
                break
            if not used[read] or reads.read_end[read] < high + flank:
                continue
            change = 0
            clean = True
            at = reads.read_start[read]
            query = reads.base_offset[read]
            for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
                op = reads.cigar_op[index]
                size = reads.cigar_length[index]
                if op == CMATCH or op == CEQUAL or op == CDIFF:
                    at += size
                    query += size
                elif op == CINS:
                    if low <= at <= high:
                        change += size
                        for step in range(size):
                            clean = clean and reads.bases[query + step] == run_base[run]
                    elif low - flank < at < high + flank:
                        clean = False
                    query += size
                elif op == CDEL or op == CREF_SKIP:
                    if low <= at and at + size <= high and op == CDEL:
                        change -= size
                    elif at < high + flank and at + size > low - flank:
                        clean = False
                    at += size
                elif op == CSOFT_CLIP:
                    query += size
                if at > high + flank:
                    break
            if clean:
                histogram[run, middle + max(-middle, min(middle, change))] += 1
