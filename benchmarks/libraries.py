"""Score varcall, bcftools and freebayes on libraries other than Illumina pairs, in one run.

Usage: python -m benchmarks.libraries [-m MODEL] [--differences FILE] [--history DIR]
           [--no-record]

PacBio HiFi and ONT R10 reads of HG002, with their truth untouched by any training; Illumina slices
of HG002 as the pairs they are, as single ends, with overlapping mates merged into one read, and as
pairs of which no read has flag 0x2; a mate-pair library with adapters in its reads. Counted by the
sequences that the records spell, as vcfeval does. Then HiFi reads of HG002's father, who has no
truth of his own. `benchmarks.results` says where the tables are written.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.accuracy import Row, score_slice, total, write_differences
from benchmarks.inputs.merged_pairs import PAIRING, is_pair, merge, pairs
from benchmarks.inputs.slices import SLICES, Slice, StagedSlice, require_data, stage
from benchmarks.results import add_options, report
from benchmarks.runs.callers import PEERS, VARCALL, Caller, Job
from benchmarks.runs.history import Table
from benchmarks.scores.exact_match import Copies, Counts, atomic_copies
from pileup.sam import FPROPER_PAIR, FREAD2, FSECONDARY, FSUPPLEMENTARY, FUNMAP

Lines = list[list[str]]
"""The fields of SAM lines."""

_GRCH38 = "grch38.chr20_and_21_10M.fa.gz"
_TRUTH = "HG002_v4.2.1_GRCh38_chr20_5-10Mb"
_HIFI_REGION, _HIFI_OPTIONS = "chr20:9000000-9099000", "-X pacbio-ccs"
_EXCLUDED = FUNMAP | FSECONDARY | FSUPPLEMENTARY


@dataclass(frozen=True, slots=True)
class Library:
    """Slices scored together, what is done to their reads, and options of `bcftools mpileup`."""

    name: str
    slices: tuple[Slice, ...]
    change: Callable[[Lines], Lines] | None = None
    bcftools: str | None = None


def as_single_end(fields: list[str]) -> list[str]:
    """Take a SAM line's pairing away; mates get names of their own."""
    flag = int(fields[1])
    name = f"{fields[0]}/{1 + bool(flag & FREAD2)}"
    return [name, str(flag & ~PAIRING), *fields[2:6], "*", "0", "0", *fields[9:]]


def as_unmarked_pair(fields: list[str]) -> list[str]:
    """Take flag 0x2 out of a SAM line."""
    return [fields[0], str(int(fields[1]) & ~FPROPER_PAIR), *fields[2:]]


def all_single(lines: Lines) -> Lines:
    """Take the pairing of all lines away."""
    return list(map(as_single_end, lines))


def all_unmarked(lines: Lines) -> Lines:
    """Take flag 0x2 out of all lines."""
    return list(map(as_unmarked_pair, lines))


def all_merged(lines: Lines) -> Lines:
    """Merge the mates that can be merged; the others become single ends."""
    changed: Lines = []
    for fragment in pairs(lines):
        merged = merge(*fragment) if is_pair(fragment) else None
        changed += map(as_single_end, fragment) if merged is None else [merged]
    return changed


def _long(name: str, reads: str, region: str) -> Slice:
    return Slice(name, reads, _GRCH38, region, f"{_TRUTH}.vcf.gz", f"{_TRUTH}.bed", held_out=True)


LONG = (
    Library(
        "PacBio HiFi (Revio) 46x",
        (_long("HiFi", "HG002_Revio_HiFi_GRCh38_chr20_9.0-9.1Mb.bam", _HIFI_REGION),),
        bcftools=_HIFI_OPTIONS,
    ),
    Library(
        "ONT R10 54x",
        (_long("ONT", "HG002_ONT_R10_GRCh38_chr20_5.050-5.075Mb.bam", "chr20:5050000-5075000"),),
        bcftools="-X ont",
    ),
)
SHORT = tuple(
    Library(f"{name}, {what}", slices, change, bcftools)
    for name, slices in (("HG002 30x 10.0M", SLICES[:1]), ("HG002 80x 18.8M, 20.2M", SLICES[1:3]))
    for what, change, bcftools in (
        ("pairs", None, None),
        ("single ends", all_single, None),
        ("merged pairs", all_merged, None),
        # Without -A it leaves such pairs out, and calls nothing.
        ("pairs without 0x2", all_unmarked, "-A"),
    )
)
MATE_PAIRS = Library(
    "HG001 mate pairs 41x",
    (
        Slice(
            "mate pairs",
            "HG001_matepair41x_hg19_chr3_0.1-0.2Mb.bam",
            "hg19_chr3_0.1-0.2Mb_from_reads.fa.gz",
            "chr3:100001-200000",
            "HG001_PlatinumGenomes_hg19_chr3_0.1-0.2Mb.vcf.gz",
            None,
        ),
    ),
)
# The truth is his child's: of every SNV of two copies there the father has one at least.
FATHER = Library(
    "HG003 PacBio HiFi (Sequel II) 35x",
    (
        Slice(
            "HG003 HiFi",
            "HG003_SequelII_HiFi_GRCh38_chr20_9.0-9.1Mb.bam",
            _GRCH38,
            _HIFI_REGION,
            f"{_TRUTH}.vcf.gz",
            None,
        ),
    ),
    bcftools=_HIFI_OPTIONS,
)


