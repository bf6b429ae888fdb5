import gzip
import os
import subprocess
import sys
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import random_sequence, write_reference
from varcall.errors import InputError, UsageError
from varcall.output.header import HeaderContig, HeaderShard, VcfHeader
from varcall.output.provenance import ModelIdentity, header_lines
from varcall.output.record import VariantRecord, format_record, line_key, start_of_pos, vcf_pos
from varcall.output.vcf_writer import OutputType, open_vcf

CONTIGS = (
    HeaderContig("chr2", 2000, "0123456789abcdef0123456789abcdef"),
    HeaderContig("chr1", 1000),
)
PROVENANCE = header_lines(
    reference="/data/ref.fa", model=ModelIdentity("small", "ab" * 32), command="varcall call"
)
HEADER = VcfHeader(contigs=CONTIGS, sample="NA12878", provenance=PROVENANCE)
SUFFIX_OF_KIND = {"v": ".vcf", "z": ".vcf.gz", "u": ".bcf", "b": ".bcf"}


def record(
    contig: str = "chr2", start: int = 9, ref: str = "A", alts: tuple[str, ...] = ("C",), **fields
) -> VariantRecord:
    """A valid het record of minimal arguments."""
    n = len(alts) + 1
    values = {
        "qual": 41.5,
        "filter": "PASS",
        "gt": (0, 1),
        "gq": 40,
        "dp": 30,
        "ad": (20, *[5] * (n - 1)),
        "adf": (10, *[2] * (n - 1)),
        "adr": (10, *[3] * (n - 1)),
        "pl": tuple(range(0, 10 * n * (n + 1) // 2, 10)),
    }
    return VariantRecord(contig, start, ref, alts, **(values | fields))


RECORDS = [
    record(),
    record(
        start=99, ref="ACG", alts=("A", "ACGCG"), gt=(1, 2), gl=(-12.3456, -1, -2, -3, -4, -0.0)
    ),
    record(start=1999, gt=(None, None), filter="NoCall", qual=0.0, gq=0, dp=0, ad=(0, 0)),
    record(contig="chr1", start=4, gt=(1,), pl=(300, 0), qual=999.0),
]


def write(
    path: Path | str, records=RECORDS, header: VcfHeader = HEADER, output_type=None, **options
) -> Path:
    with open_vcf(str(path), header.text(), output_type, **options) as writer:
        for contig in header.contigs:
            lines = [format_record(r) for r in records if r.contig == contig.name]
            writer.write_window(lines, contig=contig.name, end=contig.length)
    return Path(path)


def test_pos_and_start_are_inverse():
    assert vcf_pos(0) == 1
    assert start_of_pos(vcf_pos(41)) == 41


def test_a_record_as_text():
    assert format_record(RECORDS[1]) == (
        "chr2\t100\t.\tACG\tA,ACGCG\t41.5\tPASS\t.\tGT:GQ:DP:AD:ADF:ADR:VAF:PL:GL\t"
        "1/2:40:30:20,5,5:10,2,2:10,3,3:0.1667,0.1667:0,10,20,30,40,50:-12.346,-1,-2,-3,-4,0\n"
    )


@pytest.mark.parametrize("kind", "vzub")
def test_every_type_reads_back(tmp_path, kind):
    path = write(tmp_path / f"out{SUFFIX_OF_KIND[kind]}", output_type=OutputType(kind))
    with pysam.VariantFile(str(path)) as file:
        assert list(file.header.contigs) == ["chr2", "chr1"]
        assert list(file.header.samples) == ["NA12878"]
        read = list(file)
    assert [(r.contig, r.start, r.ref, r.alts) for r in read] == [
        (r.contig, r.start, r.ref, r.alts) for r in RECORDS
    ]
    for got, wanted in zip(read, RECORDS, strict=True):
        call = got.samples[0]
        assert call["GT"] == wanted.gt
        assert call["AD"] == wanted.ad
        assert call["ADF"] == wanted.adf
        assert call["ADR"] == wanted.adr
        assert call["PL"] == wanted.pl
        assert (call["GQ"], call["DP"]) == (wanted.gq, wanted.dp)
        assert call["VAF"] == pytest.approx(wanted.vaf, abs=1e-4)
        assert got.qual == pytest.approx(wanted.qual)
        assert list(got.filter) == [wanted.filter]
        # a BCF keeps the text, which merging shards relies on
        assert str(got) == format_record(wanted)
    indexed = kind in "zb"
    assert path.with_name(path.name + (".csi" if kind == "b" else ".tbi")).exists() == indexed


@pytest.mark.tools("bcftools")
@pytest.mark.parametrize("kind", "vzub")
@pytest.mark.parametrize("records", [RECORDS, []], ids=["records", "empty"])
def test_bcftools_accepts_it_without_a_word(tmp_path, kind, records):
    path = write(tmp_path / f"out{SUFFIX_OF_KIND[kind]}", records, output_type=OutputType(kind))
    done = subprocess.run(
        ["bcftools", "view", "-H", str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "".join(map(format_record, records))
    assert done.stderr == ""
    if kind in "zb":
        done = subprocess.run(
            ["bcftools", "view", "-H", "-r", "chr2:90-110", str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.count("\n") == (1 if records else 0)


@pytest.mark.tools("bcftools")
def test_bcftools_norm_finds_nothing_to_mend(tmp_path):
    sequence = random_sequence(1000)
    reference = write_reference(tmp_path / "ref.fa", {"chr1": sequence})
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    records = [
        record(contig="chr1", start=start, ref=sequence[start], alts=(other[sequence[start]],))
        for start in (0, 10, 999)
    ]
    header = VcfHeader(contigs=(HeaderContig("chr1", 1000),), sample="s")
    path = write(tmp_path / "out.vcf.gz", records, header)
    done = subprocess.run(
        ["bcftools", "norm", "-c", "e", "-f", str(reference), str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "total/split/realigned/skipped:\t3/0/0/0" in done.stderr
    done = subprocess.run(
        ["bcftools", "stats", str(path)], capture_output=True, text=True, check=True
    )
    assert "number of SNPs:\t3" in done.stdout


def test_an_empty_file_is_complete_and_indexed(tmp_path):
    path = write(tmp_path / "out.vcf.gz", [])
    with pysam.VariantFile(str(path)) as file:
        assert list(file.fetch("chr1", 0, 1000)) == []


def test_long_contigs_get_a_csi(tmp_path):
    header = VcfHeader(contigs=(HeaderContig("chr1", 2**30),), sample="s")
    late = record(contig="chr1", start=2**29 + 100)
    path = write(tmp_path / "out.vcf.gz", [late], header)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.vcf.gz", "out.vcf.gz.csi"]
    with pysam.VariantFile(str(path)) as file:
        assert [r.start for r in file.fetch("chr1", 2**29, 2**29 + 200)] == [late.start]


def test_an_index_of_another_kind_does_not_stay(tmp_path):
    path = write(tmp_path / "out.vcf.gz")
    stale = tmp_path / "out.vcf.gz.csi"
    stale.write_text("stale")
    write(path)
    assert not stale.exists()
    write(path, write_index=False)
    assert [p.name for p in tmp_path.iterdir()] == ["out.vcf.gz"]


def test_bytes_do_not_depend_on_how_lines_are_handed_in(tmp_path):
    lines = [format_record(record(start=start)) for start in range(1000)]
    with open_vcf(str(tmp_path / "a.vcf.gz"), HEADER.text()) as writer:
        writer.write_window(lines, contig="chr2", end=2000)
    with open_vcf(str(tmp_path / "b.vcf.gz"), HEADER.text()) as writer:
        for start in range(0, 1000, 7):
            window = lines[start : start + 7][::-1]
            writer.write_window(window, contig="chr2", end=min(start + 7, 1000))
    assert (tmp_path / "a.vcf.gz").read_bytes() == (tmp_path / "b.vcf.gz").read_bytes()


def test_a_record_beyond_its_window_waits_for_its_place(tmp_path):
    moved, later = record(start=105), record(start=102)
    last = record(start=250)
    path = tmp_path / "out.vcf"
    with open_vcf(str(path), HEADER.text()) as writer:
        writer.write_window([format_record(moved)], contig="chr2", end=100)
        writer.write_window([format_record(later), format_record(last)], contig="chr2", end=200)
        writer.write_window([], contig="chr1", end=100)
    with pysam.VariantFile(str(path)) as file:
        assert [r.start for r in file] == [102, 105, 250]


def test_windows_out_of_order_are_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="after"),
        open_vcf(str(tmp_path / "a.vcf"), HEADER.text()) as writer,
    ):
        writer.write_window([], contig="chr1", end=1000)
        writer.write_window([], contig="chr2", end=1000)
    with (
        pytest.raises(ValueError, match="after"),
        open_vcf(str(tmp_path / "a.vcf"), HEADER.text()) as writer,
    ):
        writer.write_window([format_record(record(start=50))], contig="chr2", end=100)
        writer.write_window([format_record(record(start=40))], contig="chr2", end=200)
    assert list(tmp_path.iterdir()) == []


def test_lines_sort_by_pos_ref_alt():
    records = [record(alts=("G",)), record(ref="AT"), record(), record(start=2)]
    keys = sorted(line_key(format_record(r))[1] for r in records)
    assert [key[:3] for key in keys] == [
        (3, "A", "C"),
        (10, "A", "C"),
        (10, "A", "G"),
        (10, "AT", "C"),
    ]


@pytest.mark.parametrize(
    ("path", "wanted", "kind", "level"),
    [
        ("-", None, "v", None),
        ("x.vcf", None, "v", None),
        ("x.vcf.gz", None, "z", None),
        ("x.vcf.bgz", None, "z", None),
        ("x.bcf", None, "b", None),
        ("x.vcf.gz", "z9", "z", 9),
        ("x.bcf", "u", "u", None),
        ("-", "b0", "b", 0),
        ("x", "z", "z", None),
        ("x", None, "v", None),
        ("x.d/x", None, "v", None),
        (".vcf", None, "v", None),
        ("x.txt", "v", "v", None),
        ("sample.20", "z", "z", None),
        ("x.VCF.GZ", "z", "z", None),
        ("x.VCF", "z", "z", None),
        ("/dev/fd/1", None, "v", None),
    ],
)
def test_output_type(path, wanted, kind, level):
    assert OutputType.of(path, wanted) == OutputType(kind, level)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("x.vcf.gz", "v"),
        ("x.VCF.GZ", "v"),
        ("x.bcf", "z"),
        ("x.vcf", "q"),
        ("x", "z11"),
        ("x", "v1"),
    ],
)
def test_output_type_that_cannot_be(path, wanted):
    with pytest.raises(UsageError):
        OutputType.of(path, wanted)


@pytest.mark.parametrize(
    "path",
    ["x.VCF.GZ", "x.vcf.GZ", "x.VCF", "x.BCF", "x.vcf.bz2", "x.vcf.zst", "x.txt", "x.bam", "x.20"],
)
def test_a_suffix_that_is_none_of_ours_is_refused(path):
    with pytest.raises(UsageError, match=r"\.vcf, \.vcf\.gz, \.vcf\.bgz, \.bcf"):
        OutputType.of(path)


@pytest.mark.parametrize("path", ["x.vcf.bz2", "x.vcf.ZST", "x.bam", "x.bed"])
def test_no_output_type_turns_another_format_into_vcf(path):
    with pytest.raises(UsageError, match="another kind of file"):
        OutputType.of(path, "z")


def test_a_pipe_may_have_any_name(tmp_path):
    os.mkfifo(tmp_path / "x.pipe")
    assert OutputType.of(str(tmp_path / "x.pipe")) == OutputType("v")


@pytest.mark.parametrize("level", [0, 1, 9])
def test_levels(tmp_path, level):
    lines = [record(start=start) for start in range(1500)]
    path = write(tmp_path / "out.vcf.gz", lines, output_type=OutputType("z", level))
    text = gzip.decompress(path.read_bytes()).decode()
    assert text == HEADER.text() + "".join(map(format_record, lines))
    with pysam.VariantFile(str(path)) as file:
        assert sum(1 for _ in file.fetch("chr2", 700, 800)) == 100


@given(st.text(min_size=1, max_size=20))
def test_any_sample_and_path_leave_a_readable_header(text):
    """Hostile names (fault S2) may look odd in a header, and may not break it."""
    provenance = header_lines(
        reference=text, model=ModelIdentity(text, "00" * 32), command=f"varcall {text}"
    )
    header = VcfHeader(contigs=CONTIGS, sample=text, provenance=provenance).text()
    parts = header.split("\n")
    assert parts[-1] == ""
    assert parts[-2].count("\t") == 9
    assert all(line.startswith("##") for line in parts[:-2])
    assert len(parts) == len(HEADER.text().split("\n"))


@pytest.mark.parametrize("sample", ["<script>alert(1)</script>", "a;rm -rf /", "a\tb", "a\nb", "æ"])
def test_hostile_samples_are_read_back(tmp_path, sample):
    provenance = header_lines(
        reference=sample, model=ModelIdentity(sample, "00" * 32), command=sample
    )
    path = write(tmp_path / "o.vcf", header=VcfHeader(CONTIGS, sample, provenance))
    with pysam.VariantFile(str(path)) as file:
        (read,) = file.header.samples
        assert read == sample.replace("\t", "%09").replace("\n", "%0A")
        assert len(list(file)) == len(RECORDS)


@pytest.mark.parametrize("name", ["a b", "a,b", "a>b", "", "a\tb", "*", "<x>"])
def test_contigs_that_cannot_stand_in_a_vcf_are_refused(name):
    with pytest.raises(InputError, match="cannot be written"):
        HeaderContig(name, 10)


def test_contig_names_of_hla_alleles_are_fine(tmp_path):
    name = "HLA-A*01:01:01:01"
    header = VcfHeader((HeaderContig(name, 100),), "s")
    path = write(tmp_path / "out.vcf.gz", [record(contig=name)], header)
    with pysam.VariantFile(str(path)) as file:
        assert [r.contig for r in file] == [name]


def test_header_names_what_made_it():
    text = VcfHeader(CONTIGS, "s", PROVENANCE, HeaderShard(2, 3)).text()
    assert "##source=varcall " in text
    assert "##reference=/data/ref.fa\n" in text
    assert f"##varcall_model=<ID=small,sha256={'ab' * 32}>\n" in text
    assert "##varcall_command=varcall call\n" in text
    assert "##varcall_shard=<index=2,count=3>\n" in text
    assert "##contig=<ID=chr2,length=2000,md5=0123456789abcdef0123456789abcdef>\n" in text


@pytest.mark.parametrize("kind", "vzub")
def test_standard_output(kind, tmp_path):
    script = (
        "from tests.varcall.output import test_vcf as t\n"
        f"t.write('-', output_type=t.OutputType({kind!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, cwd=Path.cwd()
    )
    path = tmp_path / "stdout"
    path.write_bytes(done.stdout)
    with pysam.VariantFile(str(path)) as file:
        assert [str(r) for r in file] == [format_record(r) for r in RECORDS]
