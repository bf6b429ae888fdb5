"""Learn what a long-read platform does to bases and qualities from real, aligned reads.

The shipped profiles were made once from public slices; anybody can make one of a BAM of their own::

    learn_long_noise(Path("sample.bam"), Path("ref.fa"), Path("my_profile.npz"))

No truth is needed: what many reads share is taken for a variant. Reads whose CIGARs say `=` and `X`
need no reference either: where any read has `=` its base is the reference's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pysam

from pileup.codes import N_BASES, UNKNOWN_BASE
from pileup.sam import CDEL, CEQUAL, CINS
from varcall.errors import InputError
from varcall.inputs.contig_sequences import ContigSequences
from varcall.simulate.learning import SKIPPED_FLAGS
from varcall.simulate.long_reads.kernels import (
    BESIDE,
    OF_INDEL,
    QUALITY_CATEGORIES,
    WRONG,
    tally_qualities,
)
from varcall.simulate.long_reads.noise import (
    LOCAL_CLASSES,
    LONG_READ_CLASSES,
    MAX_AFTER,
    MAX_CHANGE,
    MAX_INDEL,
    MAX_RUN,
    MAX_UNIT,
    MAX_UNITS,
    WINDOW,
)
from varcall.simulate.noise import COMPLEMENT, base_codes
from varcall.simulate.repeats import find_tracts

MIN_MAPQ = 20
#: Positions with fewer reads tell errors from variants too badly.
MIN_DEPTH = 20
#: Share of reads from which a mismatch, or a length of a repeat, may be a variant: long
#: homopolymers are read with a wrong length as often by themselves.
VARIANT_FRACTION, LONG_RUN, LONG_RUN_FRACTION = 0.15, 8, 0.4
MAX_QUALITY = 93
#: Groups of qualities where a platform has many levels.
QUALITY_GROUPS = 12
#: Quantiles that part stretches and reads into classes by mean quality.
_LOCAL_QUANTILES, _READ_QUANTILES = (0.04, 0.15, 0.4, 0.7), (0.15, 0.6)
#: Qualities above say nothing more of a stretch (Guppy writes 90 for some bases).
_CAPPED = 50
_MIN_READS = 40


@dataclass(slots=True)
class _Indel:
    """A difference in length of a read: where, on the reference, and what was read."""

    start: int  # of the stretch, 0-based
    size: int  # bases gained (positive) or lost
    text: np.ndarray  # uint8, the bases
    query: int  # first read base inserted, or first base behind a deletion


@dataclass(slots=True)
class _Read:
    """One read on the strand of the reference."""

    bases: np.ndarray  # uint8 [n]
    qualities: np.ndarray  # uint8 [n]
    position: np.ndarray  # int64 [n], in the stretch, -1 where not aligned
    reverse: bool
    indels: list[_Indel] = field(default_factory=list)
    status: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    begin: int = 0  # bases that are deep enough to tell errors from variants
    end: int = 0


class _Stretch:
    """Reference of one contig's stretch with its homopolymers and tandem repeats."""

    def __init__(self, codes: np.ndarray) -> None:
        self.codes = codes
        edge = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1], [True]]))
        self.run_start, self.run_end = edge[:-1], edge[1:]
        self.run_of = np.repeat(np.arange(len(self.run_start)), np.diff(edge))
        tracts = find_tracts(codes)
        chosen = tracts.unit > 1
        self.tract_start, self.tract_end = tracts.start[chosen], tracts.end[chosen]
        self.tract_unit = tracts.unit[chosen]
        self.tract_of = np.full(len(codes) + 1, -1)
        for i, (low, high) in enumerate(zip(self.tract_start, self.tract_end, strict=True)):
            self.tract_of[low:high] = i

    def place(self, indel: _Indel) -> tuple[str, int]:
        """Say what an indel changes: ("run", r), ("tract", t) or ("other", 0)."""
        at = indel.start
        if (indel.text == indel.text[0]).all():
            for spot in (at, at - 1):
                if 0 <= spot < len(self.codes) and self.codes[spot] == indel.text[0]:
                    return "run", int(self.run_of[spot])
            return "other", 0
        for spot in (at, at - 1):
            tract = int(self.tract_of[spot]) if 0 <= spot < len(self.codes) else -1
            if tract >= 0 and len(indel.text) % self.tract_unit[tract] == 0:
                return "tract", tract
        return "other", 0


