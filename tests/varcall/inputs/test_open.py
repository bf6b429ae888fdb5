"""What `open_inputs` returns, real slices, and the `check` command."""

import os
from pathlib import Path

import pysam
import pytest
import typer

from tests.builders import ReadsBuilder, random_sequence, write_reference
from varcall.cli.check import check
from varcall.errors import InputError
from varcall.formats.bgzf import BgzfFile, BlockError
from varcall.inputs.alignment_index import read_index
from varcall.inputs.open import open_inputs
from varcall.inputs.regions import Region


@pytest.fixture
def bam(tmp_path: Path) -> Path:
    contigs = {"chr1": random_sequence(40_000), "chr2": random_sequence(5000, 2)}
    reference = write_reference(tmp_path / "ref.fa", contigs)
    reads = ReadsBuilder(reference).tile(step=20).tile(contig="chr2", start=1000, end=2000)
    return reads.write_bam(tmp_path / "reads.bam")


def test_regions_are_selected_and_their_union_sorted(bam: Path) -> None:
    bed = bam.with_name("x.bed")
    bed.write_text("chr1\t9\t20\n")
    inputs = open_inputs(
        bam, bam.with_name("ref.fa"), regions=["chr2,chr1:15-30"], regions_file=bed
    )
    assert inputs.regions == (Region("chr1", 9, 30), Region("chr2", 0, 5000))
    with pytest.raises(InputError, match=r"the regions file .* does not exist"):
        open_inputs(bam, bam.with_name("ref.fa"), regions_file=bed.with_name("y.bed"))


def test_mapped_reads_by_contig(bam: Path) -> None:
    inputs = open_inputs(bam, bam.with_name("ref.fa"))
    with pysam.AlignmentFile(str(bam)) as alignments:
        counts = {s.contig: s.mapped for s in alignments.get_index_statistics()}
    assert inputs.mapped == counts


def test_all_indexes_say_the_same(bam: Path) -> None:
    bai = read_index(Path(f"{bam}.bai"))
    pysam.index("-c", str(bam))
    csi = read_index(Path(f"{bam}.csi"))
    assert (csi.n_contigs, csi.mapped, csi.end) == (bai.n_contigs, bai.mapped, bai.end)
    assert set(csi.occupied) == set(bai.occupied)
    assert csi.first == bai.first
    deeper = Path(f"{bam}.deep.csi")
    pysam.index("-m", "12", str(bam), str(deeper))
    assert read_index(deeper).mapped == bai.mapped
    assert open_inputs(bam, bam.with_name("ref.fa"), index=deeper).index == deeper


def test_occupied_spans_hold_every_read(bam: Path) -> None:
    reads = ReadsBuilder(bam.with_name("ref.fa")).tile(step=20)
    cram = reads.write_cram(bam.with_name("reads.cram"))
    for index in (Path(f"{bam}.bai"), Path(f"{cram}.crai")):
        spans = [span for span in read_index(index).occupied if span[0] == 0]
        assert min(start for _, start, _ in spans) == 0
        assert max(end for _, _, end in spans) >= 39_990


def test_no_read_where_one_looks_is_a_warning(bam: Path) -> None:
    reads = ReadsBuilder(bam.with_name("ref.fa")).tile(step=50)
    path = reads.write_bam(bam.with_name("one.bam"))
    (warning,) = open_inputs(path, bam.with_name("ref.fa"), regions=["chr2"]).warnings
    assert "no mapped read on 'chr2'" in warning


def test_virtual_offsets_over_block_borders(bam: Path) -> None:
    with BgzfFile(bam) as file:
        blocks = list(file.blocks(0))
        whole = b"".join(block.data for block in blocks)
        assert len(blocks) > 2
        border = blocks[0].next_offset << 16
        assert file.read(0, len(whole)) == (whole, blocks[-1].offset << 16)
        assert file.read(0, len(blocks[0].data)) == (blocks[0].data, border)
        data, behind = file.read(len(blocks[0].data) - 5, 9)
        assert (data, behind) == (whole[len(blocks[0].data) - 5 :][:9], border | 4)
        assert file.read(border, 4)[0] == whole[len(blocks[0].data) :][:4]
        for offset in (5 << 16, 60_000 | (blocks[-2].offset << 16)):
            with pytest.raises(BlockError):
                file.read(offset, 1)


