"""Compiled loops of the long-read simulator: a molecule's bases as a machine reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pileup.accelerate import kernel
from pileup.codes import N_BASES, UNKNOWN_BASE, T
from varcall.simulate.kernels import hash_unit
from varcall.simulate.long_reads.noise import (
    LOCAL_CLASSES,
    MAX_AFTER,
    MAX_CHANGE,
    MAX_RUN,
    MAX_UNIT,
    MAX_UNITS,
    WINDOW,
    LongNoise,
)

#: What a base of a read is: right, wrong, of a run or tract of wrong length, beside an error.
RIGHT, WRONG, OF_INDEL, BESIDE = 0, 1, 2, 3
_RUN_STEPS = 5
#: Categories of bases that have their own distribution of qualities.
QUALITY_CATEGORIES = 2 * 3 * _RUN_STEPS + 2


class MoleculeBases(NamedTuple):
    """All molecules end to end, m bases, and their tandem repeats of units of 2 to 6, t tracts."""

    bases: np.ndarray  # uint8 [m]
    position: np.ndarray  # int32 [m], 0-based in the stretch, -1 where the reference has no base
    tract: np.ndarray  # int32 [m], index of the tract a base is of, -1 = none
    tract_start: np.ndarray  # int64 [t]
    tract_end: np.ndarray  # int64 [t]
    tract_unit: np.ndarray  # int64 [t]


class LongNoiseTable(NamedTuple):
    """Rates of one library, and what is peculiar to each place of its reference."""

    noise: LongNoise
    site_mismatch: np.ndarray  # float32 [2, n], factor by strand and reference position
    site_indel: np.ndarray  # float32 [2, n]
    site_base: np.ndarray  # uint8 [2, n], base read by preference there, machine order; 4 = none


@kernel
def _pick(cumulative: np.ndarray, draw: float) -> int:
    for i in range(len(cumulative)):
        if draw < cumulative[i]:
            return i
    return len(cumulative) - 1


@kernel
def quality_category(run: int, place: int, status: int) -> int:
    """Number the kinds of bases that have qualities of their own.

    Parameters
    ----------
    run
        Length of the homopolymer, as read, that the base is of.
    place
        0 its first base, 1 inside, 2 its last.
    status
        `RIGHT`, `WRONG`, `OF_INDEL` or `BESIDE`.
    """
    if status == WRONG:
        return QUALITY_CATEGORIES - 2
    if status == BESIDE:
        return QUALITY_CATEGORIES - 1
    step = 0
    if run >= 9:
        step = 4
    elif run >= 6:
        step = 3
    elif run >= 3:
        step = 2
    elif run == 2:
        step = 1
    return (step * 3 + place) * 2 + (1 if status == OF_INDEL else 0)


@kernel
def run_ends(bases: np.ndarray, n: int, end: np.ndarray) -> None:
    """Write the end (exclusive) of the homopolymer of each of the first ``n`` bases to ``end``."""
    for i in range(n - 1, -1, -1):
        end[i] = end[i + 1] if i + 1 < n and bases[i + 1] == bases[i] else i + 1


@kernel
def tally_qualities(
    bases: np.ndarray,
    status: np.ndarray,
    group: np.ndarray,
    local: np.ndarray,
    end: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Count steps from one quality group to the next in a read, in the order of the machine.

    Parameters
    ----------
    bases, status, group
        uint8 [n]: base codes, what each base is, group of its quality.
    local
        uint8 [windows]: class of each stretch of ``WINDOW`` bases.
    end
        int64 [n]: scratch.
    counts
        int64 [k, categories, g, g], added to.
    """
    run_ends(bases, len(bases), end)
    begin = 0
    for i in range(1, len(bases)):
        if bases[i] != bases[i - 1]:
            begin = i
        place = 0 if i == begin else (2 if i == end[i] - 1 else 1)
        category = quality_category(end[i] - begin, place, status[i])
        counts[local[i // WINDOW], category, group[i - 1], group[i]] += 1


@kernel
def _run_from(m: MoleculeBases, at: int, low: int, high: int, step: int, base: int) -> int:
    """Length of the run of ``base`` that begins at ``at`` and goes on in the direction ``step``."""
    length = 0
    while low <= at < high and m.bases[at] == base:
        length += 1
        at += step
    return length


@kernel
def _site(m: MoleculeBases, at: int, strand: int, factors: np.ndarray) -> float:
    position = m.position[at]
    return float(factors[strand, position]) if position >= 0 else 1.0


@kernel
def _scaled(rate: float, factor: float) -> float:
    """Scale a rate of indels by a factor, which means less where they are the rule anyway.

    A power below 1 lowers the mean of factors whose mean is 1: what is put back undoes that for
    log-normal factors whose logarithm has a variance of 3.2, as those of stretches and places.
    """
    if rate > 0.02:
        power = (1.0 - min(rate, 1.0)) ** 2
        factor = factor**power * np.exp(1.6 * power * (1.0 - power))
    return float(min(rate * factor, 0.9))


@kernel
def _read_base(
    m: MoleculeBases,
    z: LongNoiseTable,
    at: int,
    strand: int,
    before: int,
    base: int,
    behind: int,
    scale: float,
) -> int:
    """Return the base that is read for ``base``; most often itself."""
    if base >= UNKNOWN_BASE or before >= UNKNOWN_BASE or behind >= UNKNOWN_BASE:
        return base
    rate = z.noise.mismatch[before, base, behind] * scale * _site(m, at, strand, z.site_mismatch)
    if np.random.random() >= min(rate, 0.7):
        return base
    position = m.position[at]
    if position >= 0:
        likely = z.site_base[strand, position]
        if likely < UNKNOWN_BASE and likely != base:
            return int(likely)
    return _pick(z.noise.substitution[before, base], np.random.random())


@kernel
def read_molecule(
    m: MoleculeBases,
    z: LongNoiseTable,
    start: int,
    length: int,
    low: int,
    high: int,
    reverse: bool,
    read_class: int,
    scale: float,
    n: int,
    out_base: np.ndarray,
    out_position: np.ndarray,
    out_status: np.ndarray,
    out_local: np.ndarray,
) -> int:
    """Append a molecule's bases, as read, to the outputs from ``n`` on; return the new count.

    ``length`` bases from ``start`` on are read, backwards where ``reverse``; the molecule is
    [``low``, ``high``) of the table. ``out_position`` is -1 for bases that are not of the
    reference. ``scale`` is the read's factor on all error rates. ``out_local`` (uint8, by WINDOW
    bases of output) receives the class of each stretch.
    """
    step = -1 if reverse else 1
    strand = 1 if reverse else 0
    at = start
    stop = start + step * length
    before, run_before = UNKNOWN_BASE, 0
    local = out_local[(n - 1) // WINDOW] if n > 0 else LOCAL_CLASSES
    gap = False
    while at != stop and low <= at < high and n < len(out_base) - 400:
        window = n // WINDOW
        if n == 0:
            local = _pick(z.noise.local_initial[read_class], np.random.random())
            out_local[0] = local
        elif out_local[window] == LOCAL_CLASSES:
            local = _pick(z.noise.local_steps[read_class, local], np.random.random())
            out_local[window] = local
        indels = z.noise.indel_scale[local] * scale
        mismatches = z.noise.mismatch_scale[local] * scale
        tract = m.tract[at]
        if tract >= 0 and (at - step < low or at - step >= high or m.tract[at - step] != tract):
            # A tandem repeat begins: units may be read twice or not at all.
            unit = m.tract_unit[tract]
            units = (m.tract_end[tract] - m.tract_start[tract]) // unit
            rate = z.noise.unit_change[min(unit, MAX_UNIT), min(units, MAX_UNITS)]
            rate = _scaled(rate, indels * _site(m, at, strand, z.site_indel))
            if np.random.random() < rate:
                more = 1 if np.random.random() < 0.8 else 2
                gap = True
                if np.random.random() < z.noise.unit_gain[min(unit, MAX_UNIT)]:
                    for k in range(more * unit):
                        base = int(m.bases[at + step * (k % unit)])
                        out_base[n] = T - base if reverse and base < UNKNOWN_BASE else base
                        out_position[n] = -1
                        out_status[n] = OF_INDEL
                        n += 1
                else:
                    # The same unit is left over whichever are skipped.
                    for _ in range(min(more, units - 1) * unit):
                        if at != stop:
                            at += step
                    if at == stop or not low <= at < high:
                        break
        raw = int(m.bases[at])
        base = T - raw if reverse and raw < UNKNOWN_BASE else raw
        run = _run_from(m, at, low, high, step, raw)
        left = (stop - at) * step
        run = min(run, left)
        shown = run
        if base < UNKNOWN_BASE:
            rate = z.noise.run_change[base, min(run, MAX_RUN)]
            rate = _scaled(rate, indels * _site(m, at, strand, z.site_indel))
            if np.random.random() < rate:
                delta = _pick(z.noise.run_delta[base, min(run, MAX_RUN)], np.random.random())
                shown = max(run + delta - MAX_CHANGE, 0)
        after = at + step * run
        behind = UNKNOWN_BASE
        if low <= after < high:
            behind = int(m.bases[after])
            behind = T - behind if reverse and behind < UNKNOWN_BASE else behind
        status = OF_INDEL if shown != run else RIGHT
        if shown == 0:
            gap = True
            if n > 0 and out_status[n - 1] == RIGHT:
                out_status[n - 1] = BESIDE
        for k in range(shown):
            source = at + step * min(k, run - 1)
            following = base if k + 1 < shown else behind
            factor = mismatches * z.noise.after_run[min(run_before, MAX_AFTER) if k == 0 else 0]
            seen = _read_base(m, z, source, strand, before, base, following, factor)
            out_base[n] = seen
            out_position[n] = m.position[source] if k < run else -1
            out_status[n] = status
            if seen != base:
                out_status[n] = WRONG
                if n > 0 and out_status[n - 1] == RIGHT:
                    out_status[n - 1] = BESIDE
                gap = True
            elif gap:
                if out_status[n] == RIGHT:
                    out_status[n] = BESIDE
                gap = False
            before = base
            n += 1
        before, run_before = base, run
        at = after
        draw = np.random.random()
        if low <= at < high:
            indels *= _site(m, at, strand, z.site_indel)
        # Rates are per base; a run is one place.
        if draw < z.noise.insertion * indels * run:
            size = _pick(z.noise.insertion_length, np.random.random())
            following = UNKNOWN_BASE
            if low <= at < high:
                following = T - int(m.bases[at]) if reverse else int(m.bases[at])
            for _ in range(size):
                base = int(np.random.random() * N_BASES)
                while size == 1 and (base == before or base == following):
                    # One base more of a homopolymer is counted among the changes of its length.
                    base = (base + 1) % N_BASES
                out_base[n] = base
                out_position[n] = -1
                out_status[n] = OF_INDEL
                n += 1
            gap = True
        elif draw < (z.noise.insertion + z.noise.deletion) * indels * run:
            size = _pick(z.noise.deletion_length, np.random.random())
            for _ in range(size):
                if at != stop and low <= at < high:
                    at += step
            gap = True
            if n > 0 and out_status[n - 1] == RIGHT:
                out_status[n - 1] = BESIDE
    return n


@kernel
def draw_qualities(
    z: LongNoiseTable,
    n: int,
    bases: np.ndarray,
    status: np.ndarray,
    local: np.ndarray,
    end: np.ndarray,
    out_quality: np.ndarray,
) -> None:
    """Draw the qualities of a read's ``n`` bases, given what each base is."""
    run_ends(bases, n, end)
    groups = z.noise.quality_steps.shape[-1]
    group = groups - 1
    begin = 0
    for i in range(n):
        if i > 0 and bases[i] != bases[i - 1]:
            begin = i
        place = 0 if i == begin else (2 if i == end[i] - 1 else 1)
        category = quality_category(end[i] - begin, place, status[i])
        where = min(local[i // WINDOW], LOCAL_CLASSES - 1)
        group = _pick(z.noise.quality_steps[where, category, group], np.random.random())
        out_quality[i] = _pick(z.noise.quality_values[group], np.random.random())


class LongFragments(NamedTuple):
    """Molecules' pieces to read, f in number; coordinates are those of ``MoleculeBases``."""

    start: np.ndarray  # int64 [f], first base that is read
    length: np.ndarray  # int64 [f]
    low: np.ndarray  # int64 [f], the molecule
    high: np.ndarray  # int64 [f]
    reverse: np.ndarray  # bool [f]
    follows: np.ndarray  # bool [f], whether it goes on with the read before (a chimera)
    read_class: np.ndarray  # uint8 [f]
    scale: np.ndarray  # float64 [f]


@kernel
def read_long(
    m: MoleculeBases,
    f: LongFragments,
    z: LongNoiseTable,
    seed: int,
    out_offset: np.ndarray,
    out_base: np.ndarray,
    out_quality: np.ndarray,
    out_position: np.ndarray,
) -> int:
    """Read all fragments into flat outputs; returns the number of reads.

    ``out_offset`` (int64 [f + 1]) receives where each read begins. The outputs must have room
    for all reads; all in the order of the machine.
    """
    np.random.seed(seed)
    longest = 0
    total = 0
    for i in range(len(f.start)):
        total = total + f.length[i] if f.follows[i] else f.length[i]
        longest = max(longest, total)
    room = longest + longest // 4 + 1000
    bases = np.empty(room, dtype=np.uint8)
    position = np.empty(room, dtype=np.int32)
    status = np.empty(room, dtype=np.uint8)
    local = np.empty(room // WINDOW + 2, dtype=np.uint8)
    end = np.empty(room, dtype=np.int64)
    quality = np.empty(room, dtype=np.uint8)
    reads = 0
    at = 0
    i = 0
    while i < len(f.start):
        local[:] = LOCAL_CLASSES
        n = 0
        first = True
        joint = 0
        while i < len(f.start) and (first or f.follows[i]):
            joint = n if not first else 0
            n = read_molecule(
                m, z, f.start[i], f.length[i], f.low[i], f.high[i], f.reverse[i], f.read_class[i],
                f.scale[i], n, bases, position, status, local,
            )  # fmt: skip
            if not first:
                position[joint:n] = -1
            first = False
            i += 1
        n = min(n, len(out_base) - at)
        draw_qualities(z, n, bases, status, local, end, quality)
        out_offset[reads] = at
        out_base[at : at + n] = bases[:n]
        out_quality[at : at + n] = quality[:n]
        out_position[at : at + n] = position[:n]
        at += n
        reads += 1
    out_offset[reads] = at
    return reads


@kernel
def log_normal_factors(seed: np.uint64, sd: float, out: np.ndarray) -> None:
    """Fill ``out`` (float32 [n]) with log-normal factors of mean 1 by seed and place."""
    for i in range(len(out)):
        one = max(hash_unit(seed, 2 * i), 1e-12)
        two = hash_unit(seed, 2 * i + 1)
        normal = np.sqrt(-2.0 * np.log(one)) * np.cos(2.0 * np.pi * two)
        out[i] = np.exp(sd * normal - 0.5 * sd * sd)
