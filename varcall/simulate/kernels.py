"""Compiled loops of the read simulator: fragments from molecules, reads from fragments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pileup.accelerate import kernel
from pileup.codes import N_BASES, UNKNOWN_BASE, A, C, G, T

#: Longest fragment, in bases.
MAX_FRAGMENT = 1600
#: Place of a base that is no DNA of the sample: adapter, junction, poly-G.
FOREIGN = -2
#: Read 1 and read 2 go on in these behind a short insert (Illumina Adapter Sequences, document
#: 1000000002694).
ADAPTERS = {
    name: np.array([[b"ACGT".index(base) for base in text] for text in texts], dtype=np.uint8)
    for name, texts in {
        "truseq": (b"AGATCGGAAGAGCACACGTCTGAACTCCAGTCAC", b"AGATCGGAAGAGCGTCGTGTAGGGAAAGAGTGTA"),
        "nextera": (b"CTGTCTCTTATACACATCTCCGAGCCCACGAGAC", b"CTGTCTCTTATACACATCTGACGCTGCCGACGAG"),
    }.items()
}
#: Between the two ends of a circle of a Nextera mate-pair library: an adapter, and its complement.
JUNCTION = np.array(
    [b"ACGT".index(base) for base in b"CTGTCTCTTATACACATCTAGATGTGTATAAGAGACAG"], dtype=np.uint8
)
#: Bases of a stack's reads among which their shared errors are.
_STACK_ERROR_SPAN = 100


class MoleculeTable(NamedTuple):
    """All molecules end to end: bases, where they are on the reference, and their repeats."""

    bases: np.ndarray  # uint8 [n]
    position: np.ndarray  # int32 [n], 0-based in the stretch, -1 where the reference has no base
    tract_start: np.ndarray  # int64 [t], sorted
    tract_end: np.ndarray  # int64 [t]
    tract_unit: np.ndarray  # int64 [t]
    slippage: np.ndarray  # float64 [t], probability that a fragment has another length


class FragmentTable(NamedTuple):
    """Fragments to sequence; coordinates are those of the ``MoleculeTable``."""

    start: np.ndarray  # int64 [f]
    length: np.ndarray  # int64 [f]
    end: np.ndarray  # int64 [f], end of the molecule
    reverse: np.ndarray  # bool [f], whether mate 1 is read from the fragment's far end
    seed: np.ndarray  # uint64 [f], shared by duplicates
    joint_at: np.ndarray  # int64 [f], bases before a joint, -1 = none
    joint_to: np.ndarray  # int64 [f], where the other part begins
    has_junction: np.ndarray  # bool [f], joined by a mate-pair adapter; if not, a chimera
    stack: np.ndarray  # uint64 [f], seed of the errors that fragments of a stack share, 0 = none
    stack_errors: np.ndarray  # int64 [f], number of these errors
    mapq_limit: np.ndarray  # uint8 [f], highest mapping quality of its reads
    origin: np.ndarray  # int64 [f], what the reads' tag says of the molecule
    is_copy: np.ndarray  # bool [f], whether another fragment was copied
    is_flagged: np.ndarray  # bool [f], whether the duplicate marker flags it
    read_class: np.ndarray  # uint8 [f, 2]
    read_length: np.ndarray  # int64 [f, 2]


class NoiseTable(NamedTuple):
    """What the machine does to the bases of a fragment."""

    initial: np.ndarray  # float32 [2, classes, k]
    steps: np.ndarray  # float32 [2, classes, bins, k, k]
    level_error: np.ndarray  # float64 [k]
    context: np.ndarray  # float32 [4, 4, 4]
    substitution: np.ndarray  # float32 [4, 4, 4]
    stated: np.ndarray  # float32 [k]
    recalibration: np.ndarray  # float32 [bins, 4, 4]
    systematic_rate: np.ndarray  # float32 [2, n], by strand and reference position
    systematic_base: np.ndarray  # uint8 [2, n], base read (machine order)
    cycle_rise: float
    run_error: float
    dephasing: float
    indel_rate: float
    n_rate: float
    tail_rate: float
    damage_rate: float
    gain_share: float
    low_quality_share: float
    poly_g: float
    primer: int
    reference: np.ndarray  # uint8 [n], base codes of the stretch


@kernel
def hash_unit(seed: np.uint64, salt: np.intp | int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments (splitmix64)."""
    z = seed + np.uint64(salt + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) / 9007199254740992.0


