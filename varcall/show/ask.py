"""Questions in words about a variant: `varcall ask`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.prompt import FARTHEST
from models.tasks import TASKS, Task, find_task
from varcall.errors import InputError, UsageError
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.output.record import vcf_pos
from varcall.pipeline import open_sample
from varcall.show.locus import questions_at, search_window, single_position
from varcall.show.viewer import Asked, Viewer, open_viewer


@dataclass(frozen=True, slots=True)
class AskOptions:
    """Options of ``varcall ask``.

    Attributes
    ----------
    call
        The reads, and how `varcall call` would call them; its output and regions count for nothing.
    position
        `contig:pos`, 1-based.
    alt
        The ALT to ask about, or two with a comma; None asks about each ALT there.
    question
        In words, one of those of `models.tasks`; None asks the question of `task`.
    task
        Name of a task; None where the question tells.
    other
        `contig:pos` of the second variant, where the task names one.
    """

    call: CallOptions
    position: str
    alt: str | None = None
    question: str | None = None
    task: str | None = None
    other: str | None = None

    def __post_init__(self) -> None:
        """Check what is asked."""
        task = self.asked
        if task.names_other_variant and self.other is None:
            raise UsageError(
                f"the question{task.question} is about two variants: name the other one, --other "
                "CONTIG:POS"
            )
        if self.other is not None and not task.names_other_variant:
            raise UsageError(
                "--other goes with questions about two variants: --task same_haplotype"
            )

    @property
    def asked(self) -> Task:
        """The task that question or name stands for.

        Raises
        ------
        UsageError
            It stands for none, or for two; the message lists those that there are.
        """
        if (self.question is None) == (self.task is None):
            raise UsageError(f"give either a question in words or --task NAME: {known_questions()}")
        found = (
            find_task(self.question) if self.question is not None else TASKS.get(self.task or "")
        )
        if found is None:
            what = f"the question {self.question!r}" if self.task is None else f"task {self.task}"
            raise UsageError(f"{what} is none that the model knows: {known_questions()}")
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said of one variant.

    `start` is 0-based; `options` are the answers, `probabilities` theirs; they sum to 1.
    """

    contig: str
    start: int
    ref: str
    alts: tuple[str, ...]
    task: str
    question: str
    options: tuple[str, ...]
    probabilities: tuple[float, ...]
    prompt: str

    @property
    def answer(self) -> str:
        """The likeliest option."""
        return self.options[int(np.argmax(self.probabilities))]

    def to_json(self) -> str:
        """Spell it as a JSON object on one line; POS is 1-based."""
        return json.dumps(
            {
                "contig": self.contig,
                "pos": vcf_pos(self.start),
                "ref": self.ref,
                "alts": self.alts,
                "task": self.task,
                "question": self.question,
                "answer": self.answer,
                "probabilities": {
                    option: round(p, 6)
                    for option, p in zip(self.options, self.probabilities, strict=True)
                },
                "prompt": self.prompt,
            }
        )

    def to_text(self) -> str:
        """Spell it for reading: the variant, the question, each option with its probability."""
        width = max(map(len, self.options))
        lines = [
            f"{self.contig}:{vcf_pos(self.start)} {self.ref}>{','.join(self.alts)}",
            f"Q: {self.question}",
            *(
                f"   {option:<{width}}  {p:.4f}"
                for option, p in zip(self.options, self.probabilities, strict=True)
            ),
            f"A: {self.answer}",
        ]
        return "\n".join(lines)


def known_questions() -> str:
    """Return the questions of all tasks, in one line."""
    return "; ".join(f"{name}:{task.question}" for name, task in TASKS.items())


def run_ask(options: AskOptions) -> list[Reply]:
    """Ask about the candidate at a position, each ALT by itself unless two are named.

    Raises
    ------
    InputError
        No candidate within 20 bases, no such ALT, the other variant too far, or files that cannot
        be used.
    """
    call = options.call
    positions = [options.position] + ([options.other] if options.other else [])
    opened = [open_sample(call, regions=(text,)) for text in positions]
    places = [single_position(*pair) for pair in zip(opened, positions, strict=True)]
    check_distance(options, places)
    with open_viewer(call, opened[0]) as viewer:
        return ask_at(viewer, options, places)


def check_distance(options: AskOptions, places: Sequence[Region]) -> None:
    """See that both variants fit into one picture.

    Raises
    ------
    InputError
        They do not.
    """
    first = places[0]
    if any(
        place.contig != first.contig or abs(place.start - first.start) > FARTHEST
        for place in places
    ):
        raise InputError(
            f"{options.other} is more than {FARTHEST} bases from {options.position}: both variants "
            "must be in one picture"
        )


def ask_at(viewer: Viewer, options: AskOptions, places: Sequence[Region]) -> list[Reply]:
    """Ask about the candidate at the first place; the second one is that of the other variant.

    Raises
    ------
    InputError
        As `questions_at` does, or both places mean the same candidate.
    """
    task, reads = options.asked, options.call.reads
    questions = viewer.look(search_window(*places))
    chosen = questions_at(questions, places[0], reads, options.alt)
    if options.alt is None:
        chosen = chosen[[len(questions.alleles(int(q)).alts) == 1 for q in chosen]]
    other = None
    if len(places) > 1:
        other = int(questions_at(questions, places[1], reads)[0])
        if questions.site[other] in questions.site[chosen]:
            raise InputError(
                f"{options.other} is the same candidate as {options.position}: name another"
            )
    asked = viewer.ask(questions, chosen, task.name, other)
    question = task.question if options.question is None else options.question
    return [_reply(places[0].contig, item, task, question.strip()) for item in asked]


def _reply(contig: str, item: Asked, task: Task, question: str) -> Reply:
    alleles = item.alleles
    return Reply(
        contig=contig,
        start=alleles.start,
        ref=alleles.ref,
        alts=alleles.alts,
        task=task.name,
        question=question,
        options=tuple(option.strip() for option in task.options),
        probabilities=item.answer,
        prompt=item.prompt,
    )
