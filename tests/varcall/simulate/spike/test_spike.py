"""`varcall spike`: reads that carry the spiked variants, in phase, and little else that is new."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pysam
import pytest

from varcall.errors import InputError, UsageError
from varcall.simulate import SimulatedSample, simulate_demo
from varcall.simulate.spike.options import SpikeOptions
from varcall.simulate.spike.run import run_spike


@dataclass(frozen=True)
class Site:
    """A biallelic SNV of a truth VCF: its base on each haplotype."""

    position: int
    bases: tuple[str, str]
    is_spiked: bool

    @property
    def is_het(self) -> bool:
        return self.bases[0] != self.bases[1]


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> SimulatedSample:
    prefix = tmp_path_factory.mktemp("background") / "real"
    return simulate_demo(prefix, seed=6, genome_size=40_000, depth=30.0)


def options_of(background: SimulatedSample, output: Path, **changes: object) -> SpikeOptions:
    plain = SpikeOptions(
        reads=background.bam, reference=background.reference, variants=(background.truth,),
        output=output, mapper="exact",
    )  # fmt: skip
    return replace(plain, **changes)


@pytest.fixture(scope="module")
def spiked(
    background: SimulatedSample, tmp_path_factory: pytest.TempPathFactory
) -> SimulatedSample:
    """Spiked by the truth of the background."""
    output = tmp_path_factory.mktemp("spiked") / "s"
    return run_spike(
        options_of(background, output, truth=background.truth, confident=background.bed)
    )


def snvs(truth: Path) -> list[Site]:
    found = []
    with pysam.VariantFile(str(truth)) as file:
        for record in file:
            alleles = record.alleles or ()
            if all(len(a) == 1 for a in alleles):
                first, second = record.samples[0].allele_indices
                bases = (alleles[first], alleles[second])
                found.append(Site(record.start, bases, "SPIKED" in record.info))
    return found


def shown(bam: Path, sites: list[Site]) -> Iterator[tuple[str, int, str]]:
    """(fragment, position, base) of each read at each SNV."""
    wanted = {site.position for site in sites}
    with pysam.AlignmentFile(str(bam)) as file:
        for read in file:
            if read.is_unmapped or read.is_supplementary:
                continue
            for query, position in read.get_aligned_pairs(matches_only=True):
                if position in wanted:
                    yield read.query_name or "", position, (read.query_sequence or "")[query]


def agreement(bam: Path, sites: list[Site]) -> float:
    """Share of the pairs of a spiked and a real het in a fragment that are in the truth's phase."""
    hets = {s.position: s for s in sites if s.is_het}
    by_fragment: dict[str, list[tuple[Site, int]]] = {}
    for name, position, base in shown(bam, sites):
        if position in hets and base in hets[position].bases:
            site = hets[position]
            by_fragment.setdefault(name, []).append((site, site.bases.index(base)))
    same = total = 0
    for found in by_fragment.values():
        for one, a in found:
            for two, b in found:
                if one.is_spiked and not two.is_spiked:
                    total += 1
                    same += a == b
    assert total > 30
    return same / total


def test_hets_show_in_half_of_the_reads_and_homs_in_all(spiked: SimulatedSample) -> None:
    sites = [s for s in snvs(spiked.truth) if s.is_spiked]
    assert len(sites) > 20
    shares: dict[bool, list[float]] = {True: [], False: []}
    counts: dict[int, Counter[str]] = {}
    for _, position, base in shown(spiked.bam, sites):
        counts.setdefault(position, Counter())[base] += 1
    for site in sites:
        seen = counts[site.position]
        shares[site.is_het].append(seen[site.bases[0]] / seen.total())
    assert 0.44 < sum(shares[True]) / len(shares[True]) < 0.56
    assert sum(shares[False]) / len(shares[False]) > 0.97


def test_spiked_variants_are_in_phase_with_the_truth(spiked: SimulatedSample) -> None:
    assert agreement(spiked.bam, snvs(spiked.truth)) > 0.97


