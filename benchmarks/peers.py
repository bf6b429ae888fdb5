"""Call the test files of other programs: what comes of each, and does bcftools accept the VCF.

    python -m benchmarks.peers [--allow-other-reference] [--history DIR] [--no-record] FOLDER...

All SAM, BAM and CRAM below the folders are sorted, indexed and called with the FASTA below the same
folder that fits their contigs best. Files that samtools cannot read or sort, or whose contigs no
FASTA has, are counted and left out. The folders are not written to. `benchmarks.results` says where
the tables are written.
"""

import argparse
import contextlib
import io
import subprocess
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam
import pysam.utils

from benchmarks.results import add_options, report
from benchmarks.runs.history import Table
from varcall.cli import run

CALLED, REFUSED, CRASHED, BAD_VCF = "called", "refused", "crashed", "bcftools refuses"
UNREADABLE, NO_REFERENCE = "samtools cannot read it", "no FASTA"
READS = (".sam", ".bam", ".cram")
FASTA = (".fa", ".fasta", ".fa.gz", ".fasta.gz")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file; `said` is the refusal or what went wrong, `records` of the VCF."""

    file: Path
    result: str
    said: str = ""
    records: int = 0


def call_peers(folder: Path, scratch: Path, options: Sequence[str] = ()) -> Iterator[Outcome]:
    """Call all alignment files below a folder, with more options of `varcall call`."""
    references = list(_references(folder, scratch))
    files = sorted(path for path in folder.rglob("*") if path.suffix in READS and path.is_file())
    for number, path in enumerate(files):
        place = scratch / f"reads{number}"
        place.mkdir()
        yield _call(path, references, place, options)


@dataclass(frozen=True, slots=True)
class _Reference:
    """A FASTA, where it was found and its indexed copy."""

    source: Path
    copy: Path
    contigs: Mapping[str, int]

    def fit(self, reads: Path, contigs: Mapping[str, int]) -> tuple[int, int, bool, bool]:
        """Contigs of the same name and length, of the same name; folder; begin."""
        same = sum(self.contigs.get(name) == length for name, length in contigs.items())
        known = sum(name in self.contigs for name in contigs)
        is_named_alike = reads.name.startswith(self.source.name.partition(".")[0])
        return same, known, self.source.parent == reads.parent, is_named_alike


def _references(folder: Path, scratch: Path) -> Iterator[_Reference]:
    """Copy and index every FASTA below a folder."""
    found = sorted(path for path in folder.rglob("*") if path.name.endswith(FASTA))
    for number, path in enumerate(found):
        copy = scratch / f"ref{number}.fa"
        text = path.read_bytes()
        if path.suffix == ".gz":
            with pysam.BGZFile(str(path), "r", None) as file:
                text = file.read()
        copy.write_bytes(text)
        with contextlib.suppress(pysam.utils.SamtoolsError, OSError, ValueError):
            pysam.faidx(str(copy))
            with pysam.FastaFile(str(copy)) as fasta:
                contigs = dict(zip(fasta.references, fasta.lengths, strict=True))
            yield _Reference(path, copy, contigs)


def _call(
    path: Path, references: Sequence[_Reference], place: Path, options: Sequence[str]
) -> Outcome:
    contigs = _header_contigs(path)
    if not contigs:
        return Outcome(path, UNREADABLE)
    fitting = [item for item in references if item.fit(path, contigs)[1]]
    if not fitting:
        return Outcome(path, NO_REFERENCE)
    reference = max(fitting, key=lambda item: item.fit(path, contigs)).copy
    kind = "cram" if path.suffix == ".cram" else "bam"
    reads = place / f"reads.{kind}"
    sort = f"samtools sort --reference {reference} -O {kind} -o {reads}"
    for command in ([*sort.split(), str(path)], ["samtools", "index", str(reads)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return Outcome(path, UNREADABLE, done.stderr.strip())
    output = place / "calls.vcf"
    words = ["call", str(reads), "-f", str(reference), "-o", str(output), "--quiet", *options]
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            status = run(words)
    except Exception:  # a crash is what is looked for
        return Outcome(path, CRASHED, traceback.format_exc())
    said = errors.getvalue().strip().splitlines()
    if status:
        return Outcome(path, REFUSED, said[-1] if said else f"exit code {status}")
    return _checked(path, output, reference)


def _header_contigs(path: Path) -> dict[str, int]:
    """Contigs of a file with their lengths; none where it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        with pysam.AlignmentFile(str(path), check_sq=False) as file:
            return dict(zip(file.references, file.lengths, strict=True))
    return {}


def _checked(path: Path, output: Path, reference: Path) -> Outcome:
    """See that bcftools reads a VCF and finds the reference's bases in REF."""
    with pysam.VariantFile(str(output)) as calls:
        records = sum(1 for _ in calls)
    for command in ("view", f"norm -c e -f {reference}"):
        words = ["bcftools", *command.split(), str(output)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            return Outcome(path, BAD_VCF, done.stderr.strip(), records)
    return Outcome(path, CALLED, records=records)


def counts_table(found: Mapping[Path, Sequence[Outcome]]) -> Table:
    """Return the table of what came of the files below each folder, counted."""
    results = (CALLED, REFUSED, CRASHED, BAD_VCF, UNREADABLE, NO_REFERENCE)
    rows = []
    for folder, outcomes in found.items():
        counts = Counter(outcome.result for outcome in outcomes)
        records = sum(outcome.records for outcome in outcomes)
        rows.append([folder.name, *(str(counts[result]) for result in results), str(records)])
    return Table("counts", ["folder", *results, "records"], rows)


def said_table(found: Mapping[Path, Sequence[Outcome]]) -> Table:
    """Return the table of what was said of the files that were not called."""
    rows = [
        [str(outcome.file.relative_to(folder.parent)), outcome.result, _cell(outcome.said)]
        for folder, outcomes in found.items()
        for outcome in outcomes
        if outcome.result in (REFUSED, CRASHED, BAD_VCF)
    ]
    return Table("said", ["file", "result", "said"], rows)


def _cell(said: str) -> str:
    """Return a message on one line, without what ends a cell."""
    return " ".join(said.split()).replace("|", "/")


def main() -> None:
    """Call the files of the folders that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--allow-other-reference", action="store_true")
    add_options(parser)
    arguments = parser.parse_args()
    options = ["--allow-other-reference"] if arguments.allow_other_reference else []
    found: dict[Path, list[Outcome]] = {}
    for folder in arguments.folders:
        with tempfile.TemporaryDirectory() as scratch:
            found[folder] = list(call_peers(folder, Path(scratch), options))
        print(folder.name, len(found[folder]), flush=True)
    name = "peers-other-reference" if options else "peers"
    title = "Test files of other programs" + (", called with another reference" if options else "")
    report(arguments, name, title, [counts_table(found), said_table(found)])


if __name__ == "__main__":
    main()
