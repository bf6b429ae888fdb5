"""The ploidy of every base, the BEDs that say so, and the sex chromosomes of known builds."""

from pathlib import Path

import numpy as np
import pytest

from varcall.errors import InputError
from varcall.inputs.ploidy import PloidyMap, read_par_bed, read_ploidy_bed
from varcall.inputs.regions import Region
from varcall.inputs.sex_chromosomes import SexChromosome, find_x, find_y, is_mitochondrial

CONTIGS = {"1": 100, "2": 100, "X": 100, "Y": 50}
MAP = PloidyMap(2, {"MT": 1, "Y": 0}, {"X": ((100, 200, 1), (200, 250, 0)), "Y": ((0, 10, 1),)})


def test_a_base_has_the_ploidy_of_its_span_its_contig_or_the_usual_one() -> None:
    positions = np.array([-5, 99, 100, 199, 200, 249, 250])
    assert MAP.at("X", positions).tolist() == [2, 2, 1, 1, 0, 0, 2]
    assert MAP.at("1", positions).tolist() == [2] * 7
    # A place beyond the origin of a circle is of the circle.
    assert MAP.at("MT", positions).tolist() == [1] * 7
    assert MAP.at("Y", np.array([9, 10])).tolist() == [1, 0]


def test_regions_are_cut_where_the_ploidy_changes_and_lose_what_has_none() -> None:
    assert MAP.pieces(Region("X", 50, 300)) == [
        (Region("X", 50, 100), 2),
        (Region("X", 100, 200), 1),
        (Region("X", 200, 250), 0),
        (Region("X", 250, 300), 2),
    ]
    assert MAP.pieces(Region("X", 120, 130)) == [(Region("X", 120, 130), 1)]
    regions = [Region("X", 50, 300), Region("Y", 5, 50), Region("MT", 3, 9)]
    assert MAP.called(regions, {"X": 500, "Y": 50, "MT": 10}) == (
        Region("X", 50, 200),
        Region("X", 250, 300),
        Region("Y", 5, 10),
        Region("MT", 3, 9),
    )


def test_a_ploidy_bed(tmp_path: Path) -> None:
    bed = tmp_path / "ploidy.bed"
    bed.write_text("#contig\tstart\tend\tploidy\nX\t20\t30\t0\nX\t0\t20\t1\n2\t5\t9\t2\tname\n")
    assert read_ploidy_bed(bed, CONTIGS) == {
        "X": ((0, 20, 1), (20, 30, 0)),
        "2": ((5, 9, 2),),
    }


def test_a_par_bed_is_sorted_and_joined(tmp_path: Path) -> None:
    bed = tmp_path / "par.bed"
    bed.write_text("X\t60\t90\nX\t0\t20\nX\t10\t30\nY\t0\t5\n")
    assert read_par_bed(bed, CONTIGS, ["X", "Y"]) == {"X": ((0, 30), (60, 90)), "Y": ((0, 5),)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("X\t0\t20\n", "line 1 of .* has no ploidy: the fourth column"),
        ("X\t0\t20\t1\nX\t30\t40\t3\n", "line 2 of .* has ploidy '3': .* must be 0, 1 or 2"),
        ("X\t0\t20\tmale\n", "has ploidy 'male'"),
        ("X\t0\t20\t1\nX\t19\t40\t0\n", r"line 2 of .* overlaps line 1 \(ploidy 1 and 0\)"),
        ("X\t20\t20\t1\n", "holds no interval"),
        ("", "holds no interval"),
        ("X\tzero\t20\t1\n", "line 1 of .* is not BED"),
        ("X\t30\t20\t1\n", "reversed"),
        ("X\t200\t220\t1\n", "starts beyond the end of X"),
        ("chrX\t0\t20\t1\n", "no contig 'chrX' in .*, but there is 'X'"),
    ],
)
def test_p1_a_ploidy_bed_that_is_none(text: str, said: str, tmp_path: Path) -> None:
    bed = tmp_path / "ploidy.bed"
    bed.write_text(text)
    with pytest.raises(InputError, match=said):
        read_ploidy_bed(bed, CONTIGS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2\t0\t20\n", "line 1 of .* is on '2', which is neither X nor Y"),
        ("X\t5\t5\n", "holds no region"),
        ("X\t5\n", "line 1 of .* is not BED"),
    ],
)
def test_p1_a_par_bed_that_is_none(text: str, said: str, tmp_path: Path) -> None:
    bed = tmp_path / "par.bed"
    bed.write_text(text)
    with pytest.raises(InputError, match=said):
        read_par_bed(bed, CONTIGS, ["X", "Y"])


# From the assembly reports, 1-based inclusive; bcftools' own GRCh38 ends PAR1 a base too early.
@pytest.mark.parametrize(
    ("build", "x_length", "x_par", "y_length", "y_par"),
    [
        ("GRCh37", 155270560, "60001-2699520 154931044-155260560", 59373566,
         "10001-2649520 59034050-59363566"),
        ("GRCh38", 156040895, "10001-2781479 155701383-156030895", 57227415,
         "10001-2781479 56887903-57217415"),
        ("CHM13v2", 154259566, "1-2394410 153925835-154259566", 62460029,
         "1-2458320 62122810-62460029"),
    ],
)  # fmt: skip
def test_builds_are_known_by_the_lengths_of_x_and_y(
    build: str, x_length: int, x_par: str, y_length: int, y_par: str
) -> None:
    def spans(text: str) -> tuple[tuple[int, int], ...]:
        pairs = [span.split("-") for span in text.split()]
        return tuple((int(first) - 1, int(last)) for first, last in pairs)

    contigs = {"1": 240_000_000, "anything": x_length, "y": y_length}
    assert find_x(contigs) == SexChromosome("anything", build, spans(x_par))
    assert find_y(contigs) == SexChromosome("y", build, spans(y_par))
    if build != "CHM13v2":  # where one person's X meets another one's Y
        (x1, x2), (y1, y2) = spans(x_par), spans(y_par)
        assert [b - a for a, b in (x1, x2)] == [b - a for a, b in (y1, y2)]


def test_contigs_of_no_known_build_are_known_by_name_without_par() -> None:
    assert find_x({"chrX": 1000, "chrY": 500}) == SexChromosome("chrX")
    assert find_y({"X": 1000, "Y": 500}) == SexChromosome("Y")
    assert find_x({"1": 1000}) is None


def test_the_mitochondrial_genome_is_known_by_name_and_length() -> None:
    assert is_mitochondrial("chrM", 16569)
    assert is_mitochondrial("MT", 16569)
    assert is_mitochondrial("chrM", 16571)  # UCSC's hg19
    assert not is_mitochondrial("chrM", 16299)  # mouse
    assert not is_mitochondrial("HLA", 16569)
