"""Simulated samples: truth that spells the haplotypes, reads that come from them."""

import json
from pathlib import Path

import numpy as np
import pysam
import pytest

from varcall.errors import InputError, UsageError, WorkerError
from varcall.simulate import SimulatedSample, SimulateOptions, run_simulate, simulate_demo
from varcall.simulate.edits import Edit, Haplotype, PhasedEdits, atomic_edits, write_truth
from varcall.simulate.genome import make_genome, random_reference, spell
from varcall.simulate.mapping import Placement, map_with_bwa
from varcall.simulate.noise import base_text

SIZE = 20_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> SimulatedSample:
    return simulate_demo(tmp_path_factory.mktemp("demo") / "demo", seed=3, genome_size=SIZE)


@pytest.fixture(scope="module")
def reference_fasta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "ref.fa"
    text = random_reference(60_000, np.random.default_rng(5))
    path.write_text(f">sim\n{text}\n")
    pysam.faidx(str(path))
    return path


def applied(vcf: Path, reference: str, offset: int, haplotype: int) -> str:
    """The haplotype that a truth VCF spells, record by record, by plain string surgery."""
    parts, at = [], offset
    with pysam.VariantFile(str(vcf)) as file:
        for record in file:
            allele = record.samples[0].allele_indices[haplotype]
            if allele == 0:
                continue
            assert record.start >= at, "records of one haplotype overlap"
            assert reference[record.start - offset : record.stop - offset] == record.ref
            ref, alt = record.ref, record.alleles[allele]
            while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
                ref, alt = ref[:-1], alt[:-1]
            parts += [reference[at - offset : record.start - offset], alt]
            at = record.start + len(ref)
    return "".join(parts) + reference[at - offset :]


