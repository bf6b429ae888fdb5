"""`varcall.call`: what `varcall call` does, from Python."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Unpack

from varcall.api.keywords import CallKeywords, call_options
from varcall.api.variants import Variant, Variants, read_variants
from varcall.api.warnings import collected_warnings
from varcall.errors import UsageError
from varcall.options import STDOUT
from varcall.output.summary import CallSummary, RecordCounts
from varcall.pipeline import call_variants


class Progress(NamedTuple):
    """How far a call is: windows done, of how many, and the region of the last one."""

    done: int
    total: int
    region: str


@dataclass(frozen=True, slots=True)
class CallResult(Variants):
    """What a call found, and what it took; going through it yields its records.

    Attributes
    ----------
    output
        The VCF or BCF; None where the records are in memory.
    summary
        Counts, seconds, memory, and the model that was used.
    warnings
        What was odd, one sentence each.
    text
        The VCF, where it was not written.
    """

    output: Path | None
    summary: CallSummary
    warnings: tuple[str, ...]
    text: str = field(repr=False, default="")

    def __iter__(self) -> Iterator[Variant]:
        """Read the records one after another, those of a file from the file."""
        if self.output is not None:
            yield from read_variants(self.output)
            return
        for line in io.StringIO(self.text):
            if not line.startswith("#"):
                yield Variant.from_line(line)

    def __len__(self) -> int:
        return self.counts.records

    @property
    def sample(self) -> str:
        """Name of the sample in the VCF."""
        return self.summary.sample

    @property
    def model(self) -> str:
        """Name and SHA-256 of the weights, as NAME:SHA256."""
        return f"{self.summary.model}:{self.summary.model_sha256}"

    @property
    def counts(self) -> RecordCounts:
        """Counts of the records."""
        return self.summary.counts

    @property
    def seconds(self) -> Mapping[str, float]:
        """CPU seconds by stage."""
        return self.summary.cpu_seconds


def call(
    reads: str | Path,
    reference: str | Path,
    *,
    output: str | Path | None = None,
    regions: str | Sequence[str] | None = None,
    threads: int = 1,
    progress: Callable[[Progress], None] | None = None,
    **options: Unpack[CallKeywords],
) -> CallResult:
    """Call the small variants of one sample; the records are those of `varcall call`.

    Parameters
    ----------
    reads
        Coordinate-sorted, indexed BAM or CRAM.
    reference
        FASTA, plain or bgzipped, with its .fai.
    output
        VCF or BCF to write, as its suffix says, with its index. None keeps the records in memory
        and writes nothing.
    regions
        `contig`, `contig:start-end` (1-based, inclusive) or several of them; None calls everything.
    threads
        Worker processes. With more than one, a script needs `if __name__ == "__main__":`, as with
        `multiprocessing`.
    progress
        Called after each window; what it raises ends the call.
    **options
        The other options of `varcall call` under their names: `varcall.options.CallOptions`.

    Raises
    ------
    VarcallError
        `InputError`, `OutputError`, `UsageError` or `WorkerError`, with one sentence that says what
        is wrong, where, and how to mend it. Nothing then stands at the output.
    ModelError
        The weights cannot be used.
    """
    if output is not None and str(output) == STDOUT:
        raise UsageError("output - is of the command line: give a path, or None for memory")
    if str(options.get("gvcf")) == STDOUT:
        raise UsageError("gvcf - is of the command line: give a path")
    wanted = call_options(reads, reference, regions, threads, output, **options)

    def tell(done: int, total: int, region: str) -> None:
        if progress is not None:
            progress(Progress(done, total, region))

    memory = io.BytesIO() if output is None else None
    with collected_warnings() as warnings:
        summary = call_variants(wanted, into=memory, progress=tell)
    return CallResult(
        output=None if output is None else Path(output),
        summary=summary,
        warnings=tuple(warnings),
        text="" if memory is None else memory.getvalue().decode(),
    )
