"""Counts behind a library profile: bases by position, and lengths that reads show for runs."""

from pileup.accelerate import kernel


@kernel
def tally_bases(reads, used, start, min_quality, counts, coverage):
    """Count bases of the `used` (bool [n]) reads by position.

    `counts` (int32 [span, 4], A C G T) takes aligned bases of at least `min_quality`, `coverage`
    (int32 [span]) all aligned bases; both begin at the contig position `start`.
    """
    span = len(coverage)
    for read in range(len(reads.read_start)):
        if not used[read]:
            continue
        at = reads.read_start[read] - start
        query = reads.base_offset[read]
        for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
            op = reads.cigar_op[index]
            size = reads.cigar_length[index]
            if op == 0 or op == 7 or op == 8:
                for step in range(max(0, -at), min(size, span - at)):
                    coverage[at + step] += 1
                    base = reads.bases[query + step]
                    if base < 4 and reads.qualities[query + step] >= min_quality:
                        counts[at + step, base] += 1
            if op == 0 or op == 2 or op == 3 or op == 7 or op == 8:
                at += size
            if op == 0 or op == 1 or op == 4 or op == 7 or op == 8:
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
                if op == 0 or op == 7 or op == 8:
                    at += size
                    query += size
                elif op == 1:
                    if low <= at <= high:
                        change += size
                        for step in range(size):
                            clean = clean and reads.bases[query + step] == run_base[run]
                    elif low - flank < at < high + flank:
                        clean = False
                    query += size
                elif op == 2 or op == 3:
                    if low <= at and at + size <= high and op == 2:
                        change -= size
                    elif at < high + flank and at + size > low - flank:
                        clean = False
                    at += size
                elif op == 4:
                    query += size
                if at > high + flank:
                    break
            if clean:
                histogram[run, middle + max(-middle, min(middle, change))] += 1
