"""What a call run is asked to do: one frozen dataclass, checked when it is made.

Only the standard library and plain numbers are imported here, so that ``varcall call --help`` can
show the defaults.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pileup.sam import FDUP, FQCFAIL, FSECONDARY, FSUPPLEMENTARY, FUNMAP
from varcall.errors import UsageError

STDOUT = "-"
DEFAULT_EXCLUDE_FLAGS = FUNMAP | FSECONDARY | FQCFAIL | FDUP | FSUPPLEMENTARY
# DeepVariant, make_examples_options.py.
DEFAULT_MIN_MAPQ = 5
DEFAULT_MIN_BASE_QUALITY = 10
DEFAULT_MIN_ALT_COUNT = 2
DEFAULT_MIN_ALT_FRACTION_SNV = 0.12
DEFAULT_MIN_ALT_FRACTION_INDEL = 0.06
# DeepVariant 1.9, postprocess_variants.py: records of a lower QUAL are marked LowQual.
DEFAULT_MIN_QUAL = 1.0
DEFAULT_MAX_DEPTH = 1000
DEFAULT_MODEL = "tiny"
# Half of it costs a fifteenth more; twice as much holds 1.1 GB instead of 0.7 at --max-depth.
DEFAULT_WINDOW = 50_000
DEFAULT_BATCH_SIZE = 64
# DeepVariant's gvcf_gq_binsize.
DEFAULT_GVCF_GQ_BANDS = 5
# GATK's CalculateGenotypePosteriors has 1e-6, for PL that grow with the reads without end. Those of
# this model are 25 to 50 at 30x, and no new variant would be left (benchmarks.joint).
DEFAULT_DE_NOVO_PRIOR = 0.01
MAX_MAPQ = 255
MAX_BASE_QUALITY = 93
MAX_JOIN_DISTANCE = 50

ENGINES = ("auto", "torch", "openvino", "onnx")
SEXES = ("male", "female", "auto")
PRECISIONS = ("auto", "fp32", "bf16")
GVCF_ALTS = ("*", "NON_REF")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")
_EXECUTOR = re.compile(r"dask://[^\s/]+:\d+|dask-local:[1-9]\d*")
_OUTPUT_TYPE = re.compile(r"[vu]|[zb][0-9]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Options of ``varcall call``; a field is the long option of the same name.

    Attributes
    ----------
    reads, index
        Coordinate-sorted BAM or CRAM, and its index where it does not lie beside the reads.
    reference
        FASTA, plain or bgzipped, with its .fai.
    allow_other_reference
        Whether the MD5 of the FASTA's contigs may differ from the M5 of the reads' header.
    output
        Path of the VCF or BCF; ``-`` is standard output; None (with `gvcf` only) writes none.
    output_type
        ``v``, ``z[0-9]``, ``u`` or ``b[0-9]`` as in bcftools; None takes the output's suffix.
    write_index
        Index a compressed output.
    gvcf, gvcf_alt, gvcf_gq_bands
        Path of a gVCF of the same calls; the name of its allele for all others, `*` or `NON_REF`;
        how many values of GQ a band has.
    regions, regions_file
        Region strings (samtools syntax, comma lists allowed) and a BED file; both together mean
        their union, neither the whole reference.
    alleles
        VCF or BCF of sites that have a record whatever the reads show; None where none are given.
    alleles_and_discovery
        Write what calling finds as well, where `alleles` are given.
    all_sites
        Write a record for each base that no variant has in its REF, too.
    shard
        (I, N): call only part I, 1-based, of N.
    sample, sample_name
        Which SM of the reads is called, and the name written into the output (None: the same).
    min_mapq, min_base_quality, exclude_flags
        Reads and bases below, or with any of these SAM flags, are not used.
    max_depth
        Reads used over one position at most, about; which ones depends on read names alone.
    min_alt_count_snv, min_alt_fraction_snv, min_alt_count_indel, min_alt_fraction_indel
        An allele becomes a candidate where at least so many reads, and this share of them, show it.
    min_qual
        Records of a lower QUAL are marked LowQual.
    write_gl
        Write GL beside PL.
    phase
        Phase all heterozygous records by the reads.
    join_mnvs
        Write phased SNVs of one haplotype as one record where they lie at most so many bases apart.
    ploidy, haploid_contigs
        Ploidy of the sample (1 or 2), and the contigs called as haploid whatever it is.
    sex
        ``male``, ``female`` or ``auto``: X and Y are called with the copies that the sex has; None
        calls them like other contigs.
    par_bed
        BED of the pseudo-autosomal regions of X and Y; None takes those of the build.
    ploidy_bed
        BED whose fourth column is the ploidy of its intervals: 0 (no calls), 1 or 2.
    model
        Name of bundled weights or path of a .safetensors file.
    engine, device, precision, batch_size
        What runs the model, and how; none of them changes the calls.
    window
        Reference bases that a worker processes at a time.
    threads
        Worker processes: a hard cap.
    executor
        Cluster whose workers call the windows: `dask://HOST:PORT` of its scheduler, or
        `dask-local:N` for N processes of this machine. None: this machine, as `threads` says.
    realign, triage
        Whether reads are reassembled where the mapper was unsure, and whether questions that the
        feature model is sure of are answered without a picture.
    workdir, resume
        Folder that keeps finished windows, and whether those of an earlier run are used again.
    timings
        TSV that receives CPU seconds by stage.
    log_file
        File that receives the messages too.
    no_version
        Leave version and command out of the VCF header.
    """

    reads: Path
    reference: Path
    index: Path | None = None
    allow_other_reference: bool = False
    output: str | None = STDOUT
    output_type: str | None = None
    write_index: bool = True
    gvcf: str | None = None
    gvcf_alt: str = GVCF_ALTS[0]
    gvcf_gq_bands: int = DEFAULT_GVCF_GQ_BANDS
    regions: tuple[str, ...] = ()
    regions_file: Path | None = None
    alleles: Path | None = None
    alleles_and_discovery: bool = False
    all_sites: bool = False
    shard: tuple[int, int] | None = None
    sample: str | None = None
    sample_name: str | None = None
    min_mapq: int = DEFAULT_MIN_MAPQ
    min_base_quality: int = DEFAULT_MIN_BASE_QUALITY
    exclude_flags: int = DEFAULT_EXCLUDE_FLAGS
    max_depth: int = DEFAULT_MAX_DEPTH
    min_alt_count_snv: int = DEFAULT_MIN_ALT_COUNT
    min_alt_count_indel: int = DEFAULT_MIN_ALT_COUNT
    min_alt_fraction_snv: float = DEFAULT_MIN_ALT_FRACTION_SNV
    min_alt_fraction_indel: float = DEFAULT_MIN_ALT_FRACTION_INDEL
    min_qual: float = DEFAULT_MIN_QUAL
    write_gl: bool = False
    phase: bool = False
    join_mnvs: int = 0
    ploidy: int = 2
    haploid_contigs: tuple[str, ...] = ()
    sex: str | None = None
    par_bed: Path | None = None
    ploidy_bed: Path | None = None
    model: str = DEFAULT_MODEL
    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int = DEFAULT_BATCH_SIZE
    window: int = DEFAULT_WINDOW
    threads: int = 1
    executor: str | None = None
    realign: bool = True
    triage: bool = True
    workdir: Path | None = None
    resume: bool = False
    timings: Path | None = None
    log_file: Path | None = None
    no_version: bool = False

    def __post_init__(self) -> None:
        """Check each value and how they fit; raise UsageError with a sentence naming the option."""
        self._check_numbers()
        self._check_names()
        self._check_sex()
        self._check_sites()
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            index, count = self.shard
            raise UsageError(f"--shard {index}/{count} does not exist: write I/N with 1 <= I <= N")

    def _check_numbers(self) -> None:
        _within("--min-mapq", self.min_mapq, 0, MAX_MAPQ)
        _within("--min-base-quality", self.min_base_quality, 0, MAX_BASE_QUALITY)
        _within("--exclude-flags", self.exclude_flags, 0, 0xFFFF)
        _within("--max-depth", self.max_depth, 1, None)
        _within("--min-alt-count-snv", self.min_alt_count_snv, 1, None)
        _within("--min-alt-count-indel", self.min_alt_count_indel, 1, None)
        _within("--min-alt-fraction-snv", self.min_alt_fraction_snv, 0, 1)
        _within("--min-alt-fraction-indel", self.min_alt_fraction_indel, 0, 1)
        _within("--min-qual", self.min_qual, 0, None)
        _within("--join-mnvs", self.join_mnvs, 0, MAX_JOIN_DISTANCE)
        _within("--ploidy", self.ploidy, 1, 2)
        _within("--batch-size", self.batch_size, 1, None)
        # A smaller window would spend its time on the reads of its margins.
        _within("--window", self.window, 500, None)
        _within("--threads", self.threads, 1, None)
        _within("--gvcf-gq-bands", self.gvcf_gq_bands, 1, 99)

    def _check_names(self) -> None:
        _one_of("--engine", self.engine, ENGINES)
        _one_of("--precision", self.precision, PRECISIONS)
        _one_of("--gvcf-alt", self.gvcf_alt, GVCF_ALTS)
        if not _DEVICE.fullmatch(self.device):
            raise UsageError(f"--device {self.device!r} is none of auto, cpu, cuda, cuda:N")
        if self.output_type is not None and not _OUTPUT_TYPE.fullmatch(self.output_type):
            raise UsageError(f"--output-type {self.output_type!r} is none of v, z[0-9], u, b[0-9]")
        self._check_outputs()
        if self.sample_name is not None and not self.sample_name.strip():
            raise UsageError("--sample-name is empty: give the name to write into the VCF")
        if self.join_mnvs and not self.phase:
            raise UsageError("--join-mnvs needs --phase: add it, or leave --join-mnvs out")
        if self.resume and self.workdir is None:
            raise UsageError("--resume needs --workdir: name the folder of the earlier run")
        self._check_executor()

    def _check_executor(self) -> None:
        if self.executor is None:
            return
        if not _EXECUTOR.fullmatch(self.executor):
            raise UsageError(
                f"--executor {self.executor!r} is neither dask://HOST:PORT nor dask-local:N"
            )
        if self.threads != 1:
            raise UsageError(
                "--threads is of this machine, --executor of a cluster: leave one of them out"
            )

    def _check_sites(self) -> None:
        if self.alleles_and_discovery and self.alleles is None:
            raise UsageError("--alleles-and-discovery needs --alleles: name the file of sites")
        if self.join_mnvs and self.alleles is not None and not self.alleles_and_discovery:
            raise UsageError(
                "--join-mnvs joins no given sites, which stand as they are given: leave it out, or "
                "add --alleles-and-discovery"
            )
        if self.all_sites and self.alleles is not None:
            raise UsageError(
                "--all-sites tells of each base once, which given sites (--alleles) need not do: "
                "call once for each"
            )
        if self.all_sites and self.gvcf is not None:
            raise UsageError(
                "--all-sites cannot go with --gvcf, which tells of every base already, in blocks: "
                "leave one of them out"
            )

    def _check_sex(self) -> None:
        if self.sex is not None:
            _one_of("--sex", self.sex, SEXES)
            if self.ploidy != 2:
                raise UsageError("--sex is of diploid samples: leave --ploidy 1 out")
        elif self.par_bed is not None:
            raise UsageError("--par-bed needs --sex: say male, female or auto")

    def _check_outputs(self) -> None:
        if "" in (self.output, self.gvcf):
            option = "--gvcf" if self.gvcf == "" else "--output"
            raise UsageError(f"{option} is empty: give a path, or - for standard output")
        if self.output is None and self.gvcf is None:
            raise UsageError("nothing would be written: name a file by --output or --gvcf")
        if self.output == self.gvcf == STDOUT:
            raise UsageError("--output and --gvcf both name standard output: name a file for one")


def _within(option: str, value: float, least: float, most: float | None) -> None:
    # Written so that NaN is refused too.
    if not (value >= least and (most is None or value <= most)):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{option} {value} is out of range: it must be {bounds}")


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{option} {value!r} is not known: choose {', '.join(known)}")
