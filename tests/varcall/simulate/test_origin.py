"""Simulated reads and truth say where everything comes from."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pytest

from varcall.scoring.evaluation import evaluate, read_inputs
from varcall.scoring.options import EvalOptions
from varcall.scoring.rtg.comparison import vcfeval_options
from varcall.scoring.vcf_file import read_call_set
from varcall.simulate.edits import Edit, write_truth
from varcall.simulate.genome import make_genome, make_paralog, random_reference
from varcall.simulate.library import Library, typical_library
from varcall.simulate.mapping import Placement, bwa_index, map_with_bwa, place_exactly
from varcall.simulate.noise import base_codes
from varcall.simulate.sequencer import Sequencer
from varcall.training.labels import read_truth

SIZE = 12_000
TEXT = random_reference(SIZE, np.random.default_rng(3))


def reads_of(
    library: Library, folder: Path, mapper: str, *, copies: int = 0, seed: int = 1
) -> Sequence[pysam.AlignedSegment]:
    """Reads of a mutated genome of `TEXT`, which begins at 500 of its contig for `exact`."""
    rng = np.random.default_rng(seed)
    person, other = make_genome("sim", 0, TEXT, [], 1.5, rng)
    molecules = [person.molecule(0), person.molecule(1), *other.contaminants()]
    hidden = [make_paralog(person, 3 + i, rng) for i in range(copies)]
    molecules += [one for one in hidden if one is not None]
    batches = Sequencer(molecules, base_codes(TEXT.encode()), library, rng).batches()
    output = folder / "reads.bam"
    if mapper == "exact":
        place_exactly(batches, Placement((("sim", SIZE + 500),), "sim", 500, "s"), output)
    else:
        fasta = folder / "ref.fa"
        fasta.write_text(f">sim\n{TEXT}\n")
        place = Placement((("sim", SIZE),), "sim", 0, "s")
        map_with_bwa(batches, place, bwa_index(fasta, folder), output, folder, 1)
    with pysam.AlignmentFile(str(output), check_sq=False) as bam:
        return list(bam)


CLEAN = replace(typical_library(20.0), duplicate_rate=0.0, unmarked_rate=0.0, chimera_rate=0.0)


def test_exactly_placed_reads_start_where_they_come_from(tmp_path: Path) -> None:
    reads = reads_of(CLEAN, tmp_path, "exact")
    assert len(reads) > 1000
    assert all(read.get_tag("tp") == read.reference_start for read in reads)
    assert not any(read.get_tag("ak") & ~2 for read in reads), "neither chimera nor duplicate"
    shares = np.bincount([read.get_tag("mo") for read in reads]) / len(reads)
    assert shares == pytest.approx([0.5, 0.5], abs=0.06)


@pytest.mark.tools("bwa")
def test_mapped_reads_know_their_true_start(tmp_path: Path) -> None:
    """Whatever bwa clips: the tag is of the first base that it aligned."""
    reads = [read for read in reads_of(CLEAN, tmp_path, "bwa") if not read.is_unmapped]
    away = np.array([read.get_tag("tp") - read.reference_start for read in reads])
    assert (away == 0).mean() > 0.97
    clipped = [r for r in reads if (r.cigartuples or [(0, 0)])[0][0] == pysam.CSOFT_CLIP]
    assert len(clipped) > 3
    assert any(r.get_tag("tp") == r.reference_start for r in clipped)


def test_molecules_of_another_person_and_of_hidden_copies(tmp_path: Path) -> None:
    library = replace(CLEAN, contamination=0.3, depth=40.0)
    reads = reads_of(library, tmp_path, "exact", copies=1)
    origin = np.array([read.get_tag("mo") for read in reads])
    assert set(origin) == {0, 1, 2, 3}
    assert (origin == 2).sum() / (origin < 3).sum() == pytest.approx(0.3, abs=0.04)
    assert all((r.get_tag("tp") == -1) == (r.get_tag("mo") >= 3) for r in reads)


def test_artefacts_are_told(tmp_path: Path) -> None:
    short = replace(CLEAN, insert_mean=140.0, insert_sd=30.0)
    for read in reads_of(short, tmp_path, "exact"):
        adapter = abs(read.template_length) < (read.query_length or 0) - 12
        assert not adapter or read.get_tag("ak") & 2
    copied = replace(CLEAN, duplicate_rate=0.2, unmarked_rate=0.1, chimera_rate=0.1)
    reads = reads_of(copied, tmp_path, "exact")
    bits = np.array([read.get_tag("ak") for read in reads])
    flagged = np.array([read.is_duplicate for read in reads])
    assert np.all(bits[flagged] & 4)
    assert (bits & 4 > 0).mean() == pytest.approx(0.3 / 1.3, abs=0.04)
    assert 0.02 < (bits & 1 > 0).mean() < 0.12


def spelled(vcf: Path, column: int) -> list[tuple[int, str, tuple[int, ...]]]:
    with pysam.VariantFile(str(vcf)) as file:
        return [
            (r.start, f"{r.ref}>{','.join(r.alts or ())}", r.samples[column].allele_indices)
            for r in file
            if any(r.samples[column].allele_indices)
        ]


def truth_of_two(folder: Path) -> Path:
    """Alone, shared, and at one POS another: three places of a person and a contaminant."""
    mine = Edit(100, 101, "A" if TEXT[100] != "A" else "C")
    shared = Edit(200, 201, "A" if TEXT[200] != "A" else "C")
    snv = Edit(300, 301, "A" if TEXT[300] != "A" else "C")
    deletion = Edit(301, 304, "")
    path = folder / "truth.vcf.gz"
    records = write_truth(
        path, [("sim", SIZE)], "sim", "s", ((mine, shared, snv), (shared,)), TEXT, 0,
        ((shared, deletion), ()),
    )  # fmt: skip
    assert records == 3
    return path


def test_truth_has_the_contaminant_in_its_second_column(tmp_path: Path) -> None:
    path = truth_of_two(tmp_path)
    alone = tmp_path / "alone.vcf.gz"
    with pysam.VariantFile(str(path)) as file:
        assert list(file.header.samples) == ["s", "contaminant"]
    assert [place[0] for place in spelled(path, 1)] == [200, 300]
    assert spelled(path, 1)[1][1].startswith(TEXT[300:304] + ">")
    edits = [Edit(start, start + 1, change[-1]) for start, change, _ in spelled(path, 0)]
    write_truth(alone, [("sim", SIZE)], "sim", "s", (edits, edits[1:2]), TEXT, 0)
    assert spelled(alone, 0) == spelled(path, 0), "the sample's records are as without another"


def test_readers_of_truth_take_the_sample(tmp_path: Path) -> None:
    path = truth_of_two(tmp_path)
    known = read_truth(path, "sim", 0, 1000, lambda start, end: TEXT[start:end])
    assert [r.start for r in known if r.first or r.second] == [100, 200, 300]
    assert read_call_set(path, "truth").sample_column == 9


def test_eval_compares_with_the_sample(tmp_path: Path) -> None:
    """What only the contaminant carries is neither missed nor a match."""
    path = truth_of_two(tmp_path)
    fasta = tmp_path / "ref.fa"
    fasta.write_text(f">sim\n{TEXT}\n")
    pysam.faidx(str(fasta))
    counts = evaluate(path, path, fasta).counts
    assert counts == evaluate(path, path, fasta, samples=("s", "s")).counts
    inputs, _ = read_inputs(path, path, fasta)
    inputs.reference.close()
    options = EvalOptions(path, (path,), fasta, counts=tmp_path / "counts.json")
    assert vcfeval_options(options, inputs) == ["--sample", "s,s"]
