"""Faults of the reference, alone and against the reads: rows F8 to F12 of the fault table."""

import gzip
import hashlib
import os
import pickle
import re
import shutil
from pathlib import Path

import pysam
import pytest

from tests.builders import ReadsBuilder, random_sequence, substitute, write_reference
from varcall.cli import run
from varcall.errors import InputError
from varcall.inputs.checks import Checksums
from varcall.inputs.open import check_inputs, open_inputs
from varcall.inputs.regions import Region

SEQUENCES = {"chr1": random_sequence(30_000), "chr2": random_sequence(20_000, 2)}


def md5(sequence: str) -> str:
    return hashlib.md5(sequence.encode()).hexdigest()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write_reference(tmp_path / "ref.fa", SEQUENCES)


@pytest.fixture
def bam(reference: Path) -> Path:
    reads = ReadsBuilder(reference).tile(step=25).tile(contig="chr2", step=50)
    return reads.write_bam(reference.with_name("reads.bam"))


def other_reference(reference: Path, contigs: dict[str, str], name: str = "other.fa") -> Path:
    return write_reference(reference.with_name(name), contigs)


@pytest.mark.parametrize("bgzip", [False, True])
def test_missing_indexes_are_asked_for_not_built(tmp_path: Path, bam: Path, bgzip: bool) -> None:
    path = write_reference(tmp_path / "new.fa.gz", SEQUENCES, bgzip=bgzip, index=False)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=f"samtools faidx .*{path.name}"):
        open_inputs(bam, path)
    assert sorted(tmp_path.iterdir()) == before


def test_bgzipped_reference_works_and_needs_its_gzi(tmp_path: Path, bam: Path) -> None:
    path = write_reference(tmp_path / "new.fa.gz", SEQUENCES, bgzip=True)
    assert open_inputs(bam, path).contigs == {"chr1": 30_000, "chr2": 20_000}
    (tmp_path / "new.fa.gz.gzi").unlink()
    with pytest.raises(InputError, match="samtools faidx"):
        open_inputs(bam, path)


def test_f8_plain_gzip_reference_is_refused(reference: Path, bam: Path) -> None:
    path = reference.with_name("plain.fa.gz")
    path.write_bytes(gzip.compress(reference.read_bytes()))
    shutil.copy(f"{reference}.fai", f"{path}.fai")
    with pytest.raises(InputError, match="not bgzipped"):
        open_inputs(bam, path)


def test_f8_the_chr_twin_is_named_with_the_way_to_mend(reference: Path, bam: Path) -> None:
    path = other_reference(reference, {"1": SEQUENCES["chr1"], "2": SEQUENCES["chr2"]})
    with pytest.raises(InputError, match=r"'chr1'.*calls it '1'.*samtools reheader") as caught:
        open_inputs(bam, path)
    # The command that the message gives does mend it.
    command = str(caught.value).partition("(")[2].rpartition(")")[0]
    if shutil.which("samtools"):
        assert os.system(f"cd {bam.parent} && {command}") == 0
        assert open_inputs(bam.with_name("reads.renamed.bam"), path).contigs["1"] == 30_000


def test_f8_zero_common_contigs(reference: Path, bam: Path) -> None:
    path = other_reference(reference, {"ctg9": SEQUENCES["chr1"]})
    with pytest.raises(InputError, match=r"share no contig.*'chr1', 'chr2'.*'ctg9'"):
        open_inputs(bam, path)


def test_f8_contigs_that_the_reference_lacks_are_a_warning_unless_asked_for(
    reference: Path, bam: Path
) -> None:
    path = other_reference(reference, {"chr2": SEQUENCES["chr2"]})
    inputs = open_inputs(bam, path)
    assert inputs.contigs == {"chr2": 20_000}
    assert inputs.regions == (Region("chr2", 0, 20_000),)
    assert "'chr1'" in inputs.warnings[0]
    assert open_inputs(bam, path, regions=["chr2:1-500"]).warnings == ()
    with pytest.raises(InputError, match="no contig 'chr1'"):
        open_inputs(bam, path, regions=["chr1:1-500"])
    with pytest.raises(InputError, match="there is 'chr2': write that"):
        open_inputs(bam, path, regions=["2"])