def test_without_a_truth_the_reads_tell_the_phase(
    background: SimulatedSample, tmp_path: Path
) -> None:
    """Blocks are phased one by one: each pair of neighbours is in one phase, either of the two."""
    made = run_spike(options_of(background, tmp_path / "s"))
    spiked = [s for s in snvs(made.truth) if s.is_het]
    real = [replace(s, is_spiked=False) for s in snvs(background.truth) if s.is_het]
    hets = {s.position: s for s in (*real, *spiked)}
    by_fragment: dict[str, dict[int, int]] = {}
    for name, position, base in shown(made.bam, list(hets.values())):
        if base in hets[position].bases:
            by_fragment.setdefault(name, {})[position] = hets[position].bases.index(base)
    pairs: dict[tuple[int, int], Counter[bool]] = {}
    for found in by_fragment.values():
        for one in found:
            for two in found:
                if hets[one].is_spiked and not hets[two].is_spiked:
                    same = found[one] == found[two]
                    pairs.setdefault((one, two), Counter())[same] += 1
    clear = [max(c.values()) / c.total() for c in pairs.values() if c.total() >= 6]
    assert len(clear) > 5
    assert sum(clear) / len(clear) > 0.95


def test_mates_agree(spiked: SimulatedSample) -> None:
    sites = [s for s in snvs(spiked.truth) if s.is_spiked and s.is_het]
    seen: dict[tuple[str, int], set[str]] = {}
    twice = Counter((n, p) for n, p, _ in shown(spiked.bam, sites))
    for name, position, base in shown(spiked.bam, sites):
        seen.setdefault((name, position), set()).add(base)
    overlapping = [key for key, n in twice.items() if n == 2]
    assert len(overlapping) > 5
    # A sequencing error may make one of many differ.
    assert sum(len(seen[key]) == 1 for key in overlapping) >= 0.95 * len(overlapping)


def records(bam: Path) -> dict[tuple[str, int], tuple[str, str, str, str]]:
    with pysam.AlignmentFile(str(bam)) as file:
        return {
            (r.query_name or "", r.flag & 0xC0): (
                r.get_forward_sequence() or "",
                str(r.get_forward_qualities()),
                r.cigarstring or "",
                str(r.get_tag("mo") if r.has_tag("mo") else ""),
            )
            for r in file
            if not r.is_supplementary
        }


def test_reads_away_from_spiked_sites_stay_as_they_are(
    background: SimulatedSample, spiked: SimulatedSample
) -> None:
    before, after = records(background.bam), records(spiked.bam)
    assert before.keys() == after.keys()
    changed = {key for key in before if before[key][0] != after[key][0]}
    about = json.loads(spiked.description.read_text())
    assert len(changed) == about["reads_changed"] > 100
    for key in before.keys() - changed:
        assert before[key][:3] == after[key][:3]
    # What a clipped end hides is not known, so that a deletion shortens a clipped read.
    whole = [key for key in before if "S" not in before[key][2]]
    assert all(len(before[key][0]) == len(after[key][0]) for key in whole)
    assert {after[key][3] for key in changed} == {"0", "1"}


def test_the_truth_has_both_and_its_bed_is_the_confident_one(
    background: SimulatedSample, spiked: SimulatedSample
) -> None:
    with pysam.VariantFile(str(background.truth)) as file:
        real = [(r.pos, r.alleles, r.samples[0].allele_indices) for r in file]
    with pysam.VariantFile(str(spiked.truth)) as file:
        both = [(r.pos, r.alleles, r.samples[0].allele_indices, "SPIKED" in r.info) for r in file]
        assert all(r.samples[0].phased for r in file)
    assert [r[:3] for r in both if not r[3]] == real
    assert sum(r[3] for r in both) > 30
    assert spiked.bed.read_text() == background.bed.read_text()
    # Nothing is spiked into a variant of the background.
    places = [p for p, _, _ in real]
    assert all(abs(r[0] - p) > 15 for r in both if r[3] for p in places)


