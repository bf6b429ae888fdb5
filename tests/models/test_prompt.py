from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import prompt
from models.context import FEWEST_SPANNING_READS, QUALITY_BINS, SLOTS, UNKNOWN
from models.prompt import (
    Exemplar,
    OtherVariant,
    PromptContext,
    VariantQuestion,
    decode,
    encode,
    packed,
    prompt_text,
    words_of,
    write_tokens,
)
from models.tasks import ANSWERS, TASKS, answer_columns

allele = st.text("ACGTNR", min_size=1, max_size=150)
question = st.builds(VariantQuestion, allele, st.lists(allele, min_size=1, max_size=2).map(tuple))
others = st.builds(OtherVariant, allele, allele, st.integers(-300, 300))
exemplars = st.builds(
    Exemplar, allele, st.lists(allele, min_size=1, max_size=2).map(tuple), st.integers(0, 2)
)
rates = st.floats(0, 1) | st.just(float("nan"))


@dataclass(frozen=True)
class Library:
    platform: str = "illumina"
    looks_like: str = "illumina"
    basecaller: str = ""
    paired: bool = True
    read_length: int = 148
    depth: float = 31.4
    error_rate: float = 0.0021
    mismatch_by_quality: tuple[float, ...] = (0.5, 0.3, 0.06, 0.011, 0.001, 0.0002)
    low_fraction_share: float = float("nan")
    slippage: tuple[float, ...] = (0.001, 0.013, 0.09, 0.4)
    slippage_reads: tuple[int, ...] = (10_000, 800, 90, 12)


contexts = st.builds(
    PromptContext.from_profile,
    st.builds(
        Library,
        platform=st.sampled_from(["illumina", "ONT", "unheard-of"]),
        looks_like=st.sampled_from(["illumina", "ont", "pacbio", "unknown"]),
        basecaller=st.sampled_from(["", "dna_r10.4.1_e8.2_400bps_sup@v5.0.0", "CCS", "guppy"]),
        paired=st.booleans(),
        read_length=st.integers(-1, 10**6),
        depth=st.floats(-1, 10**4),
        error_rate=rates,
        mismatch_by_quality=st.tuples(*[rates] * 6),
        low_fraction_share=rates,
        slippage=st.tuples(rates, rates, rates, rates),
    ),
    st.sampled_from(["genome", "exome", "zoo"]),
    st.integers(0, 3),
)


@settings(max_examples=100)
@given(contexts, question, st.sampled_from(list(TASKS)), others, st.none() | exemplars)
def test_tokenising_is_reversible_and_rows_are_the_text(
    context: PromptContext,
    asked: VariantQuestion,
    task: str,
    other: OtherVariant,
    exemplar: Exemplar | None,
) -> None:
    second = other if TASKS[task].names_other_variant else None
    text = prompt_text(context, asked, task, second, exemplar)
    tokens = encode(text)
    assert decode(tokens) == text
    row = write_tokens(
        context, [asked.ref], [asked.alts], task, second and [second], exemplar=exemplar
    )[0]
    assert row.shape == (prompt.PROMPT_LENGTH,)
    assert row.dtype == np.int32
    assert row[row != prompt.PAD_TOKEN].tolist() == tokens
    assert tuple(row[: len(prompt.PREFIX_TOKENS)]) == prompt.PREFIX_TOKENS
    # Words before the features and from there on have columns of their own; no picture but one.
    assert row.tolist().index(prompt.FEATURES_TOKEN) >= prompt.TEXT_LENGTH
    assert (row == prompt.IMAGE_TOKEN).sum() == 1
    assert (row[: prompt.TEXT_LENGTH] != prompt.IMAGE_TOKEN).all()
    assert row[-1] != prompt.PAD_TOKEN


def test_the_published_prompt_stands_around_the_context() -> None:
    text = prompt_text(PromptContext(), VariantQuestion("A", ("C",)))
    assert text.startswith(
        "Instructions: You are a helpful genetic assistant. The following are questions about "
        "variant calling. Identify the number of copies of the putative variant in pileup images.\n"
    )
    assert text.endswith(
        "\nGiven <img>. Q: How many copies of this putative variant are shown in the middle of "
        "the image? (A) 0 (B) 1 (C) 2 A:"
    )
    assert [prompt.VOCABULARY[token] for token in prompt.OPTION_TOKENS] == list(ANSWERS)
    assert [ANSWERS[column] for column in answer_columns("copies")] == [" 0", " 1", " 2"]


def test_a_library_in_words() -> None:
    assert PromptContext.from_profile(Library()).text == (
        "\nContext: assay genome, platform illumina looks illumina basecaller unknown, reads "
        "paired 150bp, depth 30x, ploidy diploid, error 0.2% absent 50% Q0 20% Q10 5% Q20 1% "
        "Q30 0.1% Q40 0.05%, noise unknown, slippage 6-8 0.1% 9-11 1% 12-14 10% 15-20 unknown."
    )


def test_what_a_long_read_library_says() -> None:
    library = Library(
        platform="PACBIO",
        looks_like="ont",
        basecaller="dna_r10.4.1_e8.2_400bps_sup@v5.0.0",
        paired=False,
        read_length=90_000,
        low_fraction_share=0.43,
        slippage_reads=(FEWEST_SPANNING_READS - 1,) * 4,
    )
    text = PromptContext.from_profile(library).text
    assert "platform pacbio looks ont basecaller sup, reads single 100000bp," in text
    assert ", noise 50%, slippage 6-8 unknown" in text


