"""Hiding the library profile: what is said instead, and how errors are counted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam

from benchmarks.inputs.slices import Slice, StagedSlice
from benchmarks.profile_effect import (
    LIBRARIES,
    WAYS,
    call,
    errors,
    library,
    taken_for_pcr_free,
    withheld,
)
from benchmarks.runs.answered import Answered
from models.context import UNKNOWN, PromptContext
from varcall.options import CallOptions
from varcall.pipeline import call_variants
from varcall.reads.library_profile import PRIOR_SLIPPAGE, LibraryProfile
from varcall.simulate import SimulatedSample

PCR = LibraryProfile(
    platform="illumina",
    paired=True,
    read_length=150,
    depth=60.0,
    error_rate=0.002,
    slippage=(0.01, 0.05, 0.15, 0.3),
    slippage_reads=(3000, 400, 200, 100),
)


def test_hidden_profile_says_nothing_of_the_library() -> None:
    hidden = withheld(PCR)
    assert PromptContext.from_profile(hidden).slippage == (UNKNOWN,) * 4
    assert hidden.slippage == PRIOR_SLIPPAGE
    assert hidden == withheld(replace(PCR, error_rate=0.0001, slippage=(0.001,) * 4))
    assert (hidden.depth, hidden.read_length) == (PCR.depth, PCR.read_length)


def test_pcr_free_is_said_in_words_and_features() -> None:
    hidden = taken_for_pcr_free(PCR)
    words = PromptContext.from_profile(hidden).slippage
    assert words == (" 0.05%", " 0.2%", " 0.5%", " 2%")
    assert PromptContext.from_profile(PCR).slippage == (" 1%", " 5%", " 20%", " 20%")


def test_libraries_are_named_by_their_slippage() -> None:
    profiles = [replace(PCR, slippage=(0.0, rate, 0.0, 0.0)) for rate in (0.001, 0.01, 0.05)]
    assert tuple(map(library, profiles)) == LIBRARIES


def test_errors_are_told_by_kind() -> None:
    labels = np.array([0, 0, 1, 2, 0])
    answers = np.array([1, 0, 0, 1, 2])
    is_indel = np.array([True, True, True, True, False])
    given = Answered(np.eye(3)[answers], labels, is_indel, np.zeros(5, bool))
    assert [*errors(given)] == ["4", "750.0", "1/1", "1", "1000.0", "1/0"]


def test_profile_as_measured_changes_nothing(tmp_path: Path, small_sample: SimulatedSample) -> None:
    reads, reference = small_sample.bam, small_sample.reference
    (contig,) = pysam.FastaFile(str(reference)).references
    region = f"{contig}:1-4000"
    item = Slice("small", reads.name, reference.name, region, "", None)
    staged = StagedSlice(item, reads, reference, small_sample.truth, (), small_sample.bed)
    output, plain = tmp_path / "given.vcf.gz", tmp_path / "plain.vcf.gz"
    call(staged, WAYS["as measured"], "tiny", output)
    call_variants(
        CallOptions(reads=reads, reference=reference, regions=(region,), output=str(plain))
    )
    given, called = (list(map(str, pysam.VariantFile(str(path)))) for path in (output, plain))
    assert given == called
    assert given
