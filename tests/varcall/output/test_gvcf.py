"""gVCFs: every base once, the VCF's records, and the same bytes however the work is cut."""

import random
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pysam
import pytest

from tests.builders import REVERSE, ReadsBuilder, random_sequence, write_reference
from tests.gvcfs import GvcfLine, check_gvcf, gvcf_lines, recovered
from varcall.cli import run
from varcall.errors import InputError, OutputError, UsageError
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.output.gvcf import GqBands, GvcfFormat
from varcall.output.merge import MergeOptions, merge_shards
from varcall.pipeline import call_variants

LENGTH, READ = 9_000, 100
# All 0-based. The deletion crosses 3000, where windows of 1000 are cut; the SNV is on the other
# haplotype, in what it deletes.
DELETED, INSIDE, INSERTED = (2980, 3020), 3010, 5500
SNVS = (1200, 1999, 2000, 4100, 7000)
UNKNOWN, BARE = (6000, 6200), (7600, 8200)


@dataclass(frozen=True)
class Sample:
    """Reads of a made diploid, and its reference."""

    bam: Path
    reference: Path

    def options(self, folder: Path, **changes: object) -> CallOptions:
        options = CallOptions(
            reads=self.bam,
            reference=self.reference,
            output=None,
            gvcf=str(folder / "out.g.vcf"),
            window=1000,
        )
        return replace(options, **changes)  # type: ignore[arg-type]

    def call(self, folder: Path, **changes: object) -> bytes:
        """Call; return the bytes of the gVCF."""
        options = self.options(folder, **changes)
        call_variants(options)
        return Path(str(options.gvcf)).read_bytes()

    @property
    def regions(self) -> list[Region]:
        return [Region("a", 0, LENGTH), Region("b", 0, 700)]


def haplotypes(sequence: str) -> list[tuple[str, list[int]]]:
    """Both haplotypes, each with the reference position of every base (-1: inserted)."""
    unlike = str.maketrans("ACGTN", "CGTAN")
    made = []
    for number in (0, 1):
        bases = list(sequence)
        places = list(range(len(sequence)))
        changed = [*SNVS[number:], INSIDE] if number else list(SNVS[::2])
        for at in changed:
            bases[at] = bases[at].translate(unlike)
        if number == 0:
            first, last = DELETED
            del bases[first:last], places[first:last]
            at = places.index(INSERTED)
            bases[at:at], places[at:at] = list("GATTACA"), [-1] * 7
        made.append(("".join(bases), places))
    return made


