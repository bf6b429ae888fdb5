"""`varcall call --alleles`: one record for each given one, whatever the reads show."""

import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pysam
import pytest

from tests.builders import ReadsBuilder, random_sequence, write_reference
from tests.diploid import BOTH, FIRST, SECOND, Change, add_haplotype
from tests.gvcfs import GvcfLine, check_gvcf, gvcf_lines
from tests.mpileup import pileup
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.output.merge import MergeOptions, merge_shards
from varcall.pipeline import call_variants

HEADER = "##fileformat=VCFv4.2\n"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
Site = tuple[int, str, str]
"""POS, REF and ALTs."""

UNIT = "CAG"
REFERENCE = random_sequence(700, seed=11) + "T" + UNIT * 6 + "T" + random_sequence(1300, seed=12)
REPEAT = 701  # 0-based start of the repeat
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


def other(start: int) -> str:
    """A base that the reference does not have there."""
    return OTHER[REFERENCE[start]]


# Where each is, 0-based: an SNV of one haplotype, of both; a deletion; two adjacent SNVs; an SNV
# beside an insertion, each on a haplotype of its own; two bases in the place of three.
HET, HOM, DELETION, MNV, MIXED, REPLACED = 300, 400, 500, 900, 1000, 1100
CHANGES = (
    Change(HET, HET + 1, other(HET), FIRST),
    Change(HOM, HOM + 1, other(HOM), BOTH),
    Change(DELETION + 1, DELETION + 4, "", SECOND),
    Change(REPEAT, REPEAT, UNIT, FIRST),
    Change(MNV, MNV + 2, other(MNV) + other(MNV + 1), BOTH),
    Change(MIXED, MIXED + 1, other(MIXED), FIRST),
    Change(MIXED + 1, MIXED + 1, "GATTACA", SECOND),
    Change(REPLACED, REPLACED + 3, other(REPLACED) + OTHER[other(REPLACED)], FIRST),
)


def bases(start: int, end: int) -> str:
    return REFERENCE[start:end]


def snv(start: int, alt: str | None = None) -> Site:
    return start + 1, bases(start, start + 1), alt or other(start)


def vcf(sites: Sequence[Site], contig: str = "1", header: str = HEADER) -> str:
    lines = [f"{contig}\t{pos}\trs{pos}\t{ref}\t{alts}\t.\t.\tX=1\n" for pos, ref, alts in sites]
    return header + COLUMNS + "".join(lines)


def write_sites(path: Path, text: str) -> Path:
    """Write a file of sites by its suffix, with an index where it needs one."""
    plain = path.with_suffix(".txt")
    plain.write_text(text)
    if path.suffix == ".bcf":
        subprocess.run(["bcftools", "view", "-Ob", "-o", path, plain], check=True)
        subprocess.run(["bcftools", "index", path], check=True)
    elif path.suffix == ".gz":
        pysam.tabix_compress(str(plain), str(path), force=True)
        pysam.tabix_index(str(path), preset="vcf", force=True)
    else:
        plain.rename(path)
    return path


def records(path: Path) -> list[list[str]]:
    text = path.read_text() if path.suffix == ".vcf" else ""
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def sample_of(record: Sequence[str]) -> dict[str, str]:
    return dict(zip(record[8].split(":"), record[9].split(":"), strict=True))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> CallOptions:
    """Reads of two haplotypes at 50x over the first 1,500 bases of 2,019."""
    folder = tmp_path_factory.mktemp("given")
    reads = ReadsBuilder(write_reference(folder / "ref.fa", {"1": REFERENCE, "2": REFERENCE}))
    for haplotype in (FIRST, SECOND):
        add_haplotype(reads, "1", CHANGES, haplotype, step=6)
    reads.lines = [line for line in reads.lines if int(line.split("\t")[3]) < 1350]
    bam = reads.write_bam(folder / "reads.bam")
    return CallOptions(reads=bam, reference=reads.reference, no_version=True)


def given(
    sample: CallOptions, folder: Path, sites: Sequence[Site] | Path, **changes: object
) -> list[list[str]]:
    """Call given sites; return the columns of the records."""
    folder.mkdir(exist_ok=True)
    if not isinstance(sites, Path):
        sites = write_sites(folder / "sites.vcf", vcf(sites))
    output = folder / "out.vcf"
    options = replace(sample, alleles=sites, output=str(output))
    call_variants(replace(options, **changes))  # type: ignore[arg-type]
    return records(output)


def genotypes_of(found: Sequence[Sequence[str]]) -> list[str]:
    return [sample_of(record)["GT"] for record in found]


