"""`varcall ask`: which candidate, which task, which words, which answer, which messages."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from models.prompt import decode
from models.tasks import TASKS, find_task
from pileup.spec import CENTRE, READS_PANEL, SECOND_NO, SECOND_YES, panel_top
from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.cli import run
from varcall.errors import InputError, UsageError
from varcall.genotyping.answers import CallingModel
from varcall.options import CallOptions
from varcall.show import viewer
from varcall.show.ask import AskOptions, run_ask

SEQUENCE = sequence_with("C" + "A" * 10 + "G")
SNV, OTHER = 200, 225
NEXT = {"A": "C", "C": "G", "G": "T", "T": "A"}


class Engine:
    """Answers the last option with 0.75; keeps what it was asked."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.tasks: list[str] = []
        self.images: list[np.ndarray] = []

    def predict(self, images: np.ndarray, tokens: np.ndarray, *_: np.ndarray | str) -> np.ndarray:
        task = str(_[-1])
        assert images.shape == (len(tokens), 224, 224, 3)
        self.prompts += [decode(row) for row in tokens]
        self.images += list(images)
        self.tasks.append(task)
        n = len(TASKS[task].options)
        answer = np.full((len(tokens), n), 0.25 / (n - 1), np.float32)
        answer[:, -1] = 0.75
        return answer


@pytest.fixture(scope="module")
def locus(tmp_path_factory: pytest.TempPathFactory) -> Locus:
    """Two SNVs on the same reads, and two alleles of a repeat at 300 (0-based)."""
    locus = Locus(tmp_path_factory.mktemp("ask"), SEQUENCE)
    changed = {at: NEXT[SEQUENCE[at]] for at in (SNV, OTHER)}
    locus.show(9, 150, "80M").show(9, 151, "80M", changed)
    locus.show(9, 260, "41M2D40M").show(9, 261, "40M1I40M", inserted="A")
    locus.write()
    return locus


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    model: Any = engine
    monkeypatch.setattr(viewer, "model_of", lambda _: CallingModel(model, None))
    return engine


def options(locus: Locus, position: int = SNV + 1, **about: str | None) -> AskOptions:
    call = CallOptions(reads=locus.folder / "reads.bam", reference=locus.reference)
    return AskOptions(call, f"chr1:{position}", **about)


@pytest.mark.parametrize("task", [name for name in TASKS if name != "same_haplotype"])
def test_each_question_reaches_the_model_in_its_words(
    locus: Locus, engine: Engine, task: str
) -> None:
    question = TASKS[task].paraphrases[0]
    (reply,) = run_ask(options(locus, question=question.upper()))
    assert engine.tasks == [task]
    assert TASKS[task].question in engine.prompts[0]
    assert reply.probabilities[-1] == pytest.approx(0.75, abs=0.01)
    assert reply.answer == TASKS[task].options[-1].strip()
    assert (reply.start, reply.alts) == (SNV, (NEXT[SEQUENCE[SNV]],))


def test_a_question_about_two_variants_names_the_other(locus: Locus, engine: Engine) -> None:
    other = f"chr1:{OTHER + 1}"
    run_ask(options(locus, task="same_haplotype", other=other))
    assert f"at +{OTHER - SNV}." in engine.prompts[0]
    rows = engine.images[0][panel_top(READS_PANEL) :, CENTRE, 1][:18]
    assert Counter(rows.tolist()) == {SECOND_YES: 9, SECOND_NO: 9}


def test_each_alt_of_a_site_is_asked_about_by_itself(locus: Locus, engine: Engine) -> None:
    replies = run_ask(options(locus, 301, task="cause"))
    assert len({reply.alts for reply in replies}) == len(replies) == 2


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"question": "Is it dangerous?"}, "none that the model knows.*How many copies"),
        ({"task": "colour"}, "task colour is none.*copies"),
        ({}, "either a question"),
        ({"task": "copies", "question": "Which haplotype has the variant?"}, "either a question"),
        ({"task": "same_haplotype"}, "--other"),
        ({"task": "copies", "other": "x:1"}, "--other goes with"),
    ],
)
def test_what_cannot_be_asked(locus: Locus, about: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options(locus, **about)


def test_variants_too_far_for_one_picture(locus: Locus, engine: Engine) -> None:
    with pytest.raises(InputError, match="more than 110 bases"):
        run_ask(options(locus, 60, task="same_haplotype", other=f"chr1:{OTHER + 1}"))


def test_a_variant_is_not_its_own_other(locus: Locus, engine: Engine) -> None:
    with pytest.raises(InputError, match="same candidate"):
        run_ask(options(locus, task="same_haplotype", other=f"chr1:{SNV + 1}"))


def test_the_command_prints_text_or_json(
    locus: Locus, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(locus.folder / "reads.bam"), "-f", str(locus.reference)]
    words += ["-r", f"chr1:{SNV + 1}", "--task", "cause"]
    assert run(["ask", *words]) == 0
    assert "A: contamination" in capsys.readouterr().out
    assert run(["ask", *words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pos"] == SNV + 1
    assert sum(told["probabilities"].values()) == pytest.approx(1.0, abs=1e-4)


def test_questions_are_found_whatever_their_case_and_spacing() -> None:
    assert find_task("  which HAPLOTYPE carries  this putative variant") is TASKS["haplotype"]
    assert find_task("Which haplotype") is None
