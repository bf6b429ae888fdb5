"""Given sites on the real slices: a record for each, counts as samtools has them; all sites.

Usage: python -m benchmarks.given_sites [--history DIR] [--no-record]

`--alleles` is given the truth of HG002's chromosome 20, nearly all of whose records lie where a
slice has no reads. Counts are compared with reads as the mapper aligned them (`--no-realign`), by
the rule of docs/howto/given-sites.md. `benchmarks.results` says where the tables are written.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pysam

from benchmarks.inputs.slices import DATA, SLICES, StagedSlice, require_data, stage
from benchmarks.results import add_options, report
from benchmarks.runs.callers import Job, varcall_with
from benchmarks.runs.history import Table
from tests.mpileup import pileup

ALL_SITES_BASES = 10_000

Spelled = tuple[str, int, str, tuple[str, ...]]
"""Contig, POS, REF and ALTs."""


def records(path: Path, region: str | None = None) -> Iterator[pysam.VariantRecord]:
    """Yield the records of an indexed VCF whose POS lies in a region, or all."""
    with pysam.VariantFile(str(path)) as source:
        yield from source.fetch(region=region)


def spelled(record: pysam.VariantRecord) -> Spelled:
    """Return how a record is spelled."""
    return record.contig, record.pos, record.ref or "", record.alts or ()


def records_row(staged: StagedSlice, sites: Path, directory: Path) -> list[str]:
    """Give a slice all sites of its contig, and compare what is written with what was given."""
    output = directory / "given.vcf.gz"
    job = Job(staged.reads, staged.reference, staged.slice.contig, output)
    usage = varcall_with("given", f"--alleles '{sites}'").run(job)
    given = [spelled(record) for record in records(sites)]
    found = list(records(output))
    return [
        staged.slice.name,
        f"{len(given):,}",
        f"{len(found):,}",
        "yes" if [spelled(record) for record in found] == given else "no",
        f"{sum(record.samples[0]['DP'] > 0 for record in found):,}",
        f"{usage.cpu:.1f}",
    ]


def counts_row(staged: StagedSlice, sites: Path, directory: Path) -> list[str]:
    """Compare AD and DP at the given SNVs of a slice with those that samtools shows."""
    output = directory / "counted.vcf.gz"
    job = Job(staged.reads, staged.reference, staged.slice.region, output)
    varcall_with("counted", f"--alleles '{sites}' --no-realign").run(job)
    snvs = [
        record
        for record in records(output)
        if {len(allele) for allele in (record.ref or "", *(record.alts or ()))} == {1}
    ]
    positions = [record.pos for record in snvs]
    shown = pileup(staged.reads, staged.reference, positions, staged.slice.contig, directory)
    same_ad = same_dp = 0
    for record in snvs:
        there, sample = shown.get(record.pos, Counter()), record.samples[0]
        alleles = (record.ref or "", *(record.alts or ()))
        same_ad += sample["AD"] == tuple(there[base] for base in alleles)
        same_dp += sample["DP"] == there["DP"]
    return [staged.slice.name, f"{len(snvs)}", f"{same_ad}", f"{same_dp}"]


def all_sites_row(staged: StagedSlice, directory: Path) -> list[str]:
    """Call some bases with `--all-sites`, and count how often each is told."""
    start, _ = staged.slice.span
    region = f"{staged.slice.contig}:{start + 1}-{start + ALL_SITES_BASES}"
    job = Job(staged.reads, staged.reference, region, directory / "all.vcf.gz")
    usage = varcall_with("all", "--all-sites").run(job)
    told = {kind: np.zeros(ALL_SITES_BASES, np.int64) for kind in ("base", "variant")}
    variants = 0
    for record in records(job.output):
        variants += bool(record.alts)
        first = record.start - start
        told["variant" if record.alts else "base"][first : first + len(record.ref or "")] += 1
    is_once = (told["base"] == 1) ^ (told["variant"] > 0)
    return [
        staged.slice.name,
        f"{ALL_SITES_BASES:,}",
        f"{int(told['base'].sum()):,}",
        f"{variants}",
        f"{int(is_once.sum()):,}",
        f"{usage.cpu:.1f}",
    ]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_options(parser)
    arguments = parser.parse_args()
    require_data()
    with tempfile.TemporaryDirectory(prefix="varcall-given-") as temporary:
        directory = Path(temporary)
        slices = [stage(item, directory) for item in SLICES if item.held_out]
        sites = DATA / "truth" / slices[0].slice.truth
        tables = [
            Table(
                "records",
                ["reads", "given", "records", "as given, in order", "with reads", "CPU s"],
                [records_row(staged, sites, directory) for staged in slices],
                ["all records of the truth of HG002 on chromosome 20; one thread, one run"],
            ),
            Table(
                "counts",
                ["reads", "SNVs given", "AD as samtools mpileup's", "DP as samtools mpileup's"],
                [counts_row(staged, sites, directory) for staged in slices],
                ["`--no-realign`; filters and the rule for mates are in docs/howto/given-sites.md"],
            ),
            Table(
                "all-sites",
                ["reads", "bases", "records of bases", "of variants", "bases told once", "CPU s"],
                [all_sites_row(staged, directory) for staged in slices],
                ["a base is told once by its own record, or by the variants that have it in REF"],
            ),
        ]
    report(arguments, "given-sites", "Given sites, all sites", tables)


if __name__ == "__main__":
    main()
