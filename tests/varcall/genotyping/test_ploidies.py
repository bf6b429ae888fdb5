"""Ploidy by region: from the options to the prompt and to the genotypes of the records."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pysam
import pytest

from models.prompt import decode
from tests.builders import ReadsBuilder, random_sequence, write_reference
from tests.diploid import BOTH, FIRST, SECOND, Change, add_haplotype
from tests.gvcfs import check_gvcf, recovered
from varcall import Caller
from varcall.errors import UsageError, VarcallError
from varcall.genotyping.genotype import call_genotypes, haploid_answers
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.output.merge import MergeOptions, merge_shards
from varcall.pipeline import call_variants, open_sample
from varcall.show.viewer import open_viewer

LENGTHS = {"1": 1500, "X": 3000, "Y": 2000}
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}
# By contig: offset and haplotypes of SNVs. X pairs from 1500 on, Y up to 500.
PLACES = {
    "1": {700: FIRST, 1000: BOTH},
    "X": {400: BOTH, 700: FIRST, 1100: BOTH, 1499: BOTH, 1510: BOTH, 2000: FIRST, 2500: BOTH},
    "Y": {300: BOTH, 1000: BOTH},
}


@dataclass(frozen=True)
class Sample:
    """Reads at 50x of a sample with SNVs, and the BED that says where X and Y pair."""

    options: CallOptions
    par_bed: Path

    def called(self, folder: Path, **options: object) -> list[str]:
        """Return the lines of the records that are no RefCall."""
        output = folder / "out.vcf"
        call_variants(replace(self.options, output=str(output), **options))  # type: ignore[arg-type]
        lines = [line for line in output.read_text().splitlines() if line[0] != "#"]
        return [line for line in lines if line.split("\t")[6] == "PASS"]

    def genotypes(self, folder: Path, **options: object) -> dict[str, str]:
        """Return the GT of each record, by contig and 0-based start."""
        found = {}
        for line in self.called(folder, **options):
            columns = line.split("\t")
            found[f"{columns[0]}:{int(columns[1]) - 1}"] = columns[9].split(":")[0]
        return found


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sexed")
    contigs = {name: random_sequence(n, 60 + i) for i, (name, n) in enumerate(LENGTHS.items())}
    reads = ReadsBuilder(write_reference(folder / "ref.fa", contigs))
    for name, places in PLACES.items():
        changes = [
            Change(at, at + 1, OTHER[contigs[name][at]], haplotypes)
            for at, haplotypes in places.items()
        ]
        for haplotype in (FIRST, SECOND):
            add_haplotype(reads, name, changes, haplotype, step=6)
    bam = reads.write_bam(folder / "reads.bam")
    par_bed = folder / "par.bed"
    par_bed.write_text("X\t1500\t3000\nY\t0\t500\n")
    return Sample(CallOptions(reads=bam, reference=reads.reference), par_bed)


DIPLOID = {
    "1:700": "0/1", "1:1000": "1/1",
    "X:400": "1/1", "X:700": "0/1", "X:1100": "1/1", "X:1499": "1/1", "X:1510": "1/1",
    "X:2000": "0/1", "X:2500": "1/1", "Y:300": "1/1", "Y:1000": "1/1",
}  # fmt: skip
MALE = {place: gt for place, gt in DIPLOID.items() if place != "Y:300"} | dict.fromkeys(
    ("X:400", "X:1100", "X:1499", "Y:1000"), "1"
)


def without_doubt(genotypes: dict[str, str]) -> dict[str, str]:
    """Leave out X:700, where half of the reads differ, which no haploid can have."""
    return {place: gt for place, gt in genotypes.items() if place != "X:700"}


def test_a_male_is_haploid_on_x_and_y_outside_the_par(sample: Sample, tmp_path: Path) -> None:
    found = sample.genotypes(tmp_path, sex="male", par_bed=sample.par_bed)
    assert without_doubt(found) == without_doubt(MALE)
    assert found.get("X:700", "1") == "1"
    assert sample.genotypes(tmp_path) == DIPLOID


def test_haploid_records_have_two_likelihoods_and_are_sure(sample: Sample, tmp_path: Path) -> None:
    for line in sample.called(tmp_path, sex="male", par_bed=sample.par_bed):
        columns = line.split("\t")
        values = dict(zip(columns[8].split(":"), columns[9].split(":"), strict=True))
        likelihoods = [int(value) for value in values["PL"].split(",")]
        assert len(likelihoods) == 2 if values["GT"] == "1" else 3
        assert min(likelihoods) == 0
        if f"{columns[0]}:{int(columns[1]) - 1}" != "X:700":
            assert int(values["GQ"]) >= 20, line


def test_windows_threads_and_shards_change_nothing(sample: Sample, tmp_path: Path) -> None:
    whole = sample.called(tmp_path, sex="male", par_bed=sample.par_bed)
    # 1501 puts the border of the PAR one base beside that of a window.
    for window in (600, 1501):
        options = {"sex": "male", "par_bed": sample.par_bed, "window": window}
        assert sample.called(tmp_path, **options) == whole
    shards = [
        line
        for number in (1, 2, 3)
        for line in sample.called(
            tmp_path, sex="male", par_bed=sample.par_bed, window=700, shard=(number, 3), threads=2
        )
    ]
    assert shards == whole


def test_nothing_is_called_on_the_y_of_a_female_and_it_is_said_once(
    sample: Sample, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = sample.genotypes(tmp_path, sex="female")
    assert found == {place: gt for place, gt in DIPLOID.items() if place[0] != "Y"}
    said = [one for one in caplog.messages if "no calls on Y, as the sample is female" in one]
    assert len(said) == 1
    assert sample.called(tmp_path, sex="female", regions=("Y",)) == []
    assert "##varcall_sex=<sex=female,from=option>\n" in (tmp_path / "out.vcf").read_text()


def test_a_par_of_y_that_is_not_masked_is_said(
    sample: Sample, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sample.called(tmp_path, sex="male", par_bed=sample.par_bed)
    assert [one for one in caplog.messages if "regions of Y are not masked (N)" in one]


def test_a_ploidy_bed_says_the_same(sample: Sample, tmp_path: Path) -> None:
    bed = tmp_path / "ploidy.bed"
    bed.write_text("X\t0\t1500\t1\nY\t0\t500\t0\nY\t500\t2000\t1\n")
    by_sex = sample.called(tmp_path, sex="male", par_bed=sample.par_bed)
    assert sample.called(tmp_path, ploidy_bed=bed) == by_sex
    bed.write_text("X\t1500\t3000\t2\nY\t0\t500\t0\n1\t0\t1500\t2\n")
    assert sample.called(tmp_path, ploidy=1, ploidy_bed=bed) == by_sex


def test_the_older_options_still_work(sample: Sample, tmp_path: Path) -> None:
    on_y = sample.genotypes(tmp_path, haploid_contigs=("Y",))
    assert on_y == DIPLOID | {"Y:300": "1", "Y:1000": "1"}
    assert set(without_doubt(sample.genotypes(tmp_path, ploidy=1, regions=("X",))).values()) <= {
        "0",
        "1",
    }


def test_the_prompt_of_each_site_has_its_ploidy(sample: Sample) -> None:
    options = replace(sample.options, sex="male", par_bed=sample.par_bed)
    with open_viewer(options, open_sample(options)) as viewer:
        questions = viewer.look(Region("X", 0, 3000))
        starts = [questions.alleles(row).start for row in range(len(questions))]
        prompts = [decode(words) for words in questions.tokens()]
        backwards = [decode(words) for words in questions.tokens(np.arange(len(prompts))[::-1])]
    assert set(PLACES["X"]) <= set(starts)
    for start, prompt in zip(starts, prompts, strict=True):
        assert ("ploidy haploid" in prompt) == (start < 1500), start
        assert ("ploidy diploid" in prompt) == (start >= 1500), start
    assert backwards == prompts[::-1]


def test_a_caller_in_python_knows_the_same(sample: Sample, tmp_path: Path) -> None:
    whole = sample.genotypes(tmp_path, sex="male", par_bed=sample.par_bed)
    with Caller(sample.options.reference, sex="male", par_bed=str(sample.par_bed)) as caller:
        records = caller.call(sample.options.reads, ["1", "X", "Y"])
    found = {
        f"{one.contig}:{one.pos - 1}": "/".join(map(str, one.genotype))
        for one in records
        if one.filter == "PASS"
    }
    assert found == whole


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sex": "male", "haploid_contigs": ("X",)}, "--haploid-contigs and --sex both say .* 'X'"),
        ({"sex": "male", "ploidy_bed": "Y\t0\t9\t1\n"}, "--ploidy-bed and --sex both say .* 'Y'"),
        (
            {"haploid_contigs": ("Y",), "ploidy_bed": "Y\t0\t9\t1\n"},
            "--haploid-contigs and --ploidy-bed both say .* 'Y'",
        ),
        ({"sex": "male"}, r"where 'X' pairs is not known: .* GRCh38, .* with --par-bed"),
    ],
)
def test_p1_options_that_contradict_each_other(
    options: dict[str, object], said: str, sample: Sample, tmp_path: Path
) -> None:
    if "ploidy_bed" in options:
        bed = tmp_path / "ploidy.bed"
        bed.write_text(str(options["ploidy_bed"]))
        options = options | {"ploidy_bed": bed}
    with pytest.raises(UsageError, match=said):
        sample.called(tmp_path, **options)
    assert not (tmp_path / "out.vcf").exists()


def test_a_gvcf_is_cut_where_ploidy_changes(sample: Sample, tmp_path: Path) -> None:
    """Blocks have the ploidy of their bases, and there are none where it is 0."""
    called = [Region("1", 0, 1500), Region("X", 0, 3000), Region("Y", 500, 2000)]
    male = {"sex": "male", "par_bed": sample.par_bed}
    texts = []
    for number, changes in enumerate(({}, {"window": 500}, {"threads": 2, "window": 1499})):
        gvcf, plain = tmp_path / f"{number}.g.vcf", tmp_path / f"{number}.vcf"
        files = {"output": str(plain), "gvcf": str(gvcf)}
        call_variants(replace(sample.options, **files, **male, **changes))
        lines = check_gvcf(gvcf, called, sample.options.reference)
        records = [line for line in plain.read_text().splitlines(True) if line[0] != "#"]
        assert recovered(lines) == records
        texts.append([line.fields for line in lines])
    assert texts[0] == texts[1] == texts[2]
    for line in lines:
        is_haploid = line.fields[0] == "Y" or (line.fields[0] == "X" and line.start < 1500)
        assert line.call["GT"].count("/") == (0 if is_haploid else 1)
        n_alleles = len(line.fields[4].split(",")) + 1
        assert len(line.pl) == (n_alleles if is_haploid else n_alleles * (n_alleles + 1) // 2)
    # 1499 is a variant of a haploid, and the block between it and the one at 1510 is diploid.
    (between,) = [line for line in lines if line.fields[0] == "X" and line.start == 1500]
    assert (between.call["GT"], between.end) == ("0/0", 1510)


def test_a_female_has_no_y_in_the_gvcf_and_a_bed_cuts_blocks(
    sample: Sample, tmp_path: Path
) -> None:
    gvcf = tmp_path / "out.g.vcf"
    own = replace(sample.options, output=None, gvcf=str(gvcf))
    call_variants(replace(own, sex="female", par_bed=sample.par_bed))
    check_gvcf(gvcf, [Region("1", 0, 1500), Region("X", 0, 3000)], own.reference)
    bed = tmp_path / "ploidy.bed"
    bed.write_text("1\t200\t203\t1\n1\t300\t400\t0\n")
    whole = [tmp_path / "whole.g.vcf", tmp_path / "merged.g.vcf"]
    call_variants(replace(own, gvcf=str(whole[0]), ploidy_bed=bed, regions=("1",)))
    lines = check_gvcf(whole[0], [Region("1", 0, 300), Region("1", 400, 1500)], own.reference)
    haploid = [(line.start, line.end) for line in lines if "/" not in line.call["GT"]]
    assert haploid == [(200, 203)]
    shards = [tmp_path / f"{index}.g.vcf" for index in (1, 2, 3)]
    for index, path in enumerate(shards, 1):
        call_variants(
            replace(
                own, gvcf=str(path), ploidy_bed=bed, regions=("1",), shard=(index, 3), window=500
            )
        )
    merge_shards(MergeOptions(tuple(shards), str(whole[1])))
    one, other = (
        [line for line in path.read_text().splitlines() if line[0] != "#"] for path in whole
    )
    assert one == other


@pytest.mark.parametrize("option", ["par_bed", "ploidy_bed"])
def test_p1_a_bed_that_cannot_be_used_is_one_sentence(
    option: str, sample: Sample, tmp_path: Path
) -> None:
    sex = "male" if option == "par_bed" else None
    for text in (None, "X\t5\n", "1\t2000\t3000\t1\n", "\x00\x01"):
        bed = tmp_path / "bad.bed"
        bed.unlink(missing_ok=True)
        if text is not None:
            bed.write_text(text)
        with pytest.raises(VarcallError) as error:
            sample.called(tmp_path, sex=sex, **{option: bed})
        assert str(bed) in str(error.value)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out.vcf").exists()


def test_an_unknown_haploid_contig_is_said(
    sample: Sample, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sample.called(tmp_path, haploid_contigs=("chrY",), regions=("1:1-10",))
    assert [one for one in caplog.messages if "there is 'Y'" in one]


def called_as_haploid(answer: Sequence[float], counts: Sequence[float]) -> tuple[int, int]:
    """Return the allele that one question's answer gives a haploid, and its GQ."""
    told = haploid_answers(np.array([answer]), np.array([counts]))
    assert told[0, 1] == 0
    assert told.sum() == pytest.approx(1)
    (call,) = call_genotypes(told[None], 1, ploidy=1)
    return call.alleles[0], call.gq