@pytest.mark.parametrize("seed", range(6))
def test_truth_spells_both_haplotypes(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, offset = random_reference(8000, rng), 1000
    genome, _ = make_genome("sim", offset, reference, [], 6.0, rng)
    path = tmp_path / "truth.vcf.gz"
    write_truth(path, [("sim", 20_000)], "sim", "s", genome.haplotypes, reference, offset)
    for haplotype in range(2):
        expected = base_text(genome.molecule(haplotype).bases)
        assert applied(path, reference, offset, haplotype) == expected


def test_truth_records_are_atomic_and_parsimonious(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    reference = random_reference(20_000, rng)
    genome, _ = make_genome("sim", 0, reference, [], 4.0, rng)
    for edit in (e for haplotype in genome.haplotypes for e in haplotype):
        if edit.is_snv:
            assert edit.alt != reference[edit.start]
        else:
            assert (edit.start == edit.end) != (edit.alt == "")
            last = edit.alt[-1] if edit.alt else reference[edit.end - 1]
            assert reference[edit.start - 1] != last, "not left-aligned"
    sites = {e for haplotype in genome.haplotypes for e in haplotype}
    assert len(sites) == pytest.approx(80, abs=8)


def test_atomic_edits_of_a_complex_record() -> None:
    reference = "GATTACAGATTACA"
    assert atomic_edits(1, "A", "C", reference, 0) == [Edit(1, 2, "C")]
    assert atomic_edits(4, "AC", "GT", reference, 0) == [Edit(4, 5, "G"), Edit(5, 6, "T")]
    assert atomic_edits(3, "TA", "T", reference, 0) == [Edit(4, 5, "")]
    assert atomic_edits(3, "T", "TT", reference, 0) == [Edit(2, 2, "T")]
    made = atomic_edits(2, "TTAC", "GA", reference, 0)
    assert base_text(spell(reference, 0, sorted(made), 1.0, 0).bases) == "GAGAAGATTACA"


def test_haplotype_refuses_overlaps() -> None:
    haplotype = Haplotype()
    assert haplotype.add([Edit(10, 13, "")])
    assert not haplotype.add([Edit(9, 10, "A")]), "the anchor base is taken"
    assert not haplotype.add([Edit(12, 13, "A")])
    assert haplotype.add([Edit(13, 14, "A")])


def test_genome_of_truths_carries_their_variants() -> None:
    rng = np.random.default_rng(2)
    reference = random_reference(3000, rng)
    base = "C" if reference[500] == "A" else "A"
    record = PhasedEdits((Edit(500, 501, base),), (Edit(500, 501, base),), True)
    genome, _ = make_genome("sim", 0, reference, [[record]], 0.0, rng, mix_truths=False)
    assert genome.haplotypes == ((Edit(500, 501, base),), (Edit(500, 501, base),))


def test_depth_is_as_asked(demo: SimulatedSample) -> None:
    with pysam.AlignmentFile(str(demo.bam)) as bam:
        depth = np.sum(bam.count_coverage("sim", quality_threshold=0), axis=0)
    # Local coverage varies on purpose; the mean of 20 kb moves by some per cent.
    assert depth[1000:-1000].mean() == pytest.approx(30, rel=0.15)


def test_exact_cigars_agree_with_truth(demo: SimulatedSample) -> None:
    """Reads placed exactly differ from the reference at truth sites and by rare errors only."""
    with pysam.FastaFile(str(demo.reference)) as fasta:
        reference = fasta.fetch("sim")
    with pysam.VariantFile(str(demo.truth)) as vcf:
        varied = {p for r in vcf for p in range(r.start, r.stop)}
    wrong = total = 0
    with pysam.AlignmentFile(str(demo.bam)) as bam:
        assert bam.header.to_dict()["RG"][0]["SM"] == "demo"
        for read in bam:
            sequence = read.query_sequence or ""
            assert read.infer_query_length() == len(sequence) == len(read.query_qualities)
            pairs = read.get_aligned_pairs(matches_only=True)
            wrong += sum(sequence[q] != reference[p] for q, p in pairs if p not in varied)
            total += len(pairs)
    assert total > 100_000
    assert wrong / total < 0.02


def test_truth_hets_show_in_half_of_the_reads(demo: SimulatedSample) -> None:
    shares = []
    with (
        pysam.VariantFile(str(demo.truth)) as vcf,
        pysam.AlignmentFile(str(demo.bam)) as bam,
    ):
        for record in vcf:
            alleles = record.samples[0].allele_indices
            if sorted(alleles) != [0, 1] or any(len(a) > 1 for a in record.alleles):
                continue
            counts = bam.count_coverage("sim", record.start, record.stop, quality_threshold=0)
            by_base = {b: c[0] for b, c in zip("ACGT", counts, strict=True)}
            if sum(by_base.values()) >= 10:
                shares.append(by_base[record.alts[0]] / sum(by_base.values()))
    assert len(shares) >= 3
    assert np.mean(shares) == pytest.approx(0.5, abs=0.12)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    made = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        made.append(simulate_demo(tmp_path / folder / "demo", seed=8, genome_size=6000))
    for field in ("bam", "truth", "bed", "description", "reference"):
        one, two = (Path(getattr(sample, field)) for sample in made)
        assert one.read_bytes() == two.read_bytes(), field
    other = simulate_demo(tmp_path / "c", seed=9, genome_size=6000)
    assert other.bam.read_bytes() != made[0].bam.read_bytes()


def sample_set(reference: Path, directory: Path, **changes: object) -> list[SimulatedSample]:
    options: dict[str, object] = {
        "reference": reference,
        "directory": directory,
        "samples": 3,
        "sample_size": 6000,
        "depth": (5.0, 8.0),
        "mapper": "exact",
        "seed": 4,
    }
    return run_simulate(SimulateOptions(**(options | changes)))


def test_sample_set_does_not_depend_on_where_it_starts(
    reference_fasta: Path, tmp_path: Path
) -> None:
    whole = sample_set(reference_fasta, tmp_path / "whole")
    part = sample_set(reference_fasta, tmp_path / "part", samples=1, first_sample=3)
    assert [s.bam.name for s in part] == ["sample_0003.bam"]
    assert part[0].bam.read_bytes() == whole[2].bam.read_bytes()
    libraries = [json.loads(s.description.read_text())["library"] for s in whole]
    assert len({json.dumps(one) for one in libraries}) == 3
    assert not list((tmp_path / "whole").glob(".simulate_*"))


def test_excluded_stretches_have_no_reads(reference_fasta: Path, tmp_path: Path) -> None:
    bed = tmp_path / "exclude.bed"
    bed.write_text("# none from here\nsim\t20000\t40000\tscored\n")
    samples = sample_set(reference_fasta, tmp_path / "set", samples=5, exclude=(bed,))
    for sample in samples:
        with pysam.AlignmentFile(str(sample.bam)) as bam:
            assert bam.count() > 0
            assert bam.count("sim", 20_000, 40_000) == 0
    bed.write_text("sim\t0\t60000\n")
    with pytest.raises(InputError, match="excluded"):
        sample_set(reference_fasta, tmp_path / "none", exclude=(bed,))


@pytest.mark.tools("bwa")
def test_bwa_maps_reads_where_they_come_from(reference_fasta: Path, tmp_path: Path) -> None:
    (sample,) = sample_set(reference_fasta, tmp_path, samples=1, mapper="bwa")
    _, start, end = sample.bed.read_text().split()
    with pysam.AlignmentFile(str(sample.bam)) as bam:
        reads = [r for r in bam if not r.is_secondary and not r.is_supplementary]
        inside = [
            r
            for r in reads
            if not r.is_unmapped and int(start) - 2000 <= r.reference_start < int(end) + 2000
        ]
        assert {r.get_tag("RG") for r in reads} == {"sample_0001"}
    assert len(inside) > 0.97 * len(reads)
    (again,) = sample_set(reference_fasta, tmp_path / "again", samples=1, mapper="bwa")
    assert again.bam.read_bytes() == sample.bam.read_bytes()


@pytest.mark.tools("bwa")
def test_a_failing_bwa_is_reported(tmp_path: Path) -> None:
    placement = Placement((("sim", 100),), "sim", 0, "s")
    with pytest.raises(WorkerError, match="bwa mem failed"):
        map_with_bwa([], placement, tmp_path / "no.fa", tmp_path / "x.bam", tmp_path, 1)


def test_options_must_make_sense(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="either an output prefix"):
        SimulateOptions(reference=tmp_path / "ref.fa")
    with pytest.raises(UsageError, match="either a reference"):
        SimulateOptions(reference=None, output=tmp_path / "x")
    with pytest.raises(UsageError, match="illumina reads have no chemistry, colour"):
        SimulateOptions(
            reference=None, random_genome=100, output=tmp_path / "x",
            library_values={"depth": 5.0, "colour": 1, "chemistry": "revio"},
        )  # fmt: skip
    with pytest.raises(UsageError, match="hifi reads have no depth"):
        SimulateOptions(
            reference=None, random_genome=100, output=tmp_path / "x", platform="hifi",
            library="typical", library_values={"depth": 5.0},
        )  # fmt: skip
    with pytest.raises(InputError, match="there is no reference"):
        run_simulate(SimulateOptions(reference=tmp_path / "no.fa", output=tmp_path / "x"))


def test_values_of_a_library_may_be_set(tmp_path: Path) -> None:
    (sample,) = run_simulate(
        SimulateOptions(
            reference=None,
            random_genome=8000,
            output=tmp_path / "x",
            library="single",
            library_values={"read_length": 75},
            mapper="exact",
            depth=(10.0, 10.0),
            seed=3,
        )
    )
    with pysam.AlignmentFile(str(sample.bam)) as bam:
        assert max(read.query_length for read in bam) == 75
    assert json.loads(sample.description.read_text())["library"]["read_length"] == 75


def test_truth_of_another_reference_is_refused(reference_fasta: Path, tmp_path: Path) -> None:
    with pysam.FastaFile(str(reference_fasta)) as fasta:
        base = fasta.fetch("sim", 5000, 5001)
    wrong = "C" if base == "A" else "A"
    vcf = tmp_path / "truth.vcf"
    vcf.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=sim,length=60000>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n"
        f"sim\t5001\t.\t{wrong}\t{base}\t.\t.\t.\tGT\t0/1\n"
    )
    pysam.tabix_compress(str(vcf), f"{vcf}.gz")
    pysam.tabix_index(f"{vcf}.gz", preset="vcf")
    with pytest.raises(InputError, match="the reference does not"):
        run_simulate(
            SimulateOptions(
                reference=reference_fasta,
                output=tmp_path / "x",
                truths=(Path(f"{vcf}.gz"),),
                regions=("sim:4001-9000",),
            )
        )