def test_a_record_for_every_given_one_as_it_is_spelled(sample: CallOptions, tmp_path: Path) -> None:
    third = OTHER[other(HET)]
    long_way = bases(REPEAT + 15, REPEAT + 18)  # the last unit of the repeat: far from left-aligned
    sites: list[tuple[Site, str]] = [
        (snv(100), "0/0"),
        (snv(HET), "0/1"),
        (snv(HET), "0/1"),
        (snv(HET, third), "./0"),
        ((HET + 1, bases(HET, HET + 1), f"{third},{other(HET)}"), "0/2"),
        ((HET + 1, bases(HET, HET + 1), other(HET).lower()), "0/1"),
        ((HET + 1, bases(HET, HET + 4), other(HET) + bases(HET + 1, HET + 4)), "0/1"),
        (snv(HOM), "1/1"),
        ((HOM + 1, bases(HOM, HOM + 1), "<DEL>"), "./."),
        ((HOM + 1, bases(HOM, HOM + 1), "."), "./."),
        ((HOM + 1, bases(HOM, HOM + 1), OTHER[other(HOM)] + ",<*>"), "2/2"),
        ((DELETION + 1, bases(DELETION, DELETION + 4), bases(DELETION, DELETION + 1)), "0/1"),
        ((REPEAT + 16, long_way, long_way + UNIT), "0/1"),
        ((MNV + 1, bases(MNV, MNV + 2), other(MNV) + other(MNV + 1)), "1/1"),
        ((MNV + 1, bases(MNV, MNV + 1), other(MNV)), "1/1"),
        (
            (
                MIXED + 1,
                bases(MIXED, MIXED + 1),
                f"{other(MIXED)},{bases(MIXED, MIXED + 1)}GATTACA",
            ),
            "1/2",
        ),
        (
            (
                REPLACED + 1,
                bases(REPLACED, REPLACED + 3),
                other(REPLACED) + OTHER[other(REPLACED)],
            ),
            "0/1",
        ),
        ((1201, bases(1200, 1400), bases(1200, 1201)), "./."),
        (snv(1900), "./."),
    ]
    found = given(sample, tmp_path, [site for site, _ in sites])
    assert [(int(r[1]), r[3], r[4]) for r in found] == [site for site, _ in sites]
    assert [r[2] for r in found] == [f"rs{site[0]}" for site, _ in sites]
    assert {r[7] for r in found} == {"FORCED"}
    assert genotypes_of(found) == [gt for _, gt in sites]
    counts = {i: sample_of(found[i])["AD"] for i in (0, 8, 10, 14, 15, 18)}
    assert counts[0].endswith(",0")
    assert counts[8] == "."
    assert counts[10].split(",")[:2] == ["0", "0"]
    assert int(counts[10].split(",")[2]) >= 45
    snv_and_insertion = [int(count) for count in counts[15].split(",")]
    assert snv_and_insertion[0] == 0
    assert min(snv_and_insertion[1:]) >= 20
    assert sample_of(found[18]) | {"VAF": ""} == {
        "GT": "./.",
        "GQ": "0",
        "DP": "0",
        "AD": "0,0",
        "ADF": "0,0",
        "ADR": "0,0",
        "VAF": "",
        "PL": "0,0,0",
    }


KNOWN = [
    snv(100),
    snv(HET, OTHER[other(HET)]),
    snv(HET),
    (DELETION + 1, bases(DELETION, DELETION + 4), bases(DELETION, DELETION + 1)),
    (REPEAT + 16, bases(REPEAT + 15, REPEAT + 18), bases(REPEAT + 15, REPEAT + 18) + UNIT),
    snv(MNV),
    snv(MNV),
    snv(1900),
]


@pytest.mark.parametrize("name", ["sites.vcf", "sites.vcf.gz", "sites.bcf"])
@pytest.mark.tools("bcftools")
def test_every_format_of_sites_is_read_alike(
    name: str, sample: CallOptions, tmp_path: Path
) -> None:
    header = HEADER + '##contig=<ID=1>\n##INFO=<ID=X,Number=1,Type=Integer,Description="x">\n'
    path = write_sites(tmp_path / name, vcf(KNOWN, header=header))
    assert given(sample, tmp_path / "one", path) == given(sample, tmp_path / "plain", KNOWN)