@kernel
def slip_units(seed: np.uint64, tract: np.intp, probability: float, gain_share: float) -> int:
    """Units that PCR added to a tract of this fragment (negative = lost); mostly 0."""
    if hash_unit(seed, 3 * tract) >= probability:
        return 0
    size = 1
    # Long tracts, which slip often, also slip by more than one unit.
    step = hash_unit(seed, 3 * tract + 1)
    if step < 0.1 + 0.35 * probability:
        size = 2
        if step < 0.02 + 0.1 * probability:
            size = 3
    return size if hash_unit(seed, 3 * tract + 2) < gain_share else -size


@kernel
def build_fragment(
    m: MoleculeTable,
    start: int,
    length: int,
    end: int,
    seed: np.uint64,
    gain_share: float,
    bases: np.ndarray,
    position: np.ndarray,
    n: int,
) -> int:
    """Append up to ``length`` bases of a molecule, with the slippage of this fragment.

    Only tracts that lie inside the fragment as a whole can slip. ``bases`` and ``position`` are
    filled from ``n`` on; returns the new count.
    """
    limit = min(n + length, len(bases))
    stop = min(start + length, end)
    tract = np.searchsorted(m.tract_start, start)
    i = start
    while n < limit and i < end:
        if tract < len(m.tract_start) and i >= m.tract_start[tract]:
            if i == m.tract_start[tract] and m.tract_end[tract] <= stop:
                unit = m.tract_unit[tract]
                units = slip_units(seed, tract, m.slippage[tract], gain_share)
                if units < 0:
                    whole = (m.tract_end[tract] - i) // unit
                    i += min(-units, whole - 1) * unit
                for k in range(units * unit):
                    if n < limit:
                        bases[n] = m.bases[i + k % unit]
                        position[n] = -1
                        n += 1
                if n >= limit:
                    break
            tract += 1
        bases[n] = m.bases[i]
        position[n] = m.position[i]
        n += 1
        i += 1
    return n


@kernel
def damage_fragment(seed: np.uint64, rate: float, bases: np.ndarray, n: int) -> None:
    """Wrong bases that the fragment itself carries: deaminated C, oxidised G, PCR errors."""
    expected = rate * n
    count = 0
    while hash_unit(seed, 1_000_000 + count) < expected and count < 3:
        spot = int(hash_unit(seed, 1_000_100 + count) * n)
        pick = hash_unit(seed, 1_000_200 + count)
        base = bases[spot]
        if base < UNKNOWN_BASE:
            if pick < 0.6:  # C>T, G>A, G>T, C>A; A and T by transition
                bases[spot] = (G, T, A, C)[base]
            else:
                bases[spot] = (base + 1 + int(pick * 100) % 3) % N_BASES
        count += 1


@kernel
def share_errors(
    stack: np.uint64, errors: int, seed: np.uint64, reverse: bool, bases: np.ndarray, n: int
) -> None:
    """Change the bases that most fragments of a stack have wrong, counted from the common end."""
    for k in range(errors):
        offset = int(hash_unit(stack, 3 * k) * min(n, _STACK_ERROR_SPAN))
        spot = n - 1 - offset if reverse else offset
        share = 0.5 + 0.5 * hash_unit(stack, 3 * k + 1)
        if bases[spot] < UNKNOWN_BASE and hash_unit(seed, 2_000_000 + k) < share:
            step = 1 + int(3 * hash_unit(stack, 3 * k + 2))
            bases[spot] = (bases[spot] + step) % N_BASES


@kernel
def put_primers(
    reference: np.ndarray, length: int, bases: np.ndarray, position: np.ndarray, n: int
) -> None:
    """Give both ends of an amplicon the reference's bases, as primers have them."""
    for k in range(min(length, n)):
        for spot in (k, n - 1 - k):
            if position[spot] >= 0:
                bases[spot] = reference[position[spot]]


@kernel
def merge_mates(
    length: np.ndarray,
    read_length: np.ndarray,
    bases: np.ndarray,
    qualities: np.ndarray,
    position: np.ndarray,
    out_base: np.ndarray,
    out_quality: np.ndarray,
    out_position: np.ndarray,
) -> None:
    """Merge the mates of every fragment into one read of its whole length, as `fastp -m` does.

    Where mates agree their qualities add up, to 41 at most (what PEAR states); where not, the
    better base stands with the difference. ``length`` is that of the fragments, int64 [f];
    ``read_length`` int64 [f, 2]; the inputs have rows 2f and 2f + 1, the outputs a row a fragment.
    """
    for i in range(len(length)):
        n = length[i]
        for k in range(n):
            other = n - 1 - k
            row = 2 * i
            if k < read_length[i, 0]:
                base, quality = bases[row, k], qualities[row, k]
                place = position[row, k]
            else:
                base, quality, place = UNKNOWN_BASE, 0, -1
            if other < read_length[i, 1]:
                mate = bases[row + 1, other]
                mate = T - mate if mate < UNKNOWN_BASE else mate
                mate_quality = qualities[row + 1, other]
                if mate == base:
                    quality = min(quality + mate_quality, max(quality, mate_quality, 41))
                elif base == UNKNOWN_BASE or (mate < UNKNOWN_BASE and mate_quality > quality):
                    quality = max(mate_quality - quality, 2)
                    base = mate
                else:
                    quality = max(quality - mate_quality, 2)
                place = max(place, position[row + 1, other])
            out_base[i, k], out_quality[i, k], out_position[i, k] = base, quality, place