def staged(item: Slice, change: Callable[[Lines], Lines] | None, directory: Path) -> StagedSlice:
    """Stage a slice and change its reads."""
    found = stage(item, directory)
    if change is None:
        return found
    text = subprocess.run(
        ["samtools", "view", "-h", "-F", str(_EXCLUDED), str(found.reads)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    header = [line for line in text.splitlines() if line.startswith("@")]
    reads = [line.split("\t") for line in text.splitlines()[len(header) :]]
    lines = [*header, *map("\t".join, change(reads))]
    changed = found.reads.with_suffix(".changed.bam")
    subprocess.run(
        ["samtools", "sort", "-o", str(changed), "-"],
        check=True,
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
    )
    subprocess.run(["samtools", "index", str(changed)], check=True)
    return replace(found, reads=changed)


def callers_for(bcftools: str | None) -> list[Caller]:
    """Return varcall, and the peers that are installed.

    Parameters
    ----------
    bcftools
        What its manual says of such reads: further options of `mpileup`.
    """
    peers = [peer for peer in PEERS if peer.available()]
    if bcftools is not None:
        peers = [_told(peer, bcftools) for peer in peers]
    return [VARCALL, *peers]


def _told(peer: Caller, options: str) -> Caller:
    if peer.name != "bcftools":
        return peer

    def command(job: Job) -> str:
        return peer.command(job).replace("mpileup ", f"mpileup {options} ", 1)

    return replace(peer, name=f"bcftools {options}", command=command)


def score_library(library: Library, directory: Path, model: str | None) -> list[Row]:
    """Score all callers on a library, its slices together."""
    rows: list[Row] = []
    for item in library.slices:
        # Files are named after the slice.
        named = replace(item, name=f"{library.name} {item.name}")
        found = staged(named, library.change, directory)
        rows += score_slice(found, callers_for(library.bcftools), directory, model)
    return total(library.name, rows)


def library_table(rows: Iterable[Row]) -> Table:
    """Return the table of all rows; triples are TP/FP/FN."""
    cells = [[row.slice_name, row.caller, *map(str, row.by_haplotype)] for row in rows]
    return Table("libraries", ["library", "caller", "SNP", "indel"], cells)


def beyond_table(rows: Iterable[Row]) -> Table:
    """Return the table of a slice whose truth is not complete: calls beyond it, and recall."""
    cells = []
    for row in rows:
        recalls = [_recall(counts) for counts in row.by_haplotype]
        cells.append(
            [
                row.caller,
                *(str(c.fp) for c in row.by_haplotype),
                *recalls,
                *map(str, row.by_haplotype),
            ]
        )
    titles = ["caller", "SNVs beyond the truth", "indels beyond it", "SNP recall", "indel recall"]
    note = "calls beyond the truth may be real: it is not complete"
    return Table("mate-pairs", [*titles, "SNP", "indel"], cells, [note])


def _recall(counts: Counts) -> str:
    wanted = counts.tp + counts.fn
    return f"{counts.tp / wanted:.4f}" if wanted else "-"


def twice_there(truth: Copies) -> list[tuple[int, str, str]]:
    """Return the SNVs of two copies."""
    return [key for key, copies in truth.items() if copies == 2 and len(key[1]) == len(key[2])]


def carried_table(library: Library, directory: Path, model: str | None) -> Table:
    """Call a parent's reads; return the table of the child's two-copy SNVs that were found."""
    (item,) = library.slices
    found = stage(item, directory)
    wanted = twice_there(atomic_copies(found.truth, found.reference, found.confident))
    rows = []
    for caller in callers_for(library.bcftools):
        output = directory / f"{found.reads.stem}.{caller.name}.vcf.gz"
        caller.run(Job(found.reads, found.reference, item.region, output, model=model))
        calls = atomic_copies(output, found.reference, found.confident, caller.include)
        missed = [f"{item.contig}:{key[0]}" for key in wanted if key not in calls]
        counts = str(len(wanted) - len(missed)), str(len(wanted))
        rows.append([caller.name, *counts, ", ".join(missed) or "-"])
    note = f"{library.name}: SNVs of which his child HG002 has two copies"
    return Table("carried", ["caller", "carried", "of", "missed"], rows, [note])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    parser.add_argument("--differences", type=Path, help="write every discrepancy to this TSV")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    require_data()
    with tempfile.TemporaryDirectory(prefix="varcall-libraries-") as temporary:
        directory, model = Path(temporary), arguments.model
        rows = [row for item in (*LONG, *SHORT) for row in score_library(item, directory, model)]
        beyond = score_library(MATE_PAIRS, directory, model)
        carried = carried_table(FATHER, directory, model)
    if arguments.differences:
        write_differences(arguments.differences, [*rows, *beyond])
    tables = [library_table(rows), beyond_table(beyond), carried]
    report(arguments, "libraries", "Accuracy on other libraries", tables)


if __name__ == "__main__":
    main()