def test_d1_d2_given_sites_do_not_depend_on_how_it_runs(
    sample: CallOptions, tmp_path: Path
) -> None:
    whole = given(sample, tmp_path / "whole", KNOWN, alleles_and_discovery=True)
    ways: list[dict[str, object]] = [
        {"threads": 2, "window": 500},
        {"window": DELETION + 2},
        {"window": REPEAT + 10},
        {"window": REPEAT + 16},
    ]
    for number, way in enumerate(ways):
        folder = tmp_path / str(number)
        assert given(sample, folder, KNOWN, alleles_and_discovery=True, **way) == whole, way
    sites = write_sites(tmp_path / "sites.vcf", vcf(KNOWN))
    parts = []
    for index in (1, 2, 3):
        options = replace(
            sample,
            alleles=sites,
            alleles_and_discovery=True,
            output=str(tmp_path / f"{index}.bcf"),
            window=REPEAT + 10,
            shard=(index, 3),
        )
        call_variants(options)
        parts.append(Path(options.output))
    merge_shards(MergeOptions(tuple(parts), str(tmp_path / "merged.vcf")))
    assert records(tmp_path / "merged.vcf") == whole


ASKED = [
    snv(100),
    snv(HET, OTHER[other(HET)]),
    snv(HET, f"{other(HET)},<*>"),
    snv(HOM),
    (HOM + 1, bases(HOM, HOM + 1), "<DEL>"),
    (DELETION + 1, bases(DELETION, DELETION + 2), bases(DELETION, DELETION + 1)),
    (REPEAT + 16, bases(REPEAT + 15, REPEAT + 18), bases(REPEAT + 15, REPEAT + 18) + UNIT),
    (802, bases(801, 803), f"{bases(801, 802)},{bases(801, 802)}AG{bases(802, 803)}"),
    snv(1200, "N"),
    snv(1900),
    snv(1900, OTHER[other(1900)]),
]


def with_gvcf(
    sample: CallOptions, folder: Path, sites: Sequence[Site], **changes: object
) -> tuple[list[list[str]], list[GvcfLine]]:
    """Call given sites with a gVCF, which is checked; return the VCF's columns and its lines."""
    folder.mkdir(exist_ok=True)
    gvcf = folder / "out.g.vcf"
    found = given(sample, folder, sites, gvcf=str(gvcf), **changes)
    whole = [Region("1", 0, len(REFERENCE)), Region("2", 0, len(REFERENCE))]
    return found, check_gvcf(gvcf, whole, sample.reference)


def test_a_gvcf_tells_every_base_once_with_the_given_alleles_in_it(
    sample: CallOptions, tmp_path: Path
) -> None:
    found, lines = with_gvcf(sample, tmp_path / "given", ASKED)
    assert found == given(sample, tmp_path / "alone", ASKED)
    call_variants(replace(sample, output=None, gvcf=str(tmp_path / "plain.g.vcf")))
    plain_lines = list(gvcf_lines(tmp_path / "plain.g.vcf"))
    plain = {(line.start, *line.fields[3:5]): line for line in plain_lines if not line.is_block}
    records = {
        (line.start, *line.fields[3:5]): line
        for line in lines
        if not line.is_block and line.fields[0] == "1"
    }
    # What calling finds is there, given or not, and as in any gVCF, alleles of one place together.
    third, anchor = OTHER[other(HET)], bases(DELETION, DELETION + 1)
    replaced = (HET, bases(HET, HET + 1), f"{other(HET)},{third},<*>")
    deleted = bases(DELETION, DELETION + 4)
    shorter = (DELETION, deleted, f"{anchor},{anchor + deleted[2:]},<*>")
    merged = {
        (HET, bases(HET, HET + 1), f"{other(HET)},<*>"): replaced,
        (DELETION, deleted, f"{anchor},<*>"): shorter,
    }
    assert merged.keys() <= plain.keys()
    for key in plain:
        assert merged.get(key, key) in records
        if key not in merged:
            assert records[key] == plain[key]
    added = {*records} - {merged.get(key, key) for key in plain}
    at = bases(801, 803)
    assert added == {
        (100, bases(100, 101), f"{other(100)},<*>"),
        (801, at, f"{at[0]}AG{at[1]},{at[0]},<*>"),
        (1900, bases(1900, 1901), ",".join(sorted([other(1900), OTHER[other(1900)]])) + ",<*>"),
    }
    silent = records[max(added)]
    assert silent.call["GT"] == "./."
    assert (set(silent.pl), silent.call["AD"]) == ({0}, "0,0,0,0")
    # A reference allele is as sure as a block there, and more so where its own reads tell.
    asked = records[100, bases(100, 101), f"{other(100)},<*>"]
    assert asked.gt == [0, 0]
    assert min(asked.pl[1:]) > 20
    # PL and counts of a given allele are those of its own record.
    own = sample_of(found[0])
    assert own["PL"] == ",".join(asked.call["PL"].split(",")[:3])
    assert own["AD"] == ",".join(asked.call["AD"].split(",")[:2])
    assert records[replaced].gt == [0, 1]
    # Blocks are those without given sites where none lies.
    blocks = [line for line in plain_lines if line.is_block and line.end > 1350]
    left = [line for line in blocks if line not in lines]
    assert [(line.fields[0], line.start < 1900 < line.end) for line in left] == [("1", True)]


