"""The prompt: a fixed grammar over a small vocabulary, written as token rows.

A prompt is an instruction, what is known of the sample, at times an example with its answer, the
variants, and the question with its options. Of the task "copies" it is Med-PaLM M's variant-calling
prompt (arXiv 2307.14334, Table A.9) with context between its instruction and its question. A
vocabulary entry is a piece of text with its leading space, so a text is the concatenation of its
pieces and tokenising is exactly reversible.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.context import CONTEXT, QUALITY_BINS, SLIPPAGE_RUNS, SLOTS, UNKNOWN
from models.context import PromptContext as PromptContext
from models.tasks import ANSWERS, COPIES, TASKS, Task

PREAMBLE = (
    "Instructions: You are a helpful genetic assistant. The following are questions about variant "
    "calling."
)
"""The start of every prompt."""

VERSION = 2
"""Raised whenever the vocabulary or the grammar changes: weights belong to one version."""

PAD = "<pad>"
TYPES = (" SNV", " MNV", " insertion", " deletion", " two alleles")
BASES = (" A", " C", " G", " T", " N")
LONGEST_SPELLED = 12
"""Longer alleles are written as their length and both ends."""

END_BASES = 4
LONG_LENGTHS = (15, 20, 30, 50, 100)
LENGTH_WORDS = (*(f" <={n}" for n in LONG_LENGTHS), f" >{LONG_LENGTHS[-1]}")
FARTHEST = 110
"""Bases from a variant to the other one that a prompt names: both must be in the picture."""

DISTANCE_WORDS = tuple(f" {distance:+d}" for distance in range(-FARTHEST, FARTHEST + 1))

_VARIANT = "\nVariant:{}, REF{}, ALT{}. Measured"
_OTHER_VARIANT = "\nOther variant:{}, REF{}, ALT{}, at{}."
_LITERAL_IMAGE = " Given <img>"
"""In an example, which shows no picture: a word of its own, so it is no place for one."""

_EXEMPLAR = f"\nExample:{{}}, REF{{}}, ALT{{}}.{_LITERAL_IMAGE}. Q:{{}}{{}}"
_QUESTION = " <features>.\nGiven <img>. Q:{}{}"
_LETTERS = "ABCDEFGH"
_FIXED_WORDS = re.compile(r" ?<\w+>| \([A-Z]\)| A:|\n\w+| ?\w+|[^\w ]")

DROPPED_CONTEXT, DROPPED_WORD, WRONG_WORD = 0.05, 0.1, 0.03
"""In training: how often nothing is said of the sample, a word of it is not said, or is wrong."""


def _options_text(task: Task) -> str:
    options = (
        f" ({letter}){option}" for letter, option in zip(_LETTERS, task.options, strict=False)
    )
    return "".join(options) + " A:"


def _build_vocabulary() -> tuple[str, ...]:
    said_of_tasks = [
        text for task in TASKS.values() for text in (*task.instructions, *task.questions)
    ]
    frames = (PREAMBLE, CONTEXT, _VARIANT, _OTHER_VARIANT, _EXEMPLAR, _QUESTION)
    texts = [*(frame.replace("{}", "") for frame in frames), *said_of_tasks]
    pieces = [PAD, *ANSWERS, *(piece for text in texts for piece in _FIXED_WORDS.findall(text))]
    pieces += [*(f" ({letter})" for letter in _LETTERS), " A:", UNKNOWN, _LITERAL_IMAGE]
    pieces += [" or", " length", " to", *TYPES, *BASES, *SLIPPAGE_RUNS, *QUALITY_BINS]
    pieces += [word for words in SLOTS for word in words]
    return tuple(dict.fromkeys((*pieces, *LENGTH_WORDS, *DISTANCE_WORDS)))


VOCABULARY = _build_vocabulary()
"""The pieces of text, by token id."""

_ID = {piece: i for i, piece in enumerate(VOCABULARY)}
_PIECE = re.compile("|".join(re.escape(p) for p in sorted(VOCABULARY[1:], key=len, reverse=True)))

PAD_TOKEN, UNKNOWN_TOKEN = _ID[PAD], _ID[UNKNOWN]
IMAGE_TOKEN, FEATURES_TOKEN = _ID[" <img>"], _ID[" <features>"]
OPTION_TOKENS = tuple(_ID[option] for option in ANSWERS)


def encode(text: str) -> list[int]:
    """Tokenise a text of the grammar.

    Raises
    ------
    ValueError
        At the first character that no piece of the vocabulary covers.
    """
    tokens, at = [], 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise ValueError(f"No word of the vocabulary at {text[at : at + 20]!r}.")
        tokens.append(_ID[piece.group()])
        at = piece.end()
    return tokens


def decode(tokens: Sequence[int] | NDArray[np.integer]) -> str:
    """Return the text of tokens; padding is no text."""
    return "".join(VOCABULARY[token] for token in tokens if token != PAD_TOKEN)


@dataclass(frozen=True, slots=True)
class VariantQuestion:
    """A putative variant: REF and the one or two ALT alleles that are asked about."""

    ref: str
    alts: tuple[str, ...]

    @property
    def words(self) -> tuple[str, str, str]:
        """The words of its type, REF and ALTs."""
        ref, *alts = (_allele_text(allele) for allele in (self.ref, *self.alts))
        return variant_type(self.ref, self.alts), ref, " or".join(alts)

    @property
    def text(self) -> str:
        """The variant's line of the prompt, up to its measured features."""
        return _VARIANT.format(*self.words)


