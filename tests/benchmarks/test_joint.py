"""What the benchmark of families counts, on small files."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.inputs.simulated_trio import CHILD, FATHER, MOTHER, Trio, _new_variants, _spelled
from benchmarks.joint import copies, found_new, trimmed, violations

NAMES = (FATHER, MOTHER, CHILD)
HEADER = """\
##fileformat=VCFv4.2
##contig=<ID=20,length=1000>
##INFO=<ID=DENOVO,Number=.,Type=String,Description="Children">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
"""
LINES = [
    "100 A G . 0/1 0/0 0/1",
    "200 A G DENOVO=child 0/0 0/0 0/1",
    "210 ACG A DENOVO=child 0/0 0/0 0/1",
    "300 A G,T . 0/1 0/2 1|2",
    "400 A G . 1/1 1/1 0/1",
    "500 A G . ./. 0/0 0/1",
    "600 A G . 0/0 0/0 0/0",
]


@pytest.fixture
def joint(tmp_path: Path) -> Path:
    path = tmp_path / "joint.vcf"
    columns = "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"])
    lines = [f"{HEADER}{columns}\t" + "\t".join(NAMES)]
    for line in LINES:
        pos, ref, alt, info, *genotypes = line.split()
        lines.append("\t".join(["20", pos, ".", ref, alt, ".", ".", info, "GT", *genotypes]))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_violations_are_of_sites_where_all_are_called(joint: Path) -> None:
    assert violations(joint, NAMES, lambda _: True) == (5, 3)
    assert violations(joint, NAMES, lambda start: start < 200) == (2, 1)


def test_new_variants_are_found_where_they_were_put(joint: Path) -> None:
    new = frozenset({(209, "ACG", "A"), (700, "A", "T")})
    trio = Trio(joint, {}, {}, new)
    found = found_new(joint, trio, lambda record: "DENOVO" in record.info, lambda _: True)
    # The SNV at 200 lies near the deletion, and is taken for it.
    assert found == (1, 0)
    assert found_new(joint, trio, lambda _: True, lambda start: start != 209) == (1, 0)
    far = Trio(joint, {}, {}, frozenset({(700, "A", "T")}))
    assert found_new(joint, far, lambda _: True, lambda _: True) == (0, 2)


def test_alleles_are_compared_by_what_they_change(joint: Path) -> None:
    assert trimmed(9, "ACT", "GCT") == (9, "A", "G")
    assert trimmed(9, "AACT", "AAC") == (11, "CT", "C")
    assert trimmed(9, "A", "*") == (9, "*", "*")
    assert copies(joint, CHILD)[299, "A", "T"] == [1]


def test_new_variants_lie_apart_and_are_spelled_into_the_haplotype() -> None:
    rng = np.random.default_rng(1)
    sequence = "".join(rng.choice(list("ACGT"), 20_000))
    new = _new_variants(sequence, [5000], 10, rng)
    places = sorted([5000, *(start for start, _, _ in new)])
    assert min(np.diff(places)) >= 100
    assert sum(len(ref) > 1 for _, ref, _ in new) == 2
    assert all(sequence[start : start + len(ref)] == ref for start, ref, _ in new)
    spelled = _spelled(sequence, frozenset(new))
    lost = sum(len(ref) - len(alt) for _, ref, alt in new)
    assert len(spelled) == len(sequence) - lost
    assert _spelled(sequence, frozenset({(3, sequence[3], "acgt")}))[3:7] == "acgt"
