"""Joint VCFs of small gVCFs: alleles in one record, and what each sample says of them."""

from collections.abc import Sequence
from pathlib import Path

import pysam
import pytest

from tests.varcall.joint.gvcf_files import CONTIGS, block, variant, write_gvcf
from varcall.cli import run as run_varcall
from varcall.joint.run import JointOptions, call_jointly

SURE = "0/0:60:30:0,60,200"


def joined(
    folder: Path,
    samples: dict[str, Sequence[str]],
    ped: str | None = None,
    contigs: str = CONTIGS,
    **options,
) -> list[dict]:
    """Join gVCFs of these lines; return the records: their columns, and each sample's fields."""
    paths = [write_gvcf(folder, name, lines, contigs=contigs) for name, lines in samples.items()]
    pedigree = None
    if ped is not None:
        pedigree = folder / "family.ped"
        pedigree.write_text(ped)
    output = folder / "joint.vcf"
    call_jointly(JointOptions(tuple(paths), str(output), ped=pedigree, **options))
    pysam.VariantFile(str(output)).close()  # the header names all that is used
    return [parsed(line) for line in output.read_text().splitlines() if line[0] != "#"]


def parsed(line: str) -> dict:
    contig, pos, _, ref, alts, qual, status, info, names, *columns = line.split("\t")
    calls = [dict(zip(names.split(":"), c.split(":"), strict=True)) for c in columns]
    return {
        "site": (contig, int(pos), ref, alts), "qual": float(qual), "filter": status,
        "info": dict(word.split("=") for word in info.split(";")), "calls": calls,
    }  # fmt: skip


def test_a_block_answers_for_an_allele_of_another_sample(tmp_path):
    (record,) = joined(
        tmp_path,
        {
            "a": [variant(10, "A G,<*>", "0/1:40:30:16,14,0:45,0,52,93,101,240")],
            "b": [block(1, 100, "N", SURE)],
        },
    )
    assert record["site"] == ("1", 10, "A", "G")
    assert record["filter"] == "PASS"
    assert record["info"] == {"AC": "1", "AN": "4"}
    one, other = record["calls"]
    assert (one["GT"], one["GQ"], one["AD"], one["PL"]) == ("0/1", "40", "16,14", "45,0,52")
    assert one["VAF"] == "0.4667"
    assert (other["GT"], other["GQ"], other["DP"]) == ("0/0", "60", "30")
    assert (other["AD"], other["PL"]) == (".", "0,60,200")


def test_alleles_of_one_position_are_one_record_of_the_longest_ref(tmp_path):
    (record,) = joined(
        tmp_path,
        {
            "snv": [variant(10, "A G,<*>", "0/1:40:30:16,13,1:45,0,52,93,101,240")],
            "deletion": [variant(10, "ACT A,<*>", "1/1:33:30:0,28,2:80,33,0,90,70,200")],
        },
    )
    assert record["site"] == ("1", 10, "ACT", "GCT,A")
    snv, deletion = record["calls"]
    assert (snv["GT"], deletion["GT"]) == ("0/1", "2/2")
    # The other's allele has what <*> has of its own record.
    assert snv["AD"] == "16,13,1"
    assert snv["PL"] == "45,0,52,93,101,240"
    assert deletion["AD"] == "0,2,28"
    assert deletion["PL"] == "80,90,200,33,70,0"


def test_a_deleted_base_of_another_sample_is_a_star(tmp_path):
    deletion, snv = joined(
        tmp_path,
        {
            "deletion": [variant(10, "ACT A,<*>", "0/1:40:30:16,14,0:45,0,52,93,101,240")],
            "snv": [
                block(1, 10, "N", SURE),
                variant(11, "C G,<*>", "0/1:40:30:16,14,0:45,0,52,93,101,240"),
            ],
        },
    )
    assert [call["GT"] for call in deletion["calls"]] == ["0/1", "0/0"]
    assert snv["site"] == ("1", 11, "C", "G,*")
    assert [call["GT"] for call in snv["calls"]] == ["0/2", "0/1"]
    assert snv["calls"][0]["PL"] == "45,93,240,0,101,52"


