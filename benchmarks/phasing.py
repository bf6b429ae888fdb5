"""Phase of `varcall call --phase` against whatshap's, on the same calls and reads.

Usage: python -m benchmarks.phasing [--work DIR] [--history DIR] [--no-record]

whatshap gets varcall's PASS records, unphased, with --ignore-read-groups and the reference. What
is switched are neighbours in a block that the truth phases, too. Blocks are cut where others lie
within them, as `whatshap stats` does; N50 is that of the bases of the program that phases more, so
that who phases more small blocks does not lose by it. The truth of the GRCh38 slices is that of
b37, moved: all records of that of GRCh38, which has no phase, lie there.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

from benchmarks.inputs.slices import DATA
from benchmarks.results import add_options, report
from benchmarks.runs.history import Table
from benchmarks.simulated_libraries import HIFI, ONT, Sample, prepare, simulated

SIMULATED = (
    Sample("pairs 30x", 2_000_000, 30.0),
    Sample("HiFi 20x", 500_000, 20.0, platform=HIFI),
    Sample("ONT R10 30x", 500_000, 30.0, platform=ONT),
)
_B37, _GRCH38 = "hs37_chr20.fa.gz", "grch38.chr20_and_21_10M.fa.gz"
_TRUTH = DATA / "truth" / "HG002_v4.2.1_b37_chr20.vcf.gz"


@dataclass(frozen=True, slots=True)
class Phasable:
    """Reads with a truth; `moved` is what is added to the positions of the truth."""

    name: str
    reads: Path
    reference: Path
    region: str
    truth: Path
    moved: int = 0


def _real(name: str, reads: str, reference: str, region: str, moved: int = 0) -> Phasable:
    files = DATA / "slices" / reads, DATA / "reference" / reference
    return Phasable(name, *files, region, _TRUTH, moved)


REAL = (
    _real("HG002 30x 10.0M", "HG002_30x_b37_20_10.00-10.10Mb.bam", _B37, "20:10000000-10100000"),
    _real(
        "HG002 80x 18.8M", "HG002_80x_b37_20_18783981_18855722.bam", _B37, "20:18783981-18855722"
    ),
    _real(
        "HG002 80x 20.2M", "HG002_80x_b37_20_20156208_20234556.bam", _B37, "20:20156208-20234556"
    ),
    _real(
        "HG002 Revio HiFi 46x",
        "HG002_Revio_HiFi_GRCh38_chr20_9.0-9.1Mb.bam",
        _GRCH38,
        "chr20:9000000-9099000",
        19_353,
    ),
    _real(
        "HG002 ONT R10 54x",
        "HG002_ONT_R10_GRCh38_chr20_5.050-5.075Mb.bam",
        _GRCH38,
        "chr20:5050000-5075000",
        19_354,
    ),
)

Alleles = tuple[str, ...]
Key = tuple[int, str, Alleles]
Phase = dict[Key, tuple[int, Alleles]]
"""By POS, REF and the alleles of GT, sorted: the phase set, and the alleles by haplotype."""


def phase_of(path: Path, *, moved: int = 0) -> Phase:
    """Read the phased heterozygous records of the first sample that pass, two or more of a set."""
    found: Phase = {}
    with pysam.VariantFile(str(path)) as records:
        for record in records:
            sample = record.samples[0]
            gt = sample["GT"]
            is_refused = len(record.filter.keys()) > 0 and "PASS" not in record.filter.keys()
            if is_refused or None in gt or len({*gt}) != 2 or not sample.phased:
                continue
            alleles = tuple(str((record.alleles or ())[allele]) for allele in gt)
            key = record.pos + moved, str(record.ref), tuple(sorted(alleles))
            found[key] = int(sample["PS"]) if "PS" in record.format else 0, alleles
    sizes = Counter(phase_set for phase_set, _ in found.values())
    return {key: value for key, value in found.items() if sizes[value[0]] > 1}


def switches(truth: Phase, phase: Phase) -> tuple[int, int]:
    """Return how many neighbours of a block the truth phases, too, and how many are switched."""
    assessed = switched = 0
    before: dict[int, bool] = {}
    for key in sorted(phase.keys() & truth.keys()):
        phase_set, alleles = phase[key]
        same = alleles == truth[key][1]
        if phase_set in before:
            assessed += 1
            switched += before[phase_set] != same
        before[phase_set] = same
    return assessed, switched


def block_lengths(phase: Phase) -> list[int]:
    """Return the bases of the blocks, the longest first; blocks within them cut them."""
    runs: list[list[int]] = []
    last: int | None = None
    for pos, ref, alleles in sorted(phase):
        phase_set = phase[pos, ref, alleles][0]
        if phase_set != last:
            runs.append([])
        runs[-1].append(pos)
        last = phase_set
    return sorted((run[-1] - run[0] for run in runs if len(run) > 1), reverse=True)


def n50(lengths: Sequence[int], total: int) -> int:
    """Return the length of which, or longer, blocks hold half of so many bases; 0 if none is."""
    held = 0
    for length in lengths:
        held += length
        if 2 * held >= total:
            return length
    return 0


def unphased(source: Path, target: Path) -> None:
    """Write the records that pass without their phase."""
    with target.open("w") as out, pysam.VariantFile(str(source)) as records:
        out.write(str(records.header))
        for record in records:
            if "PASS" in record.filter.keys():
                *columns, names, sample = str(record).rstrip("\n").split("\t")
                values = dict(zip(names.split(":"), sample.split(":"), strict=True))
                values.pop("PS", None)
                values["GT"] = "/".join(sorted(values["GT"].replace("|", "/").split("/")))
                out.write("\t".join([*columns, ":".join(values), ":".join(values.values())]) + "\n")


def phase_both(item: Phasable, directory: Path) -> Mapping[str, Phase]:
    """Phase a sample's calls with both programs."""
    directory.mkdir(exist_ok=True)
    own, plain, other = (directory / f"{name}.vcf" for name in ("varcall", "plain", "whatshap"))
    reference = directory / "reference.fa"
    contig = item.region.partition(":")[0]
    with reference.open("w") as out:
        subprocess.run(["samtools", "faidx", item.reference, contig], stdout=out, check=True)
    subprocess.run(["samtools", "faidx", reference], check=True)
    words: list[str | Path] = [item.reads, "--ref", reference, "-r", item.region, "-o", own]
    call = [sys.executable, "-m", "varcall", "call", "--phase", "--quiet"]
    subprocess.run([*call, *words], check=True)
    unphased(own, plain)
    words = ["--ignore-read-groups", "-r", reference, "-o", other, plain, item.reads]
    subprocess.run(["whatshap", "phase", *words], check=True, capture_output=True)
    return {"varcall": phase_of(own), "whatshap": phase_of(other)}


