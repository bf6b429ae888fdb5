"""The files of one call set's report, written while its stretches are evaluated."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from varcall.formats.text import write_text
from varcall.output.atomic import AtomicOutput, output_errors
from varcall.output.vcf_writer import OutputType, StagedVcf, build_index, staged_vcf
from varcall.scoring.files import INTERVALS
from varcall.scoring.ga4gh_vcf import SPLIT_FILES, annotated_header, split_header
from varcall.scoring.happy.rows import Row
from varcall.scoring.happy.tables import csv_text, extended_rows, write_tables
from varcall.scoring.metrics import INTERVAL_COLUMNS, interval_row
from varcall.scoring.stretch_scorer import Outcome, ScorePlan
from varcall.workers.pool import beside

_COPIED = 1 << 20  # bytes at a time


@dataclass(slots=True)
class ReportFiles:
    """Takes lines stretch by stretch; those of the annotated VCF wait for its header's filters."""

    prefix: Path
    lengths: dict[str, int]
    split: dict[str, StagedVcf]
    waiting: IO[bytes]
    filters: set[str] = field(default_factory=set)

    def add(self, outcome: Outcome, annotated: Iterable[Outcome]) -> None:
        """Write the lines of a stretch, and those of annotated stretches."""
        for name, file in self.split.items():
            file.writer.write_blocks(outcome.split[name])
        for item in annotated:
            self.waiting.write(item.annotated)
            self.filters |= item.filters

    @contextmanager
    def finished(self, threads: int) -> Iterator[None]:
        """Finish the VCF files, and their indexes while the block makes the tables."""
        header = annotated_header(self.lengths, sorted(self.filters))
        path = f"{self.prefix}.vcf.gz"
        with staged_vcf(path, header, OutputType.of(path)) as annotated:
            self.waiting.seek(0)
            while blocks := self.waiting.read(_COPIED):
                annotated.writer.write_blocks(blocks)
            files = (annotated, *self.split.values())
            for file in files:
                file.close()
            jobs = [job for file in files if (job := file.index_job()) is not None]
            with beside(build_index, jobs, threads):
                yield

    def write_tables(self, table: Sequence[Row]) -> None:
        """Write the tables."""
        write_tables(self.prefix, table)
        with AtomicOutput(f"{self.prefix}{INTERVALS}") as output:
            rows = [interval_row(row) for row in extended_rows(table)]
            write_text(output.path, csv_text(rows, INTERVAL_COLUMNS))


@contextmanager
def report_files(plan: ScorePlan, prefix: Path, lengths: dict[str, int]) -> Iterator[ReportFiles]:
    """Open the files of a report: complete at the end of the block, or absent.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    with output_errors(str(prefix)), ExitStack() as stack:
        split = {}
        for name in SPLIT_FILES if plan.writes_split else ():
            header = split_header(name, plan.truth.calls, plan.query.calls)
            path = f"{prefix}.{name}.vcf.gz"
            split[name] = stack.enter_context(staged_vcf(path, header, OutputType.of(path)))
        waiting = stack.enter_context(tempfile.TemporaryFile(dir=prefix.parent))
        yield ReportFiles(prefix, lengths, split, waiting)
