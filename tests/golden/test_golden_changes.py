"""What the golden records hold: each of these changes of the program changes some of them.

A change stands for a mistake in the source: columns exchanged, a filter moved, a field of a read
lost. One that leaves all records alone could be made unnoticed.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import prompt
from models.context import PAIRINGS, QUALITY_BINS, SLIPPAGE_RUNS, PromptContext
from pileup.spec import PANELS, READ_ROWS, panel_top
from tests.builders import DUPLICATE, PROPER, QC_FAIL, REVERSE, SECONDARY, SUPPLEMENTARY
from tests.golden.calling import SliceWorkers
from tests.golden.slices import MadeSlice
from varcall.evidence import window
from varcall.evidence.features import FEATURES
from varcall.genotyping import questions
from varcall.options import DEFAULT_EXCLUDE_FLAGS, DEFAULT_MIN_BASE_QUALITY, DEFAULT_MIN_MAPQ
from varcall.reads import loader
from varcall.reads.batch import MISSING_QUALITY, ReadBatch

FLAGS = {
    "secondary": SECONDARY,
    "QC fail": QC_FAIL,
    "duplicate": DUPLICATE,
    "supplementary": SUPPLEMENTARY,
}
OPTIONS: dict[str, dict[str, Any]] = {
    **{
        f"{what} alignments kept": {"exclude_flags": DEFAULT_EXCLUDE_FLAGS & ~flag}
        for what, flag in FLAGS.items()
    },
    "lower MAPQ": {"min_mapq": DEFAULT_MIN_MAPQ - 1},
    "higher MAPQ": {"min_mapq": DEFAULT_MIN_MAPQ + 1},
    "lower base quality": {"min_base_quality": DEFAULT_MIN_BASE_QUALITY - 1},
    "higher base quality": {"min_base_quality": DEFAULT_MIN_BASE_QUALITY + 1},
    "haploid": {"ploidy": 1},
    "no reassembly": {"realign": False},
    "every picture": {"triage": False},
}


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS.keys())
def test_a_filter_or_a_stage(
    made: dict[str, MadeSlice], one_engine: None, changes: dict[str, Any]
) -> None:
    assert SliceWorkers(made, **changes).are_changed()


def test_nothing(workers: SliceWorkers) -> None:
    """What the tests below compare with: no change changes nothing."""
    assert not workers.are_changed()


Change = Callable[[Any], Any]
"""Takes what a function of the program returns and gives back what it would return otherwise."""


def changes_records(
    workers: SliceWorkers,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    function: str,
    change: Change,
) -> bool:
    """Whether records change where a function returns something else."""
    original = getattr(where, function)
    with monkeypatch.context() as patch:
        patch.setattr(where, function, lambda *given, **named: change(original(*given, **named)))
        return workers.are_changed()


@pytest.mark.parametrize(
    "first", range(len(FEATURES) - 1), ids=["-".join(pair) for pair in pairwise(FEATURES)]
)
def test_two_features_exchanged(
    workers: SliceWorkers, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchanged(features: NDArray[np.float32]) -> NDArray[np.float32]:
        features[:, [first, first + 1]] = features[:, [first + 1, first]]
        return features

    assert changes_records(workers, monkeypatch, window, "measure", exchanged)


CHANNELS = {
    name: (panel_top(panel), channel)
    for panel, names in enumerate(PANELS)
    for channel, name in enumerate(names)
}


def panel(images: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """View the pixels of one of the nine channels."""
    top, channel = CHANNELS[name]
    return images[:, top : top + READ_ROWS, :, channel]


@pytest.mark.parametrize(("one", "other"), [*combinations(CHANNELS, 2)])
def test_two_channels_exchanged(
    workers: SliceWorkers, one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchanged(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        before = panel(images, one).copy()
        panel(images, one)[:] = panel(images, other)
        panel(images, other)[:] = before
        return images

    assert changes_records(workers, monkeypatch, window, "encode", exchanged)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_lost(
    workers: SliceWorkers, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blank(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        panel(images, channel)[:] = 0
        return images

    assert changes_records(workers, monkeypatch, window, "encode", blank)


def with_flags(batch: ReadBatch, lost: int) -> ReadBatch:
    return replace(batch, arrays=batch.arrays._replace(flag=batch.arrays.flag & ~np.uint16(lost)))


def with_field(batch: ReadBatch, field: str, value: int) -> ReadBatch:
    values = np.full_like(getattr(batch.arrays, field), value)
    return replace(batch, arrays=batch.arrays._replace(**{field: values}))


def with_mates_apart(batch: ReadBatch) -> ReadBatch:
    fragments = np.arange(len(batch), dtype=np.int32)
    return replace(batch, arrays=batch.arrays._replace(fragment=fragments))


READS: dict[str, Callable[[ReadBatch], ReadBatch]] = {
    "strand lost": lambda batch: with_flags(batch, REVERSE),
    "proper pairs lost": lambda batch: with_flags(batch, PROPER),
    "MAPQ lost": lambda batch: with_field(batch, "mapq", 60),
    "qualities lost": lambda batch: with_field(batch, "qualities", MISSING_QUALITY),
    "mates counted twice": with_mates_apart,
}


@pytest.mark.parametrize("change", READS.values(), ids=READS.keys())
def test_a_field_of_the_reads(
    workers: SliceWorkers,
    change: Callable[[ReadBatch], ReadBatch],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert changes_records(workers, monkeypatch, loader.RecordReads, "load", change)


def test_another_quality_for_reads_without(
    workers: SliceWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "MISSING_QUALITY", MISSING_QUALITY - 5)
    assert workers.are_changed()


def with_other_pairing(context: PromptContext) -> PromptContext:
    paired, single = PAIRINGS
    return replace(context, pairing=single if context.pairing == paired else paired)


CONTEXTS: dict[str, Callable[[PromptContext], PromptContext]] = {
    "assay": lambda context: replace(context, assay=" exome"),
    "platform": lambda context: replace(context, platform=" ont"),
    "pairing": with_other_pairing,
    "read length": lambda context: replace(context, read_length=" 36bp"),
    "depth": lambda context: replace(context, depth=" 12x"),
    "ploidy": lambda context: replace(context, ploidy=" haploid"),
    "seen platform": lambda context: replace(context, seen_platform=" ont"),
    "error": lambda context: replace(context, error=" 1%"),
    "error by quality": lambda context: replace(context, error_by_quality=(" 10%",) * 6),
    "noise": lambda context: replace(context, noise=" 50%"),
    "slippage": lambda context: replace(context, slippage=context.slippage[::-1]),
}


@pytest.mark.parametrize("change", CONTEXTS.values(), ids=CONTEXTS.keys())
def test_a_word_of_the_sample(
    workers: SliceWorkers,
    change: Callable[[PromptContext], PromptContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = questions.write_tokens
    monkeypatch.setattr(
        questions, "write_tokens", lambda context, *given: original(change(context), *given)
    )
    assert workers.are_changed()


def test_ref_and_alt_exchanged(workers: SliceWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    original = questions.write_tokens

    def exchanged(
        context: PromptContext, refs: list[str], alts: list[tuple[str, ...]], *given: object
    ) -> NDArray[np.int32]:
        others = [(ref, *alt[1:]) for ref, alt in zip(refs, alts, strict=True)]
        return original(context, [alt[0] for alt in alts], others, *given)

    monkeypatch.setattr(questions, "write_tokens", exchanged)
    assert workers.are_changed()


WORDS = (
    "\nContext", " assay", ",", " platform", " looks", " reads", " depth", " ploidy", " error",
    " noise", " slippage", *SLIPPAGE_RUNS, *QUALITY_BINS, "\nVariant", " REF", " ALT", " or",
    " Measured",
    " SNV", " insertion", " deletion", " two alleles",
)  # fmt: skip


def without(word: str) -> Change:
    """Return the change that writes "unknown" in place of a word."""
    (token,) = prompt.encode(word)
    return lambda tokens: np.where(tokens == token, prompt.UNKNOWN_TOKEN, tokens)


@pytest.mark.parametrize("word", [pytest.param(word, id=word.strip()) for word in WORDS])
def test_a_word_of_every_prompt(
    workers: SliceWorkers, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert changes_records(workers, monkeypatch, questions.Questions, "tokens", without(word))


@pytest.mark.parametrize("word", [" helpful", " (B)", " 2"])
def test_a_word_of_every_instruction_or_an_option(
    workers: SliceWorkers, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"a prompt does not (start|end) with"):
        changes_records(workers, monkeypatch, questions.Questions, "tokens", without(word))
