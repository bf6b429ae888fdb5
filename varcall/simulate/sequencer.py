"""Sequencing: fragments drawn from molecules by the library's habits, then read with noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pileup.codes import N_BASES, UNKNOWN_BASE, C, G, T
from varcall.formats.simulated_origin import (
    ADAPTER,
    CHIMERA,
    CONTAMINANT_MOLECULE,
    DUPLICATE,
    FIRST_HIDDEN_COPY,
    FIRST_STACK,
)
from varcall.simulate.genome import Molecule
from varcall.simulate.kernels import (
    ADAPTERS,
    FOREIGN,
    MAX_FRAGMENT,
    FragmentTable,
    MoleculeTable,
    NoiseTable,
    merge_mates,
    sequence_fragments,
)
from varcall.simulate.library import Library, stated_qualities
from varcall.simulate.noise import CYCLE_BINS, load_profile
from varcall.simulate.repeats import find_tracts

#: Fragments sequenced at once, to bound memory (2 x 250 x 6 bytes each).
BATCH = 50_000
MIN_FRAGMENT = 40
#: Trimming by quality leaves this many bases.
MIN_TRIMMED = 35


class Fragments(NamedTuple):
    """Fragments as drawn from molecules; coordinates are those of the ``MoleculeTable``."""

    start: np.ndarray  # int64 [n]
    length: np.ndarray  # int64 [n]
    end: np.ndarray  # int64 [n], end of the molecule
    origin: np.ndarray  # int64 [n], tag ``mo``


class Joints(NamedTuple):
    """How fragments are joined of two parts, if they are."""

    start: np.ndarray  # int64 [n], of the first part
    at: np.ndarray  # int64 [n], bases of the first part, -1 where nothing is joined
    to: np.ndarray  # int64 [n], where the second part begins
    has_junction: np.ndarray  # bool [n]


@dataclass(frozen=True, slots=True)
class SequencedReads:
    """Reads of n fragments, in machine order; the mates of one have rows beside each other.

    Attributes
    ----------
    mates
        Reads of a fragment: 1 or 2.
    bases, qualities
        uint8 [mates * n, longest]; codes (UNKNOWN_BASE = N) and Phred qualities.
    position
        int32 [mates * n, longest]: 0-based in the stretch, below 0 where the reference has no
        base.
    length
        int64 [mates * n].
    reverse
        bool [mates * n]: whether the row was read from the reverse strand of its molecule.
    duplicate
        bool [n]: whether the fragment is a copy that the duplicate marker would flag.
    origin
        int64 [n]: the molecule, as the tag ``mo`` names it.
    artefacts
        uint8 [mates * n]: bits of the tag ``ak``.
    mapq_limit
        uint8 [n]: highest mapping quality of the fragment's reads.
    """

    mates: int
    bases: np.ndarray
    qualities: np.ndarray
    position: np.ndarray
    length: np.ndarray
    reverse: np.ndarray
    duplicate: np.ndarray
    origin: np.ndarray
    artefacts: np.ndarray
    mapq_limit: np.ndarray

    def start_of(self, row: int, clipped: int, is_reverse: bool) -> int:
        """Where the first aligned base of a row comes from, 0-based in the stretch.

        Parameters
        ----------
        clipped
            Bases clipped before it, in the direction of the reference.
        is_reverse
            Whether the row was mapped as the reverse complement.

        Returns
        -------
        int
            -1 where the bases have no place on the reference.
        """
        if self.origin[row // self.mates] >= FIRST_HIDDEN_COPY:
            return -1
        places = self.position[row, : self.length[row]]
        places = (places[::-1] if is_reverse else places)[clipped:]
        known = int((places >= 0).argmax()) if len(places) else 0
        return int(places[known]) if len(places) else -1


class Sequencer:
    """Draws and reads the fragments of one sample.

    Parameters
    ----------
    molecules
        Haplotypes of the sample (the first two), then those of a contaminating person, then
        hidden copies.
    reference_codes
        uint8 [n]: base codes of the stretch.
    library
        The library configuration.
    rng
        Source of all randomness.
    """

    def __init__(
        self,
        molecules: Sequence[Molecule],
        reference_codes: np.ndarray,
        library: Library,
        rng: np.random.Generator,
    ) -> None:
        self._library = library
        self._rng = rng
        self.size = len(reference_codes)
        self._offsets = np.cumsum([0] + [len(m.bases) for m in molecules])
        self._table = _molecule_table(molecules, library, rng)
        self._profile = load_profile(library.profile)
        self._noise = self._noise_table(reference_codes)
        self._profile_of_targets = _targets(self.size, library, rng)
        self._coverage = _coverage(reference_codes, library, rng) * self._profile_of_targets
        self._amplicons = _amplicons(self.size, library, rng)
        self._molecules = molecules

    def batches(self) -> Iterator[SequencedReads]:
        """All reads, in batches of ``BATCH`` fragments."""
        if len(self._amplicons):
            parts = [self._draw_amplicons(i) for i in range(len(self._molecules))]
        else:
            parts = [self._draw_fragments(i) for i in range(len(self._molecules))]
        drawn = Fragments(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        order = self._rng.permutation(len(drawn.start))
        plain = self._fragments(Fragments(*(column[order] for column in drawn)))
        table = FragmentTable(
            *(np.concatenate(pair) for pair in zip(plain, self._stacks(), strict=True))
        )
        for at in range(0, len(table.start), BATCH):
            yield self._sequence(FragmentTable(*(column[at : at + BATCH] for column in table)))

    def _fragments_per_base(self, molecule: Molecule) -> float:
        """Expected fragments of a molecule that cover a base with a read, over their reads."""
        library = self._library
        if molecule.origin < CONTAMINANT_MOLECULE:
            share = 1.0 - library.contamination
        else:
            share = library.contamination if molecule.origin == CONTAMINANT_MOLECULE else 1.0
        if library.layout == "merged":
            bases = library.insert_mean
        else:
            # The mean of a cut read is 0.6 of a full one (`_read_lengths`).
            bases = library.mates * library.read_length * (1.0 - 0.4 * library.trimmed_share)
        return share * molecule.copies * library.depth / (2 * bases)

    def _draw_fragments(self, index: int) -> Fragments:
        """Fragments of a molecule by local coverage."""
        library, rng = self._library, self._rng
        low, high = int(self._offsets[index]), int(self._offsets[index + 1])
        position = self._table.position[low:high]
        weight = self._coverage[np.maximum.accumulate(np.maximum(position, 0))]
        balance = _field(len(weight), 600.0, library.balance_sd, rng, dips=0.015)
        weight = weight * balance
        expected = self._fragments_per_base(self._molecules[index]) * len(weight)
        expected *= self._profile_of_targets.mean()
        count = int(rng.poisson(expected * weight.mean() / self._coverage.mean()))
        cumulative = np.cumsum(weight)
        picked = np.searchsorted(cumulative, rng.random(count) * cumulative[-1]).astype(np.int64)
        length = rng.normal(library.insert_mean, library.insert_sd, size=count)
        tail = rng.random(count) < 0.04
        length[tail] *= rng.uniform(0.4, 1.9, size=int(tail.sum()))
        length = np.minimum(length.clip(MIN_FRAGMENT, MAX_FRAGMENT).astype(np.int64), high - low)
        length = np.minimum(length, high - low - picked)
        return self._of_molecule(index, picked + low, length)

    def _draw_amplicons(self, index: int) -> Fragments:
        """Fragments of a molecule that begin and end at the primers."""
        low, high = int(self._offsets[index]), int(self._offsets[index + 1])
        place = np.maximum.accumulate(self._table.position[low:high])
        molecule = self._molecules[index]
        starts, lengths = [], []
        for first, last, factor in self._amplicons:
            begin, end = np.searchsorted(place, (first, last))
            covered = self._library.mates * self._library.read_length
            expected = self._fragments_per_base(molecule) * max(covered, last - first) * factor
            whole = place[0] <= first and place[-1] >= last
            count = int(self._rng.poisson(expected)) if whole else 0
            starts.append(np.full(count, begin + low, dtype=np.int64))
            lengths.append(np.full(count, end - begin, dtype=np.int64))
        return self._of_molecule(index, np.concatenate(starts), np.concatenate(lengths))

    def _of_molecule(self, index: int, start: np.ndarray, length: np.ndarray) -> Fragments:
        count = len(start)
        end = np.full(count, self._offsets[index + 1], dtype=np.int64)
        return Fragments(start, length, end, np.full(count, self._molecules[index].origin))

    def _fragments(self, drawn: Fragments) -> FragmentTable:
        """Fragments with strands, duplicates and joints."""
        rng, library = self._rng, self._library
        usable = drawn.length >= MIN_FRAGMENT
        if library.layout == "merged":
            # Mates that hardly overlap cannot be merged.
            usable &= drawn.length <= 2 * library.read_length - 10
        keep, n = np.flatnonzero(usable), len(drawn.start)
        copies = [
            rng.choice(keep, size=rng.binomial(len(keep), rate)) if len(keep) else keep
            for rate in (library.unmarked_rate, library.duplicate_rate)
        ]
        chosen = np.concatenate([keep, *copies])
        index = np.arange(len(chosen))
        joints = self._joints(drawn)
        plain = np.zeros(len(chosen), dtype=np.int64)
        return FragmentTable(
            joints.start[chosen], drawn.length[chosen], drawn.end[chosen],
            (rng.random(n) < 0.5)[chosen], self._seeds(n)[chosen],
            joints.at[chosen], joints.to[chosen], joints.has_junction[chosen],
            plain.astype(np.uint64), plain, np.full(len(chosen), 255, dtype=np.uint8),
            drawn.origin[chosen], index >= len(keep), index >= len(keep) + len(copies[0]),
            self._read_classes(len(chosen)), self._read_lengths(len(chosen)),
        )  # fmt: skip

    def _seeds(self, n: int) -> np.ndarray:
        return self._rng.integers(1, 2**63, size=n).astype(np.uint64)

    def _joints(self, drawn: Fragments) -> Joints:
        """Where fragments are joined: chimeras, and the circles of mate pairs.

        A circle of DNA is closed by the junction adapter and broken again: what is sequenced
        begins before the far end of the stretch and goes on from its beginning.
        """
        rng, library, n = self._rng, self._library, len(drawn.start)
        head = (drawn.length * rng.uniform(0.1, 0.9, size=n)).astype(np.int64)
        limit = max(len(self._table.bases) - MAX_FRAGMENT, 1)
        anywhere = rng.integers(0, limit, size=n)
        start, is_circle = drawn.start, np.zeros(n, dtype=bool)
        if library.layout == "matepair":
            circle = rng.normal(library.circle_mean, 0.2 * library.circle_mean, size=n)
            circle = np.maximum(circle.astype(np.int64), 2 * drawn.length)
            is_circle = rng.random(n) >= library.inward_share
            is_circle &= drawn.start + circle <= drawn.end
            start = np.where(is_circle, drawn.start + circle - head, drawn.start)
        is_chimera = ~is_circle & (rng.random(n) < library.chimera_rate)
        return Joints(
            start,
            np.where(is_circle | is_chimera, head, -1),
            np.where(is_circle, drawn.start, anywhere),
            is_circle,
        )

    def _stacks(self) -> FragmentTable:
        """Fragments that all begin, or all end, at one base.

        Half of the stacks are copies of one molecule made by PCR, with errors in common; the
        others are reads of elsewhere that the mapper puts there with little confidence.
        """
        rng, library = self._rng, self._library
        n_stacks = int(rng.poisson(library.stacks * self.size / 100_000))
        parts = [self._stack(FIRST_STACK + k) for k in range(n_stacks)]
        if not parts:
            empty = Fragments(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
            return self._fragments(empty)
        return FragmentTable(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _stack(self, origin: int) -> FragmentTable:
        rng, library = self._rng, self._library
        haplotype = int(rng.integers(2))
        low, high = int(self._offsets[haplotype]), int(self._offsets[haplotype + 1])
        n = max(4, int(library.depth * rng.uniform(0.15, 1.0)))
        length = rng.normal(library.insert_mean, library.insert_sd, size=n).astype(np.int64)
        length = length.clip(MIN_FRAGMENT, min(MAX_FRAGMENT, (high - low) // 3))
        at = int(rng.integers(low + length.max(), max(high - length.max(), low + length.max() + 1)))
        reverse, foreign = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
        seeds = self._seeds(n)
        index = np.arange(n)
        whole = np.full(n, -1, dtype=np.int64)
        return FragmentTable(
            at - length if reverse else np.full(n, at, dtype=np.int64),
            length, np.full(n, high, dtype=np.int64), np.full(n, reverse),
            seeds, whole, whole, np.zeros(n, dtype=bool),
            np.full(n, seeds[0]), np.full(n, rng.integers(2, 8) if foreign else rng.integers(0, 3)),
            np.full(n, rng.integers(0, 25) if foreign else 255, dtype=np.uint8),
            np.full(n, origin if foreign else haplotype), (index > 0) & (not foreign),
            np.zeros(n, dtype=bool), self._read_classes(n), self._read_lengths(n),
        )  # fmt: skip

    def _read_classes(self, n: int) -> np.ndarray:
        pairs = self._profile.class_pairs
        better = np.add.outer(np.arange(len(pairs)), np.arange(len(pairs)))
        share = pairs * np.exp(self._library.class_tilt * better)
        drawn = self._rng.choice(pairs.size, size=n, p=(share / share.sum()).ravel())
        return np.stack([drawn // len(pairs), drawn % len(pairs)], axis=1).astype(np.uint8)

    def _read_lengths(self, n: int) -> np.ndarray:
        full = self._library.read_length
        lengths = np.full((n, 2), full, dtype=np.int64)
        cut = self._rng.random((n, 2)) < self._library.trimmed_share
        # The mean of a cut read is 0.6 of a full one, as the depth computation assumes.
        lengths[cut] = self._rng.integers(int(full * 0.2), full + 1, size=int(cut.sum()))
        return lengths

    def _sequence(self, fragments: FragmentTable) -> SequencedReads:
        library, n = self._library, len(fragments.start)
        # Merged reads are made of both mates.
        sequenced = 2 if library.layout == "merged" else library.mates
        shape = (sequenced * n, library.read_length)
        bases = np.full(shape, UNKNOWN_BASE, dtype=np.uint8)
        qualities = np.full(shape, 2, dtype=np.uint8)
        position = np.full(shape, -1, dtype=np.int32)
        seed = int(self._rng.integers(0, 2**31))
        sequence_fragments(
            self._table, fragments, self._noise, ADAPTERS[library.adapter], sequenced, seed,
            bases, qualities, position,
        )  # fmt: skip
        lengths = fragments.read_length[:, :sequenced].ravel()
        reverse = np.stack([fragments.reverse, ~fragments.reverse], axis=1)[:, : library.mates]
        if library.layout == "merged":
            pairs = bases, qualities, position
            lengths = np.minimum(fragments.length, 2 * library.read_length)
            shape = (n, int(lengths.max()))
            bases, qualities = np.full(shape, UNKNOWN_BASE, np.uint8), np.full(shape, 2, np.uint8)
            position = np.full(shape, -1, dtype=np.int32)
            merge_mates(lengths, fragments.read_length, *pairs, bases, qualities, position)
        elif library.trimmed_share > 0:
            # Runs that are trimmed at all have their adapters trimmed first.
            inserts = np.repeat(fragments.length, library.mates)
            lengths = np.minimum(lengths, np.maximum(inserts, MIN_FRAGMENT))
        if library.quality_trim:
            lengths = _trimmed_lengths(qualities, lengths, library.quality_trim)
        inside = np.arange(bases.shape[1]) < lengths[:, None]
        chimera = (fragments.joint_at >= 0) & ~fragments.has_junction
        bits = np.where(chimera, CHIMERA, 0) | np.where(fragments.is_copy, DUPLICATE, 0)
        foreign = ((position == FOREIGN) & inside).any(axis=1)
        artefacts = np.repeat(bits, library.mates) | np.where(foreign, ADAPTER, 0)
        return SequencedReads(
            library.mates, bases, qualities, position, lengths, reverse.ravel(),
            fragments.is_flagged, fragments.origin, artefacts.astype(np.uint8),
            fragments.mapq_limit,
        )  # fmt: skip

    def _noise_table(self, reference_codes: np.ndarray) -> NoiseTable:
        library, profile, rng = self._library, self._profile, self._rng
        # The learned rates are means over cycles; so is the rise, 1 + rise / 3.
        scale = library.error_scale / (1.0 + library.cycle_rise / 3.0)
        error = profile.level_error * scale + library.error_floor
        offsets = rng.normal(0.0, library.recalibration, size=(CYCLE_BINS, 4, 4))
        rate, base = _systematic_sites(reference_codes, library, rng)
        return NoiseTable(
            initial=profile.initial,
            steps=profile.steps,
            level_error=np.minimum(error, 0.6),
            context=profile.context,
            substitution=profile.substitution,
            stated=stated_qualities(library, profile.levels),
            recalibration=offsets.astype(np.float32),
            systematic_rate=rate,
            systematic_base=base,
            cycle_rise=library.cycle_rise,
            run_error=library.run_error,
            dephasing=library.dephasing,
            indel_rate=library.indel_rate,
            n_rate=library.n_rate,
            tail_rate=library.tail_rate,
            damage_rate=library.damage_rate,
            gain_share=library.slippage_gain,
            low_quality_share=library.systematic_low_quality,
            poly_g=library.poly_g,
            primer=library.primer,
            reference=reference_codes,
        )


def _molecule_table(
    molecules: Sequence[Molecule], library: Library, rng: np.random.Generator
) -> MoleculeTable:
    starts, ends, units, slips = [], [], [], []
    offset = 0
    # A locus slips more or less than others of its length, on every molecule alike.
    size = max(int(m.position.max()) for m in molecules) + 2
    locus = rng.normal(0.0, 0.5, size=size)
    for molecule in molecules:
        tracts = find_tracts(molecule.bases)
        starts.append(tracts.start + offset)
        ends.append(tracts.end + offset)
        units.append(tracts.unit)
        where = molecule.position[np.maximum(tracts.start - 1, 0)]
        slips.append(_slippage(tracts.slippage_length(), library, locus[where]))
        offset += len(molecule.bases)
    return MoleculeTable(
        np.concatenate([m.bases for m in molecules]),
        np.concatenate([m.position for m in molecules]),
        np.concatenate(starts),
        np.concatenate(ends),
        np.concatenate(units),
        np.concatenate(slips),
    )


def _slippage(length: np.ndarray, library: Library, locus: np.ndarray) -> np.ndarray:
    """Probability that a fragment has another tract length than its molecule.

    Logistic in the length, with 0.6 a base below ten and the library's slope above.
    """
    at_12 = library.slippage_at_12
    logit = np.log(at_12 / (1 - at_12)) + library.slippage_slope * (np.maximum(length, 10) - 12)
    logit = logit - 0.6 * np.maximum(10 - length, 0) + locus
    return np.asarray(np.minimum(1.0 / (1.0 + np.exp(-logit)), 0.6))


def _field(
    size: int, scale: float, sd: float, rng: np.random.Generator, *, dips: float = 0.0
) -> np.ndarray:
    """float64 [size]: smooth positive random factors, log-normal with correlation ``scale``.

    A share ``dips`` of the knots falls to a third or so: where one haplotype hardly amplifies or
    maps, true heterozygotes show in a fifth of the reads.
    """
    knots = rng.normal(0.0, sd, size=int(size / scale) + 3)
    low = rng.random(len(knots)) < dips
    knots[low] -= rng.uniform(0.5, 1.5, size=int(low.sum()))
    at = np.arange(size) / scale + rng.random()
    return np.asarray(np.exp(np.interp(at, np.arange(len(knots)), knots)))


def _coverage(codes: np.ndarray, library: Library, rng: np.random.Generator) -> np.ndarray:
    """float64 [n]: relative number of fragments that start at each position."""
    window = 300
    is_gc = np.concatenate([[0], np.cumsum((codes == C) | (codes == G))])
    stop = np.minimum(np.arange(len(codes)) + window, len(codes))
    gc = (is_gc[stop] - is_gc[:-1]) / np.maximum(stop - np.arange(len(codes)), 1)
    bias = np.exp(-0.5 * ((gc - library.gc_centre) / library.gc_width) ** 2)
    weight = bias * _field(len(codes), 2500.0, library.coverage_sd * 0.7, rng)
    weight = weight * _field(len(codes), 150.0, library.coverage_sd, rng)
    return np.asarray(np.where(codes < UNKNOWN_BASE, weight, 0.0) + 1e-9)


def _trimmed_lengths(qualities: np.ndarray, lengths: np.ndarray, bound: int) -> np.ndarray:
    """Lengths (int64 [n]) without the bases below ``bound`` at the reads' ends."""
    good = (qualities >= bound) & (np.arange(qualities.shape[1]) < lengths[:, None])
    last = qualities.shape[1] - good[:, ::-1].argmax(axis=1)
    last = np.where(good.any(axis=1), last, 0)
    return np.asarray(np.maximum(last, np.minimum(lengths, MIN_TRIMMED)))


