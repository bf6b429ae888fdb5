"""Copies of a candidate in the truth, whatever way truth spells its haplotypes."""

from pathlib import Path

import pysam
import pytest

from tests.builders import substitute
from tests.varcall.evidence.loci import CONTIG, Locus, sequence_with
from varcall.errors import InputError
from varcall.evidence.alleles import Allele
from varcall.training.labels import TruthRecord, label_questions, read_truth

# Places in `sequence_with(MIDDLE)`: the homopolymer is [300, 308), then plain sequence.
MIDDLE = "A" * 8 + "CGTTGACTCAGTCAGGCATCGATTACAGCTTGCA"
SEQUENCE = sequence_with(MIDDLE)
Answer = dict[tuple[int, tuple[str, ...]], tuple[int, bool]]


@pytest.fixture
def locus(tmp_path: Path) -> Locus:
    return Locus(tmp_path, SEQUENCE)


def fetch(start: int, end: int) -> str:
    return SEQUENCE[max(0, start) : end]


def write_truth(folder: Path, *records: str, sample: str = "NA00001") -> Path:
    """Write `POS REF ALT GT` lines (1-based) as an indexed VCF."""
    path = folder / "truth.vcf"
    columns = "#CHROM POS ID REF ALT QUAL FILTER INFO".split()
    columns += ["FORMAT", sample] if sample else []
    lines = ["##fileformat=VCFv4.3", f"##contig=<ID={CONTIG},length={len(SEQUENCE)}>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">', "\t".join(columns)]
    for record in records:
        pos, ref, alt, genotype = record.split()
        lines.append("\t".join([CONTIG, pos, ".", ref, alt, ".", "PASS", ".", "GT", genotype]))
    path.write_text("\n".join(lines) + "\n")
    return Path(pysam.tabix_index(str(path), preset="vcf", force=True))


def answers(locus: Locus, *records: str) -> Answer:
    """Return (copies, certain) of every question, by start and asked ALTs."""
    evidence = locus.evidence()
    truth = read_truth(write_truth(locus.folder, *records), CONTIG, 0, len(SEQUENCE), fetch)
    labels = label_questions(
        evidence.sites,
        evidence.questions,
        truth,
        evidence.scan.reference,
    )
    found: Answer = {}
    for index, site in enumerate(evidence.questions.site.tolist()):
        _, alts = evidence.alleles(site)
        mask = int(evidence.questions.alleles[index])
        asked = tuple(alt for bit, alt in enumerate(alts) if mask >> bit & 1)
        key = (int(evidence.sites.start[site]), asked)
        found[key] = int(labels.copies[index]), bool(labels.certain[index])
    return found


def other(position: int) -> str:
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[SEQUENCE[position]]


def record(start: int, length: int, alt: str, genotype: str) -> str:
    """Spell a truth line whose REF is the reference."""
    return f"{start + 1} {SEQUENCE[start : start + length]} {alt} {genotype}"


@pytest.mark.parametrize(
    ("genotype", "copies"), [("0/1", 1), ("1|0", 1), ("1/1", 2), ("1", 2), ("0/0", 0)]
)
def test_the_same_spelling(locus: Locus, genotype: str, copies: int) -> None:
    locus.show(6, 290, "60M", {320: other(320)})
    found = answers(locus, record(320, 1, other(320), genotype))
    assert found == {(320, (other(320),)): (copies, True)}


def test_no_truth_is_certainly_no_copy(locus: Locus) -> None:
    locus.show(6, 290, "60M", {320: other(320)})
    assert answers(locus) == {(320, (other(320),)): (0, True)}


def test_another_base_is_no_copy(locus: Locus) -> None:
    locus.show(6, 290, "60M", {320: other(320)})
    wrong = next(base for base in "ACGT" if base not in (other(320), SEQUENCE[320]))
    ((copies, _),) = answers(locus, record(320, 1, wrong, "0/1")).values()
    assert copies == 0


def test_truth_of_an_indel_at_the_right_end_of_its_repeat(locus: Locus) -> None:
    locus.show(6, 270, "33M1D40M")
    found = answers(locus, record(306, 2, "A", "1|0"))
    assert found == {(299, (SEQUENCE[299],)): (1, True)}


def test_mnv_whose_truth_is_two_snvs(locus: Locus) -> None:
    locus.show(6, 290, "60M", {320: other(320), 321: other(321)})
    both = other(320) + other(321)
    snvs = [record(at, 1, other(at), "0|1") for at in (320, 321)]
    assert answers(locus, *snvs) == {(320, (both,)): (1, True)}


def test_two_snvs_whose_truth_is_an_mnv(locus: Locus) -> None:
    locus.show(6, 290, "60M", {320: other(320), 322: other(322)})
    alt = substitute(SEQUENCE[320:323], {0: other(320), 2: other(322)})
    expected = {(at, (other(at),)): (2, True) for at in (320, 322)}
    assert answers(locus, record(320, 3, alt, "1/1")) == expected


def test_mnv_whose_snvs_lie_on_different_haplotypes_is_not_certain(locus: Locus) -> None:
    locus.show(6, 290, "60M", {320: other(320), 321: other(321)})
    snvs = [record(320, 1, other(320), "0|1"), record(321, 1, other(321), "1|0")]
    (answer,) = answers(locus, *snvs).values()
    assert answer == (0, False)


def test_complex_truth_shown_as_primitives(locus: Locus) -> None:
    """`GACT -> TCT` is an SNV and a deletion of one base."""
    start = SEQUENCE.index("GACTCAG")
    ref = SEQUENCE[start - 1 : start + 4]
    assert ref == "TGACT"
    alt = "TCCT"
    locus.show(8, 290, f"{start - 290}M1D40M", {})
    locus.reads.lines.clear()
    # G deleted, A changed to C.
    bases = SEQUENCE[290:start] + "C" + SEQUENCE[start + 2 : start + 40]
    for copy in range(8):
        locus.reads.add(start=290, cigar=f"{start - 290}M1D39M", seq=bases, flag=16 * (copy % 2))
    found = answers(locus, f"{start} {ref} {alt} 0|1")
    assert set(found.values()) == {(1, True)}
    assert len(found) == 2


def test_primitives_shown_as_another_pair_of_primitives(locus: Locus) -> None:
    """Truth: a base moved right of the homopolymer; reads: two SNVs."""
    # ...AAAAAAAAC -> ...AAAAAAACA is "delete A, insert A after C" or two SNVs.
    end = 308
    swapped = {end - 1: "C", end: "A"}
    locus.show(8, 280, "60M", swapped)
    found = answers(
        locus, record(299, 2, SEQUENCE[299], "0|1"), record(end, 1, SEQUENCE[end] + "A", "0|1")
    )
    assert found == {(end - 1, ("CA",)): (1, True)}


def test_a_variant_that_one_haplotype_spells_as_one_with_its_indel(locus: Locus) -> None:
    """Truth has it twice, reads of one haplotype spell it with the deletion beside it otherwise."""
    start = SEQUENCE.index("GACTCAG")
    locus.show(8, 290, "60M", {start + 2: "T"})
    # Without GA and with C changed to T, or with G changed to T and without AC.
    bases = SEQUENCE[290:start] + "T" + SEQUENCE[start + 3 : start + 41]
    for copy in range(8):
        cigar = f"{start + 1 - 290}M2D38M"
        locus.reads.add(start=290, cigar=cigar, seq=bases, flag=16 * (copy % 2))
    truth = record(start - 1, 3, SEQUENCE[start - 1], "0|1"), record(start + 2, 1, "T", "1|1")
    found = answers(locus, *truth)
    assert found == {
        (start, ("T",)): (1, True),
        (start, (SEQUENCE[start],)): (1, True),
        (start + 2, ("T",)): (1, True),
    }


def test_two_alleles_of_one_site(locus: Locus) -> None:
    locus.show(6, 270, "33M1D40M").show(6, 271, "32M2D40M")
    found = answers(locus, record(299, 3, f"{SEQUENCE[299]}A,{SEQUENCE[299]}", "1/2"))
    one, two = SEQUENCE[299], SEQUENCE[299] + "A"
    assert found == {
        (299, (one,)): (1, True),
        (299, (two,)): (1, True),
        (299, (one, two)): (2, True),
    }


def test_truth_nothing_shows_makes_unlike_candidates_near_it_uncertain(locus: Locus) -> None:
    locus.show(6, 290, "60M", {320: other(320)})
    found = answers(locus, record(325, 3, SEQUENCE[325], "0|1"))
    assert found == {(320, (other(320),)): (0, False)}
    assert answers(locus, record(420, 3, SEQUENCE[420], "0|1"))[320, (other(320),)] == (0, True)


@pytest.mark.parametrize("line", ["{} {} <DEL> 0/1", "{} {} {alt} ./1", "{} {} N 0/1"])
def test_truth_that_does_not_say_which_allele(locus: Locus, line: str) -> None:
    locus.show(6, 290, "60M", {320: other(320)})
    text = line.format(321, SEQUENCE[320], alt=other(320))
    ((_, certain),) = answers(locus, text).values()
    assert not certain


def test_a_star_allele_leaves_the_other_one_known(locus: Locus) -> None:
    locus.show(6, 290, "60M", {320: other(320)})
    assert answers(locus, record(320, 1, f"{other(320)},*", "1|2")) == {
        (320, (other(320),)): (1, True)
    }


def test_unphased_truth_is_tried_in_every_phase(locus: Locus) -> None:
    """Two unphased records that only in cis spell what the reads show."""
    end = 308
    locus.show(8, 280, "60M", {end - 1: "C", end: "A"})
    for genotypes in (("0/1", "0/1"), ("0/1", "1/0")):
        found = answers(
            locus,
            record(299, 2, SEQUENCE[299], genotypes[0]),
            record(end, 1, SEQUENCE[end] + "A", genotypes[1]),
        )
        assert found == {(end - 1, ("CA",)): (1, True)}


def test_a_crowd_of_candidates_is_not_certain(locus: Locus) -> None:
    """Where there are too many to try all combinations."""
    for first in range(312, 318, 2):
        locus.show(4, 280, "70M", {at: other(at) for at in range(first, first + 24, 6)})
    found = answers(locus, record(337, 3, SEQUENCE[337], "0|1"))
    assert len(found) == 12
    assert not any(certain for _, certain in found.values())


def test_records_are_split_and_left_aligned(tmp_path: Path) -> None:
    path = write_truth(tmp_path, record(306, 2, "A", "0|1"), record(320, 1, other(320), "1/1"))
    deletion = Allele(299, SEQUENCE[299:301], SEQUENCE[299])
    snv = Allele(320, SEQUENCE[320], other(320))
    assert read_truth(path, CONTIG, 0, 600, fetch) == [
        TruthRecord(306, 308, (), (deletion,), phased=True, known=True),
        TruthRecord(320, 321, (snv,), (snv,), phased=False, known=True),
    ]


def test_truth_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sample"):
        read_truth(write_truth(tmp_path, sample=""), CONTIG, 0, 100, fetch)
    path = write_truth(tmp_path)
    with pytest.raises(InputError, match="tabix"):
        read_truth(path, "20", 0, 100, fetch)
    path.with_name(path.name + ".tbi").unlink()
    with pytest.raises(InputError, match="index"):
        read_truth(path, CONTIG, 0, 100, fetch)
    with pytest.raises(InputError, match="cannot read"):
        read_truth(tmp_path / "absent.vcf.gz", CONTIG, 0, 100, fetch)
