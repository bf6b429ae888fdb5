"""What comes of the test files of other programs."""

from pathlib import Path

import pytest

from benchmarks.peers import call_peers, counts_table, said_table
from tests.builders import ReadsBuilder, random_sequence, substitute, write_reference


@pytest.mark.tools("samtools", "bcftools")
def test_every_file_below_a_folder_is_called(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "peer", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    sequence = random_sequence(2000)
    write_reference(folder / "good.fa", {"c": sequence})
    write_reference(folder / "other.fa", {"c": random_sequence(2000, 5)}, index=False)
    reads = ReadsBuilder(folder / "good.fa")
    for number in range(150):
        start = 13 * number
        seq = sequence[start : start + 50]
        if start <= 1000 < start + 50 and number % 2:
            seq = substitute(seq, {1000 - start: "CGTA"["ACGT".index(seq[1000 - start])]})
        reads.add(start=start, seq=seq)
    (folder / "good.sam").write_text(reads.sam_text())
    (folder / "other.sam").write_text(reads.sam_text())
    (folder / "nowhere.sam").write_text(reads.sam_text().replace("SN:c", "SN:d"))
    (folder / "broken.bam").write_bytes(b"BAM?")
    before = sorted(folder.iterdir())
    found = {outcome.file.name: outcome for outcome in call_peers(folder, scratch)}
    assert sorted(folder.iterdir()) == before
    assert {name: outcome.result for name, outcome in found.items()} == {
        "broken.bam": "samtools cannot read it",
        "good.sam": "called",
        "nowhere.sam": "no FASTA",
        "other.sam": "refused",
    }
    outcomes = {folder: list(found.values())}
    (row,) = counts_table(outcomes).rows
    assert row[:-1] == ["peer", "1", "1", "0", "0", "1", "1"]
    ((file, result, said),) = said_table(outcomes).rows
    assert (file, result) == ("peer/other.sam", "refused")
    assert said.startswith("varcall: error: 7")
