"""`varcall show --vcf`: which loci, what is said of each, and how the page is written."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pysam
import pytest

from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.errors import InputError, OutputError, UsageError
from varcall.evidence.features import N_FEATURES
from varcall.genotyping.answers import CallingModel
from varcall.genotyping.questions import AskedAlleles
from varcall.options import CallOptions
from varcall.scoring.vcf_records import parse_record
from varcall.show import viewer
from varcall.show.contact_sheet import ContactSheetOptions, run_contact_sheet
from varcall.show.sheet_locus import Called, Judged, SheetLocus
from varcall.show.sheet_output import Heading, check_output, write_sheet
from varcall.show.viewer import Asked

SEQUENCE = sequence_with("C" + "A" * 10 + "G")
SNV = 200
NEXT = {"A": "C", "C": "G", "G": "T", "T": "A"}
ALT = NEXT[SEQUENCE[SNV]]


@pytest.fixture(scope="module")
def locus(tmp_path_factory: pytest.TempPathFactory) -> Locus:
    """An SNV at 200 and a deletion from a repeat at 300 (0-based)."""
    locus = Locus(tmp_path_factory.mktemp("sheet"), SEQUENCE)
    locus.show(9, 150, "80M").show(9, 151, "80M", {SNV: ALT})
    locus.show(9, 260, "41M2D40M").show(9, 261, "80M")
    locus.write()
    return locus


def write_vcf(folder: Path, *records: str, contig: str = "chr1") -> Path:
    """Write records `POS REF ALT GT` as an indexed VCF."""
    lines = ["##fileformat=VCFv4.2", f"##contig=<ID={contig},length={len(SEQUENCE)}>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += ["#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS"]
    for record in records:
        pos, ref, alt, genotype = record.split()
        lines += [f"{contig}\t{pos}\t.\t{ref}\t{alt}\t30\tPASS\t.\tGT\t{genotype}"]
    plain = folder / "fp.vcf"
    plain.write_text("\n".join(lines) + "\n")
    pysam.tabix_compress(str(plain), f"{plain}.gz", force=True)
    pysam.tabix_index(f"{plain}.gz", preset="vcf", force=True)
    return Path(f"{plain}.gz")


def calling(locus: Locus) -> CallOptions:
    return CallOptions(reads=locus.folder / "reads.bam", reference=locus.reference)


def sheet(locus: Locus, vcf: Path, output: Path, **more: object) -> str:
    options = ContactSheetOptions(calling(locus), vcf, output, **more)
    return run_contact_sheet(options).read_text()


def test_what_is_told_of_each_record(locus: Locus, tmp_path: Path) -> None:
    absent = 230
    vcf = write_vcf(
        tmp_path,
        f"{SNV + 1} {SEQUENCE[SNV]} {ALT} 0/1",
        f"{absent + 1} {SEQUENCE[absent]} {NEXT[SEQUENCE[absent]]} 1/1",
        # The deletion two bases to the right of where callers put it.
        "303 AAA A 0/1",
        "305 A C 0/0",
    )
    page = sheet(locus, vcf, tmp_path / "out.html")
    assert "4 of 4 loci" in page
    assert page.count("allele is among the candidates") == 2
    assert page.count("NOT among the candidates; the nearest are shown") == 1
    assert page.count("The VCF calls no ALT here") == 1
    assert page.index(f"1. chr1:{SNV + 1} ") < page.index(f"2. chr1:{absent + 1} ")
    assert f"{SNV + 1}: {SEQUENCE[SNV]} 9 (5+ 4-), {ALT} 9 (5+ 4-)" in page
    assert "indels within 5 bp: 301 -2 bp ×9" in page
    assert "Q: How many copies of this putative variant" in page
    assert "Measured &lt;features&gt;" in page
    assert "putative_fraction <b>0.500</b>" in page
    assert "spanning_putative_share" in page


@pytest.mark.parametrize(("kind", "shown"), [("snp", "SNV"), ("indel", "deletion")])
def test_one_type(locus: Locus, tmp_path: Path, kind: str, shown: str) -> None:
    vcf = write_vcf(tmp_path, f"{SNV + 1} {SEQUENCE[SNV]} {ALT} 0/1", "301 CAA C 0/1")
    page = sheet(locus, vcf, tmp_path / "out.html", kind=kind)
    assert "1 of 1 loci" in page
    assert f"Variant: {shown}" in page


def test_the_first_loci_as_picture_and_as_folder(locus: Locus, tmp_path: Path) -> None:
    vcf = write_vcf(tmp_path, f"{SNV + 1} {SEQUENCE[SNV]} {ALT} 0/1", "301 CAA C 0/1")
    options = ContactSheetOptions(calling(locus), vcf, tmp_path / "a.png", limit=1)
    assert run_contact_sheet(options).read_bytes().startswith(b"\x89PNG")
    page = sheet(locus, vcf, tmp_path / "folder", limit=1)
    assert "1 of 2 loci" in page
    names = sorted(path.name for path in (tmp_path / "folder").iterdir())
    assert names == [f"0001_{SNV + 1}.1.png", "index.html"]


def test_a_picture_says_that_it_holds_no_more(
    locus: Locus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("varcall.show.contact_sheet.MAX_PNG_LOCI", 1)
    vcf = write_vcf(tmp_path, f"{SNV + 1} {SEQUENCE[SNV]} {ALT} 0/1", "301 CAA C 0/1")
    options = ContactSheetOptions(calling(locus), vcf, tmp_path / "a.png")
    with caplog.at_level("INFO", "varcall"):
        run_contact_sheet(options)
    assert "the first 1 of 2 loci (a .png holds no more; an .html page does)" in caplog.text


def test_the_call_and_the_answer(
    locus: Locus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Caller:
        def call(self, window: object) -> object:
            line = "chr1\t201\t.\tA\tC\t3\tRefCall\t.\tGT:GQ:DP:AD\t0/0:7:18:9,9\n"
            return type("Result", (), {"lines": [line]})

    class Engine:
        card = None

        def predict(self, images: np.ndarray, *_: np.ndarray) -> np.ndarray:
            return np.tile(np.array([[0.75, 0.2, 0.05]], np.float32), (len(images), 1))

    monkeypatch.setattr(viewer, "model_of", lambda plan: CallingModel(Engine(), None))
    monkeypatch.setattr("varcall.show.contact_sheet.Worker", lambda plan: Caller())
    vcf = write_vcf(tmp_path, f"{SNV + 1} {SEQUENCE[SNV]} {ALT} 0/1")
    page = sheet(locus, vcf, tmp_path / "out.html")
    assert "<b>0.7489</b>" in page  # 0.75, rounded as models.inference.rounding does
    assert "201 A&gt;C, RefCall, QUAL 3, GT 0/0, GQ 7, DP 18, AD 9,9" in page


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_names_are_escaped_and_nothing_is_fetched(tmp_path: Path) -> None:
    hostile = '"><script>alert(1)</script>{{ 7 * 7 }}'
    record = parse_record(f"c\t5\t.\tA\tC\t{1}\tPASS\t.\tGT\t0/1", 9)
    alleles = AskedAlleles(0, 4, "A", ("C",), ("C",))
    picture = np.zeros((224, 224, 3), np.uint8)
    asked = Asked(alleles, picture, hostile, np.zeros(N_FEATURES), (0.9, 0.1, 0.0))
    called = Called(5, "A", "C", "9", hostile, {"GT": hostile})
    loci = [
        SheetLocus(
            contig=hostile,
            record=record,
            genotype=hostile,
            is_candidate=True,
            judged=(Judged(asked, 1),),
            counts=(hostile,),
            seen=hostile,
            called=(called,),
        )
    ]
    page = write_sheet(tmp_path / "a.html", Heading(Path(hostile), hostile, 1), loci).read_text()
    tags = _Tags()
    tags.feed(page)
    assert "script" not in {tag for tag, _ in tags.seen}
    assert "{{ 7 * 7 }}" in page
    links = [value for _, attrs in tags.seen for key, value in attrs.items() if key in LINKS]
    assert links
    assert all(link and link.startswith(("data:image/png;base64,", "#")) for link in links)
    check_output(tmp_path / "folder")
    written = write_sheet(tmp_path / "folder", Heading(Path("x"), "s", 1), loci)
    assert {path.parent for path in tmp_path.rglob("*.png")} == {written.parent}


LINKS = ("src", "href", "srcset", "action", "data", "poster")


def test_what_is_refused(locus: Locus, tmp_path: Path) -> None:
    vcf = write_vcf(tmp_path, "5 A <DEL> 0/1")
    with pytest.raises(InputError, match="nothing to show"):
        sheet(locus, vcf, tmp_path / "a.html")
    with pytest.raises(InputError, match="chr9"):
        sheet(locus, write_vcf(tmp_path, "5 A C 0/1", contig="chr9"), tmp_path / "a.html")
    with pytest.raises(UsageError, match="--limit 0"):
        sheet(locus, vcf, tmp_path / "a.html", limit=0)
    with pytest.raises(UsageError, match="snp, indel"):
        sheet(locus, vcf, tmp_path / "a.html", kind="mnp")
    with pytest.raises(UsageError, match=r"\.html or \.png"):
        check_output(tmp_path / "a.pdf")
    with pytest.raises(OutputError, match="absent"):
        check_output(tmp_path / "absent" / "a.html")
    assert not list(tmp_path.glob("a.*"))