@pytest.mark.tools("bcftools")
def test_the_truth_fits_the_reference(spiked: SimulatedSample, tmp_path: Path) -> None:
    subprocess.run(
        ["bcftools", "norm", "-c", "e", "-f", str(spiked.reference), "-o",
         str(tmp_path / "n.vcf"), str(spiked.truth)], check=True, capture_output=True,
    )  # fmt: skip


@pytest.mark.tools("bcftools", "bwa")
def test_another_caller_finds_what_was_spiked(background: SimulatedSample, tmp_path: Path) -> None:
    made = run_spike(options_of(background, tmp_path / "s", mapper="bwa"))
    with pysam.AlignmentFile(str(made.bam)) as file:
        assert {r.get_tag("RG") for r in file} == {"demo"}
    pileup = subprocess.run(
        ["bcftools", "mpileup", "-Ou", "-f", str(made.reference), str(made.bam)],
        check=True, capture_output=True,
    )  # fmt: skip
    calls = tmp_path / "calls.vcf"
    subprocess.run(["bcftools", "call", "-mv", "-o", str(calls)], input=pileup.stdout, check=True)
    with pysam.VariantFile(str(calls)) as file:
        found = {(r.pos, alt): sorted(r.samples[0].allele_indices) for r in file for alt in r.alts}
    right = total = 0
    for site in snvs(made.truth):
        alts = set(site.bases)
        total += 1
        right += any((site.position + 1, alt) in found for alt in alts)
    assert total > 20
    assert right > 0.9 * total


def test_unlabelled_background_is_left_out_of_the_bed(
    background: SimulatedSample, tmp_path: Path
) -> None:
    made = run_spike(options_of(background, tmp_path / "s"))
    certain = [tuple(map(int, line.split()[1:])) for line in made.bed.read_text().splitlines()]

    def is_certain(position: int) -> bool:
        return any(start <= position < end for start, end in certain)

    hets = [s.position for s in snvs(background.truth)]
    assert sum(map(is_certain, hets)) <= 0.05 * len(hets)
    spiked = [s.position for s in snvs(made.truth)]
    assert sum(map(is_certain, spiked)) >= 0.8 * len(spiked)


def test_same_seed_same_bytes(background: SimulatedSample, tmp_path: Path) -> None:
    one, two, other = (
        run_spike(options_of(background, tmp_path / name, seed=seed))
        for name, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    for field in ("bam", "truth", "bed", "description"):
        assert Path(getattr(one, field)).read_bytes() == Path(getattr(two, field)).read_bytes()
    assert one.truth.read_bytes() != other.truth.read_bytes()
    assert not list(tmp_path.glob(".spike_*"))


def test_depth_and_another_sample_mixed_in(background: SimulatedSample, tmp_path: Path) -> None:
    other = simulate_demo(tmp_path / "other", seed=7, genome_size=40_000, depth=30.0)
    made = run_spike(
        options_of(
            background, tmp_path / "s", depth=15.0, mix=other.bam, mix_share=0.2, mapper="exact"
        )
    )
    bases: Counter[str] = Counter()
    with pysam.AlignmentFile(str(made.bam)) as file:
        for read in file:
            molecule = read.get_tag("mo") if read.has_tag("mo") else None
            assert (molecule == 2) is (read.query_name or "").startswith("mixed.")
            assert read.get_tag("RG") == "demo"
            bases["foreign" if molecule == 2 else "own"] += read.query_alignment_length
    assert bases["foreign"] / bases.total() == pytest.approx(0.2, abs=0.03)
    assert bases["own"] / 40_000 == pytest.approx(15, rel=0.12)
    assert json.loads(made.description.read_text())["library"]["contamination"] == 0.2
    with pytest.raises(InputError, match="too few reads"):
        run_spike(options_of(background, tmp_path / "t", mix=other.bam, mix_share=0.7))
    assert not list(tmp_path.glob("t.*"))


def test_options_must_make_sense(background: SimulatedSample, tmp_path: Path) -> None:
    for wrong, words in (
        ({"variants": ()}, "--variants"),
        ({"mapper": "best"}, "choose auto"),
        ({"confident": background.bed}, "give both"),
        ({"mix": background.bam}, "--mix-share"),
        ({"depth": 0.0}, "--depth"),
    ):
        with pytest.raises(UsageError, match=words):
            options_of(background, tmp_path / "s", **wrong)


def test_inputs_that_do_not_fit(background: SimulatedSample, tmp_path: Path) -> None:
    def refused(match: str, **changes: object) -> None:
        with pytest.raises(InputError, match=match) as caught:
            run_spike(options_of(background, tmp_path / "s", **changes))
        assert "\n" not in str(caught.value)

    snvs_only = tmp_path / "snvs.vcf"
    snvs_only.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=sim>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "sim\t5\t.\tA\tC\t.\t.\t.\n"
    )
    short = tmp_path / "short.fa"
    short.write_text(">sim\nACGT\n")
    refused("no insertions or deletions", variants=(snvs_only,))
    refused("cannot be read", variants=(background.bed,))
    refused("no reads file", reads=tmp_path / "no.bam")
    refused("lacks", reference=short)
    refused("no stretch free", variants_per_kb=0.0)
    assert not list(tmp_path.glob("s.*"))


