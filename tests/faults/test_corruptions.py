"""Faults F2, F3, F9, F11, S1 and S4: a corrupt input is one sentence, or does no harm.

Ten seeds of each kind of file by default; `pytest -m campaign` runs 200.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.corruption import KINDS, make_inputs

SMOKE = 10
CAMPAIGN = 200


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, untrained_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("intact")
    make_inputs(folder, untrained_model)
    return folder


Report = dict[str, Any]


def run_corruptions(folder: Path, root: Path, first: int, last: int, *kinds: str) -> list[Report]:
    command = [sys.executable, "-m", "tests.faults.corruption", str(folder), str(first), str(last)]
    done = subprocess.run([*command, *kinds], cwd=root, capture_output=True, text=True, check=False)
    reports: list[Report] = [json.loads(line) for line in done.stdout.splitlines()]
    behind = [(report["kind"], report["seed"]) for report in reports[-1:]]
    assert done.returncode == 0, f"crashed after {behind}: {done.stderr[-2000:]}"
    return reports


def check_corruptions(kind: str, reports: Sequence[Report]) -> None:
    """Each is refused in one sentence, or gives all the records of the intact file."""
    ours = [report for report in reports if report["kind"] == kind]
    intact = {report["part"]: report for report in ours if report["seed"] < 0}
    broken = [report for report in ours if report["seed"] >= 0]
    for report in intact.values():
        assert report["status"] == 0, report["said"]
        assert len(report["records"]) > 10
    refused = 0
    for report in broken:
        where = (kind, report["seed"], report["part"], report["said"][-1500:])
        if report["status"] == 0:
            assert report["records"] == intact[report["part"]]["records"], where
            continue
        refused += 1
        said = report["said"].strip().splitlines()
        assert report["status"] == 1, where
        assert said[-1].startswith("varcall: error: "), where
        assert not [line for line in said if line.startswith("Traceback")], where
        assert report["records"] is None, where
    print(f"{kind}: {refused} of {len(broken)} calls refused, the others gave all records")
    assert refused > 0.2 * len(broken)


@pytest.fixture(scope="module")
def smoke_reports(
    store: Path, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Report]:
    folder = Path(shutil.copytree(store, tmp_path_factory.mktemp("smoke") / "copy"))
    return run_corruptions(folder, root, 0, SMOKE, *KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_ten_corruptions(kind: str, smoke_reports: list[Report]) -> None:
    check_corruptions(kind, smoke_reports)


@pytest.mark.campaign
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_corruptions(kind: str, store: Path, tmp_path: Path, root: Path) -> None:
    folder = Path(shutil.copytree(store, tmp_path / "copy"))
    check_corruptions(kind, run_corruptions(folder, root, SMOKE, SMOKE + CAMPAIGN, kind))
