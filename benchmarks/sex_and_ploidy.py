"""X and Y of both sexes, and the mitochondrial genome: ploidy by region.

Usage: python -m benchmarks.sex_and_ploidy [--only male-x auto chrm] [--work DIR] [--history DIR]
           [--no-record]

male-x: 0.5 Mb of PAR1 and 0.5 Mb behind it of b37 X, simulated as a male has them at 30x and at
15x of the autosomes: the part behind PAR1 with one haplotype at half the depth. Called with the
male's ploidy and as diploid, both scored by the sequences that the records spell.

auto: reads of 20 samples of both sexes at 5x, of some 100 kb of an autosome, X and Y of GRCh38
(its contig lengths; the reference has the first 3 Mb), half of them as targets with gaps between
them, a quarter without Y in the file.

chrm: HG001's mitochondrial genome from HiFi and from Illumina reads, and reads over its origin:
simulated from the rCRS with SNVs and indels beside the origin, mapped to the rCRS and, as what is
to be reached, to the rCRS rotated by half.
"""

import argparse
import logging
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pysam

from benchmarks.inputs.sexed_reads import Sexed, write_reads, write_reference
from benchmarks.inputs.slices import DATA, Slice, StagedSlice, require_data
from benchmarks.results import add_options, report
from benchmarks.runs.callers import Caller, Job, varcall_with
from benchmarks.runs.history import Table
from benchmarks.scores.haplotype_match import haplotype_counts
from varcall.inputs.open import open_inputs
from varcall.inputs.sex_chromosomes import find_x, find_y
from varcall.reads.sex import FEMALE, MALE, UNKNOWN, measure_sex
from varcall.simulate import SimulateOptions, run_simulate

# b37 X, 1-based inclusive; PAR1 ends at 2,699,520.
X_REFERENCE = DATA / "reference" / "hs37_chrX_1_70M.fa.gz"
X_LENGTH = 155_270_560
X_KEPT = 3_300_000
PAR, BEHIND = "X:2190001-2690000", "X:2710001-3210000"
WHOLE = "X:2190001-3210000"

RCRS = DATA / "reference" / "rCRS_chrM.fa"
HALF = 8_000


def shell(line: str, directory: Path) -> str:
    """Run a line of bash in a folder and return what it printed."""
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=directory, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


# --- a male's X ----------------------------------------------------------------------------------


def male_x(directory: Path) -> Sequence[Table]:
    """Simulate, call and score a male's X at both depths."""
    reference, truth = prepare_x(directory)
    rows = []
    for depth in (30, 15):
        reads = simulate_male(reference, truth, depth, directory)
        for name, options in (("--sex male", "--sex male"), ("diploid", "")):
            caller = varcall_with(name, options)
            output = directory / f"{depth}.{'male' if options else 'diploid'}.vcf.gz"
            caller.run(Job(reads, reference, WHOLE, output))
            for part, region in (("PAR1", PAR), ("behind it", BEHIND)):
                rows.append(score_x(caller, part, region, reads, reference, truth, output, depth))
    notes = [
        "Triples are TP/FP/FN. A haploid 1 counts as 1/1, so that calling a male's X as diploid "
        "is wrong only where it makes heterozygous calls or misses some.",
    ]
    titles = [
        "part of X",
        "autosomes' depth",
        "called",
        "SNP",
        "indel",
        "SNP F1",
        "indel F1",
        "het calls",
    ]
    return [Table("male-x", titles, rows, notes)]


def prepare_x(directory: Path) -> tuple[Path, Path]:
    """Cut X and draw variants for it, one haplotype of which is left behind PAR1."""
    reference, truth = directory / "x.fa", directory / "male.vcf.gz"
    if not truth.exists():
        line = f"samtools faidx '{X_REFERENCE}' X:1-{X_KEPT} | sed '1s/.*/>X/' > x.fa"
        shell(f"{line}; samtools faidx x.fa; bwa index x.fa", directory)
        run_simulate(
            SimulateOptions(
                reference=reference, output=directory / "drawn", regions=(WHOLE,),
                depth=(0.1, 0.1), variants_per_kb=1.3, paralog_rate=0.0, library="typical",
                library_values={"contamination": 0.0}, mapper="exact", seed=23,
            )
        )  # fmt: skip
        with pysam.VariantFile(str(directory / "drawn.truth.vcf.gz")) as drawn:
            header = drawn.header.copy()
            with pysam.VariantFile(str(truth), "wz", header=header) as male:
                for record in drawn:
                    call = record.samples[0]
                    if record.pos > 2_700_000:
                        kept = call["GT"][0]
                        if kept == 0:
                            continue
                        call["GT"] = (kept, kept)
                        call.phased = True
                    male.write(record)
        shell("bcftools index -t male.vcf.gz", directory)
    return reference, truth