def _targets(size: int, library: Library, rng: np.random.Generator) -> np.ndarray:
    """float64 [size]: share of the depth that fragments beginning at each base have.

    1 everywhere, but for captured targets: a fragment is caught where its middle is near a
    target, and less often the farther away it is.
    """
    if library.layout != "targets":
        return np.ones(size)
    number = max(1, int(library.covered_share * size / library.target_size))
    near = np.full(size, np.inf)
    place = np.arange(size)
    for centre in np.sort(rng.choice(size, size=number)):
        half = library.target_size * rng.uniform(0.7, 1.3) / 2
        low, high = max(0, int(centre - half) - 1500), int(centre + half) + 1500
        away = np.maximum(np.abs(place[low:high] - centre) - half, 0)
        near[low:high] = np.minimum(near[low:high], away)
    middle = np.minimum(place + int(library.insert_mean / 2), size - 1)
    caught = np.exp(-0.5 * (near / (0.4 * library.insert_mean)) ** 2)
    return np.asarray(np.maximum(caught, library.off_target)[middle])


def _amplicons(
    size: int, library: Library, rng: np.random.Generator
) -> list[tuple[int, int, float]]:
    """Amplicons as (start, end, factor on the depth); empty for other libraries."""
    if library.layout != "amplicon":
        return []
    found = []
    for _ in range(max(1, int(library.covered_share * size / library.insert_mean))):
        length = int(library.insert_mean * rng.uniform(0.8, 1.2))
        start = int(rng.integers(0, max(size - length, 1)))
        # Sequencing deeper than this says no more, and most pipelines thin it out.
        factor = min(float(np.exp(rng.normal(0.0, library.coverage_sd))), 300 / library.depth)
        found.append((start, start + length, factor))
    return found


