from pathlib import Path

from benchmarks.phasing import block_lengths, n50, phase_of, switches, unphased

HEADER = """##fileformat=VCFv4.2
##FILTER=<ID=LowQual,Description="">
##FORMAT=<ID=GT,Number=1,Type=String,Description="">
##FORMAT=<ID=PS,Number=1,Type=Integer,Description="">
##contig=<ID=20,length=1000>
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tone
"""


def written(path: Path, rows: list[tuple[int, str, int]], status: str = "PASS") -> Path:
    """Records at POS with GT and PS."""
    lines = [f"20\t{pos}\t.\tA\tC\t.\t{status}\t.\tGT:PS\t{gt}:{ps}\n" for pos, gt, ps in rows]
    path.write_text(HEADER + "".join(lines))
    return path


def test_switches_are_counted_by_block(tmp_path: Path) -> None:
    gts = ["0|1", "1|0", "0|1", "0|1", "1|0", "1|0"]
    truth = phase_of(written(tmp_path / "t.vcf", [(10 * i, gt, 1) for i, gt in enumerate(gts, 1)]))
    rows = [(10, "1|0", 10), (20, "0|1", 10), (30, "0|1", 10), (40, "1|0", 40), (50, "0|1", 40)]
    found = phase_of(written(tmp_path / "q.vcf", [*rows, (60, "1|0", 60)]))
    assert switches(truth, found) == (3, 1)
    moved = phase_of(
        written(tmp_path / "m.vcf", [(pos - 5, *rest) for pos, *rest in rows]), moved=5
    )
    assert moved == {key: value for key, value in found.items() if key[0] != 60}


def test_blocks_are_cut_where_others_lie_within(tmp_path: Path) -> None:
    rows = [(10, "0|1", 10), (50, "0|1", 10), (60, "0|1", 60), (70, "0|1", 60), (90, "0|1", 10)]
    found = phase_of(written(tmp_path / "q.vcf", rows))
    assert block_lengths(found) == [40, 10]
    assert n50([40, 10], 50) == 40
    assert n50([40, 10], 100) == 10
    assert n50([40], 100) == 0


def test_records_lose_their_phase(tmp_path: Path) -> None:
    source = written(tmp_path / "q.vcf", [(10, "1|0", 10), (20, "0|1", 10)])
    unphased(source, tmp_path / "plain.vcf")
    text = (tmp_path / "plain.vcf").read_text()
    assert [line.split("\t")[-2:] for line in text.splitlines() if line[0] != "#"] == [
        ["GT", "0/1"]
    ] * 2
    assert phase_of(written(tmp_path / "l.vcf", [(10, "0|1", 1), (20, "0|1", 1)], "LowQual")) == {}
