"""Seeded corruptions of every input file, each called in one process that reports line by line.

A crash of the interpreter so shows as a missing line, and imports are paid for once.
Run as `python -m tests.faults.corruption FOLDER FIRST LAST KIND...`.
"""

import contextlib
import hashlib
import io
import json
import random
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import pysam

import models.registry
from models.weights.weights_file import graph_paths
from tests.builders import ReadsBuilder, random_sequence, substitute, write_reference
from varcall.cli import run
from varcall.inputs.reference_match import contig_digest

# Kind of input -> (the file that is broken, the reads and the reference of the call).
KINDS = {
    "bam": ("reads.bam", "reads.bam", "ref.fa"),
    "bai": ("reads.bam.bai", "reads.bam", "ref.fa"),
    "csi": ("csi.bam.csi", "csi.bam", "ref.fa"),
    "cram": ("reads.cram", "reads.cram", "ref.fa"),
    "crai": ("reads.cram.crai", "reads.cram", "ref.fa"),
    "fasta": ("ref.fa", "reads.bam", "ref.fa"),
    "fai": ("ref.fa.fai", "reads.bam", "ref.fa"),
    "bgzipped": ("ref.fa.gz", "reads.bam", "ref.fa.gz"),
    "gzi": ("ref.fa.gz.gzi", "reads.bam", "ref.fa.gz"),
    "weights": ("weights.safetensors", "reads.bam", "ref.fa"),
    "onnx": ("weights.question.onnx", "reads.bam", "ref.fa"),
}
LENGTHS = {"chr1": 40_000, "chr2": 1500, "chr3": 700}
WINDOW = 10_000
# What is called of each corrupt file: all of it, and parts of contigs, which cannot be checked
# against the number of their reads.
PARTS = {"whole": (), "part": ("--regions", "chr1:13,001-29,000,chr2:400-1,100")}


def make_inputs(folder: Path, model: Path) -> None:
    """Write small inputs of every kind, with checksums of the contigs in the reads' header."""
    contigs = {
        name: random_sequence(length, seed) for seed, (name, length) in enumerate(LENGTHS.items())
    }
    reference = write_reference(folder / "ref.fa", contigs)
    write_reference(folder / "ref.fa.gz", contigs, bgzip=True)
    checksums = {name: f"M5:{contig_digest(reference, name).md5}" for name in contigs}
    reads = ReadsBuilder(reference, sq_tags=checksums)
    rng = random.Random(4)
    for name, sequence in contigs.items():
        other = {at: "ACGT"["CGTA".index(sequence[at])] for at in range(300, len(sequence), 997)}
        changed = substitute(sequence, other)
        for at in range(0, len(sequence) - 100, 20):
            haplotype = changed if rng.random() < 0.6 else sequence
            flag = 16 * rng.randrange(2)
            quality = rng.choices([11, 25, 37], k=100)
            seq = haplotype[at : at + 100]
            reads.add(contig=name, start=at, cigar="100M", seq=seq, qual=quality, flag=flag)
    reads.write_bam(folder / "reads.bam")
    reads.write_cram(folder / "reads.cram")
    reads.write_bam(folder / "csi.bam", index=False)
    pysam.index("-c", str(folder / "csi.bam"))
    for path in (model, *graph_paths(model)):
        (folder / path.name.replace(model.stem, "weights")).write_bytes(path.read_bytes())


def corrupt(whole: bytes, seed: int) -> bytes:
    """Flip bytes, cut, blank, remove, repeat or exchange a piece."""
    rng = random.Random(seed)
    broken = bytearray(whole)
    at = rng.randrange(len(whole))
    size = min(rng.choice((1, 4, 30, 1000)), len(whole) - at)
    what = rng.choice(("flip", "flip", "flip", "bit", "cut", "blank", "remove", "repeat", "noise"))
    if what == "flip":
        for _ in range(rng.choice((1, 1, 3, 20))):
            broken[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
    elif what == "bit":
        broken[at] ^= 1 << rng.randrange(8)
    elif what == "cut":
        del broken[at:]
    elif what == "blank":
        broken[at : at + size] = bytes(size)
    elif what == "remove":
        del broken[at : at + size]
    elif what == "repeat":
        broken[at:at] = broken[at : at + size]
    else:
        broken[at : at + size] = rng.randbytes(size)
    return bytes(broken)


def call(folder: Path, reads: str, reference: str, more: Sequence[str]) -> dict[str, object]:
    """Call in this process; tell how it ended, what it said, and the records it wrote."""
    output = folder / "out.vcf"
    output.unlink(missing_ok=True)
    said = io.StringIO()
    arguments = ["call", str(folder / reads), "--ref", str(folder / reference), "-o", str(output)]
    arguments += ["--quiet", "--model", "weights", "--window", str(WINDOW), *more]
    status = -1
    with contextlib.redirect_stderr(said):
        try:
            status = run(arguments)
        except BaseException:
            traceback.print_exc()
    records = None
    if output.exists():
        records = [line for line in output.read_text().splitlines() if not line.startswith("#")]
    return {"status": status, "said": said.getvalue(), "records": records}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(folder: Path, first: int, last: int, kinds: Sequence[str]) -> None:
    """Report, for each kind, the call of the intact file (seed -1), then of each corruption."""
    # The bundled weights have a known checksum; these stand in for them.
    models.registry.WEIGHTS_FOLDER = folder
    weights = folder / "weights.safetensors"
    models.registry.BUNDLED_SHA256["weights"] = _sha256(weights)
    for path in graph_paths(weights):
        models.registry.BUNDLED_GRAPHS_SHA256[path.name] = _sha256(path)
    for kind in kinds:
        name, reads, reference = KINDS[kind]
        whole = (folder / name).read_bytes()
        for seed in (-1, *range(first, last)):
            (folder / name).write_bytes(whole if seed < 0 else corrupt(whole, seed))
            for part, more in PARTS.items():
                report = {"kind": kind, "seed": seed, "part": part}
                report |= call(folder, reads, reference, more)
                print(json.dumps(report), flush=True)
        (folder / name).write_bytes(whole)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