@kernel
def _pick(cumulative: np.ndarray, value: float) -> int:
    """Index of the first entry of ``cumulative`` above ``value``."""
    low, high = 0, len(cumulative) - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] > value:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def _error_rate(
    z: NoiseTable, level: int, prev2: int, prev1: int, base: int, run: int, where: float
) -> float:
    """Probability that a base is read wrong (``where`` = cycle over read length)."""
    rate: float = z.level_error[level] * (1.0 + z.cycle_rise * where * where)
    if prev2 < UNKNOWN_BASE and prev1 < UNKNOWN_BASE:
        rate *= z.context[prev2, prev1, base]
    if run >= 5 and base != prev1:
        rate += z.run_error * (run - 4)
    return rate


@kernel
def _neighbour(source: np.ndarray, n: int, spot: int, reverse: bool, base: int) -> int:
    """What a read out of phase shows: mostly the base before or after the one at ``spot``."""
    other = spot + (1 if np.random.random() < 0.5 else -1)
    if np.random.random() < 0.65 and 0 <= other < n and source[other] < UNKNOWN_BASE:
        return T - int(source[other]) if reverse else int(source[other])
    return (base + 1 + int(3 * np.random.random())) % N_BASES


@kernel
def _loses_phase(run: int, share: float) -> bool:
    """Draw whether a read that leaves a run of one base is out of phase from there on.

    The molecules of a cluster then disagree on the run's length. In three NovaSeq genomes a tenth
    of the reads show it after 10-12 bases and half of them after 17-22, mostly up to their ends.
    """
    return run >= 8 and np.random.random() < share / (1.0 + np.exp(-0.45 * (run - 16)))


