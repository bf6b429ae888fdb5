"""Long reads: their lengths, errors, qualities, tags and mapping."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import FunctionType, SimpleNamespace

import numpy as np
import pysam
import pytest

from varcall.errors import InputError, UsageError
from varcall.formats.simulated_origin import ADAPTER, CHIMERA
from varcall.simulate import SimulatedSample, SimulateOptions, run_simulate
from varcall.simulate.genome import Molecule, random_reference
from varcall.simulate.long_reads import kernels, sequencer
from varcall.simulate.long_reads.kernels import quality_category, run_ends
from varcall.simulate.long_reads.learning import learn_long_noise, reference_from_reads
from varcall.simulate.long_reads.library import (
    CHEMISTRIES,
    LONG_FLANKS,
    REVIO_BINS,
    LongLibrary,
    draw_long_library,
    typical_long_library,
)
from varcall.simulate.long_reads.mapping import true_start
from varcall.simulate.long_reads.noise import (
    LONG_PROFILES,
    MAX_CHANGE,
    load_long_noise,
)
from varcall.simulate.long_reads.sequencer import LongRead, LongSequencer
from varcall.simulate.noise import base_codes, base_text
from varcall.simulate.tiles import draw_tiles

SIZE = 60_000
#: A plain library without what is not asked for.
QUIET = {
    "chimera_rate": 0.0,
    "adapter_rate": 0.0,
    "read_sd": 0.0,
    "site_mismatch_sd": 0.0,
    "site_indel_sd": 0.0,
    "coverage_sd": 0.0,
    "balance_sd": 0.0,
}


def molecule(codes: np.ndarray, origin: int = 0) -> Molecule:
    return Molecule(codes, np.arange(len(codes), dtype=np.int32), 1.0, origin)


def library_of(platform: str, depth: float = 10.0, **changes: object) -> LongLibrary:
    return replace(typical_long_library(platform, depth), **{**QUIET, **changes})


def reads_of(library: LongLibrary, codes: np.ndarray, seed: int = 1) -> list[LongRead]:
    molecules = [molecule(codes), molecule(codes, 1)]
    rng = np.random.default_rng(seed)
    return list(LongSequencer(molecules, len(codes), (0, len(codes)), library, rng).reads())


@pytest.fixture(scope="module")
def stretch() -> np.ndarray:
    return base_codes(random_reference(SIZE, np.random.default_rng(4)).encode())


def mismatch_rate(reads: list[LongRead], codes: np.ndarray) -> float:
    wrong = seen = 0
    for read in reads:
        known = read.position >= 0
        true = codes[read.position[known]]
        true = 3 - true if read.reverse else true
        wrong += int((read.bases[known] != true).sum())
        seen += int(known.sum())
    return wrong / seen


def run_changes(reads: list[LongRead], codes: np.ndarray) -> Counter[tuple[int, bool]]:
    """How often homopolymers of each length are read with another length, by length."""
    edge = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1], [True]]))
    found: Counter[tuple[int, bool]] = Counter()
    for read in reads:
        position = read.position[::-1] if read.reverse else read.position
        known = np.flatnonzero(position >= 0)
        if not len(known):
            continue
        low, high = position[known[0]], position[known[-1]]
        first, last = np.searchsorted(edge, low), np.searchsorted(edge, high)
        # Where the base that starts each run, and the one behind it, stand in the read.
        at = known[np.searchsorted(position[known], edge[first : last + 1].clip(max=high))]
        true = np.diff(edge[first : last + 1])
        changed = np.diff(at) != true
        found.update(zip(true[:-1].tolist(), changed[:-1].tolist(), strict=True))
    return found


@pytest.mark.parametrize("platform", CHEMISTRIES)
def test_depth_strands_and_lengths(platform: str, stretch: np.ndarray) -> None:
    reads = reads_of(library_of(platform, depth=40.0), stretch)
    depth = sum(len(r.bases) for r in reads) / SIZE
    assert depth == pytest.approx(40, rel=0.25)
    assert 0.3 < np.mean([r.reverse for r in reads]) < 0.7
    length = np.array([len(r.bases) for r in reads])
    if platform == "hifi":
        whole = length[length > 8000]
        assert len(whole) > 0.5 * len(length)
        assert whole.max() < 32_000
    else:
        # Log-normal: many short reads, and bases mostly in long ones.
        assert (
            np.median(length)
            < 0.8 * np.sort(length)[np.cumsum(np.sort(length)) > length.sum() / 2][0]
        )


@pytest.mark.parametrize("platform", CHEMISTRIES)
def test_errors_are_those_of_the_profile(platform: str, stretch: np.ndarray) -> None:
    library = library_of(platform, depth=30.0)
    profile = load_long_noise(library.profile)
    reads = reads_of(library, stretch)
    assert mismatch_rate(reads, stretch) == pytest.approx(profile.mismatch.mean(), rel=0.45)
    found = run_changes(reads, stretch)
    rates = [found[n, True] / (found[n, True] + found[n, False]) for n in (1, 2, 3, 4)]
    assert rates == sorted(rates), "longer homopolymers are read wrongly more often"
    for length, rate in zip((1, 2, 3, 4), rates, strict=True):
        learned = profile.run_change[:, length].mean()
        assert 0.5 < rate / learned < 2.5


def test_factors_scale_errors(stretch: np.ndarray) -> None:
    plain = mismatch_rate(reads_of(library_of("ont", 20.0), stretch), stretch)
    worse = mismatch_rate(reads_of(library_of("ont", 20.0, mismatch_scale=3.0), stretch), stretch)
    assert 2.0 < worse / plain < 4.0
    flat = run_changes(reads_of(library_of("ont", 20.0), stretch), stretch)
    steep = run_changes(reads_of(library_of("ont", 20.0, run_growth=1.0), stretch), stretch)
    long = range(6, 12)
    assert sum(steep[n, True] for n in long) > 1.15 * sum(flat[n, True] for n in long)


def test_qualities_tell_errors(stretch: np.ndarray) -> None:
    """Wrong bases have lower qualities, and the last base of a long run lower than a lone one."""
    for platform in CHEMISTRIES:
        reads = reads_of(library_of(platform, 40.0), stretch)
        right, wrong, after = [], [], []
        for read in reads:
            known = read.position >= 0
            true = stretch[read.position[known]]
            true = 3 - true if read.reverse else true
            differs = read.bases[known] != true
            wrong.append(read.qualities[known][differs])
            right.append(read.qualities[known][~differs])
            end = np.empty(len(read.bases), np.int64)
            run_ends(read.bases, len(read.bases), end)
            begin = np.flatnonzero(np.concatenate([[True], read.bases[1:] != read.bases[:-1]]))
            long = begin[end[begin] - begin >= 6]
            after.append(read.qualities[end[long] - 1])
            after.append(read.qualities[long])
        mean = np.concatenate(right).mean()
        assert np.concatenate(wrong).mean() < mean - 5
        assert np.concatenate(after).mean() < mean - (2 if platform == "hifi" else 0)


def test_revio_qualities_are_binned(stretch: np.ndarray) -> None:
    levels = {*REVIO_BINS[1]}
    revio = reads_of(library_of("hifi", 5.0), stretch)
    binned = library_of("hifi", 5.0, profile="sequel2", quality_scheme="revio")
    for reads in (revio, reads_of(binned, stretch)):
        assert {*np.concatenate([r.qualities for r in reads]).tolist()} <= levels
    plain = reads_of(library_of("hifi", 5.0, profile="sequel2"), stretch)
    assert max(int(r.qualities.max()) for r in plain) == 93


def test_adapters_and_chimeras_are_marked(stretch: np.ndarray) -> None:
    reads = reads_of(library_of("ont", 10.0, adapter_rate=1.0, chimera_rate=0.5), stretch)
    assert all(r.artefacts & ADAPTER for r in reads)
    joined = [r for r in reads if r.artefacts & CHIMERA]
    assert 0.3 < len(joined) / len(reads) < 0.7
    # The second part of a chimera has no place.
    assert np.mean([(r.position < 0).mean() for r in joined]) > 0.2
    text = base_text(np.concatenate([r.bases[:60] for r in reads]))
    assert text.count("TTCAGTTACG") > 0.15 * len(reads)
    assert not any(r.artefacts for r in reads_of(library_of("ont", 10.0), stretch))


@pytest.mark.parametrize("platform", CHEMISTRIES)
def test_targets_are_deep_and_fade_out(platform: str, stretch: np.ndarray) -> None:
    shape = {"covered_share": 0.1, "target_size": 6000.0, "length": 4000.0, "short_share": 0.0}
    spread = 300.0 if platform == "hifi" else 0.2
    library = library_of(platform, 100.0, off_target=0.01, length_spread=spread, **shape)
    depth = np.zeros(SIZE, np.int64)
    for read in reads_of(library, stretch):
        depth[read.position[read.position >= 0]] += 1
    deep = depth > 60
    assert 0.05 < deep.mean() < 0.3
    # Beside a target reads end one after the other.
    assert (depth < 10).mean() > 0.5
    assert 0.03 < ((depth >= 10) & ~deep).mean() < 0.3


def test_errors_that_no_quality_tells_of(stretch: np.ndarray) -> None:
    plain = reads_of(library_of("hifi", 20.0), stretch)
    floored = reads_of(library_of("hifi", 20.0, error_floor=3e-3), stretch)
    more = mismatch_rate(floored, stretch) - mismatch_rate(plain, stretch)
    assert more == pytest.approx(3e-3, rel=0.2)
    pairs = zip(plain, floored, strict=True)
    assert all(np.array_equal(one.qualities, other.qualities) for one, other in pairs)


def test_libraries_vary() -> None:
    for platform, chemistries in CHEMISTRIES.items():
        drawn = [
            draw_long_library(platform, np.random.default_rng(i), (8.0, 60.0), 0.5)
            for i in range(60)
        ]
        assert {x.chemistry for x in drawn} == {*chemistries}
        assert 0 < sum(not x.stated_platform for x in drawn) < 30
        assert 0 < sum(not x.description for x in drawn) < 40
        assert all(8 <= x.depth <= 60 for x in drawn if x.covered_share == 1)
        assert 5 < sum(x.covered_share < 1 for x in drawn) < 30
        assert 8 < sum(x.error_floor > 0 for x in drawn) < 32
        for one in drawn:
            assert one.profile in LONG_PROFILES
            group = one.read_group()
            assert group.get("PL", "") in ("", {"hifi": "PACBIO", "ont": "ONT"}[platform])
            if platform == "ont" and one.description:
                expected = "r9.4.1" if one.chemistry == "ont_r9" else "r10.4.1"
                assert expected in one.description


def test_profiles_are_sound() -> None:
    for name in LONG_PROFILES:
        profile = load_long_noise(name)
        rates = profile.run_change.mean(0)[1:13]
        assert (np.diff(rates) > -0.02).all(), "errors grow with the length of a homopolymer"
        assert rates[9] > 20 * rates[0]
        for cumulative in (profile.quality_steps, profile.run_delta, profile.substitution):
            assert (np.diff(cumulative, axis=-1) >= -1e-6).all()
            assert (cumulative[..., -1] == 1).all()
        middle = np.diff(profile.run_delta, axis=-1)[:, 1:, MAX_CHANGE - 1]
        assert np.abs(middle).max() < 1e-6, "a change is a change"
    with pytest.raises(InputError, match="no noise profile"):
        load_long_noise("sequel9")


def test_a_profile_can_be_learned_back(tmp_path: Path) -> None:
    """Learned from simulated reads, with no reference but `=`, rates come out again."""
    rng = np.random.default_rng(8)
    text = random_reference(SIZE, rng)
    (tmp_path / "ref.fa").write_text(f">sim\n{text}\n")
    pysam.faidx(str(tmp_path / "ref.fa"))
    made = simulated(tmp_path, "hifi", tmp_path / "ref.fa", depth=25.0)
    with pysam.AlignmentFile(str(made.bam)) as bam:
        header = bam.header
        spelled = [with_equal_signs(read, text) for read in bam]
    path = tmp_path / "equal.bam"
    with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
        for read in spelled:
            bam.write(read)
    low, codes = reference_from_reads(spelled)
    known = codes < 4
    assert known.mean() > 0.99
    assert (codes[known] == base_codes(text[low : low + len(codes)].encode())[known]).all()
    learn_long_noise(path, None, tmp_path / "mine.npz")
    learned, shipped = load_long_noise(str(tmp_path / "mine.npz")), load_long_noise("revio")
    for length in (2, 3, 4):
        ratio = learned.run_change[:, length].mean() / shipped.run_change[:, length].mean()
        assert 0.5 < ratio < 2.0
    assert 0.4 < learned.mismatch.mean() / shipped.mismatch.mean() < 2.5
    with pytest.raises(InputError, match="too few"):
        pysam.view(
            "-b", "-o", str(tmp_path / "few.bam"), "-s", "0.1", str(path), catch_stdout=False
        )
        learn_long_noise(tmp_path / "few.bam", None, tmp_path / "none.npz")


def with_equal_signs(read: pysam.AlignedSegment, text: str) -> pysam.AlignedSegment:
    """Spell M as runs of = and X."""
    cigar: list[tuple[int, int]] = []
    query, at = 0, read.reference_start
    for operation, length in read.cigartuples or ():
        if operation != 0:
            cigar.append((operation, length))
        else:
            for i in range(length):
                kind = 7 if (read.query_sequence or "")[query + i] == text[at + i] else 8
                if cigar and cigar[-1][0] == kind:
                    cigar[-1] = (kind, cigar[-1][1] + 1)
                else:
                    cigar.append((kind, 1))
        query += length if operation in (0, 1, 4) else 0
        at += length if operation in (0, 2) else 0
    read.cigartuples = cigar
    return read


def simulated(
    tmp_path: Path, platform: str, reference: Path, *, depth: float = 10.0, name: str = "one",
    mapper: str = "exact", kind: str = "typical", seed: int = 3,
) -> SimulatedSample:  # fmt: skip
    return run_simulate(
        SimulateOptions(
            reference=reference,
            output=tmp_path / name,
            depth=(depth, depth),
            platform=platform,
            variants_per_kb=1.0,
            library=kind,
            mapper=mapper,
            seed=seed,
        )
    )[0]


@pytest.fixture(scope="module")
def reference_fasta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "ref.fa"
    text = random_reference(SIZE, np.random.default_rng(12))
    path.write_text(f">sim\n{text}\n")
    pysam.faidx(str(path))
    return path


@pytest.mark.tools("minimap2")
@pytest.mark.parametrize("platform", CHEMISTRIES)
def test_mapped_samples(tmp_path: Path, reference_fasta: Path, platform: str) -> None:
    made = simulated(tmp_path, platform, reference_fasta, mapper="minimap2")
    again = simulated(tmp_path, platform, reference_fasta, mapper="minimap2", name="two")
    assert made.bam.read_bytes() == again.bam.read_bytes(), "a seed gives the same bytes"
    other = simulated(tmp_path, platform, reference_fasta, mapper="minimap2", name="three", seed=4)
    assert made.bam.read_bytes() != other.bam.read_bytes()
    with pysam.AlignmentFile(str(made.bam)) as bam:
        (group,) = bam.header.to_dict()["RG"]
        records = [r for r in bam if not r.is_unmapped]
    assert group["PL"] == {"hifi": "PACBIO", "ont": "ONT"}[platform]
    assert group["DS"].startswith(
        "READTYPE=CCS" if platform == "hifi" else "basecall_model=dna_r10"
    )
    assert len(records) > 10
    near = 0
    for record in records:
        assert not record.is_paired
        assert record.get_tag("RG") == group["ID"]
        assert record.get_tag("mo") in (0, 1)
        tags = dict(record.get_tags())
        assert {type(tags[t]) for t in ("mo", "tp", "ak")} == {int}
        near += abs(int(tags["tp"]) - record.reference_start) <= 20
    assert near > 0.9 * len(records)
    assert {r.get_tag("mo") for r in records} == {0, 1}
    assert json.loads(made.description.read_text())["mapper"] == "minimap2"


@pytest.mark.parametrize("platform", CHEMISTRIES)
def test_exactly_placed_samples(tmp_path: Path, reference_fasta: Path, platform: str) -> None:
    made = simulated(tmp_path, platform, reference_fasta)
    with pysam.AlignmentFile(str(made.bam)) as bam:
        records = list(bam)
    assert len({r.query_name for r in records}) == len(records)
    for record in records:
        assert record.get_tag("tp") == record.reference_start
        assert record.mapping_quality == 60


def test_true_start_of_either_strand() -> None:
    read = LongRead(
        np.zeros(8, np.uint8), np.zeros(8, np.uint8),
        np.array([-1, 10, 11, 12, -1, 13, 14, -1], np.int32), False, 0, 0,
    )  # fmt: skip

    def mapped(clip: int, aligned: int, *, reverse: bool = False) -> SimpleNamespace:
        cigar = [(4, clip), (0, aligned)] if clip else [(0, aligned)]
        return SimpleNamespace(
            cigartuples=cigar, is_reverse=reverse, query_alignment_length=aligned
        )

    assert true_start(mapped(1, 6), read) == 10
    assert true_start(mapped(3, 4), read) == 12
    assert true_start(mapped(4, 4), read) == 13, "an inserted base has no place, the next one has"
    backwards = replace(read, position=read.position[::-1].copy(), reverse=True)
    assert true_start(mapped(1, 6, reverse=True), backwards) == 10
    assert true_start(mapped(1, 6), replace(read, molecule=3)) == -1


def test_reads_keep_clear_of_excluded_stretches(tmp_path: Path, reference_fasta: Path) -> None:
    from varcall.inputs.contig_sequences import ContigSequences
    from varcall.inputs.regions import Region

    excluded = [Region("sim", 20_000, 20_100)]
    with ContigSequences(reference_fasta) as genome:
        tiles = draw_tiles(genome, [Region("sim", 0, SIZE)], excluded, 1000, 8, 1, flank=8000)
    for tile in tiles:
        assert tile.start >= 28_000 or tile.end <= 12_000
    options = SimulateOptions(reference=reference_fasta, output=tmp_path / "x", platform="ont")
    assert options.flank == LONG_FLANKS["ont"]
    bed = tmp_path / "excluded.bed"
    bed.write_text("sim\t40000\t40100\n")
    near = replace(options, exclude=(bed,), regions=("sim:10001-20000",))
    with pytest.raises(InputError, match=r"with the 40000 bases on both sides, holds sim:40001"):
        run_simulate(near)


def test_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="platform iontorrent is unknown"):
        SimulateOptions(reference=tmp_path, output=tmp_path, platform="iontorrent")
    with pytest.raises(UsageError, match="mapper bwa does not map long reads"):
        SimulateOptions(reference=tmp_path, output=tmp_path, platform="ont", mapper="bwa")
    with pytest.raises(UsageError, match="library single is none of long reads"):
        SimulateOptions(reference=tmp_path, output=tmp_path, platform="ont", library="single")


def test_categories_are_distinct() -> None:
    seen = {
        quality_category(run, place, status)
        for run in (1, 2, 3, 6, 9)
        for place in range(3)
        for status in range(4)
    }
    assert len(seen) == 5 * 3 * 2 + 2


def digest() -> list[tuple[int, ...]]:
    """What the kernels make of a small stretch."""
    codes = base_codes(random_reference(1500, np.random.default_rng(1)).encode())
    library = library_of("ont", 3.0, length=700.0, length_spread=0.3, chimera_rate=0.4)
    return [
        tuple(int(part.sum()) for part in (r.bases, r.qualities, r.position))
        for r in reads_of(library, codes)
    ]


def test_compiled_and_plain_kernels_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same code without Numba, whose random numbers are NumPy's, is the kernels' twin."""
    compiled = digest()
    plain = dict(vars(kernels))
    for name, kernel in vars(kernels).items():
        if hasattr(kernel, "py_func"):
            plain[name] = FunctionType(kernel.py_func.__code__, plain, name)
    monkeypatch.setattr(sequencer, "read_long", plain["read_long"])
    assert digest() == compiled
    assert len(compiled) > 3
