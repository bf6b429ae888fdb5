"""The page: valid, readable by everybody, and harmless whatever names files hold."""

import re
import shutil
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pysam
import pytest

from tests.varcall.report.conftest import Reported
from tests.varcall.report.test_tally import write
from varcall.cli import run

HOSTILE = "<script>alert(1)</script>&\"'"


def parse(page: Path) -> Element:
    """Parse a page by the HTML standard; any error of its syntax fails."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    document = parser.parse(page.read_text(encoding="utf-8"))
    assert parser.errors == []
    return document


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


@pytest.fixture(scope="module")
def document(reported: Reported) -> Element:
    return parse(reported.page)


def test_page_says_what_was_found(reported: Reported, document: Element) -> None:
    assert reported.page.stat().st_size < 5_000_000
    text = text_of(document)
    with pysam.VariantFile(str(reported.calls)) as calls:
        passing = sum(
            "PASS" in record.filter and 1 in (record.samples[0]["GT"] or ()) for record in calls
        )
    assert f"{passing} variants in calls.vcf.gz" in text
    model = re.search(r"SHA-256 ([0-9a-f]{64})", text)
    assert model is not None
    assert model[1] in str(pysam.VariantFile(str(reported.calls)).header)
    for heading in ("Checks", "Calls", "Reads", "Against the truth", "Least certain calls"):
        assert heading in [text_of(item) for item in document.iter("h2")]
    assert len(list(document.iter("article"))) == 2
    assert "How many copies of this putative variant" in text


def test_landmarks_headings_and_language(document: Element) -> None:
    assert document.get("lang") == "en"
    assert text_of(next(document.iter("title")))
    for landmark in ("header", "nav", "main"):
        assert len(list(document.iter(landmark))) == 1
    levels = [int(item.tag[1]) for item in document.iter() if re.fullmatch("h[1-6]", str(item.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_pictures_and_charts_are_told(document: Element) -> None:
    assert all(item.get("scope") in ("row", "col") for item in document.iter("th"))
    assert all(table.find(".//th") is not None for table in document.iter("table"))
    pictures = list(document.iter("img"))
    assert pictures
    assert all(item.get("alt") for item in pictures)
    charts = [item for item in document.iter() if str(item.tag).endswith("svg")]
    assert len(charts) >= 7
    ids = [item.get("id") for item in document.iter() if item.get("id")]
    assert len(ids) == len(set(ids))
    for chart in charts:
        assert chart.get("role") == "img"
        names = [item for item in chart if item.get("id") in chart.get("aria-labelledby").split()]
        assert [str(item.tag).rpartition("}")[2] for item in names] == ["title", "desc"]
        assert all(item.text for item in names)
    links = [item.get("href") for item in document.iter() if str(item.tag).endswith(("a", "use"))]
    inside = [link[1:] for link in links if link and link.startswith("#")]
    assert set(inside) <= set(ids)
    # What can be scrolled can be reached by keys.
    boxes = [item for item in document.iter("div") if item.get("class") == "wide"]
    assert all(box.get("tabindex") == "0" and box.get("aria-label") for box in boxes)


def test_page_needs_no_script_and_no_network(reported: Reported, document: Element) -> None:
    assert not [item for item in document.iter() if str(item.tag) in ("script", "link", "iframe")]
    text = reported.page.read_text()
    assert "default-src 'none'" in text
    for item in document.iter():
        for name, value in item.attrib.items():
            if name.split("}")[-1] in ("src", "href", "srcset", "action", "data"):
                assert value.startswith(("#", "data:image/png;base64,"))
    assert "url(http" not in text
    assert "@import" not in text


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_on_screen_at_night_and_on_paper(reported: Reported) -> None:
    style = re.search(r"<style>(.*?)</style>", reported.page.read_text(), re.DOTALL)
    assert style is not None
    schemes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style[1], re.DOTALL)
    ]
    assert len(schemes) == 3
    for scheme in schemes:
        assert scheme.keys() == schemes[0].keys()
        for name in ("ink", "pale", "link", "mark", "good", "look", "bad"):
            assert contrast(scheme[name], scheme["paper"]) >= 4.5, name
        assert contrast(scheme["ink"], scheme["shade"]) >= 4.5
        for name in (name for name in scheme if name.startswith("series-")):
            assert contrast(scheme[name], scheme["paper"]) >= 3, name
    # Colours of charts are those of the page, and of nothing else.
    assert not re.findall(r"(?:fill|stroke): ?#[0-9a-f]+", reported.page.read_text())


def test_same_bytes_again(reported: Reported, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    assert run(reported.words(page, "--tables", str(tmp_path / "t"))) == 0
    for path in sorted(reported.page.parent.iterdir()):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
    names = sorted(path.name for path in reported.tables.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "t").iterdir())
    for name in names:
        assert (reported.tables / name).read_bytes() == (tmp_path / "t" / name).read_bytes()


def test_every_table_of_the_page_is_a_file(reported: Reported, document: Element) -> None:
    tables = {path.stem: path.read_text().splitlines() for path in reported.tables.iterdir()}
    for figure in document.iter("figure"):
        if figure.find("details") is not None:
            shown = [[text_of(cell) for cell in row] for row in figure.iter("tr")]
            assert shown == [row.split("\t") for row in tables[figure.get("id", "")]]
    assert {"checks", "filters", "least_certain", "library", "coverage"} <= tables.keys()
    assert {"truth_counts", "truth_rates", "precision_recall"} <= tables.keys()
    rates = [line.split("\t") for line in tables["truth_rates"]]
    low, high = rates[0].index("Recall.Lower"), rates[0].index("Recall.Upper")
    snp = next(row for row in rates if row[:3] == ["SNP", "*", "PASS"])
    assert float(snp[low]) < float(snp[rates[0].index("Recall")]) <= float(snp[high])


def test_names_of_samples_files_and_contigs_do_no_harm(tmp_path: Path) -> None:
    path = write(
        tmp_path / "<b>a.vcf", "1 100 A G 50 PASS . GT:GQ:DP:AD 0/1:40:20:9,11", samples=HOSTILE
    )
    text = path.read_text().replace("ID=1,", "ID=<i>$x_1$,").replace("\n1\t", "\n<i>$x_1$\t")
    text = text.replace("some caller", HOSTILE)
    path.write_text(text)
    page = tmp_path / "r.html"
    assert run(["report", str(path), "-o", str(page), "--tables", str(tmp_path / "t")]) == 0
    document = parse(page)
    assert text_of(next(document.iter("h1"))) == HOSTILE
    assert not [item for item in document.iter() if str(item.tag) in ("script", "i", "b")]
    assert "<i>$x_1$:100" in text_of(document)


def test_calls_without_fields_are_shown_as_far_as_they_go(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", "1 100 A G . . . GT 0/1")
    path.write_text(path.read_text().replace("##varcall_", "##other_"))
    page = tmp_path / "r.html"
    assert run(["report", str(path), "-o", str(page)]) == 0
    text = text_of(parse(page))
    for field in ("DP", "GQ"):
        assert f"No variant of this VCF has {field}" in text
    assert "the header does not say" in text
    assert "Their pictures need the reads" in text
    empty = write(tmp_path / "b.vcf")
    assert run(["report", str(empty), "-o", str(page)]) == 0
    assert "0 variants in b.vcf" in text_of(parse(page))


def test_call_with_report_writes_the_same_page(reported: Reported, tmp_path: Path) -> None:
    reads = [str(reported.sample.bam), "--ref", str(reported.sample.reference)]
    calls, page = tmp_path / "calls.vcf.gz", tmp_path / "c.html"
    assert run(["call", *reads, "-o", str(calls), "--report", str(page), "--quiet"]) == 0
    again = tmp_path / "d.html"
    words = ["report", str(calls), "--reads", *reads, "-o", str(again)]
    assert run(words) == 0
    assert page.read_bytes() == again.read_bytes()
    assert (tmp_path / "c_mqc.json").exists()


@pytest.mark.parametrize(
    ("words", "message", "status"),
    [
        (["-o", "r.pdf"], "let its name end in .html", 2),
        (["--reads", "a.bam"], "--reads and --ref go together", 2),
        (["--uncertain", "-1"], "--uncertain -1 is negative", 2),
        (["--eval", "nothing"], "takes the -o PREFIX of a varcall eval", 1),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    words: list[str],
    message: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "a.vcf", "1 100 A G 50 PASS . GT 0/1")
    assert run(["report", str(path), *words]) == status
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.vcf"]


def test_report_of_calls_to_standard_output_is_refused(
    reported: Reported, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reads = [str(reported.sample.bam), "--ref", str(reported.sample.reference)]
    assert run(["call", *reads, "--report", str(tmp_path / "r.html")]) == 2
    assert "give a file to -o" in capfd.readouterr().err


def test_calls_on_a_contig_without_reads_are_refused(
    reported: Reported, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.vcf", "1 100 A G 50 PASS . GT 0/1")
    words = ["report", str(path), "--reads", str(reported.sample.bam)]
    words += ["--ref", str(reported.sample.reference), "-o", str(tmp_path / "r.html")]
    assert run(words) == 1
    assert "contig '1'" in capfd.readouterr().err
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("Type,", "Kind,", "lacks the column Type"), (",PASS,", ",PASS,x", "for a number")],
)
def test_damaged_tables_of_eval(
    reported: Reported,
    old: str,
    new: str,
    message: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for path in reported.prefix.parent.glob(f"{reported.prefix.name}.*"):
        shutil.copy(path, tmp_path)
    summary = tmp_path / f"{reported.prefix.name}.summary.csv"
    summary.write_text(summary.read_text().replace(old, new))
    page = tmp_path / "r.html"
    words = ["report", str(reported.calls), "--eval", str(tmp_path / reported.prefix.name)]
    assert run([*words, "-o", str(page)]) == 1
    assert message in capfd.readouterr().err
    assert not page.exists()