def simulate_male(reference: Path, truth: Path, depth: int, directory: Path) -> Path:
    """Simulate both parts and put their reads into one file, whose header has X's real length."""
    reads = directory / f"male{depth}.bam"
    if not reads.exists():
        for name, region, share in (("par", PAR, 1.0), ("behind", BEHIND, 0.5)):
            run_simulate(
                SimulateOptions(
                    reference=reference, output=directory / f"{name}{depth}", truths=(truth,),
                    regions=(region,), depth=(depth * share, depth * share), variants_per_kb=0.0,
                    paralog_rate=0.0, library="typical",
                    library_values={"contamination": 0.0, "depth": depth * share},
                    mapper="bwa", sample_name="male", seed=7,
                )
            )  # fmt: skip
        shell(
            f"samtools merge -f -c -o both{depth}.bam par{depth}.bam behind{depth}.bam; "
            f"samtools reheader -c \"sed 's/LN:{X_KEPT}/LN:{X_LENGTH}/'\" both{depth}.bam "
            f"> {reads.name}; samtools index {reads.name}",
            directory,
        )
    return reads


def score_x(
    caller: Caller, part: str, region: str, reads: Path, reference: Path, truth: Path,
    calls: Path, depth: int,
) -> list[str]:  # fmt: skip
    """Return the row of one part of X."""
    item = Slice(part, reads.name, reference.name, region, truth.name, None)
    bed = calls.with_suffix(".bed")
    bed.write_text(f"X\t{item.span[0]}\t{item.span[1]}\n")
    staged = StagedSlice(item, reads, reference, truth, (item.span,), bed)
    snp, indel = haplotype_counts(staged, calls, caller.include)
    hets = shell(
        f"bcftools view -H -r {region} -g het -i '{caller.include}' '{calls}' | wc -l",
        calls.parent,
    )
    f1 = [f"{counts.f1:.4f}" for counts in (snp, indel)]
    return [part, f"{depth}x", caller.name, str(snp), str(indel), *f1, hets.strip()]


# --- the sex from the depth ----------------------------------------------------------------------


def judged(reads: Path, reference: Path) -> tuple[str, str]:
    """Return the sex that the reads show, and why."""
    # That the reference has the first part of each contig alone is said every time.
    logging.disable(logging.WARNING)
    inputs = open_inputs(reads, reference)
    logging.disable(logging.NOTSET)
    header = inputs.header_contigs
    evidence = measure_sex(inputs, find_x(header), find_y(header))
    return evidence.sex, evidence.why


def auto(directory: Path) -> Sequence[Table]:
    """Judge the sex of 20 samples at 5x."""
    reference = write_reference(directory / "grch38.fa")
    rows = []
    for has_gaps in (False, True):
        for has_y in (True, False):
            counts = dict.fromkeys(
                ((a, b) for a in (MALE, FEMALE) for b in (MALE, FEMALE, UNKNOWN)), 0
            )
            for sex in (MALE, FEMALE):
                for seed in range(3 if has_y else 2):
                    sample = Sexed(sex, 5.0, has_gaps, has_y, seed)
                    reads = write_reads(sample, reference, directory / "sexed.bam")
                    counts[sex, judged(reads, reference)[0]] += 1
            for sex in (MALE, FEMALE):
                found = [str(counts[sex, one]) for one in (MALE, FEMALE, UNKNOWN)]
                where = "targets" if has_gaps else "everywhere"
                rows.append([sex, where, "yes" if has_y else "no", *found])
    titles = ["sample", "reads", "Y in the file", "male", "female", "cannot tell"]
    return [Table("auto", titles, rows, ["20 samples at 5x, by what --sex auto said of them."])]


# --- the mitochondrial genome --------------------------------------------------------------------

PLATFORMS = {"HiFi 25x": "HG001_HiFi_chrM.bam", "Illumina 2250x": "HG001_2250x_chrM_1-1000.bam"}
MAPPERS = (
    ("150 bp, bwa", "bwa mem -v 1", 150),
    ("8 kb, minimap2", "minimap2 -ax map-hifi", 8000),
)
# Variants beside the origin: 0-based position, bases that are changed, kind.
BESIDE = (
    (16_300, 1, "snv"), (16_540, 1, "snv"), (16_564, 1, "snv"), (2, 1, "snv"), (30, 1, "snv"),
    (120, 1, "snv"), (16_450, 4, "deletion"), (75, 3, "deletion"), (90, 0, "insertion"),
)  # fmt: skip


def chrm(directory: Path) -> Sequence[Table]:
    """Call HG001's chrM from both platforms, and variants beside the origin."""
    return [of_hg001(directory), over_origin(directory)]


def of_hg001(directory: Path) -> Table:
    """Return what both platforms say of chrM:1-1000."""
    calls = {}
    for name, file in PLATFORMS.items():
        output = directory / f"{file}.vcf.gz"
        varcall_with("varcall", "").run(Job(DATA / "slices" / file, RCRS, "chrM:1-1000", output))
        calls[name] = passed(output)
    rows = [
        [f"{at}{ref}>{alt}", *(calls[name].get((at, ref, alt), "-") for name in PLATFORMS)]
        for at, ref, alt in sorted({key for found in calls.values() for key in found})
    ]
    return Table(
        "chrm", ["HG001, chrM:1-1000", *PLATFORMS], rows, ["GT, DP and VAF of PASS records."]
    )


