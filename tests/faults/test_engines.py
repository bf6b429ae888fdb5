"""X2: the calls of a whole run do not depend on what runs the model."""

from pathlib import Path

import pysam
import pytest

from tests.models.back_ends import EXPORTED
from varcall.options import CallOptions
from varcall.pipeline import call_variants
from varcall.simulate import SimulatedSample

Call = tuple[int, str, tuple[int | None, ...], tuple[int, ...]]


def _calls(sample: SimulatedSample, engine: str, folder: Path) -> list[Call]:
    output = folder / f"{engine}.vcf"
    call_variants(
        CallOptions(
            reads=sample.bam,
            reference=sample.reference,
            output=str(output),
            engine=engine,
            device="cpu",
            precision="fp32",
        )
    )
    with pysam.VariantFile(str(output)) as records:
        return [
            (record.pos, f"{record.ref}>{record.alts}", call["GT"], call["PL"])
            for record in records
            for call in record.samples.values()
        ]


@pytest.fixture(scope="module")
def reference(
    small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory
) -> list[Call]:
    return _calls(small_sample, "torch", tmp_path_factory.mktemp("torch"))


@pytest.mark.parametrize("engine", EXPORTED)
def test_x2_every_engine_makes_the_same_calls(
    engine: str, reference: list[Call], small_sample: SimulatedSample, tmp_path: Path
) -> None:
    calls = _calls(small_sample, engine, tmp_path)
    assert [call[:3] for call in calls] == [call[:3] for call in reference]
    assert len(calls) > 5
    for (*_, ours), (*_, theirs) in zip(calls, reference, strict=True):
        assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) <= 1
