"""New variants for simulated genomes, rich in what a caller finds hard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from varcall.simulate.edits import Edit, Haplotype, left_align
from varcall.simulate.noise import base_codes
from varcall.simulate.repeats import Tracts, find_tracts
from varcall.simulate.spectrum import Spectrum

#: Share of new variants that both haplotypes carry (a human genome has about 40 %).
HOM_SHARE = 0.4
#: Kinds of mutation events and how often each is drawn. Far more indels than nature's 1 in 7,
#: because most errors of callers are there.
EVENTS: dict[str, float] = {
    "snv": 0.36,
    "snv_cluster": 0.06,
    "mnv": 0.05,
    "two_allele_snv": 0.03,
    "indel": 0.12,
    "repeat": 0.27,
    "snv_beside_indel": 0.08,
    "long_indel": 0.03,
}
#: Bases at both ends of the stretch, and around any N, that stay as they are.
MARGIN = 150
_TRANSITION = {"A": "G", "G": "A", "C": "T", "T": "C"}


class Mutator:
    """Adds events to two haplotypes of one stretch of reference.

    Parameters
    ----------
    reference
        Bases of the stretch.
    offset
        0-based contig coordinate of its first base.
    haplotypes
        The two haplotypes to add to.
    rng
        Source of all randomness.
    spectrum
        Lengths to draw indels from; None draws them from a plain distribution.
    """

    def __init__(
        self,
        reference: str,
        offset: int,
        haplotypes: tuple[Haplotype, Haplotype],
        rng: np.random.Generator,
        spectrum: Spectrum | None = None,
    ) -> None:
        self._reference = reference
        self._offset = offset
        self._haplotypes = haplotypes
        self._rng = rng
        self._spectrum = spectrum
        tracts = find_tracts(base_codes(reference.encode()))
        inner = (tracts.start >= MARGIN) & (tracts.end <= len(reference) - MARGIN)
        self._tracts = Tracts(tracts.start[inner], tracts.end[inner], tracts.unit[inner])
        length = self._tracts.slippage_length()
        # Long tracts mutate more in nature; the power keeps rare very long ones from taking all.
        weight = np.clip(length, 4, 25) ** 2.0
        self._tract_weight = np.cumsum(weight)
        self._makers: dict[str, Callable[[int], int]] = {
            "snv": self._snv,
            "snv_cluster": self._snv_cluster,
            "mnv": self._mnv,
            "two_allele_snv": self._two_allele_snv,
            "indel": self._indel,
            "repeat": self._repeat,
            "snv_beside_indel": self._snv_beside_indel,
            "long_indel": self._long_indel,
        }

    def mutate(self, n_variants: int) -> int:
        """Add about ``n_variants`` variant sites; returns how many were added."""
        added = 0
        names = list(EVENTS)
        shares = np.array([EVENTS[n] for n in names])
        if len(self._reference) <= 2 * MARGIN:
            return 0
        for _ in range(20 * max(n_variants, 0)):
            if added >= n_variants:
                break
            name = names[int(self._rng.choice(len(names), p=shares / shares.sum()))]
            at = int(self._rng.integers(MARGIN, len(self._reference) - MARGIN))
            if "N" not in self._reference[at - MARGIN : at + MARGIN]:
                added += self._makers[name](at)
        return added

    def event(self) -> tuple[list[Edit], list[Edit]]:
        """The edits of one event, on a pair of haplotypes of its own."""
        kept, pair = self._haplotypes, (Haplotype(), Haplotype())
        self._haplotypes = pair
        try:
            self.mutate(1)
        finally:
            self._haplotypes = kept
        return pair[0].edits(), pair[1].edits()

    def _add(self, edits: list[Edit], copies: tuple[bool, bool] | None = None) -> bool:
        """Add edits to one haplotype or both; False where they do not fit."""
        if copies is None:
            hom = self._rng.random() < HOM_SHARE
            first = self._rng.random() < 0.5
            copies = (hom or first, hom or not first)
        chosen = [h for h, yes in zip(self._haplotypes, copies, strict=True) if yes]
        if not all(h.fits(edits) for h in chosen):
            return False
        return all([h.add(edits) for h in chosen])

    def _substitution(self, at: int) -> Edit:
        base = self._reference[at]
        if self._rng.random() < 0.67:
            alt = _TRANSITION[base]
        else:
            others = [b for b in "ACGT" if b not in (base, _TRANSITION[base])]
            alt = others[int(self._rng.integers(2))]
        return Edit(at + self._offset, at + self._offset + 1, alt)

    def _gap(self, at: int, length: int) -> Edit:
        """A deletion of, or an insertion before, ``at`` (left-aligned)."""
        start = at + self._offset
        if self._rng.random() < 0.5:
            edit = Edit(start, start + length, "")
        elif self._rng.random() < 0.5:
            edit = Edit(start, start, self._reference[at : at + length])
        else:
            edit = Edit(start, start, "".join(self._rng.choice(list("ACGT"), size=length)))
        return left_align(edit, self._reference, self._offset)

    def _indel_length(self) -> int:
        if self._spectrum is not None:
            return self._spectrum.length(self._rng)
        return int(min(self._rng.geometric(0.28), 50))

    def _snv(self, at: int) -> int:
        return int(self._add([self._substitution(at)]))

    def _snv_cluster(self, at: int) -> int:
        span = int(self._rng.integers(10, 120))
        count = int(self._rng.integers(3, 8))
        spots = {at + int(d) for d in self._rng.integers(0, span, size=count)}
        edits = [self._substitution(s) for s in sorted(spots)]
        if self._rng.random() < 0.7:
            return len(edits) * self._add(edits)
        return sum(self._add([e]) for e in edits)

    def _mnv(self, at: int) -> int:
        gap = 1 if self._rng.random() < 0.7 else 2
        count = 2 if self._rng.random() < 0.7 else 3
        edits = [self._substitution(at + gap * i) for i in range(count)]
        return len(edits) * self._add(edits)

    def _two_allele_snv(self, at: int) -> int:
        alts = [b for b in "ACGT" if b != self._reference[at]]
        picked = self._rng.permutation(alts)[:2]
        start = at + self._offset
        edits = [Edit(start, start + 1, str(alt)) for alt in picked]
        pair = zip(self._haplotypes, edits, strict=True)
        if not all(h.fits([e]) for h, e in pair):
            return 0
        return int(self._add([edits[0]], (True, False)) and self._add([edits[1]], (False, True)))

    def _indel(self, at: int) -> int:
        return int(self._add([self._gap(at, self._indel_length())]))

    def _long_indel(self, at: int) -> int:
        return int(self._add([self._gap(at, int(self._rng.integers(20, 110)))]))

    def _snv_beside_indel(self, at: int) -> int:
        gap = self._gap(at, self._indel_length())
        distance = int(self._rng.integers(1, 15))
        after = gap.end - self._offset + distance - 1
        before = gap.start - self._offset - distance - 1
        spot = after if self._rng.random() < 0.5 else before
        if self._reference[spot] not in _TRANSITION:
            return 0
        snv = self._substitution(spot)
        if self._rng.random() < 0.6:
            return 2 * self._add([gap, snv])
        return int(self._add([gap])) + int(self._add([snv]))

    def _repeat(self, _: int) -> int:
        """Gain or loss of units of a tandem repeat; one time in four two different alleles."""
        if not len(self._tract_weight):
            return 0
        drawn = self._rng.random() * self._tract_weight[-1]
        tract = int(np.searchsorted(self._tract_weight, drawn, side="right"))
        if self._reference[int(self._tracts.start[tract]) - 1] not in _TRANSITION:
            return 0
        one = self._unit_change(tract)
        if self._rng.random() >= 0.25:
            return int(self._add([one]))
        two = self._unit_change(tract)
        if one == two or not (self._haplotypes[0].fits([one]) and self._haplotypes[1].fits([two])):
            return 0
        return int(self._add([one], (True, False)) and self._add([two], (False, True)))

    def _unit_change(self, tract: int) -> Edit:
        start = int(self._tracts.start[tract])
        unit = int(self._tracts.unit[tract])
        length = int(self._tracts.end[tract]) - start
        if self._spectrum is not None:
            change, is_loss = self._spectrum.units(unit, self._rng)
        else:
            change = int(min(self._rng.geometric(0.62), 12))
            is_loss = self._rng.random() < 0.5
        at = start + self._offset
        if is_loss:
            change = min(change, max(length // unit - 1, 1))
            edit = Edit(at, at + change * unit, "")
        else:
            edit = Edit(at, at, self._reference[start : start + unit] * change)
        return left_align(edit, self._reference, self._offset)