@dataclass(frozen=True, slots=True)
class OtherVariant:
    """The second variant of a question about two.

    `distance` is from the start of the first variant to its start, in bases of the reference,
    negative where it stands before; farther than `FARTHEST` counts as that far.
    """

    ref: str
    alt: str
    distance: int

    @property
    def text(self) -> str:
        """The variant's line of the prompt."""
        nearer = max(-FARTHEST, min(FARTHEST, self.distance))
        return _OTHER_VARIANT.format(
            *VariantQuestion(self.ref, (self.alt,)).words, DISTANCE_WORDS[nearer + FARTHEST]
        )


@dataclass(frozen=True, slots=True)
class Exemplar:
    """An example in words: a variant, and which option of the task is the answer."""

    ref: str
    alts: tuple[str, ...]
    answer: int

    def text(self, task: str) -> str:
        """Return the example's line of the prompt."""
        asked = TASKS[task]
        words = VariantQuestion(self.ref, self.alts).words
        options = _options_text(asked) + asked.options[self.answer]
        return _EXEMPLAR.format(*words, asked.question, options) + "."


def prompt_text(
    context: PromptContext,
    question: VariantQuestion,
    task: str = COPIES.name,
    other: OtherVariant | None = None,
    exemplar: Exemplar | None = None,
) -> str:
    """Return the whole prompt as text; the answer is one of the task's options."""
    asked = TASKS[task]
    return (
        PREAMBLE
        + asked.instruction
        + context.text
        + (exemplar.text(task) if exemplar else "")
        + (other.text if other else "")
        + question.text
        + _QUESTION.format(asked.question, _options_text(asked))
    )


def variant_type(ref: str, alts: Sequence[str]) -> str:
    """Return the word of the vocabulary for a variant's type."""
    if len(alts) > 1:
        return TYPES[4]
    if len(ref) == len(alts[0]):
        return TYPES[0] if len(ref) == 1 else TYPES[1]
    return TYPES[2] if len(alts[0]) > len(ref) else TYPES[3]


def _allele_text(allele: str) -> str:
    bases = [f" {base}" if f" {base}" in BASES else " N" for base in allele.upper()]
    if len(bases) <= LONGEST_SPELLED:
        return "".join(bases)
    length = next(
        (w for n, w in zip(LONG_LENGTHS, LENGTH_WORDS, strict=False) if len(bases) <= n),
        LENGTH_WORDS[-1],
    )
    ends = (*bases[:END_BASES], " to", *bases[-END_BASES:])
    return f" length{length}{''.join(ends)}"


