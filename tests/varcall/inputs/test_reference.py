"""Base codes and VCF letters from a FASTA."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.builders import random_sequence, write_reference
from varcall.errors import InputError
from varcall.formats.fasta_index import check_fasta
from varcall.inputs.reference import Reference


@pytest.fixture(params=[False, True], ids=["plain", "bgzipped"])
def reference(request: pytest.FixtureRequest, tmp_path: Path) -> Reference:
    suffix = ".fa.gz" if request.param else ".fa"
    contigs = {"chr1": random_sequence(1000), "odd": "acgtNRYSWKMBDHVUu"}
    return Reference(write_reference(tmp_path / f"r{suffix}", contigs, bgzip=request.param))


def test_f12_beyond_the_ends_of_a_contig_is_n(reference: Reference) -> None:
    sequence = random_sequence(1000)
    codes = np.array(["ACGT".index(base) for base in sequence], dtype=np.uint8)
    assert reference.fetch("chr1", -112, 112).tolist() == [4] * 112 + codes[:112].tolist()
    assert reference.fetch("chr1", 888, 1112).tolist() == codes[888:].tolist() + [4] * 112
    assert reference.fetch("chr1", -9, -5).tolist() == [4] * 4
    assert reference.fetch("chr1", 2000, 2003).tolist() == [4] * 3
    assert reference.fetch("chr1", 5, 5).shape == (0,)
    assert reference.fetch("chr1", 0, 1000).dtype == np.uint8


def test_f15_ambiguity_letters(reference: Reference) -> None:
    assert reference.fetch("odd", 0, 17).tolist() == [0, 1, 2, 3] + [4] * 11 + [3, 3]
    assert reference.fetch_string("odd", 0, 17) == "ACGT" + "N" * 11 + "TT"


def test_f15_a_letter_of_no_base_is_named(tmp_path: Path) -> None:
    """Found in the tests of samtools: a padded reference was said not to fit its own index."""
    padded = {"chr1": random_sequence(99) + "**" + random_sequence(70) + "*"}
    path = write_reference(tmp_path / "padded.fa", padded)
    assert check_fasta(path, ["chr1"]) == {"chr1": 172}
    with pytest.raises(InputError, match=r"padded.fa has '\*' at chr1:100, which is no letter"):
        Reference(path).fetch("chr1", 50, 150)
    assert len(Reference(path).fetch("chr1", 0, 99)) == 99


def test_spans_outside_and_unknown_contigs(reference: Reference) -> None:
    with pytest.raises(InputError, match="outside chr1"):
        reference.fetch_string("chr1", 990, 1001)
    with pytest.raises(InputError, match="no contig 'chr9'"):
        reference.fetch("chr9", 0, 5)


def test_it_can_be_sent_to_a_worker(reference: Reference) -> None:
    expected = reference.fetch_string("chr1", 100, 200)
    copy = pickle.loads(pickle.dumps(reference))
    assert copy.fetch_string("chr1", 100, 200) == expected
    assert copy.contigs == {"chr1": 1000, "odd": 17}


def test_no_index_is_built_unasked(tmp_path: Path) -> None:
    path = write_reference(tmp_path / "r.fa", {"chr1": "ACGT"}, index=False)
    with pytest.raises(InputError, match="samtools faidx"):
        Reference(path).fetch("chr1", 0, 4)
    assert list(tmp_path.iterdir()) == [path]


def test_f11_a_stale_index_is_noticed_while_reading(tmp_path: Path) -> None:
    path = write_reference(tmp_path / "r.fa", {"chr1": random_sequence(600)})
    sequence = random_sequence(600)
    path.write_text(">chr1\n" + "".join(sequence[i : i + 50] + "\n" for i in range(0, 600, 50)))
    with pytest.raises(InputError, match="samtools faidx"):
        Reference(path).fetch("chr1", 0, 300)
