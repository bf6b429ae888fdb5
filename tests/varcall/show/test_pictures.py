"""`varcall show`: which candidate, which questions, which files, which messages."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.errors import ModelError
from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.errors import InputError, OutputError, UsageError
from varcall.genotyping.answers import CallingModel
from varcall.options import CallOptions
from varcall.show import viewer
from varcall.show.pictures import ShowOptions, run_show

SEQUENCE = sequence_with("C" + "A" * 10 + "G")
SNV = 200


@pytest.fixture(scope="module")
def locus(tmp_path_factory: pytest.TempPathFactory) -> Locus:
    """An SNV at 200 and two alleles of a repeat at 300 (0-based)."""
    locus = Locus(tmp_path_factory.mktemp("show"), SEQUENCE)
    snv = {"A": "C", "C": "G", "G": "T", "T": "A"}[SEQUENCE[SNV]]
    locus.show(9, 150, "80M").show(9, 151, "80M", {SNV: snv})
    locus.show(9, 260, "41M2D40M").show(9, 261, "40M1I40M", inserted="A")
    locus.write()
    return locus


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Collect the labels instead of drawing."""
    from pileup.image import annotated as picture

    labels: list[object] = []

    def render(image: np.ndarray, label: object) -> bytes:
        assert image.shape == (224, 224, 3)
        labels.append(label)
        return b"picture"

    monkeypatch.setattr(picture, "render", render)
    return labels


def options(
    locus: Locus, position: str, output: Path, alt: str | None = None, **call: object
) -> ShowOptions:
    calling = CallOptions(reads=locus.folder / "reads.bam", reference=locus.reference, **call)
    return ShowOptions(calling, position, output, alt)


@pytest.mark.parametrize("position", [201, 195, 215])
def test_the_candidate_at_or_near_a_position(
    locus: Locus, tmp_path: Path, drawn: list[object], position: int
) -> None:
    path = tmp_path / "a.png"
    assert run_show(options(locus, f"chr1:{position}", path)) == [path]
    assert path.read_bytes() == b"picture"
    (label,) = drawn
    assert (label.contig, label.start, label.ref) == ("chr1", SNV, SEQUENCE[SNV])
    assert label.sample == "NA00001"
    assert "Q: How many copies" in label.prompt
    assert sum(label.answer) == pytest.approx(1)
    assert np.argmax(label.answer) == 1


def test_one_picture_per_question(locus: Locus, tmp_path: Path, drawn: list[object]) -> None:
    paths = run_show(options(locus, "chr1:303", tmp_path / "a.png"))
    assert [path.name for path in paths] == ["a.1.png", "a.2.png", "a.3.png"]
    assert [(label.ref, label.alts) for label in drawn] == [
        ("CAA", ("C",)),
        ("C", ("CA",)),
        ("CAA", ("C", "CAAA")),
    ]
    assert "two alleles" in drawn[2].prompt


@pytest.mark.parametrize(
    ("alt", "alts"), [("C", ("C",)), ("CAAA", ("CA",)), ("caaa,c", ("C", "CAAA"))]
)
def test_a_chosen_alt(
    locus: Locus, tmp_path: Path, drawn: list[object], alt: str, alts: tuple[str, ...]
) -> None:
    assert len(run_show(options(locus, "chr1:301", tmp_path / "a.png", alt=alt))) == 1
    assert drawn[0].alts == alts


def test_an_alt_that_is_none(locus: Locus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has the ALT G: choose .* C, CAAA"):
        run_show(options(locus, "chr1:301", tmp_path / "a.png", alt="G"))
    assert not list(tmp_path.iterdir())


def test_no_candidate(locus: Locus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"within 20 bp of chr1:161 .*18 usable reads"):
        run_show(options(locus, "chr1:161", tmp_path / "a.png"))


@pytest.mark.parametrize("position", ["chr1:100-300", "chr1:201,chr1:301"])
def test_more_than_a_position(locus: Locus, tmp_path: Path, position: str) -> None:
    with pytest.raises(UsageError, match="contig:pos"):
        run_show(options(locus, position, tmp_path / "a.png"))


def test_another_kind_of_file(locus: Locus, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.png"):
        options(locus, "chr1:201", tmp_path / "a.pdf")


def test_an_output_that_cannot_be_written(locus: Locus, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="absent"):
        run_show(options(locus, "chr1:201", tmp_path / "absent" / "a.png"))


def test_without_matplotlib(locus: Locus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pileup.image.annotated", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OutputError, match=r"pip install 'varcall-pileup\[report\]'"):
        run_show(options(locus, "chr1:201", tmp_path / "a.png"))


def test_a_model_that_is_not_there(locus: Locus, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="absent"):
        run_show(options(locus, "chr1:201", tmp_path / "a.png", model="absent.safetensors"))


def test_the_answer(
    locus: Locus, tmp_path: Path, drawn: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(images: np.ndarray, *asked: np.ndarray | str) -> np.ndarray:
        tokens, features, likelihoods, task = asked
        assert len(images) == len(tokens) == len(features) == len(likelihoods) == 1
        assert task == "copies"
        return np.array([[0.25, 0.5, 0.25]], np.float32)

    engine = SimpleNamespace(card=None, predict=predict)
    monkeypatch.setattr(viewer, "model_of", lambda plan: CallingModel(engine, None))
    run_show(options(locus, "chr1:201", tmp_path / "a.png"))
    # Answers are rounded before use (models.inference.rounding).
    assert drawn[0].answer == pytest.approx((0.25, 0.5, 0.25), abs=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [({"ploidy": 1}, "haploid"), ({"haploid_contigs": ("chr1",)}, "haploid"), ({}, "diploid")],
)
def test_the_prompt_is_that_of_the_call(
    locus: Locus, tmp_path: Path, drawn: list[object], call: dict[str, object], words: str
) -> None:
    run_show(options(locus, "chr1:201", tmp_path / "a.png", **call))
    assert f" {words}" in drawn[0].prompt


def test_the_candidates_are_those_of_the_call(locus: Locus, tmp_path: Path) -> None:
    """Reads that the call would not use show nothing."""
    with pytest.raises(InputError, match="there is no candidate within 20 bp"):
        run_show(options(locus, "chr1:201", tmp_path / "a.png", min_mapq=61))
