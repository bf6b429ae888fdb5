import random
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import write_reference
from varcall.evidence.alleles import Allele, decompose, left_align, merge_alleles, split, trim

# Two letters make repeats, where alignment matters, likely.
REFERENCES = st.text("AC", min_size=8, max_size=40)


@st.composite
def sites(draw: st.DrawFn) -> tuple[str, int, str, list[str]]:
    """A reference, and a site on it with one to three ALTs."""
    reference = draw(REFERENCES)
    start = draw(st.integers(0, len(reference) - 1))
    end = draw(st.integers(start + 1, min(len(reference), start + 6)))
    ref = reference[start:end]
    alts = draw(
        st.lists(
            st.text("ACGT", min_size=1, max_size=6).filter(lambda alt: alt != ref),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    return reference, start, ref, alts


def haplotype(reference: str, start: int, ref: str, alt: str) -> str:
    assert reference[start : start + len(ref)] == ref
    return reference[:start] + alt + reference[start + len(ref) :]


def is_parsimonious(ref: str, alts: tuple[str, ...]) -> bool:
    alleles = (ref, *alts)
    if min(map(len, alleles)) == 1:
        return True
    return len({a[0] for a in alleles}) > 1 and len({a[-1] for a in alleles}) > 1


@given(sites())
def test_trim_keeps_the_haplotypes_and_is_parsimonious(site):
    reference, start, ref, alts = site
    new_start, new_ref, new_alts = trim(start, ref, alts)
    assert [haplotype(reference, new_start, new_ref, alt) for alt in new_alts] == [
        haplotype(reference, start, ref, alt) for alt in alts
    ]
    assert is_parsimonious(new_ref, new_alts)
    assert trim(new_start, new_ref, new_alts) == (new_start, new_ref, new_alts)


@given(sites())
def test_left_align_keeps_the_haplotypes_and_is_idempotent(site):
    reference, start, ref, alts = site
    aligned = left_align(start, ref, alts, lambda start, end: reference[start:end])
    new_start, new_ref, new_alts = aligned
    assert [haplotype(reference, new_start, new_ref, alt) for alt in new_alts] == [
        haplotype(reference, start, ref, alt) for alt in alts
    ]
    assert is_parsimonious(new_ref, new_alts)
    assert left_align(*aligned, lambda start, end: reference[start:end]) == aligned


@given(REFERENCES, st.data())
def test_left_align_finds_one_form_for_equal_haplotypes(reference, data):
    """Every single deletion that spells one haplotype has one normal form."""
    length = data.draw(st.integers(1, 3))
    forms: dict[str, set[tuple[int, str, tuple[str, ...]]]] = {}
    for start in range(len(reference) - length):
        ref, alt = reference[start : start + length + 1], reference[start]
        if len(reference) > length + 1:
            form = left_align(start, ref, [alt], lambda start, end: reference[start:end])
            forms.setdefault(haplotype(reference, start, ref, alt), set()).add(form)
    assert all(len(spellings) == 1 for spellings in forms.values())


def test_left_align_rolls_through_a_long_repeat():
    reference = "G" + "AT" * 300 + "C"
    start = 1 + 2 * 250
    assert left_align(start, "ATA", ["A"], lambda start, end: reference[start:end]) == (
        0,
        "GAT",
        ("G",),
    )


def test_left_align_stops_at_the_start_of_the_contig():
    reference = "AAAAC"
    assert left_align(2, "AA", ["A"], lambda start, end: reference[start:end]) == (0, "AA", ("A",))


@given(sites())
def test_split_then_merge_gives_the_site_back(site):
    reference, start, ref, alts = site
    parts = split(start, ref, alts)
    assert [haplotype(reference, part.start, part.ref, part.alt) for part in parts] == [
        haplotype(reference, start, ref, alt) for alt in alts
    ]
    whole = [Allele(start, ref, alt) for alt in alts]
    assert merge_alleles(whole) == (start, ref, tuple(alts))


@given(sites())
def test_merge_keeps_the_haplotypes_of_overlapping_alleles(site):
    reference, start, ref, alts = site
    alleles = [Allele(start, ref, alts[0])] + [
        Allele(start, reference[start : start + length], "T" * length + "G")
        for length in (1, 2)
        if start + length <= len(reference)
    ]
    merged_start, merged_ref, merged_alts = merge_alleles(alleles)
    assert merged_alts
    assert {haplotype(reference, merged_start, merged_ref, alt) for alt in merged_alts} == {
        haplotype(reference, allele.start, allele.ref, allele.alt) for allele in alleles
    }


@pytest.mark.parametrize(
    "alleles",
    [
        [Allele(5, "A", "C"), Allele(5, "G", "T")],
        [Allele(5, "A", "C"), Allele(9, "A", "C")],
    ],
)
def test_merge_refuses_alleles_of_no_common_reference(alleles):
    with pytest.raises(ValueError, match="do not share one reference"):
        merge_alleles(alleles)


@given(sites())
def test_decompose_keeps_the_haplotype(site):
    reference, start, ref, alts = site
    changed = reference
    for part in decompose(Allele(start, ref, alts[0])):
        if len(part.ref) == len(part.alt):
            assert len(part.ref) == 1
            changed = haplotype(reference, part.start, part.ref, part.alt)
            reference = changed
        else:
            changed = haplotype(reference, part.start, part.ref, part.alt)
    assert changed == haplotype(site[0], start, ref, alts[0])


def test_decompose_takes_an_mnv_apart():
    assert decompose(Allele(10, "ACGT", "TCGA")) == (Allele(10, "A", "T"), Allele(13, "T", "A"))


@pytest.mark.tools("bcftools")
def test_left_align_agrees_with_bcftools_norm(tmp_path):
    chance = random.Random(7)
    sequence = "".join(chance.choice(["A", "AC", "ACA", "T", "G" * 5]) for _ in range(1000))
    reference = write_reference(tmp_path / "ref.fa", {"1": sequence})
    lines, expected = [], {}
    for name, start in enumerate(sorted(chance.sample(range(len(sequence) - 20), 300))):
        ref = sequence[start : start + chance.randint(1, 6)]
        put = chance.choice([ref[0] * 2, "AC", "ACAC", "T", ref + ref])
        alts = sorted({ref[0] + put, ref[:1], "G" + ref[1:]} - {ref})[: chance.randint(1, 2)]
        lines.append(f"1\t{start + 1}\t{name}\t{ref}\t{','.join(alts)}\t.\t.\t.\n")
        expected[str(name)] = left_align(start, ref, alts, lambda start, end: sequence[start:end])
    header = f"##fileformat=VCFv4.2\n##contig=<ID=1,length={len(sequence)}>\n"
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (tmp_path / "in.vcf").write_text(header + columns + "".join(lines))
    norm = ["bcftools", "norm", "-c", "e", "-f", str(reference), str(tmp_path / "in.vcf")]
    done = subprocess.run(norm, capture_output=True, text=True, check=True)
    rows = [row.split("\t") for row in done.stdout.splitlines() if not row.startswith("#")]
    assert len(rows) == len(lines)
    for _, pos, name, ref, alts, *_ in rows:
        assert expected[name] == (int(pos) - 1, ref, tuple(alts.split(",")))
