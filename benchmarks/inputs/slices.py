"""The real slices of ``../shared/data`` and what truth covers each."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Slice:
    """One BAM with the truth of its region.

    Attributes
    ----------
    name
        Row label of the tables.
    reads
        BAM under ``slices/``.
    reference
        FASTA under ``reference/``.
    region
        samtools syntax, 1-based inclusive, in the BAM's contig names.
    truth
        VCF under ``truth/``.
    confident
        BED under ``truth/`` where the truth is complete; None scores the whole region, whose
        truth is then not certified.
    rename
        Contig name in reference, truth and BED -> name in the BAM, where they differ.
    held_out
        Whether the slice is kept for scoring: no training, no threshold, no choice of model.
    """

    name: str
    reads: str
    reference: str
    region: str
    truth: str
    confident: str | None
    rename: dict[str, str] = field(default_factory=dict)
    held_out: bool = False

    @property
    def contig(self) -> str:
        """Contig name in the BAM."""
        return self.region.partition(":")[0]

    @property
    def span(self) -> tuple[int, int]:
        """The region, 0-based half-open."""
        start, _, end = self.region.partition(":")[2].partition("-")
        return int(start) - 1, int(end)


_B37 = "hs37_chr20.fa.gz"
_REBUILT = "GRCh38_chr21_chr22_16.57-16.61Mb_from_reads.fa.gz"
_HG002 = "HG002_v4.2.1_b37_chr20"
_NOVASEQ = "HG001_NovaSeq30x_GRCh38_chr21_chr22_16.57-16.61Mb.bam"


def require_data(what: str = "the real slices lie") -> None:
    """End the benchmark where the folder of real data is not there; `what` is said of it."""
    if not DATA.is_dir():
        raise SystemExit(f"no data at {DATA}: {what} beside the project, not in it")


def _hg002(name: str, reads: str, region: str) -> Slice:
    return Slice(name, reads, _B37, region, f"{_HG002}.vcf.gz", f"{_HG002}.bed", held_out=True)


SLICES = (
    _hg002("HG002 30x 10.0M", "HG002_30x_b37_20_10.00-10.10Mb.bam", "20:10000000-10100000"),
    _hg002("HG002 80x 18.8M", "HG002_80x_b37_20_18783981_18855722.bam", "20:18783981-18855722"),
    _hg002("HG002 80x 20.2M", "HG002_80x_b37_20_20156208_20234556.bam", "20:20156208-20234556"),
    _hg002("HG002 80x 36.0M", "HG002_80x_b37_20_36018823_36039513.bam", "20:36018823-36039513"),
    _hg002("HG002 80x 38.4M", "HG002_80x_b37_20_38386265_38409801.bam", "20:38386265-38409801"),
    Slice(
        "HG001 50x, certified 9 kb",
        "HG001_50x_hg19_chr20_10.00-10.10Mb.bam",
        _B37,
        "chr20:10000000-10100000",
        "test_nist.b37_chr20_100kbp_at_10mb.vcf.gz",
        "test_nist.b37_chr20_100kbp_at_10mb.bed",
        rename={"20": "chr20"},
    ),
    Slice(
        "HG001 50x, not certified",
        "HG001_50x_hg19_chr20_10.00-10.10Mb.bam",
        _B37,
        "chr20:10000000-10100000",
        "HG001_v3.3.2_b37_chr20.vcf.gz",
        None,
        rename={"20": "chr20"},
    ),
    Slice(
        "HG001 7x, not certified",
        "HG001_7x_b37_20_10.00-10.27Mb.bam",
        _B37,
        "20:10000000-10270000",
        "HG001_v3.3.2_b37_chr20.vcf.gz",
        None,
    ),
    Slice(
        "HG001 NovaSeq chr21",
        _NOVASEQ,
        _REBUILT,
        "chr21:16570000-16610000",
        "HG001_PlatinumGenomes_GRCh38_chr21_16.57-16.61Mb.vcf.gz",
        "HG001_PlatinumGenomes_GRCh38_chr21_16.57-16.60Mb.bed",
    ),
    Slice(
        "HG001 NovaSeq chr22, not certified",
        _NOVASEQ,
        _REBUILT,
        "chr22:16570000-16610000",
        "HG001_GIAB_v4.2.1_GRCh38_chr22_16.57-16.61Mb.vcf.gz",
        None,
    ),
)


@dataclass(frozen=True, slots=True)
class StagedSlice:
    """A slice whose files all speak the BAM's contig names."""

    slice: Slice
    reads: Path
    reference: Path
    truth: Path
    confident: tuple[tuple[int, int], ...]
    confident_bed: Path


def stage(item: Slice, directory: Path) -> StagedSlice:
    """Write the slice's reference (plain, its one contig), truth and reads into `directory`.

    The reference is decompressed because freebayes 1.3.6 reads no bgzipped FASTA. The BAM's M5
    tags are dropped: the rebuilt GRCh38 is N outside the slice, so its checksum is another.
    """
    original = {new: old for old, new in item.rename.items()}.get(item.contig, item.contig)
    reference = directory / f"{Path(item.reference).name.split('.')[0]}_{item.contig}.fa"
    if not reference.exists():
        source = DATA / "reference" / item.reference
        # In a pipe: the peak memory of this process would show in that of the callers.
        _output(
            "bash",
            "-c",
            f"set -o pipefail; samtools faidx '{source}' '{original}' "
            f"| sed '1s/.*/>{item.contig}/' > '{reference}'",
        )
        _output("samtools", "faidx", reference)
    stem = item.name.replace(" ", "_").replace(",", "")
    truth = directory / f"{stem}.truth.vcf.gz"
    _stage_truth(item, original, truth)
    reads = directory / f"{stem}.bam"
    with reads.open("wb") as out:
        subprocess.run(
            [
                "samtools",
                "reheader",
                "-P",
                "-c",
                r"sed 's/\tM5:[0-9a-f]*//'",
                str(DATA / "slices" / item.reads),
            ],
            stdout=out,
            check=True,
        )
    _output("samtools", "index", reads)
    confident = _confident(item, original)
    bed = directory / f"{stem}.bed"
    bed.write_text("".join(f"{item.contig}\t{start}\t{end}\n" for start, end in confident))
    return StagedSlice(item, reads, reference, truth, confident, bed)


def _stage_truth(item: Slice, original: str, target: Path) -> None:
    names = target.with_suffix(".names")
    source = DATA / "truth" / item.truth
    # The NIST test truth already speaks the BAM's names; a rename that matches nothing is harmless.
    names.write_text(f"{original}\t{item.contig}\n")
    renamed = target.with_suffix(".all.gz")
    _output("bcftools", "annotate", "--rename-chrs", names, "-Oz", "-o", renamed, source)
    _output("bcftools", "index", "-t", "-f", renamed)
    _output("bcftools", "view", "-r", item.region, "-Oz", "-o", target, renamed)
    _output("bcftools", "index", "-t", "-f", target)


def _confident(item: Slice, original: str) -> tuple[tuple[int, int], ...]:
    """Return the confident intervals inside the region, 0-based half-open."""
    start, end = item.span
    if item.confident is None:
        return ((start, end),)
    intervals = []
    for line in (DATA / "truth" / item.confident).read_text().splitlines():
        contig, first, last = line.split("\t")[:3]
        if contig in (original, item.contig) and int(first) < end and int(last) > start:
            intervals.append((max(start, int(first)), min(end, int(last))))
    return tuple(sorted(intervals))


def _output(*command: str | Path) -> str:
    result = subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True
    )
    return result.stdout
