"""Small FASTA, BAM and CRAM files built from minimal arguments, for all tests.

reference = write_reference(tmp_path / "ref.fa", {"chr1": random_sequence(1000)})
reads = ReadsBuilder(reference)
reads.add(contig="chr1", start=10, cigar="20M1I29M")
bam = reads.write_bam(tmp_path / "reads.bam")
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

LINE_WIDTH = 60
DEFAULT_QUALITY = 30

PAIRED, PROPER, UNMAPPED, MATE_UNMAPPED, REVERSE, MATE_REVERSE = 1, 2, 4, 8, 16, 32
READ1, READ2, SECONDARY, QC_FAIL, DUPLICATE, SUPPLEMENTARY = 64, 128, 256, 512, 1024, 2048


def random_sequence(length: int, seed: int = 1) -> str:
    """Bases drawn evenly from ACGT, the same for the same seed."""
    return "".join(random.Random(seed).choices("ACGT", k=length))


def write_reference(
    path: Path | str, contigs: Mapping[str, str], *, bgzip: bool = False, index: bool = True
) -> Path:
    """Write a FASTA (`bgzip` compresses it with BGZF) with its .fai (and .gzi); return its path."""
    path = Path(path)
    text = "".join(
        f">{name}\n"
        + "".join(sequence[i : i + LINE_WIDTH] + "\n" for i in range(0, len(sequence), LINE_WIDTH))
        for name, sequence in contigs.items()
    )
    if bgzip:
        with pysam.BGZFile(str(path), "wb", None) as out:
            out.write(text.encode())
    else:
        path.write_text(text)
    if index:
        pysam.faidx(str(path))
    return path


def sam_to_bam(sam_text: str, path: Path | str, *, sort: bool = True, index: bool = True) -> Path:
    """Turn SAM text (columns by tab or by runs of blanks) into a BAM; return its path.

    A text with blanks is easier to read in a test; header values with blanks need real tabs.
    """
    path = Path(path)
    lines = [
        line if "\t" in line else "\t".join(line.split())
        for line in (raw.strip() for raw in sam_text.splitlines())
        if line
    ]
    sam = path.with_name(path.name + ".sam")
    sam.write_text("\n".join(lines) + "\n")
    arguments = ["--no-PG", "-o", str(path), str(sam)]
    if sort:
        pysam.sort(*arguments)
    else:
        pysam.view("-b", *arguments, catch_stdout=False)
    sam.unlink()
    if index:
        pysam.index(str(path))
    return path


def bam_to_cram(
    bam: Path, path: Path, reference: Path, *, slice_size: int | None = None, index: bool = True
) -> Path:
    """Write a BAM as a CRAM (and .crai), with so many reads in a slice; return its path."""
    arguments = ["-C", "--no-PG", "-T", str(reference), "-o", str(path)]
    if slice_size is not None:
        arguments += ["--output-fmt-option", f"seqs_per_slice={slice_size}"]
    pysam.view(*arguments, str(bam), catch_stdout=False)
    if index:
        pysam.index(str(path))
    return path


def parse_cigar(cigar: str) -> list[tuple[str, int]]:
    """`"10M2I"` -> `[("M", 10), ("I", 2)]`."""
    return [(op, int(length)) for length, op in re.findall(r"(\d+)([MIDNSHP=X])", cigar)]


def spell_read(reference: str, start: int, cigar: str, inserted: str = "") -> str:
    """Bases of a read that matches `reference` (one contig) from `start` along `cigar`.

    Inserted and soft-clipped bases come from `inserted` in order, then `A`.
    """
    bases: list[str] = []
    extra = iter(inserted)
    position = start
    for op, length in parse_cigar(cigar):
        if op in "M=X":
            bases.append(reference[position : position + length])
        elif op in "IS":
            bases.append("".join(next(extra, "A") for _ in range(length)))
        if op in "M=XDN":
            position += length
    return "".join(bases)


def substitute(sequence: str, changes: Mapping[int, str]) -> str:
    """`sequence` with the bases at the given offsets replaced."""
    letters = list(sequence)
    for offset, base in changes.items():
        letters[offset] = base
    return "".join(letters)


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """One @RG line; an empty value leaves its tag out."""

    name: str = "rg1"
    sample: str = "NA00001"
    platform: str = "ILLUMINA"
    description: str = ""

    def line(self) -> str:
        """Spell the header line."""
        values = (self.name, self.sample, self.platform, self.description)
        tags = dict(zip(("ID", "SM", "PL", "DS"), values, strict=True))
        return "@RG\t" + "\t".join(f"{key}:{value}" for key, value in tags.items() if value)


class ReadsBuilder:
    """Collect reads over a reference and write them sorted and indexed as BAM or CRAM.

    `contigs` overrides names and lengths of the header (for headers that do not fit the FASTA);
    `sq_tags` adds tags to a contig's @SQ line, for instance `{"chr1": "M5:..."}`; `sort_order`
    None leaves the @HD line out; `programs` are the tags of @PG lines.
    """

    def __init__(
        self,
        reference: Path | str,
        *,
        contigs: Mapping[str, int] | None = None,
        read_groups: Sequence[ReadGroup] = (ReadGroup(),),
        sort_order: str | None = "coordinate",
        sq_tags: Mapping[str, str] | None = None,
        programs: Sequence[str] = (),
    ) -> None:
        self.reference = Path(reference)
        with pysam.FastaFile(str(reference)) as fasta:
            self.sequences = {name: fasta.fetch(name) for name in fasta.references}
        self.contigs = dict(contigs or {name: len(s) for name, s in self.sequences.items()})
        self.read_groups = tuple(read_groups)
        self.sort_order = sort_order
        self.sq_tags = dict(sq_tags or {})
        self.programs = tuple(programs)
        self.lines: list[str] = []

    def header(self) -> str:
        """Spell the SAM header text."""
        lines = [f"@HD\tVN:1.6\tSO:{self.sort_order}"] if self.sort_order else []
        for name, length in self.contigs.items():
            tags = "\t" + self.sq_tags[name] if name in self.sq_tags else ""
            lines.append(f"@SQ\tSN:{name}\tLN:{length}{tags}")
        lines.extend(group.line() for group in self.read_groups)
        lines.extend(f"@PG\t{program}" for program in self.programs)
        return "\n".join(lines) + "\n"

    def add(
        self,
        name: str | None = None,
        *,
        contig: str | None = None,
        start: int = 0,
        cigar: str = "50M",
        seq: str | None = None,
        qual: int | Sequence[int] | str = DEFAULT_QUALITY,
        mapq: int = 60,
        flag: int = 0,
        mate_contig: str = "*",
        mate_start: int = -1,
        template_length: int = 0,
        read_group: str | None = None,
        inserted: str = "",
        tags: Sequence[str] = (),
    ) -> "ReadsBuilder":
        """Add one read (0-based `start`); what is not given fits the reference. Returns itself.

        `qual` is one value for all bases, a list of values, or the SAM text (`"*"` for none);
        `contig="*"` with the unmapped flag (4) makes an unplaced read; `tags` are SAM text
        (`"NM:i:1"`).
        """
        contig = contig if contig is not None else next(iter(self.contigs))
        if seq is None:
            seq = spell_read(self.sequences.get(contig, ""), start, cigar, inserted)
        if isinstance(qual, int):
            qual = [qual] * len(seq)
        quality = qual if isinstance(qual, str) else "".join(chr(33 + q) for q in qual)
        name = name if name is not None else f"read{len(self.lines)}"
        group = read_group or (self.read_groups[0].name if self.read_groups else "")
        fields = [name, str(flag), contig, str(start + 1 if contig != "*" else 0), str(mapq)]
        fields += [cigar if contig != "*" else "*", mate_contig, str(mate_start + 1)]
        fields += [str(template_length), seq or "*", quality or "*"]
        fields += ([f"RG:Z:{group}"] if group else []) + list(tags)
        self.lines.append("\t".join(fields))
        return self

    def add_pair(
        self,
        name: str | None = None,
        *,
        contig: str | None = None,
        start: int = 0,
        insert_size: int = 300,
        read_length: int = 50,
        seqs: tuple[str | None, str | None] = (None, None),
        qual: int | Sequence[int] | str = DEFAULT_QUALITY,
        mapq: int = 60,
        flag: int = 0,
    ) -> "ReadsBuilder":
        """Add a proper forward/reverse pair whose template starts at `start`."""
        name = name if name is not None else f"pair{len(self.lines)}"
        second = start + insert_size - read_length
        both = PAIRED | PROPER | flag
        for seq, at, mate_at, length, bits in (
            (seqs[0], start, second, insert_size, READ1 | MATE_REVERSE),
            (seqs[1], second, start, -insert_size, READ2 | REVERSE),
        ):
            self.add(
                name,
                contig=contig,
                start=at,
                cigar=f"{read_length}M",
                seq=seq,
                qual=qual,
                mapq=mapq,
                flag=both | bits,
                mate_contig="=",
                mate_start=mate_at,
                template_length=length,
            )
        return self

    def tile(
        self,
        *,
        contig: str | None = None,
        start: int = 0,
        end: int | None = None,
        read_length: int = 50,
        step: int = 5,
        qual: int = DEFAULT_QUALITY,
    ) -> "ReadsBuilder":
        """Add matching single reads every `step` bases over a span, strands in turn."""
        contig = contig if contig is not None else next(iter(self.contigs))
        end = len(self.sequences[contig]) if end is None else end
        for count, at in enumerate(range(start, end - read_length + 1, step)):
            flag = REVERSE if count % 2 else 0
            self.add(contig=contig, start=at, cigar=f"{read_length}M", qual=qual, flag=flag)
        return self

    def sam_text(self) -> str:
        """Header and reads as SAM text, in the order of adding."""
        return self.header() + "".join(line + "\n" for line in self.lines)

    def write_bam(self, path: Path | str, *, sort: bool = True, index: bool = True) -> Path:
        """Write a BAM (and .bai); return its path. `sort=False` keeps the order of adding."""
        return sam_to_bam(self.sam_text(), path, sort=sort, index=index)

    def write_cram(self, path: Path | str, *, sort: bool = True, index: bool = True) -> Path:
        """Write a CRAM that needs the reference (and .crai), as `write_bam` does a BAM."""
        path = Path(path)
        bam = self.write_bam(path.with_name(path.name + ".bam"), sort=sort, index=False)
        bam_to_cram(bam, path, self.reference, index=index)
        bam.unlink()
        return path
