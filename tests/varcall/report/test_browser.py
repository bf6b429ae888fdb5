"""The page in a real browser: what it asks of the network, light and dark, and on paper."""

import json
import subprocess
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from tests.varcall.report.conftest import Reported

pytestmark = [pytest.mark.tools("chromium"), pytest.mark.slow]
CHROMIUM = (
    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--no-first-run",
    "--window-size=1200,900",
)  # fmt: skip

_OWN = "not an origin"


def browse(folder: Path, page: Path, *options: str) -> None:
    """Open a page; a profile of its own keeps out what another run left."""
    subprocess.run(
        [*CHROMIUM, f"--user-data-dir={folder / 'profile'}", *options, page.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )


def asked(log: Path) -> set[str]:
    """Addresses that pages asked for, by the browser's log; its own requests have no origin."""
    events = json.loads(log.read_text())["events"]
    found = [event["params"] for event in events if "url" in event.get("params", {})]
    return {item["url"] for item in found if item.get("initiator", _OWN) != _OWN}


def test_page_asks_nothing_of_the_network(reported: Reported, tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    browse(tmp_path, reported.page, f"--log-net-log={log}", f"--screenshot={tmp_path / 'a.png'}")
    assert log.stat().st_size
    assert asked(log) == set()


def test_the_log_knows_of_a_request(tmp_path: Path) -> None:
    page, log = tmp_path / "a.html", tmp_path / "log.json"
    page.write_text('<!DOCTYPE html><title>a</title><img src="http://localhost:9/a.png" alt="">')
    browse(tmp_path, page, f"--log-net-log={log}", f"--screenshot={tmp_path / 'a.png'}")
    assert asked(log) == {"http://localhost:9/a.png"}


def test_light_dark_and_paper(reported: Reported, tmp_path: Path) -> None:
    shown = {}
    for name, number in (("dark", 0), ("light", 1)):
        picture = tmp_path / f"{name}.png"
        browse(
            tmp_path,
            reported.page,
            f"--blink-settings=preferredColorScheme={number}",
            f"--screenshot={picture}",
        )
        shown[name] = matplotlib.image.imread(picture)[..., :3]
    # Most of a page is its paper.
    assert np.median(shown["light"]) > 0.95
    assert np.median(shown["dark"]) < 0.2
    # As much is written on one as on the other.
    ink = {
        name: (np.abs(pixels - np.median(pixels)) > 0.3).mean() for name, pixels in shown.items()
    }
    assert ink["light"] > 0.02
    assert 0.5 < ink["light"] / ink["dark"] < 2
    paper = tmp_path / "a.pdf"
    browse(tmp_path, reported.page, f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF")
    assert paper.stat().st_size > 50_000
