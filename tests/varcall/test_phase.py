"""`varcall call --phase` on two haplotypes that are known."""

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pysam
import pytest

from tests.builders import ReadsBuilder, random_sequence, write_reference
from tests.diploid import BOTH, FIRST, SECOND, Change, add_haplotype, spelled_by
from tests.gvcfs import check_gvcf, recovered
from varcall.errors import UsageError
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.output.merge import MergeOptions, merge_shards
from varcall.pipeline import call_variants

VCF_COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
LENGTH = 9000
GAP = (4000, 5000)
"""No variants there, so that no read reaches over it."""


def _changes(sequence: str) -> list[Change]:
    """SNVs 60 to 110 bases apart, every fourth of them a deletion, every ninth homozygous."""
    draw = random.Random(4)
    changes, start, number = [], 300, 0
    while start < LENGTH - 300:
        if not GAP[0] <= start < GAP[1]:
            side = BOTH if number % 9 == 8 else draw.choice([FIRST, SECOND])
            alt = {"A": "C", "C": "G", "G": "T", "T": "A"}[sequence[start]]
            end = start + (4 if number % 4 == 3 else 1)
            changes.append(Change(start, end, alt if end == start + 1 else sequence[start], side))
            number += 1
        start += draw.randrange(60, 110)
    return changes


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> CallOptions:
    folder = tmp_path_factory.mktemp("phase")
    sequence = random_sequence(LENGTH, seed=11)
    # Two SNVs of one haplotype side by side but for a base, in a place of their own.
    pair = [Change(at, at + 1, "A" if sequence[at] != "A" else "C", FIRST) for at in (150, 152)]
    reference = write_reference(folder / "ref.fa", {"one": sequence})
    reads = ReadsBuilder(reference)
    for haplotype in (FIRST, SECOND):
        changes = pair + _changes(sequence)
        add_haplotype(reads, "one", changes, haplotype, step=20, length=300)
    return CallOptions(
        reads=reads.write_bam(folder / "reads.bam"),
        reference=reference,
        output=str(folder / "out.vcf"),
        phase=True,
        window=2000,
        no_version=True,
    )


def _call(options: CallOptions, output: Path, **changes: object) -> bytes:
    call_variants(replace(options, output=str(output), **changes))  # type: ignore[arg-type]
    return output.read_bytes()


@pytest.fixture(scope="module")
def whole(options: CallOptions) -> Path:
    call_variants(options)
    return Path(options.output)


def test_blocks_are_the_haplotypes(options: CallOptions, whole: Path) -> None:
    with pysam.FastaFile(str(options.reference)) as fasta:
        sequence = fasta.fetch("one")
    changes = {change.start: change for change in _changes(sequence)}
    sides: dict[int, set[bool]] = {}
    count = 0
    with pysam.VariantFile(str(whole)) as calls:
        for record in calls:
            sample = record.samples[0]
            change = changes.get(record.start)
            if change is None or change.haplotypes == BOTH:
                continue
            assert sample.phased, record.pos
            own = (sample["GT"][0] == 1) == (change.haplotypes == FIRST)
            sides.setdefault(sample["PS"], set()).add(own)
            count += 1
    assert count > 70
    first, second = sorted(sides)
    assert all(len(own) == 1 for own in sides.values())
    assert first < GAP[0] < GAP[1] <= second


