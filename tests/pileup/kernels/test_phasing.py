"""The kernels that phase reads equal their slow twins on random windows."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from pileup.arrays import HetArrays, PhasingRules
from pileup.kernels.phasing.hets import is_near_repeat
from pileup.kernels.phasing.tags import tag_reads, tally_haplotypes
from pileup.twins import hets, tags
from pileup.twins.alignment import Stretch, unpack_reads, unpack_sites
from pileup.twins.draw import asked_alleles
from tests.pileup.windows import (
    Window,
    counts,
    random_window,
    repeatable,
    seeds,
    twin_observations,
    twin_scan,
)
from varcall.evidence.haplotypes import RULES, find_het_snvs

EAGER = PhasingRules(
    min_fragments=1, min_percent=10, max_other_percent=40, min_mapq=5, min_base_quality=9
)
MIDDLE = PhasingRules(
    min_fragments=2, min_percent=20, max_other_percent=30, min_mapq=30, min_base_quality=11
)


def arrays_of(window: Window, rules: PhasingRules) -> HetArrays:
    start, end = window.stretch.start, window.stretch.end
    return find_het_snvs(window.reads, window.scan, start, end, rules)


def twins_of(window: Window, rules: PhasingRules) -> list[hets.Het]:
    return hets.find_hets(
        unpack_reads(window.reads),
        twin_scan(window),
        window.stretch,
        window.stretch.start,
        window.stretch.end,
        rules,
    )


@pytest.mark.parametrize("rules", [EAGER, MIDDLE, RULES], ids=["eager", "middle", "real"])
@given(seeds, counts)
@repeatable
def test_hets(rules: PhasingRules, seed: int, count: int) -> None:
    window = random_window(seed, count)
    found, slow = arrays_of(window, rules), twins_of(window, rules)
    assert found.position.tolist() == [het.position for het in slow]
    for index, het in enumerate(slow):
        votes = slice(found.offset[index], found.offset[index + 1])
        pairs = zip(found.fragment[votes].tolist(), found.allele[votes].tolist(), strict=True)
        assert sorted(pairs) == sorted(het.votes.items())


@given(seeds, counts)
@repeatable
def test_tags(seed: int, count: int) -> None:
    window = random_window(seed, count)
    reach = 20 + seed % 200
    shown, questions = window.observations, window.questions
    slow_hets = twins_of(window, EAGER)
    tag_reads(window.reads, window.sites, arrays_of(window, EAGER), reach, shown)
    reads, sites = unpack_reads(window.reads), unpack_sites(window.sites)
    tagged = []
    for number, observations in enumerate(twin_observations(window)):
        slow = tags.tag(sites[number], observations, reads, slow_hets, reach)
        assert shown.haplotype[shown.offset[number] : shown.offset[number + 1]].tolist() == slow
        pairs = zip(observations, slow, strict=True)
        tagged.append([replace(one, haplotype=haplotype) for one, haplotype in pairs])
    tally = np.zeros((len(questions.site), 2, 2))
    tally_haplotypes(questions, shown, tally)
    for row, site, mask in zip(tally, questions.site, questions.alleles, strict=True):
        expected = tags.tally(tagged[site], asked_alleles(int(mask)))
        assert row.tolist() == [list(map(float, of)) for of in expected]


def test_random_windows_phase_something() -> None:
    """What the tests above compare is not always nothing."""
    seen: Counter[int] = Counter()
    for seed in range(12):
        window = random_window(seed, 60)
        tag_reads(window.reads, window.sites, arrays_of(window, EAGER), 100, window.observations)
        seen.update(window.observations.haplotype.tolist())
    assert min(seen[0], seen[1], seen[2]) > 100


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ("ACGTCAGTCATG?CATGCTAGACTG", False),
        ("ACGTCAGAAAAA?CATGCTAGACTG", True),
        ("ACGTCAGCAAAA?CATGCTAGACTG", False),
        ("ACGTCAGTCATG?TGTGTGTGACTG", True),
        ("ACGTCAGTCATG?TGTGTGACTGAC", False),
        ("CAGCAGCAGCAG?CATGCTAGACTG", True),
    ],
)
def test_repeats_beside_a_position(around: str, expected: bool) -> None:
    codes = np.array(["ACGT".index(base) for base in around.replace("?", "C")], np.uint8)
    column = around.index("?")
    assert is_near_repeat(codes, column) == expected
    assert hets.is_near_repeat(column, Stretch(0, tuple(codes.tolist()))) == expected
