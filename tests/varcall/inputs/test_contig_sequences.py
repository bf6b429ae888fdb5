"""Whole sequences of a FASTA, plain or bgzipped, with or without an index."""

import gzip
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import LINE_WIDTH, random_sequence, write_reference
from varcall.errors import InputError
from varcall.inputs.contig_sequences import ContigSequences

LONG = random_sequence(100_000, 7)  # of two BGZF blocks
CONTIGS = {"chr1": LONG, "HLA:A*01": "acgtNRYSWKMBDHVUu", "chr2": random_sequence(2 * LINE_WIDTH)}


@pytest.mark.parametrize("is_indexed", [True, False], ids=["index", "no index"])
@pytest.mark.parametrize(("name", "bgzip"), [("r.fa", False), ("r.fa.gz", True), ("r.gz", False)])
def test_every_span_of_every_form(name: str, bgzip: bool, is_indexed: bool, tmp_path: Path) -> None:
    path = write_reference(tmp_path / name, CONTIGS, bgzip=bgzip, index=is_indexed)
    before = sorted(tmp_path.iterdir())
    with ContigSequences(path) as sequences:
        assert sequences.lengths == {contig: len(bases) for contig, bases in CONTIGS.items()}
        for contig, bases in CONTIGS.items():
            assert sequences.sequence(contig) == bases.upper()

        @given(st.integers(0, len(LONG)), st.integers(0, 3 * LINE_WIDTH))
        @settings(max_examples=60)
        def spans(start: int, length: int) -> None:
            end = min(start + length, len(LONG))
            assert sequences.fetch("chr1", start, end) == LONG[start:end]

        spans()
    assert sorted(tmp_path.iterdir()) == before


def test_line_ends_of_windows(tmp_path: Path) -> None:
    path = write_reference(tmp_path / "r.fa", {"chr1": LONG}, index=False)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with ContigSequences(path) as sequences:
        assert sequences.sequence("chr1") == LONG


def test_gzip_that_is_not_bgzip_is_unpacked(tmp_path: Path) -> None:
    path = write_reference(tmp_path / "r.fa", {"chr1": LONG}, index=False)
    packed = tmp_path / "r.fa.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with ContigSequences(packed) as sequences:
        assert sequences.sequence("chr1") == LONG


def test_a_path_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_reference(tmp_path / "r.fa", {"chr1": LONG})
    monkeypatch.chdir(tmp_path)
    with ContigSequences(Path("r.fa")) as sequences:
        assert sequences.sequence("chr1") == LONG


def test_an_older_index_that_fits_is_used_as_it_stands(tmp_path: Path) -> None:
    path = write_reference(tmp_path / "r.fa", {"chr1": LONG})
    index = Path(f"{path}.fai")
    os.utime(index, (1, 1))
    with ContigSequences(path) as sequences:
        assert sequences.sequence("chr1") == LONG
    assert index.stat().st_mtime == 1


def wider_lines(path: Path) -> None:
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in CONTIGS.items()))


def longer_header(path: Path) -> None:
    path.write_text(path.read_text().replace(">chr2", ">chr2 of another build"))


def other_contig_between(path: Path) -> None:
    path.write_text(path.read_text().replace(">HLA:A*01", ">HLA:B*01"))


@pytest.mark.parametrize("change", [wider_lines, longer_header, other_contig_between])
def test_f11_a_stale_index_is_refused(change: Callable[[Path], None], tmp_path: Path) -> None:
    path = write_reference(tmp_path / "r.fa", CONTIGS)
    change(path)
    with pytest.raises(InputError, match="samtools faidx"):
        ContigSequences(path)


def test_f11_a_file_changed_while_it_is_open_is_noticed(tmp_path: Path) -> None:
    path = write_reference(tmp_path / "r.fa", CONTIGS)
    with ContigSequences(path) as sequences:
        wider_lines(path)
        with pytest.raises(InputError, match="samtools faidx"):
            sequences.sequence("chr2")


def test_damage_in_a_bgzipped_fasta_is_named(tmp_path: Path) -> None:
    path = write_reference(tmp_path / "r.fa.gz", CONTIGS, bgzip=True)
    with ContigSequences(path) as sequences:
        data = bytearray(path.read_bytes())
        data[len(data) // 4] ^= 0xFF
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"corrupt BGZF block at byte 0 of .*r\.fa\.gz"):
            sequences.sequence("chr1")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"chr1\t5\n",
        b">c1\nAC\nACGT\nA\n",
        b">c1\nA\n>c1\nC\n",
        b">c1\n\xff\n",
        b"\x1f\x8bACGT",
    ],
    ids=["empty", "no FASTA", "ragged", "two of a name", "not text", "not gzip"],
)
def test_what_is_no_fasta_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "r.fa"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"cannot read the reference FASTA {path}") as caught:
        ContigSequences(path)
    assert "\n" not in str(caught.value)
    assert "varcall-fasta-" not in str(caught.value)


def test_no_temporary_folder_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = write_reference(tmp_path / "r.fa.gz", CONTIGS, bgzip=True, index=False)
    with ContigSequences(path):
        assert len(list(scratch.iterdir())) == 1
    path.write_bytes(b"")
    with pytest.raises(InputError):
        ContigSequences(path)
    assert list(scratch.iterdir()) == []
