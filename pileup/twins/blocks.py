"""Twin of kernels.phasing.blocks: heterozygous sites phased by the fragments over them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pileup.kernels.phasing.blocks import AGAINST, LEAST_MARGIN, MOST_OF_A_FRAGMENT

Votes = dict[int, dict[int, int]]
"""By fragment and site: phred, positive for the site's first allele, negative for the second."""


def number_fragments(votes: Sequence[tuple[int, int, int]]) -> list[int]:
    """Return the fragment of each vote (name, start, reach), sorted by name and start."""
    numbers: list[int] = []
    for index, (name, start, _) in enumerate(votes):
        own = [vote for vote, number in zip(votes, numbers, strict=False) if number == numbers[-1]]
        is_next = bool(own) and own[0][0] == name and start <= max(reach for _, _, reach in own)
        numbers.append(numbers[-1] if is_next else (numbers[-1] + 1 if index else 0))
    return numbers


def find_components(votes: Votes, n_sites: int) -> list[int]:
    """Return for each site the first one that fragments link it to."""
    linked = [{site} for site in range(n_sites)]
    for sites in votes.values():
        together = set().union(*(linked[site] for site in sites))
        for site in together:
            linked[site] = together
    return [min(together) for together in linked]


def agreement(one: int, other: int, most: int | None = None) -> int:
    """Return how surely two sums of votes of a fragment speak for the same, negative: against."""
    sure = min(abs(one), abs(other), *([] if most is None else [most]))
    return sure if one * other > 0 else -sure


def is_sure(said: Sequence[int]) -> bool:
    """Return whether what is said for something outweighs what is said against it."""
    against = -sum(one for one in said if one < 0)
    return sum(said) >= LEAST_MARGIN and AGAINST * against <= sum(map(abs, said))


@dataclass(slots=True)
class Component:
    """Sites that fragments link, by position, and their votes."""

    sites: list[int]
    votes: Votes
    side: dict[int, int] = field(default_factory=dict)

    def balance(self, fragment: int, sites: Sequence[int]) -> int:
        """Return the sum of a fragment's votes at some sites, each turned by the site's side."""
        votes = self.votes[fragment]
        return sum(self.side[site] * votes[site] for site in sites if site in votes)

    def over(self, site: int) -> list[int]:
        """Return the fragments that vote at a site."""
        return [fragment for fragment, votes in self.votes.items() if site in votes]

    def lay_out(self) -> None:
        """Give each site the side that the sites before it speak for."""
        for index, site in enumerate(self.sites):
            before = self.sites[:index]
            lead = sum(
                agreement(self.balance(fragment, before), self.votes[fragment][site])
                for fragment in self.over(site)
            )
            self.side[site] = 1 if lead >= 0 else -1

    def score(self) -> int:
        """Return how well haplotypes explain the fragments."""
        return sum(abs(self.balance(fragment, self.sites)) for fragment in self.votes)

    def turn(self, sites: Sequence[int]) -> None:
        """Turn sites to the other side."""
        for site in sites:
            self.side[site] = -self.side[site]

    def turn_sites(self) -> bool:
        """Turn single sites, one after another, where the score grows."""
        turned = False
        for site in self.sites:
            before = self.score()
            self.turn([site])
            if self.score() > before:
                turned = True
            else:
                self.turn([site])
        return turned

    def said_of_place(self, index: int, most: int | None = None) -> list[int]:
        """Return what fragments say of the place before the site of an index."""
        left, right = self.sites[:index], self.sites[index:]
        return [
            agreement(self.balance(fragment, left), self.balance(fragment, right), most)
            for fragment in self.votes
        ]

    def turn_rest(self) -> bool:
        """Turn the sites from the worst place on, where the score grows."""
        margins = {index: sum(self.said_of_place(index)) for index in range(1, len(self.sites))}
        worst = min(margins, key=lambda index: margins[index], default=0)
        if not worst or margins[worst] >= 0:
            return False
        self.turn(self.sites[worst:])
        return True

    def improve(self) -> None:
        """Turn sites until the score does not grow."""
        while any([self.turn_sites(), self.turn_rest()]):
            pass

    def doubtful(self) -> set[int]:
        """Return the sites that the others' fragments do not clearly speak for."""
        said = {
            site: [
                agreement(
                    self.balance(fragment, [site]),
                    self.balance(fragment, self.sites) - self.balance(fragment, [site]),
                    MOST_OF_A_FRAGMENT,
                )
                for fragment in self.over(site)
            ]
            for site in self.sites
        }
        return {site for site in self.sites if not is_sure(said[site])}

    def phase(self) -> dict[int, tuple[int, int]]:
        """Return side and block of each site; of one that is left out the block is -1."""
        self.lay_out()
        self.improve()
        out = self.doubtful()
        if out:
            for votes in self.votes.values():
                votes |= dict.fromkeys(out & votes.keys(), 0)
            self.improve()
        blocks = dict.fromkeys(self.sites, -1)
        start = -1
        for index, site in enumerate(self.sites):
            if site in out:
                continue
            if start >= 0 and is_sure(self.said_of_place(index, MOST_OF_A_FRAGMENT)):
                blocks[start] = blocks[site] = start
            else:
                start = site
        return {site: (self.side[site], blocks[site]) for site in self.sites}


def phase_units(votes: Votes, n_sites: int) -> list[tuple[int, int]]:
    """Return side and block (-1: none) of each of n sites."""
    label = find_components(votes, n_sites)
    phased: dict[int, tuple[int, int]] = {}
    for first in sorted({*label}):
        sites = [site for site in range(n_sites) if label[site] == first]
        own = {
            fragment: dict(shown)
            for fragment, shown in votes.items()
            if shown.keys() & {*sites} and len(shown) > 1
        }
        phased |= Component(sites, own).phase()
    return [phased[site] for site in range(n_sites)]
