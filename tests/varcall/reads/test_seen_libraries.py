"""What the card says of training's libraries, and what is said of one that is unlike them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from models.context import BASECALLERS
from models.errors import ModelError
from models.prompt import PromptContext, encode, write_tokens
from tests.builders import ReadGroup, ReadsBuilder, random_sequence, write_reference
from varcall.cli import run
from varcall.inputs.open import open_inputs
from varcall.options import CallOptions
from varcall.pipeline import plan_worker
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.measure_library import measure_profile
from varcall.reads.seen_libraries import SeenLibraries, kind_of, summarise

SUP = "dna_r10.4.1_e8.2_400bps_sup@v4.3.0"
SHORT = LibraryProfile(
    platform="illumina",
    looks_like="illumina",
    paired=True,
    read_length=150,
    depth=30.0,
    quality_levels=40,
    base_quality=35.0,
    error_rate=0.001,
)
HIFI = LibraryProfile(
    platform="pacbio",
    looks_like="pacbio",
    read_length=15_000,
    depth=30.0,
    quality_levels=7,
    base_quality=35.0,
    error_rate=0.0001,
    basecaller="ccs 5.0",
)
ONT = LibraryProfile(
    platform="ont",
    looks_like="ont",
    read_length=10_000,
    depth=30.0,
    quality_levels=60,
    base_quality=30.0,
    error_rate=0.0005,
    basecaller=SUP,
)
SEEN = summarise(
    {
        "short": [replace(SHORT, read_length=50, depth=250.0), replace(SHORT, read_length=300)],
        "hifi": [HIFI, replace(HIFI, platform="unknown", basecaller="", quality_levels=90)],
        "ont": [ONT, replace(ONT, looks_like="pacbio", error_rate=0.0002)],
    },
    lambda depth: [8.0, depth],
)


@pytest.mark.parametrize(
    "profile",
    [
        SHORT,
        HIFI,
        ONT,
        replace(SHORT, read_length=45, depth=300.0),
        replace(SHORT, error_rate=0.0),
        replace(HIFI, platform="unknown"),
        # Of the best runs that training had, some look like HiFi.
        replace(ONT, looks_like="pacbio"),
        replace(ONT, basecaller=""),
        LibraryProfile(platform="ont"),
    ],
)
def test_nothing_is_said_of_libraries_that_were_seen(profile: LibraryProfile) -> None:
    assert SEEN.unusual(profile) == ""


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (
            replace(SHORT, read_length=36),
            "reads of 36 bases (it saw 50 to 300: indels in repeats may be missed)",
        ),
        (replace(ONT, read_length=50_000), "reads of 50,000 bases (it saw 10,000 to 10,000: "),
        (
            replace(SHORT, depth=4.25),
            "a depth of 4.2 (it saw 8 to 250: heterozygous variants may be missed)",
        ),
        (replace(SHORT, depth=900.0), "a depth of 900 (it saw 8 to 250: GQ may be off"),
        (
            replace(ONT, error_rate=0.02),
            "2 % wrong bases among those of quality 20 and more (it saw 0.02 % to 0.05 %: "
            "base errors may be called)",
        ),
        (replace(SHORT, paired=False), "single reads (it saw reads in pairs: "),
        (replace(HIFI, paired=True), "reads in pairs (it saw single reads: "),
        (
            replace(HIFI, base_quality=0.0, quality_levels=1),
            "no base qualities (it saw binned base qualities and base qualities of many levels: ",
        ),
        (replace(SHORT, quality_levels=4), "binned base qualities (it saw base qualities of many"),
        (
            replace(ONT, basecaller="dna_r10.4.1_e8.2_260bps_fast@v4.0.0"),
            "the basecalling model dna_r10.4.1_e8.2_260bps_fast@v4.0.0 (it saw sup: "
            "errors in homopolymers may be called)",
        ),
        (
            replace(SHORT, platform="ont"),
            "@RG PL says ONT where the reads look like Illumina (",
        ),
        (
            replace(ONT, platform="illumina"),
            "@RG PL says Illumina where the reads look like ONT (",
        ),
        (
            replace(HIFI, looks_like="ont"),
            "@RG PL says PacBio HiFi where the reads look like ONT (",
        ),
    ],
)
def test_each_unusual_thing_is_said_once_with_its_cost(profile: LibraryProfile, said: str) -> None:
    text = SEEN.unusual(profile)
    assert text.startswith(said)
    assert ";" not in text
    assert "\n" not in text


def test_several_unusual_things_are_one_sentence() -> None:
    text = SEEN.unusual(replace(SHORT, platform="ont", read_length=36, depth=3.0, paired=False))
    assert text.count("; ") == 3
    assert [text.count(said) for said in ("PL says", "36 bases", "depth of 3 ", "single")] == [
        1
    ] * 4


def test_a_platform_that_was_not_seen() -> None:
    seen = summarise({"short": [SHORT]}, lambda depth: [depth])
    assert seen.unusual(ONT) == "ONT reads (it saw Illumina: indels may be wrong)"
    text = seen.unusual(replace(ONT, platform="illumina"))
    assert text.startswith("@RG PL says Illumina where the reads look like ONT (")
    assert text.endswith("; ONT reads (it saw Illumina: indels may be wrong)")


def test_a_short_read_platform_that_was_not_seen_passes_for_what_it_looks_like() -> None:
    ion = replace(SHORT, platform="iontorrent")
    assert SEEN.unusual(ion) == (
        "Ion Torrent reads (it saw Illumina, ONT and PacBio HiFi: "
        "indels of homopolymers may be wrong)"
    )
    assert "Element reads" in SEEN.unusual(replace(SHORT, platform="element"))
    assert SEEN.told(ion).platform == "illumina"


def test_a_model_that_has_seen_a_platform_is_told_it() -> None:
    ion = replace(SHORT, platform="iontorrent")
    seen = summarise({"ion": [ion]}, lambda depth: [depth])
    assert seen.unusual(ion) == ""
    assert seen.told(ion) == ion


def test_kinds_are_told_apart_by_platform() -> None:
    assert list(SEEN.kinds) == ["illumina", "ont", "pacbio"]
    assert SEEN.folders == {"short": 2, "hifi": 2, "ont": 2}
    ont = SEEN.kinds["ont"]
    assert (ont.samples, ont.stated, ont.looks_like) == (2, ("ont",), ("ont", "pacbio"))
    assert (ont.pairings, ont.qualities) == (("single",), ("many levels",))
    assert (ont.basecallers, SEEN.kinds["pacbio"].basecallers) == (("sup",), ("ccs",))
    assert SEEN.kinds["pacbio"].stated == ("pacbio", "unknown")
    assert kind_of(replace(ONT, looks_like="pacbio")) == "ont"
    assert kind_of(replace(ONT, platform="unknown")) == "ont"
    assert kind_of(replace(ONT, platform="illumina")) == "ont"
    assert kind_of(replace(SHORT, platform="ont")) == "illumina"


def test_basecallers_that_meant_nothing_in_training_are_not_told() -> None:
    assert SEEN.told(ONT) == ONT
    assert SEEN.told(HIFI) == HIFI
    assert SEEN.told(replace(ONT, basecaller="x_fast")).basecaller == ""
    assert SeenLibraries().told(ONT) == replace(ONT, basecaller="")
    # All of them occur in training where nothing is known, as wrong words: they mean nothing then,
    # but are no unseen words, which stand for "unknown".
    rng = np.random.default_rng(1)
    rows = write_tokens(PromptContext(), ["A"] * 2000, [("C",)] * 2000, rng=rng)
    assert {token for word in BASECALLERS for token in encode(word)} <= set(rows.ravel().tolist())


Stating = Callable[[dict[str, Any]], str]


@pytest.fixture
def model(tmp_path: Path) -> Stating:
    """Makes a file whose card says something of the training."""

    def make(training: dict[str, Any]) -> str:
        path = tmp_path / "model.safetensors"
        path.write_bytes(save({}, {"training": json.dumps(training)}))
        return str(path)

    return make


def test_the_card_gives_back_what_it_was_told(model: Stating) -> None:
    told = replace(SEEN, snv_density=0.002)
    for seen in (SEEN, told):
        assert SeenLibraries.of_model(model({"seen": seen.to_mapping()})) == seen


@pytest.mark.parametrize("training", [{}, {"seen": {}}, {"seen": {"platforms": ["illumina"]}}])
def test_a_card_that_says_nothing_is_no_reason_to_warn(
    model: Stating, training: dict[str, Any]
) -> None:
    seen = SeenLibraries.of_model(model(training))
    assert seen.unusual(replace(SHORT, platform="ont", read_length=20)) == ""


@pytest.mark.parametrize(
    "seen",
    [
        {"kinds": {"ont": {}}}, {"kinds": [1]}, {"folders": {"a": "many"}}, [1],
        {"snv_density": 0.0}, {"snv_density": "few"},
    ],
)  # fmt: skip
def test_a_card_of_another_form_is_refused(model: Stating, seen: Any) -> None:
    with pytest.raises(ModelError, match="does not say in a known form"):
        SeenLibraries.of_model(model({"seen": seen}))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seen")
    return write_reference(folder / "ref.fa", {"chr1": random_sequence(6000)})


def reads_of(reference: Path, folder: Path, platform: str, length: int) -> Path:
    described = f"basecall_model={SUP}" if platform == "ONT" else ""
    group = ReadGroup(platform=platform, description=described)
    reads = ReadsBuilder(reference, read_groups=[group])
    return reads.tile(read_length=length, step=5).write_bam(folder / f"{platform}{length}.bam")


def test_f39_a_run_warns_once_and_tells_the_model_no_word_it_does_not_know(
    reference: Path, tmp_path: Path, model: Stating, caplog: pytest.LogCaptureFixture
) -> None:
    single = replace(SHORT, paired=False, quality_levels=1, depth=20.0)
    kinds = {"short": [single, replace(single, read_length=100)]}
    seen = summarise(kinds, lambda depth: [8.0, depth]).to_mapping()
    path = model({"seen": seen})

    def planned(reads: Path) -> LibraryProfile:
        caplog.clear()
        options = CallOptions(reads=reads, reference=reference, model=path)
        inputs = open_inputs(reads, reference)
        return plan_worker(options, inputs, measure_profile(inputs)).profile

    profile = planned(reads_of(reference, tmp_path, "ONT", 50))
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path}/ONT50.bam is unlike what the model was trained on: ")
    assert "PL says ONT where the reads look like Illumina" in message
    assert "reads of 50 bases" in message
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "basecalling" not in message
    assert profile.basecaller == ""
    planned(reads_of(reference, tmp_path, "ILLUMINA", 100))
    assert caplog.messages == []


def test_f39_check_says_the_same(
    reference: Path, tmp_path: Path, model: Stating, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model({"seen": SEEN.to_mapping()})
    reads = reads_of(reference, tmp_path, "ONT", 40)
    words = ["check", str(reads), "--ref", str(reference)]
    assert run([*words, "-m", path]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert ["ok", "model", f"{path} was trained on 6 samples of Illumina, ONT and PacBio HiFi"] in (
        lines
    )
    level, check, message = lines[-1]
    assert (level, check) == ("warning", "library")
    assert message.startswith(f"{reads} is unlike what the model was trained on: @RG PL says ONT")
    assert run([*words, "-m", model({})]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert lines[-2:] == [
        ["ok", "library", "single reads, of 40 bases, at a depth of 7.9"],
        ["ok", "model", f"{path} does not say what it was trained on"],
    ]


def test_f39_check_names_a_model_that_cannot_be_read(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reads = reads_of(reference, tmp_path, "ILLUMINA", 100)
    assert run(["check", str(reads), "--ref", str(reference), "-m", "absent"]) == 1
    assert "error    model      No model weights at absent" in capsys.readouterr().out


def test_check_without_reads_and_with_wrong_inputs(
    reference: Path, tmp_path: Path, model: Stating, capsys: pytest.CaptureFixture[str]
) -> None:
    reads = ReadsBuilder(reference).write_bam(tmp_path / "none.bam")
    words = ["check", str(reads), "--ref", str(reference)]
    assert run([*words, "-m", model({"seen": SEEN.to_mapping()})]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[-2:]] == [["ok", "library"], ["ok", "model"]]
    assert lines[-2].endswith("no reads to measure")
    assert run([*words, "-m", model({}), "--sample", "nobody"]) == 1
    checks = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert "library" not in checks
