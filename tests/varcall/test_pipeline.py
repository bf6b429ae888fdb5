from dataclasses import replace
from pathlib import Path

import pysam
import pytest
import torch

from models.errors import ModelError
from models.weights.model_weights import load_weights, save_weights
from tests.builders import ReadsBuilder, random_sequence, write_reference
from tests.varcall.genotyping.engines import on_cpu
from varcall.errors import InputError, OutputError
from varcall.options import CallOptions
from varcall.output.merge import MergeOptions, merge_shards
from varcall.pipeline import call_variants
from varcall.simulate import SimulatedSample


def _call(simulated: SimulatedSample, model: Path, output: Path, **changes: object) -> bytes:
    options = CallOptions(
        reads=simulated.bam,
        reference=simulated.reference,
        output=str(output),
        model=str(model),
        window=2000,
    )
    call_variants(replace(options, **changes))  # type: ignore[arg-type]
    return output.read_bytes()


@pytest.fixture(scope="module")
def whole(
    small_sample: SimulatedSample, untrained_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    output = tmp_path_factory.mktemp("whole") / "out.vcf"
    return _call(small_sample, untrained_model, output)


def _records(text: bytes) -> list[bytes]:
    return [line for line in text.splitlines() if not line.startswith(b"#")]


def test_records_are_sorted_valid_and_near_the_truth(
    whole: bytes, small_sample: SimulatedSample, tmp_path: Path
) -> None:
    path = tmp_path / "out.vcf"
    path.write_bytes(whole)
    with pysam.VariantFile(str(path)) as calls, pysam.VariantFile(str(small_sample.truth)) as truth:
        found = [(record.pos, record.ref, record.alts) for record in calls]
        wanted = {record.pos for record in truth}
    assert found == sorted(found, key=lambda key: key[0])
    # The untrained model picks ALTs at random and MNVs are joined, so some positions differ.
    assert len(wanted & {pos for pos, _, _ in found}) >= 0.7 * len(wanted)


@pytest.mark.parametrize(
    "changes",
    [{"threads": 2}, {"batch_size": 1}, {"batch_size": 7}],
    ids=["two processes", "batches of 1", "batches of 7"],
)
def test_d1_bytes_do_not_depend_on_how_it_runs(
    changes: dict[str, object],
    whole: bytes,
    small_sample: SimulatedSample,
    untrained_model: Path,
    tmp_path: Path,
) -> None:
    assert _call(small_sample, untrained_model, tmp_path / "out.vcf", **changes) == whole


@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_d1_bytes_do_not_depend_on_who_has_the_engine(
    engine: str,
    small_sample: SimulatedSample,
    untrained_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One process answers for both workers, as on CUDA; with none there each has its own."""
    calls = {"engine": engine, "no_version": True}
    alone = _call(small_sample, untrained_model, tmp_path / "alone.vcf", **calls)
    monkeypatch.setattr("varcall.workers.schedule.may_use_cuda", lambda *_: True)
    if engine == "torch":
        monkeypatch.setattr("varcall.workers.schedule.load_cuda_engine", on_cpu)
    timings = tmp_path / "timings.tsv"
    calls |= {"threads": 2, "timings": timings}
    assert _call(small_sample, untrained_model, tmp_path / "shared.vcf", **calls) == alone
    (model,) = (x for x in timings.read_text().splitlines() if x.startswith("model\t"))
    assert float(model.split("\t")[1]) > 0


def test_the_engine_waits_for_a_picture_unless_something_was_chosen(
    small_sample: SimulatedSample,
    untrained_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ModelError("it is loaded")

    monkeypatch.setattr("varcall.workers.plan.load_engine", refuse)
    with pysam.FastaFile(str(small_sample.reference)) as reference:
        quiet = (f"{reference.references[0]}:1-100",)
    output = tmp_path / "out.vcf"
    bundled = Path("tiny")
    assert _records(_call(small_sample, bundled, output, regions=quiet)) == []
    for model, chosen in (
        (bundled, {"engine": "torch"}),
        (bundled, {"precision": "fp32"}),
        (bundled, {"device": "cpu"}),
        (untrained_model, {}),
    ):
        with pytest.raises(ModelError, match="it is loaded"):
            _call(small_sample, model, output, regions=quiet, **chosen)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("threads", [1, 2])
def test_cuda_that_is_not_there_is_one_sentence(
    threads: int, small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.vcf"
    with pytest.raises(ModelError, match="No CUDA device is visible to torch; use the device cpu"):
        _call(small_sample, untrained_model, output, device="cuda", threads=threads)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("window", [1000, 3777, 100_000])
def test_d2_records_do_not_depend_on_the_window(
    window: int, whole: bytes, small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    text = _call(small_sample, untrained_model, tmp_path / "out.vcf", window=window)
    assert _records(text) == _records(whole)


def test_d2_a_border_beside_a_record_changes_nothing(
    whole: bytes, small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    for record in _records(whole)[:4]:
        # The first window ends behind the first base of the record.
        window = int(record.split(b"\t")[1])
        text = _call(small_sample, untrained_model, tmp_path / "out.vcf", window=window)
        assert _records(text) == _records(whole), window


def test_d1_three_shards_merge_into_the_whole(
    whole: bytes, small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    parts = [tmp_path / f"{index}.vcf" for index in (1, 2, 3)]
    for index, part in enumerate(parts, start=1):
        _call(small_sample, untrained_model, part, shard=(index, 3))
    merge_shards(MergeOptions(inputs=tuple(parts), output=str(tmp_path / "merged.vcf")))
    assert (tmp_path / "merged.vcf").read_bytes() == whole


def test_regions_give_the_records_that_start_in_them(
    whole: bytes, small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    contig = _records(whole)[0].split(b"\t")[0].decode()
    regions = (f"{contig}:1-5000", f"{contig}:5001-12000")
    text = _call(small_sample, untrained_model, tmp_path / "out.vcf", regions=regions)
    assert _records(text) == _records(whole)


def test_no_reads_give_a_valid_empty_vcf(untrained_model: Path, tmp_path: Path) -> None:
    reference = write_reference(tmp_path / "ref.fa", {"chr1": random_sequence(3000)})
    reads = ReadsBuilder(reference)
    reads.add(contig="chr1", start=100, cigar="100M")
    bam = reads.write_bam(tmp_path / "reads.bam")
    output = tmp_path / "out.vcf.gz"
    call_variants(
        CallOptions(reads=bam, reference=reference, output=str(output), model=str(untrained_model))
    )
    with pysam.VariantFile(str(output)) as calls:
        assert list(calls) == []


def test_timings_name_every_stage(
    small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    timings = tmp_path / "timings.tsv"
    _call(small_sample, untrained_model, tmp_path / "out.vcf", timings=timings)
    rows = [line.split("\t") for line in timings.read_text().splitlines()]
    stages = [row[0] for row in rows if not row[0].startswith("#")]
    assert stages[0] == "stage"
    assert {"read", "candidates", "images", "model", "genotype", "write"} <= set(stages)
    assert all(float(row[1]) >= 0 for row in rows[1:])


def test_a_failure_leaves_no_output(
    small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.vcf.gz"
    with pytest.raises(InputError):
        _call(small_sample, untrained_model, output, sample="nobody")
    with pytest.raises(OutputError):
        _call(small_sample, untrained_model, tmp_path / "missing" / "out.vcf")
    assert list(tmp_path.iterdir()) == []


def test_weights_for_other_features_are_refused(
    small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    caller, card, _ = load_weights(untrained_model)
    other = tmp_path / "other.safetensors"
    names = ("renamed", *card.features[1:])
    save_weights(other, caller, replace(card, features=names), torch.float16)
    with pytest.raises(ModelError, match="other features"):
        _call(small_sample, other, tmp_path / "out.vcf", engine="torch")


def test_cram_gives_the_records_of_its_bam(
    whole: bytes, small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    cram = tmp_path / "reads.cram"
    with (
        pysam.AlignmentFile(str(small_sample.bam)) as source,
        pysam.AlignmentFile(
            str(cram), "wc", template=source, reference_filename=str(small_sample.reference)
        ) as target,
    ):
        for read in source:
            target.write(read)
    pysam.index(str(cram))
    text = _call(small_sample, untrained_model, tmp_path / "out.vcf", reads=cram)
    assert _records(text) == _records(whole)
