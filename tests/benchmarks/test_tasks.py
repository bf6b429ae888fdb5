"""The score sheet of tasks by assays."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.inputs.sources import Source, batches_of
from benchmarks.modalities import trees_of
from benchmarks.runs.network import Network
from benchmarks.tasks import (
    OTHER_WORDS,
    PAIRS,
    PLAIN,
    Answers,
    Assay,
    answer_source,
    balanced_accuracy,
    cause_table,
    prompt_tables,
    prompt_ways,
    refused_table,
    score_sheet,
    together_table,
    told_wrongly,
)
from models.prompt import CONTEXT_COLUMNS, UNKNOWN_TOKEN, decode
from models.tasks import CAUSE, COPIES, SHARE, TASK_NAMES, TASKS
from varcall.training.examples import Examples, make_examples
from varcall.training.run import example_files
from varcall.training.spans import load_span

STATED, SEEN = CONTEXT_COLUMNS[1], CONTEXT_COLUMNS[2]


@pytest.fixture(scope="module")
def examples(example_folder: Path) -> Examples:
    return make_examples(load_span(example_files(example_folder)[0]), 1.0, 0, tasks=TASK_NAMES)


def said(task: str, labels: list[int], answers: list[int], picture: list[int]) -> Answers:
    n = len(TASKS[task].options)
    given = np.full((len(labels), n), 0.1 / (n - 1), np.float32)
    given[np.arange(len(labels)), answers] = 0.9
    return Answers(np.array(labels), np.array(picture), {PLAIN: given})


def assay(**tasks: Answers) -> Assay:
    n = 1 + max(int(answers.picture.max()) for answers in tasks.values())
    return Assay(tasks, np.arange(n) % 2 == 0, np.arange(n) < 3)


MADE = {
    "short": assay(
        copies=said(COPIES.name, [0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 2, 3]),
        cause=said(CAUSE.name, [2, 2, 0, 4, 4], [2, 1, 0, 4, 4], [0, 1, 2, 3, 4]),
        share=said(SHARE.name, [0, 2], [0, 2], [0, 3]),
    )
}


def test_accuracies_and_losses_are_those_of_the_answers() -> None:
    copies = MADE["short"].tasks["copies"]
    assert balanced_accuracy(copies) == pytest.approx((2 / 3 + 1) / 2)
    assert copies.loss() == pytest.approx(-(3 * np.log(0.9) + np.log(0.05)) / 4, rel=1e-5)
    (row, *_) = score_sheet(MADE).rows
    assert row[:7] == ["copies", "short", "4", "75.0", "83.3", "75.0", "33.3"]
    assert [row[0] for row in score_sheet(MADE).rows] == ["copies", "cause", "share"]


def test_causes_are_counted_by_what_was_said() -> None:
    rows = {row[0]: row[1:] for row in cause_table(MADE).rows}
    assert rows["base errors"] == ["0", "1", "1", "0", "0", "0", "50.0"]
    assert rows["contamination"] == ["0"] * 6 + ["-"]


def test_causes_of_refused_candidates_are_counted_apart() -> None:
    rows = [row[2:] for row in refused_table(MADE).rows]
    # Pictures 0, 2 and 4 are refused; of these 0 and 2 are plain to see.
    assert rows == [["5", "80.0"], ["3", "100.0"], ["2", "100.0"]] * 2


def test_pictures_are_counted_by_the_questions_about_them() -> None:
    # Picture 0: three right; 1: cause wrong; 2: copies wrong; 3: three right; 4: one question.
    assert together_table(MADE).rows == [
        ["short", "2", "2", "0", "0.0"],
        ["short", "3", "2", "2", "100.0"],
    ]


def test_other_words_are_counted_by_what_they_change() -> None:
    plain = MADE["short"].tasks["copies"]
    changed = said(COPIES.name, [0, 0, 0, 1], [0, 1, 0, 1], [0, 1, 2, 3]).given[PLAIN]
    given = dict.fromkeys((PLAIN, *OTHER_WORDS), plain.given[PLAIN]) | {OTHER_WORDS[2]: changed}
    answers = Answers(plain.labels, plain.picture, given)
    (row,) = prompt_tables({"short": assay(copies=answers)})[0].rows
    assert row == ["copies", "short", "4", "75.0", *["75.0 (0)"] * 2, "75.0 (2)", *["75.0 (0)"] * 2]


def test_another_platform_is_told_and_nothing_else(examples: Examples) -> None:
    _, batch = next(batches_of(examples, COPIES.name))
    assert "platform illumina looks illumina" in decode(batch.tokens[0])
    both = told_wrongly(STATED, SEEN)(batch)
    assert "platform ont looks ont" in decode(both.tokens[0])
    stated = told_wrongly(STATED)(batch)
    assert "platform ont looks illumina" in decode(stated.tokens[0])
    assert (stated.tokens != batch.tokens).sum() == len(batch)
    back = told_wrongly(STATED, SEEN)(both)
    np.testing.assert_array_equal(back.tokens, batch.tokens)


def test_prompts_are_worded_in_other_ways(examples: Examples) -> None:
    rows, batch = next(batches_of(examples, CAUSE.name))
    ways = prompt_ways(examples, CAUSE.name, rows, np.random.default_rng(1))
    texts = {name: [decode(row) for row in way(batch).tokens] for name, way in ways.items()}
    others = texts["paraphrased"]
    assert others != texts[PLAIN]
    assert all(any(q in text for q in TASKS["cause"].questions) for text in others)
    tokens = ways["paraphrased"](batch).tokens
    np.testing.assert_array_equal(tokens[:, CONTEXT_COLUMNS], batch.tokens[:, CONTEXT_COLUMNS])
    shown = texts["an example first"]
    assert all("Example:" in text for text in shown)
    for text, plain in zip(shown, texts[PLAIN], strict=True):
        head, _, tail = text.partition("\nExample:")
        assert plain == head + tail[tail.index("\nVariant:") :]
    bare = ways["nothing said of the sample"](batch).tokens
    assert (bare[:, CONTEXT_COLUMNS] == UNKNOWN_TOKEN).all()


def test_a_task_of_two_variants_is_asked_plainly(examples: Examples) -> None:
    rng = np.random.default_rng(1)
    assert list(prompt_ways(examples, "same_haplotype", np.arange(1), rng)) == [PLAIN]


def test_everything_labelled_is_asked(example_folder: Path, weights: Path) -> None:
    network = Network.load(str(weights))
    source = Source("small", example_files(example_folder))
    found = answer_source(source, network, trees_of(str(weights)), None)
    labelled = [make_examples(load_span(p), 1.0, 0, tasks=TASK_NAMES) for p in source.files]
    for task in TASK_NAMES[1:]:
        labels = np.concatenate([examples.tasks[task].labels for examples in labelled])
        np.testing.assert_array_equal(found.tasks[task].labels, labels)
    n = sum(map(len, labelled))
    assert len(found.refused) == len(found.is_plain) == n
    copies = [found.tasks[name] for name in ("copies", PAIRS) if name in found.tasks]
    assert sorted(np.concatenate([item.picture for item in copies])) == list(range(n))
    masks = np.concatenate([examples.questions.evidence.questions.alleles for examples in labelled])
    assert np.isin(masks[copies[0].picture], [1, 2, 4, 8]).all()
    assert not np.isin(masks, [1, 2, 4, 8])[np.setdiff1d(np.arange(n), copies[0].picture)].any()
    accuracies, losses = prompt_tables({"small": found})
    assert [row[0] for row in accuracies.rows] == ["copies", "cause"]
    for row, task in zip(losses.rows, ("copies", "cause"), strict=True):
        answers = found.tasks[task]
        ways = (PLAIN, *OTHER_WORDS)
        assert row[3:] == [f"{answers.loss(way):.3f}" for way in ways]
        assert len(set(row[3:])) == len(ways)
