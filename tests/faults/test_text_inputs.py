"""Text inputs as Windows editors save them: with a byte-order mark, or in UTF-16."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import ModelError
from models.training.feature_model import TriageRecipe
from models.training.recipe import Recipe
from tests.varcall.output.test_vcf import record, write
from varcall.errors import InputError
from varcall.inputs.regions import Region, read_bed
from varcall.output.merge import MergeOptions, merge_shards
from varcall.scoring.intervals import read_bed as read_bed_rows
from varcall.scoring.options import EvalOptions
from varcall.scoring.rtg import comparison as rtg_engine
from varcall.scoring.strata import read_stratification
from varcall.scoring.vcf_file import read_call_set
from varcall.training.run import recipe_table

BED = "chr1\t5\t9\nchr1\t20\t30\n"


def regions(path: Path) -> None:
    assert read_bed(path, {"chr1": 100}) == [Region("chr1", 5, 9), Region("chr1", 20, 30)]


def bed_rows(path: Path) -> None:
    assert read_bed_rows(path) == {"chr1": [(5, 9), (20, 30)]}


def strata(path: Path) -> None:
    path.with_name("a.bed").write_text(BED)
    assert list(read_stratification(path)) == ["low"]


def call_set(path: Path) -> None:
    calls = read_call_set(path, "truth")
    assert [contig for contig, records in calls.contigs.items() if records] == ["chr1"]
    assert calls.header[0] == "##fileformat=VCFv4.2"


def shard(path: Path) -> None:
    merged = path.with_name("merged.vcf")
    merge_shards(MergeOptions((path,), str(merged)))
    assert merged.read_text() == vcf_text(path.parent)


def recipe(path: Path) -> None:
    assert Recipe.from_file(path).steps == 7
    assert recipe_table(path, "triage", TriageRecipe).rounds == 3


def vcf_text(folder: Path) -> str:
    return write(folder / "plain.vcf", [record(contig="chr1")]).read_text()


READERS: dict[str, tuple[Callable[[Path], None], Callable[[Path], str]]] = {
    "regions.bed": (regions, lambda _: BED),
    "confident.bed": (bed_rows, lambda _: BED),
    "strata.tsv": (strata, lambda _: "low\ta.bed\n"),
    "calls.vcf": (call_set, vcf_text),
    "shard.vcf": (shard, vcf_text),
    "recipe.toml": (recipe, lambda _: "[train]\nsteps = 7\n[triage]\nrounds = 3\n"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, name: str) -> None:
    read, text_in = READERS[name]
    path = tmp_path / name
    path.write_text(text_in(tmp_path), encoding="utf-8-sig")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    read(path)


@pytest.mark.parametrize("name", ["regions.bed", "confident.bed"])
def test_a_mark_inside_gzip_is_no_part_of_the_text_either(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.gz"
    path.write_bytes(gzip.compress(BED.encode("utf-8-sig")))
    READERS[name][0](path)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_refused(tmp_path: Path, name: str, encoding: str) -> None:
    read, text_in = READERS[name]
    path = tmp_path / name
    path.write_bytes(("\ufeff" + text_in(tmp_path)).encode(encoding))
    with pytest.raises((InputError, ModelError)) as caught:
        read(path)
    message = str(caught.value)
    assert name in message
    assert "\n" not in message
    assert ("'utf-8' codec" if name == "recipe.toml" else "UTF-16") in message


def test_rtg_gets_bed_files_without_the_mark(tmp_path: Path) -> None:
    marked, plain, scratch = tmp_path / "m.bed", tmp_path / "p.bed", tmp_path / "scratch"
    marked.write_text(BED, encoding="utf-8-sig")
    plain.write_text(BED)
    scratch.mkdir()
    options = EvalOptions(
        tmp_path, (tmp_path,), tmp_path, counts=tmp_path, confident=marked, bed_regions=plain
    )
    given = rtg_engine._without_marks(options, scratch)
    assert given.confident is not None
    assert given.confident != marked
    assert given.confident.read_bytes() == BED.encode()
    assert given.bed_regions == plain
