"""Sequencing: fragments drawn from molecules by the library's habits, then read with noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pileup.codes import N_BASES, UNKNOWN_BASE, C, G, T
from varcall.formats.simulated_origin import (
    ADAPTER,
    CHIMERA,
    CONTAMINANT_MOLECULE,
    DUPLICATE,
    FIRST_HIDDEN_COPY,
)
from varcall.simulate.genome import Molecule
from varcall.simulate.kernels import (
    ADAPTERS,
    MAX_FRAGMENT,
    FragmentTable,
    MoleculeTable,
    NoiseTable,
    sequence_fragments,
)
from varcall.simulate.library import Library, stated_qualities
from varcall.simulate.noise import CYCLE_BINS, load_profile
from varcall.simulate.repeats import find_tracts

#: Fragments sequenced at once, to bound memory (2 x 250 x 6 bytes each).
BATCH = 50_000
MIN_FRAGMENT = 40


@dataclass(frozen=True, slots=True)
class ReadPairs:
    """Sequenced pairs; rows 2i and 2i + 1 are the mates of fragment i, in machine order.

    Attributes
    ----------
    bases, qualities
        uint8 [2n, longest]; codes (UNKNOWN_BASE = N) and Phred qualities.
    position
        int32 [2n, longest]: 0-based in the stretch, -1 where the reference has no base.
    length
        int64 [2n].
    reverse
        bool [2n]: whether the row was read from the reverse strand of its molecule.
    duplicate
        bool [n]: whether the pair is a copy that the duplicate marker would flag.
    origin
        int64 [n]: the molecule, as the tag ``mo`` names it.
    artefacts
        uint8 [2n]: bits of the tag ``ak``.
    """

    bases: np.ndarray
    qualities: np.ndarray
    position: np.ndarray
    length: np.ndarray
    reverse: np.ndarray
    duplicate: np.ndarray
    origin: np.ndarray
    artefacts: np.ndarray

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
        if self.origin[row // 2] >= FIRST_HIDDEN_COPY:
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
        self._coverage = _coverage(reference_codes, library, rng)
        self._origins = [m.origin for m in molecules]
        self._shares = [self._molecule_share(m) for m in molecules]

    def _molecule_share(self, molecule: Molecule) -> float:
        """Expected fragments of a molecule."""
        cut = 1.0 - 0.4 * self._library.trimmed_share
        per_base = self._library.depth / (2 * 2 * self._library.read_length * cut)
        amount = per_base * len(molecule.bases) * molecule.copies
        if molecule.origin < CONTAMINANT_MOLECULE:
            return amount * (1.0 - self._library.contamination)
        if molecule.origin == CONTAMINANT_MOLECULE:
            return amount * self._library.contamination
        return amount

    def batches(self) -> Iterator[ReadPairs]:
        """All read pairs, in batches."""
        starts = [self._draw_starts(i, share) for i, share in enumerate(self._shares)]
        start = np.concatenate([s for s, _ in starts])
        end = np.concatenate([e for _, e in starts])
        origin = np.repeat(self._origins, [len(s) for s, _ in starts])
        order = self._rng.permutation(len(start))
        fragments = self._fragments(start[order], end[order], origin[order])
        for at in range(0, len(fragments.start), BATCH):
            yield self._sequence(FragmentTable(*(column[at : at + BATCH] for column in fragments)))

    def _draw_starts(self, index: int, expected: float) -> tuple[np.ndarray, np.ndarray]:
        """Fragment starts on a molecule by local coverage, and the molecule's end for each."""
        low, high = int(self._offsets[index]), int(self._offsets[index + 1])
        position = self._table.position[low:high]
        weight = self._coverage[np.maximum.accumulate(np.maximum(position, 0))]
        balance = _field(len(weight), 600.0, self._library.balance_sd, self._rng, dips=0.015)
        weight = weight * balance
        count = int(self._rng.poisson(expected * weight.mean() / self._coverage.mean()))
        cumulative = np.cumsum(weight)
        picked = np.searchsorted(cumulative, self._rng.random(count) * cumulative[-1])
        return picked.astype(np.int64) + low, np.full(count, high, dtype=np.int64)

    def _fragments(self, start: np.ndarray, end: np.ndarray, origin: np.ndarray) -> FragmentTable:
        """Fragments with lengths, strands, duplicates and chimeras."""
        rng, library = self._rng, self._library
        n = len(start)
        length = rng.normal(library.insert_mean, library.insert_sd, size=n)
        tail = rng.random(n) < 0.04
        length[tail] *= rng.uniform(0.4, 1.9, size=int(tail.sum()))
        length = np.minimum(length.clip(MIN_FRAGMENT, MAX_FRAGMENT).astype(np.int64), end - start)
        keep = np.flatnonzero(length >= MIN_FRAGMENT)
        copies = [
            rng.choice(keep, size=rng.binomial(len(keep), rate)) if len(keep) else keep
            for rate in (library.unmarked_rate, library.duplicate_rate)
        ]
        chosen = np.concatenate([keep, *copies])
        index = np.arange(len(chosen))
        reverse, seed = rng.random(n) < 0.5, rng.integers(0, 2**63, size=n).astype(np.uint64)
        chimeric = rng.random(n) < library.chimera_rate
        joint = np.where(chimeric, (length * rng.uniform(0.1, 0.9, size=n)).astype(np.int64), -1)
        classes = self._read_classes(len(chosen))
        limit = max(len(self._table.bases) - MAX_FRAGMENT, 1)
        return FragmentTable(
            start[chosen], length[chosen], end[chosen], reverse[chosen], seed[chosen],
            joint[chosen], rng.integers(0, limit, size=n)[chosen], origin[chosen],
            index >= len(keep), index >= len(keep) + len(copies[0]),
            classes, self._read_lengths(len(chosen)),
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

    def _sequence(self, fragments: FragmentTable) -> ReadPairs:
        shape = (2 * len(fragments.start), self._library.read_length)
        bases = np.full(shape, UNKNOWN_BASE, dtype=np.uint8)
        qualities = np.full(shape, 2, dtype=np.uint8)
        position = np.full(shape, -1, dtype=np.int32)
        insert_end = np.zeros(len(bases), dtype=np.int64)
        seed = int(self._rng.integers(0, 2**31))
        sequence_fragments(
            self._table, fragments, self._noise, ADAPTERS, seed, bases, qualities, position,
            insert_end,
        )  # fmt: skip
        reverse = np.stack([fragments.reverse, ~fragments.reverse], axis=1).ravel()
        lengths = fragments.read_length.ravel()
        inserts = np.repeat(fragments.length, 2)
        if self._library.trimmed_share > 0:
            # Runs that are trimmed at all have their adapters trimmed first.
            lengths = np.minimum(lengths, np.maximum(inserts, MIN_FRAGMENT))
        artefacts = np.repeat(
            np.where(fragments.chimera_at >= 0, CHIMERA, 0)
            | np.where(fragments.is_copy, DUPLICATE, 0),
            2,
        ) | np.where(insert_end < lengths, ADAPTER, 0)
        return ReadPairs(
            bases, qualities, position, lengths, reverse, fragments.is_flagged,
            fragments.origin, artefacts.astype(np.uint8),
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
