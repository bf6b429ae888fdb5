"""Fault F18: malformed truth, query, reference: one sentence, exit code 1, nothing written."""

import contextlib
import gzip
import io
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.strategies import damaged_text, kept_if_failing, vcf_records
from tests.varcall.scoring.conftest import HEADER, SEQUENCES, vcf_text
from varcall.cli import run as run_varcall
from varcall.errors import InputError
from varcall.scoring.vcf_file import read_call_set

A1, A2 = SEQUENCES["c1"][99], SEQUENCES["c1"][199]
ALT1, ALT2 = ("C" if A1 != "C" else "G"), ("C" if A2 != "C" else "G")
RECORDS = [f"c1 100 {A1} {ALT1} 0/1", f"c1 200 {A2} {ALT2} 1/1"]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "ref.fa"
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in SEQUENCES.items()))
    return path


def evaluated(tmp_path: Path, truth: Path, query: Path, *more: str) -> int:
    arguments = ["eval", "--engine", "builtin", "--truth", str(truth), "--query", str(query)]
    reference = ["--ref", str(tmp_path / "ref.fa"), "-o", str(tmp_path / "report"), "--no-plots"]
    return run_varcall([*arguments, *reference, *more])


def plain(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bad.vcf"
    path.write_text(text)
    return path


def replaced(old: str, new: str) -> Callable[[Path], Path]:
    """A query whose text has one thing replaced."""

    def make(tmp_path: Path) -> Path:
        text = vcf_text(RECORDS)
        assert old in text
        return plain(tmp_path, text.replace(old, new, 1))

    return make


def compressed(tmp_path: Path, *, index: bool) -> Path:
    path = tmp_path / "bad.vcf.gz"
    pysam.tabix_compress(str(plain(tmp_path, vcf_text(RECORDS * 1))), str(path), force=True)
    if index:
        pysam.tabix_index(str(path), preset="vcf", force=True)
    return path


def plain_gzip(tmp_path: Path) -> Path:
    path = tmp_path / "bad.vcf.gz"
    path.write_bytes(gzip.compress(vcf_text(RECORDS).encode()))
    return path


def without_index(tmp_path: Path) -> Path:
    return compressed(tmp_path, index=False)


def without_end_block(tmp_path: Path) -> Path:
    path = compressed(tmp_path, index=True)
    path.write_bytes(path.read_bytes()[:-28])
    return path


def cut_in_a_block(tmp_path: Path) -> Path:
    path = compressed(tmp_path, index=True)
    data = path.read_bytes()
    path.write_bytes(data[:100] + data[-28:])
    return path


def flipped_bytes(tmp_path: Path) -> Path:
    path = compressed(tmp_path, index=True)
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(bytes(data))
    return path


def cut_text(tmp_path: Path) -> Path:
    return plain(tmp_path, vcf_text(RECORDS)[:-3])


def unsorted(tmp_path: Path) -> Path:
    return plain(tmp_path, vcf_text(RECORDS[::-1]))


def split_contig(tmp_path: Path) -> Path:
    base = SEQUENCES["c2"][9]
    other = f"c2 10 {base} {'C' if base != 'C' else 'G'} 0/1"
    return plain(tmp_path, vcf_text([RECORDS[0], other, RECORDS[1]]))


def not_a_vcf(tmp_path: Path) -> Path:
    return plain(tmp_path, "chr1\t100\t200\n")


def binary(tmp_path: Path) -> Path:
    path = tmp_path / "bad.vcf"
    path.write_bytes(bytes(range(128, 256)) * 10)
    return path


def empty(tmp_path: Path) -> Path:
    return plain(tmp_path, "")


def header_only_columns(tmp_path: Path) -> Path:
    return plain(tmp_path, HEADER)


def two_samples(tmp_path: Path) -> Path:
    text = vcf_text(RECORDS, sample="A\tB")
    lines = [line if line[0] == "#" else f"{line}\t0/0:1" for line in text.splitlines()]
    return plain(tmp_path, "\n".join(lines) + "\n")


def sites_only(tmp_path: Path) -> Path:
    lines = vcf_text(RECORDS).splitlines()
    cut = [line if line.startswith("##") else "\t".join(line.split("\t")[:8]) for line in lines]
    return plain(tmp_path, "\n".join(cut) + "\n")


def absent(tmp_path: Path) -> Path:
    return tmp_path / "absent.vcf"


def other_reference(tmp_path: Path) -> Path:
    return plain(tmp_path, vcf_text([f"c1 100 {ALT1} {A1} 0/1"]))


MALFORMED = {
    "missing column": (replaced("\tGT:GQ\t0/1:40", "\tGT:GQ"), "9 columns where"),
    "empty column": (replaced("\t50\tPASS", "\t\tPASS"), "empty column"),
    "allele index": (replaced("0/1:40", "0/7:40"), "only 1 ALT"),
    "genotype": (replaced("0/1:40", "a/b:40"), "malformed genotype"),
    "position": (replaced("\t100\t", "\tx\t"), "not a number"),
    # Arabic digits, which Python's int() reads.
    "digits": (replaced("\t100\t", "\t\u0661\u0660\u0660\t"), "not a number"),
    "quality": (replaced("\t50\t", "\thigh\t"), "QUAL"),
    "alternate": (replaced(f"\t{ALT1}\t", "\t?\t"), "no allele"),
    "too many values": (replaced("0/1:40", "0/1:40:1"), "sample values"),
    "header after records": (replaced("c1\t200", "##late\nc1\t200"), "header line"),
    "unsorted": (unsorted, "out of order"),
    "split contig": (split_contig, "comes back"),
    "cut text": (cut_text, "middle of line"),
    "plain gzip": (plain_gzip, "bgzip"),
    "no index": (without_index, "tabix"),
    "no end block": (without_end_block, "was cut"),
    "cut block": (cut_in_a_block, "damaged"),
    "flipped bytes": (flipped_bytes, "damaged"),
    "no header": (not_a_vcf, "#CHROM"),
    "only ## lines": (header_only_columns, "#CHROM"),
    "binary": (binary, "text"),
    "empty": (empty, "empty"),
    "two samples": (two_samples, "--sample"),
    "no samples": (sites_only, "--sample ALT"),
    "absent": (absent, "cannot read"),
    "other reference": (other_reference, "another reference"),
}


@pytest.mark.parametrize("side", ["truth", "query"])
@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_file_is_one_sentence(
    fault: str,
    side: str,
    tmp_path: Path,
    reference: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make, words = MALFORMED[fault]
    good = tmp_path / "good.vcf"
    good.write_text(vcf_text(RECORDS))
    bad = make(tmp_path)
    files = (bad, good) if side == "truth" else (good, bad)
    assert evaluated(tmp_path, *files) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("varcall: error: ")
    assert words in said[-1]
    assert side in said[-1]
    assert not [line for line in said if "Traceback" in line]
    assert not list(tmp_path.glob("report*"))


def test_a_good_pair_is_scored(tmp_path: Path, reference: Path) -> None:
    good = tmp_path / "good.vcf"
    good.write_text(vcf_text(RECORDS))
    assert evaluated(tmp_path, good, good) == 0
    assert (tmp_path / "report.summary.csv").exists()


def test_f22_the_reader_of_the_table_went_away(tmp_path: Path, reference: Path, root: Path) -> None:
    """The table waits in a buffer until the command is done: only then it meets the pipe."""
    good = tmp_path / "good.vcf"
    good.write_text(vcf_text(RECORDS))
    command = [sys.executable, "-m", "varcall", "eval", "--truth", str(good), "--query", str(good)]
    command += ["--ref", str(reference), "-o", str(tmp_path / "report")]
    command += ["--engine", "builtin", "--no-plots", "--quiet"]
    reader, writer = os.pipe()
    os.close(reader)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, cwd=root, env=buffered)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


MUTATIONS = 100
REFERENCE = "".join(f">{name}\n{bases}\n" for name, bases in SEQUENCES.items())
COLUMNS = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT S".replace(" ", "\t")


def text_of(records: list[str]) -> str:
    return HEADER + "\n".join([COLUMNS, *records]) + "\n"


def evaluated_text(folder: Path, truth: str, query: str) -> int:
    """Evaluate two texts in a folder that is used again and again."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, text in (("ref.fa", REFERENCE), ("truth.vcf", truth), ("query.vcf", query)):
        (folder / name).write_bytes(text.encode())
    return evaluated(folder, folder / "truth.vcf", folder / "query.vcf")


@given(vcf_records(SEQUENCES))
@settings(max_examples=15)
def test_f18_right_records_are_all_read_and_scored(
    tmp_path_factory: pytest.TempPathFactory, records: list[str]
) -> None:
    assume(records)
    text = text_of(records)
    files = {"ref.fa": REFERENCE, "truth.vcf": text, "query.vcf": text}
    case = {"about": "Found by test_f18_right_records_are_all_read_and_scored.", "kind": "eval"}
    base = tmp_path_factory.getbasetemp()
    with kept_if_failing(base / "right_records", files, **case):
        assert evaluated_text(base / "right", text, text) == 0
        calls = read_call_set(base / "right" / "query.vcf", "query")
        lines = ["\t".join(record.fields) for of in calls.contigs.values() for record in of]
        assert lines == records


@given(st.data())
@settings(max_examples=MUTATIONS)
def test_f18_damaged_records_are_refused_or_all_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = text_of(data.draw(vcf_records(SEQUENCES)))
    text = data.draw(damaged_text(whole))
    files = {"ref.fa": REFERENCE, "truth.vcf": text_of([]), "query.vcf": text}
    case = {"about": "Found by test_f18_damaged_records_are_refused_or_all_read.", "kind": "eval"}
    base = tmp_path_factory.getbasetemp()
    path = base / "damaged_query.vcf"
    path.write_bytes(text.encode())
    with kept_if_failing(base / "damaged_records", files, **case):
        try:
            calls = read_call_set(path, "query")
        except InputError:
            return
        lines = [line for line in text.split("\n") if line and not line.startswith("#")]
        assert sum(map(len, calls.contigs.values())) == len(lines)
        for record in itertools.chain(*calls.contigs.values()):
            assert record.genotype is None or max(record.genotype) <= len(record.alts)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            status = evaluated_text(base / "damaged", whole, text)
        assert status in (0, 1)
        if status == 1:
            assert said.getvalue().splitlines()[-1].startswith("varcall: error: ")
            assert not list((base / "damaged").glob("report*"))


@pytest.mark.parametrize(
    ("text", "words"),
    [("c1\t5\n", "no interval"), ("c1\ta\tb\n", "no interval"), ("c9\t1\t2\n", "another build")],
)
def test_a_malformed_bed_is_one_sentence(
    text: str,
    words: str,
    tmp_path: Path,
    reference: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = tmp_path / "good.vcf"
    good.write_text(vcf_text(RECORDS))
    bed = tmp_path / "regions.bed"
    bed.write_text(text)
    assert evaluated(tmp_path, good, good, "-e", str(bed)) == 1
    assert words in capsys.readouterr().err


def test_the_reference_is_missing_or_no_fasta(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good.vcf"
    good.write_text(vcf_text(RECORDS))
    assert evaluated(tmp_path, good, good) == 1
    assert "no reference FASTA" in capsys.readouterr().err
    (tmp_path / "ref.fa").write_text("not a fasta\n")
    assert evaluated(tmp_path, good, good) == 1
    assert "cannot read the reference" in capsys.readouterr().err


def test_usage_errors_have_their_own_code(tmp_path: Path) -> None:
    good = tmp_path / "good.vcf"
    good.write_text(vcf_text(RECORDS))
    assert run_varcall(["eval", "--truth", str(good), "--query", str(good), "--ref", "x"]) == 2
    assert evaluated(tmp_path, good, good, "--engine", "none") == 2
