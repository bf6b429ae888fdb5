from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import prompt
from models.prompt import PromptContext, VariantQuestion, decode, encode, prompt_text, write_tokens

allele = st.text("ACGTNR", min_size=1, max_size=150)
question = st.builds(VariantQuestion, allele, st.lists(allele, min_size=1, max_size=2).map(tuple))
rates = st.floats(0, 1) | st.just(float("nan"))


@dataclass(frozen=True)
class Library:
    platform: str = "illumina"
    paired: bool = True
    read_length: int = 148
    depth: float = 31.4
    error_rate: float = 0.0021
    slippage: tuple[float, ...] = (0.001, 0.013, 0.09, 0.4)
    slippage_reads: tuple[int, ...] = (10_000, 800, 90, 12)


contexts = st.builds(
    PromptContext.from_profile,
    st.builds(
        Library,
        st.sampled_from(["illumina", "ONT", "unheard-of"]),
        st.booleans(),
        st.integers(-1, 10**6),
        st.floats(-1, 10**4),
        rates,
        st.tuples(rates, rates, rates, rates),
    ),
    st.sampled_from(["genome", "exome", "zoo"]),
    st.integers(0, 3),
)


@settings(max_examples=60)
@given(contexts, question)
def test_tokenising_is_reversible_and_rows_are_the_text(
    context: PromptContext, asked: VariantQuestion
) -> None:
    text = prompt_text(context, asked)
    tokens = encode(text)
    assert decode(tokens) == text
    row = write_tokens(context, [asked.ref], [asked.alts])[0]
    assert row.shape == (prompt.PROMPT_LENGTH,)
    assert row.dtype == np.int32
    assert row[row != prompt.PAD_TOKEN].tolist() == tokens
    padding = np.flatnonzero(row == prompt.PAD_TOKEN)
    assert (padding == prompt.HEAD_LENGTH + np.arange(len(padding))).all()


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
    assert [prompt.VOCABULARY[token] for token in prompt.OPTION_TOKENS] == [" 0", " 1", " 2"]


def test_a_library_in_words() -> None:
    assert PromptContext.from_profile(Library()).text == (
        "\nContext: assay genome, platform illumina, reads paired 150bp, depth 30x, ploidy "
        "diploid, error 0.2%, slippage 6-8 0.1% 9-11 1% 12-14 10% 15-20 unknown."
    )


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
    assert VariantQuestion(ref, alts).text == f"\nVariant: {text} Measured <features>."


def test_the_context_columns_hold_what_is_said_of_the_sample() -> None:
    row = write_tokens(PromptContext.from_profile(Library()), ["A"], [("C",)])[0]
    words = [prompt.VOCABULARY[row[column]] for column in prompt.CONTEXT_COLUMNS]
    assert "".join(words) == (" genome illumina paired 150bp 30x diploid 0.2% 0.1% 1% 10% unknown")


def test_text_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="hello"):
        encode("\nVariant: hello")
