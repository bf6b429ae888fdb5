"""The tasks: what the model can be asked, in which words, and which answers there are.

This table is the only place that knows how many tasks there are: prompt, network, engines, training
and calibration follow it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of question.

    Attributes
    ----------
    name
        Of the task, as options and files spell it.
    instruction, question
        What prompts say; the picture comes before the question, the options after it.
    instruction_paraphrases, paraphrases
        Other ways to say the same; training draws one of them or the first.
    options
        The answers, each one word of the vocabulary however many words it is to a reader, with its
        leading space.
    names_other_variant
        Prompts name a second variant.
    """

    name: str
    instruction: str
    question: str
    instruction_paraphrases: tuple[str, ...]
    paraphrases: tuple[str, ...]
    options: tuple[str, ...]
    names_other_variant: bool = False

    @property
    def instructions(self) -> tuple[str, ...]:
        """All ways to say the instruction, the plain one first."""
        return (self.instruction, *self.instruction_paraphrases)

    @property
    def questions(self) -> tuple[str, ...]:
        """All ways to ask the question, the plain one first."""
        return (self.question, *self.paraphrases)


COPIES = Task(
    # Instruction, question and options are Med-PaLM M's (arXiv 2307.14334, Table A.9).
    name="copies",
    instruction=" Identify the number of copies of the putative variant in pileup images.",
    question=(
        " How many copies of this putative variant are shown in the middle of the image?"
    ),
    instruction_paraphrases=(
        " Count the copies of the putative variant in pileup images.",
        " Tell how many copies of the putative variant pileup images show.",
        " Genotype the putative variant in pileup images.",
    ),
    paraphrases=(
        " How many copies of the variant does the sample have?",
        " What is the number of copies of this variant in the middle of the image?",
        " On how many haplotypes of the sample is this putative variant?",
        " What is the genotype, in copies of this variant?",
    ),
    options=(" 0", " 1", " 2"),
)  # fmt: skip

CAUSE = Task(
    name="cause",
    instruction=" Identify why reads differ from the reference in pileup images.",
    question=" Why do reads differ from the reference in the middle of the image?",
    instruction_paraphrases=(
        " Tell what makes reads differ from the reference in pileup images.",
        " Find the cause of the putative variant in pileup images.",
        " Explain the putative variant in pileup images.",
    ),
    paraphrases=(
        " What is the cause of the putative variant in the middle of the image?",
        " What explains the reads that show this variant?",
        " Where do the reads that show this putative variant come from?",
    ),
    options=(
        " real variant",
        " slippage in a repeat",
        " base errors",
        " wrong mapping or hidden copy",
        " adapter or chimera",
        " contamination",
    ),
)

SHARE = Task(
    name="share",
    instruction=" Estimate the share of molecules with the putative variant in pileup images.",
    question=" What share of the molecules carries this putative variant?",
    instruction_paraphrases=(
        " Tell which part of the molecules carries the putative variant in pileup images.",
        " Estimate the fraction of the putative variant in pileup images.",
        " Estimate how many of the molecules carry the variant in pileup images.",
    ),
    paraphrases=(
        " Which part of the molecules carries the variant in the middle of the image?",
        " What is the fraction of molecules with this putative variant?",
        " How many of the molecules have this variant?",
    ),
    options=(" under 10%", " 10-35%", " 35-65%", " 65-90%", " over 90%"),
)

SAME_HAPLOTYPE = Task(
    name="same_haplotype",
    instruction=" Decide whether two putative variants are on the same haplotype.",
    question=" Are this putative variant and the other variant on the same haplotype?",
    instruction_paraphrases=(
        " Phase two putative variants in pileup images.",
        " Tell whether one haplotype carries both variants.",
        " Decide whether molecules carry two variants together.",
    ),
    paraphrases=(
        " Does one haplotype carry both variants?",
        " Are both variants on one haplotype?",
        " Do the molecules with this variant carry the other variant?",
    ),
    options=(" yes", " no", " cannot be told"),
    names_other_variant=True,
)

HAPLOTYPE = Task(
    name="haplotype",
    instruction=" Identify the haplotype that carries the putative variant in pileup images.",
    question=" Which haplotype carries this putative variant?",
    instruction_paraphrases=(
        " Tell which haplotype of the image has the putative variant.",
        " Find the haplotype with the putative variant in pileup images.",
        " Assign the putative variant to haplotypes in pileup images.",
    ),
    paraphrases=(
        " Which haplotype has the variant in the middle of the image?",
        " On which haplotype is this putative variant?",
        " The reads of which haplotype show this variant?",
    ),
    options=(" first", " second", " both", " neither", " cannot be told"),
)

TASKS: dict[str, Task] = {
    task.name: task for task in (COPIES, CAUSE, SHARE, SAME_HAPLOTYPE, HAPLOTYPE)
}

TASK_NAMES = tuple(TASKS)
"""By the index that batches of examples use."""

ANSWERS: tuple[str, ...] = tuple(
    dict.fromkeys(option for task in TASKS.values() for option in task.options)
)
"""The answers of all tasks, in the order of the network's logits; tasks may share some."""


def find_task(question: str) -> Task | None:
    """Return the task that a question in words is of; None where it is none of the grammar's.

    Case, spacing and a missing question mark do not matter.
    """
    wanted = _plain(question)
    return next((task for task in TASKS.values() if wanted in map(_plain, task.questions)), None)


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip("?. ")


def answer_columns(task: str) -> tuple[int, ...]:
    """Return where the options of a task stand among `ANSWERS`."""
    return tuple(ANSWERS.index(option) for option in TASKS[task].options)
