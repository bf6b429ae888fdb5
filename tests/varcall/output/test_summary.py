"""Counts of a call's records, against bcftools' on the same VCF."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from varcall.options import CallOptions
from varcall.output.record import LOW_QUAL, PASS, VariantRecord
from varcall.output.summary import CallSummary, RecordCounts, allele_kind
from varcall.pipeline import call_variants
from varcall.simulate import SimulatedSample


def record(ref: str, alts: str, gt: str, filter_name: str = PASS) -> VariantRecord:
    alleles = tuple(None if text == "." else int(text) for text in re.split("[/|]", gt))
    n = 1 + len(alts.split(","))
    return VariantRecord(
        "1", 9, ref, tuple(alts.split(",")), 30.0, filter_name, alleles, 30, 20,
        (10,) * n, (5,) * n, (5,) * n, (0,),
    )  # fmt: skip


RECORDS = [
    record("A", "G", "0/1"),
    record("A", "G", "1/1"),
    record("A", "C,G", "1/2"),
    record("A", "C,G", "0/2"),
    record("GA", "CA,G", "1/2"),
    record("GAT", "CAG", "0/1"),
    record("A", "*", "0/1"),
    record("A", "T", "1"),
    record("A", "AT", "./."),
    record("A", "AT", "0/1", LOW_QUAL),
]


def test_counts_are_of_what_genotypes_call() -> None:
    assert RecordCounts.of(RECORDS) == RecordCounts(
        records=10, passed=9, snvs=6, indels=1, transitions=4, transversions=3, het=6, hom=1
    )
    assert RecordCounts.of([]) == RecordCounts()
    assert RecordCounts.of(RECORDS[:4]) + RecordCounts.of(RECORDS[4:]) == RecordCounts.of(RECORDS)


def test_ratios() -> None:
    counts = RecordCounts(transitions=6, transversions=3, het=3, hom=2)
    assert (counts.ti_tv, counts.het_hom) == (2.0, 1.5)
    assert (RecordCounts(het=1).ti_tv, RecordCounts(het=1).het_hom) == (None, None)


def test_kinds_agree_with_transitions_of_one_base() -> None:
    transitions = {ref + alt for ref in "ACGT" for alt in "ACGT" if allele_kind(ref, alt) == "ti"}
    assert transitions == {"AG", "GA", "CT", "TC"}


@pytest.fixture(scope="module")
def called(
    small_sample: SimulatedSample, untrained_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, CallSummary]:
    output = tmp_path_factory.mktemp("called") / "calls.vcf.gz"
    options = CallOptions(
        reads=small_sample.bam,
        reference=small_sample.reference,
        output=str(output),
        model=str(untrained_model),
        window=2000,
    )
    return output, call_variants(options)


@pytest.mark.tools("bcftools")
def test_counts_of_a_call_are_those_of_bcftools(called: tuple[Path, CallSummary]) -> None:
    path, summary = called
    counts = summary.counts

    def bcftools(command: str) -> str:
        words = ["bcftools", *command.split(), str(path)]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    # The ALTs that no genotype calls are none of a call's variants.
    called_only = ["bcftools", "view", "-a", "-f", "PASS", str(path)]
    trimmed = subprocess.run(called_only, check=True, capture_output=True).stdout
    stats = subprocess.run(
        ["bcftools", "stats", "-"], input=trimmed, check=True, capture_output=True
    ).stdout.decode()
    numbers = dict(re.findall(r"^SN\t0\tnumber of (\S+):\t(\d+)$", stats, re.MULTILINE))
    assert counts.records == len(bcftools("view -H").splitlines()) > 0
    assert counts.passed == int(numbers["records"]) > 0
    assert (counts.snvs, counts.indels) == (int(numbers["SNPs"]), int(numbers["indels"]))
    transitions = re.search(r"^TSTV\t0\t(\d+)\t(\d+)", stats, re.MULTILINE)
    assert transitions is not None
    assert [counts.transitions, counts.transversions] == [int(n) for n in transitions.groups()]
    genotypes = bcftools('query -f [%GT]\\n -i FILTER="PASS"').replace("|", "/").split()
    pairs = [tuple(gt.split("/")) for gt in genotypes]
    assert counts.het == sum(first != second for first, second in pairs)
    assert counts.hom == sum(first == second != "0" for first, second in pairs)


def test_the_end_of_a_call_is_told_in_a_few_lines(called: tuple[Path, CallSummary]) -> None:
    _, summary = called
    found, seen, cost = summary.lines()
    counts = summary.counts
    assert found.startswith(f"{counts.records:,} records, {counts.passed:,} of them PASS: ")
    assert f"Ti/Tv {counts.ti_tv:.2f}, het/hom {counts.het_hom:.2f}" in found
    assert f"{summary.work['windows']} windows" in seen
    assert re.fullmatch(r"\d+\.\d s, peak memory \d[\d,]* MB", cost)
    of_workers = replace(summary, peak_worker_memory=2_500_000_000).lines()[-1]
    assert of_workers == cost + ", of a worker 2,500 MB"
    assert 50e6 < summary.peak_memory < 20e9