def _encoded(text: str) -> NDArray[np.int32]:
    tokens = np.array(encode(text), np.int32)
    tokens.flags.writeable = False
    return tokens


# The parts of a row, each in columns of its own whatever the others hold.
_INSTRUCTIONS = {
    name: tuple(_encoded(text) for text in task.instructions) for name, task in TASKS.items()
}
_QUESTIONS = {
    name: tuple(_encoded(_QUESTION.format(q, _options_text(task))) for q in task.questions)
    for name, task in TASKS.items()
}
ENDINGS = {name: tuple(encode(_options_text(task))) for name, task in TASKS.items()}
"""The options as they end a prompt of each task."""

_LONGEST_ALLELE = "A" * LONGEST_SPELLED
_PLAIN_CONTEXT = _encoded(CONTEXT.format(*(UNKNOWN,) * len(SLOTS)))

PREFIX_TOKENS: tuple[int, ...] = tuple(encode(PREAMBLE))
"""The words that start every row."""

_CONTEXT_AT = len(PREFIX_TOKENS) + max(len(t) for way in _INSTRUCTIONS.values() for t in way)
HEAD_LENGTH = _CONTEXT_AT + len(_PLAIN_CONTEXT)
"""Columns of instruction and context."""

CONTEXT_COLUMNS: tuple[int, ...] = tuple(
    int(column) for column in _CONTEXT_AT + np.flatnonzero(_PLAIN_CONTEXT == UNKNOWN_TOKEN)
)
"""Columns of a row that hold what is said of the sample; each may say "unknown" instead."""

_SLOT_TOKENS = tuple(np.array([_ID[word] for word in words], np.int32) for words in SLOTS)

_EXEMPLAR_LENGTH = max(
    len(encode(Exemplar(_LONGEST_ALLELE, (_LONGEST_ALLELE,) * 2, 0).text(name))) for name in TASKS
)
_OTHER_LENGTH = len(encode(OtherVariant(_LONGEST_ALLELE, _LONGEST_ALLELE, 0).text))
_VARIANT_LENGTH = len(encode(VariantQuestion(_LONGEST_ALLELE, (_LONGEST_ALLELE,) * 2).text))
_EXEMPLAR_END = HEAD_LENGTH + _EXEMPLAR_LENGTH
_OTHER_END = _EXEMPLAR_END + _OTHER_LENGTH

TEXT_LENGTH = _OTHER_END + _VARIANT_LENGTH
"""Leading columns of a row: the words that are read before features and picture."""

PROMPT_LENGTH = TEXT_LENGTH + max(len(t) for way in _QUESTIONS.values() for t in way)
"""Columns of a row."""


@lru_cache(maxsize=1 << 16)
def _variant_tokens(ref: str, alts: tuple[str, ...]) -> NDArray[np.int32]:
    return _encoded(VariantQuestion(ref, alts).text)


