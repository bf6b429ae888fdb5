"""Take every guard of the table of faults out, one at a time, and see its test fail without it.

Run as `python -m tests.faults.mutations [ROW...]`. Nothing is changed but copies of the sources in
a temporary folder; how guards are written down is said in README.md.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
TABLE = "tests/faults/README.md"
GUARDS = "tests/faults/guards"
JOBS = 2  # guards tried at a time
TIME_LIMIT = 900  # seconds for the one test of a guard

AS_EXPECTED, SKIPPED = "failed as expected", "skipped"

_TEST = re.compile(r"`([\w/]+\.py::test_\w+)`( \(campaign\))?")


@dataclass(frozen=True)
class Row:
    """One line of the table: its tests as `file::function` below tests/."""

    name: str
    tests: tuple[str, ...]
    campaigns: tuple[str, ...]
    guards: str


@dataclass(frozen=True)
class Guard:
    """A piece of the sources that a test of a row holds, and what stands there without it."""

    row: str
    name: str
    test: str
    file: str
    old: str
    new: str

    def taken_out(self, source: str) -> str:
        """Return the text of its file without it.

        Raises
        ------
        LookupError
            When its text is not there exactly once.
        """
        count = source.count(self.old)
        if count != 1:
            raise LookupError(
                f"{self.row}, {self.name}: its text is found {count} times in {self.file}, not once"
            )
        return source.replace(self.old, self.new)


def read_table(root: Path) -> list[Row]:
    """Read the lines of the table of faults."""
    rows = []
    for line in (root / TABLE).read_text().splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if re.match(r"\| [A-Z]\d+ \|", line):
            found = _TEST.findall(cells[2])
            tests = tuple(test for test, campaign in found if not campaign)
            campaigns = tuple(test for test, campaign in found if campaign)
            rows.append(Row(cells[0].removeprefix("| "), tests, campaigns, cells[3]))
    return rows


def read_guards(root: Path) -> list[Guard]:
    """Read the guards of all rows, in the order of the table."""
    guards = []
    for row in read_table(root):
        path = root / GUARDS / f"{row.name}.toml"
        entries = tomllib.loads(path.read_text())["guard"] if path.exists() else []
        guards += [Guard(row.name, **entry) for entry in entries]
    return guards


@dataclass(frozen=True)
class Outcome:
    """How a test ended: passed, failed, error (in what it is set up with), skipped or absent."""

    status: str
    reason: str = ""


def copy_sources(root: Path, target: Path) -> None:
    """Copy what a source distribution holds, with its times: compiled kernels stay valid."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    parts = project["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
    target.mkdir()
    for part in ("pyproject.toml", *parts):
        if (root / part).is_dir():
            shutil.copytree(root / part, target / part)
        else:
            shutil.copy2(root / part, target / part)


def take_out(guard: Guard, tree: Path) -> None:
    """Take a guard out of a copy of the sources."""
    path = tree / guard.file
    source = path.read_text()
    path.write_text(guard.taken_out(source))
    if "pileup.accelerate" in source:
        # Numba misses edits of a kernel that others call.
        for compiled in tree.rglob("*.nb[ci]"):
            compiled.unlink()


