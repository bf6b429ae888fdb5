"""Around the origin of a circular genome reads, depth and calls are those of any other place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pysam
import pytest

from pileup.sam import CONSUMES_QUERY
from tests.builders import (
    MATE_REVERSE,
    PAIRED,
    PROPER,
    READ1,
    READ2,
    REVERSE,
    SUPPLEMENTARY,
    ReadsBuilder,
    random_sequence,
    write_reference,
)
from tests.diploid import FIRST, Change, columns, spell_cigar
from tests.gvcfs import GvcfLine, check_gvcf, recovered
from varcall.evidence.window import EvidenceReader
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.pipeline import call_variants, open_sample

LENGTH = 16_569
FLANK = 2000  # of the origin, in the linear contig that is compared with
READ, INSERT, STEP = 100, 280, 4
CIRCLE = random_sequence(LENGTH, 77)
LINE = CIRCLE[-FLANK:] + CIRCLE[:FLANK]
# Offsets from the origin. A mapper clips what lies beyond a difference this near to an end.
CLIPPED_WITHIN = 5
LEAST_ALIGNED = 30  # bwa's: shorter pieces have no alignment of their own

Column = tuple[str, int, str]


def snv(offset: int) -> Change:
    """Change the base at an offset from the origin to the next one of ACGT."""
    at = FLANK + offset
    return Change(at, at + 1, "ACGT"[("ACGT".index(LINE[at]) + 1) % 4], FIRST)


CHANGES = [
    snv(-300),
    Change(FLANK - 60, FLANK - 60, "GATTACA", FIRST),
    snv(-30),
    snv(-3),
    snv(1),
    snv(17),
    Change(FLANK + 45, FLANK + 49, "", FIRST),
    snv(200),
]


@dataclass(frozen=True)
class Both:
    """The same pairs over the origin of a circle and in the middle of a line."""

    circle: CallOptions
    line: CallOptions


def aligned(part: Sequence[Column], *, mate: Sequence[Column]) -> tuple[list[Column], list[Column]]:
    """Return the columns of a read before and behind the origin that a mapper would align."""
    del mate
    before = [one for one in part if one[1] < FLANK]
    behind = [one for one in part if one[1] >= FLANK]

    def keep(columns: list[Column], *, from_end: bool) -> list[Column]:
        near = columns[-CLIPPED_WITHIN:] if from_end else columns[:CLIPPED_WITHIN]
        different = [one for one in near if one[0] != "M" or one[2] != LINE[one[1]]]
        if different and before and behind:
            at = columns.index(different[0] if from_end else different[-1])
            return columns[:at] if from_end else columns[at + 1 :]
        return columns

    return keep(before, from_end=True), keep(behind, from_end=False)


def add_to_circle(
    reads: ReadsBuilder, name: str, part: Sequence[Column], flag: int, mate_start: int
) -> None:
    """Add a read as a mapper aligns it to the circle: in one piece, or the longer one clipped."""
    seq = "".join(base for _, _, base in part)
    pieces = [piece for piece in aligned(part, mate=part) if piece]
    pieces.sort(key=lambda piece: -len(piece))
    whole = list(part)
    for number, piece in enumerate(pieces):
        first = whole.index(piece[0])
        low = sum(op != "D" for op, _, _ in whole[:first])
        size = sum(op != "D" for op, _, _ in piece)
        clips = low, len(seq) - low - size
        if number and size < LEAST_ALIGNED:
            continue
        mark = "H" if number else "S"
        cigar = spell_cigar([op for op, _, _ in piece])
        cigar = "".join([f"{clips[0]}{mark}" * bool(clips[0]), cigar])
        cigar += f"{clips[1]}{mark}" * bool(clips[1])
        if name.endswith("4"):  # some mappers tell matches from mismatches
            cigar = cigar.replace("M", "=")
        reads.add(
            name,
            contig="chrM",
            start=(piece[0][1] - FLANK) % LENGTH,
            cigar=cigar,
            seq=seq[low : low + size] if number else seq,
            flag=flag | (SUPPLEMENTARY if number else 0),
            # What is left of a read may fit elsewhere too.
            mapq=0 if number else 60,
            mate_contig="=",
            mate_start=mate_start,
        )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("circle")
    circle = ReadsBuilder(write_reference(folder / "circle.fa", {"chrM": CIRCLE}))
    line = ReadsBuilder(write_reference(folder / "line.fa", {"line": LINE}))
    every = list(columns(LINE, CHANGES, FIRST))
    query = [index for index, (op, _, _) in enumerate(every) if op != "D"]
    for number, first in enumerate(range(0, len(query) - INSERT, STEP)):
        parts = []
        for begin in (first, first + INSERT - READ):
            part = every[query[begin] : query[begin + READ - 1] + 1]
            while part[0][0] != "M":
                part = part[1:]
            while part[-1][0] != "M":
                part = part[:-1]
            parts.append(part)
        size = parts[1][-1][1] + 1 - parts[0][0][1]
        starts = [part[0][1] for part in parts]
        turn = number % 2  # which mate is the first one
        for side, part in enumerate(parts):
            flag = PAIRED | (READ2 if side == turn else READ1)
            flag |= REVERSE if side else MATE_REVERSE
            line.add(
                f"pair{number}",
                start=starts[side],
                cigar=spell_cigar([op for op, _, _ in part]),
                seq="".join(base for _, _, base in part),
                flag=flag | PROPER,
                mate_contig="=",
                mate_start=starts[1 - side],
                template_length=-size if side else size,
            )
            is_over = starts[0] < FLANK <= parts[1][-1][1]
            mate_start = (starts[1 - side] - FLANK) % LENGTH
            add_to_circle(
                circle, f"pair{number}", part, flag | (0 if is_over else PROPER), mate_start
            )
    options = [
        CallOptions(reads=one.write_bam(folder / f"{name}.bam"), reference=one.reference, ploidy=n)
        for name, one, n in (("circle", circle, 2), ("line", line, 1))
    ]
    return Both(*options)


def called(options: CallOptions, folder: Path, **changes: object) -> list[str]:
    output = folder / "out.vcf"
    call_variants(replace(options, output=str(output), **changes))  # type: ignore[arg-type]
    return [line for line in output.read_text().splitlines() if line[0] != "#"]


def by_offset(lines: Sequence[str], origin: int) -> dict[int, tuple[str, ...]]:
    """Return REF, ALT, FILTER, GT, DP, AD, ADF, ADR and VAF of records by offset from the origin.

    Those near the ends of the reads are left out.
    """
    found = {}
    for line in lines:
        columns = line.split("\t")
        offset = int(columns[1]) - 1 - origin
        offset -= LENGTH if offset > LENGTH // 2 else 0
        if abs(offset) < FLANK // 2:
            values = columns[9].split(":")
            found[offset] = (*columns[3:5], columns[6], values[0], *values[2:7])
    return found


def test_calls_over_the_origin_are_those_in_the_middle_of_a_line(
    both: Both, tmp_path: Path
) -> None:
    on_circle = by_offset(called(both.circle, tmp_path), 0)
    on_line = by_offset(called(both.line, tmp_path), FLANK)
    assert on_circle == on_line
    passed = {at for at, values in on_circle.items() if values[2:4] == ("PASS", "1")}
    assert {-300, -30, -3, 1, 17, 200} <= passed
    assert len(passed) == len(CHANGES)


def test_windows_and_regions_change_nothing(both: Both, tmp_path: Path) -> None:
    whole = called(both.circle, tmp_path)
    assert called(both.circle, tmp_path, window=500) == whole
    for text, low, high in (("chrM:1-100", 1, 100), (f"chrM:16501-{LENGTH}", 16501, LENGTH)):
        inside = [line for line in whole if low <= int(line.split("\t")[1]) <= high]
        assert inside
        assert called(both.circle, tmp_path, regions=(text,)) == inside


def gvcf_of(
    options: CallOptions, region: Region, folder: Path, **changes: object
) -> list[GvcfLine]:
    """Return the lines of a checked gVCF, whose records are those of the VCF."""
    output, gvcf = folder / "out.vcf", folder / "out.g.vcf"
    files = {"output": str(output), "gvcf": str(gvcf)}
    call_variants(replace(options, **files, **changes))  # type: ignore[arg-type]
    lines = check_gvcf(gvcf, [region], options.reference)
    records = [line for line in output.read_text().splitlines(True) if line[0] != "#"]
    assert recovered(lines) == records
    return lines


def sureness(lines: Sequence[GvcfLine], first: int, last: int) -> list[tuple[str, ...]]:
    """Return GT, GQ, depth and PL of each base of a span; of a record, its ALT and PL."""
    found = {}
    for line in lines:
        names = ("GT", "GQ", "MIN_DP", "PL") if line.is_block else ("GT", "PL")
        for at in range(line.start, line.end):
            found[at] = (line.fields[4], *(line.call[name] for name in names))
    return [found[at] for at in range(first, last)]


def test_the_gvcf_of_a_circle_has_every_base_once(both: Both, tmp_path: Path) -> None:
    """Blocks at both ends know the reads over the origin."""
    whole = Region("chrM", 0, LENGTH)
    lines = gvcf_of(both.circle, whole, tmp_path)
    assert gvcf_of(both.circle, whole, tmp_path, window=500) == lines
    assert {len(line.pl) - len(line.fields[4].split(",")) for line in lines} == {1}
    on_line = gvcf_of(both.line, Region("line", 0, 2 * FLANK), tmp_path)
    near = 40  # bases on each side of the origin
    around = sureness(lines, LENGTH - near, LENGTH) + sureness(lines, 0, near)
    depths = [int(one[3]) for one in around if len(one) == 5]
    expected = [
        int(one[3]) for one in sureness(on_line, FLANK - near, FLANK + near) if len(one) > 3
    ]
    assert min(depths) >= min(expected) > READ // STEP // 2


def test_only_a_mitochondrial_genome_is_a_circle(both: Both, tmp_path: Path) -> None:
    """A contig of another name is called like any other: diploid, without what is clipped."""
    folder = tmp_path / "renamed"
    folder.mkdir()
    fasta = write_reference(folder / "r.fa", {"plasmid": CIRCLE})
    text = pysam.view("-h", str(both.circle.reads)).replace("chrM", "plasmid")
    (folder / "r.sam").write_text(text)
    pysam.view("-b", "-o", str(folder / "r.bam"), str(folder / "r.sam"), catch_stdout=False)
    pysam.index(str(folder / "r.bam"))
    options = CallOptions(reads=folder / "r.bam", reference=fasta)
    found = by_offset(called(options, tmp_path), 0)
    assert found[200][3] == "1/1"
    assert "PASS" not in found.get(1, ())


def test_a_read_over_the_origin_is_one_alignment_at_both_ends(both: Both) -> None:
    inputs = open_sample(both.circle)
    with EvidenceReader(inputs) as reader:
        reads = reader.load_reads(Region("chrM", 0, LENGTH)).arrays
    over_start = (reads.read_start < 0) & (reads.read_end > 0)
    over_end = (reads.read_start < LENGTH) & (reads.read_end > LENGTH)
    # Those of which a clipped end has more than one difference are left to reassembly.
    assert over_start.sum() == over_end.sum() > READ // STEP
    assert (reads.flag & SUPPLEMENTARY == 0).all()
    assert (reads.flag & PROPER > 0).all()
    assert np.abs(reads.template_length[over_start | over_end]).max() < INSERT + 20
    # Mates are one fragment, each of its copies for itself.
    _, counts = np.unique(reads.fragment, return_counts=True)
    assert counts.max() == 2
    mates: dict[int, list[int]] = {}
    for fragment, start in zip(reads.fragment.tolist(), reads.read_start.tolist(), strict=True):
        mates.setdefault(fragment, []).append(start)
    across = [two for two in mates.values() if len(two) == 2 and min(two) < 0 <= max(two)]
    assert len(across) > READ // STEP
    assert all(max(two) - min(two) < INSERT for two in mates.values())
    query = np.add.reduceat(
        np.where(np.isin(reads.cigar_op, CONSUMES_QUERY), reads.cigar_length, 0),
        reads.cigar_offset[:-1],
    )
    assert (query == np.diff(reads.base_offset)).all()


def test_the_reference_of_a_circle_goes_on(tmp_path: Path) -> None:
    path = write_reference(tmp_path / "ref.fa", {"a": "ACGTT", "b": "ACGTT"})
    with Reference(path, frozenset({"a"})) as reference:
        assert reference.fetch_string("a", -2, 7) == "TTACGTTAC"
        assert reference.fetch("a", -2, 7).tolist() == [3, 3, 0, 1, 2, 3, 3, 0, 1]
        assert reference.fetch("b", -2, 7).tolist() == [4, 4, 0, 1, 2, 3, 3, 4, 4]