def write_tokens(
    context: PromptContext,
    refs: Sequence[str],
    alts: Sequence[tuple[str, ...]],
    task: str = COPIES.name,
    others: Sequence[OtherVariant] | None = None,
    rng: np.random.Generator | None = None,
    exemplar: Exemplar | None = None,
    fully_told: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """Write the prompts of many questions about one sample.

    Parameters
    ----------
    context
        What the prompts say of the sample.
    refs, alts
        REF, and the one or two putative ALTs, of each question.
    task
        Name of the task.
    others
        The second variant of each question, where the task names one.
    rng
        In training: draws the words of instruction and question, and which words about the sample
        are left out or wrong. None writes the plain prompt.
    exemplar
        An example to show before the variants.
    fully_told
        bool [n], the prompts in which all words about the sample stand, and are right, whatever
        `rng` draws.

    Returns
    -------
    int32 [n, PROMPT_LENGTH], in columns that do not depend on the task: the start of every prompt,
    instruction, context, example, other variant, variant; from `TEXT_LENGTH` on the question, at
    the end of the row. What is shorter than its columns is padded.

    Raises
    ------
    ValueError
        When the task names a second variant and there is none, or the other way round.
    """
    if (others is not None) != TASKS[task].names_other_variant:
        raise ValueError(f"Of the task {task} other variants are needed, or not named.")
    rows = np.full((len(refs), PROMPT_LENGTH), PAD_TOKEN, np.int32)
    rows[:, : len(PREFIX_TOKENS)] = PREFIX_TOKENS
    rows[:, _CONTEXT_AT:HEAD_LENGTH] = _PLAIN_CONTEXT
    rows[:, CONTEXT_COLUMNS] = _context_tokens(context, len(refs), rng, fully_told)
    if exemplar is not None:
        _write_from(rows[:, HEAD_LENGTH:], _encoded(exemplar.text(task)))
    for i, (row, ref, alt) in enumerate(zip(rows, refs, alts, strict=True)):
        _write_from(row[len(PREFIX_TOKENS) :], _drawn(_INSTRUCTIONS[task], rng))
        if others is not None:
            _write_to(row[:_OTHER_END], _encoded(others[i].text))
        _write_to(row[:TEXT_LENGTH], _variant_tokens(ref, alt))
        _write_to(row, _drawn(_QUESTIONS[task], rng))
    return rows


def _context_tokens(
    context: PromptContext,
    n: int,
    rng: np.random.Generator | None,
    fully_told: NDArray[np.bool_] | None,
) -> NDArray[np.int32]:
    """Return the words about the sample, int32 [n, slots]; with `rng` some are unknown or wrong."""
    right = np.tile(np.array([_ID[word] for word in context.words], np.int32), (n, 1))
    if rng is None:
        return right
    anything = np.stack([words[rng.integers(len(words), size=n)] for words in _SLOT_TOKENS], 1)
    chance = rng.random(right.shape)
    told = np.where(chance < WRONG_WORD, anything, right)
    dropped = (chance > 1 - DROPPED_WORD) | (rng.random((n, 1)) < DROPPED_CONTEXT)
    told = np.where(dropped, np.int32(UNKNOWN_TOKEN), told)
    return told if fully_told is None else np.where(fully_told[:, None], right, told)


def _drawn(
    ways: tuple[NDArray[np.int32], ...], rng: np.random.Generator | None
) -> NDArray[np.int32]:
    return ways[0] if rng is None else ways[int(rng.integers(len(ways)))]


def _write_from(columns: NDArray[np.int32], tokens: NDArray[np.int32]) -> None:
    columns[..., : len(tokens)] = tokens


def _write_to(columns: NDArray[np.int32], tokens: NDArray[np.int32]) -> None:
    columns[..., columns.shape[-1] - len(tokens) :] = tokens


def words_of(tokens: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how many words each row of tokens has, int64 [n]."""
    return np.asarray(np.count_nonzero(tokens != PAD_TOKEN, axis=1), np.int64)


def packed(tokens: NDArray[np.int32], width: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Leave out padding of rows, of which every model's answer is independent.

    Parameters
    ----------
    tokens
        int32 [n, c], rows of `write_tokens` or leading columns of them.
    width
        How many columns to keep; no row has more words.

    Returns
    -------
    int32 [n, width] twice: the words of each row in their order, and the columns that they stood
    in. Padding that is left stands behind `PREFIX_TOKENS`, since a word has to see one.
    """
    first = len(PREFIX_TOKENS)
    is_word = tokens[:, first:] != PAD_TOKEN
    order = np.argsort(is_word, axis=1, kind="stable")[:, tokens.shape[1] - width :]
    columns = np.concatenate(
        [np.tile(np.arange(first, dtype=np.int32), (len(tokens), 1)), order + first], axis=1
    ).astype(np.int32)
    return np.take_along_axis(tokens, columns, axis=1), columns
