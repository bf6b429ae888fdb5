"""Records for Python say what the VCF's lines say."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pysam
import pytest

from varcall.api.variants import FIELDS, Variant, Variants, as_array, read_variants
from varcall.errors import InputError, OutputError
from varcall.output.record import NO_CALL, PASS, REF_CALL, VariantRecord, format_record

HET = VariantRecord(
    "chr1", 99, "AT", ("A", "GT"), 31.5, PASS, (1, 2), 28, 30,
    (2, 12, 16), (1, 6, 8), (1, 6, 8), (31, 20, 40, 25, 0, 30), phase_set=89,
)  # fmt: skip
REFUSED = VariantRecord(
    "chr1", 119, "C", ("G",), 0.2, REF_CALL, (0, 0), 14, 20,
    (17, 3), (9, 1), (8, 2), (0, 14, 60), (0.0, -1.4, -6.0), cause=(" base errors", 0.8125),
)  # fmt: skip
UNKNOWN = VariantRecord(
    "chr2", 0, "C", ("CTT",), 3.0, NO_CALL, (None, None), 1, 0, (0, 0), (0, 0), (0, 0), (0, 0, 0)
)
HAPLOID = VariantRecord(
    "chrX", 5, "C", ("T",), 60.0, PASS, (1,), 50, 9, (0, 9), (0, 4), (0, 5), (50, 0)
)
RECORDS = (HET, REFUSED, UNKNOWN, HAPLOID)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.contig + record.ref)
def test_what_is_written_is_read(record: VariantRecord) -> None:
    read = Variant.from_line(format_record(record))
    for name in ("contig", "start", "ref", "alts", "qual", "filter", "gq", "dp", "ad", "pl"):
        assert getattr(read, name) == getattr(record, name), name
    assert read.genotype == record.gt
    assert read.phase_set == record.phase_set
    assert read.is_phased == (record.phase_set is not None)
    assert read.vaf == pytest.approx(record.vaf, abs=1e-4)
    assert read.cause == (None if record.cause is None else record.cause[0].strip())
    assert (read.pos, read.end) == (record.start + 1, record.start + len(record.ref))
    if record.gl is not None:
        assert read.fields["GL"] == "0,-1.4,-6"


def test_kinds_and_copies() -> None:
    het, refused, unknown, haploid = (Variant.from_line(format_record(r)) for r in RECORDS)
    assert [v.is_het for v in (het, refused, unknown, haploid)] == [True, False, False, False]
    assert [v.copies for v in (het, refused, unknown, haploid)] == [2, 0, None, 1]
    assert (het.is_snv, het.is_indel) == (True, True)
    # What no copy has makes no variant.
    assert (refused.is_snv, unknown.is_indel, haploid.is_snv) == (False, False, True)
    assert [v.is_pass for v in (het, refused)] == [True, False]
    assert str(het) == "chr1:100 AT>A,GT 1|2"


def test_records_of_other_callers() -> None:
    block = Variant.from_line("1\t11\t.\tA\t<*>\t.\t.\tEND=20;FLAG\tGT:GQ:PL\t0/0:.:.\tother\n")
    assert (block.start, block.end, block.qual, block.gq, block.pl) == (10, 20, None, None, ())
    assert block.info == {"END": "20", "FLAG": ""}
    assert (block.dp, block.ad, block.vaf, block.phase_set) == (None, (), (), None)
    assert Variant.from_line("1\t5\t.\tA\t.\t.\t.\t.\tGT\t0").alts == ()


def test_arrays() -> None:
    array = as_array(map(Variant.from_line, map(format_record, RECORDS)))
    assert array.dtype == FIELDS
    assert array["alt"].tolist() == ["A,GT", "G", "CTT", "T"]
    assert array["copies"].tolist() == [2, 0, -1, 1]
    assert array["alt_reads"].tolist() == [28, 3, 0, 9]
    assert array["ref_reads"].tolist() == [2, 17, 0, 0]
    np.testing.assert_allclose(array["vaf"], [28 / 30, 0.15, 0, 1], atol=2e-4)
    missing = as_array([Variant.from_line("1\t5\t.\tA\tC\t.\t.\t.\tGT\t./.")])[0]
    assert np.isnan(missing["qual"])
    assert np.isnan(missing["vaf"])
    assert (missing["gq"], missing["dp"], missing["ref_reads"], missing["alt_reads"]) == (-1,) * 4
    assert as_array([]).shape == (0,)


class Some(Variants):
    def __iter__(self) -> Iterator[Variant]:
        return map(Variant.from_line, map(format_record, RECORDS))


def test_tables_of_pandas() -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas: pip install '.[pandas]'")
    table = Some().to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == list(FIELDS.names or ())
    assert table.query("filter == 'PASS'")["start"].tolist() == [99, 5]


def test_without_pandas_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(OutputError, match=r"pip install 'varcall-pileup\[pandas\]'"):
        Some().to_pandas()


def test_files_of_every_kind_are_read(tmp_path: Path) -> None:
    header = "##fileformat=VCFv4.2\n##contig=<ID=1,length=99>\n"
    header += '##FORMAT=<ID=GT,Number=1,Type=String,Description="">\n'
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n"
    plain = tmp_path / "plain.vcf"
    plain.write_text(header + columns + "1\t5\t.\tA\tC\t30\tPASS\t.\tGT\t0/1\n")
    packed = tmp_path / "packed.vcf.gz"
    pysam.tabix_compress(str(plain), str(packed))
    binary = tmp_path / "binary.bcf"
    with pysam.VariantFile(str(plain)) as source:
        with pysam.VariantFile(str(binary), "wb", header=source.header) as target:
            for record in source:
                target.write(record)
    (expected,) = read_variants(plain)
    assert expected.gt == "0/1"
    assert list(read_variants(packed)) == list(read_variants(binary)) == [expected]


def test_a_file_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*gone\.vcf"):
        list(read_variants(tmp_path / "gone.vcf"))