def test_a_refused_record_is_no_site_but_answers(tmp_path):
    refused = variant(10, "AC A,<*>", "0/0:25:30:25,3,2:0,25,60,41,80,150", status="RefCall")
    assert joined(tmp_path, {"a": [refused], "b": [block(1, 50, "N", SURE)]}) == []
    called = variant(10, "A G,<*>", "0/1:40:30:16,14,0:45,0,52,93,101,240", status="LowQual")
    (record,) = joined(tmp_path, {"a": [refused], "b": [called]})
    assert record["site"] == ("1", 10, "A", "G")
    assert record["filter"] == "LowQual"
    assert record["calls"][0]["GT"] == "0/0"
    assert record["calls"][0]["PL"] == "0,41,150"
    assert record["calls"][0]["AD"] == "25,2"


def test_two_records_of_a_sample_at_one_position_stay_two(tmp_path):
    two = [
        variant(10, "A AGG,<*>", "1|0:10:25:10,15,0:16,0,11,70,65,173:10", more=":PS"),
        variant(10, "A G,<*>", "0|1:9:25:11,10,0:13,0,11,67,65,197:10", more=":PS"),
    ]
    one = [variant(10, "A G,<*>", "1/1:30:25:0,25,0:70,30,0,90,80,197")]
    insertion, snv = joined(tmp_path, {"one": one, "two": two})
    assert (insertion["site"][3], snv["site"][3]) == ("AGG", "G")
    assert [call["GT"] for call in insertion["calls"]] == ["0/0", "1|0"]
    assert [call["GT"] for call in snv["calls"]] == ["1/1", "0|1"]
    assert [call["PS"] for call in snv["calls"]] == [".", "10"]


def test_haploid_stays_haploid_and_what_was_not_called_is_missing(tmp_path):
    first, second = joined(
        tmp_path,
        {
            "man": [
                variant(10, "A G,<*>", "1:50:15:0,15,0:90,0,95"),
                block(11, 30, "N", "0:40:15:0,40"),
            ],
            "woman": [
                block(5, 15, "N", SURE),
                variant(20, "C T,<*>", "1/1:33:30:0,28,2:80,33,0,90,70,200"),
            ],
            "elsewhere": [block(500, 600, "N", SURE)],
        },
    )
    assert [call["GT"] for call in first["calls"]] == ["1", "0/0", "./."]
    assert first["calls"][0]["PL"] == "90,0"
    assert first["calls"][2]["PL"] == "."
    assert first["info"] == {"AC": "1", "AN": "3"}
    assert [call["GT"] for call in second["calls"]] == ["0", "1/1", "./."]
    assert second["calls"][0]["PL"] == "0,40"


def test_contigs_come_in_the_order_of_the_header(tmp_path):
    het = "0/1:40:30:16,14,0:45,0,52,93,101,240"
    records = joined(
        tmp_path,
        {
            "a": [variant(900, "A G,<*>", het), variant(5, "C T,<*>", het, contig="2")],
            "b": [variant(950, "A G,<*>", het), variant(4, "C T,<*>", het, contig="2")],
        },
    )
    places = [record["site"][:2] for record in records]
    assert places == [("1", 900), ("1", 950), ("2", 4), ("2", 5)]


PED = "f kid dad mum 0 0\nf dad 0 0 1 0\nf mum 0 0 2 0\n"
HET = "0/1:40:30:16,14,0:99,0,99,200,200,300"
HOM = "1/1:60:30:0,30,0:200,60,0,250,99,300"
NEVER = "0/0:90:40:0,90,300"


