"""Fault F25: bases that are spelled `=` ("identical to the reference base", SAM 1.4)."""

import re
from contextlib import closing
from pathlib import Path

import numpy as np
import pysam
import pytest

from tests.builders import ReadsBuilder, bam_to_cram, random_sequence, write_reference
from tests.varcall.reads.loading import reads_of
from varcall.cli import run
from varcall.inputs.open import check_inputs, open_inputs
from varcall.reads.batch import ReadFilter
from varcall.reads.measure_library import measure_profile
from varcall.simulate import SimulatedSample
from varcall.simulate.learning import learn_noise


def with_equal_bases(bam: Path, reference: Path, to: Path) -> Path:
    """Spell the bases that are the reference's `=`, as `samtools calmd -e` does."""
    to.write_bytes(pysam.calmd("-e", "-b", str(bam), str(reference)))
    pysam.index(str(to))
    with pysam.AlignmentFile(str(to)) as file:
        assert "=====" in (next(iter(file)).query_sequence or "")
    return to


@pytest.fixture(scope="module")
def spelled(
    small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The same reads plain, and with `=` as BAM and as CRAM."""
    folder = tmp_path_factory.mktemp("equal")
    bam = with_equal_bases(small_sample.bam, small_sample.reference, folder / "equal.bam")
    cram = bam_to_cram(bam, folder / "equal.cram", small_sample.reference)
    return {"plain": small_sample.bam, "bam": bam, "cram": cram}


@pytest.mark.parametrize("form", ["bam", "cram"])
def test_f25_calls_and_profile_are_the_same(
    small_sample: SimulatedSample,
    spelled: dict[str, Path],
    untrained_model: Path,
    tmp_path: Path,
    form: str,
) -> None:
    records, profiles = [], []
    for name in ("plain", form):
        output = tmp_path / f"{name}.vcf"
        words = ["call", str(spelled[name]), "--ref", str(small_sample.reference)]
        assert run([*words, "-o", str(output), "--model", str(untrained_model), "--quiet"]) == 0
        records.append([line for line in output.read_text().splitlines() if line[0] != "#"])
        profiles.append(measure_profile(open_inputs(spelled[name], small_sample.reference)))
    assert len(records[0]) > 5
    assert records[1] == records[0]
    assert profiles[1] == profiles[0]
    assert profiles[0].error_rate > 0


@pytest.mark.parametrize("form", ["bam", "cram"])
def test_f25_they_agree_with_the_reference(
    small_sample: SimulatedSample, spelled: dict[str, Path], tmp_path: Path, form: str
) -> None:
    plain = small_sample.bam
    if form == "cram":
        plain = bam_to_cram(plain, tmp_path / "plain.cram", small_sample.reference)
    said = [
        [f.message for f in check_inputs(path, small_sample.reference) if f.check == "bases"]
        for path in (plain, spelled[form])
    ]
    assert said[0] == said[1]
    assert re.search(r"0\.\d+% of \d\d,\d+ sampled bases differ", said[0][0])


def test_f25_noise_that_is_learned_is_the_same(
    small_sample: SimulatedSample, spelled: dict[str, Path], tmp_path: Path
) -> None:
    learned = []
    for form in ("plain", "bam"):
        path = tmp_path / f"{form}.npz"
        learn_noise((spelled[form],), small_sample.reference, path)
        with np.load(path, allow_pickle=False) as arrays:
            learned.append({name: arrays[name].tolist() for name in arrays.files})
    assert learned[0] == learned[1]


@pytest.mark.parametrize("form", ["bam", "cram"])
def test_f25_only_aligned_bases_have_one_to_be_identical_to(tmp_path: Path, form: str) -> None:
    sequence = "ACGTNRacgt" + "TGCATGCATG" + random_sequence(80)
    last = sequence[-2:]
    reference = write_reference(tmp_path / "ref.fa", {"chr1": sequence})
    reads = ReadsBuilder(reference)
    reads.add(start=0, cigar="3H2S4M2I2D6=2P3X1S", seq="=A=C===========G==")
    reads.add(start=0, cigar="10M", seq="=" * 10, qual="*")
    reads.add(start=99, cigar="1M3S", seq="====")
    expected = ["NAACGTNNACGTTGCGTN", "ACGTNNACGT", last[1] + "NNN"]
    if form == "bam":
        # htslib decodes not every CRAM with reads that reach beyond their contig.
        reads.add(start=98, cigar="5M", seq="=====")
        expected.insert(2, last + "NNN")
    bam = reads.write_bam(tmp_path / "reads.bam")
    path = bam if form == "bam" else bam_to_cram(bam, tmp_path / "reads.cram", reference)
    with closing(reads_of(path, reads.contigs, reference=reference)) as source:
        arrays = source.load("chr1", 0, 100, ReadFilter()).arrays
    assert "".join("ACGTN"[code] for code in arrays.bases) == "".join(expected)