def run_tests(tree: Path, tests: Iterable[str], folder: Path, *options: str) -> ElementTree.Element:
    """Run tests of a copy on the modules of that copy; return pytest's report.

    Raises
    ------
    RuntimeError
        When pytest does not end in time or does not get as far as a report.
    """
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
    command += ["--hypothesis-seed=0", f"--basetemp={folder / 'pytest'}"]
    command += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
    # Tests start the command in other folders too; there the checkout may be installed.
    environment = os.environ | {"PYTHONPATH": str(tree)}
    # What Python compiles of the first copy, all others begin with.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    said = folder / "said.txt"
    with (
        said.open("w") as output,
        subprocess.Popen(
            [*command, *options, *(f"tests/{test}" for test in tests)],
            cwd=tree,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            status = process.wait(TIME_LIMIT)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"it ran for more than {TIME_LIMIT} s") from None
        finally:
            # Without its guard a command may leave processes behind.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if not report.exists() or status not in (0, 1):
        raise RuntimeError(f"pytest ended with {status}: {said.read_text().strip()[-1500:]}")
    return ElementTree.parse(report).getroot()


def outcome_of(report: ElementTree.Element, test: str) -> Outcome:
    """Find how a test ended; of one with parameters, whether it failed with any of them."""
    found: dict[str, str] = {}
    for case in report.iter("testcase"):
        name = f"{case.get('file', '')}::{case.get('name', '')}".removeprefix("tests/")
        if name == test or name.startswith(f"{test}["):
            ends = [child for child in case if child.tag in ("failure", "error", "skipped")]
            status = {"failure": "failed"}.get(ends[0].tag, ends[0].tag) if ends else "passed"
            found.setdefault(status, (ends[0].get("message") or "") if ends else "")
    for status in ("failed", "error", "passed", "skipped"):
        if status in found:
            return Outcome(status, " ".join(found[status].split()))
    return Outcome("absent")


def try_guard(guard: Guard, intact: Path, folder: Path) -> Outcome:
    """Run the test of a guard on sources without it."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        tree = Path(shutil.copytree(intact, Path(own, "tree")))
        _link_shared(intact.parent, Path(own))
        try:
            take_out(guard, tree)
            report = run_tests(tree, [guard.test], Path(own), "--exitfirst")
        except (OSError, LookupError) as error:
            return Outcome("DOES NOT APPLY", str(error))
        except RuntimeError as error:
            return Outcome("NO RESULT", str(error))
    outcome = outcome_of(report, guard.test)
    if outcome.status == "failed":
        return Outcome(AS_EXPECTED, outcome.reason)
    if outcome.status == "error":
        return Outcome("NO RESULT", f"what the test is set up with fails: {outcome.reason}")
    return Outcome(SKIPPED if outcome.status == "skipped" else "SURVIVED", outcome.reason)


def _link_shared(source: Path, target: Path) -> None:
    """Put the real data beside a copy, as they are beside the checkout."""
    if (source / "shared").is_dir():
        (target / "shared").symlink_to((source / "shared").resolve())


def run(root: Path, wanted: Sequence[str] = (), jobs: int = JOBS) -> int:
    """Try all guards, or those of some rows; return how many did not turn out as expected."""
    guards = [guard for guard in read_guards(root) if not wanted or guard.row in wanted]
    started = time.monotonic()
    unexpected = skipped = 0
    with tempfile.TemporaryDirectory(prefix="varcall-mutations.") as name:
        folder = Path(name)
        intact = folder / "intact"
        copy_sources(root, intact)
        _link_shared(root.parent, folder)
        tests = dict.fromkeys(guard.test for guard in guards)
        print(f"{len(tests)} tests with all guards in place", flush=True)
        report = run_tests(intact, tests, folder)

        def outcome_without(guard: Guard) -> Outcome:
            before = outcome_of(report, guard.test)
            if before.status == "passed":
                return try_guard(guard, intact, folder)
            if before.status == "skipped":
                return Outcome(SKIPPED, before.reason)
            # What fails anyway proves nothing.
            return Outcome(f"{before.status.upper()} BEFORE", before.reason)

        pool = ThreadPoolExecutor(jobs)
        try:
            for guard, outcome in zip(guards, pool.map(outcome_without, guards), strict=True):
                skipped += outcome.status == SKIPPED
                unexpected += outcome.status not in (AS_EXPECTED, SKIPPED)
                print(_line(guard, outcome), flush=True)
        finally:
            pool.shutdown(cancel_futures=True)
    rows = len({guard.row for guard in guards})
    print(
        f"{len(guards)} guards of {rows} rows in {time.monotonic() - started:.0f} s: "
        f"{len(guards) - unexpected - skipped} {AS_EXPECTED}, {skipped} skipped, {unexpected} not"
    )
    return unexpected


def _line(guard: Guard, outcome: Outcome) -> str:
    reason = outcome.reason if outcome.status != AS_EXPECTED else outcome.reason[:100]
    return f"{guard.row:4} {outcome.status:19} {guard.name} [{guard.test}] {reason}".rstrip()


def main() -> int:
    """Run the campaign of the command line; 1 where anything did not turn out as expected."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("rows", nargs="*", help="rows to try, as F1; all where none is named")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"tried at a time ({JOBS})")
    arguments = parser.parse_args()
    rows = [row.name for row in read_table(ROOT)]
    if unknown := sorted(set(arguments.rows) - set(rows)):
        parser.error(f"no row {', '.join(unknown)} in {TABLE}")
    return min(1, run(ROOT, arguments.rows, arguments.jobs))


if __name__ == "__main__":
    sys.exit(main())