def test_a_child_is_phased_by_what_is_transmitted(tmp_path):
    (record,) = joined(
        tmp_path,
        {
            "mum": [block(1, 50, "N", NEVER)],
            "kid": [variant(10, "A G,<*>", HET)],
            "dad": [variant(10, "A G,<*>", HOM)],
        },
        PED,
    )
    # paternal|maternal
    assert [call["GT"] for call in record["calls"]] == ["0/0", "1|0", "1/1"]
    assert float(record["calls"][1]["DNM"]) < 1e-6
    assert record["calls"][0]["DNM"] == "."
    assert "DENOVO" not in record["info"]


def test_a_new_variant_is_marked(tmp_path):
    samples = {
        "mum": [block(1, 50, "N", NEVER)],
        "kid": [variant(10, "A G,<*>", HET)],
        "dad": [block(1, 50, "N", NEVER)],
    }
    (record,) = joined(tmp_path, samples, PED)
    assert [call["GT"] for call in record["calls"]] == ["0/0", "0/1", "0/0"]
    assert record["info"]["DENOVO"] == "kid"
    assert float(record["calls"][1]["DNM"]) > 0.999
    # Of a smaller prior the parents' PL, 90, make less: mu / (mu + 2 * 10^-9 + 10^-9.9)
    (record,) = joined(tmp_path, samples, PED, de_novo_prior=1e-8)
    expected = 1e-8 / (1e-8 + 2e-9 + 10**-9.9)
    assert float(record["calls"][1]["DNM"]) == pytest.approx(expected, rel=2e-3)


def test_a_doubtful_violation_gives_way(tmp_path):
    samples = {
        "mum": [variant(10, "A G,<*>", HOM)],
        "kid": [block(1, 50, "N", "0/0:8:4:0,8,60")],
        "dad": [block(1, 50, "N", NEVER)],
    }
    (alone,) = joined(tmp_path, samples)
    (record,) = joined(tmp_path, samples, PED, de_novo_prior=1e-6)
    assert alone["calls"][1]["GT"] == "0/0"
    assert record["calls"][1]["GT"] == "0|1"
    assert record["calls"][1]["PL"] == alone["calls"][1]["PL"] == "0,8,60"
    # 0/0 needs one violation, or a heterozygous mother and none
    assert record["calls"][1]["PP"] == "49,0,112"


def test_a_variant_that_the_family_takes_away_is_no_pass(tmp_path):
    weak = variant(10, "A G,<*>", "0/1:9:30:26,4,0:9,0,99,200,200,300")
    samples = {"mum": [block(1, 50, "N", NEVER)], "kid": [weak], "dad": [block(1, 50, "N", NEVER)]}
    (record,) = joined(tmp_path, samples, PED)
    assert [call["GT"] for call in record["calls"]] == ["0/0"] * 3
    assert record["filter"] == "RefCall"
    assert record["info"]["AC"] == "0"


def test_chromosome_x_is_not_refined_outside_its_par(tmp_path):
    contigs = "##contig=<ID=X,length=155270560>\n"  # GRCh37: PAR1 ends at 2699520
    het = {"kid": [variant(pos, "A G,<*>", HET, contig="X") for pos in (2_699_000, 2_700_000)]}
    parents = {name: [block(2_600_000, 2_800_000, "N", NEVER, "X")] for name in ("mum", "dad")}
    inside, outside = joined(tmp_path, het | parents, PED, contigs=contigs)
    assert "PP" in inside["calls"][0]
    assert "PP" not in outside["calls"][0]


def test_the_command_line_writes_an_index(tmp_path):
    path = write_gvcf(tmp_path, "a", [variant(10, "A G,<*>", HET)])
    output = tmp_path / "out.vcf.gz"
    assert run_varcall(["joint", str(path), "-o", str(output)]) == 0
    with pysam.VariantFile(str(output)) as joint:
        assert [record.pos for record in joint.fetch("1", 0, 20)] == [10]
        assert list(joint.header.samples) == ["a"]
