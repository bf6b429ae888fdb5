"""What is counted of a VCF, whoever wrote it."""

import gzip
import tracemalloc
from collections import Counter
from pathlib import Path

import pysam
import pytest

from varcall.errors import InputError
from varcall.report.tally import HAPLOID, HET, HOM_ALT, HOM_REF, TWO_ALTS, tally_calls

HEADER = """\
##fileformat=VCFv4.2
##source=some caller 1.2
##reference=ref.fa
##varcall_command=varcall call --reads a.bam
##varcall_model=<ID=tiny,sha256=0123456789abcdef>
##contig=<ID=1,length=1000000>
##contig=<ID=X,length=155270560>
##FILTER=<ID=LowQual,Description="">
##INFO=<ID=DP,Number=1,Type=Integer,Description="">
##INFO=<ID=CAUSE,Number=1,Type=String,Description="">
##INFO=<ID=CAUSEP,Number=1,Type=Float,Description="">
##FORMAT=<ID=GT,Number=1,Type=String,Description="">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="">
##FORMAT=<ID=RO,Number=1,Type=Integer,Description="">
##FORMAT=<ID=AO,Number=A,Type=Integer,Description="">
##FORMAT=<ID=VAF,Number=A,Type=Float,Description="">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"""


def write(path: Path, *records: str, samples: str = "s") -> Path:
    """Write a VCF; records are `CONTIG POS REF ALT QUAL FILTER INFO FORMAT VALUES...`."""
    lines = [HEADER + samples.replace(" ", "\t")]
    for record in records:
        fields = record.split()
        lines.append("\t".join([*fields[:2], ".", *fields[2:]]))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_counts_of_every_kind_of_record(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.vcf",
        "1 100 A G 50 PASS . GT:GQ:DP:AD 0/1:40:20:9,11",
        "1 200 C A 50 PASS . GT:GQ:DP:AD 1/1:30:20:1,19",
        "1 300 CT C,CTT 50 . . GT:GQ:DP:AD 1/2:20:20:0,10,10",
        "1 400 GCA GTA 50 PASS . GT:GQ:DP:AD 1|1:10:30:0,30",
        "1 500 AC GT 50 PASS . GT:GQ:DP:AD 0/1:35:20:10,10",
        "1 600 A T 1 LowQual CAUSE=base_errors;CAUSEP=0.5 GT:GQ:DP:AD 0/1:3:20:15,5",
        "1 700 A T 0 LowQual CAUSE=base_errors;CAUSEP=0.7 GT:GQ:DP:AD 0/0:3:20:15,5",
        "1 800 A <NON_REF> . . . GT:GQ:DP 0/0:50:30",
        "1 20900 A T 9 PASS . GT:GQ:DP ./.:3:20",
        "X 3000000 A G 50 PASS . GT:GQ:DP:AD 1:50:15:0,15",
        "X 3000100 A G 50 PASS . GT:GQ:DP:AD 1/1:50:15:0,15",
        "X 3000200 A G 50 PASS . GT:GQ:DP:AD 0/1:50:15:7,8",
        "X 154931100 T C 50 PASS . GT:GQ:DP:AD 0/1:50:15:7,8",
    )
    tally = tally_calls(path, uncertain=2)
    one, x = tally.contigs["1"], tally.contigs["X"]
    assert (tally.sample, tally.variants, tally.reference_blocks) == ("s", 9, 1)
    assert (one.records, one.refused, one.variants, one.blocks) == (8, 2, 5, 1)
    assert (one.snvs, one.insertions, one.deletions, one.others) == (3, 1, 1, 1)
    assert (one.transitions, one.transversions, one.het, one.hom) == (2, 1, 3, 2)
    assert (one.depth, one.with_depth) == (110, 5)
    assert tally.filters == {"PASS": 9, ".": 1, "LowQual": 2}
    assert tally.substitutions == {
        ("A", "G"): 4, ("C", "A"): 1, ("C", "T"): 1, ("T", "C"): 1,
    }  # fmt: skip
    assert tally.lengths == {1: 1, -1: 1}
    assert tally.causes == {"base errors": 2}
    assert tally.cause_probabilities["base errors"] == pytest.approx(1.2)
    # REF reads at homozygous SNVs of autosomes: 1 of 20 and 0 of 30.
    assert (tally.hom_reads, tally.hom_ref_reads) == (50, 1)
    # One is haploid, and one lies in the second pseudo-autosomal region.
    assert (x.variants, tally.x_snvs, tally.x_het) == (4, 2, 1)
    assert tally.not_autosomes == {"X"}
    shares = {kind: sum(bins) for kind, bins in tally.shares.items()}
    assert shares == {HOM_REF: 1, HET: 4, HOM_ALT: 3, TWO_ALTS: 1, HAPLOID: 1}
    assert tally.shares[HET][27] == 1  # 11 of 20
    assert [(item.quality, item.line.split("\t")[1]) for item in tally.uncertain] == [
        (10, "400"), (20, "300"),
    ]  # fmt: skip
    origin = tally.origin
    assert (origin.source, origin.reference) == ("some caller 1.2", "ref.fa")
    assert (origin.model, origin.model_sha256) == ("tiny", "0123456789abcdef")
    assert origin.command == "varcall call --reads a.bam"