@pytest.mark.parametrize(
    "changes",
    [{"window": 700}, {"window": 100_000}, {"threads": 2}, {"batch_size": 3}],
    ids=["small windows", "one window", "two processes", "batches"],
)
def test_bytes_do_not_depend_on_how_it_runs(
    options: CallOptions, whole: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    output = tmp_path / "out.vcf"
    _call(options, output, **changes)
    records = [line for line in output.read_text().splitlines() if line[0] != "#"]
    assert records == [line for line in whole.read_text().splitlines() if line[0] != "#"]


def test_merged_shards_are_phased_as_the_whole(
    options: CallOptions, whole: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{index}.bcf" for index in (1, 2, 3)]
    for index, path in enumerate(paths, 1):
        _call(options, path, shard=(index, 3))
    merged = tmp_path / "merged.vcf"
    merge_shards(MergeOptions(tuple(paths), str(merged)))
    assert merged.read_bytes() == whole.read_bytes()


def test_a_resumed_run_is_phased_as_the_whole(
    options: CallOptions, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "windows"
    _call(options, tmp_path / "first.vcf", workdir=folder)
    for number, path in enumerate(sorted(folder.rglob("*.window"))):
        if number % 2:
            path.unlink()
    resumed = _call(options, tmp_path / "second.vcf", workdir=folder, resume=True)
    assert resumed == whole.read_bytes()


def test_genotypes_are_those_without_phase(
    options: CallOptions, whole: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.vcf"
    _call(options, plain, phase=False)
    with pysam.VariantFile(str(plain)) as one, pysam.VariantFile(str(whole)) as other:
        for left, right in zip(one, other, strict=True):
            assert str(left).split("\t")[:8] == str(right).split("\t")[:8]
            assert sorted(left.samples[0]["GT"]) == sorted(right.samples[0]["GT"])


def test_snvs_of_one_haplotype_are_joined_on_demand(
    options: CallOptions, whole: Path, tmp_path: Path
) -> None:
    output = tmp_path / "joined.vcf"
    _call(options, output, join_mnvs=2)
    with pysam.VariantFile(str(output)) as calls:
        found = {record.start: record.ref for record in calls}
    assert len(found[150]) == 3
    assert 152 not in found
    with pysam.FastaFile(str(options.reference)) as fasta:
        sequence = fasta.fetch("one")
    assert found[150] == sequence[150:153]
    assert spelled_by(output, "one", sequence) == spelled_by(whole, "one", sequence)


def test_joining_needs_phase(options: CallOptions) -> None:
    with pytest.raises(UsageError, match="--join-mnvs needs --phase"):
        replace(options, phase=False, join_mnvs=2)


@pytest.fixture(scope="module")
def whole_gvcf(options: CallOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gVCF of one run, beside a VCF."""
    folder = tmp_path_factory.mktemp("gvcf")
    gvcf = folder / "out.g.vcf"
    _call(options, folder / "out.vcf", gvcf=str(gvcf))
    return gvcf


def _records(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines(keepends=True) if line[0] != "#"]


def test_the_gvcf_has_the_same_phase(options: CallOptions, whole: Path, whole_gvcf: Path) -> None:
    beside = whole_gvcf.with_name("out.vcf")
    lines = check_gvcf(whole_gvcf, [Region("one", 0, LENGTH)], options.reference)
    assert recovered(lines) == _records(beside) == _records(whole)
    assert sum("|" in line.call["GT"] and "PS" in line.call for line in lines) > 70
    for path in (beside, whole_gvcf):
        assert not any(name in path.read_text() for name in ("VOTES", "AFTER"))


@pytest.mark.parametrize(
    "changes", [{"window": 700}, {"threads": 2}, {"output": None}], ids=["windows", "two", "alone"]
)
def test_a_phased_gvcf_does_not_depend_on_how_it_runs(
    options: CallOptions, whole_gvcf: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    gvcf = tmp_path / "out.g.vcf"
    words = {"output": str(tmp_path / "out.vcf"), "gvcf": str(gvcf)} | changes
    call_variants(replace(options, **words))  # type: ignore[arg-type]
    assert _records(gvcf) == _records(whole_gvcf)


@pytest.mark.parametrize("join_mnvs", [0, 2])
def test_merged_and_resumed_gvcfs_are_phased_as_the_whole(
    options: CallOptions, tmp_path: Path, join_mnvs: int
) -> None:
    own = replace(options, join_mnvs=join_mnvs)
    kinds = {"output": ".vcf", "gvcf": ".g.vcf"}
    whole = {kind: tmp_path / f"whole{suffix}" for kind, suffix in kinds.items()}
    work = tmp_path / "work"
    call_variants(replace(own, output=str(whole["output"]), gvcf=str(whole["gvcf"]), workdir=work))
    lines = check_gvcf(whole["gvcf"], [Region("one", 0, LENGTH)], options.reference)
    assert recovered(lines) == _records(whole["output"])
    assert ((150, 153) in {(line.start, line.end) for line in lines}) == bool(join_mnvs)
    for index in (1, 2, 3):
        parts = {kind: str(tmp_path / f"{index}{suffix}") for kind, suffix in kinds.items()}
        call_variants(replace(own, **parts, shard=(index, 3)))
    for kind, suffix in kinds.items():
        merged = tmp_path / f"merged{suffix}"
        inputs = tuple(tmp_path / f"{index}{suffix}" for index in (2, 1, 3))
        merge_shards(MergeOptions(inputs, str(merged)))
        assert merged.read_bytes() == whole[kind].read_bytes()
    for path in sorted(work.rglob("*.window"))[::2]:
        path.unlink()
    again = {kind: str(tmp_path / f"again{suffix}") for kind, suffix in kinds.items()}
    call_variants(replace(own, **again, workdir=work, resume=True))
    for kind, path in whole.items():
        assert Path(again[kind]).read_bytes() == path.read_bytes()


def _sites(folder: Path, lines: list[str], *, times: int = 1) -> Path:
    """Write the sites of some records, each so many times."""
    path = folder / "sites.vcf"
    columns = [line.split("\t")[:5] for line in lines for _ in range(times)]
    shown = "".join("\t".join([*own, ".", ".", "."]) + "\n" for own in columns)
    path.write_text(f"##fileformat=VCFv4.2\n{VCF_COLUMNS}{shown}")
    return path


def _of_calls(lines: list[str]) -> list[tuple[str, ...]]:
    """Return the site and the sample's column, by which a given record is as a called one."""
    return [(*columns[:5], *columns[8:]) for columns in (line.split("\t") for line in lines)]


@pytest.mark.parametrize("times", [1, 3])
def test_given_records_are_phased_as_the_calls_are(
    options: CallOptions, whole: Path, tmp_path: Path, times: int
) -> None:
    """What fragments show of a variant counts once, however often it is given."""
    sites = _sites(tmp_path, _records(whole), times=times)
    _call(options, tmp_path / "given.vcf", alleles=sites)
    found = _records(tmp_path / "given.vcf")
    assert {line.split("\t")[7] for line in found} == {"FORCED"}
    expected = [line for line in _records(whole) for _ in range(times)]
    assert _of_calls(found) == _of_calls(expected)
    assert sum("|" in line for line in found) > 70 * times


def test_phased_given_records_do_not_depend_on_how_it_runs(
    options: CallOptions, whole: Path, tmp_path: Path
) -> None:
    own = replace(
        options,
        alleles=_sites(tmp_path, _records(whole)[::2]),
        alleles_and_discovery=True,
        join_mnvs=2,
    )
    expected = _call(own, tmp_path / "whole.vcf", workdir=tmp_path / "work")
    found = _records(tmp_path / "whole.vcf")
    assert [line for line in found if "\tFORCED\t" in line] == found[::2]
    assert sum("|" in line for line in found) > 70
    # Of the two SNVs side by side one was asked for: it may not be lost in an MNV.
    assert {150, 152} <= {int(line.split("\t")[1]) - 1 for line in found}
    for path in sorted((tmp_path / "work").rglob("*.window"))[::2]:
        path.unlink()
    assert _call(own, tmp_path / "a.vcf", workdir=tmp_path / "work", resume=True) == expected
    parts = [tmp_path / f"{index}.bcf" for index in (1, 2, 3)]
    for index, path in enumerate(parts, 1):
        _call(own, path, shard=(index, 3))
    merge_shards(MergeOptions(tuple(parts), str(tmp_path / "merged.vcf")))
    assert (tmp_path / "merged.vcf").read_bytes() == expected


@pytest.mark.tools("whatshap")
def test_whatshap_phases_the_same(options: CallOptions, whole: Path, tmp_path: Path) -> None:
    plain, phased = tmp_path / "plain.vcf", tmp_path / "whatshap.vcf"
    _call(options, plain, phase=False)
    words = ["--ignore-read-groups", "-r", str(options.reference), "-o", str(phased)]
    subprocess.run(
        ["whatshap", "phase", *words, str(plain), str(options.reads)],
        check=True,
        capture_output=True,
    )
    table = tmp_path / "compared.tsv"
    subprocess.run(
        ["whatshap", "compare", "--tsv-pairwise", str(table), str(phased), str(whole)],
        check=True,
        capture_output=True,
    )
    names, values = (line.split("\t") for line in table.read_text().splitlines())
    found = dict(zip(names, values, strict=True))
    assert int(found["all_assessed_pairs"]) > 60
    assert int(found["all_switches"]) == 0
