"""Faults of the reads file and its index: rows F1 to F7, F17, S2, S4 and S5 of the fault table."""

import gzip
import os
import random
import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pysam
import pytest

from tests.builders import (
    ReadGroup,
    ReadsBuilder,
    random_sequence,
    sam_to_bam,
    write_reference,
)
from varcall.errors import InputError
from varcall.inputs.open import check_inputs, open_inputs
from varcall.inputs.reference import Reference
from varcall.inputs.reference_match import compare_bases
from varcall.inputs.regions import Region
from varcall.reads.batch import ReadFilter
from varcall.reads.open import open_reads

LENGTH = 60_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One reference with a BAM and a CRAM of several blocks, made once."""
    folder = tmp_path_factory.mktemp("store")
    contigs = {"chr1": random_sequence(LENGTH), "chr2": random_sequence(2000, 2)}
    reference = write_reference(folder / "ref.fa", contigs)
    reads = ReadsBuilder(reference).tile(step=20)
    reads.tile(contig="chr2", step=40)
    reads.write_bam(folder / "reads.bam")
    reads.write_cram(folder / "reads.cram")
    other = ReadsBuilder(reference).tile(end=20_000, step=20).tile(contig="chr2", step=400)
    other.write_bam(folder / "other.bam")
    other.write_cram(folder / "other.cram")
    return folder


@pytest.fixture
def folder(store: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(store, tmp_path / "copy"))


def rewrite_index(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)


def fetch_all(folder: Path, name: str) -> int:
    inputs = open_inputs(folder / name, folder / "ref.fa")
    with open_reads(inputs) as reads:
        spans = ((contig, 0, length, ReadFilter()) for contig, length in inputs.contigs.items())
        return sum(reads.load(*span).counts.placed for span in spans)


@pytest.mark.parametrize("name", ["reads.bam", "reads.cram"])
def test_good_files_pass(store: Path, name: str) -> None:
    inputs = open_inputs(store / name, store / "ref.fa")
    assert inputs.warnings == ()
    assert inputs.contigs == {"chr1": LENGTH, "chr2": 2000}
    assert inputs.sample == "NA00001"
    assert inputs.platform == "illumina"
    assert fetch_all(store, name) == 3047
    assert {finding.level for finding in check_inputs(store / name, store / "ref.fa")} == {"ok"}


@pytest.mark.parametrize("name", ["reads.bam", "reads.cram"])
def test_f1_a_file_cut_anywhere_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    rng = random.Random(1)
    # Without the end-of-file mark, cut inside it, and anywhere before.
    near_the_end = [len(whole) - 28, len(whole) - 38, len(whole) - 1]
    for size in [*near_the_end, 0, 3, 20, *rng.sample(range(len(whole)), 20)]:
        path.write_bytes(whole[:size])
        message = "cut short" if size in near_the_end else name
        with pytest.raises(InputError, match=message):
            open_inputs(path, folder / "ref.fa")


def test_f2_no_corrupt_byte_leads_to_fewer_reads(folder: Path) -> None:
    path = folder / "reads.bam"
    whole = path.read_bytes()
    expected = fetch_all(folder, "reads.bam")
    rng = random.Random(2)
    errors: list[str] = []
    for _ in range(100):
        broken = bytearray(whole)
        broken[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
        path.write_bytes(broken)
        try:
            assert fetch_all(folder, "reads.bam") == expected
        except (InputError, OSError) as error:
            errors.append(str(error))
    assert len(errors) > 80
    # htslib's own words, not those of a failed close that would hide them.
    assert not [error for error in errors if "Closing failed" in error]


def bai_of(n_contigs: int) -> bytes:
    """A well-formed BAI that knows no read."""
    return b"BAI\1" + struct.pack("<i", n_contigs) + b"\0" * 8 * n_contigs + b"\0" * 8


def csi_of(n_contigs: int) -> bytes:
    """A well-formed CSI that knows no read."""
    body = struct.pack("<iiii", 14, 5, 0, n_contigs) + b"\0" * 4 * n_contigs + b"\0" * 8
    return gzip.compress(b"CSI\1" + body)


def moved_by_one(raw: bytes) -> bytes:
    """A CRAI whose first container begins a byte later than it does."""
    first, *others = gzip.decompress(raw).split(b"\n")
    fields = first.split(b"\t")
    fields[3] = str(int(fields[3]) + 1).encode()
    return gzip.compress(b"\n".join([b"\t".join(fields), *others]))


BROKEN_INDEX: list[tuple[str, str, Callable[[bytes], bytes]]] = [
    ("reads.bam", ".bai", lambda raw: raw[: len(raw) // 2]),
    ("reads.bam", ".bai", lambda raw: raw[:6]),
    ("reads.bam", ".bai", lambda raw: bytes(len(raw))),
    ("reads.bam", ".bai", lambda raw: b""),
    ("reads.bam", ".bai", lambda raw: bai_of(0)),
    ("reads.bam", ".bai", lambda raw: bai_of(2)),
    ("reads.bam", ".bai", lambda raw: bai_of(3)),
    ("reads.bam", ".bai", lambda raw: b"BAI\1" + struct.pack("<i", 2**31 - 1)),
    # All chunks are right, but it is for one contig more.
    ("reads.bam", ".bai", lambda raw: b"BAI\1\3\0\0\0" + raw[8:-8] + b"\0" * 8 + raw[-8:]),
    ("reads.bam", ".bai", lambda raw: raw + bytes(16)),
    ("reads.bam", ".csi", lambda raw: csi_of(0)),
    ("reads.bam", ".csi", lambda raw: csi_of(2)),
    ("reads.bam", ".csi", lambda raw: csi_of(2)[:-12]),
    ("reads.bam", ".csi", lambda raw: gzip.compress(b"CSI\1" + struct.pack("<iii", 14, 5, -9))),
    ("reads.cram", ".crai", lambda raw: raw[: len(raw) // 2]),
    ("reads.cram", ".crai", lambda raw: bytes(len(raw))),
    ("reads.cram", ".crai", lambda raw: b""),
    ("reads.cram", ".crai", lambda raw: gzip.compress(b"")),
    ("reads.cram", ".crai", lambda raw: gzip.compress(b"0\t1\t60000\t99999999\t9\t9\n")),
    ("reads.cram", ".crai", lambda raw: gzip.compress(b"hello\n")),
    # The last container is not known; the first one is said to begin a byte later.
    ("reads.cram", ".crai", lambda raw: gzip.compress(gzip.decompress(raw).splitlines()[0])),
    ("reads.cram", ".crai", lambda raw: moved_by_one(raw)),
]


@pytest.mark.parametrize(("name", "suffix", "change"), BROKEN_INDEX)
def test_f3_s4_a_broken_or_empty_index_is_refused(
    folder: Path, name: str, suffix: str, change: Callable[[bytes], bytes]
) -> None:
    good = folder / (name + (".crai" if suffix == ".crai" else ".bai"))
    raw = good.read_bytes()
    good.unlink()
    (folder / (name + suffix)).write_bytes(change(raw))
    with pytest.raises(InputError, match=r"samtools index"):
        open_inputs(folder / name, folder / "ref.fa")


class Silent:
    """An alignment file of which nothing can be fetched, without an error."""

    def fetch(self, *arguments: object) -> Iterator[pysam.AlignedSegment]:
        return iter(())


def test_f3_f10_no_read_where_the_index_knows_some_is_an_error(store: Path) -> None:
    regions, lengths = [Region("chr1", 0, 500)], {"chr1": LENGTH}
    with Reference(store / "ref.fa") as reference:
        for has_reads in (True, False):
            expectation = (
                pytest.raises(InputError, match="none can be fetched")
                if has_reads
                else nullcontext()
            )
            with expectation:
                compare_bases(
                    Silent(),  # type: ignore[arg-type]
                    reference,
                    regions,
                    lengths,
                    has_reads={"chr1": has_reads},
                )


@pytest.mark.parametrize("suffix", [".bai", ".csi", ".crai"])
def test_f4_the_index_of_another_file_is_refused(folder: Path, suffix: str) -> None:
    kind = "cram" if suffix == ".crai" else "bam"
    reads, other = folder / f"reads.{kind}", folder / f"other.{kind}"
    if suffix == ".csi":
        for path in (reads, other):
            Path(f"{path}.bai").unlink()
            pysam.index("-c", str(path))
    for path, foreign in ((reads, other), (other, reads)):
        open_inputs(path, folder / "ref.fa")
        with pytest.raises(InputError, match="is not the index of"):
            open_inputs(path, folder / "ref.fa", index=Path(f"{foreign}{suffix}"))


def test_f4_an_index_of_a_shorter_version_of_the_file_is_refused(folder: Path) -> None:
    # The longer file begins with the very blocks of the shorter one: only the end tells.
    shorter = ReadsBuilder(folder / "ref.fa").tile(step=20).write_bam(folder / "shorter.bam")
    more = ReadsBuilder(folder / "ref.fa").tile(contig="chr2").write_bam(folder / "more.bam")
    longer = folder / "longer.bam"
    pysam.cat("--no-PG", "-o", str(longer), str(shorter), str(more))
    pysam.index(str(longer))
    open_inputs(longer, folder / "ref.fa")
    with pytest.raises(InputError, match="behind the last one it knows"):
        open_inputs(longer, folder / "ref.fa", index=Path(f"{shorter}.bai"))


def test_f4_unplaced_reads_and_joined_files_are_fine(folder: Path) -> None:
    reads = ReadsBuilder(folder / "ref.fa").tile(end=9000)
    for number in range(500):
        reads.add(f"u{number}", contig="*", flag=4, seq="ACGTACGT" * 10)
    path = reads.write_bam(folder / "unplaced.bam")
    assert open_inputs(path, folder / "ref.fa").warnings == ()
    # Two empty blocks at the end, as in files joined from several.
    whole = path.read_bytes()
    path.write_bytes(whole + whole[-28:])
    os.utime(f"{path}.bai")
    assert open_inputs(path, folder / "ref.fa").warnings == ()


def test_f5_an_older_index_is_a_warning(folder: Path) -> None:
    os.utime(folder / "reads.bam.bai", (1, 1))
    (warning,) = open_inputs(folder / "reads.bam", folder / "ref.fa").warnings
    assert "older than" in warning


@pytest.mark.parametrize("name", ["reads.bam", "reads.cram"])
def test_f6_a_missing_index_is_asked_for_not_built(folder: Path, name: str) -> None:
    for index in folder.glob("reads.*.?ai"):
        index.unlink()
    for index in folder.glob("reads.*.crai"):
        index.unlink()
    before = sorted(folder.iterdir())
    with pytest.raises(InputError, match=f"run: samtools index .*{name}"):
        open_inputs(folder / name, folder / "ref.fa")
    assert sorted(folder.iterdir()) == before


def test_an_index_elsewhere_can_be_named(folder: Path) -> None:
    elsewhere = folder / "elsewhere.idx"
    (folder / "reads.bam.bai").rename(elsewhere)
    reads = folder / "reads.bam"
    assert open_inputs(reads, folder / "ref.fa", index=elsewhere).index == elsewhere
    assert open_inputs(f"{reads}##idx##{elsewhere}", folder / "ref.fa").index == elsewhere


def test_f7_unsorted_reads_are_refused(folder: Path) -> None:
    reads = ReadsBuilder(folder / "ref.fa", sort_order="unsorted").tile(end=3000)
    reads.lines.reverse()
    path = reads.write_bam(folder / "unsorted.bam", sort=False, index=False)
    with pytest.raises(InputError, match="samtools sort"):
        open_inputs(path, folder / "ref.fa")
    with pytest.raises(InputError, match="samtools sort"):
        open_inputs(path, folder / "ref.fa", index=folder / "other.bam.bai")


@pytest.mark.parametrize("order", [None, "unsorted"])
def test_f7_a_fitting_index_proves_the_order(folder: Path, order: str | None) -> None:
    reads = ReadsBuilder(folder / "ref.fa", sort_order=order).tile(end=3000)
    path = reads.write_bam(folder / "x.bam", sort=False)
    warnings = open_inputs(path, folder / "ref.fa").warnings
    assert [("unsorted" in warning) for warning in warnings] == ([] if order is None else [True])


def test_files_that_are_no_alignments(folder: Path) -> None:
    reference = folder / "ref.fa"
    sam = folder / "x.sam"
    sam.write_text(ReadsBuilder(reference).tile(end=500).sam_text())
    packed = folder / "x.bam"
    packed.write_bytes(gzip.compress(b"hello"))
    for path, message in (
        (sam, "neither BAM nor CRAM"),
        (packed, "neither BAM nor CRAM"),
        (folder / "absent.bam", "does not exist"),
        (folder, "not a regular file"),
        ("https://example.org/x.bam", "only local files"),
    ):
        with pytest.raises(InputError, match=message):
            open_inputs(path, reference)


def test_unaligned_reads_are_refused(folder: Path) -> None:
    sam_to_bam("@HD VN:1.6 SO:coordinate\nr1 4 * 0 0 * * 0 0 ACGT IIII", folder / "u.bam")
    with pytest.raises(InputError, match="no contigs"):
        open_inputs(folder / "u.bam", folder / "ref.fa")


NO_SAMPLE = (ReadGroup("a", ""), ReadGroup("b", ""))
TWO_SAMPLES = (ReadGroup("a", "S1"), ReadGroup("b", "S2", "PACBIO"), ReadGroup("c", "S1"))


def with_groups(folder: Path, groups: tuple[ReadGroup, ...]) -> Path:
    return (
        ReadsBuilder(folder / "ref.fa", read_groups=groups)
        .tile(end=900)
        .write_bam(folder / "groups.bam")
    )


def test_f17_two_samples_need_a_choice(folder: Path) -> None:
    path = with_groups(folder, TWO_SAMPLES)
    with pytest.raises(InputError, match=r"'S1', 'S2'.*-s"):
        open_inputs(path, folder / "ref.fa")
    inputs = open_inputs(path, folder / "ref.fa", sample="S1")
    assert (inputs.sample, inputs.read_groups) == ("S1", frozenset("ac"))
    assert open_inputs(path, folder / "ref.fa", sample="S2").platform == "pacbio"


@pytest.mark.parametrize("groups", [(), NO_SAMPLE])
def test_f17_without_a_name_the_sample_is_called_sample(
    folder: Path, groups: tuple[ReadGroup, ...]
) -> None:
    path = with_groups(folder, groups)
    inputs = open_inputs(path, folder / "ref.fa")
    assert (inputs.sample, inputs.read_groups) == ("SAMPLE", None)
    assert "names no sample" in inputs.warnings[0]


def test_f17_an_unknown_sample_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no sample 'S3'.*'S1', 'S2'"):
        open_inputs(with_groups(folder, TWO_SAMPLES), folder / "ref.fa", sample="S3")
    with pytest.raises(InputError, match="names no sample"):
        open_inputs(with_groups(folder, ()), folder / "ref.fa", sample="S3")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a;rm -rf", "$(id)", "%s{x}"])
def test_s2_hostile_sample_names_are_only_text(folder: Path, name: str) -> None:
    path = with_groups(folder, (ReadGroup("a", name),))
    assert open_inputs(path, folder / "ref.fa").sample == name


@pytest.mark.parametrize("name", ["reads.bam", "reads.cram"])
def test_s5_no_network(store: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError(f"a connection was tried: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    fetch_all(store, name)
