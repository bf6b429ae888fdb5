"""Overlapping sites where few fragments tell them all: the sites' own calls, and what beats them.

The places are of simulated reads of HG001's chromosome 20, at 15x where nothing else is said: what
the model answered there, and what the fragments show. The genotypes are those of its truth set.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pytest

from pileup.arrays import ReadArrays, ShownArrays, SiteArrays
from pileup.codes import INDEL, NOT_SPANNING, OTHER, SUBSTITUTION, UNINFORMATIVE
from varcall.evidence.observations import pose_questions
from varcall.evidence.window import Evidence
from varcall.genotyping.genotype import SiteEvidence, call_genotypes
from varcall.genotyping.overlaps import CalledSite, genotype_overlaps

NONE, ELSE = UNINFORMATIVE, OTHER

Fragments = Mapping[tuple[int, ...], int]


class Site(NamedTuple):
    """A called site: its bases, bases deleted by each ALT, and the model's answers."""

    start: int
    repeat_end: int
    deleted: Sequence[int]
    answers: Sequence[Sequence[float]]
    kind: int = INDEL


def indel(start: int, repeat_end: int, deleted: int, *answer: float) -> Site:
    return Site(start, repeat_end, [deleted], [answer])


def snv(start: int, *answer: float) -> Site:
    return Site(start, start + 1, [1], [answer], SUBSTITUTION)


def evidence_of(sites: Sequence[Site], fragments: Fragments) -> Evidence:
    """Give every fragment a read of its own, with an observation at each site."""
    shown = [signature for signature, count in fragments.items() for _ in range(count)]
    reads, columns = len(shown), len(sites)
    n_alts = [len(site.deleted) for site in sites]
    arrays = SiteArrays(
        start=np.array([site.start for site in sites]),
        kind=np.array([site.kind for site in sites], np.uint8),
        ref_length=np.array([1 + max(site.deleted) for site in sites], np.int32),
        repeat_end=np.array([site.repeat_end for site in sites]),
        alt_offset=np.append(0, np.cumsum(n_alts)),
        alt_deleted=np.array([one for site in sites for one in site.deleted], np.int32),
        alt_inserted=np.zeros(sum(n_alts), np.int32),
        alt_count=np.zeros(sum(n_alts), np.int32),
        alt_hash=np.zeros(sum(n_alts), np.uint64),
        alt_base_offset=np.zeros(sum(n_alts) + 1, np.int64),
        alt_bases=np.zeros(0, np.uint8),
        is_shown=np.ones(columns, np.bool_),
    )
    observations = ShownArrays(
        offset=reads * np.arange(columns + 1),
        read=np.tile(np.arange(reads, dtype=np.int32), columns),
        allele=np.array(shown, np.int8).T.ravel(),
        quality=np.full(reads * columns, 37, np.uint8),
        delta=np.full(reads * columns, NOT_SPANNING, np.int16),
        counts=np.ones(reads * columns, np.bool_),
        haplotype=np.zeros(reads * columns, np.uint8),
    )
    nothing = {name: np.zeros(0) for name in ReadArrays._fields}
    numbers = {"fragment": np.arange(reads), "flag": np.zeros(reads, np.uint16)}
    return Evidence(
        ReadArrays(**nothing | numbers), None, arrays, observations, pose_questions(arrays)
    )


def genotyped(
    sites: Sequence[Site], fragments: Fragments, ploidy: int = 2
) -> list[tuple[int, ...]]:
    """Return the genotype of each site beside the others; `*` is the number behind its ALTs."""
    called = []
    for number, site in enumerate(sites):
        answers = np.array(site.answers)
        (call,) = call_genotypes(answers[None], len(site.deleted), ploidy=ploidy)
        assert any(call.alleles), "no called site"
        called.append(CalledSite(number, call, answers))
    joint = genotype_overlaps(evidence_of(sites, fragments), called)
    genotypes = []
    for number, (site, one) in enumerate(zip(sites, called, strict=True)):
        call = one.call
        if number in joint:
            none = (0,) * (len(site.deleted) + 1)
            alts = ("A",) * len(site.deleted)
            shows = SiteEvidence("20", site.start, "C", alts, 0, none, none, none)
            _, call = joint[number].applied(shows, call, depth_factor=1.0)
        genotypes.append(call.alleles)
    return genotypes