@kernel
def read_fragment(
    z: NoiseTable,
    adapters: np.ndarray,
    source: np.ndarray,
    source_position: np.ndarray,
    n: int,
    reverse: bool,
    mate: int,
    read_class: int,
    length: int,
    out_base: np.ndarray,
    out_quality: np.ndarray,
    out_position: np.ndarray,
) -> None:
    """Read ``length`` cycles from one end of a fragment, in machine order.

    Past the fragment's end the adapter is read. ``out_position`` is -1 for bases that are not of
    the reference (insertions, adapter).
    """
    bins = z.steps.shape[2]
    strand = 1 if reverse else 0
    burst = length + 1
    if np.random.random() < z.tail_rate:
        burst = int(length * (0.4 + 0.6 * np.random.random()))
    level = _pick(z.initial[mate, read_class], np.random.random())
    prev2, prev1, run, j, cycle = UNKNOWN_BASE, UNKNOWN_BASE, 0, 0, 0
    dark = length
    if z.poly_g > 0.0 and np.random.random() < z.poly_g:
        dark = int(length * (0.3 + 0.65 * np.random.random()))
    # Out of phase: error rate, and the run's base, which is read once more right behind it.
    phase_error, run_base, run_end = 0.0, UNKNOWN_BASE, 0
    while cycle < length:
        where = cycle / length
        time_bin = cycle * bins // length
        if cycle > 0:
            level = _pick(z.steps[mate, read_class, time_bin, level], np.random.random())
        spot = n - 1 - j if reverse else j
        base, position = UNKNOWN_BASE, -1
        if j < n:
            base = int(source[spot])
            position = int(source_position[spot])
            if reverse and base < UNKNOWN_BASE:
                base = T - base
        else:
            position = FOREIGN
            base = int(adapters[mate, j - n]) if j - n < adapters.shape[1] else G
        if cycle >= dark:
            # A cluster that has gone dark reads as G on two-colour machines, and sure of it.
            base, position = G, FOREIGN
        chance = np.random.random()
        if chance < z.indel_rate and j < n and cycle > 0:
            if chance < 0.4 * z.indel_rate:
                position = -1
                base = int(np.random.random() * N_BASES)
                j -= 1
            else:
                j += 1
                continue
        seen = base
        quality_level = level
        if j - n >= adapters.shape[1]:
            # Behind the adapter there is nothing left to read.
            quality_level = int(level * 0.7 * np.random.random())
        if base < UNKNOWN_BASE and cycle < dark:
            rate = _error_rate(z, level, prev2, prev1, base, run, where)
            if cycle >= burst:
                rate = min(0.3, rate * 15.0 + 0.03)
            if base != prev1 and phase_error == 0.0 and _loses_phase(run, z.dephasing):
                phase_error = 0.06 + 0.14 * np.random.random()
                run_base, run_end = prev1, cycle
            if phase_error > 0.0 and np.random.random() < 0.45:
                quality_level = int(level * 0.6 * np.random.random())
            if phase_error > 0.0 and np.random.random() < phase_error:
                seen = _neighbour(source, n, spot, reverse, base)
                if cycle < run_end + 10 and np.random.random() < 0.5:
                    seen = run_base
                if np.random.random() < 0.8:
                    quality_level = int(level * 0.6 * np.random.random())
            elif np.random.random() < rate:
                if run >= 5 and prev1 < UNKNOWN_BASE and prev1 != base and np.random.random() < 0.7:
                    seen = prev1
                else:
                    row = z.substitution[prev1 if prev1 < UNKNOWN_BASE else A, base]
                    seen = _pick(row, np.random.random())
            elif position >= 0 and z.systematic_rate[strand, position] > 0.0:
                if np.random.random() < z.systematic_rate[strand, position]:
                    seen = int(z.systematic_base[strand, position])
                    if np.random.random() < z.low_quality_share:
                        quality_level = int(level * (0.2 + 0.6 * np.random.random()))
        quality = z.stated[quality_level]
        if prev1 < UNKNOWN_BASE and seen < UNKNOWN_BASE:
            quality += z.recalibration[time_bin, prev1, seen]
        if np.random.random() < z.n_rate or seen >= UNKNOWN_BASE:
            seen, quality = UNKNOWN_BASE, 2.0
        out_base[cycle] = seen
        out_quality[cycle] = np.uint8(min(max(quality + 0.5, 2.0), 60.0))
        out_position[cycle] = position
        run = run + 1 if base == prev1 else 1
        prev2, prev1 = prev1, base
        j += 1
        cycle += 1


@kernel
def sequence_fragments(
    m: MoleculeTable,
    f: FragmentTable,
    z: NoiseTable,
    adapters: np.ndarray,
    mates: int,
    seed: int,
    out_base: np.ndarray,
    out_quality: np.ndarray,
    out_position: np.ndarray,
) -> None:
    """Sequence the first one or two ``mates`` of every fragment into as many rows of the outputs.

    ``out_base`` and ``out_quality`` are uint8 [mates * f, longest read], ``out_position`` int32 of
    the same shape; all in machine order.
    """
    np.random.seed(seed)
    bases = np.empty(MAX_FRAGMENT, dtype=np.uint8)
    position = np.empty(MAX_FRAGMENT, dtype=np.int32)
    for i in range(len(f.start)):
        length = min(f.length[i], MAX_FRAGMENT)
        head = f.joint_at[i] if f.joint_at[i] >= 0 else length
        n = build_fragment(
            m, f.start[i], head, f.end[i], f.seed[i], z.gain_share, bases, position, 0
        )
        if f.joint_at[i] >= 0:
            if f.has_junction[i]:
                for base in JUNCTION[: MAX_FRAGMENT - n]:
                    bases[n], position[n] = base, FOREIGN
                    n += 1
            joint = n
            n = build_fragment(
                m, f.joint_to[i], length - head, len(m.bases), f.seed[i], z.gain_share,
                bases, position, n,
            )  # fmt: skip
            if not f.has_junction[i]:
                position[joint:n] = -1
        damage_fragment(f.seed[i], z.damage_rate, bases, n)
        if f.stack_errors[i] > 0:
            share_errors(f.stack[i], f.stack_errors[i], f.seed[i], f.reverse[i], bases, n)
        if z.primer > 0:
            put_primers(z.reference, z.primer, bases, position, n)
        for mate in range(mates):
            row = mates * i + mate
            far = f.reverse[i] if mate == 0 else not f.reverse[i]
            read_fragment(
                z, adapters, bases, position, n, far, mate, f.read_class[i, mate],
                f.read_length[i, mate], out_base[row], out_quality[row], out_position[row],
            )  # fmt: skip