def test_fields_of_other_callers_and_none(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.vcf",
        "1 100 A G 50 . DP=33 GT:RO:AO 0/1:10:10",
        "1 200 A G 50 . DP=33 GT:VAF 0/1:0.4",
        "1 300 A G 50 . . GT 0/1",
    )
    tally = tally_calls(path, uncertain=5)
    assert tally.seen == Counter({"GT": 3, "AD or VAF": 2, "DP": 2})
    assert (tally.shares[HET][25], tally.shares[HET][20]) == (1, 1)
    assert [item.quality for item in tally.uncertain] == [50, 50, 50]  # QUAL where there is no GQ


def test_one_sample_of_several(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.vcf", "1 100 A G 50 PASS . GT:GQ 0/0:9 1/1:8", samples="mother child"
    )
    with pytest.raises(InputError, match=r"2 samples \(mother, child\): choose one"):
        tally_calls(path)
    with pytest.raises(InputError, match="no sample 'father'"):
        tally_calls(path, "father")
    tally = tally_calls(path, "child", 1)
    assert tally.variants == 1
    assert tally.uncertain[0].line.endswith("GT:GQ\t1/1:8\n")
    assert tally_calls(path, "mother").variants == 0


def test_bcf_is_read_as_text_is(tmp_path: Path) -> None:
    text = write(tmp_path / "a.vcf", "1 100 A G 50 PASS . GT:GQ:DP:AD 0/1:40:20:9,11")
    binary = tmp_path / "a.bcf"
    with pysam.VariantFile(str(text)) as source:
        with pysam.VariantFile(str(binary), "wb", header=source.header) as sink:
            for record in source:
                sink.write(record)
    one, other = tally_calls(text), tally_calls(binary)
    assert (one.depths, one.shares, one.contigs) == (other.depths, other.shares, other.contigs)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.vcf", None, "cannot read the calls"),
        ("text.vcf", b"no VCF at all\n", "give a VCF or BCF"),
        ("cut.vcf.gz", "cut", "no BGZF end block"),
        ("columns.vcf", f"{HEADER}s\n1\t5\t.\tA\tG\n".encode(), "damaged after record 0"),
        ("none.vcf", f"{HEADER}".removesuffix("\tFORMAT\t").encode() + b"\n", "no sample column"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, name: str, content: bytes | str | None, message: str
) -> None:
    path = tmp_path / name
    if content == "cut":
        source = write(tmp_path / "whole.vcf", "1 100 A G 50 PASS . GT 0/1")
        pysam.tabix_compress(str(source), str(path))
        path.write_bytes(path.read_bytes()[:-28])
        assert gzip.decompress(path.read_bytes())
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        tally_calls(path)


def test_memory_does_not_grow_with_the_records(tmp_path: Path) -> None:
    peaks = []
    for count in (1_000, 10_000):
        records = (
            f"1 {100 + number} A G 50 PASS . GT:GQ:DP:AD 0/1:{number % 90}:20:9,11"
            for number in range(count)
        )
        path = write(tmp_path / f"{count}.vcf", *records)
        tracemalloc.start()
        tally = tally_calls(path, uncertain=10)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert tally.variants == count
    assert peaks[1] < 1.2 * peaks[0]
