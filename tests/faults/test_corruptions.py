"""Faults F2, F3, F9, F11, S1 and S4: a corrupt input is one sentence, or does no harm.

Ten seeds of each kind of file by default; `pytest -m campaign` runs 200.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.corruption import KINDS, make_inputs

SMOKE = 10
CAMPAIGN = 200


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, untrained_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("intact")
    make_inputs(folder, untrained_model)
    digest = hashlib.sha256(untrained_model.read_bytes()).hexdigest()
    (folder / "weights.sha256").write_text(digest)
    return folder


def run_corruptions(folder: Path, root: Path, kind: str, first: int, last: int) -> list[dict]:
    command = [sys.executable, "-m", "tests.faults.corruption", str(folder), kind]
    done = subprocess.run(
        [*command, str(first), str(last)], cwd=root, capture_output=True, text=True, check=False
    )
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    last_seed = reports[-1]["seed"] if reports else None
    assert done.returncode == 0, f"crashed after seed {last_seed}: {done.stderr[-2000:]}"
    return reports


def check_corruptions(folder: Path, root: Path, kind: str, first: int, last: int) -> None:
    intact, *reports = run_corruptions(folder, root, kind, first, last)
    assert intact["status"] == 0, intact["said"]
    assert len(intact["records"]) > 20
    assert len(reports) == last - first
    refused = 0
    for report in reports:
        where = (kind, report["seed"], report["said"][-1500:])
        if report["status"] == 0:
            assert report["records"] == intact["records"], where
            continue
        refused += 1
        said = report["said"].strip().splitlines()
        assert report["status"] == 1, where
        assert said[-1].startswith("varcall: error: "), where
        assert not [line for line in said if line.startswith("Traceback")], where
        assert report["records"] is None, where
    print(f"{kind}: {refused} of {len(reports)} refused, the others gave all records")
    assert refused > 0.2 * len(reports)


@pytest.mark.parametrize("kind", KINDS)
def test_ten_corruptions(kind: str, store: Path, tmp_path: Path, root: Path) -> None:
    folder = Path(shutil.copytree(store, tmp_path / "copy"))
    check_corruptions(folder, root, kind, 0, SMOKE)


@pytest.mark.campaign
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_corruptions(kind: str, store: Path, tmp_path: Path, root: Path) -> None:
    folder = Path(shutil.copytree(store, tmp_path / "copy"))
    check_corruptions(folder, root, kind, SMOKE, CAMPAIGN)
