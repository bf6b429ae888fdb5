"""Measure every question's candidate: counts, qualities, strands, repeat lengths, neighbours.

The order of the values is that of `varcall.features.FEATURES`, which says what each one is.
"""

import numpy as np

from pileup.accelerate import kernel
from pileup.kernels.draw import support_level
from pileup.kernels.observe import NOT_SPANNING

_REVERSE_FLAG, _PROPER_PAIR_FLAG = 16, 2
# Stated qualities promise more than real bases keep; likelihoods never trust one base further.
_MIN_BASE_ERROR = 0.002
_MIN_INDEL_ERROR = 0.004
# A stutter step changes the length by one unit more with this probability per step.
_STEP = 0.2
# How far neighbours are looked for, in bases.
NEAR, FAR = 25, 100


@kernel
def _signed_log(value):
    """Compress a log-likelihood ratio: +-1 at about 150."""
    magnitude = np.log1p(abs(value)) / 5.0
    return magnitude if value >= 0 else -magnitude


@kernel
def _share(part, whole, empty):
    return part / whole if whole > 0 else empty


@kernel
def _unit_length(bases, offset, length):
    """Return the shortest period of the sequence, or its length."""
    for period in range(1, length):
        if length % period:
            continue
        repeats = True
        for index in range(period, length):
            if bases[offset + index] != bases[offset + index - period]:
                repeats = False
                break
        if repeats:
            return period
    return max(length, 1)


@kernel
def _run_length(reference, column):
    """Return the longest homopolymer run that holds `column` or the base after it."""
    longest = 1
    for origin in range(column, column + 2):
        if origin < 0 or origin >= len(reference) or reference[origin] > 3:
            continue
        low = origin
        while low > 0 and reference[low - 1] == reference[origin]:
            low -= 1
        high = origin + 1
        while high < len(reference) and reference[high] == reference[origin]:
            high += 1
        longest = max(longest, high - low)
    return longest


@kernel
def _expected_slippage(slippage, length, unit):
    """Return the share of reads expected to slip in a repeat (bins of LibraryProfile.slippage)."""
    run = length if unit == 1 else length // 2
    if run < 6:
        return 0.002
    if run < 9:
        return slippage[0]
    if run < 12:
        return slippage[1]
    if run < 15:
        return slippage[2]
    return min(0.6, slippage[3] * (1.0 + 0.1 * max(0, run - 17)))


@kernel
def _stutter_probability(delta, allele_delta, unit, slip):
    """Return P(read length | allele length): one unit off with `slip`, further ones rarer."""
    distance = abs(delta - allele_delta)
    if distance == 0:
        return 1.0 - slip
    steps = (distance + unit - 1) // unit
    probability = 0.5 * slip * (1.0 - _STEP) * _STEP ** (steps - 1)
    return max(probability if distance % unit == 0 else 0.1 * probability, 1e-5)


@kernel
def site_fractions(observation_offset, observation_allele, observation_counts, fractions):
    """Fill `fractions` (float32 [m]): the share of informative reads that do not show REF."""
    for site in range(len(fractions)):
        informative = 0
        different = 0
        for index in range(observation_offset[site], observation_offset[site + 1]):
            if observation_counts[index] and observation_allele[index] != -2:
                informative += 1
                if observation_allele[index] != 0:
                    different += 1
        fractions[site] = different / informative if informative > 0 else 0.0


