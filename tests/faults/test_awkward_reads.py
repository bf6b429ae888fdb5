"""Faults F13, F14, F15, S3 and S5: alignments as files really have them, in any depth and size."""

import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import ReadsBuilder, parse_cigar, random_sequence, substitute, write_reference
from tests.strategies import alignments, kept_if_failing
from varcall.cli import run as run_varcall

LENGTH = 1500


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reference(
        tmp_path_factory.mktemp("ref") / "ref.fa", {"chr1": random_sequence(LENGTH)}
    )


def called(bam: Path, reference: Path, model: Path, *more: str) -> list[list[str]]:
    output = bam.with_suffix(".vcf")
    files = [str(bam), "--ref", str(reference), "-o", str(output), "--model", str(model)]
    assert run_varcall(["call", *files, "--quiet", *more]) == 0
    text = output.read_text().splitlines()
    return [line.split("\t") for line in text if not line.startswith("#")]


@given(
    st.lists(alignments(LENGTH - 400), min_size=20, max_size=60),
    st.randoms(use_true_random=False),
)
@settings(max_examples=8)
def test_f14_f15_no_alignment_is_too_odd(
    reference: Path, untrained_model: Path, tmp_path_factory, chosen, letters
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    builder = ReadsBuilder(reference).tile(step=10)
    for read in chosen:
        size = sum(length for op, length in parse_cigar(read["cigar"]) if op in "MIS=X")
        alphabet = read["letters"]
        seq = "" if alphabet == "*" else "".join(letters.choice(alphabet) for _ in range(size))
        fields = {key: read[key] for key in ("start", "cigar", "mapq", "flag", "name")}
        builder.add(seq=seq, qual=read["qual"] if seq else "*", **fields)
    bam = builder.write_bam(folder / "reads.bam")
    bases = builder.sequences["chr1"]
    files = {"ref.fa": reference.read_text(), "reads.sam": builder.sam_text()}
    case = {"about": "Found by test_f14_f15_no_alignment_is_too_odd.", "kind": "call"}
    with kept_if_failing(tmp_path_factory.getbasetemp() / "odd_alignments", files, **case):
        for _, pos, _, ref, alts, *_ in called(bam, reference, untrained_model):
            assert bases[int(pos) - 1 :].startswith(ref)
            assert set(ref + alts) <= set("ACGT,*")


RUN_AND_TELL_MEMORY = textwrap.dedent(
    """
    import resource, sys
    from varcall.cli import run
    import varcall.pipeline
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = run(sys.argv[1:])
    print(status, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
)


def megabytes_of_call(root: Path, bam: Path, reference: Path, model: Path, *more: str) -> int:
    """Call in a process of its own; return how far its memory grew beyond the imports."""
    output = bam.with_suffix(".vcf")
    files = [str(bam), "--ref", str(reference), "-o", str(output), "--model", str(model)]
    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_TELL_MEMORY, "call", *files, "--quiet", *more],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=1200,
    )
    status, grown = map(int, done.stdout.split())
    assert status == 0, done.stderr
    return grown


def test_f13_twenty_thousand_reads_deep(
    reference: Path, untrained_model: Path, tmp_path: Path, root: Path
) -> None:
    builder = ReadsBuilder(reference)
    bases = builder.sequences["chr1"][700:800]
    changed = substitute(bases, {50: "ACGT"["CGTA".index(bases[50])]})
    for number in range(20_000):
        builder.add(start=700, cigar="100M", seq=changed if number % 2 else bases)
    bam = builder.write_bam(tmp_path / "reads.bam")
    assert megabytes_of_call(root, bam, reference, untrained_model) < 600
    lines = bam.with_suffix(".vcf").read_text().splitlines()
    (site,) = [line.split("\t") for line in lines if line.startswith("chr1\t751\t")]
    values = dict(zip(site[8].split(":"), site[9].split(":"), strict=True))
    # The cap keeps 10,000 of them, drawn by name: what they show stands for all.
    assert int(values["DP"]) == 20_000
    depths = [int(depth) for depth in values["AD"].split(",")]
    assert sum(depths) == 20_000
    assert 9500 < depths[1] < 10_500
    assert 0.475 < float(values["VAF"]) < 0.525


def test_s3_insertions_of_ten_thousand_bases(
    reference: Path, untrained_model: Path, tmp_path: Path, root: Path
) -> None:
    builder = ReadsBuilder(reference).tile(step=5)
    for number in range(40):
        inserted = random_sequence(10_000, number % 3)
        builder.add(start=500, cigar="100M10000I100M", inserted=inserted)
    bam = builder.write_bam(tmp_path / "reads.bam")
    assert megabytes_of_call(root, bam, reference, untrained_model) < 600
    for line in bam.with_suffix(".vcf").read_text().splitlines():
        if not line.startswith("#"):
            assert max(map(len, line.split("\t")[4].split(","))) <= 101


@pytest.mark.parametrize("count", [2000, pytest.param(100_000, marks=pytest.mark.campaign)])
def test_s3_many_contigs(count: int, untrained_model: Path, tmp_path: Path, root: Path) -> None:
    bases = random_sequence(120)
    reference = write_reference(tmp_path / "ref.fa", {f"c{n}": bases for n in range(count)})
    builder = ReadsBuilder(reference)
    for number in range(0, count, 7):
        builder.add(contig=f"c{number}", start=5, cigar="100M")
    bam = builder.write_bam(tmp_path / "reads.bam")
    assert megabytes_of_call(root, bam, reference, untrained_model) < 600


def test_s5_a_call_opens_no_connection(
    reference: Path, untrained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a connection was tried")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    cram = ReadsBuilder(reference).tile(step=5).write_cram(tmp_path / "reads.cram")
    assert called(cram, reference, untrained_model) == []


ODD_NAMES = ("HLA-A*01:01:01:01", "a;rm$(id)|b&~^%s{x}")


def test_f15_s2_spelling_and_names_of_the_reference_change_nothing(
    untrained_model: Path, tmp_path: Path
) -> None:
    bases = random_sequence(LENGTH, 8)
    other = substitute(bases, {at: "ACGT"["CGTA".index(bases[at])] for at in range(150, 1400, 97)})
    # Left of the first candidate's picture (150 - 112), whose reference row would show them.
    spelled = substitute(
        bases.lower(), {**dict.fromkeys(range(30), "N"), 20: "r", 36: "Y", 37: "K"}
    )
    records = {}
    for folder, names, sequence in (
        (tmp_path / "plain", ("c1", "c2"), bases),
        (tmp_path / "odd", ODD_NAMES, spelled),
    ):
        folder.mkdir()
        builder = ReadsBuilder(write_reference(folder / "ref.fa", dict.fromkeys(names, sequence)))
        for name in names:
            for count, at in enumerate(range(100, LENGTH - 100, 8)):
                seq = (bases, other)[count % 2][at : at + 100]
                builder.add(f"r{count}", contig=name, start=at, cigar="100M", seq=seq)
        bam = builder.write_bam(folder / "reads.bam")
        found = called(bam, folder / "ref.fa", untrained_model)
        with pysam.VariantFile(str(bam.with_suffix(".vcf"))) as calls:
            assert [call.contig for call in calls] == [record[0] for record in found]
            assert tuple(calls.header.contigs) == names
        records[folder.name] = [[names.index(record[0]), *record[1:]] for record in found]
        chosen = called(bam, folder / "ref.fa", untrained_model, "--regions", f"{{{names[1]}}}")
        assert chosen == [record for record in found if record[0] == names[1]]
    assert len(records["plain"]) > 15
    assert records["odd"] == records["plain"]
