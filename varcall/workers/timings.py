"""CPU seconds by stage of a run, for `varcall call --timings`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from varcall.output.atomic import AtomicOutput
from varcall.output.summary import RecordCounts
from varcall.workers.window_worker import STAGES, WindowResult


class Timings:
    """Adds up CPU seconds by stage over all processes, and counts what was seen."""

    def __init__(self) -> None:
        self._seconds = {"profile": 0.0, **dict.fromkeys(STAGES, 0.0), "write": 0.0}
        self._counts = {"windows": 0, "reads": 0, "sites": 0, "questions": 0, "pictures": 0}
        self._records = RecordCounts()

    @property
    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds by stage."""
        return dict(self._seconds)

    @property
    def work(self) -> dict[str, int]:
        """How many windows, reads, sites, questions and pictures there were."""
        return dict(self._counts)

    @property
    def records(self) -> RecordCounts:
        """Counts of the records."""
        return self._records

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the CPU time of the block, in this process, to a stage."""
        before = time.process_time()
        try:
            yield
        finally:
            self._seconds[name] += time.process_time() - before

    def add(self, result: WindowResult) -> None:
        """Add what one window cost."""
        for stage, seconds in result.seconds.items():
            self._seconds[stage] += seconds
        self._counts["windows"] += 1
        self._counts["reads"] += result.reads
        self._counts["sites"] += result.sites
        self._counts["questions"] += result.questions
        self._counts["pictures"] += result.pictures
        self._records += RecordCounts(**result.counts)

    def save(self, path: Path) -> None:
        """Write a TSV of stage, CPU seconds and share, then the counts."""
        total = sum(self._seconds.values()) or 1.0
        with AtomicOutput(path) as output, open(output.path, "w") as file:
            file.write("stage\tcpu_seconds\tshare\n")
            for stage, seconds in self._seconds.items():
                file.write(f"{stage}\t{seconds:.3f}\t{seconds / total:.3f}\n")
            for name, count in self._counts.items():
                file.write(f"# {name}\t{count}\t\n")
