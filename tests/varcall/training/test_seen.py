"""What a training sees, of the headers of its example files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pytest
from safetensors.numpy import save

from tests.varcall.training.cutting import cut_sample
from varcall.errors import InputError
from varcall.inputs.open import open_inputs
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.measure_library import measure_profile
from varcall.reads.seen_libraries import PERCENTILES
from varcall.simulate import SimulatedSample
from varcall.training.examples import Sampling
from varcall.training.seen import depths_drawn, seen_in
from varcall.training.spans import load_span, read_header, save_span


@pytest.fixture(scope="module")
def spans(small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return cut_sample(small_sample, tmp_path_factory.mktemp("seen") / "first", span=5000)


def test_the_header_alone_has_profile_and_truth(
    spans: list[Path], small_sample: SimulatedSample
) -> None:
    measured = measure_profile(open_inputs(small_sample.bam, small_sample.reference))
    for path in spans:
        span, header = load_span(path), read_header(path)
        assert header.profile == span.profile == measured
        assert (header.truth, header.confident) == (span.truth, span.confident)
        content = path.read_bytes()
        end = 8 + int.from_bytes(content[:8], "little")
        cut = path.parent.parent / "cut.safetensors"
        cut.write_bytes(content[:end])
        assert read_header(cut) == header


@pytest.mark.parametrize("content", [b"", b"\1\0\0\0\0\0\0\0[", save({"a": np.zeros(1)})])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    for read in (read_header, load_span):
        with pytest.raises(InputError, match=r"x\.safetensors is no file of varcall examples"):
            read(path)


def test_samples_are_counted_by_folder_and_told_apart_by_profile(spans: list[Path]) -> None:
    second = spans[0].parent.parent / "second"
    second.mkdir()
    long = LibraryProfile(
        platform="ont", looks_like="ont", read_length=9000, depth=40.0, basecaller="x_sup"
    )
    span = load_span(spans[0])
    save_span(replace(span, profile=long), second / "long.safetensors")
    save_span(span, second / "short.safetensors")
    # A folder that is drawn from twice as often is no other sample.
    files = [*spans, *spans, *sorted(second.iterdir())]
    seen = seen_in(files, Sampling(min_depth=10.0, full_depth_share=0.5))
    assert seen["folders"] == {"first": 1, "second": 2}
    assert list(seen["kinds"]) == ["illumina", "ont"]
    ont = seen["kinds"]["ont"]
    assert (ont["samples"], ont["stated"], ont["basecallers"]) == (1, ("ont",), ("sup",))
    assert ont["ranges"]["read_length"] == (9000.0,) * len(PERCENTILES)
    lowest, *_, highest = ont["ranges"]["depth"]
    assert (lowest, highest) == (10.0, 40.0)
    assert ont["ranges"]["depth"][3] == 40.0


def test_snvs_of_the_truth_are_counted_by_base(
    spans: list[Path], small_sample: SimulatedSample
) -> None:
    with pysam.VariantFile(str(small_sample.truth)) as truth:
        n_snvs = sum(len(record.ref) == len(alt) == 1 for record in truth for alt in record.alts)
    n_bases = sum(read_header(path).bases() for path in spans)
    assert n_snvs > 5
    seen = seen_in(spans, Sampling())
    # Every base of the sample is confident.
    assert seen["snv_density"] == pytest.approx(n_snvs / n_bases, rel=1e-3)


def test_depths_are_those_that_training_draws() -> None:
    sampling = Sampling(min_depth=8.0, full_depth_share=0.25)
    drawn = depths_drawn(80.0, sampling)
    assert drawn.count(80.0) == 0.25 * len(drawn) + 1
    assert min(drawn) == 8.0
    # Evenly by ratio: half of the rest is below the geometric mean.
    below = sum(depth < (8 * 80) ** 0.5 for depth in drawn)
    assert below == pytest.approx(0.75 * len(drawn) / 2, abs=1)
    assert set(depths_drawn(5.0, sampling)) == {5.0}
    assert set(depths_drawn(50.0, Sampling(full_depth_share=1.0))) == {50.0}
