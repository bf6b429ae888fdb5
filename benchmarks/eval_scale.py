"""What `varcall eval` costs at the scale of a genome: one chromosome many times over.

Usage: python -m benchmarks.eval_scale TRUTH QUERY REFERENCE [--confident BED] [--copies 20]
           [--work DIR] [--history DIR] [--no-record]

TRUTH and QUERY are VCF (BGZF) of the one contig of REFERENCE that they share, as HG002's and
HG001's chr20 of GIAB; copies of it are named chr1, chr2, ... CPU seconds say what the program
costs; the wall clock counts on a quiet machine only. rtg vcfeval took 8.3 CPU seconds for the one
chromosome (recorded), without tables.
"""

import argparse
import gzip
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pysam

from benchmarks.results import add_options, report
from benchmarks.runs.callers import Usage
from benchmarks.runs.costs import measure_apart
from benchmarks.runs.history import Table
from varcall.output.bgzf_writer import BgzfWriter

RTG_SECONDS = 8.3
MOST_TIMES_RTG = 1.5
MOST_PEAK_MB = 2000
PROCESSES = (1, 2)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files of an evaluation."""

    truth: Path
    query: Path
    reference: Path
    confident: Path | None


def _renamed(source: Path, contig: str, length: int, names: Sequence[str]) -> Iterator[str]:
    """Lines of a VCF with its contig many times over."""
    with gzip.open(source, "rt") as handle:
        lines = handle.readlines()
    header = [line for line in lines if line.startswith("#")]
    yield from (line for line in header[:-1] if not line.startswith("##contig"))
    yield from (f"##contig=<ID={name},length={length}>\n" for name in names)
    yield header[-1]
    body = [line for line in lines if line.startswith(f"{contig}\t")]
    for name in names:
        yield from (name + line[len(contig) :] for line in body)


def many_times(inputs: Inputs, copies: int, directory: Path) -> Inputs:
    """Write all files with their contig `copies` times over, compressed and indexed."""
    with pysam.FastaFile(str(inputs.reference)) as fasta:
        (contig,) = fasta.references
        bases = fasta.fetch(contig)
    names = [f"chr{i}" for i in range(1, copies + 1)]
    reference = directory / "reference.fa"
    with reference.open("w") as handle:
        for name in names:
            handle.write(f">{name}\n{bases}\n")
    pysam.faidx(str(reference))
    made = []
    for source, label in ((inputs.truth, "truth"), (inputs.query, "query")):
        path = directory / f"{label}.vcf.gz"
        with path.open("wb") as stream:
            writer = BgzfWriter(stream)
            for line in _renamed(source, contig, len(bases), names):
                writer.write(line.encode())
            writer.close()
        pysam.tabix_index(str(path), preset="vcf", force=True)
        made.append(path)
    confident = None
    if inputs.confident is not None:
        confident = directory / "confident.bed"
        rows = [line.split("\t", 1)[1] for line in inputs.confident.read_text().splitlines(True)]
        confident.write_text("".join(f"{name}\t{row}" for name in names for row in rows))
    return Inputs(made[0], made[1], reference, confident)


def run(inputs: Inputs, threads: int, directory: Path) -> Usage:
    """Evaluate with all tables and files; what it wrote stays in the folder."""
    directory.mkdir()
    words = [sys.executable, "-m", "varcall", "eval", "--engine", "builtin", "--no-plots"]
    words += ["--truth", str(inputs.truth), "--query", str(inputs.query), "--split-vcfs"]
    words += ["--ref", str(inputs.reference), "-o", str(directory / "eval"), "-t", str(threads)]
    words += ["--counts", str(directory / "counts.json")]
    if inputs.confident is not None:
        words += ["--confident", str(inputs.confident)]
    return measure_apart(shlex.join(words), directory.with_suffix(".log"))


def digests(directory: Path) -> dict[str, str]:
    """Check sums of the files that were written."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def _counts(directory: Path) -> dict[str, int]:
    document = json.loads((directory / "counts.json").read_text())
    return {name: document[name] for name in ("tp_baseline", "tp_call", "fp", "fn")}


def table(usages: dict[tuple[int, int], Usage], *, is_same: bool, is_multiple: bool) -> Table:
    """Return the table of what was measured, by copies and processes."""
    rows = [
        [str(copies), str(threads), f"{usage.cpu:.1f}", f"{usage.cpu / copies / RTG_SECONDS:.2f}",
         f"{usage.wall:.0f}", f"{usage.peak_mb:.0f}"]
        for (copies, threads), usage in usages.items()
    ]  # fmt: skip
    columns = ["contigs", "processes", "CPU s", "times rtg's", "wall s", "peak MB of a process"]
    most = max(usage.peak_mb * (threads + 1) for (_, threads), usage in usages.items())
    notes = [
        f"all processes together held at most {most:.0f} MB, wanted under {MOST_PEAK_MB}",
        f"rtg's CPU seconds are {RTG_SECONDS} a contig (recorded), wanted at most "
        f"{MOST_TIMES_RTG} times as many",
        f"files of one and of two processes are {'the same bytes' if is_same else 'DIFFERENT'}, "
        f"counts are {'those' if is_multiple else 'NOT those'} of one contig times the copies",
    ]
    return Table("scale", columns, rows, notes)


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("truth", "query", "reference"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--confident", type=Path)
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--work", type=Path, help="folder for the files (default: a temporary one)")
    add_options(parser)
    arguments = parser.parse_args()
    inputs = Inputs(arguments.truth, arguments.query, arguments.reference, arguments.confident)
    with tempfile.TemporaryDirectory(dir=arguments.work) as name:
        work = Path(name)
        run(inputs, 1, work / "warm")
        usages = {(1, 1): run(inputs, 1, work / "one")}
        many = many_times(inputs, arguments.copies, work)
        for threads in PROCESSES:
            usages[arguments.copies, threads] = run(many, threads, work / f"of{threads}")
        single, several = _counts(work / "one"), _counts(work / "of1")
        is_multiple = {k: arguments.copies * n for k, n in single.items()} == several
        is_same = digests(work / "of1") == digests(work / "of2")
    title = f"varcall eval with all tables, one chromosome {arguments.copies} times over"
    found = table(usages, is_same=is_same, is_multiple=is_multiple)
    report(arguments, "eval-scale", title, [found])


if __name__ == "__main__":
    main()
