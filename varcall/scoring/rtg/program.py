"""The wrapper of ``rtg vcfeval``: formatted reference, run, checks, results.

rtg may end with code 0 although nothing was compared, and its folder shows more than its exit code:
a run counts only when the code is 0, the file ``done`` is there, and no warning says that contigs
do not fit.
"""

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from varcall.errors import InputError, UsageError
from varcall.formats.text import open_text

logger = logging.getLogger(__name__)

PROGRAM = "rtg"
HINTS = (
    (
        r"java: (command )?not found|JAVA_HOME|No Java|not find.*java",
        "install Java 8 or later, or use --engine builtin",
    ),
    (r"OutOfMemory|heap space|not enough memory", "give it more memory with --rtg-mem, as 8g"),
    (r"Index not found|not.*index", "index the file with 'tabix -p vcf', after sorting it"),
    (r"not.*SDF|does not seem to be a valid SDF|SDF.*(corrupt|missing)", "remove the --sdf folder"),
    (r"No sample name provided|multi-sample", "choose a sample with --sample"),
    (r"no sequence names in common", "check that all files are made on one reference"),
    (r"did not contain enough samples", "give genotypes, or compare with --sample ALT"),
    (r"Records at .* disagree", "the REF alleles differ, so the references do"),
)


@dataclass(frozen=True, slots=True)
class RtgRun:
    """Output of a finished vcfeval."""

    folder: Path
    warnings: tuple[str, ...] = ()

    def lines(self, name: str) -> list[str]:
        """Lines of an output file, compressed or not; none when it is absent."""
        for path in (self.folder / name, self.folder / f"{name}.gz"):
            if path.exists():
                with open_text(path) as handle:
                    return handle.read().splitlines()
        return []


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One threshold of ``summary.txt``; the threshold None takes all calls."""

    threshold: float | None
    true_positives_baseline: int
    true_positives_call: int
    false_positives: int
    false_negatives: int
    precision: float
    sensitivity: float
    f_measure: float


@dataclass(frozen=True, slots=True)
class RocPoint:
    """One level of a ROC file; the score None is the last, of calls without a score."""

    score: float | None
    true_positives_baseline: float
    false_positives: float
    true_positives_call: float


def find_rtg() -> Path | None:
    """The rtg program on PATH."""
    found = shutil.which(PROGRAM)
    return Path(found) if found else None


def parse_summary(lines: Iterable[str]) -> list[SummaryRow]:
    """Rows of ``summary.txt``; empty when there was no baseline variant.

    >>> parse_summary(["  50.000  25  33  3  5  0.9167  0.8333  0.8730"])[0].false_negatives
    5
    """
    rows = []
    for line in lines:
        fields = line.split()
        if len(fields) != 8 or not all(text.isdigit() for text in fields[1:5]):
            continue  # the heading, the rule, or "0 total baseline variants, ..."
        threshold = None if fields[0] == "None" else float(fields[0])
        counts = (int(text) for text in fields[1:5])
        rows.append(SummaryRow(threshold, *counts, *(float(text) for text in fields[5:])))
    return rows


def parse_roc(lines: Iterable[str]) -> list[RocPoint]:
    """Levels of a ROC file, best score first."""
    points = []
    for line in lines:
        if line.startswith("#") or not line.strip():
            continue
        fields = line.split("\t")
        score = None if fields[0] == "None" else float(fields[0])
        points.append(RocPoint(score, *(float(text) for text in fields[1:4])))
    return points


def _hint(message: str) -> str:
    for pattern, hint in HINTS:
        if re.search(pattern, message, re.IGNORECASE):
            return f": {hint}"
    return ""


def _own_words(text: str) -> str:
    """The error text of rtg as one sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if line.startswith("Error:")), 0)
    words = " ".join(lines[start : start + 3]).removeprefix("Error:").strip()
    return words.rstrip(".") or "it said nothing"


@dataclass(frozen=True, slots=True)
class Rtg:
    """The program with its resources.

    ``memory`` is the heap of Java, as rtg takes it in RTG_MEM ("4g").
    """

    program: Path
    memory: str | None = None
    threads: int = 1
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def __post_init__(self) -> None:
        if self.memory is not None and not re.fullmatch(r"\d+[kKmMgG]", self.memory):
            raise UsageError(f"--rtg-mem {self.memory!r} is not a memory size: write it as 4g")

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        environment = dict(self.environment)
        if self.memory is not None:
            environment["RTG_MEM"] = self.memory.upper()
        command = [str(self.program), *arguments]
        logger.debug("running %s", " ".join(command))
        try:
            return subprocess.run(
                command,
                env=environment,
                text=True,
                errors="replace",  # it may name paths that are no text
                capture_output=True,
                check=False,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(
                f"cannot run {self.program} ({reason}): use --engine builtin"
            ) from error

    def version(self) -> str:
        """The first line of ``rtg version``."""
        lines = self._run(["version"]).stdout.splitlines()
        return lines[0].removeprefix("Product:").strip() if lines else "unknown version"

    def formatted(self, reference: Path, sdf: Path) -> Path:
        """Make the formatted reference ``sdf`` unless it is there and complete.

        Raises
        ------
        InputError
            rtg failed, or the folder is not one of its own.
        """
        if (sdf / "mainIndex").exists():
            if not any((sdf / name).exists() for name in ("done", "summary.txt", "format.log")):
                raise InputError(f"the SDF {sdf} is not complete: remove the folder")
            return sdf
        if sdf.exists():
            raise InputError(f"{sdf} is there but is no SDF of rtg: name another folder by --sdf")
        sdf.parent.mkdir(parents=True, exist_ok=True)
        done = self._run(["format", "-o", str(sdf), str(reference)])
        if done.returncode != 0 or not (sdf / "mainIndex").exists():
            shutil.rmtree(sdf, ignore_errors=True)
            said = _own_words(done.stderr or done.stdout)
            raise InputError(f"rtg format failed on {reference}: {said}{_hint(said)}")
        return sdf

    def vcfeval(
        self, truth: Path, query: Path, sdf: Path, output: Path, options: Sequence[str]
    ) -> RtgRun:
        """Run vcfeval into ``output``; what an earlier run left there is removed.

        Raises
        ------
        InputError
            It failed, stopped early, or compared nothing.
        """
        if output.exists():
            if not any((output / name).exists() for name in ("done", "vcfeval.log", "progress")):
                raise InputError(f"{output} exists and was not written by rtg: remove or rename it")
            shutil.rmtree(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        arguments = ["vcfeval", "-b", str(truth), "-c", str(query), "-t", str(sdf)]
        done = self._run([*arguments, "-o", str(output), "-T", str(self.threads), *options])
        if done.returncode != 0:
            said = _own_words(done.stderr or done.stdout)
            raise InputError(f"rtg vcfeval ended with code {done.returncode}: {said}{_hint(said)}")
        if not (output / "done").exists():
            raise InputError(
                f"rtg vcfeval ended with code 0 but wrote no 'done' into {output}: "
                "it was stopped, or the disk is full"
            )
        warnings = tuple(line.strip() for line in done.stderr.splitlines() if line.strip())
        run = RtgRun(output, warnings)
        if "-m" not in options and not run.lines("summary.txt"):
            raise InputError(f"rtg vcfeval wrote no summary.txt into {output}: run it by hand")
        return run
