"""Score varcall, bcftools and freebayes on libraries other than Illumina pairs, in one run.

Usage: python -m benchmarks.libraries [-m MODEL] [--history DIR] [--no-record]

PacBio HiFi and ONT R10 reads of HG002, with their truth untouched by any training; and Illumina
slices of HG002 as single ends, and as pairs of which no read has flag 0x2. Counted by the sequences
that the records spell, as vcfeval does. `benchmarks.results` says where the table is written.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.accuracy import Row, score_slice
from benchmarks.callers import PEERS, VARCALL, Caller, Job
from benchmarks.history import Table
from benchmarks.results import add_options, report
from benchmarks.slices import DATA, SLICES, Slice, StagedSlice, stage
from pileup.sam import (
    FMREVERSE,
    FMUNMAP,
    FPAIRED,
    FPROPER_PAIR,
    FREAD1,
    FREAD2,
    FSECONDARY,
    FSUPPLEMENTARY,
    FUNMAP,
)

_GRCH38 = "grch38.chr20_and_21_10M.fa.gz"
_TRUTH = "HG002_v4.2.1_GRCh38_chr20_5-10Mb"
_PAIRING = FPAIRED | FPROPER_PAIR | FMUNMAP | FMREVERSE | FREAD1 | FREAD2
_EXCLUDED = FUNMAP | FSECONDARY | FSUPPLEMENTARY


@dataclass(frozen=True, slots=True)
class Library:
    """A slice, what is done to its reads, and the options of `bcftools mpileup` for them."""

    slice: Slice
    spell: Callable[[list[str]], list[str]] | None = None
    bcftools: str | None = None


def _long(name: str, reads: str, region: str) -> Slice:
    return Slice(name, reads, _GRCH38, region, f"{_TRUTH}.vcf.gz", f"{_TRUTH}.bed", held_out=True)


def as_single_end(fields: list[str]) -> list[str]:
    """Take a SAM line's pairing away; mates get names of their own."""
    flag = int(fields[1])
    name = f"{fields[0]}/{1 + bool(flag & FREAD2)}"
    return [name, str(flag & ~_PAIRING), *fields[2:6], "*", "0", "0", *fields[9:]]


def as_unmarked_pair(fields: list[str]) -> list[str]:
    """Take flag 0x2 out of a SAM line."""
    return [fields[0], str(int(fields[1]) & ~FPROPER_PAIR), *fields[2:]]


LIBRARIES = (
    Library(
        _long(
            "PacBio HiFi (Revio) 46x",
            "HG002_Revio_HiFi_GRCh38_chr20_9.0-9.1Mb.bam",
            "chr20:9000000-9099000",
        ),
        bcftools="-X pacbio-ccs",
    ),
    Library(
        _long(
            "ONT R10 54x",
            "HG002_ONT_R10_GRCh38_chr20_5.050-5.075Mb.bam",
            "chr20:5050000-5075000",
        ),
        bcftools="-X ont",
    ),
    *(
        Library(replace(item, name=f"{item.name}, {what}"), spell, bcftools)
        for item in SLICES[:2]
        for what, spell, bcftools in (
            ("single ends", as_single_end, None),
            # Without -A it leaves such pairs out, and calls nothing.
            ("pairs without 0x2", as_unmarked_pair, "-A"),
        )
    ),
)


def staged(library: Library, directory: Path) -> StagedSlice:
    """Stage the slice of a library and change its reads."""
    item = stage(library.slice, directory)
    if library.spell is None:
        return item
    text = subprocess.run(
        ["samtools", "view", "-h", "-F", str(_EXCLUDED), str(item.reads)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [
        line if line.startswith("@") else "\t".join(library.spell(line.split("\t")))
        for line in text.splitlines()
    ]
    changed = item.reads.with_suffix(".changed.bam")
    subprocess.run(
        ["samtools", "sort", "-o", str(changed), "-"],
        check=True,
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
    )
    subprocess.run(["samtools", "index", str(changed)], check=True)
    return replace(item, reads=changed)


def callers_for(library: Library) -> list[Caller]:
    """Return varcall, and the peers that are installed, as their manuals say for such reads."""
    peers = [peer for peer in PEERS if peer.available()]
    if library.bcftools is not None:
        peers = [_told(peer, library.bcftools) for peer in peers]
    return [VARCALL, *peers]


def _told(peer: Caller, options: str) -> Caller:
    if peer.name != "bcftools":
        return peer

    def command(job: Job) -> str:
        return peer.command(job).replace("mpileup ", f"mpileup {options} ", 1)

    return replace(peer, name=f"bcftools {options}", command=command)


def library_table(rows: Iterable[Row]) -> Table:
    """Return the table of all rows; triples are TP/FP/FN."""
    cells = [[row.slice_name, row.caller, *map(str, row.by_haplotype)] for row in rows]
    return Table("libraries", ["library", "caller", "SNP", "indel"], cells)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    if not DATA.is_dir():
        raise SystemExit(f"no data at {DATA}: the real slices lie beside the project, not in it")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="varcall-libraries-") as temporary:
        directory = Path(temporary)
        for library in LIBRARIES:
            item = staged(library, directory)
            rows += score_slice(item, callers_for(library), directory, arguments.model)
    report(arguments, "libraries", "Accuracy on other libraries", [library_table(rows)])


if __name__ == "__main__":
    main()