def test_f8_extra_contigs_without_reads_are_fine(reference: Path) -> None:
    contigs = {"chr1": 30_000, "chr2": 20_000, "decoy": 999}
    reads = ReadsBuilder(reference, contigs=contigs).tile(step=50)
    path = reads.write_bam(reference.with_name("x.bam"))
    assert open_inputs(path, reference).warnings == ()


def test_f8_reads_only_on_contigs_that_the_reference_lacks(reference: Path) -> None:
    reads = ReadsBuilder(reference).tile(contig="chr2", step=50)
    path = reads.write_bam(reference.with_name("x.bam"))
    other = other_reference(reference, {"chr1": SEQUENCES["chr1"]})
    with pytest.raises(InputError, match="no read is on a contig of the reference"):
        open_inputs(path, other)


def test_f8_a_longer_contig_in_the_reference_is_another_build(reference: Path, bam: Path) -> None:
    contigs = {"chr1": SEQUENCES["chr1"] + "A", "chr2": SEQUENCES["chr2"]}
    path = other_reference(reference, contigs)
    with pytest.raises(InputError, match=r"'chr1' has 30,000 bases .* 30,001 in the FASTA"):
        open_inputs(bam, path)
    # Only the contigs in use have to fit.
    assert open_inputs(bam, path, regions=["chr2"]).warnings == ()


def test_f8_the_first_part_of_a_contig_will_do_where_the_reads_agree(
    reference: Path, bam: Path
) -> None:
    contigs = {"chr1": SEQUENCES["chr1"][:9000], "chr2": SEQUENCES["chr2"]}
    inputs = open_inputs(bam, other_reference(reference, contigs))
    assert "only 9,000 of the 30,000 bases of 'chr1'" in inputs.warnings[0]
    assert inputs.regions[0] == Region("chr1", 0, 9000)
    contigs["chr1"] = random_sequence(9000, 77)
    with pytest.raises(InputError, match="wrong reference build"):
        open_inputs(bam, other_reference(reference, contigs, "wrong.fa"))


def with_m5(reference: Path, name: str, chr1: str) -> Path:
    tags = {"chr1": f"M5:{chr1}", "chr2": f"M5:{md5(SEQUENCES['chr2']).upper()}"}
    reads = ReadsBuilder(reference, sq_tags=tags).tile(step=25).tile(contig="chr2", step=50)
    return reads.write_bam(reference.with_name(name))


def test_f9_m5_is_compared(reference: Path) -> None:
    good = with_m5(reference, "good.bam", md5(SEQUENCES["chr1"]))
    assert open_inputs(good, reference).md5 == {
        name: md5(sequence) for name, sequence in SEQUENCES.items()
    }
    # One base of 30,000: no sample of reads would tell.
    base = "A" if SEQUENCES["chr1"][20_000] != "A" else "C"
    contigs = {**SEQUENCES, "chr1": substitute(SEQUENCES["chr1"], {20_000: base})}
    other = other_reference(reference, contigs)
    with pytest.raises(InputError, match=r"'chr1'.*M5"):
        open_inputs(good, other)
    assert open_inputs(good, other, regions=["chr2"]).md5.keys() == {"chr2"}


def test_f9_bytes_that_are_no_text(reference: Path) -> None:
    """Found by the campaign of corruptions: the checksum was taken of what is no text."""
    builder = ReadsBuilder(reference, sq_tags={"chr1": "M5:" + "0" * 32}).tile()
    bam = builder.write_bam(reference.with_name("reads.bam"))
    content = bytearray(reference.read_bytes())
    content[100] = 0xAC
    reference.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read 'chr1' of .*ref.fa"):
        open_inputs(bam, reference)


def test_f9_lower_case_is_the_same_sequence(reference: Path) -> None:
    good = with_m5(reference, "good.bam", md5(SEQUENCES["chr1"]))
    contigs = {**SEQUENCES, "chr1": SEQUENCES["chr1"].lower()}
    assert "chr1" in open_inputs(good, other_reference(reference, contigs)).md5