def cigar_of(places: list[int]) -> str:
    letters = ""
    last = places[0] - 1
    for place in places:
        if place < 0:
            letters += "I"
            continue
        letters += "D" * (place - last - 1) + "M"
        last = place
    runs = [letters[0]]
    for letter in letters[1:]:
        if letter == runs[-1][0]:
            runs[-1] += letter
        else:
            runs.append(letter)
    return "".join(f"{len(letter)}{letter[0]}" for letter in runs)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sample")
    sequence = random_sequence(LENGTH, seed=11)
    sequence = sequence[: UNKNOWN[0]] + "N" * (UNKNOWN[1] - UNKNOWN[0]) + sequence[UNKNOWN[1] :]
    reference = write_reference(
        folder / "ref.fa", {"a": sequence, "b": random_sequence(700, seed=12)}
    )
    reads = ReadsBuilder(reference)
    drawn = random.Random(5)
    for bases, places in haplotypes(sequence):
        for number in range(16 * LENGTH // READ):
            start = int(drawn.random() * (len(bases) - READ))
            own = places[start : start + READ]
            if own[0] < 0 or own[-1] < 0 or "N" in bases[start : start + READ]:
                continue
            if own[-1] >= BARE[0] and own[0] < BARE[1]:
                continue
            letters = list(bases[start : start + READ])
            for at in range(READ):
                if drawn.random() < 0.002:
                    letters[at] = "ACGT"[int(drawn.random() * 4)]
            flag = REVERSE if number % 2 else 0
            text = "".join(letters)
            reads.add(contig="a", start=own[0], cigar=cigar_of(own), seq=text, flag=flag)
    return Sample(reads.write_bam(folder / "reads.bam"), reference)


@pytest.fixture(scope="module")
def whole(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gVCF of one run over all."""
    folder = tmp_path_factory.mktemp("whole")
    sample.call(folder)
    return folder / "out.g.vcf"


def body(text: bytes) -> bytes:
    return b"".join(line for line in text.splitlines(True) if not line.startswith(b"#"))


def at(lines: list[GvcfLine], position: int, contig: str = "a") -> list[GvcfLine]:
    """Return the lines that cover a base."""
    return [
        line for line in lines if line.fields[0] == contig and line.start <= position < line.end
    ]


def test_every_base_once_and_the_records_of_the_vcf(
    sample: Sample, whole: Path, tmp_path: Path
) -> None:
    lines = check_gvcf(whole, sample.regions, sample.reference)
    plain = tmp_path / "out.vcf"
    call_variants(sample.options(tmp_path, output=str(plain), gvcf=None))
    records = [line for line in plain.read_text().splitlines(True) if not line.startswith("#")]
    assert recovered(lines) == records
    starts = {line.start for line in lines if not line.is_block and line.fields[6] == "PASS"}
    assert {*SNVS, DELETED[0] - 1, INSIDE, INSERTED - 1} <= starts
    # Inside a deletion that a haplotype has, an SNV of the other: both cover their own bases.
    assert len(at(lines, INSIDE)) == 2
    assert len(at(lines, DELETED[1] - 1)) == 1


def test_the_vcf_is_the_same_with_it(sample: Sample, whole: Path, tmp_path: Path) -> None:
    for suffix in (".vcf", ".vcf.gz", ".bcf"):
        both = [tmp_path / f"{name}{suffix}" for name in ("alone", "beside")]
        call_variants(sample.options(tmp_path, output=str(both[0]), gvcf=None))
        again = sample.call(tmp_path, output=str(both[1]))
        assert both[0].read_bytes() == both[1].read_bytes()
        assert again == whole.read_bytes()


def test_blocks_tell_what_is_not_known(whole: Path) -> None:
    lines = list(gvcf_lines(whole))
    (unknown,) = at(lines, UNKNOWN[0] + 50)
    assert unknown.fields[9] == "./.:0:0:0,0,0"
    (bare,) = at(lines, sum(BARE) // 2)
    assert bare.fields[9] == "./.:0:0:0,0,0"
    assert bare.end - bare.start >= BARE[1] - BARE[0]
    (empty,) = at(lines, 300, "b")
    assert (empty.start, empty.end) == (0, 700)
    (sure,) = at(lines, 3600)
    assert sure.call["GT"] == "0/0"
    assert 40 <= int(sure.call["GQ"]) <= 99
    assert int(sure.call["MIN_DP"]) >= 12


def test_blocks_are_of_one_band_and_do_not_go_on(whole: Path) -> None:
    """Blocks that meet differ in band, so nothing was cut at a window's edge."""
    band = GqBands(5).band
    blocks = [line for line in gvcf_lines(whole) if line.is_block]
    for before, after in pairwise(blocks):
        if before.end == after.start and before.fields[0] == after.fields[0]:
            assert band[int(before.call["GQ"])] != band[int(after.call["GQ"])]


def test_what_is_seen_of_others_is_counted_in_records(whole: Path) -> None:
    lines = list(gvcf_lines(whole))
    (snv,) = [line for line in lines if line.start == SNVS[0]]
    assert snv.fields[4].endswith(",<*>")
    # A homozygous call speaks against any other allele, the more the less there is of it.
    pl = snv.pl
    assert min(pl[3:]) > 30
    assert pl[5] > 99


@pytest.mark.parametrize(
    "changes",
    [{"window": 50_000}, {"window": 500}, {"window": 733}, {"threads": 2}, {"batch_size": 1}],
    ids=str,
)
def test_windows_and_threads_change_nothing(
    sample: Sample, whole: Path, tmp_path: Path, changes: dict[str, int]
) -> None:
    text = sample.call(tmp_path, **changes)
    if "window" in changes:
        assert body(text) == body(whole.read_bytes())
    else:
        assert text == whole.read_bytes()


@pytest.mark.parametrize("suffix", [".g.vcf", ".g.vcf.gz", ".bcf"])
@pytest.mark.parametrize("count", [2, 10])
def test_merged_shards_are_the_whole(
    sample: Sample, tmp_path: Path, count: int, suffix: str
) -> None:
    shards = [tmp_path / f"{index}{suffix}" for index in range(1, count + 1)]
    for index, path in enumerate(shards, 1):
        sample.call(tmp_path, gvcf=str(path), shard=(index, count))
    sample.call(tmp_path, gvcf=str(tmp_path / f"whole{suffix}"))
    merged = tmp_path / f"merged{suffix}"
    merge_shards(MergeOptions(tuple(shards), str(merged)))
    assert merged.read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_merged_regions_are_the_whole(sample: Sample, whole: Path, tmp_path: Path) -> None:
    parts = []
    for region in ("a:1-3500", "a:3501-9000", "b"):
        parts.append(tmp_path / f"{len(parts)}.g.vcf")
        sample.call(tmp_path, gvcf=str(parts[-1]), regions=(region,))
    merged = tmp_path / "merged.g.vcf"
    merge_shards(MergeOptions(tuple(parts), str(merged)))
    assert body(merged.read_bytes()) == body(whole.read_bytes())


def test_regions_with_a_record_over_their_border_are_refused(
    sample: Sample, tmp_path: Path
) -> None:
    parts = [tmp_path / "0.g.vcf", tmp_path / "1.g.vcf"]
    for path, region in zip(parts, ("a:1-2990", "a:2991-3300"), strict=True):
        sample.call(tmp_path, gvcf=str(path), regions=(region,))
    # Blocks of one base are left out; a longer one would be covered in part.
    lines = parts[1].read_text().splitlines(True)
    first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    lines[first] = re.sub(r"END=\d+", "END=3100", lines[first])
    parts[1].write_text("".join(lines))
    merged = tmp_path / "merged.g.vcf"
    with pytest.raises(InputError, match="merge the shards of one run") as caught:
        merge_shards(MergeOptions(tuple(parts), str(merged)))
    assert "\n" not in str(caught.value)
    assert not merged.exists()


def test_neighbouring_regions_share_the_border(sample: Sample, tmp_path: Path) -> None:
    """A record that reaches from one region into the next one covers its bases there."""
    sample.call(tmp_path, regions=("a:1-2990", "a:2995-3300"), window=500)
    regions = [Region("a", 0, 2990), Region("a", 2994, 3300)]
    lines = check_gvcf(tmp_path / "out.g.vcf", regions, sample.reference)
    assert not at(lines, 3100)[0].fields[9].startswith("./.")


def test_finished_windows_are_used_again(sample: Sample, whole: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    options = {"workdir": work, "resume": True}
    assert sample.call(tmp_path, **options) == whole.read_bytes()
    kept = sorted(work.rglob("*.window"))
    kept[0].unlink()
    stamps = {path: path.stat().st_mtime_ns for path in kept[1:]}
    assert sample.call(tmp_path, **options) == whole.read_bytes()
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    # Windows of a run without a gVCF, or with other bands, are others.
    plain = tmp_path / "plain.vcf"
    call_variants(sample.options(tmp_path, output=str(plain), gvcf=None, **options))
    assert len(list(work.rglob("*.window"))) == 2 * len(kept)
    sample.call(tmp_path, gvcf_gq_bands=10, **options)
    assert len(list(work.rglob("*.window"))) == 3 * len(kept)


@pytest.mark.parametrize("width", [1, 20, 99])
def test_bands_may_be_of_any_width(sample: Sample, whole: Path, tmp_path: Path, width: int) -> None:
    sample.call(tmp_path, gvcf_gq_bands=width)
    lines = check_gvcf(tmp_path / "out.g.vcf", sample.regions, sample.reference)
    least = len(list(gvcf_lines(whole)))
    assert len(lines) > least if width == 1 else len(lines) < least


def test_haploid_contigs(sample: Sample, tmp_path: Path) -> None:
    sample.call(tmp_path, haploid_contigs=("a",))
    lines = check_gvcf(tmp_path / "out.g.vcf", sample.regions, sample.reference)
    (sure,) = at(lines, 3600)
    assert sure.call["GT"] == "0"
    assert len(sure.pl) == 2
    assert at(lines, 300, "b")[0].call["GT"] == "./."


def test_the_name_of_gatk(sample: Sample, whole: Path, tmp_path: Path) -> None:
    text = sample.call(tmp_path, gvcf_alt="NON_REF")
    assert body(text) == body(whole.read_bytes()).replace(b"<*>", b"<NON_REF>")
    assert b"##ALT=<ID=NON_REF," in text
    check_gvcf(tmp_path / "out.g.vcf", sample.regions, sample.reference)


def test_the_header_says_how_it_is_spelled() -> None:
    spelled = GvcfFormat("NON_REF", GqBands(7))
    assert GvcfFormat.of_header(f"##a\n{spelled.header_lines()}##b\n") == spelled
    assert GvcfFormat.of_header("##fileformat=VCFv4.2\n") is None


def test_indexes(sample: Sample, whole: Path, tmp_path: Path) -> None:
    wanted = [line.fields for line in at(list(gvcf_lines(whole)), 7900)]
    for suffix, index in ((".g.vcf.gz", ".tbi"), (".g.bcf", ".csi")):
        path = tmp_path / f"out{suffix}"
        sample.call(tmp_path, gvcf=str(path))
        assert sorted(found.name for found in tmp_path.iterdir()) == [
            path.name,
            path.name + index,
        ]
        with pysam.VariantFile(str(path)) as records:
            found = list(records.fetch("a", 7900, 7901))
        # The block began long before.
        assert [(record.start, record.stop) for record in found] == [
            (int(fields[1]) - 1, int(fields[7][4:])) for fields in wanted
        ]
        for made in tmp_path.iterdir():
            made.unlink()
    sample.call(tmp_path, gvcf=str(tmp_path / "out.g.vcf.gz"), write_index=False)
    assert [found.name for found in tmp_path.iterdir()] == ["out.g.vcf.gz"]


def test_an_interrupted_call_leaves_nothing(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from varcall.workers.window_worker import Worker

    original: Callable[..., object] = Worker.call
    calls = iter(range(100))

    def interrupted(self: Worker, window: Region) -> object:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return original(self, window)

    monkeypatch.setattr(Worker, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample.call(tmp_path, output=str(tmp_path / "out.vcf"))
    assert list(tmp_path.iterdir()) == []


def test_outputs_are_two_files(sample: Sample, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"--gvcf would write .*x\.vcf, which is"):
        call_variants(
            sample.options(tmp_path, output=str(tmp_path / "x.vcf"), gvcf=str(tmp_path / "x.vcf"))
        )
    with pytest.raises(UsageError, match="both name standard output"):
        sample.options(tmp_path, output="-", gvcf="-")
    with pytest.raises(UsageError, match="nothing would be written"):
        sample.options(tmp_path, output=None, gvcf=None)
    with pytest.raises(UsageError, match="--gvcf is empty"):
        sample.options(tmp_path, gvcf="")
    with pytest.raises(UsageError, match="--gvcf-alt"):
        sample.options(tmp_path, gvcf_alt="X")
    with pytest.raises(UsageError, match="--gvcf-gq-bands"):
        sample.options(tmp_path, gvcf_gq_bands=0)


def test_alone_it_writes_no_vcf(
    sample: Sample, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gvcf = tmp_path / "a.g.vcf"
    words = ["call", str(sample.bam), "-f", str(sample.reference), "--gvcf", str(gvcf)]
    assert run([*words, "--window", "1000", "--quiet"]) == 0
    assert capfd.readouterr().out == ""
    assert body(gvcf.read_bytes()) == body(whole.read_bytes())
    assert run([*words, "--window", "1000", "--quiet", "-o", "-"]) == 0
    assert capfd.readouterr().out.startswith("##fileformat")


def shell(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True)
    assert "rror" not in done.stderr
    return done.stdout


@pytest.mark.tools("bcftools")
def test_bcftools_reads_it(sample: Sample, whole: Path, tmp_path: Path) -> None:
    lines = [line.fields for line in gvcf_lines(whole)]
    viewed = shell("bcftools", "view", "-H", whole)
    assert [tuple(line.split("\t")) for line in viewed.splitlines()] == lines
    normed = shell("bcftools", "norm", "-c", "e", "-f", sample.reference, "-Ov", whole)
    kept = [line for line in normed.splitlines() if not line.startswith("#")]
    assert len(kept) == len(lines)
    expanded = shell("bcftools", "convert", "--gvcf2vcf", "-f", sample.reference, "-Ov", whole)
    places = [
        tuple(line.split("\t")[:2]) for line in expanded.splitlines() if not line.startswith("#")
    ]
    # Every base of a block has a record of its own now.
    blocks = [
        (fields[0], str(at + 1))
        for line in gvcf_lines(whole)
        if line.is_block
        for fields in [line.fields]
        for at in range(line.start, line.end)
    ]
    assert set(blocks) <= set(places)
    assert len(places) == len(blocks) + sum(not line.is_block for line in gvcf_lines(whole))


@pytest.mark.tools("bcftools")
def test_bcftools_merges_two(sample: Sample, tmp_path: Path) -> None:
    """The second sample is the same reads in part of their depth, and without the deletion."""
    paths = []
    for name, changes in (("one", {}), ("two", {"exclude_flags": 1796 | REVERSE})):
        paths.append(tmp_path / f"{name}.g.vcf.gz")
        sample.call(tmp_path, gvcf=str(paths[-1]), sample_name=name, **changes)
    merged = shell("bcftools", "merge", "--gvcf", sample.reference, "-Ov", *paths)
    rows = [line.split("\t") for line in merged.splitlines() if not line.startswith("#")]
    calls = {int(row[1]) - 1: row for row in rows if row[0] == "a"}
    for at_snv in SNVS:
        row = calls[at_snv]
        assert [call.split(":")[0] for call in row[9:]].count("./.") == 0
        assert row[4].endswith("<*>")