@pytest.mark.parametrize(
    ("ref", "alts", "text"),
    [
        ("A", ("C",), "SNV, REF A, ALT C."),
        ("AC", ("GT",), "MNV, REF A C, ALT G T."),
        ("A", ("AT",), "insertion, REF A, ALT A T."),
        ("AT", ("A",), "deletion, REF A T, ALT A."),
        ("A", ("AT", "G"), "two alleles, REF A, ALT A T or G."),
        ("ACGT" * 5, ("A",), "deletion, REF length <=20 A C G T to A C G T, ALT A."),
    ],
)
def test_a_variant_in_words(ref: str, alts: tuple[str, ...], text: str) -> None:
    assert VariantQuestion(ref, alts).text == f"\nVariant: {text} Measured"


@pytest.mark.parametrize(
    ("distance", "word"), [(-7, "-7"), (0, "+0"), (110, "+110"), (999, "+110"), (-111, "-110")]
)
def test_the_other_variant_in_words(distance: int, word: str) -> None:
    text = OtherVariant("AT", "A", distance).text
    assert text == f"\nOther variant: deletion, REF A T, ALT A, at {word}."


def test_an_example_in_words_shows_no_picture() -> None:
    text = Exemplar("A", ("G",), 2).text("copies")
    assert text == (
        "\nExample: SNV, REF A, ALT G. Given <img>. Q: How many copies of this putative variant "
        "are shown in the middle of the image? (A) 0 (B) 1 (C) 2 A: 2."
    )
    assert prompt.IMAGE_TOKEN not in encode(text)


def test_a_second_variant_is_given_where_the_task_names_one() -> None:
    other = [OtherVariant("A", "C", 3)]
    for task, given_ in (("copies", other), ("same_haplotype", None)):
        with pytest.raises(ValueError, match=task):
            write_tokens(PromptContext(), ["A"], [("C",)], task, given_)


def test_the_context_columns_hold_what_is_said_of_the_sample() -> None:
    context = PromptContext.from_profile(Library())
    for task in ("copies", "cause"):
        row = write_tokens(context, ["A"], [("C",)], task)[0]
        words = [prompt.VOCABULARY[row[column]] for column in prompt.CONTEXT_COLUMNS]
        assert tuple(words) == context.words
    assert len(SLOTS) == len(context.words)
    assert words.count(UNKNOWN) == 3
    assert len(context.error_by_quality) == len(QUALITY_BINS)


@pytest.mark.parametrize("task", TASKS)
def test_training_sees_every_paraphrase_and_context_left_out_or_wrong(task: str) -> None:
    n = 600
    asked = TASKS[task]
    context = PromptContext.from_profile(Library())
    other = [OtherVariant("A", "C", 3)] * n if asked.names_other_variant else None
    rng = np.random.default_rng(5)
    rows = write_tokens(context, ["A"] * n, [("C",)] * n, task, other, rng)
    texts = [decode(row) for row in rows]
    for row, text in zip(rows[:50], texts, strict=False):
        assert row[row != prompt.PAD_TOKEN].tolist() == encode(text)
    for ways in (asked.instructions, asked.questions):
        shares = [sum(way in text for text in texts) / n for way in ways]
        assert sum(shares) == pytest.approx(1)
        assert min(shares) > 0.1
    told = rows[:, prompt.CONTEXT_COLUMNS]
    plain = np.array([encode(word)[0] for word in context.words])
    known = plain != prompt.UNKNOWN_TOKEN
    unknown = (told == prompt.UNKNOWN_TOKEN)[:, known]
    wrong = (told != plain)[:, known] & ~unknown
    assert unknown.mean() == pytest.approx(0.145, abs=0.03)
    assert wrong.mean() == pytest.approx(0.025, abs=0.01)
    assert unknown.all(axis=1).mean() == pytest.approx(0.05, abs=0.025)
    # What is said wrongly is a word of the same kind.
    for slot, words in enumerate(SLOTS):
        kinds = {prompt.VOCABULARY[token] for token in np.unique(told[:, slot])}
        assert kinds <= {*words, UNKNOWN}
    again = np.random.default_rng(5)
    np.testing.assert_array_equal(
        write_tokens(context, ["A"] * n, [("C",)] * n, task, other, again), rows
    )


def test_leaving_out_padding_keeps_words_and_their_columns() -> None:
    rows = write_tokens(PromptContext(), ["A", "ACGTA"], [("C",), ("A", "AC")])
    width = int(words_of(rows).max()) + 3
    words, columns = packed(rows, width)
    assert words.shape == columns.shape == (2, width)
    for row, kept, places in zip(rows, words, columns, strict=True):
        assert decode(kept) == decode(row)
        np.testing.assert_array_equal(row[places], kept)
        assert tuple(kept[: len(prompt.PREFIX_TOKENS)]) == prompt.PREFIX_TOKENS
        padding = np.flatnonzero(kept == prompt.PAD_TOKEN)
        np.testing.assert_array_equal(padding, len(prompt.PREFIX_TOKENS) + np.arange(len(padding)))


def test_text_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="hello"):
        encode("\nVariant: hello")