def test_f9_a_mostly_masked_contig_is_judged_by_its_reads(reference: Path) -> None:
    good = with_m5(reference, "good.bam", md5(SEQUENCES["chr1"]))
    masked = "N" * 25_000 + SEQUENCES["chr1"][25_000:]
    inputs = open_inputs(good, other_reference(reference, {**SEQUENCES, "chr1": masked}))
    assert "is N in the reference" in inputs.warnings[0]
    assert inputs.md5.keys() == {"chr2"}
    foreign = "N" * 25_000 + random_sequence(5000, 9)
    path = other_reference(reference, {**SEQUENCES, "chr1": foreign}, "foreign.fa")
    with pytest.raises(InputError, match="wrong reference build"):
        open_inputs(good, path)


def test_f9_without_m5_the_reads_tell_a_wrong_build(reference: Path, bam: Path) -> None:
    contigs = {**SEQUENCES, "chr2": random_sequence(20_000, 5)}
    with pytest.raises(InputError, match=r"of \d+ sampled reads on 'chr2'.*wrong reference build"):
        open_inputs(bam, other_reference(reference, contigs))


def test_f9_a_noisy_library_is_not_a_wrong_build(reference: Path) -> None:
    reads = ReadsBuilder(reference)
    for start in range(0, 29_000, 40):
        sequence = SEQUENCES["chr1"][start : start + 100]
        changed = {at: "ACGT"["CGTA".index(sequence[at])] for at in range(3, 100, 17)}
        reads.add(start=start, cigar="100M", seq=substitute(sequence, changed))
    path = reads.write_bam(reference.with_name("noisy.bam"))
    assert open_inputs(path, reference).warnings == ()


@pytest.fixture
def masked_copy(reference: Path) -> Path:
    """Hard-masked here and there, as copies for alignment are."""
    chr1 = SEQUENCES["chr1"]
    masked = "".join(chr1[at : at + 500] + "N" * 100 for at in range(0, 30_000, 600))
    return other_reference(reference, {**SEQUENCES, "chr1": masked}, "masked.fa")


def test_f28_another_reference_is_used_where_that_is_allowed(
    reference: Path, masked_copy: Path
) -> None:
    bam = with_m5(reference, "good.bam", md5(SEQUENCES["chr1"]))
    with pytest.raises(InputError, match=r"'chr1'.*M5.*--allow-other-reference"):
        open_inputs(bam, masked_copy)
    inputs = open_inputs(bam, masked_copy, allow_other_reference=True)
    assert inputs.other_contigs == ("chr1",)
    assert inputs.md5.keys() == {"chr2"}
    (warning,) = inputs.warnings
    assert re.search(r"masked.fa does not hold .* of 'chr1', .*0.0% of \d", warning)
    found = check_inputs(bam, masked_copy, allow_other_reference=True)
    assert {f.level for f in found if f.check == "checksums"} == {"ok", "warning"}
    # Nothing to allow: nothing is said.
    assert open_inputs(bam, reference, allow_other_reference=True).warnings == ()


def test_f28_neither_another_length_nor_another_sequence_is_allowed(reference: Path) -> None:
    bam = with_m5(reference, "good.bam", md5(SEQUENCES["chr1"]))
    for sequence, message in (
        (SEQUENCES["chr1"] + "A", "30,001 in the FASTA"),
        (random_sequence(30_000, 77), "wrong reference build"),
    ):
        path = other_reference(reference, {**SEQUENCES, "chr1": sequence})
        with pytest.raises(InputError, match=message):
            open_inputs(bam, path, allow_other_reference=True)


def test_f28_a_cram_is_decoded_with_its_reference_only(reference: Path, masked_copy: Path) -> None:
    cram = ReadsBuilder(reference).tile(step=25).write_cram(reference.with_name("reads.cram"))
    with pytest.raises(InputError, match=r"give that reference, as the bases of a CRAM"):
        open_inputs(cram, masked_copy, allow_other_reference=True)