def test_a_gvcf_with_given_sites_does_not_depend_on_how_it_runs(
    sample: CallOptions, tmp_path: Path
) -> None:
    kept: dict[str, object] = {"alleles_and_discovery": True, "phase": True}
    whole, lines = with_gvcf(sample, tmp_path / "whole", ASKED, **kept)
    assert len([line for line in lines if not line.is_block]) > 10
    ways: list[dict[str, object]] = [
        {"threads": 2, "window": 500},
        {"window": REPEAT + 10},
        {"window": DELETION + 1},
        {"workdir": tmp_path / "windows", "window": 600},
        {"workdir": tmp_path / "windows", "window": 600, "resume": True},
    ]
    for number, way in enumerate(ways):
        told = with_gvcf(sample, tmp_path / str(number), ASKED, **kept, **way)
        assert told == (whole, lines), way
    sites = write_sites(tmp_path / "sites.vcf", vcf(ASKED))
    parts = [str(tmp_path / f"{index}.g.vcf.gz") for index in (1, 2, 3)]
    for index, part in enumerate(parts, 1):
        shard = replace(
            sample, alleles=sites, phase=True, output=None, gvcf=part, shard=(index, 3),
            window=REPEAT + 10,
        )  # fmt: skip
        call_variants(shard)
    merge_shards(MergeOptions(tuple(map(Path, parts)), str(tmp_path / "merged.g.vcf")))
    assert list(gvcf_lines(tmp_path / "merged.g.vcf")) == lines


def test_a_gvcf_has_nothing_where_the_sample_has_no_copy(
    sample: CallOptions, tmp_path: Path
) -> None:
    bed = tmp_path / "ploidy.bed"
    bed.write_text(f"1\t350\t600\t0\n2\t0\t{len(REFERENCE)}\t0\n")
    gvcf = tmp_path / "out.g.vcf"
    found = given(sample, tmp_path, ASKED, gvcf=str(gvcf), ploidy_bed=bed)
    assert len(found) == len(ASKED)
    regions = [Region("1", 0, 350), Region("1", 600, len(REFERENCE))]
    lines = check_gvcf(gvcf, regions, sample.reference)
    assert HET in {line.start for line in lines if not line.is_block}


def test_finished_windows_are_those_of_the_same_sites(sample: CallOptions, tmp_path: Path) -> None:
    kept = {"workdir": tmp_path / "windows", "window": 500}
    first = given(sample, tmp_path / "run", KNOWN, **kept)
    again = given(sample, tmp_path / "run", tmp_path / "run" / "sites.vcf", resume=True, **kept)
    assert again == first
    write_sites(tmp_path / "run" / "sites.vcf", vcf(KNOWN[:-1]))
    fewer = tmp_path / "run" / "sites.vcf"
    assert given(sample, tmp_path / "run", fewer, resume=True, **kept) == first[:-1]


def test_regions_limit_the_sites(sample: CallOptions, tmp_path: Path) -> None:
    found = given(sample, tmp_path, KNOWN, regions=(f"1:{HET + 1}-{DELETION}",))
    assert [int(record[1]) for record in found] == [HET + 1, HET + 1]


def test_what_calling_finds_is_the_same_and_comes_after_what_was_given(
    sample: CallOptions, tmp_path: Path
) -> None:
    call_variants(replace(sample, output=str(tmp_path / "plain.vcf")))
    plain = records(tmp_path / "plain.vcf")
    dense = [snv(at) for at in range(200, 1200)]
    found = given(sample, tmp_path / "dense", dense, alleles_and_discovery=True)
    named = {(int(record[1]), record[3], record[4]) for record in found if record[7] == "FORCED"}
    left = [record for record in plain if (int(record[1]), *record[3:5]) not in named]
    assert [record for record in found if record[7] != "FORCED"] == left
    by_site = {(record[1], *record[3:5]): record for record in found}
    same = [record for record in plain if (int(record[1]), *record[3:5]) in named]
    assert len(same) >= 2
    for record in same:
        forced = by_site[record[1], *record[3:5]]
        assert forced[5:7] + forced[8:] == record[5:7] + record[8:]


