"""The prompt: a fixed grammar over a small vocabulary, written as token rows.

The text is Med-PaLM M's variant-calling prompt (arXiv 2307.14334, Table A.9) with context between
its instruction and its question. A vocabulary entry is a piece of text with its leading space, so
a text is the concatenation of its pieces and tokenising is exactly reversible.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, log
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

INSTRUCTION = (
    "Instructions: You are a helpful genetic assistant. The following are questions about variant "
    "calling. Identify the number of copies of the putative variant in pileup images."
)
QUESTION = (
    "\nGiven <img>. Q: How many copies of this putative variant are shown in the middle of the "
    "image? (A) 0 (B) 1 (C) 2 A:"
)
OPTIONS = (" 0", " 1", " 2")
VERSION = 1
"""Raised whenever the vocabulary or the grammar changes: weights belong to one version."""

PAD, UNKNOWN = "<pad>", " unknown"
ASSAYS = (" genome", " exome", " panel")
PLATFORMS = (
    " illumina", " dnbseq", " element", " ultima", " iontorrent", " pacbio", " ont",
)  # fmt: skip
PAIRINGS = (" paired", " single")
PLOIDIES = (" haploid", " diploid")
READ_LENGTHS = (36, 50, 75, 100, 125, 150, 200, 250, 300, 500, 1000, 2000, 5000, 10000, 20000)
DEPTHS = (5, 8, 12, 16, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 400)
PERCENTS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
"""Levels of base error and slippage; a rate becomes the nearest one by ratio."""

SLIPPAGE_RUNS = (" 6-8", " 9-11", " 12-14", " 15-20")
FEWEST_SPANNING_READS = 50
"""A slippage rate measured on fewer reads is said to be unknown."""

TYPES = (" SNV", " MNV", " insertion", " deletion", " two alleles")
BASES = (" A", " C", " G", " T", " N")
LONGEST_SPELLED = 12
"""Longer alleles are written as their length and both ends."""

END_BASES = 4
LONG_LENGTHS = (15, 20, 30, 50, 100)
MOST_ALLELE_TOKENS = 3 * LONGEST_SPELLED + len((" or",))


def _bucket_words(values: Sequence[float], unit: str) -> tuple[str, ...]:
    return tuple(f" {value:g}{unit}" for value in values)


READ_LENGTH_WORDS = _bucket_words(READ_LENGTHS, "bp")
DEPTH_WORDS = _bucket_words(DEPTHS, "x")
PERCENT_WORDS = _bucket_words(PERCENTS, "%")
LENGTH_WORDS = (*(f" <={n}" for n in LONG_LENGTHS), f" >{LONG_LENGTHS[-1]}")

_CONTEXT = "\nContext: assay{}, platform{}, reads{}{}, depth{}, ploidy{}, error{}, slippage{}."
_VARIANT = "\nVariant:{}, REF{}, ALT{}. Measured <features>."
_FIXED_WORDS = re.compile(r" ?<\w+>| \([A-Z]\)| A:|\n\w+| ?\w+|[^\w ]")


def _build_vocabulary() -> tuple[str, ...]:
    fixed = INSTRUCTION + _CONTEXT.replace("{}", "") + _VARIANT.replace("{}", "") + QUESTION
    pieces = [PAD, *OPTIONS, *_FIXED_WORDS.findall(fixed), UNKNOWN, " or", " length", " to"]
    pieces += [*ASSAYS, *PLATFORMS, *PAIRINGS, *PLOIDIES, *TYPES, *BASES, *SLIPPAGE_RUNS]
    pieces += [*READ_LENGTH_WORDS, *DEPTH_WORDS, *PERCENT_WORDS, *LENGTH_WORDS]
    return tuple(dict.fromkeys(pieces))


VOCABULARY = _build_vocabulary()
"""The pieces of text, by token id."""

_ID = {piece: i for i, piece in enumerate(VOCABULARY)}
_PIECE = re.compile("|".join(re.escape(p) for p in sorted(VOCABULARY[1:], key=len, reverse=True)))

PAD_TOKEN, UNKNOWN_TOKEN = _ID[PAD], _ID[UNKNOWN]
IMAGE_TOKEN, FEATURES_TOKEN = _ID[" <img>"], _ID[" <features>"]
OPTION_TOKENS = tuple(_ID[option] for option in OPTIONS)


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


class LibraryLike(Protocol):
    """What the prompt says of a library; `varcall.reads.library_profile.LibraryProfile` is one."""

    @property
    def platform(self) -> str:
        """Sequencing platform, such as "illumina"."""
        ...

    @property
    def paired(self) -> bool:
        """Whether reads come in pairs."""
        ...

    @property
    def read_length(self) -> int:
        """Bases of a typical read."""
        ...

    @property
    def depth(self) -> float:
        """Mean reads over a base."""
        ...

    @property
    def error_rate(self) -> float:
        """Share of wrong bases among confident ones."""
        ...

    @property
    def slippage(self) -> Sequence[float]:
        """Share of reads that miscount homopolymers, by `SLIPPAGE_RUNS`."""
        ...

    @property
    def slippage_reads(self) -> Sequence[int]:
        """Reads behind each slippage."""
        ...


@dataclass(frozen=True, slots=True)
class PromptContext:
    """What a prompt says of the sample, in words of the vocabulary; one per sample."""

    assay: str = UNKNOWN
    platform: str = UNKNOWN
    pairing: str = UNKNOWN
    read_length: str = UNKNOWN
    depth: str = UNKNOWN
    ploidy: str = " diploid"
    error: str = UNKNOWN
    slippage: tuple[str, str, str, str] = (UNKNOWN,) * 4

    @classmethod
    def from_profile(
        cls, profile: LibraryLike, assay: str = "genome", ploidy: int = 2
    ) -> "PromptContext":
        """Quantise a library profile into words; what it does not know becomes "unknown".

        Parameters
        ----------
        profile
            Its rates are fractions; a slippage rate behind which stand fewer than
            `FEWEST_SPANNING_READS` reads is unknown.
        assay
            "genome", "exome" or "panel".
        ploidy
            1 or 2; anything else is unknown.
        """
        a, b, c, d = (
            _percent_word(rate) if reads >= FEWEST_SPANNING_READS else UNKNOWN
            for rate, reads in zip(profile.slippage, profile.slippage_reads, strict=True)
        )
        return cls(
            assay=_known(f" {assay}", ASSAYS),
            platform=_known(f" {profile.platform.lower()}", PLATFORMS),
            pairing=PAIRINGS[0] if profile.paired else PAIRINGS[1],
            read_length=_nearest(profile.read_length, READ_LENGTHS, READ_LENGTH_WORDS),
            depth=_nearest(profile.depth, DEPTHS, DEPTH_WORDS),
            ploidy=dict(zip((1, 2), PLOIDIES, strict=True)).get(ploidy, UNKNOWN),
            error=_percent_word(profile.error_rate),
            slippage=(a, b, c, d),
        )

    @property
    def text(self) -> str:
        """The context's line of the prompt."""
        runs = "".join(
            f"{run}{rate}" for run, rate in zip(SLIPPAGE_RUNS, self.slippage, strict=True)
        )
        return _CONTEXT.format(
            self.assay, self.platform, self.pairing, self.read_length, self.depth, self.ploidy,
            self.error, runs,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class VariantQuestion:
    """A putative variant: REF and the one or two ALT alleles whose copies are asked for."""

    ref: str
    alts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The variant's line of the prompt."""
        ref, *alts = (_allele_text(allele) for allele in (self.ref, *self.alts))
        return _VARIANT.format(variant_type(self.ref, self.alts), ref, " or".join(alts))


def prompt_text(context: PromptContext, question: VariantQuestion) -> str:
    """Return the whole prompt as text; the answer is one of `OPTIONS`."""
    return INSTRUCTION + context.text + question.text + QUESTION


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


def _known(word: str, words: Sequence[str]) -> str:
    return word if word in words else UNKNOWN


def _nearest(value: float, levels: Sequence[float], words: Sequence[str]) -> str:
    """Return the word of the level nearest by ratio; values that are not positive are unknown."""
    if not 0 < value < inf:
        return UNKNOWN
    distances = [abs(log(value) - log(level)) for level in levels]
    return words[distances.index(min(distances))]


def _percent_word(rate: float) -> str:
    if not 0 <= rate < inf:
        return UNKNOWN
    return _nearest(max(100 * rate, PERCENTS[0]), PERCENTS, PERCENT_WORDS)


_QUESTION_TOKENS = encode(QUESTION)
PREFIX_TOKENS: tuple[int, ...] = tuple(encode(INSTRUCTION))
"""The fixed instruction that starts every row."""

_PLAIN_HEAD = encode(INSTRUCTION + PromptContext().text)
HEAD_LENGTH = len(_PLAIN_HEAD)
"""Tokens of instruction and context, the same for every sample."""

CONTEXT_COLUMNS: tuple[int, ...] = tuple(
    i for i, token in enumerate(_PLAIN_HEAD) if VOCABULARY[token] in (UNKNOWN, " diploid")
)
"""Columns of a row that hold what is said of the sample; each may say "unknown" instead."""

PROMPT_LENGTH = (
    HEAD_LENGTH + len(encode(_VARIANT.format(TYPES[0], "", ""))) + MOST_ALLELE_TOKENS
    + len(_QUESTION_TOKENS)
)  # fmt: skip
"""Tokens of a row: the longest prompt of the grammar."""

_FEATURES_AND_QUESTION = encode(" <features>." + QUESTION)
TEXT_LENGTH = PROMPT_LENGTH - len(_FEATURES_AND_QUESTION)
"""Leading columns of a row: the words that are read before picture and features."""

QUESTION_TOKENS: tuple[int, ...] = tuple(_FEATURES_AND_QUESTION)
"""The columns after them, the same in every row: `<features>`, the question with `<img>`."""


@lru_cache(maxsize=1 << 16)
def _question_tokens(ref: str, alts: tuple[str, ...]) -> NDArray[np.int32]:
    tokens = np.array(encode(VariantQuestion(ref, alts).text) + _QUESTION_TOKENS, np.int32)
    tokens.flags.writeable = False
    return tokens


def write_tokens(
    context: PromptContext, refs: Sequence[str], alts: Sequence[tuple[str, ...]]
) -> NDArray[np.int32]:
    """Write the prompts of many questions about one sample.

    Parameters
    ----------
    context
        What the prompts say of the sample.
    refs, alts
        REF, and the one or two putative ALTs, of each question.

    Returns
    -------
    int32 [n, PROMPT_LENGTH]: instruction, context, padding, variant, question.
    """
    head = np.array(encode(INSTRUCTION + context.text), np.int32)
    rows = np.full((len(refs), PROMPT_LENGTH), PAD_TOKEN, np.int32)
    rows[:, :HEAD_LENGTH] = head
    for row, ref, alt in zip(rows, refs, alts, strict=True):
        tail = _question_tokens(ref, alt)
        row[PROMPT_LENGTH - len(tail) :] = tail
    return rows
