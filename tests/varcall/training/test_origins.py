"""Where reads come from, as their tags say, is found again for loaded reads."""

from pathlib import Path

from tests.builders import ReadsBuilder, random_sequence, write_reference
from varcall.evidence.window import EvidenceReader
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.pipeline import open_sample
from varcall.training.origins import Origins, read_origins

LENGTH = 16_569


def origins_of(
    folder: Path, contig: str, starts: dict[int, int], window: tuple[int, int]
) -> tuple[list[int], Origins]:
    """Load a window of reads whose tag mo (molecule) is given by start; return starts, origins."""
    reference = write_reference(folder / "ref.fa", {contig: random_sequence(LENGTH, 5)})
    reads = ReadsBuilder(reference)
    for start, molecule in starts.items():
        reads.add(start=start, cigar="100M", tags=[f"mo:i:{molecule}", f"tp:i:{start}"])
    bam = reads.write_bam(folder / "reads.bam")
    with EvidenceReader(open_sample(CallOptions(reads=bam, reference=reference))) as reader:
        loaded = reader.load(Region(contig, *window)).reads
    return loaded.arrays.read_start.tolist(), read_origins(bam, reference, loaded)


def test_reads_around_the_origin_of_a_circle(tmp_path: Path) -> None:
    starts, origins = origins_of(tmp_path, "chrM", {50: 0, LENGTH - 150: 1}, (0, 1000))
    assert starts == [-150, 50]
    assert origins.molecule.tolist() == [1, 0]
    assert origins.true_start.tolist() == starts


def test_reads_of_a_line(tmp_path: Path) -> None:
    starts, origins = origins_of(tmp_path, "line", {50: 0, 300: 3}, (0, 1000))
    assert (starts, origins.molecule.tolist()) == ([50, 300], [0, 3])
