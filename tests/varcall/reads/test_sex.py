"""The sex of a sample, as X, Y and the autosomes tell it."""

from pathlib import Path

import pysam
import pytest

from benchmarks.inputs.sexed_reads import LENGTHS, SPANS, Sexed, write_reads, write_reference
from tests.builders import bam_to_cram
from varcall.genotyping.ploidies import decide_ploidies
from varcall.inputs.open import open_inputs
from varcall.inputs.sex_chromosomes import find_x, find_y
from varcall.options import CallOptions
from varcall.pipeline import call_variants
from varcall.reads.sex import FEMALE, MALE, UNKNOWN, SexEvidence, measure_sex


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reference(tmp_path_factory.mktemp("grch38") / "ref.fa")


def measured(reads: Path, reference: Path) -> SexEvidence:
    inputs = open_inputs(reads, reference)
    return measure_sex(inputs, find_x(inputs.header_contigs), find_y(inputs.header_contigs))


@pytest.mark.parametrize("sex", [MALE, FEMALE])
@pytest.mark.parametrize(
    ("depth", "has_gaps", "has_y"), [(5, False, True), (5, True, True), (5, False, False)]
)
def test_the_sex_at_five_reads(
    sex: str, depth: float, has_gaps: bool, has_y: bool, reference: Path, tmp_path: Path
) -> None:
    reads = write_reads(Sexed(sex, depth, has_gaps, has_y), reference, tmp_path / "r.bam")
    evidence = measured(reads, reference)
    assert evidence.sex == sex, evidence.why
    assert evidence.x_depth == pytest.approx(0.5 if sex == MALE else 1.0, rel=0.25)


def test_a_cram_says_the_same(reference: Path, tmp_path: Path) -> None:
    bam = write_reads(Sexed(MALE, 5), reference, tmp_path / "r.bam")
    cram = bam_to_cram(bam, tmp_path / "r.cram", reference)
    assert measured(cram, reference).sex == measured(bam, reference).sex == MALE


# Two X and a Y; one X, and of Y what is misplaced there; a mixture of cells or of samples.
KLINEFELTER = Sexed(MALE, 10, others={"chrX": 2.0})
TURNER = Sexed(FEMALE, 10, others={"chrX": 1.0, "chrY": 0.015})
MIXTURE = Sexed(MALE, 10, others={"chrX": 1.45, "chrY": 0.3})


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (KLINEFELTER, "too many for a female"),
        (TURNER, "too few for a male"),
        (MIXTURE, "neither half nor all"),
        (Sexed(MALE, 0.2), "too few reads lie on the autosomes"),
    ],
)
def test_what_is_neither_is_not_guessed(
    sample: Sexed, said: str, reference: Path, tmp_path: Path
) -> None:
    evidence = measured(write_reads(sample, reference, tmp_path / "r.bam"), reference)
    assert evidence.sex == UNKNOWN
    assert said in evidence.why


def test_a_call_says_what_it_found_and_takes_the_par_of_the_build(
    reference: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reads = write_reads(Sexed(MALE, 5), reference, tmp_path / "r.bam")
    region = f"chrX:{SPANS['chrX'][0] + 1}-{SPANS['chrX'][0] + 2000}"
    options = CallOptions(
        reads=reads, reference=reference, output=str(tmp_path / "o.vcf"), sex="auto",
        regions=(region,),
    )  # fmt: skip
    with caplog.at_level("INFO"):
        call_variants(options)
    assert [one for one in caplog.messages if one.startswith("the sample is male: X has 0.")]
    header = pysam.VariantFile(str(tmp_path / "o.vcf")).header
    (line,) = [str(one).strip() for one in header.records if one.key == "varcall_sex"]
    assert line.startswith("##varcall_sex=<sex=male,from=reads,x_depth=0.")
    assert line.endswith(",build=GRCh38>")
    found = decide_ploidies(options, open_inputs(reads, reference)).map
    assert found.contigs == {"chrX": 1, "chrY": 1}
    assert found.spans["chrX"] == ((10_000, 2_781_479, 2), (155_701_382, 156_030_895, 2))
    assert found.spans["chrY"] == ((10_000, 2_781_479, 0), (56_887_902, 57_217_415, 0))


def test_where_it_cannot_tell_x_and_y_are_called_as_diploid(
    reference: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reads = write_reads(KLINEFELTER, reference, tmp_path / "r.bam")
    options = CallOptions(reads=reads, reference=reference, sex="auto")
    decided = decide_ploidies(options, open_inputs(reads, reference))
    assert (decided.map.contigs, decided.map.spans) == ({}, {})
    assert decided.header[0].startswith("##varcall_sex=<sex=unknown,from=reads")
    said = [one for one in caplog.messages if "--sex auto cannot tell the sex" in one]
    assert len(said) == 1
    assert "say --sex male or --sex female" in said[0]
    assert set(LENGTHS) == {"chr20", "chrX", "chrY"}