PLACES: dict[str, tuple[Sequence[Site], Fragments, list[tuple[int, ...]]]] = {
    # 20:51350326: two fragments tell the insertion, of which one reaches the last site: one
    # haplotype was the only candidate, the insertion was called 0/0 and the others 1/1.
    "one_haplotype_is_shown_by_no_two_fragments": (
        [
            indel(325, 347, 0, 0.012, 0.938, 0.051),
            indel(345, 366, 2, 0.001, 0.997, 0.002),
            snv(349, 0.001, 0.997, 0.002),
            snv(351, 0.001, 0.998, 0.001),
        ],
        {
            (ELSE, 1, 1, 1): 5,
            (NONE, 0, 0, 0): 2,
            (1, NONE, 0, 0): 1,
            (1, 0, 0, 0): 1,
            (NONE, NONE, NONE, NONE): 7,
        },
        [(0, 1), (0, 1), (0, 1), (0, 1)],
    ),
    # 20:52333741: the insertion was called 0/0 for two reads that end in the repeat.
    "other_calls_are_a_little_likelier": (
        [
            indel(740, 781, 0, 0.017, 0.970, 0.013),
            indel(755, 757, 0, 0.001, 0.998, 0.001),
            indel(766, 776, 0, 0.017, 0.982, 0.001),
        ],
        {
            (ELSE, 1, 1): 3,
            (ELSE, 1, NONE): 2,
            (1, 0, ELSE): 2,
            (ELSE, 0, 0): 2,
            (NONE, 0, 0): 2,
            (NONE, NONE, 0): 1,
            (NONE, 0, NONE): 1,
        },
        [(0, 1), (0, 1), (0, 1)],
    ),
    # 20:52180810: reads of the longer allele reach beyond the repeat less often.
    "a_site_alone": (
        [Site(809, 851, [4, 0], [(0.359, 0.641, 0), (0.002, 0.67, 0.328), (0, 0.002, 0.998)])],
        {(2,): 13, (1,): 2, (NONE,): 9},
        [(1, 2)],
    ),
    # The same with a ratio that no two haplotypes would give often.
    "a_site_alone_whatever_the_counts": (
        [Site(809, 851, [4, 0], [(0.359, 0.641, 0), (0.002, 0.67, 0.328), (0, 0.002, 0.998)])],
        {(2,): 40, (1,): 2},
        [(1, 2)],
    ),
    # 20:52519077: the deletion takes the first base of the other site, which cannot be 1/1.
    "calls_that_two_haplotypes_cannot_have": (
        [indel(76, 108, 16, 0.001, 0.998, 0.001), indel(92, 120, 0, 0.001, 0.145, 0.854)],
        {(ELSE, 1): 9, (1, ELSE): 7, (0, NONE): 2, (NONE, NONE): 8},
        [(0, 1), (1, 2)],
    ),
    # Made of it: the haplotype with the deletion is shown by one fragment whole.
    "such_calls_with_few_fragments": (
        [indel(76, 108, 16, 0.001, 0.998, 0.001), indel(92, 120, 0, 0.001, 0.145, 0.854)],
        {(ELSE, 1): 13, (1, ELSE): 1, (NONE, ELSE): 3},
        [(0, 1), (1, 2)],
    ),
    # Two reads whose last bases are too few to show the insertion; each haplotype is shown once.
    "only_a_wrong_haplotype_is_shown_twice": (
        [indel(100, 130, 0, 0.001, 0.049, 0.95), snv(130, 0.001, 0.998, 0.001)],
        {(0, 1): 2, (1, 1): 1, (1, 0): 1, (1, NONE): 6, (NONE, 1): 3, (NONE, 0): 4},
        [(1, 1), (0, 1)],
    ),
    # Two insertions side by side on different haplotypes: a haplotype with both is shown by none.
    "calls_that_the_fragments_disprove": (
        [indel(100, 120, 0, 0.001, 0.2, 0.799), indel(110, 130, 0, 0.001, 0.998, 0.001)],
        {(ELSE, 1): 8, (1, ELSE): 8},
        [(0, 1), (0, 1)],
    ),
    # ONT reads, 20:51013889: three that slipped in the repeat have its last bases, and the SNV
    # behind it, aligned otherwise: the SNV was called 1/0, on the other haplotype than they.
    "a_base_that_slipped_reads_displace": (
        [
            Site(
                888, 913, [0, 0], [(0.087, 0.08, 0.833), (0.887, 0.07, 0.043), (0.013, 0.01, 0.977)]
            ),
            snv(913, 0, 0.001, 0.999),
        ],
        {
            (1, 1): 10,
            (2, ELSE): 3,
            (ELSE, 1): 3,
            (2, 1): 1,
            (0, 1): 2,
            (1, ELSE): 1,
            (ELSE, ELSE): 1,
        },
        [(1, 1), (1, 1)],
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_genotypes_of_each_place(place: str) -> None:
    sites, fragments, truth = PLACES[place]
    assert genotyped(sites, fragments) == truth


def test_a_haploid_sample_needs_no_fragment_that_tells_all() -> None:
    """Two reads that tell both sites show REF at one of them; eight that tell one do not."""
    sites = [indel(100, 120, 0, 0.001, 0.001, 0.998), indel(110, 130, 0, 0.001, 0.001, 0.998)]
    fragments = {(1, NONE): 4, (NONE, 1): 4, (1, 0): 2}
    assert genotyped(sites, fragments, ploidy=1) == [(1,), (1,)]