def reference_from_reads(reads: Sequence[pysam.AlignedSegment]) -> tuple[int, np.ndarray]:
    """Start and base codes (uint8, 4 unknown) of the reference under reads with `=` in CIGARs."""
    low = min(r.reference_start for r in reads)
    high = max(r.reference_end or 0 for r in reads)
    codes = np.full(high - low, UNKNOWN_BASE, dtype=np.uint8)
    for read in reads:
        bases = base_codes((read.query_sequence or "").encode())
        query, at = 0, read.reference_start - low
        for operation, length in read.cigartuples or ():
            if operation == CEQUAL:
                codes[at : at + length] = bases[query : query + length]
            query += length if operation in (0, 1, 4, 7, 8) else 0
            at += length if operation in (0, 2, 3, 7, 8) else 0
    return low, codes


def _unpack(read: pysam.AlignedSegment, low: int, codes: np.ndarray) -> _Read:
    bases = base_codes((read.query_sequence or "").encode())
    qualities = np.minimum(np.asarray(read.query_qualities, dtype=np.uint8), MAX_QUALITY)
    position = np.full(len(bases), -1, dtype=np.int64)
    indels = []
    query, at = 0, read.reference_start - low
    for operation, length in read.cigartuples or ():
        if operation in (0, 7, 8):
            position[query : query + length] = np.arange(at, at + length)
        elif operation == CINS:
            indels.append(_Indel(at, length, bases[query : query + length], query))
        elif operation == CDEL:
            indels.append(_Indel(at, -length, codes[at : at + length], query))
        query += length if operation in (0, 1, 4, 7, 8) else 0
        at += length if operation in (0, 2, 3, 7, 8) else 0
    return _Read(bases, qualities, position, read.is_reverse, indels)


