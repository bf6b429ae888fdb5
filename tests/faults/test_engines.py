"""X2: the calls of a whole run do not depend on what runs the model."""

from pathlib import Path

import pysam
import pytest

from models.inference.engine import cpu_multiplies_bf16
from tests.models.back_ends import EXPORTED, needs
from varcall.options import CallOptions
from varcall.pipeline import call_variants
from varcall.simulate import SimulatedSample

Call = tuple[int, str, tuple[int | None, ...], int, str, tuple[int, ...]]

BF16_ENGINES = ["torch", pytest.param("openvino", marks=needs("openvino"))]


def _calls(sample: SimulatedSample, engine: str, precision: str, folder: Path) -> list[Call]:
    """Call with every question answered from its picture."""
    output = folder / f"{engine}.vcf"
    call_variants(
        CallOptions(
            reads=sample.bam,
            reference=sample.reference,
            output=str(output),
            engine=engine,
            device="cpu",
            precision=precision,
            triage=False,
        )
    )
    with pysam.VariantFile(str(output)) as records:
        return [
            (
                record.pos,
                f"{record.ref}>{record.alts}",
                call["GT"],
                call["GQ"],
                record.filter.keys()[0],
                call["PL"],
            )
            for record in records
            for call in record.samples.values()
        ]


@pytest.fixture(scope="module")
def reference(
    small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory
) -> list[Call]:
    return _calls(small_sample, "torch", "fp32", tmp_path_factory.mktemp("torch"))


@pytest.mark.parametrize("precision", ["fp32", "auto"])
@pytest.mark.parametrize("engine", ["torch", *EXPORTED, "auto"])
def test_x2_every_engine_makes_the_same_calls(
    engine: str,
    precision: str,
    reference: list[Call],
    small_sample: SimulatedSample,
    tmp_path: Path,
) -> None:
    calls = _calls(small_sample, engine, precision, tmp_path)
    assert [call[:-1] for call in calls] == [call[:-1] for call in reference]
    assert len(calls) > 5
    for (*_, ours), (*_, theirs) in zip(calls, reference, strict=True):
        assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) <= 1


@pytest.mark.skipif(not cpu_multiplies_bf16(), reason="this CPU has no bf16 arithmetic")
@pytest.mark.parametrize("engine", BF16_ENGINES)
def test_x2_bf16_asked_for_changes_no_sure_genotype(
    engine: str, reference: list[Call], small_sample: SimulatedSample, tmp_path: Path
) -> None:
    calls = {call[:2]: call for call in _calls(small_sample, engine, "bf16", tmp_path)}
    sure = [call for call in reference if call[3] >= 25]
    assert len(sure) > 5
    for call in sure:
        assert calls[call[:2]][2] == call[2]
