"""Where and on what code a number was measured."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What benchmarks write: one after another, and each is of the same code.
_WRITTEN = (
    "README.md", "benchmarks/RESULTS.md", "benchmarks/history", "benchmarks/calibration.svg",
    "models/weights/tiny.calibration.json",
)  # fmt: skip


def describe() -> str:
    """Return the processor's name and the usable cores."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {len(os.sched_getaffinity(0))} cores"


def commit(root: Path) -> str:
    """Return the short name of the commit that is checked out at `root`."""
    return _git(root, "rev-parse", "--short=10", "HEAD") or "unknown"


def is_changed(root: Path) -> bool:
    """Tell whether tracked files differ from the commit, but for those that benchmarks write."""
    excluded = [f":(exclude){name}" for name in _WRITTEN]
    return bool(_git(root, "status", "--porcelain", "-uno", "--", ".", *excluded))


def _git(root: Path, *words: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=False
    )
    return result.stdout.strip()