class _Learner:
    """Counts of one platform, added to contig by contig."""

    def __init__(self) -> None:
        self.counts: dict[str, np.ndarray] = {
            "mismatches": np.zeros((N_BASES,) * 4, np.int64),
            "runs": np.zeros((N_BASES, MAX_RUN + 1, 2 * MAX_CHANGE + 1), np.int64),
            "after_runs": np.zeros((MAX_AFTER + 1, 2), np.int64),
            "units": np.zeros((MAX_UNIT + 1, MAX_UNITS + 1, 3), np.int64),
            "insertions": np.zeros(MAX_INDEL + 1, np.int64),
            "deletions": np.zeros(MAX_INDEL + 1, np.int64),
            "local_bases": np.zeros(LOCAL_CLASSES, np.int64),
            "local_mismatches": np.zeros(LOCAL_CLASSES, np.int64),
            "local_indels": np.zeros(LOCAL_CLASSES, np.int64),
            "reads": np.zeros(LONG_READ_CLASSES, np.int64),
            "local_initial": np.zeros((LONG_READ_CLASSES, LOCAL_CLASSES), np.int64),
            "local_steps": np.zeros((LONG_READ_CLASSES, LOCAL_CLASSES, LOCAL_CLASSES), np.int64),
        }
        self.reads: list[_Read] = []

    def add(self, reads: list[_Read], stretch: _Stretch) -> None:
        """Count the errors of one contig's reads, and mark them in the reads."""
        depth, spanned = self._depths(reads, stretch)
        known = depth >= MIN_DEPTH
        usable = known & ~self._variants(reads, stretch, depth)
        changes = self._changes(reads, stretch)
        for kind in ("run", "tract"):
            self._count_lengths(kind, changes, reads, stretch, spanned, known)
        for read in reads:
            self._count_bases(read, stretch, usable)
            deep = np.flatnonzero((read.position >= 0) & known[read.position])
            if len(deep):
                read.begin, read.end = int(deep[0]), int(deep[-1]) + 1
        shared = Counter(
            (i.start, i.size) for key, found in changes.items() if key[1] == "other" for i in found
        )
        for index, read in enumerate(reads):
            own = [
                i
                for i in changes[index, "other", 0]
                if shared[i.start, i.size] < max(3, VARIANT_FRACTION * depth[i.start])
            ]
            self._count_others(read, own, known)
        self.reads += [r for r in reads if r.end - r.begin >= WINDOW]

    @staticmethod
    def _depths(reads: list[_Read], stretch: _Stretch) -> tuple[np.ndarray, np.ndarray]:
        """Depth at each position, and first and last aligned position of each read [n, 2]."""
        steps = np.zeros(len(stretch.codes) + 1, np.int64)
        spanned = np.zeros((len(reads), 2), np.int64)
        for i, read in enumerate(reads):
            aligned = read.position[read.position >= 0]
            spanned[i] = aligned[0], aligned[-1]
            steps[aligned[0]] += 1
            steps[aligned[-1] + 1] -= 1
            read.status = np.zeros(len(read.bases), np.uint8)
        return np.cumsum(steps)[:-1], spanned

    @staticmethod
    def _variants(reads: list[_Read], stretch: _Stretch, depth: np.ndarray) -> np.ndarray:
        """Mark the positions where reads agree on another base: bool [length]."""
        counts = np.zeros((len(stretch.codes), N_BASES + 1), np.int32)
        for read in reads:
            chosen = read.position >= 0
            np.add.at(counts, (read.position[chosen], read.bases[chosen]), 1)
        known = stretch.codes < UNKNOWN_BASE
        counts[known, stretch.codes[known]] = 0
        most = counts[:, :N_BASES].max(1)
        return np.asarray(((most >= 3) & (most >= VARIANT_FRACTION * depth)) | ~known)

    @staticmethod
    def _changes(reads: list[_Read], stretch: _Stretch) -> dict[tuple[int, str, int], list[_Indel]]:
        found: dict[tuple[int, str, int], list[_Indel]] = defaultdict(list)
        for index, read in enumerate(reads):
            for indel in read.indels:
                if (indel.text < UNKNOWN_BASE).all():
                    kind, number = stretch.place(indel)
                    found[index, kind, number].append(indel)
        return found

    def _count_lengths(
        self,
        kind: str,
        changes: dict[tuple[int, str, int], list[_Indel]],
        reads: list[_Read],
        stretch: _Stretch,
        spanned: np.ndarray,
        known: np.ndarray,
    ) -> None:
        """Count the lengths that reads show of runs or tracts, leaving those out that vary."""
        is_run = kind == "run"
        start = stretch.run_start if is_run else stretch.tract_start
        end = stretch.run_end if is_run else stretch.tract_end
        by_place: dict[int, dict[int, int]] = defaultdict(dict)
        for (index, which, number), indels in changes.items():
            if which == kind:
                by_place[number][index] = sum(i.size for i in indels)
        starts, stops = np.sort(spanned[:, 0]), np.sort(spanned[:, 1])
        # Reads that began before the place and have not ended within it.
        spanning = np.searchsorted(starts, start, "left") - np.searchsorted(stops, end, "left")
        good = (spanning >= MIN_DEPTH) & known[start] & (stretch.codes[start] < UNKNOWN_BASE)
        strand = np.array([read.reverse for read in reads])
        baseline = np.zeros(len(start), np.int64)
        for number, shown in by_place.items():
            sizes = Counter(shown.values())
            sizes[0] += int(spanning[number]) - len(shown)
            ranked = sizes.most_common(2)
            long = int(end[number] - start[number])
            units = long if is_run else long // int(stretch.tract_unit[number]) * 2
            limit = LONG_RUN_FRACTION if units >= LONG_RUN else VARIANT_FRACTION
            if len(ranked) > 1 and ranked[1][1] >= max(limit * spanning[number], 3):
                good[number] = False
            baseline[number] = ranked[0][0]
        order = np.argsort(spanned[:, 0], kind="stable")
        for number in np.flatnonzero(good).tolist():
            shown = by_place.get(number, {})
            if is_run and not shown and end[number] - start[number] < 3:
                continue  # counted all at once below
            until = np.searchsorted(spanned[order, 0], start[number], "left")
            candidates = order[:until]
            candidates = candidates[spanned[candidates, 1] >= end[number]]
            for index in candidates.tolist():
                delta = shown.get(index, 0) - int(baseline[number])
                self._count_length(
                    kind, number, int(baseline[number]), delta, strand[index], stretch
                )
                if delta:
                    _mark(reads[index], int(start[number]), int(end[number]))
        if is_run:
            self._count_plain(good, by_place, start, end, spanning, strand, stretch)

    def _count_plain(
        self,
        good: np.ndarray,
        by_place: dict[int, dict[int, int]],
        start: np.ndarray,
        end: np.ndarray,
        spanning: np.ndarray,
        strand: np.ndarray,
        stretch: _Stretch,
    ) -> None:
        """Count the short runs that every read shows right; strands by their share."""
        plain = good & (end - start < 3)
        plain[list(by_place)] = False
        share = float(strand.mean())
        base = stretch.codes[start[plain]]
        amount, length = spanning[plain], (end - start)[plain]
        for codes, part in ((base, 1 - share), (COMPLEMENT[base], share)):
            seen = np.zeros((N_BASES, MAX_RUN + 1))
            np.add.at(seen, (codes, length), amount * part)
            self.counts["runs"][:, :, MAX_CHANGE] += np.round(seen).astype(np.int64)

    def _count_length(
        self, kind: str, number: int, baseline: int, delta: int, reverse: bool, stretch: _Stretch
    ) -> None:
        if kind == "run":
            low, high = int(stretch.run_start[number]), int(stretch.run_end[number])
            base = int(stretch.codes[low])
            length = min(max(high - low + baseline, 1), MAX_RUN)
            shown = int(np.clip(delta, -MAX_CHANGE, MAX_CHANGE)) + MAX_CHANGE
            self.counts["runs"][COMPLEMENT[base] if reverse else base, length, shown] += 1
            return
        unit = int(stretch.tract_unit[number])
        length = int(stretch.tract_end[number] - stretch.tract_start[number]) + baseline
        self.counts["units"][unit, min(length // unit, MAX_UNITS), 1 + int(np.sign(delta))] += 1

    def _count_bases(self, read: _Read, stretch: _Stretch, usable: np.ndarray) -> None:
        """Count mismatches by context, on the strand that was read."""
        codes = stretch.codes
        index = np.flatnonzero(read.position > 0)
        position = read.position[index]
        inside = position < len(codes) - 1
        index, position = index[inside], position[inside]
        keep = usable[position] & (read.bases[index] < UNKNOWN_BASE)
        keep &= (codes[position - 1] < UNKNOWN_BASE) & (codes[position + 1] < UNKNOWN_BASE)
        index, position = index[keep], position[keep]
        before, base, behind = codes[position - 1], codes[position], codes[position + 1]
        seen = read.bases[index]
        wrong = seen != base
        run = stretch.run_of[position + (1 if read.reverse else -1)]
        starts = stretch.run_of[position] != run
        length = np.where(starts, stretch.run_end[run] - stretch.run_start[run], 0)
        np.add.at(
            self.counts["after_runs"], (np.minimum(length, MAX_AFTER), wrong.astype(np.int64)), 1
        )
        if read.reverse:
            before, behind = COMPLEMENT[behind], COMPLEMENT[before]
            base, seen = COMPLEMENT[base], COMPLEMENT[seen]
        np.add.at(self.counts["mismatches"], (before, base, behind, seen), 1)
        read.status[index[wrong]] = WRONG
        _mark_beside(read, index[wrong] - 1)
        _mark_beside(read, index[wrong] + 1)

    def _count_others(self, read: _Read, indels: list[_Indel], known: np.ndarray) -> None:
        for indel in indels:
            if not known[min(indel.start, len(known) - 1)] or abs(indel.size) > MAX_INDEL:
                continue
            which = "insertions" if indel.size > 0 else "deletions"
            self.counts[which][abs(indel.size)] += 1
            behind = indel.query + max(indel.size, 0)
            read.status[indel.query : behind] = OF_INDEL
            _mark_beside(read, np.array([indel.query - 1, behind]))

    def finish(self) -> dict[str, np.ndarray]:
        """Count qualities, now that all errors are marked; returns all counts."""
        machine = [_in_machine_order(read) for read in self.reads]
        qualities = np.concatenate([q for _, q, _ in machine])
        groups = _quality_groups(qualities)
        number = int(groups.max()) + 1
        values = np.zeros((number, MAX_QUALITY + 1), np.int64)
        np.add.at(values, (groups[qualities], qualities), 1)
        steps = np.zeros((LOCAL_CLASSES, QUALITY_CATEGORIES, number, number), np.int64)
        means = [_window_means(q) for _, q, _ in machine]
        local_edges = np.quantile(np.concatenate(means), _LOCAL_QUANTILES)
        whole = np.array([m.mean() for m in means])
        read_class = np.searchsorted(np.quantile(whole, _READ_QUANTILES), whole, "right")
        for (bases, quality, status), mean, one in zip(machine, means, read_class, strict=True):
            local = np.searchsorted(local_edges, mean, "right").astype(np.uint8)
            scratch = np.empty(len(bases), np.int64)
            tally_qualities(bases, status, groups[quality], local, scratch, steps)
            self.counts["reads"][one] += 1
            self.counts["local_initial"][one, local[0]] += 1
            np.add.at(self.counts["local_steps"][one], (local[:-1], local[1:]), 1)
            by_base = np.repeat(local, WINDOW)[: len(bases)]
            for name, chosen in (
                ("local_bases", np.ones(len(bases), bool)),
                ("local_mismatches", status == WRONG),
                ("local_indels", _indel_starts(status)),
            ):
                self.counts[name] += np.bincount(by_base[chosen], minlength=LOCAL_CLASSES)
        return {**self.counts, "qualities": steps, "quality_values": values}


def _indel_starts(status: np.ndarray) -> np.ndarray:
    """Mark the first base of each stretch of bases beside or in an indel: bool [n]."""
    of_indel = (status == OF_INDEL) | (status == BESIDE)
    return np.asarray(of_indel & ~np.concatenate([[False], of_indel[:-1]]))


def _in_machine_order(read: _Read) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bases, qualities and status of the usable part, as the machine read it."""
    part = slice(read.begin, read.end)
    bases, qualities, status = read.bases[part], read.qualities[part], read.status[part]
    if read.reverse:
        return COMPLEMENT[bases[::-1]], qualities[::-1].copy(), status[::-1].copy()
    return bases, qualities, status


def _window_means(qualities: np.ndarray) -> np.ndarray:
    capped = np.minimum(qualities, _CAPPED).astype(np.float64)
    edges = np.arange(0, len(capped), WINDOW)
    size = np.diff(np.append(edges, len(capped)))
    return np.asarray(np.add.reduceat(capped, edges) / size)


def _quality_groups(qualities: np.ndarray) -> np.ndarray:
    """Group of each quality (uint8 [``MAX_QUALITY`` + 1]): its level, or quantiles of many."""
    histogram = np.bincount(qualities, minlength=MAX_QUALITY + 1)
    share = np.cumsum(histogram) / histogram.sum()
    levels = np.flatnonzero(histogram)
    groups = np.zeros(MAX_QUALITY + 1, np.uint8)
    if len(levels) <= QUALITY_GROUPS:
        groups[:] = np.clip(np.searchsorted(levels, np.arange(MAX_QUALITY + 1)), 0, len(levels) - 1)
        return groups
    # Low qualities are rare and say most: fine quantiles there.
    edges = np.array([0.002, 0.006, 0.015, 0.03, 0.06, 0.1, 0.16, 0.25, 0.4, 0.65, 0.85])
    groups[:] = np.searchsorted(edges, np.concatenate([[0.0], share[:-1]]), "right")
    used = np.unique(groups[levels])
    return np.searchsorted(used, groups).clip(0, len(used) - 1).astype(np.uint8)


def _mark(read: _Read, start: int, end: int) -> None:
    """Mark the read's bases between the reference bases before ``start`` and at ``end``."""
    aligned = np.flatnonzero(read.position >= 0)
    where = read.position[aligned]
    left = aligned[max(int(np.searchsorted(where, start)) - 1, 0)]
    right = aligned[min(int(np.searchsorted(where, end)), len(aligned) - 1)]
    read.status[left + 1 : right] = OF_INDEL
    if right == left + 1:
        _mark_beside(read, np.array([left, right]))


def _mark_beside(read: _Read, index: np.ndarray) -> None:
    index = index[(index >= 0) & (index < len(read.status))]
    read.status[index[read.status[index] == 0]] = BESIDE


def learn_long_noise(bam: Path, fasta: Path | None, output: Path) -> None:
    """Write a noise profile learned from aligned long reads of one platform.

    Parameters
    ----------
    bam
        The reads, in the order of their coordinates.
    fasta
        The reference they are aligned to; None where their CIGARs have `=` and `X`.
    output
        The .npz to write (loaded by ``load_long_noise``): counts alone, no reads.

    Raises
    ------
    InputError
        If there are too few reads.
    """
    by_contig: dict[str, list[pysam.AlignedSegment]] = defaultdict(list)
    with pysam.AlignmentFile(str(bam)) as alignment:
        for read in alignment:
            if read.flag & SKIPPED_FLAGS or read.mapping_quality < MIN_MAPQ:
                continue
            if read.query_qualities is not None:
                by_contig[str(read.reference_name)].append(read)
    if sum(map(len, by_contig.values())) < _MIN_READS:
        raise InputError(f"{bam} has fewer than {_MIN_READS} usable reads: too few for a profile")
    learner = _Learner()
    for contig, reads in by_contig.items():
        low, codes = reference_from_reads(reads)
        if fasta is not None:
            with ContigSequences(fasta) as genome:
                text = genome.fetch(contig, low, low + len(codes))
            codes = base_codes(text.encode())
        learner.add([_unpack(r, low, codes) for r in reads], _Stretch(codes))
    np.savez_compressed(output, allow_pickle=False, **learner.finish())
