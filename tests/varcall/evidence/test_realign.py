"""Local reassembly: what it finds, what it leaves alone, and that windows do not matter."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileup.arrays import ReadArrays, ReferenceArrays
from pileup.kernels.reassembly.activity import MAX_ACTIVE
from pileup.twins.alignment import unpack_reads, unpack_reference
from tests.builders import ReadsBuilder, random_sequence, write_reference
from tests.pileup.windows import random_batch, random_reference
from tests.varcall.evidence.loci import CONTIG, gather_window
from tests.varcall.reads.loading import load_bam
from varcall.evidence.realign import REACH, RealignOptions, realign
from varcall.evidence.window import WINDOW_MARGIN, reference_of
from varcall.inputs.reference import Reference
from varcall.reads.batch import ReadBatch

PLACE, LENGTH = 1500, 3000
PLAIN = random_sequence(LENGTH, 11)


def cigars(reads: ReadArrays) -> list[str]:
    texts = []
    for index in range(len(reads.read_start)):
        at = slice(reads.cigar_offset[index], reads.cigar_offset[index + 1])
        pairs = zip(reads.cigar_length[at], reads.cigar_op[at], strict=True)
        texts.append("".join(f"{size}{'MIDNSHP=X'[op]}" for size, op in pairs))
    return texts


def sequences(reads: ReadArrays) -> list[tuple[int, bytes, bytes]]:
    """Return name hash, bases and qualities of every read, in an order of their own."""
    parts = pairwise(reads.base_offset)
    columns = zip(reads.name_hash, parts, strict=True)
    return sorted(
        (int(name), reads.bases[low:high].tobytes(), reads.qualities[low:high].tobytes())
        for name, (low, high) in columns
    )


class Sample:
    """Reads of two haplotypes over one contig, aligned as a cautious mapper would."""

    def __init__(self, folder: Path, sequence: str) -> None:
        self.folder, self.sequence = folder, sequence
        self.fasta = write_reference(folder / "ref.fa", {CONTIG: sequence})
        self.builder = ReadsBuilder(self.fasta)

    def reference_reads(self, low: int, high: int, step: int = 9, length: int = 100) -> "Sample":
        for start in range(low, high - length, step):
            self.builder.add(start=start, cigar=f"{length}M")
        return self

    def carriers(
        self, deleted: int, inserted: str, starts: range, *, clip: int = 0, length: int = 100
    ) -> "Sample":
        """Add reads of a haplotype with one indel before PLACE.

        Starts are on the haplotype, from PLACE on. A read with fewer than `clip` bases on one side
        has these (and the insertion) clipped, or where `clip` is 0 laid on the reference unspaced.
        """
        haplotype = self.sequence[:PLACE] + inserted + self.sequence[PLACE + deleted :]
        for offset in starts:
            start = PLACE + offset
            left = -offset
            right = length - left - len(inserted)
            assert 0 < left < length
            if right <= 0:
                cigar = f"{left}M{length - left}S"
            elif left < clip:
                start = PLACE + deleted
                cigar = f"{left + len(inserted)}S{right}M"
            elif right < clip:
                cigar = f"{left}M{length - left}S"
            elif clip == 0 and right < 8:
                cigar = f"{length}M"
            else:
                gap = (f"{len(inserted)}I" if inserted else "") + (f"{deleted}D" if deleted else "")
                cigar = f"{left}M{gap}{right}M"
            bases = haplotype[PLACE + offset : PLACE + offset + length]
            self.builder.add(start=start, cigar=cigar, seq=bases)
        return self

    def batch(self) -> tuple[ReadBatch, ReferenceArrays]:
        bam = self.builder.write_bam(self.folder / "reads.bam")
        reads = load_bam(bam, CONTIG, 0, LENGTH)
        with Reference(self.fasta) as fasta:
            return reads, reference_of(reads, fasta)

    def found(self) -> dict[tuple[int, str, tuple[str, ...]], int]:
        bam = self.builder.write_bam(self.folder / "reads.bam")
        evidence = gather_window(bam, self.fasta, 0, LENGTH)
        sites = evidence.sites
        return {
            (int(start), *evidence.alleles(site)): int(sites.alt_count[sites.alt_offset[site]])
            for site, start in enumerate(sites.start)
        }

    def is_left_alone(self) -> bool:
        reads, reference = self.batch()
        new = realign(reads, reference)
        return cigars(new.arrays) == cigars(reads.arrays) and bool(
            (new.arrays.read_start == reads.arrays.read_start).all()
        )


def test_an_insertion_seen_only_as_clips_is_found(tmp_path: Path) -> None:
    inserted = random_sequence(30, 77)
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800)
    sample.carriers(0, inserted, range(-95, -4, 6), clip=100)
    assert (PLACE - 1, PLAIN[PLACE - 1], (PLAIN[PLACE - 1] + inserted,)) in sample.found()


def test_a_deletion_gains_the_carriers_that_show_mismatches(tmp_path: Path) -> None:
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800)
    sample.carriers(4, "", range(-97, -90, 1)).carriers(4, "", range(-60, -40, 10))
    reads, reference = sample.batch()
    shown = sum("4D" in text for text in cigars(realign(reads, reference).arrays))
    assert sum("4D" in text for text in cigars(reads.arrays)) == 4
    assert shown == 9


@pytest.mark.parametrize("side", ["left", "right"])
def test_reads_that_end_in_a_repeat_beside_a_deletion_carry_it(side: str, tmp_path: Path) -> None:
    """The deletion takes the base before the repeat too, so reads within show an SNV there."""
    repeat = "GACACACA" + "CACACACA" * 6
    haplotype = "CACACACA" * 6
    if side == "left":
        repeat, haplotype = repeat[::-1], haplotype[::-1]
    before, behind = PLAIN[:PLACE] + "T", "T" + PLAIN[PLACE:]
    sample = Sample(tmp_path, before + repeat + behind).reference_reads(1200, 1900, length=150)
    carrier, first, last = before + haplotype + behind, len(before), len(before + haplotype)
    cut = last if side == "left" else first
    starts = range(first - 147, last, 4)
    for start in starts:
        left, spans = cut - start, start < first and start + 150 > last
        cigar = f"{left}M8D{150 - left}M" if spans else "150M"
        # A read that begins in the repeat lies where its other end does.
        at = start + 8 if start >= first else start
        sample.builder.add(start=at, cigar=cigar, seq=carrier[start : start + 150])
    reads, reference = sample.batch()
    shown = sum("8D" in text for text in cigars(realign(reads, reference).arrays))
    assert shown == sum(start < cut < start + 150 for start in starts)
    assert sum("8D" in text for text in cigars(reads.arrays)) < shown - 10


def test_a_deletion_between_facing_clips_is_found(tmp_path: Path) -> None:
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1900)
    sample.carriers(80, "", range(-80, -20, 5), clip=51)
    sites = sample.found()
    assert [key for key in sites if len(key[1]) == 81 and len(key[2][0]) == 1]


def test_adjacent_variants_of_one_haplotype_are_spelled_apart(tmp_path: Path) -> None:
    """An SNV 6 bases beside a deletion: reads that end between show the SNV and no deletion."""
    changed = {"A": "C", "C": "G", "G": "T", "T": "A"}[PLAIN[PLACE + 12]]
    haplotype = PLAIN[:PLACE] + PLAIN[PLACE + 6 : PLACE + 12] + changed + PLAIN[PLACE + 13 :]
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800)
    for offset in range(-98, -4, 4):
        bases = haplotype[PLACE + offset : PLACE + offset + 100]
        left = -offset
        cigar = f"{left}M6D{100 - left}M" if 20 < left < 80 else "100M"
        sample.builder.add(start=PLACE + offset, cigar=cigar, seq=bases)
    keys = {(start, len(ref), alts) for start, ref, alts in sample.found()}
    assert {(PLACE + 12, 1, (changed,))} < keys
    assert any(width == 7 for _, width, _ in keys)
    assert len(keys) == 2


def test_snvs_are_left_alone(tmp_path: Path) -> None:
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800)
    bases = list(PLAIN)
    for place in (1500, 1507, 1509, 1600):
        bases[place] = {"A": "C", "C": "G", "G": "T", "T": "A"}[bases[place]]
    for start in range(1405, 1500, 9):
        sample.builder.add(start=start, cigar="100M", seq="".join(bases[start : start + 100]))
    assert sample.is_left_alone()


def test_a_clean_homopolymer_is_left_alone(tmp_path: Path) -> None:
    sequence = PLAIN[:PLACE] + "A" * 14 + "C" + PLAIN[PLACE + 15 :]
    sample = Sample(tmp_path, sequence).reference_reads(1200, 1800)
    sample.carriers(1, "", range(-80, -10, 7)).carriers(0, "A", range(-70, -60, 9))
    assert sample.is_left_alone()


def test_nothing_to_do(tmp_path: Path) -> None:
    sample = Sample(tmp_path, PLAIN)
    reads, reference = sample.batch()
    assert realign(reads, reference) is reads
    assert sample.reference_reads(100, 2900).is_left_alone()


def test_skips_long_reads_and_hard_clips(tmp_path: Path) -> None:
    inserted = random_sequence(30, 77)
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800)
    sample.carriers(0, inserted, range(-95, -4, 6), clip=100)
    haplotype = PLAIN[:PLACE] + inserted + PLAIN[PLACE:]
    hard = haplotype[PLACE - 60 : PLACE + 40]
    sample.builder.add(start=PLACE - 60, cigar="3H60M40S5H", seq=hard)
    sample.builder.add(start=PLACE - 560, cigar="560M40S", seq=haplotype[PLACE - 560 : PLACE + 40])
    sample.builder.add(start=PLACE - 90, cigar="20M10N60M40S", seq=hard[-20:] + hard)
    reads, reference = sample.batch()
    after = cigars(realign(reads, reference).arrays)
    assert "3H60M30I10M5H" in after
    assert {"560M40S", "20M10N60M40S"} <= set(after)


@settings(derandomize=True, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 12, 60, 260]))
def test_alignments_stay_valid(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    codes = np.concatenate([random_reference(random, 300) for _ in range(2)])
    origin = int(random.choice([7, 5000]))
    arrays = random_batch(random, codes[200:460], origin + 200, count)
    batch = ReadBatch(CONTIG, max(0, origin - 400), origin + 1000, arrays)
    new = realign(batch, ReferenceArrays(codes, origin), RealignOptions(min_share=1)).arrays
    assert (np.diff(new.read_start) >= 0).all()
    for index in range(count):
        at = slice(new.cigar_offset[index], new.cigar_offset[index + 1])
        ops, sizes = new.cigar_op[at], new.cigar_length[at]
        query = sizes[np.isin(ops, [0, 1, 4, 7, 8])].sum()
        span = sizes[np.isin(ops, [0, 2, 3, 7, 8])].sum()
        assert (sizes > 0).all()
        assert query == new.base_offset[index + 1] - new.base_offset[index]
        assert span == new.read_end[index] - new.read_start[index]
    assert sequences(new) == sequences(arrays)


@settings(derandomize=True, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([12, 60, 260]))
def test_reads_of_the_reference_stay(seed: int, count: int) -> None:
    """So none is lost from AD of REF; others lie no further than their bases reach."""
    random = np.random.default_rng(seed)
    codes = np.concatenate([random_reference(random, 300) for _ in range(2)])
    arrays = random_batch(random, codes[200:460], 5200, count)
    # Fragments of one read each, so that a name tells the read.
    numbers = np.arange(count)
    arrays = arrays._replace(fragment=numbers.astype(np.int32), name_hash=numbers.astype(np.uint64))
    batch, reference = ReadBatch(CONTIG, 4600, 6000, arrays), ReferenceArrays(codes, 5000)
    new = realign(batch, reference, RealignOptions(min_share=1)).arrays
    stretch = unpack_reference(reference)
    old = {read.name_hash: read for read in unpack_reads(arrays)}
    for after in unpack_reads(new):
        before = old[after.name_hash]
        if before.bases == stretch.bases(before.start, before.end) and len(before.cigar) == 1:
            assert (after.start, after.cigar) == (before.start, before.cigar)
        reach = len(before.bases) + MAX_ACTIVE
        assert before.start - reach <= after.start
        assert after.end <= before.end + reach


ADAPTERS = {
    "nextera": "CTGTCTCTTATACACATCT",
    "truseq": "AGATCGGAAGAGCACACGTCTGAACTCCAGTCA",
    "mate pair": "CTGTCTCTTATACACATCTAGATGTGTATAAGAGACAG",
}


@pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=ADAPTERS)
def test_adapters_make_no_haplotype(adapter: str, tmp_path: Path) -> None:
    """Fragments of many lengths end here, and their reads go on into one adapter, then anywhere."""
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800, step=6)
    complement = adapter[::-1].translate(str.maketrans("ACGT", "TGCA"))
    for number in range(12):
        beyond = random_sequence(100, 100 + number)
        own = 40 + 4 * number
        clip = (adapter + beyond)[: 100 - own]
        end = PLACE - 4 + number % 5
        sample.builder.add(
            start=end - own, cigar=f"{own}M{100 - own}S", seq=PLAIN[end - own : end] + clip
        )
        clip = (beyond + complement)[own - 100 :]
        start = PLACE + 12 - number % 4
        sample.builder.add(
            start=start, cigar=f"{100 - own}S{own}M", seq=clip + PLAIN[start : start + own]
        )
    assert not sample.found()
    reads, reference = sample.batch()
    new = realign(reads, reference).arrays
    assert (new.read_end - new.read_start).max() <= 100
    assert cigars(new) == cigars(reads.arrays)


def test_aligned_bases_of_an_adapter_are_clipped_and_reads_of_nothing_else_left_out(
    tmp_path: Path,
) -> None:
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800)
    adapter = ADAPTERS["mate pair"]
    sample.builder.add(
        name="ends",
        start=PLACE,
        cigar="70M30S",
        seq=(PLAIN[PLACE : PLACE + 60] + adapter)[:98] + "AC",
    )
    elsewhere = random_sequence(40, 3)
    sample.builder.add(
        name="placed by it",
        start=PLACE,
        cigar="45S40M15S",
        seq=elsewhere + adapter + elsewhere[:22],
    )
    reads, reference = sample.batch()
    new = realign(reads, reference).arrays
    assert len(new.read_start) == len(reads) - 1
    assert "60M40S" in cigars(new)
    assert set(sequences(new)) < set(sequences(reads.arrays))


def test_an_insertion_is_found_among_adapters(tmp_path: Path) -> None:
    """What is clipped of reads before the adapter still counts."""
    inserted = random_sequence(20, 77)
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800)
    haplotype = PLAIN[:PLACE] + inserted + PLAIN[PLACE:]
    for number in range(9):
        start = PLACE - 25 - 2 * number
        own = haplotype[start : start + 70]
        sample.builder.add(
            start=start, cigar=f"{PLACE - start}M{100 - PLACE + start}S",
            seq=own + ADAPTERS["truseq"][:30],
        )  # fmt: skip
    assert [len(alts[0]) for _, _, alts in sample.found()] == [21]
    reads, reference = sample.batch()
    shown = [text for text in cigars(realign(reads, reference).arrays) if "20I" in text]
    assert len(shown) == 9
    assert all(text.endswith("30S") for text in shown)


def test_clips_that_no_read_spans_make_no_haplotype(tmp_path: Path) -> None:
    """An adapter that nobody knows: reads end in it or begin in it, none has both of its ends."""
    unknown = random_sequence(36, 9)
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800, step=6)
    for number in range(12):
        own = 55 + 3 * number
        end, start = PLACE + number % 3, PLACE + 6 - number % 4
        beyond = random_sequence(100, 100 + number)
        sample.builder.add(
            start=end - own,
            cigar=f"{own}M{100 - own}S",
            seq=PLAIN[end - own : end] + (unknown + beyond)[: 100 - own],
        )
        sample.builder.add(
            start=start,
            cigar=f"{100 - own}S{own}M",
            seq=(beyond + unknown)[own - 100 :] + PLAIN[start : start + own],
        )
    assert sample.is_left_alone()


@pytest.mark.parametrize(("starts", "is_found"), [((30, 30), False), ((30, 37), True)])
def test_fragments_of_one_span_are_one(
    starts: tuple[int, int], is_found: bool, tmp_path: Path
) -> None:
    inserted = random_sequence(20, 77)
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800, step=20)
    for start in starts:
        sample.carriers(0, inserted, range(-start, 1 - start), clip=100)
    assert bool(sample.found()) == is_found


def test_realigning_twice_moves_little(tmp_path: Path) -> None:
    inserted = random_sequence(30, 77)
    sample = Sample(tmp_path, PLAIN).reference_reads(1200, 1800)
    reads, reference = sample.carriers(0, inserted, range(-95, -4, 6), clip=100).batch()
    once = realign(reads, reference)
    assert cigars(realign(once, reference).arrays) == cigars(once.arrays)


@pytest.mark.parametrize("cut", [0, 1, 97, 350, 700])
def test_reads_beyond_reach_are_the_same_in_every_window(cut: int, tmp_path: Path) -> None:
    assert WINDOW_MARGIN >= REACH + 700
    inserted = random_sequence(30, 77)
    sample = Sample(tmp_path, PLAIN).reference_reads(100, 2900, step=3)
    sample.carriers(0, inserted, range(-95, -4, 3), clip=100)
    bam = sample.builder.write_bam(tmp_path / "reads.bam")
    place = PLACE - REACH + cut
    spans = []
    for low, high in ((0, LENGTH), (place, LENGTH)):
        reads = load_bam(bam, CONTIG, low, high)
        with Reference(sample.fasta) as fasta:
            codes = reference_of(reads, fasta)
        new = realign(reads, codes).arrays
        safe = new.read_end > place + REACH
        columns = (new.read_start[safe], np.array(cigars(new))[safe], new.name_hash[safe])
        spans.append([column.tolist() for column in columns])
    assert spans[0] == spans[1]
