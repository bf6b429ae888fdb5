"""Where and on what code a number was measured."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_RESULTS = "benchmarks/RESULTS.md"
RESULTS = ROOT / _RESULTS


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
    """Return the short commit of the checkout at `root`, marked where files differ from it.

    The results themselves do not count: a benchmark writes one table after another.
    """
    name = _git(root, "describe", "--always", "--abbrev=10")
    changed = _git(root, "status", "--porcelain", "-uno", "--", f":(exclude){_RESULTS}")
    return (f"{name}-dirty" if changed else name) or "unknown"


def _git(root: Path, *words: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=False
    )
    return result.stdout.strip()
