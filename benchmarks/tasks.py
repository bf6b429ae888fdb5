"""All tasks on all assays: one score sheet, causes, prompts.

Usage: python -m benchmarks.tasks [--held-out EXAMPLES ...] [--files N] [-m MODEL]
           [--history DIR] [--no-record]

The network alone answers every labelled question of every task, of the real slices (truth tells
three tasks there) and of folders of `varcall examples` that training never saw; an assay is a
folder, or a group of slices, by its name. Tables: the score sheet (after MultiMedBench: data, size,
metrics, chance); the confusion of causes, and how often the cause of a refused candidate is right;
what another wording or wrong words about the sample cost; how many pictures are read rightly by all
questions about them. `benchmarks.results` says where the tables are written. Models trained on one
task, or without one assay, stand in `benchmarks.specialists`.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.inputs.sources import Source, all_sources, batches_of
from benchmarks.modalities import trees_of
from benchmarks.results import add_options, report
from benchmarks.runs import hidden
from benchmarks.runs.history import Table
from benchmarks.runs.network import Network, log_loss
from models.context import PLATFORMS
from models.feature_model.triage import Triage
from models.prompt import CONTEXT_COLUMNS, encode
from models.tasks import CAUSE, COPIES, TASK_NAMES
from models.training.batch import Batch
from varcall.evidence.features import FEATURES
from varcall.genotyping.prior import with_prior
from varcall.options import DEFAULT_MODEL
from varcall.reads.seen_libraries import SeenLibraries
from varcall.training.examples import Examples, exemplar_of, make_examples
from varcall.training.spans import load_span
from varcall.workers.window_worker import MIN_CAUSE_VAF

PLAIN = "plain"
PAIRS = "copies of two alleles"
SHEET = (COPIES.name, PAIRS, *(task for task in TASK_NAMES if task != COPIES.name))
"""Rows of the score sheet: the tasks, that of copies by how many ALTs are asked about."""

WORDED = (COPIES.name, CAUSE.name)
"""The tasks that are asked in other words, too."""

OTHER_WORDS = (
    "paraphrased",
    "an example first",
    "nothing said of the sample",
    "stated platform wrong",
    "platform wrong, stated and seen",
)
"""The ways in which these tasks are asked."""

MOST_QUESTIONS = 6
"""Pictures with as many questions or more are counted together."""

_STATED, _SEEN = (CONTEXT_COLUMNS[slot] for slot in (1, 2))
_PLATFORMS = np.array([token for word in PLATFORMS for token in encode(word)], np.int32)
_ILLUMINA, _ONT = (encode(f" {name}")[0] for name in ("illumina", "ont"))

Options = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to n questions of one task about one assay.

    Attributes
    ----------
    labels
        int64 [n], the right option.
    picture
        int64 [n], which picture each question is about: the same number means the same one.
    given
        float32 [n, options], probabilities by the way that they were asked for.
    """

    labels: NDArray[np.int64]
    picture: NDArray[np.int64]
    given: Mapping[str, Options]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which plain questions are answered rightly, bool [n]."""
        return self.is_right(PLAIN)

    def is_right(self, way: str) -> NDArray[np.bool_]:
        """Return which questions are answered rightly in a way, bool [n]."""
        return np.asarray(self.given[way].argmax(axis=1) == self.labels)

    def loss(self, way: str = PLAIN) -> float:
        """Return the mean log loss of a way, nats."""
        return log_loss(self.given[way], self.labels)

    def about(self, chosen: NDArray[np.bool_]) -> "Answers":
        """Return the answers to the chosen questions only, bool [n]."""
        given = {way: probabilities[chosen] for way, probabilities in self.given.items()}
        return Answers(self.labels[chosen], self.picture[chosen], given)


@dataclass(frozen=True, slots=True)
class Assay:
    """All answers about one assay.

    Attributes
    ----------
    tasks
        By name in `SHEET`; those without a labelled question are left out.
    refused
        bool [pictures]: where `varcall call` answers 0 copies.
    is_plain
        bool [pictures]: where so many reads show the allele that a record states its cause.
    """

    tasks: Mapping[str, Answers]
    refused: NDArray[np.bool_]
    is_plain: NDArray[np.bool_]


def told_wrongly(*columns: int) -> hidden.Change:
    """Return what names another platform in some columns of the context: ONT is named Illumina.

    What is not ONT is named ONT; where nothing is stated, the reads' looks tell which it is.
    """

    def change(batch: Batch) -> Batch:
        tokens = batch.tokens.copy()
        stated, seen = tokens[:, _STATED], tokens[:, _SEEN]
        is_ont = np.where(np.isin(stated, _PLATFORMS), stated, seen) == _ONT
        for column in columns:
            tokens[:, column] = np.where(is_ont, _ILLUMINA, _ONT)
        return replace(batch, tokens=tokens)

    return change


def prompt_ways(
    examples: Examples, task: str, rows: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, hidden.Change]:
    """Return the ways to ask some questions of a task, by name."""
    ways: dict[str, hidden.Change] = {PLAIN: hidden.nothing}
    if task not in WORDED:
        return ways
    questions, asked = examples.questions, examples.tasks[task].question[rows]

    def paraphrased(batch: Batch) -> Batch:
        tokens = questions.tokens(asked, task, rng=rng)
        # Training's other words about the sample are ways of their own.
        tokens[:, CONTEXT_COLUMNS] = batch.tokens[:, CONTEXT_COLUMNS]
        return replace(batch, tokens=tokens)

    def with_exemplar(batch: Batch) -> Batch:
        n = len(examples.tasks[task].labels)
        if n == 1:  # it would be its own example
            return batch
        tokens = [
            questions.tokens(asked[[i]], task, exemplar=exemplar_of(examples, task, (row + 1) % n))
            for i, row in enumerate(rows.tolist())
        ]
        return replace(batch, tokens=np.concatenate(tokens))

    changes: tuple[hidden.Change, ...] = (
        paraphrased, with_exemplar, hidden.context_words, told_wrongly(_STATED),
        told_wrongly(_STATED, _SEEN),
    )  # fmt: skip
    return ways | dict(zip(OTHER_WORDS, changes, strict=True))


def answer_source(
    source: Source, network: Network, triage: Triage, trained_density: float | None
) -> Assay:
    """Ask everything that is labelled of a source; the last is `SeenLibraries.snv_density`."""
    answers: dict[str, list[Answers]] = {task: [] for task in SHEET}
    refused: list[NDArray[np.bool_]] = []
    is_plain: list[NDArray[np.bool_]] = []
    n_pictures = 0
    for number, path in enumerate(source.files):
        examples = make_examples(load_span(path), 1.0, 0, tasks=TASK_NAMES)
        rng = np.random.default_rng(number)
        for task in examples.tasks:
            asked = ask(examples, task, network, rng)
            if asked is None:
                continue
            if task == COPIES.name:  # of which every question has a label
                refused.append(is_refused(examples, asked, triage, trained_density))
            for name, part in in_rows(examples, task, asked).items():
                answers[name].append(replace(part, picture=part.picture + n_pictures))
        fraction = examples.questions.features[:, FEATURES.index("putative_fraction")]
        is_plain.append(fraction >= MIN_CAUSE_VAF)
        n_pictures += len(examples)
    tasks = {task: joined(parts) for task, parts in answers.items() if any(map(len, parts))}
    return Assay(tasks, np.concatenate(refused), np.concatenate(is_plain))


def ask(
    examples: Examples, task: str, network: Network, rng: np.random.Generator
) -> Answers | None:
    """Ask the labelled questions of a task about a span, in all ways; None where there is none.

    `rng` draws other words; pictures are numbered as the span's questions are.
    """
    parts = []
    for rows, batch in batches_of(examples, task):
        given = network.answer(batch, prompt_ways(examples, task, rows, rng))
        parts.append(Answers(batch.labels, examples.tasks[task].question[rows], given))
    return joined(parts) if parts else None


def in_rows(examples: Examples, task: str, asked: Answers) -> dict[str, Answers]:
    """Return the answers to a task about a span by the rows of the score sheet."""
    if task != COPIES.name:
        return {task: asked}
    masks = examples.questions.evidence.questions.alleles[asked.picture]
    is_pair = (masks & (masks - 1)) != 0
    return {task: asked.about(~is_pair), PAIRS: asked.about(is_pair)}


def joined(parts: Sequence[Answers]) -> Answers:
    """Put answers of one task together."""
    return Answers(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.picture for part in parts]),
        {way: np.concatenate([part.given[way] for part in parts]) for way in parts[0].given},
    )


def is_refused(
    examples: Examples, copies: Answers, triage: Triage, trained_density: float | None
) -> NDArray[np.bool_]:
    """Return which questions of a span `varcall call` would answer with 0 copies, bool [q]."""
    questions = examples.questions
    answers = triage.answer(questions.features, questions.likelihoods, copies.given[PLAIN])
    answers = with_prior(answers, questions.profile.snv_density, trained_density)
    return np.asarray(answers.argmax(axis=1) == 0)


def percent(share: float) -> str:
    """Spell a share in percent; NaN is no share."""
    return "-" if np.isnan(share) else f"{100 * share:.1f}"


def balanced_accuracy(answers: Answers) -> float:
    """Return the mean over the labels that occur of how many of each are answered rightly."""
    right, labels = answers.right, answers.labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def score_sheet(assays: Mapping[str, Assay]) -> Table:
    """Return the table of all tasks by all assays."""
    titles = ["task", "assay", "questions", "accuracy", "balanced", "commonest label", "uniform"]
    titles += ["log loss", "log loss of the labels' shares"]
    rows = []
    for task, assay, answers in by_task(assays):
        n, k = answers.given[PLAIN].shape
        shares = np.bincount(answers.labels, minlength=k) / n
        entropy = 0.0 - float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
        each = (answers.right.mean(), balanced_accuracy(answers), shares.max(), 1 / k)
        cells = [task, assay, str(n), *map(percent, map(float, each))]
        rows.append([*cells, f"{answers.loss():.3f}", f"{entropy:.3f}"])
    notes = [
        "Percent of the answers of the network alone, with a picture of each; \"balanced\": the "
        "mean of the labels' own accuracies; chance: always the commonest label, or any; log loss "
        "in nats."
    ]  # fmt: skip
    return Table("score-sheet", titles, rows, notes)


def by_task(assays: Mapping[str, Assay]) -> Iterator[tuple[str, str, Answers]]:
    """Yield task, assay and the answers, in the order of the score sheet."""
    for task in SHEET:
        for name, assay in assays.items():
            if task in assay.tasks:
                yield task, name, assay.tasks[task]


def cause_table(assays: Mapping[str, Assay]) -> Table:
    """Return how often each cause is taken for which, all assays together."""
    names = [option.strip() for option in CAUSE.options]
    counts = np.zeros((len(names), len(names)), np.int64)
    for assay in assays.values():
        if (answers := assay.tasks.get(CAUSE.name)) is not None:
            np.add.at(counts, (answers.labels, answers.given[PLAIN].argmax(axis=1)), 1)
    rows = []
    for name, row in zip(names, counts, strict=True):
        right = row[names.index(name)] / row.sum() if row.sum() else float("nan")
        rows.append([name, *map(str, row), percent(right)])
    return Table("causes", ["cause", *(f"said: {name}" for name in names), "right, %"], rows)


def refused_table(assays: Mapping[str, Assay]) -> Table:
    """Return how often the cause is right: of all candidates, and of those that are refused."""
    kinds = ("all", "refused", f"refused, in {MIN_CAUSE_VAF:.0%} of the reads or more")
    total = np.zeros((len(kinds), 2), np.int64)
    rows: list[list[str]] = []
    for name, assay in assays.items():
        if (answers := assay.tasks.get(CAUSE.name)) is None:
            continue
        refused = assay.refused[answers.picture]
        stated = refused & assay.is_plain[answers.picture]
        right = answers.right
        counts = np.array(
            [[len(right), right.sum()]]
            + [[chosen.sum(), right[chosen].sum()] for chosen in (refused, stated)]
        )
        total += counts
        rows += _refused_rows(name, kinds, counts)
    rows += _refused_rows("all of these", kinds, total)
    notes = ["A VCF states the cause of the last kind. Refused: answered with 0 copies."]
    return Table("refused", ["assay", "candidates", "questions", "cause right, %"], rows, notes)


def _refused_rows(
    name: str, kinds: Sequence[str], counts: NDArray[np.int64]
) -> Iterator[list[str]]:
    for kind, (n, right) in zip(kinds, counts.tolist(), strict=True):
        yield [name, kind, str(n), percent(right / n if n else float("nan"))]


def prompt_tables(assays: Mapping[str, Assay]) -> list[Table]:
    """Return what other words cost: accuracy and other answers, and log loss."""
    accuracies: list[list[str]] = []
    losses: list[list[str]] = []
    for task, assay, answers in by_task(assays):
        if task not in WORDED:
            continue
        plain = answers.given[PLAIN].argmax(axis=1)
        named = [task, assay, str(len(answers))]
        accuracies.append([*named, percent(float(answers.right.mean()))])
        losses.append([*named, f"{answers.loss():.3f}"])
        for way in OTHER_WORDS:
            others = int((answers.given[way].argmax(axis=1) != plain).sum())
            share = percent(float(answers.is_right(way).mean()))
            accuracies[-1].append(f"{share} ({others})")
            losses[-1].append(f"{answers.loss(way):.3f}")
    titles = ["task", "assay", "questions", PLAIN, *OTHER_WORDS]
    notes = ["Percent right (answers that are others than in plain words)."]
    return [
        Table("prompts", titles, accuracies, notes),
        Table("prompt-losses", titles, losses, ["Log loss in nats."]),
    ]


def together_table(assays: Mapping[str, Assay]) -> Table:
    """Return how many pictures are read rightly by all questions, by how many these are."""
    rows = []
    for name, assay in assays.items():
        n = len(assay.refused)
        asked, right = np.zeros(n, np.int64), np.zeros(n, np.int64)
        for answers in assay.tasks.values():
            asked += np.bincount(answers.picture, minlength=n)
            right += np.bincount(answers.picture[answers.right], minlength=n)
        for number in range(2, MOST_QUESTIONS + 1):
            is_last = number == MOST_QUESTIONS
            chosen = asked >= number if is_last else asked == number
            if chosen.any():
                all_right = int((right == asked)[chosen].sum())
                share = percent(all_right / int(chosen.sum()))
                label = f"{number} or more" if is_last else str(number)
                rows.append([name, label, str(int(chosen.sum())), str(all_right), share])
    notes = [
        "Questions about one candidate's picture, of all tasks that it is labelled for; each other "
        "variant that \"same haplotype\" is asked about is a question of its own."
    ]  # fmt: skip
    titles = ["assay", "questions a picture", "pictures", "all right", "all right, %"]
    return Table("together", titles, rows, notes)


def tables_of(assays: Mapping[str, Assay]) -> list[Table]:
    """Return all tables."""
    return [
        score_sheet(assays), cause_table(assays), refused_table(assays), *prompt_tables(assays),
        together_table(assays),
    ]  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--held-out", type=Path, nargs="+", default=[], help="varcall examples")
    parser.add_argument("--files", type=int, help="of each folder, at most; all by default")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL)
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    network, triage = Network.load(arguments.model), trees_of(arguments.model)
    density = SeenLibraries.of_model(arguments.model).snv_density
    with tempfile.TemporaryDirectory(prefix="varcall-tasks-") as temporary:
        sources = all_sources(arguments.held_out, arguments.files, Path(temporary))
        assays = {item.name: answer_source(item, network, triage, density) for item in sources}
    if not assays:
        raise SystemExit("there is nothing to ask: give folders of varcall examples, --held-out")
    report(arguments, "tasks", "All tasks on all assays", tables_of(assays))


if __name__ == "__main__":
    main()
