"""Samples together: real slices of two samples, a real trio, and a simulated trio.

Usage: python -m benchmarks.joint [--length BASES] [--work DIR] [--history DIR] [--no-record]

`--length` is of the simulated trio, which `benchmarks.inputs.simulated_trio` makes.
`benchmarks.results` says where the tables are written.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

from benchmarks.inputs.simulated_trio import BORDER, CHILD, FATHER, MOTHER, Trio, simulate_trio
from benchmarks.inputs.slices import DATA, require_data
from benchmarks.results import add_options, report
from benchmarks.runs.history import Table
from benchmarks.scores.exact_match import atomic_copies, compare

VARCALL = (sys.executable, "-m", "varcall")
REFERENCE = DATA / "reference" / "hs37_chr20.fa.gz"
PAIR = {
    "HG001": "HG001_7x_b37_20_10.00-10.27Mb.bam",
    "HG002": "HG002_30x_b37_20_10.00-10.10Mb.bam",
}
PAIR_REGION = "20:10000000-10100000"
TRIO = ("NA12891", "NA12892", "HG001")  # father, mother, child
TRIO_REGION = "20:10000000-10010000"
TRIO_TRUTH = DATA / "truth" / "HG001_v3.3.2_b37_chr20.vcf.gz"
TRIO_BED = DATA / "truth" / "trio_HG001_b37_20_10.00-10.01Mb.bed"
PRIORS = (1e-6, 1e-4, 1e-3, 0.01)
START = 50_000_000  # of the simulated trio on chromosome 20, which is never trained on
DEPTH, N_NEW = 30, 20
NEAR = 12  # bases that a new indel may be spelled away from where it was put
Calls = Mapping[tuple[int, str, str], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Family:
    """Files of a trio in a folder, in the order father, mother, child."""

    names: tuple[str, str, str]
    gvcfs: tuple[Path, ...]
    folder: Path

    def joined(self, prior: float | None) -> Path:
        """Join them, with a pedigree where a prior is given."""
        output = self.folder / f"joint.{prior}.vcf.gz"
        father, mother, child = self.names
        ped = self.folder / "trio.ped"
        ped.write_text(f"t {child} {father} {mother} 0 0\nt {father} 0 0 1 0\nt {mother} 0 0 2 0\n")
        more = [] if prior is None else ["--ped", ped, "--de-novo-prior", prior]
        _run(*VARCALL, "joint", *self.gvcfs, "-o", output, *more)
        return output


def _run(*words: object) -> str:
    done = subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True)
    return done.stdout


def _call(
    reads: Path, reference: Path, region: str, sample: str, folder: Path
) -> tuple[Path, Path]:
    vcf, gvcf = (folder / f"{sample}{suffix}" for suffix in (".vcf.gz", ".g.vcf.gz"))
    words = [*VARCALL, "call", reads, "--ref", reference, "-r", region, "--sample-name", sample]
    _run(*words, "--quiet", "-o", vcf, "--gvcf", gvcf)
    return vcf, gvcf


def copies(path: Path, sample: str) -> Calls:
    """Return the copies of each ALT that a sample's genotypes have, one list for each spelling."""
    found: dict[tuple[int, str, str], list[int]] = {}
    with pysam.VariantFile(str(path)) as source:
        for record in source:
            alleles = record.samples[sample].alleles or ()
            for alt in {allele for allele in alleles if allele and allele != record.ref}:
                key = trimmed(record.start, record.ref or "", alt)
                found.setdefault(key, []).append(alleles.count(alt))
    return found


