import logging
from pathlib import Path

import numpy as np
import pytest

from models.context import basecaller_word
from tests.builders import ReadGroup, ReadsBuilder, random_sequence, write_reference
from varcall.formats.basecaller import described_basecaller, programs_basecaller
from varcall.inputs.open import open_inputs
from varcall.reads.measure_library import measure_profile
from varcall.simulate.long_reads.library import draw_long_library

SUP = "dna_r10.4.1_e8.2_400bps_sup@v4.3.0"
HAC = "dna_r10.4.1_e8.2_400bps_hac@v4.3.0"
# Of Sequel II and Revio, as they stand in public files.
SEQUEL = (
    "READTYPE=CCS;BINDINGKIT=101-490-800;SEQUENCINGKIT=101-490-900;BASECALLERVERSION=5.0.0;"
    "FRAMERATEHZ=100.000000"
)
REVIO = (
    "READTYPE=CCS;Ipd:Frames=ip;PulseWidth:Frames=pw;BINDINGKIT=102-739-100;"
    "SEQUENCINGKIT=102-118-800;BASECALLERVERSION=5.0;FRAMERATEHZ=100.000000"
)
DORADO = f"ID:basecaller\tPN:dorado\tVN:0.5.0\tCL:dorado basecaller {SUP} pod5/"


@pytest.mark.parametrize(
    ("description", "name", "word"),
    [
        # Dorado, with and without a model of modified bases.
        (f"basecall_model={SUP} runid=4f6c1b", SUP, " sup"),
        (f"runid=4f6c1b basecall_model={HAC} modbase_models={HAC}_5mCG_5hmCG@v1", HAC, " hac"),
        (f"basecall_model={SUP}", SUP, " sup"),
        # Guppy, by BAM and by FASTQ; its older names tell nothing of how well they call.
        ("runid=5ac basecall_model=dna_r9.4.1_450bps_hac", "dna_r9.4.1_450bps_hac", " hac"),
        (
            "basecall_model_version_id=2021-05-17_dna_r9.4.1_promethion_768_dd219f32 runid=5ac",
            "2021-05-17_dna_r9.4.1_promethion_768_dd219f32",
            " unknown",
        ),
        ("guppy 6.1.2, dna_r9.4.1_450bps_fast.cfg", "dna_r9.4.1_450bps_fast", " fast"),
        (SEQUEL, "ccs 5.0.0", " ccs"),
        (REVIO, "ccs 5.0", " ccs"),
        ("READTYPE=CCS;MODEL=x1", "ccs x1", " ccs"),
        ("READTYPE=SUBREAD;BASECALLERVERSION=5.0", "subread 5.0", " unknown"),
        ("READTYPE=UNKNOWN", "", " unknown"),
        ("my favourite library, fast and supple", "", " unknown"),
        ("=;==;basecall_model=", "", " unknown"),
        ("", "", " unknown"),
    ],
)
def test_description_of_a_read_group(description: str, name: str, word: str) -> None:
    assert described_basecaller(description) == name
    assert basecaller_word(name) == word


@pytest.mark.parametrize(
    ("programs", "name"),
    [
        ([{"PN": "dorado", "CL": f"dorado basecaller /models/{SUP} pod5/"}], SUP),
        ([{"PN": "dorado", "CL": "dorado basecaller hac,5mCG_5hmCG pod5/"}], "hac"),
        ([{"PN": "dorado", "CL": "dorado basecaller --device cuda:0 sup@v4.3 x"}], "sup@v4.3"),
        (
            [{"ID": "guppy", "CL": "guppy_basecaller -c dna_r9.4.1_450bps_hac.cfg -i x"}],
            "dna_r9.4.1_450bps_hac",
        ),
        # Names of files are no models.
        ([{"PN": "minimap2", "CL": f"minimap2 -ax map-ont r.fa Guppy_6.1.22_sup.{SUP}.fq"}], ""),
        ([{"PN": "dorado", "CL": f"dorado {model}"} for model in (SUP, HAC)], ""),
        ([{"PN": "ccs"}, {"ID": "deepconsensus-1.2.0"}], "deepconsensus"),
        ([{"PN": "ccs"}, {"PN": "pbmm2"}], "ccs"),
        ([{}], ""),
    ],
)
def test_programs(programs: list[dict[str, str]], name: str) -> None:
    assert programs_basecaller(programs) == name


@pytest.mark.parametrize(("platform", "words"), [("ont", {" sup", " hac"}), ("hifi", {" ccs"})])
def test_simulated_headers_teach_the_words_of_real_ones(platform: str, words: set[str]) -> None:
    rng = np.random.default_rng(1)
    libraries = [draw_long_library(platform, rng, (8, 50), 0.5) for _ in range(200)]
    told = {library.description: described_basecaller(library.description) for library in libraries}
    assert {basecaller_word(name) for text, name in told.items() if text} == words
    assert "" in told


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("basecaller")
    return write_reference(folder / "ref.fa", {"chr1": random_sequence(2000)})


def stated(
    reference: Path, folder: Path, groups: list[ReadGroup], programs: tuple[str, ...] = ()
) -> tuple[str, str]:
    reads = ReadsBuilder(reference, read_groups=groups, programs=programs).tile()
    for path in (reads.write_bam(folder / "r.bam"), reads.write_cram(folder / "r.cram")):
        inputs = open_inputs(path, reference, sample="S" if groups else None)
        found = inputs.basecaller, measure_profile(inputs).basecaller
    return found


def group(name: str, description: str, sample: str = "S") -> ReadGroup:
    return ReadGroup(name, sample, "ONT", description)


def test_the_profile_has_what_the_samples_read_groups_agree_on(
    reference: Path, tmp_path: Path
) -> None:
    model = f"basecall_model={SUP}"
    groups = [group("a", model), group("b", f"runid=1 {model}"), group("c", "")]
    other = group("d", f"basecall_model={HAC}", "another sample")
    assert stated(reference, tmp_path, [*groups, other]) == (SUP, SUP)


def test_read_groups_that_disagree_are_unknown_and_named(
    reference: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    groups = [group(name, f"basecall_model={name}") for name in (SUP, HAC)]
    with caplog.at_level(logging.DEBUG, "varcall"):
        assert stated(reference, tmp_path, groups) == ("", "")
    message = caplog.messages[0]
    assert SUP in message
    assert HAC in message
    assert {record.levelname for record in caplog.records} == {"DEBUG"}


@pytest.mark.parametrize(
    ("groups", "programs", "expected"),
    [
        ([group("a", "")], (DORADO,), SUP),
        ([], (DORADO,), SUP),
        ([group("a", f"basecall_model={HAC}")], (DORADO,), HAC),
        ([group("a", REVIO)], ("ID:x\tPN:ccs", "ID:y\tPN:deepconsensus"), "deepconsensus"),
        ([group("a", REVIO)], ("ID:x\tPN:ccs",), "ccs 5.0"),
    ],
)
def test_programs_tell_what_read_groups_do_not(
    reference: Path,
    tmp_path: Path,
    groups: list[ReadGroup],
    programs: tuple[str, ...],
    expected: str,
) -> None:
    assert stated(reference, tmp_path, groups, programs)[0] == expected
