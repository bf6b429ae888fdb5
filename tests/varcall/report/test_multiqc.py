"""What MultiQC makes of the files beside two reports."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.varcall.report.conftest import Reported
from tests.varcall.report.test_tally import write
from varcall.cli import run
from varcall.report.run import ReportOptions, _distribution


@pytest.mark.slow
@pytest.mark.tools("multiqc")
def test_multiqc_shows_two_samples(reported: Reported, tmp_path: Path) -> None:
    for path in reported.page.parent.iterdir():
        shutil.copy(path, tmp_path)
    (tmp_path / "other").mkdir()
    calls = write(
        tmp_path / "other" / "calls.vcf",
        "1 100 A G 50 PASS . GT:GQ:DP:AD 0/1:40:20:9,11",
        "1 200 A C 50 PASS . GT:GQ:DP:AD 1/1:40:20:0,20",
        samples="other",
    )
    # Pages of one name in several folders are of several samples all the same.
    assert run(["report", str(calls), "-o", str(tmp_path / "other" / "r.html")]) == 0
    done = subprocess.run(
        ["multiqc", str(tmp_path), "-o", str(tmp_path / "out"), "--no-ansi"],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "out" / "multiqc_data" / "multiqc_data.json").read_text())
    sample = next(iter(json.loads((tmp_path / "r_mqc.json").read_text())["data"]))
    table = data["report_saved_raw_data"]["multiqc_varcall_table"]
    assert table.keys() == {sample, "other"}
    assert table["other"]["varcall_variants"] == 2
    assert table["other"]["varcall_ti_tv"] == 1
    expected = json.loads((tmp_path / "r_mqc.json").read_text())["data"][sample]
    assert table[sample]["varcall_snvs"] == expected["varcall_snvs"] > 0
    general = json.dumps(data["report_general_stats_data"])
    assert "varcall_variants" in general
    # mosdepth's own section draws the depths, of the sample by the same name.
    assert sample in data["report_saved_raw_data"]["mosdepth_cov_dist"]
    page = (tmp_path / "out" / "multiqc_report.html").read_text()
    assert "Small variants: counts and checks of" in page


def test_depths_are_named_by_the_sample(tmp_path: Path) -> None:
    options = ReportOptions(calls=tmp_path / "a.vcf", output=tmp_path / "r.html")
    for sample, name in (("NA12878", "NA12878"), ("../../etc/x y", ".._.._etc_x_y"), ("é", "_")):
        assert _distribution(options, sample) == tmp_path / f"{name}.mosdepth.global.dist.txt"