def _systematic_sites(
    codes: np.ndarray, library: Library, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Strand-specific error sites: rates float32 [2, n] and wrong bases uint8 [2, n].

    Sites after GG (in the order in which the strand is read) are eight times as frequent as
    others, and most read the base before once more (dephasing).
    """
    n = len(codes)
    rate = np.zeros((2, n), dtype=np.float32)
    wrong = np.zeros((2, n), dtype=np.uint8)
    for strand in range(2):
        machine = (
            codes if strand == 0 else np.where(codes < UNKNOWN_BASE, T - codes, UNKNOWN_BASE)[::-1]
        )
        before = np.concatenate([[UNKNOWN_BASE], machine[:-1]])
        before2 = np.concatenate([[UNKNOWN_BASE, UNKNOWN_BASE], machine[:-2]])
        weight = np.where((before == G) & (before2 == G), 8.0, 1.0) * (machine < UNKNOWN_BASE)
        count = int(rng.poisson(library.systematic_per_kb * n / 2000))
        spots = rng.choice(n, size=count, p=weight / weight.sum())
        random_base = (machine[spots] + rng.integers(1, N_BASES, size=count)) % N_BASES
        last = before[spots]
        again = (last < UNKNOWN_BASE) & (last != machine[spots]) & (rng.random(count) < 0.6)
        base = np.where(again, before[spots], random_base)
        share = 0.05 + 0.55 * rng.beta(0.8, 2.5, size=count)
        here = spots if strand == 0 else n - 1 - spots
        rate[strand, here], wrong[strand, here] = share, base
        # One in seven shows on the other strand too, more weakly.
        both = rng.random(count) < 0.15
        rate[1 - strand, here[both]] = np.minimum(share[both] * 0.5, 0.2)
        wrong[1 - strand, here[both]] = 3 - base[both]
    return rate, wrong
