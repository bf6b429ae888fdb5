"""Plain sites: the reads say what the sites are, and the table what was called."""

from collections import Counter
from pathlib import Path

import pysam
import pytest

from benchmarks.runs.callers import Caller
from benchmarks.scores.plain_sites import (
    DEPTH,
    KINDS,
    Kind,
    PlainSites,
    Site,
    call_sites,
    make_sites,
    plain_table,
)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_reads_of_a_site_show_its_alleles(tmp_path: Path, kind: Kind) -> None:
    made = make_sites(kind, tmp_path)
    assert {(site.kind, site.copies) for site in made.sites} == {
        (what, copies) for what in ("SNV", "indel") for copies in (1, 2)
    }
    with pysam.FastaFile(str(made.reference)) as fasta, pysam.AlignmentFile(str(made.reads)) as bam:
        for site in made.sites:
            assert fasta.fetch("plain", site.at, site.at + len(site.ref)) == site.ref
            gain = len(site.alt) - len(site.ref)
            shown: Counter[bool] = Counter()
            strands: Counter[tuple[bool, bool]] = Counter()
            for column in bam.pileup("plain", site.at, site.at + 1, truncate=True, stepper="all"):
                for read in column.pileups:
                    base = read.alignment.query_sequence[read.query_position]
                    has_alt = read.indel == gain if gain else base == site.alt
                    shown[has_alt] += 1
                    strands[has_alt, read.alignment.is_reverse] += 1
            assert sum(shown.values()) == DEPTH
            assert abs(shown[True] - DEPTH * site.copies // 2) <= 2
            assert abs(strands[True, True] - strands[True, False]) <= 2


def test_pairs_are_proper_ones(tmp_path: Path) -> None:
    made = make_sites(KINDS[0], tmp_path)
    with pysam.AlignmentFile(str(made.reads)) as bam:
        reads = list(bam)
    assert Counter(read.flag for read in reads).keys() == {83, 99, 147, 163}
    by_name: dict[str, list[pysam.AlignedSegment]] = {}
    for read in reads:
        by_name.setdefault(str(read.query_name), []).append(read)
    for one, two in by_name.values():
        left, right = (two, one) if one.is_reverse else (one, two)
        assert left.reference_start <= right.reference_start
        assert (left.template_length, right.template_length) == (420, -420)
        assert one.next_reference_start == two.reference_start
        assert one.is_read1 != two.is_read1


def test_gaps_have_one_place(tmp_path: Path) -> None:
    made = make_sites(KINDS[1], tmp_path)
    for site in made.sites:
        if site.kind == "indel":
            assert site.ref[-1] != site.alt[-1]


@pytest.mark.tools("bcftools")
def test_genotypes_and_filters_of_the_calls_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites = [Site(at, "A", "C", copies) for at, copies in ((9, 1), (19, 2), (29, 2), (39, 1))]
    lines = [
        "##fileformat=VCFv4.2",
        "##contig=<ID=plain,length=99>",
        '##FILTER=<ID=LowQual,Description="Low">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts",
        "plain\t10\t.\tA\tC\t50\tPASS\t.\tGT:GQ\t0/1:61",
        "plain\t20\t.\tA\tC\t50\tPASS\t.\tGT:GQ\t0/1:62",
        "plain\t30\t.\tA\tC\t50\tPASS\t.\tGT:GQ\t1/1:63",
        "plain\t40\t.\tA\tC\t50\tLowQual\t.\tGT:GQ\t0/1:64",
    ]
    calls = tmp_path / "calls.vcf"
    calls.write_text("\n".join(lines) + "\n")
    copy = Caller("copy", "bash", lambda job: f"bcftools view -Oz -o {job.output} {calls}", "")
    monkeypatch.setattr("benchmarks.scores.plain_sites.VARCALL", copy)
    made = PlainSites(tmp_path / "ref.fa", tmp_path / "reads.bam", "plain:1-99", sites)
    assert [gq for _, gq in call_sites(made, None)] == [61, None, 63, None]


def test_table_tells_wrong_genotypes_from_low_gqs() -> None:
    het, hom = Site(9, "A", "C", 1), Site(20, "A", "AGT", 2)
    pairs = KINDS[0]
    table = plain_table(
        [(pairs, het, 60), (pairs, het, None), (pairs, het, 71), (pairs, hom, None)]
    )
    assert table.rows == [
        ["pairs", "SNV", "het", "2 of 3", "60", "66"],
        ["pairs", "indel", "hom-alt", "0 of 1", "-", "-"],
    ]
