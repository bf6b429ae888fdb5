"""Calling the slices of `tests.golden.slices`: whole runs, and one window at a time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.golden.slices import MadeSlice
from varcall.inputs.open import open_inputs
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.pipeline import call_variants, plan_worker
from varcall.reads.measure_library import measure_profile
from varcall.workers.window_worker import Worker

FOLDER = Path(__file__).parent


def expected(name: str) -> Path:
    """Return the file of the expected records of a slice: VCF without the lines of its header."""
    return FOLDER / f"{name}.vcf"


def expected_records(name: str) -> list[str]:
    """Return the records that a slice is to have."""
    return expected(name).read_text().splitlines()[1:]


def options_of(made: MadeSlice, **changes: Any) -> CallOptions:
    """Return the options of a golden run; GL shows what PL rounds away."""
    settings = {"reads": made.bam, "reference": made.reference, "write_gl": True}
    return CallOptions(**(settings | changes))


def called_body(made: MadeSlice, output: Path, **changes: Any) -> str:
    """Call a slice; return the line of the columns and the records."""
    call_variants(options_of(made, output=str(output), **changes))
    lines = output.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("##"))


def called_records(made: MadeSlice, output: Path, **changes: Any) -> list[str]:
    """Call a slice; return its records."""
    return called_body(made, output, **changes).splitlines()[1:]


class SliceWorkers:
    """A worker for each slice; its engine and the profile of the reads are made once."""

    def __init__(self, made: Mapping[str, MadeSlice], **changes: Any) -> None:
        self._workers: dict[str, tuple[Worker, Region]] = {}
        for name, files in made.items():
            inputs = open_inputs(files.bam, files.reference)
            plan = plan_worker(options_of(files, **changes), inputs, measure_profile(inputs))
            self._workers[name] = Worker(plan), inputs.regions[0]

    def records(self, name: str) -> list[str]:
        """Call a slice."""
        worker, whole = self._workers[name]
        return [line.rstrip("\n") for line in worker.call(whole).lines]

    def are_changed(self) -> bool:
        """Whether any records are other than expected."""
        return any(self.records(name) != expected_records(name) for name in self._workers)