def passed(path: Path) -> dict[tuple[int, str, str], str]:
    """Return GT, DP and VAF of the PASS records of a VCF."""
    text = shell(
        f"bcftools view -f PASS -Ou '{path}' | bcftools norm -m -any -Ou | "
        r"bcftools query -f '%POS\t%REF\t%ALT\t[%GT, %DP, %VAF]\n'", path.parent
    )  # fmt: skip
    lines = [line.split("\t") for line in text.splitlines()]
    return {(int(at), ref, alt): values for at, ref, alt, values in lines}


def over_origin(directory: Path) -> Table:
    """Count the variants beside the origin that are found, by mapper, and where it is inside."""
    with pysam.FastaFile(str(RCRS)) as fasta:
        sequence = fasta.fetch("chrM")
    length = len(sequence)
    person = list(sequence)
    for at, size, kind in BESIDE:
        if kind == "snv":
            person[at] = "ACGT"[("ACGT".index(sequence[at]) + 1) % 4]
        elif kind == "deletion":
            person[at + 1 : at + 1 + size] = [""] * size
        else:
            person[at] += "GATTACA"
    circle = "".join(person)
    turned = sequence[HALF:] + sequence[:HALF]
    for name, text in (("rcrs", sequence), ("turned", turned)):
        contig = "chrM" if name == "rcrs" else "turned"
        (directory / f"{name}.fa").write_text(f">{contig}\n{text}\n")
        shell(f"samtools faidx {name}.fa; bwa index {name}.fa", directory)
    rows = []
    for label, mapper, size in (
        ("150 bp, bwa", "bwa mem -Y", 150),
        ("8 kb, minimap2", "minimap2 -ax map-hifi", 8000),
    ):
        write_fastq(circle, size, 30, directory / "reads.fq")
        rows += [[label, *row] for row in called_over_origin(mapper, directory, length)]
    titles = ["reads", "reference", "found", "others", "least DP at them", "GT of all is 1"]
    notes = [f"{len(BESIDE)} variants within 270 bases of the origin, 30x without errors."]
    return Table("origin", titles, rows, notes)


def write_fastq(circle: str, size: int, depth: int, path: Path) -> None:
    """Write reads that start anywhere on a circle, on both strands."""
    rng = np.random.default_rng(3)
    twice = circle + circle
    with path.open("w") as fastq:
        for number, start in enumerate(rng.integers(0, len(circle), depth * len(circle) // size)):
            bases = twice[start : start + size]
            if number % 2:
                bases = bases[::-1].translate(str.maketrans("ACGTN", "TGCAN"))
            fastq.write(f"@r{number}\n{bases}\n+\n{'I' * size}\n")


def called_over_origin(mapper: str, directory: Path, length: int) -> Iterator[list[str]]:
    """Yield what is found on the rCRS and on the turned one."""
    wanted = {at + 1 for at, _, _ in BESIDE}
    for name, options in (("rcrs", ""), ("turned", "--ploidy 1")):
        shell(
            f"{mapper} {name}.fa reads.fq | samtools sort -o {name}.bam; samtools index {name}.bam",
            directory,
        )
        output = directory / f"{name}.vcf.gz"
        contig = "chrM" if name == "rcrs" else "turned"
        job = Job(directory / f"{name}.bam", directory / f"{name}.fa", contig, output)
        varcall_with("varcall", options).run(job)
        turn = HALF if name == "turned" else 0
        found = {
            (at - 1 + turn) % length + 1: values.split(", ")
            for (at, _, _), values in passed(output).items()
        }
        mine = {at: values for at, values in found.items() if at in wanted}
        label = "rCRS" if name == "rcrs" else "rCRS turned by half"
        depth = min((int(values[1]) for values in mine.values()), default=0)
        # The rCRS has an N at 3107, which nobody has.
        others = [at for at in found if at not in wanted and at != 3106]
        haploid = all(values[0] == "1" for values in mine.values())
        yield [label, f"{len(mine)} of {len(wanted)}", str(len(others)), str(depth),
               "yes" if haploid else "no"]  # fmt: skip


PARTS: dict[str, Callable[[Path], Sequence[Table]]] = {
    "male-x": male_x, "auto": auto, "chrm": chrm,
}  # fmt: skip


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--work", type=Path, help="folder of the simulated files, kept")
    add_options(parser)
    arguments = parser.parse_args()
    require_data("the references lie")
    with tempfile.TemporaryDirectory(prefix="varcall-sex-") as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        tables: list[Table] = []
        for name in arguments.only:
            tables += PARTS[name](work)
    report(arguments, "sex-and-ploidy", "Ploidy of X, Y and the mitochondrial genome", tables)


if __name__ == "__main__":
    main()
