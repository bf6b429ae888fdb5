"""The haplotype search: what it chooses spells equal haplotypes, and nothing better is left."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.varcall.scoring.conftest import random_sequence
from varcall.scoring.vcf_records import Record, parse_genotype
from varcall.scoring.vcfeval.matching import (
    BestPath,
    JudgedRecord,
    MatchOptions,
    Verdict,
    best_path,
    encode,
    match_contig,
    refined_order,
)
from varcall.scoring.vcfeval.variants import Variant, orientations, sample_shape

REPEATS = "ACAAAAAAAATCGCACACACACGTTTTTTGA"


def record(start: int, ref: str, alt: str, genotype: str) -> Record:
    alts = tuple(alt.split(","))
    fields = ("c", str(start + 1), ".", ref, alt, ".", "PASS", ".", "GT", genotype)
    return Record(start, ref, alts, parse_genotype(genotype), fields)


def variant(item: Record, index: int) -> Variant | None:
    """The diploid variant of a record."""
    shape = sample_shape(item.ref, item.alts, item.genotype, 2)
    return None if shape is None else Variant(index, item.start, shape)


def verdicts(
    sequence: str, truth: list[Record], query: list[Record], options: MatchOptions | None = None
) -> tuple[list[str], list[str]]:
    """Verdicts of both sides, in the order of the records."""
    sides = []
    for records in (truth, query):
        items = [JudgedRecord(item) for item in refined_order(records)]
        for i, item in enumerate(items):
            item.variant = variant(item.record, i)
        sides.append(items)
    match = match_contig("c", sequence, *sides, options or MatchOptions())
    return [i.verdict.name for i in match.truth], [i.verdict.name for i in match.query]


@st.composite
def records(draw: st.DrawFn, sequence: str, most: int = 3) -> list[Record]:
    """A few small variants of a sequence, sorted; they may overlap."""
    found = []
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(sequence) - 5))
        ref = sequence[start : start + draw(st.integers(1, 3))]
        alt = draw(st.text("ACGT", min_size=1, max_size=3))
        if alt == ref:
            alt = ref + "A"
        if ref[0] == alt[0] and ref[1:] == alt[1:]:
            continue
        found.append(record(start, ref, alt, draw(st.sampled_from(["0/1", "1/1", "./1"]))))
    return sorted(found, key=lambda item: item.start)


def variants_of(items: list[Record]) -> list[Variant]:
    found = [variant(item, i) for i, item in enumerate(refined_order(items))]
    return [item for item in found if item is not None]


def haplotype(sequence: str, alleles: list[tuple[int, int, str]]) -> str | None:
    """The sequence with alleles put in; None when two overlap."""
    pieces, end = [], 0
    for start, stop, bases in sorted(alleles, key=lambda item: (item[0], item[1])):
        if start < end:
            return None
        pieces += [sequence[end:start], bases]
        end = stop
    return "".join(pieces) + sequence[end:]


def spelled(
    sequence: str, variants: list[Variant], choices: list[tuple[int, ...] | None]
) -> tuple[str, ...] | None:
    """Both haplotypes of a choice of orientations (None leaves a variant out)."""
    found = []
    for h in range(2):
        alleles = []
        for item, choice in zip(variants, choices, strict=True):
            if choice is not None and choice[h] in item.shape.alleles:
                start, end, bases = item.shape.alleles[choice[h]]
                # the other side of a pure insertion occupies nothing
                if start < end or bases:
                    alleles.append((item.position + start, item.position + end, bases))
        spelling = haplotype(sequence, alleles)
        if spelling is None:
            return None
        found.append(spelling)
    return tuple(found)


def most_used(sequence: str, truth: list[Variant], query: list[Variant]) -> int:
    """Largest number of records in any choice with equal haplotypes, by trying all."""
    spellings: dict[tuple[str, ...], int] = {}
    options = [[None, *orientations(v.shape, 2, squash=False)] for v in truth]
    for choices in product(*options):
        bases = spelled(sequence, truth, list(choices))
        if bases is not None:
            used = sum(choice is not None for choice in choices)
            spellings[bases] = max(spellings.get(bases, 0), used)
    best = 0
    options = [[None, *orientations(v.shape, 2, squash=False)] for v in query]
    for choices in product(*options):
        bases = spelled(sequence, query, list(choices))
        if bases in spellings:
            used = sum(choice is not None for choice in choices)
            best = max(best, used + spellings[bases])
    return best


def used_records(path: BestPath) -> int:
    return sum(used >= 0 for used in (*path.truth.values(), *path.query.values()))


@settings(max_examples=60)
@given(st.data())
def test_the_choice_is_sound_and_not_worse_than_exhaustive_search(data: st.DataObject) -> None:
    sequence = REPEATS
    drawn = data.draw(records(sequence)), data.draw(records(sequence))
    truth, query = map(variants_of, drawn)
    if not truth or not query:
        return
    path = best_path(encode(sequence), truth, query, MatchOptions(), squash=False)
    best = most_used(sequence, truth, query)
    # blocks in which one side cancels itself are dropped, so the search may use fewer records
    assert used_records(path) <= best
    if used_records(path) < best:
        alone = max(most_used(sequence, truth, []), most_used(sequence, [], query))
        # Half calls fit either way for a while: of the paths that meet the search keeps one, and
        # that need not be the one that fits in the end.
        has_half_calls = any(-1 in record.genotype for side in drawn for record in side)
        assert alone > 0 or has_half_calls


@settings(max_examples=40)
@given(st.data())
def test_a_call_set_matches_itself_in_any_phase(data: st.DataObject) -> None:
    sequence = random_sequence(400, 7)
    starts = data.draw(st.lists(st.integers(1, 38), unique=True, max_size=12))
    truth, query = [], []
    for start in sorted(10 * s for s in starts):
        genotype = data.draw(st.sampled_from(["0/1", "1/1", "1|0", "0|1"]))
        ref = sequence[start : start + data.draw(st.integers(1, 3))]
        alt = data.draw(st.sampled_from([ref[0] + "ACG", "T" + ref, ref + "GG"]))
        if alt in (ref, ref[0]):
            continue
        truth.append(record(start, ref, alt, genotype))
        query.append(record(start, ref, alt, genotype.replace("|", "/")))
    found = verdicts(sequence, truth, query)
    assert found == (["MATCH"] * len(truth), ["MATCH"] * len(truth))


@pytest.mark.parametrize(
    ("truth", "query", "expected"),
    [
        # an MNP against its two SNPs
        ([(10, "AA", "CC", "0/1")], [(10, "A", "C", "0/1"), (11, "A", "C", "1/0")], "all"),
        # a deletion at either end of a run
        ([(4, "AA", "A", "1/1")], [(8, "AA", "A", "1/1")], "all"),
        # haploid is homozygous
        ([(4, "A", "C", "1")], [(4, "A", "C", "1/1")], "all"),
        ([(4, "A", "C", "1")], [(4, "A", "C", "0/1")], "none"),
        # a half call has one allele
        ([(4, "A", "C", "./1")], [(4, "A", "C", "0/1")], "all"),
        # right allele, wrong zygosity
        ([(4, "A", "C", "1/1")], [(4, "A", "C", "0/1")], "none"),
        # reference bases occupy both haplotypes
        ([(4, "A", "C,G", "1/2")], [(4, "A", "C", "0/1"), (4, "A", "G", "0/1")], "none"),
        ([(4, "A", "C,G", "1/2")], [(4, "A", "C", "./1"), (4, "A", "G", "./1")], "all"),
    ],
)
def test_situations(
    truth: list[tuple[int, str, str, str]],
    query: list[tuple[int, str, str, str]],
    expected: str,
) -> None:
    sequence = "CGTCAAAAAAAAAAAAAAGTC"
    found = verdicts(sequence, [record(*r) for r in truth], [record(*r) for r in query])
    assert set(found[0] + found[1]) == {"MATCH" if expected == "all" else "MISMATCH"}


def test_squash_ploidy_ignores_zygosity() -> None:
    options = MatchOptions(squash_ploidy=True)
    found = verdicts(
        "CGTCAAAAGTC", [record(4, "A", "C", "1/1")], [record(4, "A", "C", "0/1")], options
    )
    assert found == (["MATCH"], ["MATCH"])


def test_the_allele_pass_finds_shared_alleles() -> None:
    options = MatchOptions(allele_pass=True)
    found = verdicts(
        "CGTCAAAAGTC", [record(4, "A", "C", "1/1")], [record(4, "A", "C", "0/1")], options
    )
    assert found == (["ALLELE_MATCH"], ["ALLELE_MATCH"])


def test_a_region_that_is_too_complex_is_given_up_with_a_warning() -> None:
    sequence = "CGTC" + "A" * 300 + random_sequence(100, 3)
    truth = [record(4 + 12 * i, "AA", "A", "0/1") for i in range(20)]
    query = [record(6 + 12 * i, "A", "AA", "0/1") for i in range(20)]
    after = record(len(sequence) - 20, sequence[-20], "ACGT".replace(sequence[-20], "")[0], "0/1")
    options = MatchOptions(max_paths=200)
    sides = []
    for items in ([*truth, after], [*query, after]):
        judged = [JudgedRecord(item) for item in items]
        for i, item in enumerate(judged):
            item.variant = variant(item.record, i)
        sides.append(judged)
    match = match_contig("c", sequence, *sides, options)
    assert match.warnings
    assert "too complex" in match.warnings[0]
    assert Verdict.TOO_HARD in {item.verdict for item in match.truth}
    assert match.truth[-1].verdict == match.query[-1].verdict == Verdict.MATCH


def test_a_queue_that_is_too_short_is_made_longer() -> None:
    sequence = random_sequence(60, 5)
    deletions = [
        record(10 + i, sequence[10 + i : 12 + i], sequence[10 + i], "1/1") for i in range(10)
    ]
    whole = record(10, sequence[10:21], sequence[10], "1/1")
    found = verdicts(sequence, deletions, [whole])
    assert found == (["MATCH"] * 10, ["MATCH"])


def test_a_deletion_over_the_last_base_ends() -> None:
    sequence = random_sequence(40, 9)
    deletion = record(36, sequence[36:40], sequence[36], "0/1")
    found = verdicts(sequence, [deletion], [deletion])
    assert len(found[0]) == 1
