"""Overlapping alleles: the records of a place spell the two haplotypes that the reads came from."""

import random
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pysam
import pytest

from tests.builders import ReadsBuilder, random_sequence, write_reference
from tests.diploid import BOTH, FIRST, SECOND, Change, add_haplotype, spell, spelled_by
from varcall.options import CallOptions
from varcall.pipeline import call_variants

LENGTH, AT = 1000, 500

Places = Mapping[str, Sequence[Change]]


def called(folder: Path, contigs: dict[str, str], places: Places, **options: object) -> Path:
    """Call reads of both haplotypes of every place, a contig each, at 50x."""
    reads = ReadsBuilder(write_reference(folder / "ref.fa", contigs))
    for name, changes in places.items():
        for haplotype in (FIRST, SECOND):
            add_haplotype(reads, name, changes, haplotype, step=6)
    output = folder / "out.vcf.gz"
    bam = reads.write_bam(folder / "reads.bam")
    plain = CallOptions(reads=bam, reference=reads.reference, output=str(output))
    call_variants(replace(plain, **options))  # type: ignore[arg-type]
    return output


def is_right(vcf: Path, contig: str, reference: str, changes: Sequence[Change]) -> bool:
    wanted = {spell(reference, changes, haplotype) for haplotype in (FIRST, SECOND)}
    return set(spelled_by(vcf, contig, reference)) == wanted


# Without a base in common between what is deleted and what comes then, so nothing can shift.
KINDS: dict[str, Sequence[Change]] = {
    "two_overlapping_deletions": [Change(500, 512, "", FIRST), Change(506, 520, "", SECOND)],
    "a_deletion_inside_another": [Change(500, 518, "", FIRST), Change(505, 509, "", SECOND)],
    "deletions_side_by_side": [Change(500, 504, "", FIRST), Change(501, 509, "", SECOND)],
    "an_insertion_under_a_deletion": [
        Change(500, 515, "", FIRST),
        Change(507, 507, "ACGTTGCA", SECOND),
    ],
    "an_snv_under_a_deletion": [Change(500, 512, "", FIRST), Change(505, 506, "?", SECOND)],
    "an_snv_next_to_a_homozygous_deletion": [
        Change(500, 506, "", BOTH),
        Change(507, 508, "?", SECOND),
    ],
    "an_snv_behind_a_homozygous_insertion": [
        Change(500, 500, "GATTACA", BOTH),
        Change(501, 502, "?", FIRST),
    ],
    "three_alleles": [
        Change(500, 509, "", FIRST),
        Change(503, 504, "?", SECOND),
        Change(507, 513, "", SECOND),
    ],
}


def spelled_out(reference: str, changes: Sequence[Change]) -> list[Change]:
    """Put a base that is not the reference's where a change has "?"."""
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    return [
        Change(c.start, c.end, c.alt.replace("?", other[reference[c.start]]), c.haplotypes)
        for c in changes
    ]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], Places]:
    contigs = {name: random_sequence(LENGTH, 40 + n) for n, name in enumerate(KINDS)}
    places = {name: spelled_out(contigs[name], changes) for name, changes in KINDS.items()}
    vcf = called(tmp_path_factory.mktemp("kinds"), contigs, places)
    return vcf, contigs, places