def test_what_cannot_be_asked_for_keeps_no_call_back(sample: CallOptions, tmp_path: Path) -> None:
    sites = [(HET + 1, bases(HET, HET + 1), f"{other(HET)},<DEL>")]
    silent, *found = given(sample, tmp_path, sites, alleles_and_discovery=True)
    assert (silent[4], silent[6], sample_of(silent)["PL"]) == (sites[0][2], "NoCall", ".")
    at_het = [record for record in found if record[1] == str(HET + 1)]
    assert [(r[4], sample_of(r)["GT"]) for r in at_het] == [(other(HET), "0/1")]


def test_a_record_does_not_depend_on_what_else_is_given(
    sample: CallOptions, tmp_path: Path
) -> None:
    dense = [snv(at) for at in range(HET - 60, HET + 60)]
    found = given(sample, tmp_path / "dense", dense)
    for chosen in (HET - 3, HET, HET + 1):
        alone = given(sample, tmp_path / str(chosen), [snv(chosen)])
        assert alone == [record for record in found if int(record[1]) == chosen + 1]


def real_sites(path: Path, truth: Path, contig: str, start: int, end: int, name: str) -> list[Site]:
    """Write the sites of a truth in a region, on the contig as the reads name it."""
    with pysam.VariantFile(str(truth)) as records:
        sites = [
            (record.pos, record.ref, ",".join(record.alts))
            for record in records.fetch(contig, start, end)
            if start <= record.start < end
        ]
    write_sites(path, vcf(sites, contig=name))
    return sites


# BAM and region of each, 0-based half-open, by the start of its name.
SLICES = {
    "HG002_30x_b37_20_10.00": (10_000_000, 10_100_000),
    "HG002_80x_b37_20_18783981": (18_783_981, 18_855_722),
    "HG002_80x_b37_20_20156208": (20_156_208, 20_234_556),
    "HG002_80x_b37_20_36018823": (36_018_823, 36_039_513),
    "HG002_80x_b37_20_38386265": (38_386_265, 38_409_801),
}


@pytest.mark.shared_data
@pytest.mark.tools("samtools")
@pytest.mark.parametrize("name", SLICES)
def test_real_counts_are_those_of_mpileup_and_genotypes_those_of_calling(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    start, end = SLICES[name]
    (bam,) = (shared_data / "slices").glob(f"{name}*.bam")
    reference = shared_data / "reference" / "hs37_chr20.fa.gz"
    truth = shared_data / "truth" / "HG002_v4.2.1_b37_chr20.vcf.gz"
    sites = real_sites(tmp_path / "sites.vcf", truth, "20", start, end, "20")
    options = CallOptions(
        reads=bam, reference=reference, regions=(f"20:{start + 1}-{end}",), no_version=True
    )
    found = given(replace(options, realign=False), tmp_path, tmp_path / "sites.vcf")
    assert [(int(r[1]), r[3], r[4]) for r in found] == sites
    snvs = [site for site in sites if {len(a) for a in (site[1], *site[2].split(","))} == {1}]
    counted = pileup(bam, reference, [pos for pos, _, _ in snvs], "20", tmp_path)
    by_site = {(int(r[1]), r[3], r[4]): sample_of(r) for r in found}
    assert len(snvs) >= 4
    for pos, ref, alts in snvs:
        there = counted.get(pos, Counter())
        shown = by_site[pos, ref, alts]
        wanted = [str(there[base]) for base in (ref, *alts.split(","))]
        assert (shown["AD"].split(","), shown["DP"]) == (wanted, str(there["DP"])), pos
    assert_genotypes_of_calling(options, tmp_path)


def assert_genotypes_of_calling(options: CallOptions, folder: Path) -> None:
    """What calling finds has the same genotype where it is given.

    QUAL counts the record's own ALTs only, so it is lower where reads suggest others too.
    """
    found = given(options, folder, folder / "sites.vcf")
    call_variants(replace(options, output=str(folder / "plain.vcf")))
    plain = {(r[1], r[3], r[4]): r for r in records(folder / "plain.vcf")}
    same = [(r, plain[r[1], r[3], r[4]]) for r in found if (r[1], r[3], r[4]) in plain]
    assert len(same) >= 0.9 * len(found)
    for forced, called in same:
        assert forced[6] == called[6]
        assert float(forced[5]) <= float(called[5])
        assert sample_of(forced) == sample_of(called)
