"""A long-read run on simulated molecules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pileup.codes import N_BASES, UNKNOWN_BASE
from varcall.formats.simulated_origin import (
    ADAPTER,
    CHIMERA,
    CONTAMINANT_MOLECULE,
    FIRST_HIDDEN_COPY,
)
from varcall.simulate.genome import Molecule
from varcall.simulate.long_reads.kernels import (
    LongFragments,
    LongNoiseTable,
    MoleculeBases,
    log_normal_factors,
    read_long,
)
from varcall.simulate.long_reads.library import (
    MIN_LONG_READ,
    REVIO_BINS,
    LongLibrary,
)
from varcall.simulate.long_reads.noise import (
    LONG_READ_CLASSES,
    MAX_RUN,
    LongNoise,
    load_long_noise,
)
from varcall.simulate.noise import base_codes
from varcall.simulate.repeats import find_tracts

#: Reads overlap the simulated tile or come this near to it.
_MARGIN = 1000
#: Longest read.
_MAX_LENGTH = 150_000
#: Knots of the local coverage, in bases.
_COVERAGE_SCALE = 4000
#: Where coverage is highest it is this many times the mean.
_COVERAGE_CEILING = 1.5
#: Bases of a target that a read which was chosen for it has.
_ON_TARGET = 200
#: Adapters at the beginning and at the end of a read: of the ligation kit of ONT, of SMRTbells.
_ONT_ADAPTERS = (
    base_codes(b"CCTGTACTTCGTTCAGTTACGTATTGCT"),
    base_codes(b"AGCAATACGTAACTGAACGAAGTACAGG"),
)
_SMRTBELL = base_codes(b"ATCTCTCTCAACAACAACAACGGAGGAGGAGGAAAAGAGAGAGAT")


@dataclass(frozen=True, slots=True)
class LongRead:
    """One read in the order of the machine.

    Attributes
    ----------
    bases, qualities
        uint8 [n].
    position
        int32 [n]: 0-based in the stretch, -1 where a base is of no place there.
    reverse
        Whether it was read from the reverse strand of its molecule.
    molecule
        What the tag ``mo`` says.
    artefacts
        Bits of the tag ``ak``.
    """

    bases: np.ndarray
    qualities: np.ndarray
    position: np.ndarray
    reverse: bool
    molecule: int
    artefacts: int


class LongSequencer:
    """Sequences long reads of molecules.

    Parameters
    ----------
    molecules
        Haplotypes of the sample (the first two), of a contaminating person, hidden copies.
    size
        Bases of the stretch of reference.
    tile
        Part of the stretch that reads must come near to, 0-based half-open in it.
    library
        The run's configuration.
    rng
        Source of all randomness.
    """

    def __init__(
        self,
        molecules: Sequence[Molecule],
        size: int,
        tile: tuple[int, int],
        library: LongLibrary,
        rng: np.random.Generator,
    ) -> None:
        self._molecules = molecules
        self._library = library
        self._tile = tile
        self._rng = rng
        self._table = _molecule_bases(molecules)
        self._offsets = np.concatenate([[0], np.cumsum([len(m.bases) for m in molecules])])
        self._profile = load_long_noise(library.profile)
        self._noise = _noise_table(self._profile, library, size, rng)
        self._targets = _draw_targets(tile, library, rng) if library.target_size else None

    def reads(self) -> Iterator[LongRead]:
        """All reads."""
        pieces, origin, chimeric = self._fragments()
        room = int(pieces.length.sum() * 1.3) + 4000 * len(pieces.start) + 4000
        offset = np.zeros(len(pieces.start) + 1, np.int64)
        bases, qualities = np.empty(room, np.uint8), np.empty(room, np.uint8)
        position = np.empty(room, np.int32)
        seed = int(self._rng.integers(0, 2**31))
        count = read_long(
            self._table, pieces, self._noise, seed, offset, bases, qualities, position
        )
        bases = self._with_errors(bases[: offset[count]])
        qualities = self._stated(qualities[: offset[count]])
        first = np.flatnonzero(~pieces.follows)
        for i in range(count):
            part = slice(int(offset[i]), int(offset[i + 1]))
            if part.stop - part.start < MIN_LONG_READ:
                continue
            read = LongRead(
                bases[part], qualities[part], position[part], bool(pieces.reverse[first[i]]),
                int(origin[first[i]]), CHIMERA if chimeric[first[i]] else 0,
            )  # fmt: skip
            yield self._with_adapters(read)

    def _fragments(self) -> tuple[LongFragments, np.ndarray, np.ndarray]:
        """Pieces of molecules, what ``mo`` says of each, and which begin a chimera."""
        rng = self._rng
        drawn = [self._draw(i, m) for i, m in enumerate(self._molecules)]
        low, high = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        number = np.repeat(np.arange(len(drawn)), [len(one) for one, _ in drawn])
        order = rng.permutation(len(low))
        low, high, number = low[order], high[order], number[order]
        n = len(low)
        reverse = rng.random(n) < 0.5
        classes = rng.choice(LONG_READ_CLASSES, size=n, p=self._profile.read_share)
        sd = self._library.read_sd
        scale = np.exp(rng.normal(0.0, sd, size=n) - 0.5 * sd * sd)
        chimeric = rng.random(n) < self._library.chimera_rate
        # A chimera's second part is any other read's molecule, read in its direction.
        partner = rng.integers(0, max(n, 1), size=n)
        index = np.repeat(np.arange(n), 1 + chimeric)
        follows = np.concatenate([[False], index[1:] == index[:-1]]) if n else np.zeros(0, bool)
        source = np.where(follows, partner[index], index)
        share = rng.uniform(0.2, 0.8, size=n)[index]
        part = np.where(chimeric[index], np.where(follows, 1 - share, share), 1.0)
        length = np.maximum((high - low)[source] * part, 1).astype(np.int64)
        start = np.where(reverse[source], high[source] - 1, low[source])
        origins = np.array([m.origin for m in self._molecules])
        pieces = LongFragments(
            start=start,
            length=length,
            low=self._offsets[number[source]],
            high=self._offsets[number[source] + 1],
            reverse=reverse[source],
            follows=follows,
            read_class=classes[index].astype(np.uint8),
            scale=scale[index],
        )
        return pieces, origins[number[source]], chimeric[index]

    def _draw(self, index: int, molecule: Molecule) -> tuple[np.ndarray, np.ndarray]:
        """Starts and ends of the reads of a molecule, 0-based in the table, int64 each."""
        rng, library, size = self._rng, self._library, len(molecule.bases)
        amount = library.depth / 2 * molecule.copies
        if molecule.origin < CONTAMINANT_MOLECULE:
            side = 1 if index else -1
            amount *= (1 - library.contamination) * np.exp(side * library.balance_sd / 2)
        elif molecule.origin == CONTAMINANT_MOLECULE:
            amount *= library.contamination
        mean = float(self._lengths(4000).mean())
        amount *= _COVERAGE_CEILING
        count = int(rng.poisson(amount * (size + 2 * _MAX_LENGTH) / mean))
        length = self._lengths(count)
        start = rng.integers(-_MAX_LENGTH, size + _MAX_LENGTH, size=count)
        keep = rng.random(count) < self._local_coverage(start, size)
        low, high = np.maximum(start, 0)[keep], np.minimum(start + length, size)[keep]
        near = high - low >= MIN_LONG_READ
        if molecule.origin < FIRST_HIDDEN_COPY:
            where = np.maximum.accumulate(molecule.position)
            first, last = np.searchsorted(where, self._tile).tolist()
            near &= (high > first - _MARGIN) & (low < last + _MARGIN)
            if self._targets is not None:
                near &= self._is_chosen(low, high, np.searchsorted(where, self._targets))
        return low[near] + self._offsets[index], high[near] + self._offsets[index]

    def _is_chosen(self, low: np.ndarray, high: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Tell which reads are there: those on targets, int64 [t, 2], and a few of the others."""
        is_chosen = self._rng.random(len(low)) < self._library.off_target
        for first, last in targets.tolist():
            is_chosen |= np.minimum(high, last) - np.maximum(low, first) >= _ON_TARGET
        return is_chosen

    def _local_coverage(self, start: np.ndarray, size: int) -> np.ndarray:
        """Share of reads kept at each start: log-normal about 1 / ``_COVERAGE_CEILING``."""
        sd = self._library.coverage_sd
        knots = self._rng.normal(0.0, sd, size=(size + 2 * _MAX_LENGTH) // _COVERAGE_SCALE + 2)
        level = np.exp(
            np.interp((start + _MAX_LENGTH) / _COVERAGE_SCALE, np.arange(len(knots)), knots)
        )
        return np.asarray(level / np.exp(knots).mean() / _COVERAGE_CEILING)

    def _lengths(self, n: int) -> np.ndarray:
        """Lengths of reads, int64 [n]."""
        rng, library = self._rng, self._library
        if library.platform == "hifi":
            length = rng.normal(library.length, library.length_spread, size=n)
            tail = rng.random(n) < 0.05
            length[tail] *= rng.uniform(0.3, 1.0, size=int(tail.sum()))
            longest = 2.0 * library.length
        else:
            # The N50 of log-normal lengths is exp(mu + sigma^2).
            spread = library.length_spread
            length = rng.lognormal(np.log(library.length) - spread**2, spread, size=n)
            short = rng.random(n) < library.short_share
            length[short] = rng.lognormal(np.log(700), 0.8, size=int(short.sum()))
            longest = _MAX_LENGTH
        return length.clip(MIN_LONG_READ, min(longest, _MAX_LENGTH)).astype(np.int64)

    def _with_errors(self, bases: np.ndarray) -> np.ndarray:
        """Return bases, uint8 [n], some of them wrong without a sign of it in their quality."""
        floor = self._library.error_floor
        if not floor:
            return bases
        wrong = np.flatnonzero(self._rng.random(len(bases)) < floor)
        wrong = wrong[bases[wrong] < UNKNOWN_BASE]
        bases[wrong] = (bases[wrong] + self._rng.integers(1, N_BASES, size=len(wrong))) % N_BASES
        return bases

    def _stated(self, qualities: np.ndarray) -> np.ndarray:
        library = self._library
        if library.quality_scheme == "revio":
            bounds, values = REVIO_BINS
            qualities = np.array(values, np.uint8)[np.searchsorted(bounds, qualities)]
        if library.quality_shift:
            shifted = qualities.astype(np.int16) + library.quality_shift
            qualities = shifted.clip(1, 93).astype(np.uint8)
        return qualities

    def _with_adapters(self, read: LongRead) -> LongRead:
        """Put what is left of an adapter before or behind a read; most reads stay as they are."""
        rng, library = self._rng, self._library
        keeps = rng.random(2) < library.adapter_rate * np.array([1.0, 0.6])
        if not keeps.any():
            return read
        parts = [(read.bases, read.qualities, read.position)]
        for side in np.flatnonzero(keeps):
            codes = self._adapter(int(side))
            low, high = (15, 40) if library.platform == "hifi" else (3, 16)
            quality = rng.integers(low, high, size=len(codes)).astype(np.uint8)
            piece = (codes, self._stated(quality), np.full(len(codes), -1, np.int32))
            parts = [piece, *parts] if side == 0 else [*parts, piece]
        bases, qualities, position = (np.concatenate(p) for p in zip(*parts, strict=True))
        return LongRead(
            bases, qualities, position, read.reverse, read.molecule, read.artefacts | ADAPTER
        )

    def _adapter(self, side: int) -> np.ndarray:
        """Bases of an adapter's remnant, some of them wrong, and what precedes it."""
        rng = self._rng
        if self._library.platform == "hifi":
            whole = _SMRTBELL
            size = int(rng.integers(6, len(whole) + 1))
            codes = whole[-size:] if side == 0 else whole[:size]
        else:
            codes = _ONT_ADAPTERS[side]
            # What the pore read before the adapter means nothing.
            noise = rng.integers(0, 4, size=int(rng.integers(0, 12))).astype(np.uint8)
            codes = np.concatenate([noise, codes] if side == 0 else [codes, noise])
        wrong = rng.random(len(codes)) < (0.01 if self._library.platform == "hifi" else 0.12)
        other = (codes + rng.integers(1, 4, size=len(codes))) % 4
        return np.where(wrong, other, codes).astype(np.uint8)


def _draw_targets(
    tile: tuple[int, int], library: LongLibrary, rng: np.random.Generator
) -> np.ndarray:
    """Targets of a library in its tile, int64 [t, 2], 0-based half-open; some may overlap."""
    start, end = tile
    count = max(1, round(library.covered_share * (end - start) / library.target_size))
    size = library.target_size * np.exp(rng.normal(0.0, 0.4, size=count))
    size = size.clip(_ON_TARGET, end - start).astype(np.int64)
    first = start + (rng.random(count) * (end - start - size)).astype(np.int64)
    return np.stack([first, first + size], axis=1)


def _molecule_bases(molecules: Sequence[Molecule]) -> MoleculeBases:
    starts, ends, units, marks, places = [], [], [], [], []
    offset = count = 0
    for molecule in molecules:
        tracts = find_tracts(molecule.bases)
        chosen = np.flatnonzero(tracts.unit > 1)
        mark = np.full(len(molecule.bases), -1, np.int32)
        for i, tract in enumerate(chosen.tolist()):
            mark[tracts.start[tract] : tracts.end[tract]] = count + i
        starts.append(tracts.start[chosen] + offset)
        ends.append(tracts.end[chosen] + offset)
        units.append(tracts.unit[chosen])
        marks.append(mark)
        # Bases of a hidden copy have no place on the reference.
        hidden = molecule.origin >= FIRST_HIDDEN_COPY
        places.append(np.full_like(molecule.position, -1) if hidden else molecule.position)
        offset += len(molecule.bases)
        count += len(chosen)
    return MoleculeBases(
        np.concatenate([m.bases for m in molecules]),
        np.concatenate(places),
        np.concatenate(marks),
        np.concatenate(starts),
        np.concatenate(ends),
        np.concatenate(units),
    )


def _noise_table(
    profile: LongNoise, library: LongLibrary, size: int, rng: np.random.Generator
) -> LongNoiseTable:
    growth = (np.maximum(np.arange(MAX_RUN + 1), 4) / 4.0) ** library.run_growth
    site_mismatch, site_indel = (np.empty((2, size), np.float32) for _ in range(2))
    for factors, sd in (
        (site_mismatch, library.site_mismatch_sd),
        (site_indel, library.site_indel_sd),
    ):
        for strand in range(2):
            log_normal_factors(np.uint64(rng.integers(0, 2**63)), sd, factors[strand])
    likely = rng.integers(0, 4, size=(2, size)).astype(np.uint8)
    # Where errors are common they repeat one base; elsewhere the platform's habits rule.
    likely[site_mismatch < 4.0] = UNKNOWN_BASE
    noise = profile._replace(
        mismatch=profile.mismatch * library.mismatch_scale,
        run_change=profile.run_change * library.indel_scale * growth,
        unit_change=profile.unit_change * library.indel_scale,
        insertion=profile.insertion * library.indel_scale,
        deletion=profile.deletion * library.indel_scale,
    )
    return LongNoiseTable(noise, site_mismatch, site_indel, likely)