@pytest.mark.parametrize("kind", KINDS)
def test_haplotypes_of_each_kind(kind: str, kinds: tuple[Path, dict[str, str], Places]) -> None:
    vcf, contigs, places = kinds
    assert is_right(vcf, kind, contigs[kind], places[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_no_read_is_lost_from_ad(kind: str, kinds: tuple[Path, dict[str, str], Places]) -> None:
    """Each haplotype has half of the reads: an allele of both has all, of one has half, REF too."""
    with pysam.VariantFile(str(kinds[0])) as calls:
        records = [record for record in calls if record.contig == kind]
    assert records
    for record in records:
        call = record.samples[0]
        depth, ad = call["DP"], call["AD"]
        assert sum(ad) >= 0.9 * depth
        for allele, count in enumerate(ad):
            share = call["GT"].count(allele) / 2
            assert abs(count - share * depth) <= 0.2 * depth


def test_a_deleted_base_is_the_star_allele(
    kinds: tuple[Path, dict[str, str], Places],
) -> None:
    kind = "an_snv_under_a_deletion"
    with pysam.VariantFile(str(kinds[0])) as calls:
        deletion, snv = (record for record in calls if record.contig == kind)
    assert deletion.samples[0]["GT"] == (0, 1)
    assert (snv.alts[1], snv.samples[0]["GT"]) == ("*", (1, 2))
    for record in (deletion, snv):
        assert record.samples[0].phased
        assert record.samples[0]["PS"] == deletion.pos
        alleles = len(record.alleles)
        assert len(record.samples[0]["PL"]) == alleles * (alleles + 1) // 2


def random_cluster(rng: random.Random, reference: str) -> list[Change]:
    """Two to four changes within 15 bases, of which two on different haplotypes overlap."""
    while True:
        changes = []
        for _ in range(rng.randint(2, 4)):
            start = AT + rng.randrange(15)
            kind = rng.choice(["deletion", "deletion", "deletion", "insertion", "SNV"])
            if kind == "SNV":
                alt = rng.choice([base for base in "ACGT" if base != reference[start]])
                change = start, start + 1, alt
            elif kind == "deletion":
                change = start, start + rng.choice([1, 2, 3, 4, 6, 8, 12, 18]), ""
            else:
                change = start, start, "".join(rng.choices("ACGT", k=rng.choice([1, 2, 5, 8, 14])))
            changes.append(Change(*change, rng.choice([FIRST, SECOND, FIRST, SECOND, BOTH])))
        pairs = [(a, b) for n, a in enumerate(changes) for b in changes[:n]]
        together = [a.overlaps(b, apart=2) for a, b in pairs if a.haplotypes & b.haplotypes]
        across = [a.touches(b) for a, b in pairs if not a.haplotypes & b.haplotypes]
        if any(across) and not any(together):
            return changes


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], Places]:
    rng = random.Random(11)
    contigs = {f"c{number}": random_sequence(LENGTH, number) for number in range(20)}
    places = {name: random_cluster(rng, sequence) for name, sequence in contigs.items()}
    vcf = called(tmp_path_factory.mktemp("clusters"), contigs, places)
    return vcf, contigs, places


def test_twenty_random_clusters(clusters: tuple[Path, dict[str, str], Places]) -> None:
    """At most one wrong; `spelled_by` fails where one haplotype has two alleles of a base."""
    vcf, contigs, places = clusters
    wrong = [
        name for name, changes in places.items() if not is_right(vcf, name, contigs[name], changes)
    ]
    assert len(wrong) <= 1, {name: places[name] for name in wrong}


@pytest.mark.skipif(not shutil.which("bcftools"), reason="needs bcftools")
def test_bcftools_consensus_spells_the_same(
    clusters: tuple[Path, dict[str, str], Places],
) -> None:
    vcf, contigs, _ = clusters
    spelled: dict[str, list[str]] = {name: [] for name in contigs}
    for haplotype in ("1", "2"):
        options = ["-i", 'FILTER="PASS"', "-H", haplotype, "-f", str(vcf.with_name("ref.fa"))]
        done = subprocess.run(
            ["bcftools", "consensus", *options, str(vcf)],
            capture_output=True,
            text=True,
            check=True,
        )
        for contig in done.stdout.split(">")[1:]:
            name, *lines = contig.split("\n")
            spelled[name].append("".join(lines))
    others = [
        name
        for name, haplotypes in spelled.items()
        if tuple(haplotypes) != spelled_by(vcf, name, contigs[name])
    ]
    # An insertion in one record with a deletion is padded over the deletion's bases, and bcftools
    # then leaves an SNV between them out.
    assert len(others) <= 1, others


@pytest.mark.parametrize("window", [500, 503, 507])
def test_windows_change_nothing(
    window: int, kinds: tuple[Path, dict[str, str], Places], tmp_path: Path
) -> None:
    """Borders before, inside and behind the overlapping alleles."""
    whole, contigs, places = kinds
    cut = called(tmp_path, contigs, places, window=window)
    with pysam.VariantFile(str(whole)) as one, pysam.VariantFile(str(cut)) as other:
        assert [str(record) for record in other] == [str(record) for record in one]


def test_haploid_samples_have_one_haplotype(tmp_path: Path) -> None:
    changes = [Change(500, 506, "", BOTH), Change(507, 508, "?", BOTH)]
    contigs = {"c1": random_sequence(LENGTH, 3)}
    vcf = called(tmp_path, contigs, {"c1": spelled_out(contigs["c1"], changes)}, ploidy=1)
    with pysam.VariantFile(str(vcf)) as calls:
        assert [record.samples[0]["GT"] for record in calls] == [(1,), (1,)]