def trimmed(start: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Spell an allele by what it changes."""
    if alt == "*":
        return start, alt, alt
    while min(len(ref), len(alt)) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while min(len(ref), len(alt)) > 1 and ref[0] == alt[0]:
        start, ref, alt = start + 1, ref[1:], alt[1:]
    return start, ref, alt


def pair_table(folder: Path) -> Table:
    """Return how many genotypes of two samples are those of their own VCFs."""
    called = {
        name: _call(DATA / "slices" / reads, REFERENCE, PAIR_REGION, name, folder)
        for name, reads in PAIR.items()
    }
    gvcfs = [gvcf for _, gvcf in called.values()]
    ours, theirs = folder / "pair.vcf.gz", folder / "merged.vcf.gz"
    _run(*VARCALL, "joint", *gvcfs, "-o", ours)
    _run("bcftools", "merge", "--gvcf", REFERENCE, *gvcfs, "-Oz", "-o", theirs)
    rows = []
    for program, path in (("varcall joint", ours), ("bcftools merge --gvcf", theirs)):
        for name, (vcf, _) in called.items():
            alone, joint = copies(vcf, name), copies(path, name)
            same = sum(joint.get(key) == count for key, count in alone.items())
            more = [key for key in joint if key not in alone and key[1] != "*"]
            rows.append([program, name, str(len(alone)), str(same), str(len(more))])
    titles = ["program", "sample", "ALTs of its own VCF", "of the same copies", "others"]
    return Table("pair", titles, rows, [f"HG001 at 7x and HG002 at 30x, {PAIR_REGION}"])


def violations(path: Path, names: Sequence[str], inside: Callable[[int], bool]) -> tuple[int, int]:
    """Count sites where all of a trio are called and one has an ALT, and those of violations."""
    sites = wrong = 0
    for _, (father, mother, child) in _trio_alleles(path, names, inside):
        sites += 1
        first, second = child
        orders = ((first, second), (second, first))
        wrong += all(one not in father or other not in mother for one, other in orders)
    return sites, wrong


def _trio_alleles(
    path: Path, names: Sequence[str], inside: Callable[[int], bool]
) -> Iterator[tuple[pysam.VariantRecord, list[tuple[str, ...]]]]:
    with pysam.VariantFile(str(path)) as source:
        for record in source:
            alleles = [
                tuple(a for a in record.samples[name].alleles or () if a is not None)
                for name in names
            ]
            is_called = all(len(genotype) == 2 for genotype in alleles)
            has_alt = any(set(genotype) != {record.ref} for genotype in alleles)
            if is_called and has_alt and inside(record.start):
                yield record, alleles


def trio_table(folder: Path) -> Table:
    """Return violations of the real trio, and the child's errors, without and with a pedigree."""
    alone, gvcfs = [], []
    for name in TRIO:
        reads = DATA / "slices" / f"trio_{name}_HiSeqX_b37_20_10.00-10.01Mb.bam"
        vcf, gvcf = _call(reads, REFERENCE, TRIO_REGION, name, folder)
        alone.append(vcf)
        gvcfs.append(gvcf)
    family = Family(TRIO, tuple(gvcfs), folder)
    bed = [tuple(map(int, line.split()[1:3])) for line in TRIO_BED.read_text().splitlines()]
    confident = [(start, end) for start, end in bed]
    cut = folder / "truth.vcf.gz"
    _run("bcftools", "view", "-r", TRIO_REGION, "-Oz", "-o", cut, TRIO_TRUTH)
    truth = atomic_copies(cut, REFERENCE, confident)
    rows = []
    for prior in ("alone", None, *PRIORS):
        if isinstance(prior, str):
            own, counts = alone[-1], ("-", "-", "-")
        else:
            path = family.joined(prior)
            own = folder / "child.vcf.gz"
            _run("bcftools", "view", "-s", TRIO[-1], "-a", "-c", "1", "-Oz", "-o", own, path)
            sites, wrong = violations(path, TRIO, lambda _: True)
            n_new = _run("bcftools", "view", "-H", path).count("DENOVO=")
            counts = (str(sites), str(wrong), str(n_new))
        score = compare(truth, atomic_copies(own, REFERENCE, confident))
        rows.append([_how(prior), *counts, str(score.snp), str(score.indel)])
    titles = ["HG001 called", "sites", "violations", "marked de novo", "SNP", "indel"]
    note = "NA12891, NA12892 and HG001 (HiSeq X, 23-32x); HG001's TP/FP/FN in its 10 kb"
    return Table("trio", titles, rows, [note])


def _how(prior: float | str | None) -> str:
    if isinstance(prior, str):
        return prior
    return "with its parents, no pedigree" if prior is None else f"--ped, prior {prior:g}"


def found_new(path: Path, trio: Trio, is_marked: Callable[[pysam.VariantRecord], bool],
              inside: Callable[[int], bool]) -> tuple[int, int]:  # fmt: skip
    """Count new variants that are marked, and marked alleles that are none."""
    names = (FATHER, MOTHER, CHILD)
    places = {start for start, _, _ in trio.de_novo}
    hit: set[int] = set()
    false = 0
    for record, (father, mother, child) in _trio_alleles(path, names, inside):
        if not is_marked(record):
            continue
        for alt in {*child} - {*father, *mother, record.ref or ""}:
            start = trimmed(record.start, record.ref or "", alt)[0]
            near = {place for place in places if abs(place - start) <= NEAR}
            hit |= near
            false += not near
    return len(hit), false


def simulated_table(length: int, folder: Path) -> Table:
    """Return violations and de novo variants of a simulated trio, of varcall and of bcftools."""
    trio = simulate_trio((START, START + length), DEPTH, N_NEW, 1, folder)
    names = (FATHER, MOTHER, CHILD)
    gvcfs = tuple(_call(trio.reads[name], trio.reference, "20", name, folder)[1] for name in names)
    family = Family(names, gvcfs, folder)

    def inside(start: int) -> bool:
        return BORDER <= start < length - BORDER

    rows = []
    for prior in (None, *PRIORS):
        path = family.joined(prior)
        marked = _every if prior is None else _is_marked
        rows.append(_row(f"varcall joint {_how(prior)}", path, trio, marked, inside))
    bcftools = _bcftools(trio, folder)
    rows.append(_row("bcftools +trio-dnm2, DNM 0.5", bcftools, trio, _is_dnm, inside))
    titles = ["program", "sites", "violations", "new variants found", "others marked"]
    notes = [
        f"{length:,} bases from 20:{START + 1:,} on, haplotypes of HG002 and HG001 as parents, "
        f"ART {DEPTH}x, {N_NEW} new variants; without a pedigree every violation counts as marked",
    ]
    return Table("simulated", titles, rows, notes)


def _row(
    name: str,
    path: Path,
    trio: Trio,
    is_marked: Callable[[pysam.VariantRecord], bool],
    inside: Callable[[int], bool],
) -> list[str]:
    sites, wrong = violations(path, (FATHER, MOTHER, CHILD), inside)
    hit, false = found_new(path, trio, is_marked, inside)
    return [name, str(sites), str(wrong), f"{hit} of {len(trio.de_novo)}", str(false)]


def _every(_: pysam.VariantRecord) -> bool:
    return True


def _is_marked(record: pysam.VariantRecord) -> bool:
    return "DENOVO" in record.info


def _is_dnm(record: pysam.VariantRecord) -> bool:
    value = record.samples[CHILD].get("DNM")
    return isinstance(value, float) and value >= 0.5


def _bcftools(trio: Trio, folder: Path) -> Path:
    reads = " ".join(f"'{trio.reads[name]}'" for name in (CHILD, FATHER, MOTHER))
    output = folder / "dnm.vcf.gz"
    line = (
        f"bcftools mpileup -a AD,QS,DP -f '{trio.reference}' {reads} -Ou | bcftools call -mv -Ou "
        f"| bcftools +trio-dnm2 - -p {CHILD},{FATHER},{MOTHER} --dnm-tag DNM:prob -Oz -o '{output}'"
    )
    _run("bash", "-c", f"set -o pipefail; {line}")
    return output


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--length", type=int, default=300_000, help="of the simulated trio")
    parser.add_argument("--work", type=Path, help="folder of the simulated trio, kept")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    require_data()
    with tempfile.TemporaryDirectory(prefix="varcall-joint-") as temporary:
        directory = Path(temporary)
        folders = [directory / name for name in ("pair", "trio", "simulated")]
        for folder in folders:
            folder.mkdir()
        tables = [
            pair_table(folders[0]),
            trio_table(folders[1]),
            simulated_table(arguments.length, arguments.work or folders[2]),
        ]
    report(arguments, "joint", "Families and cohorts", tables)


if __name__ == "__main__":
    main()
