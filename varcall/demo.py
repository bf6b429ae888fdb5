"""A tour of the program on a simulated sample: genome, reads, calls, score, one pileup picture.

Nothing is downloaded: the genome is random bases, the reads are placed where they came from.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cyvcf2 import VCF

from varcall.errors import OutputError, UsageError
from varcall.options import DEFAULT_MODEL, CallOptions
from varcall.scoring.comparator import TypeCounts
from varcall.simulate import SimulatedSample

logger = logging.getLogger(__name__)

GENOME_SIZE = 60_000
DEPTH = 30.0
_SAMPLE, _CALLS, _PICTURE = "sample", "calls.vcf.gz", "pileup.png"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Where the demo leaves its files, its model and worker processes, the seed of its sample."""

    output: Path = Path("varcall-demo")
    model: str = DEFAULT_MODEL
    threads: int = 2
    seed: int = 1

    def __post_init__(self) -> None:
        """Check the values."""
        if self.threads < 1:
            raise UsageError(f"--threads {self.threads} is out of range: it must be at least 1")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative: give 0 or a larger number")


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The sample, its calls, their counts by kind of variant, and the picture of one call."""

    sample: SimulatedSample
    calls: Path
    counts: Mapping[str, TypeCounts]
    picture: Path


def run_demo(options: DemoOptions) -> DemoResult:
    """Simulate a small sample, call it with the bundled model, score the calls, draw one of them.

    Raises
    ------
    VarcallError
        Where the folder cannot be written or a step fails.
    """
    from varcall.output.checks import check_outputs, model_inputs, present_outputs
    from varcall.pipeline import call_variants
    from varcall.scoring.evaluation import evaluate
    from varcall.show.pictures import ShowOptions, run_show
    from varcall.simulate import simulate_demo

    check_outputs(
        [
            output
            for name in (_SAMPLE, _CALLS, _PICTURE)
            for output in present_outputs("--output", options.output, name, "*")
        ],
        model_inputs(options.model),
    )
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {options.output} ({error.strerror}): choose another with -o"
        ) from error
    started = time.perf_counter()
    sample = simulate_demo(
        options.output / _SAMPLE, seed=options.seed, genome_size=GENOME_SIZE, depth=DEPTH
    )
    simulated = time.perf_counter()
    calls = options.output / _CALLS
    call = CallOptions(
        reads=sample.bam,
        reference=sample.reference,
        output=str(calls),
        model=options.model,
        threads=options.threads,
    )
    call_variants(call)
    called = time.perf_counter()
    counts = evaluate(sample.truth, calls, sample.reference, confident=sample.bed).counts
    logger.info("simulated in %.1f s, called in %.1f s", simulated - started, called - simulated)
    (picture,) = run_show(
        ShowOptions(call, position=first_het(calls), output=options.output / _PICTURE)
    )
    return DemoResult(sample, calls, counts, picture)


def first_het(calls: Path) -> str:
    """Return contig:pos of the first heterozygous SNV, else of the first record.

    Of calls that were scored, which checks every line: cyvcf2 crashes on malformed ones.
    """
    first = ""
    reader = VCF(str(calls))
    for variant in reader:
        place = f"{variant.CHROM}:{variant.POS}"
        is_het = variant.gt_types[0] == reader.HET
        if variant.is_snp and is_het and len(variant.ALT) == 1:
            return place
        first = first or place
    return first


def score_table(counts: Mapping[str, TypeCounts]) -> str:
    """Lay out recall, precision and F1 by kind of variant for a terminal.

    >>> print(score_table({"SNP": TypeCounts(truth_tp=9, truth_fn=1, query_tp=9, query_fp=0)}))
    variant  truth  found  missed  wrong  recall  precision      F1
    SNP         10      9       1      0  0.9000     1.0000  0.9474
    """
    lines = ["variant  truth  found  missed  wrong  recall  precision      F1"]
    for kind, row in counts.items():
        lines.append(
            f"{kind:<7}  {row.truth_tp + row.truth_fn:>5}  {row.truth_tp:>5}  {row.truth_fn:>6}  "
            f"{row.query_fp:>5}  {row.recall:>6.4f}  {row.precision:>9.4f}  {row.f1:>6.4f}"
        )
    return "\n".join(lines)


def report(result: DemoResult) -> str:
    """Say what was made, where it lies and how good it is."""
    truth = sum(row.truth_tp + row.truth_fn for row in result.counts.values())
    lines = [
        f"sample   {result.sample.bam}: {GENOME_SIZE // 1000} kb at {DEPTH:.0f}x, {truth} variants",
        f"calls    {result.calls}",
        f"picture  {result.picture}",
        "",
        score_table(result.counts),
        "",
        "Simulated reads are easier than real ones: the README has the accuracy on real reads.",
    ]
    return "\n".join(lines)
