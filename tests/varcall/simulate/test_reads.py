"""Fragments, slippage, qualities and exact placement of simulated reads."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varcall.errors import InputError
from varcall.simulate import simulate_demo
from varcall.simulate.kernels import MoleculeTable, build_fragment, slip_units
from varcall.simulate.learning import learn_noise
from varcall.simulate.library import draw_library, stated_qualities
from varcall.simulate.mapping import exact_cigar
from varcall.simulate.noise import SHIPPED_PROFILES, base_codes, base_text, load_profile
from varcall.simulate.repeats import find_tracts

TEXT = "GATCAGTC" * 10 + "A" * 14 + "CGTACCTG" * 10


def molecule(text: str, slippage: float) -> MoleculeTable:
    codes = base_codes(text.encode())
    tracts = find_tracts(codes)
    runs = tracts.unit == 1
    return MoleculeTable(
        codes,
        np.arange(len(codes), dtype=np.int32),
        tracts.start[runs],
        tracts.end[runs],
        tracts.unit[runs],
        np.full(int(runs.sum()), slippage),
    )


def fragment(table: MoleculeTable, start: int, length: int, seed: int) -> tuple[str, np.ndarray]:
    bases = np.empty(400, dtype=np.uint8)
    position = np.empty(400, dtype=np.int32)
    n = build_fragment(
        table, start, length, len(table.bases), np.uint64(seed), 0.3, bases, position, 0
    )
    return base_text(bases[:n]), position[:n]


def test_tracts_of_a_sequence() -> None:
    tracts = find_tracts(base_codes(b"GCATGAAAAAAACTGACACACACACAGGTNNNNNNNNTCAGCAGCAGCAGT"))
    found = list(zip(tracts.start, tracts.end, tracts.unit, strict=True))
    assert (5, 12, 1) in found
    assert (15, 26, 2) in found
    assert any(unit == 3 and end - start >= 12 for start, end, unit in found)
    assert all(start >= 37 or end <= 29 for start, end, _ in found), "N is no repeat"


def test_slippage_is_shared_by_mates_and_duplicates() -> None:
    """Slippage belongs to the fragment's seed, so whatever is read from it shows the same."""
    table = molecule(TEXT, 0.5)
    lengths = set()
    for seed in range(60):
        text, _ = fragment(table, 40, 110, seed)
        again, _ = fragment(table, 40, 110, seed)
        assert text == again
        run = max(
            len(r) for r in text.replace("C", "|").replace("G", "|").replace("T", "|").split("|")
        )
        lengths.add(run)
    assert 14 in lengths
    assert {13, 15} <= lengths


def test_fragments_without_slippage_are_the_molecule() -> None:
    table = molecule(TEXT, 0.0)
    for start in (0, 33, 79, 85):
        text, position = fragment(table, start, 90, 1)
        assert text == TEXT[start : start + 90]
        assert position.tolist() == list(range(start, start + len(text)))


def test_slipped_fragments_keep_their_coordinates() -> None:
    """A base that has a position is the molecule's base there; a gain has none."""
    table = molecule(TEXT, 0.6)
    for seed in range(40):
        text, position = fragment(table, 20, 130, seed)
        for letter, at in zip(text, position, strict=True):
            assert letter == (TEXT[at] if at >= 0 else "A")


def test_slippage_happens_as_often_as_asked() -> None:
    slips = [slip_units(np.uint64(seed * 7919), 3, 0.2, 0.3) for seed in range(4000)]
    assert np.mean([s != 0 for s in slips]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([s > 0 for s in slips if s]) == pytest.approx(0.3, abs=0.06)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("MID"), st.integers(1, 9)), min_size=1, max_size=8))
def test_exact_cigar_round_trip(parts: list[tuple[str, int]]) -> None:
    """The CIGAR read off the positions walks through the same positions again."""
    position: list[int] = []
    at = 100
    for kind, length in [("M", 5), *parts, ("M", 5)]:
        if kind == "I":
            position += [-1] * length
        else:
            position += range(at, at + length) if kind == "M" else []
            at += length
    start, cigar = exact_cigar(np.array(position, dtype=np.int32))
    walked: list[int] = []
    at = start
    for operation, length in cigar:
        if operation in (1, 4):
            walked += [-1] * length
        elif operation == 0:
            walked += range(at, at + length)
        if operation in (0, 2):
            at += length
    assert walked == position
    assert all(a[0] != b[0] for a, b in pairwise(cigar))


def test_exact_cigar_clips_ends_and_unaligned_reads() -> None:
    assert exact_cigar(np.array([-1, -1, 7, 8, -1])) == (7, [(4, 2), (0, 2), (4, 1)])
    assert exact_cigar(np.array([-1, -1])) == (-1, [])


@pytest.mark.parametrize("name", SHIPPED_PROFILES)
def test_shipped_profiles_are_sane(name: str) -> None:
    profile = load_profile(name)
    k = len(profile.levels)
    assert profile.steps.shape == (2, 4, 10, k, k)
    assert np.all(np.diff(profile.steps, axis=-1) >= 0)
    assert np.all(profile.steps[..., -1] == 1)
    assert profile.class_pairs.sum() == pytest.approx(1)
    high = profile.level_error[profile.levels >= 30]
    assert high.max() < 0.01
    assert profile.level_error[0] > 0.02


def test_unknown_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no noise profile"):
        load_profile("sanger")
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a noise profile"):
        load_profile(str(tmp_path / "x.npz"))


def test_libraries_differ_and_state_plausible_qualities() -> None:
    rng = np.random.default_rng(1)
    libraries = [draw_library(rng, (40.0, 80.0), 0.2) for _ in range(200)]
    assert len({one.quality_scheme for one in libraries}) >= 7
    assert 0.08 < np.mean([one.paralogs for one in libraries]) < 0.35
    for library in libraries:
        own_depth = {"deep", "shallow", "targets", "amplicon"} & set(library.kinds)
        assert own_depth or 40 <= library.depth <= 80
        assert library.layout == "amplicon" or library.insert_mean > 0.7 * library.read_length
        stated = stated_qualities(library, load_profile(library.profile).levels)
        assert stated.min() >= 2
        assert stated.max() <= 42
        assert np.all(np.diff(stated) >= 0)


def test_a_profile_can_be_learned_from_aligned_reads(tmp_path: Path) -> None:
    """Learned from simulated reads, a profile shows the qualities and errors they were given."""
    sample = simulate_demo(tmp_path / "demo", seed=6, genome_size=20_000)
    learn_noise((sample.bam,), sample.reference, tmp_path / "again.npz")
    learned = load_profile(str(tmp_path / "again.npz"))
    assert set(learned.levels) <= {2, 12, 23, 37}
    assert np.all(np.diff(learned.level_error) < 0)
    assert 1e-4 < learned.level_error[-1] < 3e-3
    given = load_profile("novaseq").class_pairs
    assert learned.class_pairs.argmax() == given.argmax()
    with pytest.raises(InputError, match="a profile needs"):
        empty = simulate_demo(tmp_path / "empty", seed=6, genome_size=6000, depth=2)
        learn_noise((empty.bam,), empty.reference, tmp_path / "none.npz")
