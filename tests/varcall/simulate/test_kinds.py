"""Every kind of library that `varcall simulate` makes shows what it says."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pysam
import pytest

from varcall.simulate import SimulateOptions, run_simulate
from varcall.simulate.genome import make_genome, random_reference
from varcall.simulate.kernels import ADAPTERS, JUNCTION
from varcall.simulate.library import LAYOUTS, LIBRARIES, TRAITS, draw_library, typical_library
from varcall.simulate.mapping import Placement, place_exactly
from varcall.simulate.noise import base_codes, base_text
from varcall.simulate.sequencer import SequencedReads, Sequencer

SIZE = 12_000
TEXT = random_reference(SIZE, np.random.default_rng(8))


@dataclass(frozen=True)
class Made:
    """One simulated sample, read back."""

    reads: Sequence[pysam.AlignedSegment]
    library: dict[str, object]
    reference: str

    @property
    def own(self) -> list[pysam.AlignedSegment]:
        """Reads of the person, no copy of another and no chimera."""
        return [r for r in self.reads if r.get_tag("mo") < 2 and not r.get_tag("ak") & 5]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    folder = tmp_path_factory.mktemp("kinds")

    def made(kind: str, seed: int = 2) -> Made:
        options = SimulateOptions(
            reference=None, random_genome=SIZE, output=folder / f"{kind}{seed}", library=kind,
            mapper="exact", depth=(25.0, 30.0), variants_per_kb=1.0, seed=seed,
        )  # fmt: skip
        (sample,) = run_simulate(options)
        with pysam.AlignmentFile(str(sample.bam)) as bam:
            reads = list(bam)
        with pysam.FastaFile(str(sample.reference)) as fasta:
            reference = fasta.fetch("sim")
        return Made(reads, json.loads(sample.description.read_text())["library"], reference)

    return made


def test_random_draws_have_all_kinds() -> None:
    rng = np.random.default_rng(1)
    drawn = Counter(k for _ in range(1500) for k in draw_library(rng, (40, 80), 0.1).kinds)
    assert set(drawn) == {*LAYOUTS, *(name for name, trait in TRAITS.items() if trait[0] > 0)}
    assert drawn["pairs"] == pytest.approx(900, abs=80)
    assert set(LIBRARIES) == {"random", "typical", *LAYOUTS, *TRAITS}


@pytest.mark.parametrize("kind", [*LAYOUTS, *TRAITS])
def test_a_named_kind_is_described(make: Callable[[str], Made], kind: str) -> None:
    made = make(kind)
    assert kind in made.library["kinds"]
    assert made.library["kinds"] == ([kind] if kind in LAYOUTS else ["pairs", kind])
    assert len(made.reads) > 100
    assert all(r.has_tag("mo") and r.has_tag("tp") and r.has_tag("ak") for r in made.reads)


def test_single_ends(make: Callable[[str], Made]) -> None:
    lengths = set()
    for seed in range(3):
        made = make("single", seed)
        assert not any(r.flag & 0x3 for r in made.reads)
        assert all(r.next_reference_id == -1 for r in made.reads)
        lengths |= {max(r.query_length for r in made.reads)}
    assert lengths <= {36, 50, 75, 76, 100, 101, 150, 200, 250, 300}
    assert len(lengths) > 1


def test_merged_pairs_have_higher_qualities_in_their_middle(make: Callable[[str], Made]) -> None:
    made = make("merged")
    assert not any(r.is_paired for r in made.reads)
    full = int(str(made.library["read_length"]))
    assert max(r.query_length for r in made.reads) > full
    long = [r for r in made.own if 1.2 * full < r.query_length < 1.6 * full]
    middle = [r.query_qualities[r.query_length // 2] for r in long]
    side = [r.query_qualities[(r.query_length - full) // 2] for r in long]
    assert np.mean(middle) > np.mean(side) + 1
    wrong = [
        r.query_sequence[q] != made.reference[p]
        for r in long for q, p in r.get_aligned_pairs(matches_only=True)
    ]  # fmt: skip
    assert np.mean(wrong) < 0.02, "mates were put together in the right place"


def test_trimmed_reads_differ_in_length_and_end_in_good_bases(make: Callable[[str], Made]) -> None:
    made = make("trimmed")
    bound = int(str(made.library["quality_trim"]))
    assert len({r.query_length for r in made.reads}) > 20
    last = [(r.query_qualities[0 if r.is_reverse else -1], r.query_length) for r in made.reads]
    assert all(quality >= bound or length <= 40 for quality, length in last)


def test_short_inserts_run_into_the_adapter(make: Callable[[str], Made]) -> None:
    seen = set()
    for seed in range(3):
        made = make("adapters", seed)
        heads = [base_text(row[:14]) for row in ADAPTERS[str(made.library["adapter"])]]
        reached = [r for r in made.own if r.query_length - r.query_alignment_length > 40]
        assert len(reached) > 20
        assert all(r.get_tag("ak") & 2 for r in reached)
        found = [any(head in r.get_forward_sequence() for head in heads) for r in reached]
        assert np.mean(found) > 0.6
        seen.add(made.library["adapter"])
    assert seen <= {"truseq", "nextera"}


def test_mate_pairs_face_outward_over_kilobases(make: Callable[[str], Made]) -> None:
    made = make("matepair")
    junction = base_text(JUNCTION)
    first = [r for r in made.own if r.is_read1]
    span = np.array([abs(r.template_length) for r in first])
    left_is_reverse = [r.is_reverse == (r.reference_start < r.next_reference_start) for r in first]
    far = span > 1200
    assert far.mean() > 0.5, "but where the stretch ends within a circle"
    assert np.mean(np.array(left_is_reverse)[far]) > 0.98
    assert np.mean(np.array(left_is_reverse)[~far]) < 0.2
    with_junction = [r for r in made.own if junction in r.get_forward_sequence()]
    assert len(with_junction) > 0.03 * len(made.own)
    assert all(r.get_tag("ak") & 2 for r in with_junction)
    assert not any(junction in r.get_forward_sequence() for r in make("pairs").reads)


def test_poly_g_tails(make: Callable[[str], Made]) -> None:
    made = make("polyg")
    ends = [r for r in made.reads if r.get_forward_sequence().endswith("G" * 12)]
    assert len(ends) > 0.6 * float(str(made.library["poly_g"])) * len(made.reads)
    assert all(r.get_tag("ak") & 2 for r in ends)


def batches_of(library: object, seed: int = 1) -> list[SequencedReads]:
    rng = np.random.default_rng(seed)
    person, _ = make_genome("sim", 0, TEXT, [], 0.0, rng)
    molecules = [person.molecule(0), person.molecule(1)]
    return list(Sequencer(molecules, base_codes(TEXT.encode()), library, rng).batches())


def test_copies_share_the_errors_of_their_molecule(tmp_path: Path) -> None:
    """Damage that both mates and all copies of a fragment show; other fragments do not."""
    library = replace(
        typical_library(30.0), damage_rate=3e-3, unmarked_rate=0.4, duplicate_rate=0.0,
        error_scale=1e-3, error_floor=0.0, systematic_per_kb=0.0, run_error=0.0, tail_rate=0.0,
        chimera_rate=0.0, dephasing=0.0, indel_rate=0.0, slippage_at_12=1e-6,
    )  # fmt: skip
    place = Placement((("sim", SIZE),), "sim", 0, "s")
    place_exactly(iter(batches_of(library)), place, tmp_path / "x.bam")
    groups: dict[tuple[int, int, bool], list[set[tuple[int, str]]]] = {}
    with pysam.AlignmentFile(str(tmp_path / "x.bam")) as bam:
        for r in bam:
            assert not r.is_duplicate
            wrong = {
                (p, r.query_sequence[q]) for q, p in r.get_aligned_pairs(matches_only=True)
                if r.query_sequence[q] not in (TEXT[p], "N")
            }  # fmt: skip
            key = (r.reference_start, r.template_length, r.is_read1)
            groups.setdefault(key, []).append(wrong)
    copied = [g for g in groups.values() if len(g) > 1]
    assert len(copied) > 100
    assert sum(bool(g[0]) for g in copied) > 20
    assert np.mean([all(one == g[0] for one in g) for g in copied]) > 0.9


def test_a_third_of_a_library_may_be_duplicates(make: Callable[[str], Made]) -> None:
    rng = np.random.default_rng(3)
    drawn = [draw_library(rng, (30, 30), 0, "duplicates") for _ in range(100)]
    shares = [
        (one.duplicate_rate + one.unmarked_rate) / (1 + one.duplicate_rate + one.unmarked_rate)
        for one in drawn
    ]
    assert max(shares) <= 0.301
    assert {one.duplicate_rate == 0 for one in drawn} == {True, False}
    assert {one.unmarked_rate == 0 for one in drawn} == {True, False}
    made = make("duplicates")
    copies = [r for r in made.reads if r.get_tag("ak") & 4]
    flagged = [r for r in made.reads if r.is_duplicate]
    assert len(copies) > 0.03 * len(made.reads)
    assert len(copies) >= len(flagged)


def test_stacks_have_one_start() -> None:
    library = replace(typical_library(30.0), stacks=60.0, unmarked_rate=0.0, duplicate_rate=0.0)
    (batch,) = batches_of(library)
    starts: Counter[tuple[int, bool]] = Counter()
    for row in range(len(batch.length)):
        where = batch.start_of(row, 0, bool(batch.reverse[row]))
        end = int(batch.position[row, 0])
        starts[(end if batch.reverse[row] else where, bool(batch.reverse[row]))] += 1
    assert sum(n >= 6 for n in starts.values()) >= 3
    (plain,) = batches_of(replace(library, stacks=0.0))
    assert len(plain.length) < len(batch.length)
    foreign = batch.origin >= 3
    assert foreign.any()
    assert batch.mapq_limit[foreign].max() < 25
    assert set(batch.mapq_limit[~foreign]) == {255}


def test_chimeras(make: Callable[[str], Made]) -> None:
    (batch,) = batches_of(replace(typical_library(30.0), chimera_rate=0.08))
    assert (batch.artefacts & 1 > 0).mean() == pytest.approx(0.08, abs=0.02)
    assert float(str(make("chimeras").library["chimera_rate"])) >= 0.015


@pytest.mark.parametrize(("kind", "low", "high"), [("deep", 120, 300), ("shallow", 8, 20)])
def test_depth_of_kinds(make: Callable[[str], Made], kind: str, low: float, high: float) -> None:
    made = make(kind)
    depth = sum(r.query_alignment_length for r in made.reads) / SIZE
    assert low * 0.8 < depth < high * 1.25
    assert depth == pytest.approx(float(str(made.library["depth"])), rel=0.25)


def depth_of(made: Made) -> np.ndarray:
    depth = np.zeros(SIZE + 1)
    for r in made.reads:
        depth[r.reference_start] += 1
        depth[r.reference_end or 0] -= 1
    return np.cumsum(depth)[:SIZE]


def test_targets_have_edges(make: Callable[[str], Made]) -> None:
    made = make("targets")
    depth = depth_of(made)
    wanted = float(str(made.library["depth"]))
    assert depth.max() > 0.5 * wanted
    assert np.median(depth) < 0.2 * wanted
    falling = (depth > 0.15 * wanted) & (depth < 0.5 * wanted)
    assert falling.sum() > 300, "depth falls off, it does not end"


def test_amplicons_begin_and_end_at_primers(make: Callable[[str], Made]) -> None:
    made = make("amplicon")
    ends: Counter[int] = Counter()
    for r in made.own:
        ends[r.reference_start if not r.is_reverse else r.reference_end or 0] += 1
    common = sum(n for _, n in ends.most_common(60))
    assert common > 0.8 * len(made.own)
    assert 100 <= float(str(made.library["depth"])) <= 300
    assert 80 < depth_of(made).max() < 2500, "mates and neighbours overlap"


def test_primers_show_the_reference() -> None:
    library = replace(
        typical_library(100.0), layout="amplicon", insert_mean=200.0, covered_share=0.3, primer=20,
        error_scale=1e-3, error_floor=0.0, damage_rate=0.0, systematic_per_kb=0.0,
        chimera_rate=0.0, run_error=0.0, tail_rate=0.0, dephasing=0.0, slippage_at_12=1e-6,
    )  # fmt: skip
    rng = np.random.default_rng(5)
    person, _ = make_genome("sim", 0, TEXT, [], 15.0, rng)
    codes = base_codes(TEXT.encode())
    molecules = [person.molecule(0), person.molecule(1)]
    (batch,) = Sequencer(molecules, codes, library, rng).batches()
    rows = np.flatnonzero(~batch.reverse)
    known = batch.position[rows] >= 0
    wrong = known & (batch.bases[rows] != codes[batch.position[rows]]) & (batch.bases[rows] < 4)
    assert wrong[:, 30:120].mean() > 0.003
    assert wrong[:, :20].mean() < 0.0005


def test_qualities_and_flags(make: Callable[[str], Made]) -> None:
    assert all(r.query_qualities is None for r in make("noquality").reads)
    assert not any(r.is_proper_pair for r in make("improper").reads)
    assert np.mean([r.is_proper_pair for r in make("pairs").reads]) > 0.9
    levels = set()
    for seed in range(4):
        made = make("binned", seed)
        levels.add(tuple(sorted({int(q) for r in made.reads for q in r.query_qualities})))
    assert all(set(found) <= {2, 12, 23, 37} or len(found) <= 8 for found in levels)
    assert len(levels) > 1


def test_contamination_is_what_the_json_says(make: Callable[[str], Made]) -> None:
    made = make("contaminated")
    share = float(str(made.library["contamination"]))
    assert 0.03 <= share <= 0.4
    origin = np.array([r.get_tag("mo") for r in made.reads])
    assert (origin == 2).sum() / (origin < 3).sum() == pytest.approx(share, abs=0.05)


def test_noisy_libraries_have_more_errors(make: Callable[[str], Made]) -> None:
    def errors(made: Made) -> float:
        wrong = [
            r.query_sequence[q] != made.reference[p]
            for r in made.own for q, p in r.get_aligned_pairs(matches_only=True)
        ]  # fmt: skip
        return float(np.mean(wrong))

    assert errors(make("noisy")) > 1.5 * errors(make("typical"))