@kernel
def measure_questions(
    question_site,
    question_mask,
    reference,
    reference_start,
    read_start,
    read_end,
    mapq,
    flag,
    mismatches,
    clipped,
    start,
    kind,
    ref_length,
    repeat_end,
    alt_offset,
    alt_deleted,
    alt_inserted,
    alt_base_offset,
    alt_bases,
    observation_offset,
    observation_read,
    observation_allele,
    observation_quality,
    observation_delta,
    observation_counts,
    fractions,
    sample_depth,
    sample_read_length,
    sample_error_rate,
    slippage,
    features,
):
    """Fill `features` (float32 [q, N_FEATURES]); `slippage` is float64 [4] by run length."""
    starts = np.empty(4096, np.int32)
    for question in range(len(question_site)):
        site = question_site[question]
        mask = np.int64(question_mask[question])
        first_alt = alt_offset[site]
        n_alts = alt_offset[site + 1] - first_alt
        is_indel = kind[site] == 1

        # The asked alleles: lengths, type, repeat unit.
        asked = 0
        asked_alt = first_alt
        delta_a = 0
        delta_b = 0
        is_insertion = False
        is_deletion = False
        for alt in range(n_alts):
            if not mask >> alt & 1:
                continue
            change = alt_inserted[first_alt + alt] - alt_deleted[first_alt + alt]
            if asked == 0:
                asked_alt = first_alt + alt
                delta_a = change
            delta_b = change
            asked += 1
            if is_indel:
                is_insertion = is_insertion or change > 0
                is_deletion = is_deletion or change < 0
        column = start[site] - reference_start
        repeat_length = repeat_end[site] - start[site] - 1 if is_indel else 0
        unit = 0
        slip = _MIN_BASE_ERROR
        if is_indel:
            if alt_inserted[asked_alt] > 0:
                unit = _unit_length(alt_bases, alt_base_offset[asked_alt], alt_inserted[asked_alt])
            else:
                unit = _unit_length(reference, column + 1, alt_deleted[asked_alt])
            slip = max(_MIN_INDEL_ERROR, _expected_slippage(slippage, repeat_length, unit))

        # One pass over the witnesses.
        count = np.zeros(4, np.int64)
        forward = np.zeros(4, np.int64)
        quality_sum = np.zeros(4)
        mapq_sum = np.zeros(4)
        low_mapq = np.zeros(4, np.int64)
        end_sum = np.zeros(4)
        mismatch_sum = np.zeros(4)
        clip_count = np.zeros(4, np.int64)
        improper = np.zeros(4, np.int64)
        near_end = 0
        best_quality = 0
        other_alts = 0
        spanning = 0
        span_ref = 0
        span_asked = 0
        span_next = 0
        likelihood = np.zeros(3)
        stutter = np.zeros(3)
        distinct = 0
        for index in range(observation_offset[site], observation_offset[site + 1]):
            if not observation_counts[index]:
                continue
            read = observation_read[index]
            allele = observation_allele[index]
            level = support_level(allele, mask)
            quality = np.float64(observation_quality[index])
            count[level] += 1
            if level == 1 and allele > 0:
                other_alts += 1
            if not flag[read] & _REVERSE_FLAG:
                forward[level] += 1
            if not flag[read] & _PROPER_PAIR_FLAG:
                improper[level] += 1
            quality_sum[level] += quality
            mapq_sum[level] += min(mapq[read], 60)
            if mapq[read] < 20:
                low_mapq[level] += 1
            to_end = min(start[site] - read_start[read], read_end[read] - start[site] - 1)
            end_sum[level] += min(max(to_end, 0), 75)
            own = 0
            if allele > 0:
                own = 1 if is_indel else ref_length[site]
            mismatch_sum[level] += min(max(mismatches[read] - own, 0), 20)
            if clipped[read] > 0:
                clip_count[level] += 1
            if level == 0:
                best_quality = max(best_quality, observation_quality[index])
                if to_end < 6:
                    near_end += 1
                known = False
                for earlier in range(distinct):
                    if starts[earlier] == read_start[read]:
                        known = True
                        break
                if not known and distinct < len(starts):
                    starts[distinct] = read_start[read]
                    distinct += 1
            if level != 3:
                error = max(10.0 ** (-quality / 10.0), 10.0 ** (-np.float64(mapq[read]) / 10.0))
                error = max(error, slip)
                error = min(error, 0.75)
                spurious = error if is_indel else error / 3.0
                if level == 0:
                    likelihood[0] += np.log(spurious)
                    likelihood[1] += np.log(0.5 * (1.0 - error) + 0.5 * spurious)
                    likelihood[2] += np.log(1.0 - error)
                else:
                    likelihood[0] += np.log(1.0 - spurious)
                    likelihood[1] += np.log(0.5 * (1.0 - spurious) + 0.5 * error)
                    likelihood[2] += np.log(error)
            if is_indel and observation_delta[index] != NOT_SPANNING:
                delta = np.int64(observation_delta[index])
                spanning += 1
                if delta == delta_a or delta == delta_b:
                    span_asked += 1
                elif delta == 0:
                    span_ref += 1
                elif abs(delta - delta_a) == unit or abs(delta - delta_b) == unit:
                    span_next += 1
                from_ref = _stutter_probability(delta, 0, unit, slip)
                from_a = _stutter_probability(delta, delta_a, unit, slip)
                from_b = _stutter_probability(delta, delta_b, unit, slip)
                stutter[0] += np.log(from_ref)
                stutter[1] += np.log(0.5 * from_ref + 0.5 * max(from_a, from_b))
                stutter[2] += np.log(0.5 * from_a + 0.5 * from_b)

        # Neighbouring candidate sites.
        near_fraction = 0.0
        far_fraction = 0.0
        neighbours = 0
        nearest = FAR
        for step in (-1, 1):
            other = site + step
            while 0 <= other < len(start) and abs(start[other] - start[site]) <= FAR:
                distance = abs(start[other] - start[site])
                neighbours += 1
                nearest = min(nearest, distance)
                far_fraction = max(far_fraction, fractions[other])
                if distance <= NEAR:
                    near_fraction = max(near_fraction, fractions[other])
                other += step

        gc = 0
        known_bases = 0
        for position in range(max(0, column - 50), min(len(reference), column + 51)):
            if reference[position] <= 3:
                known_bases += 1
                if reference[position] == 1 or reference[position] == 2:
                    gc += 1
        extends_run = 0.0
        transition = 0.0
        if not is_indel:
            base = alt_bases[alt_base_offset[asked_alt]]
            if column > 0 and reference[column - 1] == base:
                extends_run += 0.5
            if column + 1 < len(reference) and reference[column + 1] == base:
                extends_run += 0.5
            # A-G and C-T differ by two in the code 0 A, 1 C, 2 G, 3 T.
            if ref_length[site] == 1 and abs(np.int64(base) - np.int64(reference[column])) == 2:
                transition = 1.0

        alt, other, ref, unknown = count[0], count[1], count[2], count[3]
        informative = alt + other + ref
        total = informative + unknown
        fraction = _share(alt, informative, 0.0)
        strand_z = 0.0
        if alt > 0 and ref > 0:
            pooled = (forward[0] + forward[2]) / (alt + ref)
            spread = np.sqrt(pooled * (1.0 - pooled) * (1.0 / alt + 1.0 / ref))
            if spread > 0:
                strand_z = (forward[0] / alt - forward[2] / ref) / spread
        most = 0
        for index in range(n_alts):
            shown = 0
            for observation in range(observation_offset[site], observation_offset[site + 1]):
                if observation_counts[observation] and observation_allele[observation] == index + 1:
                    shown += 1
            most = max(most, shown)
        known_quality = quality_sum[0] + quality_sum[1] + quality_sum[2]

        values = features[question]
        values[0] = np.log1p(total) / 5.0
        values[1] = np.log1p(alt) / 5.0
        values[2] = np.log1p(ref) / 5.0
        values[3] = np.log1p(other) / 5.0
        values[4] = np.log1p(unknown) / 5.0
        values[5] = fraction
        values[6] = _share(ref, informative, 0.0)
        values[7] = _share(other, informative, 0.0)
        values[8] = min(total / max(sample_depth, 1.0), 4.0) / 2.0
        values[9] = _share(forward[0], alt, 0.5)
        values[10] = _share(forward[2], ref, 0.5)
        values[11] = np.log1p(min(forward[0], alt - forward[0])) / 4.0
        values[12] = min(max(strand_z / 5.0, -1.5), 1.5)
        values[13] = _share(quality_sum[0], alt, 0.0) / 40.0
        values[14] = _share(quality_sum[2], ref, 0.0) / 40.0
        values[15] = best_quality / 40.0
        values[16] = _share(mapq_sum[0], alt, 0.0) / 60.0
        values[17] = _share(mapq_sum[2], ref, 0.0) / 60.0
        values[18] = _share(low_mapq[0], alt, 0.0)
        values[19] = _share(low_mapq.sum(), total, 0.0)
        values[20] = _share(end_sum[0], alt, 0.0) / 50.0
        values[21] = _share(end_sum[2], ref, 0.0) / 50.0
        values[22] = _share(near_end, alt, 0.0)
        values[23] = _share(mismatch_sum[0], alt, 0.0) / 5.0
        values[24] = _share(mismatch_sum[2], ref, 0.0) / 5.0
        values[25] = _share(clip_count[0], alt, 0.0)
        values[26] = _share(clip_count[2], ref, 0.0)
        values[27] = _share(distinct, alt, 0.0)
        values[28] = _share(improper[0], alt, 0.0)
        values[29] = _share(improper[2], ref, 0.0)
        values[30] = _signed_log(likelihood[1] - likelihood[0])
        values[31] = _signed_log(likelihood[2] - likelihood[1])
        values[32] = 1.0 if not is_indel and ref_length[site] == 1 else 0.0
        values[33] = 1.0 if not is_indel and ref_length[site] > 1 else 0.0
        values[34] = 1.0 if is_insertion else 0.0
        values[35] = 1.0 if is_deletion else 0.0
        values[36] = transition
        values[37] = np.log1p(alt_inserted[asked_alt] if is_indel else 0) / 4.0
        values[38] = np.log1p(alt_deleted[asked_alt] if is_indel else 0) / 4.0
        values[39] = 1.0 if asked > 1 else 0.0
        values[40] = n_alts / 4.0
        values[41] = _share(alt, most, 0.0)
        values[42] = np.log1p(repeat_length) / 5.0
        values[43] = min(unit, 12) / 6.0
        values[44] = np.log1p(repeat_length / unit if unit > 0 else 0.0) / 4.0
        values[45] = np.log1p(_run_length(reference, column)) / 3.5
        values[46] = np.log1p(spanning) / 5.0
        values[47] = _share(span_ref, spanning, 0.0)
        values[48] = _share(span_asked, spanning, 0.0)
        values[49] = _share(span_next, spanning, 0.0)
        values[50] = _share(spanning - span_ref - span_asked - span_next, spanning, 0.0)
        values[51] = _signed_log(stutter[1] - stutter[0])
        values[52] = _signed_log(stutter[2] - stutter[1])
        values[53] = np.sqrt(slip)
        values[54] = near_fraction
        values[55] = far_fraction
        values[56] = min(neighbours, 20) / 10.0
        values[57] = np.log1p(nearest) / 5.0
        values[58] = _share(gc, known_bases, 0.5)
        values[59] = extends_run
        values[60] = np.log10(max(sample_error_rate, 1e-5)) / 5.0
        values[61] = min(sample_read_length, 500) / 250.0
        values[62] = np.log1p(sample_depth) / 5.0
        values[63] = _share(other_alts, informative, 0.0)
        values[64] = _share(quality_sum[0], known_quality, 0.0)
        values[65] = abs(fraction - 0.5)
        values[66] = np.sqrt(slippage[2])