@pytest.mark.tools("bwa")
def test_real_short_reads_keep_bases_and_flags(shared_data: Path, tmp_path: Path) -> None:
    reads = shared_data / "slices/NA19401_NovaSeq30x_GRCh38_chr21_chr22_16.57-16.61Mb.bam"
    made = run_spike(
        SpikeOptions(
            reads=reads,
            reference=shared_data / "reference/GRCh38_chr21_chr22_16.57-16.61Mb_from_reads.fa.gz",
            variants=(shared_data / "truth/HG001_v3.3.2_b37_chr20.vcf.gz",),
            regions=("chr21:16580000-16590000",),
            output=tmp_path / "s",
        )
    )
    about = json.loads(made.description.read_text())
    assert about["mapper"] == "bwa"
    with pysam.AlignmentFile(str(reads)) as file:
        real = {(r.query_name, r.is_read2): r for r in file if not r.is_supplementary}
    same = total = 0
    with pysam.AlignmentFile(str(made.bam)) as file:
        for read in file:
            if read.is_supplementary:
                continue
            original = real[read.query_name, read.is_read2]
            assert read.is_duplicate == original.is_duplicate
            assert read.mapping_quality <= original.mapping_quality
            assert read.get_tag("RG") == original.get_tag("RG")
            if "S" not in (original.cigarstring or "S"):
                assert read.query_length == original.query_length
            total += 1
            same += read.get_forward_sequence() == original.get_forward_sequence()
    assert total - same == about["reads_changed"]
    assert total > 2000


@pytest.mark.tools("minimap2")
def test_real_long_reads_are_in_phase(shared_data: Path, tmp_path: Path) -> None:
    """Each fragment of a het's alleles has the spiked neighbour's allele of one haplotype."""
    made = run_spike(
        SpikeOptions(
            reads=shared_data / "slices/HG003_SequelII_HiFi_GRCh38_chr20_9.0-9.1Mb.bam",
            reference=shared_data / "reference/grch38.chr20_and_21_10M.fa.gz",
            variants=(shared_data / "truth/HG001_v3.3.2_b37_chr20.vcf.gz",),
            regions=("chr20:9040000-9060000",),
            output=tmp_path / "s",
        )
    )
    assert json.loads(made.description.read_text())["mapper"] == "minimap2"
    hets = {s.position: s for s in snvs(made.truth) if s.is_het}
    shows: dict[str, Counter[int]] = {}
    for name, position, base in shown(made.bam, list(hets.values())):
        if base in hets[position].bases:
            shows.setdefault(name, Counter())[hets[position].bases.index(base)] += 1
    many = [c for c in shows.values() if c.total() >= 3]
    assert len(many) > 20
    assert sum(max(c.values()) for c in many) / sum(c.total() for c in many) > 0.97
