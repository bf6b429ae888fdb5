"""The report that ``varcall simulate --report`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from varcall.errors import InputError, UsageError
from varcall.formats.text import write_text
from varcall.output.atomic import AtomicOutput, check_writable
from varcall.output.checks import (
    Input,
    check_outputs,
    file_inputs,
    file_outputs,
    reads_inputs,
    reference_inputs,
    vcf_inputs,
)
from varcall.simulate.report.chunk import Metrics
from varcall.simulate.report.comparison import Row, compare, write_table
from varcall.simulate.report.sample import ReportSample, measure_sample, sample_depth
from varcall.workers.pool import run_in_order

#: Simulated samples that are measured; of more, every k-th is.
MAX_SIMULATED = 60


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What to compare.

    Attributes
    ----------
    real
        BAMs or CRAMs of real samples.
    real_reference
        Their FASTA.
    simulated
        BAMs of ``varcall simulate``, or folders of them; truth and BED are taken from beside them.
    simulated_reference
        Their FASTA.
    truths
        Truth VCFs of the real samples; only one real sample may be given with them.
    output
        HTML to write, with plots; None writes none.
    depth
        Depth at which all are compared; None takes the lowest of the real samples.
    threads
        Samples measured at once.
    """

    real: tuple[Path, ...]
    real_reference: Path
    simulated: tuple[Path, ...]
    simulated_reference: Path
    truths: tuple[Path, ...] = ()
    output: Path | None = None
    depth: float | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if self.truths and len(self.real) > 1:
            raise UsageError(
                "--truth is the truth of one real sample: give one --report, or no --truth"
            )
        if self.output is not None and self.output.suffix.lower() not in (".html", ".htm"):
            raise UsageError(
                f"-o {self.output} is no page: give a name that ends in .html, or no -o"
            )


def run_report(options: ReportOptions) -> list[str]:
    """Measure all samples, write the page, and return the table as lines.

    Raises
    ------
    InputError
        A sample cannot be read, or there is nothing simulated to compare with.
    OutputError
        The page cannot be written, or what draws it is missing.
    """
    simulated = _simulated(options)
    real = [ReportSample(reads, options.real_reference, options.truths) for reads in options.real]
    if options.output is not None:
        check_outputs(file_outputs("--output", options.output), _inputs([*real, *simulated]))
        check_writable(options.output)
    depth = options.depth or min(sample_depth(sample) for sample in real)
    measured = [
        metrics
        for _, metrics in run_in_order(_Measurer, depth, [*real, *simulated], options.threads)
    ]
    rows = compare(measured[: len(real)], measured[len(real) :])
    names = [sample.reads.name for sample in real]
    if options.output is not None:
        _write_page(options.output, rows, names, depth, len(simulated))
    title = f"{len(simulated)} simulated samples, all compared at a depth of {depth:.1f}"
    return [title, *write_table(rows, names)]


def _inputs(samples: Sequence[ReportSample]) -> list[Input]:
    return [
        item
        for sample in samples
        for item in (
            *reads_inputs(sample.reads),
            *reference_inputs(sample.reference),
            *vcf_inputs("a truth", *sample.truths),
            *file_inputs("a BED of a sample", sample.confident),
        )
    ]


class _Measurer:
    """Measures one sample after another; each process has its own."""

    def __init__(self, depth: float) -> None:
        self._depth = depth

    def call(self, sample: ReportSample) -> dict[str, Metrics]:
        return measure_sample(sample, self._depth)


def _simulated(options: ReportOptions) -> list[ReportSample]:
    """Find the simulated samples; those still being written have no JSON yet."""
    found: list[Path] = []
    for path in options.simulated:
        if path.is_dir():
            bams = sorted(path.glob("*.bam"))
            found += [bam for bam in bams if bam.with_suffix(".json").exists()]
        else:
            found.append(path)
    if not found:
        names = ", ".join(map(str, options.simulated)) or "--against"
        raise InputError(
            f"there are no simulated samples in {names}: make some with varcall simulate --out-dir"
        )
    chosen = found[:: -(-len(found) // MAX_SIMULATED)]
    return [ReportSample.simulated(path, options.simulated_reference) for path in chosen]


def _write_page(
    output: Path, rows: Sequence[Row], names: Sequence[str], depth: float, simulated: int
) -> None:
    from varcall.simulate.report.page import render_page

    page = render_page(rows, names, depth, simulated)
    with AtomicOutput(output) as file:
        write_text(file.path, page)