def rows_of(item: Phasable, directory: Path) -> list[list[str]]:
    """Return a row for each program."""
    truth = phase_of(item.truth, moved=item.moved)
    found = phase_both(item, directory)
    lengths = {name: block_lengths(phase) for name, phase in found.items()}
    most = max(sum(own) for own in lengths.values())
    rows = []
    for name, phase in found.items():
        assessed, switched = switches(truth, phase)
        cells = len(phase), len(lengths[name]), n50(lengths[name], most), assessed, switched
        rows.append([item.name, name, *(f"{cell:,}" for cell in cells)])
    return rows


def main() -> None:
    """Phase all samples and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, help="folder that keeps what is simulated and called")
    add_options(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        reference, truth = prepare(work)
        items = list(REAL)
        for sample in SIMULATED:
            staged = simulated(sample, reference, truth, work)
            items.append(
                Phasable(
                    f"simulated {sample.name}",
                    staged.reads,
                    reference,
                    sample.region,
                    staged.truth,
                )
            )
        rows = [
            row
            for number, item in enumerate(items)
            for row in rows_of(item, work / f"phase{number}")
        ]
    columns = ["sample", "program", "phased records", "blocks", "N50", "pairs assessed", "switches"]
    notes = [
        "Pairs: neighbours in a block that the truth phases, too. N50, bases: of the sum of the "
        "program that phases more. whatshap 2.8 phases varcall's PASS records."
    ]
    report(arguments, "phasing", "Phase", [Table("blocks", columns, rows, notes)])


if __name__ == "__main__":
    main()