def test_f28_every_command_that_checks_takes_the_option(
    reference: Path, masked_copy: Path, untrained_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = reference.parent
    tags = {"chr1": f"M5:{md5(SEQUENCES['chr1'])}"}
    reads = ReadsBuilder(reference, sq_tags=tags).tile(step=25).tile(contig="chr2", step=50)
    for start in range(9_960, 10_000, 2):
        base = "CGTA"["ACGT".index(SEQUENCES["chr1"][10_000])]
        seq = substitute(SEQUENCES["chr1"][start : start + 50], {10_000 - start: base})
        reads.add(start=start, seq=seq)
    bam = str(reads.write_bam(folder / "variant.bam"))
    vcf = folder / "calls.vcf.gz"
    commands = [
        ["call", bam, "-o", str(vcf), "--model", str(untrained_model), "--min-qual", "0"],
        ["check", bam],
        ["profile", bam],
        ["show", bam, "-r", "chr1:10001", "-o", str(folder / "a.png")],
        ["show", bam, "--vcf", str(vcf), "-o", str(folder / "a.html")],
        ["examples", bam, "--truth", str(vcf), "-o", str(folder / "examples")],
    ]
    for command in commands:
        assert run([*command, "-f", str(masked_copy)]) == 1, command
        said = capsys.readouterr()
        assert "--allow-other-reference" in said.out + said.err
        assert run([*command, "-f", str(masked_copy), "--allow-other-reference"]) == 0, command
        if command[0] == "call":
            with pysam.VariantFile(str(vcf)) as calls:
                header = str(calls.header)
                assert len(list(calls)) == 1
            assert "\n##varcall_other_reference=chr1\n" in header
            assert " --allow-other-reference " in header


def diverged(sequence: str, step: int) -> str:
    """Change one base of every `step`."""
    changes = {at: "CGTA"["ACGT".index(sequence[at])] for at in range(0, len(sequence), step)}
    return substitute(sequence, changes)


@pytest.mark.parametrize("depth_step", [10, 60])
@pytest.mark.parametrize(("step", "said"), [(42, "2.4% of "), (95, "1.1% of "), (200, "")])
def test_f27_a_reference_that_most_reads_differ_from_is_said(
    reference: Path, depth_step: int, step: int, said: str
) -> None:
    reads = ReadsBuilder(reference).tile(step=depth_step, read_length=100)
    bam = reads.write_bam(reference.with_name("reads.bam"))
    contigs = {**SEQUENCES, "chr1": diverged(SEQUENCES["chr1"], step)}
    warnings = open_inputs(bam, other_reference(reference, contigs)).warnings
    assert len(warnings) == bool(said)
    for warning in warnings:
        assert said in warning
        assert "another build" in warning


def test_f27_one_large_contig_of_several_is_named(reference: Path) -> None:
    contigs = {f"chr{n}": random_sequence(3000, n) for n in range(1, 21)}
    small = {f"decoy{n}": random_sequence(400, 100 + n) for n in range(20)}
    path = other_reference(reference, {**contigs, **small}, "many.fa")
    reads = ReadsBuilder(path)
    for name in (*contigs, *small):
        reads.tile(contig=name, step=25)
    bam = reads.write_bam(path.with_name("many.bam"))
    # Reads on decoys differ in every genome.
    odd = {name: diverged(sequence, 20) for name, sequence in small.items()}
    assert open_inputs(bam, other_reference(path, {**contigs, **odd})).warnings == ()
    odd["chr7"] = diverged(contigs["chr7"], 40)
    (warning,) = open_inputs(bam, other_reference(path, {**contigs, **odd})).warnings
    assert "sampled positions of 'chr7', most reads" in warning


def test_f10_cram_against_another_sequence(reference: Path) -> None:
    reads = ReadsBuilder(reference).tile(step=25)
    cram = reads.write_cram(reference.with_name("reads.cram"))
    assert open_inputs(cram, reference).is_cram
    base = "A" if SEQUENCES["chr1"][5_000] != "A" else "C"
    contigs = {**SEQUENCES, "chr1": substitute(SEQUENCES["chr1"], {5_000: base})}
    # Said of the sequence itself, before htslib fails to decode a slice.
    with pytest.raises(InputError, match=r"'chr1' of .*other.fa is not the sequence .* says M5"):
        open_inputs(cram, other_reference(reference, contigs))


def test_f10_cram_with_other_names_or_no_reference(reference: Path) -> None:
    cram = ReadsBuilder(reference).tile(step=25).write_cram(reference.with_name("reads.cram"))
    path = other_reference(reference, {"1": SEQUENCES["chr1"]})
    with pytest.raises(InputError, match="calls it '1'"):
        open_inputs(cram, path)
    with pytest.raises(InputError, match="does not exist"):
        open_inputs(cram, reference.with_name("absent.fa"))


def test_f10_cram_without_m5_is_judged_by_decoding(
    reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cram = ReadsBuilder(reference).tile(step=25).write_cram(reference.with_name("reads.cram"))
    contigs = {**SEQUENCES, "chr1": random_sequence(30_000, 8)}
    other = other_reference(reference, contigs)
    # The checksum test would refuse it first.
    unknown = Checksums({}, frozenset(), ())
    monkeypatch.setattr("varcall.inputs.open.check_checksums", lambda *a, **k: (unknown, ""))
    with pytest.raises(InputError, match=r"cannot be decoded|none can be fetched"):
        open_inputs(cram, other)


def rewrapped(sequence: str, width: int) -> str:
    return "".join(sequence[i : i + width] + "\n" for i in range(0, len(sequence), width))


def ragged(sequence: str) -> str:
    """Lines of 59 and 61 bases: as many bytes as the index expects, with ends elsewhere."""
    pairs = (sequence[i : i + 120] for i in range(0, len(sequence), 120))
    return "".join(f"{pair[:59]}\n{pair[59:]}\n" for pair in pairs)


STALE = {
    "ragged lines": lambda s: f">chr1\n{ragged(s['chr1'])}>chr2\n{rewrapped(s['chr2'], 60)}",
    "renamed": lambda s: f">chr1\n{rewrapped(s['chr1'], 60)}>chrX\n{rewrapped(s['chr2'], 60)}",
    "other line width": lambda s: (
        f">chr1\n{rewrapped(s['chr1'], 50)}>chr2\n{rewrapped(s['chr2'], 60)}"
    ),
    "a base more": lambda s: f">chr1\nA{rewrapped(s['chr1'], 60)}>chr2\n{rewrapped(s['chr2'], 60)}",
    "cut": lambda s: f">chr1\n{rewrapped(s['chr1'][:-300], 60)}",
    "order": lambda s: f">chr2\n{rewrapped(s['chr2'], 60)}>chr1\n{rewrapped(s['chr1'], 60)}",
    "a contig more": lambda s: (
        f">chr1\n{rewrapped(s['chr1'], 60)}>chr2\n{rewrapped(s['chr2'], 60)}>chr3\nACGT\n"
    ),
    "longer header": lambda s: (
        f">chr1 here\n{rewrapped(s['chr1'], 60)}>chr2\n{rewrapped(s['chr2'], 60)}"
    ),
    "no newline": lambda s: f">chr1\n{s['chr1']}>chr2\n{s['chr2']}",
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE.keys())
def test_f11_a_stale_fai_is_refused(reference: Path, bam: Path, change: object) -> None:
    assert callable(change)
    reference.write_text(change(SEQUENCES))
    # Before any sequence is fetched: `Reference` would notice only what it happens to read.
    with pytest.raises(InputError, match=r"made before the FASTA .* samtools faidx"):
        open_inputs(bam, reference)


def test_f11_blanks_at_line_ends_are_no_stale_fai(reference: Path, bam: Path) -> None:
    """Found in the tests of samtools: htslib indexes such lines, and reads them right."""
    lines = {name: rewrapped(sequence, 50) for name, sequence in SEQUENCES.items()}
    text = "".join(f">{name}\n{lines[name]}" for name in lines)
    reference.write_text(text.replace("\n", " \n").replace(">chr1 \n", ">chr1\n"))
    pysam.faidx(str(reference))
    assert open_inputs(bam, reference).warnings == ()


@pytest.mark.parametrize(
    "text", ["", "chr1\t30000\n", "chr1\tx\t6\t60\t61\n", "chr1\t9\t6\t61\t60\n"]
)
def test_f11_a_malformed_fai_is_refused(reference: Path, bam: Path, text: str) -> None:
    Path(f"{reference}.fai").write_text(text)
    with pytest.raises(InputError, match=r"samtools faidx"):
        open_inputs(bam, reference)


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("bgzip", [False, True])
@pytest.mark.parametrize("size", [5, 9000])
def test_f11_a_fai_that_lost_a_contig_is_refused(
    tmp_path: Path, bam: Path, lost: int, bgzip: bool, size: int
) -> None:
    contigs = {"chr0": "ACGTA" * (size // 5), **SEQUENCES, "other": "ACGTT" * (size // 5)}
    contigs = dict(sorted(contigs.items(), key=lambda item: item[0] == "chr2"))
    path = write_reference(tmp_path / "lost.fa", contigs, bgzip=bgzip)
    open_inputs(bam, path)
    fai = Path(f"{path}.fai")
    lines = fai.read_text().splitlines(keepends=True)
    del lines[2 * lost]
    fai.write_text("".join(lines))
    with pytest.raises(InputError, match=r"samtools faidx"):
        open_inputs(bam, path)


def test_f11_a_fai_with_a_wrong_name_is_refused(reference: Path) -> None:
    """Found by the campaign of corruptions: what was on that contig was left out with a warning."""
    contigs = {**SEQUENCES, "chr3": random_sequence(900, 3)}
    path = other_reference(reference, contigs)
    bam = ReadsBuilder(path).tile(step=50).tile(contig="chr2").write_bam(path.with_suffix(".bam"))
    open_inputs(bam, path)
    fai = Path(f"{path}.fai")
    fai.write_text(fai.read_text().replace("chr2", "chr"))
    with pytest.raises(InputError, match=r"does not fit .* at contig 'chr' .*samtools faidx"):
        open_inputs(bam, path)


@pytest.mark.parametrize("damage", ["foreign", "cut", "empty", "of a shorter file"])
def test_f11_a_foreign_gzi_is_refused(tmp_path: Path, bam: Path, damage: str) -> None:
    contigs = {name: sequence * 5 for name, sequence in SEQUENCES.items()}
    path = write_reference(tmp_path / "long.fa.gz", contigs, bgzip=True)
    gzi = Path(f"{path}.gzi")
    raw = gzi.read_bytes()
    count = int.from_bytes(raw[:8], "little")
    assert count >= 2
    other = {name: sequence[::-1] * 5 for name, sequence in SEQUENCES.items()}
    other["chr1"] = "A" * 150_000
    foreign = write_reference(tmp_path / "foreign.fa.gz", other, bgzip=True)
    gzi.write_bytes(
        {
            "foreign": Path(f"{foreign}.gzi").read_bytes(),
            "cut": raw[:-3],
            "empty": b"",
            "of a shorter file": (count - 1).to_bytes(8, "little") + raw[8:-16],
        }[damage]
    )
    with pytest.raises(InputError, match="bgzip -r"):
        open_inputs(bam, path)


def test_f12_regions_are_clipped_to_the_reference(reference: Path, bam: Path) -> None:
    inputs = open_inputs(bam, reference, regions=["chr2:19,000-21,000"])
    assert inputs.regions == (Region("chr2", 18_999, 20_000),)
    with pytest.raises(InputError, match="beyond the end of chr2"):
        open_inputs(bam, reference, regions=["chr2:20,001-21,000"])


def test_check_reports_more_than_the_first_error(reference: Path, bam: Path) -> None:
    Path(f"{bam}.bai").unlink()
    path = other_reference(reference, {"1": SEQUENCES["chr1"]})
    errors = [f.check for f in check_inputs(bam, path, sample="nobody") if f.level == "error"]
    assert errors == ["index", "sample", "contigs"]


def test_inputs_can_be_sent_to_workers(reference: Path, bam: Path) -> None:
    inputs = open_inputs(bam, reference)
    assert pickle.loads(pickle.dumps(inputs)) == inputs