def test_a_sure_answer_stays_and_one_copy_is_shared_by_the_others() -> None:
    # What the counts say changes nothing where the model is sure of 0 or 2.
    for counts in ((0.0, -9.0, -60.0), (-60.0, -9.0, 0.0)):
        assert called_as_haploid((1e-6, 1e-6, 1.0 - 2e-6), counts)[0] == 1
        assert called_as_haploid((1.0 - 2e-6, 1e-6, 1e-6), counts)[0] == 0
    # One read of six shows another base: no het, so ALT, and surely.
    allele, gq = called_as_haploid((1e-6, 0.7, 0.3), (-30.0, 0.0, -1.0))
    assert allele == 1
    assert gq >= 40
    # The model sees a het and nothing else: the counts decide, unsure where they are even.
    assert called_as_haploid((1e-30, 1.0, 1e-30), (-20.0, 0.0, -4.0))[0] == 1
    assert called_as_haploid((1e-30, 1.0, 1e-30), (-4.0, 0.0, -20.0))[0] == 0
    assert called_as_haploid((1e-30, 1.0, 1e-30), (-9.0, 0.0, -9.0))[1] <= 3


def test_pysam_reads_haploid_records(sample: Sample, tmp_path: Path) -> None:
    sample.called(tmp_path, sex="male", par_bed=sample.par_bed)
    with pysam.VariantFile(str(tmp_path / "out.vcf")) as calls:
        by_start = {(one.contig, one.start): one.samples[0] for one in calls}
    assert by_start["X", 400]["GT"] == (1,)
    assert len(by_start["X", 400]["PL"]) == 2
    assert by_start["X", 2000]["GT"] == (0, 1)


def test_what_a_bed_says_counts_when_a_run_is_resumed(sample: Sample, tmp_path: Path) -> None:
    bed = tmp_path / "ploidy.bed"
    bed.write_text("X\t0\t1500\t1\n")
    kept = {"ploidy_bed": bed, "workdir": tmp_path / "work", "resume": True, "regions": ("X",)}
    haploid = sample.called(tmp_path, **kept)
    bed.write_text("X\t0\t1500\t2\n")
    diploid = sample.called(tmp_path, **kept)
    assert haploid != diploid
    assert [line for line in diploid if line.split("\t")[9].startswith("1:")] == []


def test_the_log_says_nothing_where_sex_is_not_asked(
    sample: Sample, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        sample.called(tmp_path, regions=("1:1-10",))
    assert not [one for one in caplog.messages if "male" in one]
    assert "varcall_sex" not in (tmp_path / "out.vcf").read_text()