def test_check_prints_every_finding(bam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(bam, reference=bam.with_name("ref.fa"))
    lines = capsys.readouterr().out.splitlines()
    # A depth of 2.5 is less than the model has seen.
    assert {line.split()[0] for line in lines if "model was trained on" not in line} == {"ok"}
    os.utime(f"{bam}.bai", (1, 1))
    with pytest.raises(typer.Exit) as caught:
        check(bam, reference=bam.with_name("ref.fa"), sample="nobody", regions=["chr9"])
    assert caught.value.exit_code == 1
    found = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["warning", "index"] in found
    assert ["error", "sample"] in found
    assert ["error", "regions"] in found


SLICES = {
    "HG002_30x_b37_20_10.00-10.10Mb": ("hs37_chr20", "HG002", 0),
    "HG002_80x_b37_20_18783981_18855722": ("hs37_chr20", "SAMPLE", 1),
    "HG001_7x_b37_20_10.00-10.27Mb": ("hs37_chr20", "NA12878", 0),
    "NA19401_NovaSeq30x_GRCh38_chr21_chr22_16.57-16.61Mb": (
        "GRCh38_chr21_chr22_16.57-16.61Mb_from_reads", "NA19401", 2,
    ),
    "HG002_Revio_HiFi_GRCh38_chr20_9.0-9.1Mb": ("grch38.chr20_and_21_10M", "HG002", 1),
    "HG002_ONT_R10_GRCh38_chr20_5.050-5.075Mb": ("grch38.chr20_and_21_10M", "SAMPLE", 2),
}  # fmt: skip


@pytest.mark.shared_data
@pytest.mark.parametrize("name", SLICES)
def test_real_slices(shared_data: Path, name: str) -> None:
    """Headers of 1 to 3,366 contigs, masked and cut references, no @RG: all can be called."""
    fasta, sample, n_warnings = SLICES[name]
    reference = shared_data / "reference" / f"{fasta}.fa.gz"
    inputs = open_inputs(shared_data / "slices" / f"{name}.bam", reference)
    assert inputs.sample == sample
    assert len(inputs.warnings) == n_warnings, inputs.warnings


@pytest.mark.shared_data
def test_f8_real_chr20_against_20(shared_data: Path) -> None:
    path = shared_data / "slices" / "HG001_50x_hg19_chr20_10.00-10.10Mb.bam"
    with pytest.raises(InputError, match=r"'chr20', .* calls it '20'.*reheader"):
        open_inputs(path, shared_data / "reference" / "hs37_chr20.fa.gz")


@pytest.mark.shared_data
def test_f8_real_reads_against_another_contig(shared_data: Path) -> None:
    path = shared_data / "slices" / "HG001_7x_b37_20_10.00-10.27Mb.bam"
    with pytest.raises(InputError, match=r"on '20', the reference has 'X'"):
        open_inputs(path, shared_data / "reference" / "hs37_chrX_1_70M.fa.gz")


@pytest.mark.shared_data
def test_f9_real_reads_of_another_build(shared_data: Path, tmp_path: Path) -> None:
    """GRCh38 reads against the same numbers of b37: no length and no M5 tells, the reads do."""
    source = shared_data / "reference" / "hs37_chr20.fa.gz"
    with pysam.FastaFile(str(source)) as fasta:
        sequence = fasta.fetch("20", 0, 10_000_000)
    wrong = write_reference(tmp_path / "wrong.fa", {"chr20": sequence})
    path = shared_data / "slices" / "HG002_Revio_HiFi_GRCh38_chr20_9.0-9.1Mb.bam"
    with pytest.raises(InputError, match="wrong reference build"):
        open_inputs(path, wrong)
