"""A checker of gVCFs, and the VCF that one holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pysam
from numpy.typing import NDArray

from varcall.formats.text import open_text
from varcall.inputs.regions import Region

UNSEEN = ("<*>", "<NON_REF>")
PER_ALT, PER_ALLELE, PER_GENOTYPE = ("VAF",), ("AD", "ADF", "ADR"), ("PL", "GL")


@dataclass(frozen=True, slots=True)
class GvcfLine:
    """A line of a gVCF: 0-based start and end of what it covers."""

    fields: tuple[str, ...]
    start: int
    end: int
    is_block: bool

    @property
    def call(self) -> dict[str, str]:
        """The FORMAT fields."""
        return dict(zip(self.fields[8].split(":"), self.fields[9].split(":"), strict=True))

    @property
    def pl(self) -> list[int]:
        """PL as numbers."""
        return [int(value) for value in self.call["PL"].split(",")]

    @property
    def gt(self) -> list[int] | None:
        """The alleles of the genotype, ascending; None where it is not called."""
        alleles = self.call["GT"].replace("|", "/").split("/")
        return None if "." in alleles else sorted(map(int, alleles))


def gvcf_lines(path: Path) -> Iterator[GvcfLine]:
    """Read the lines of a gVCF that is text, plain or compressed."""
    with open_text(path) as stream:
        for line in stream:
            if line.startswith("#"):
                continue
            fields = tuple(line.rstrip("\n").split("\t"))
            start, is_block = int(fields[1]) - 1, fields[4] in UNSEEN
            end = int(fields[7].removeprefix("END=")) if is_block else start + len(fields[3])
            yield GvcfLine(fields, start, end, is_block)


def check_gvcf(path: Path, regions: list[Region], reference: Path) -> list[GvcfLine]:
    """See that a gVCF is what it should be; return its lines.

    Every base of the regions lies in one block, or in the REF of records; lines are sorted; PL and
    GQ fit GT; and the header names all that is used.
    """
    lines = list(gvcf_lines(path))
    with pysam.FastaFile(str(reference)) as fasta, pysam.VariantFile(str(path)) as parsed:
        order = list(parsed.header.contigs)
        keys = [(order.index(line.fields[0]), line.start) for line in lines]
        assert keys == sorted(keys)
        assert len(list(parsed)) == len(lines)
        for line in lines:
            base = fasta.fetch(line.fields[0], line.start, line.start + 1).upper()
            assert line.fields[3][0] == (base if base in "ACGT" else "N")
    blocks, records = (
        _covered([line for line in lines if line.is_block is kind], regions)
        for kind in (True, False)
    )
    for region in regions:
        in_blocks, in_records = blocks[region.contig], records[region.contig]
        own = slice(region.start, region.end)
        assert in_blocks[own].max(initial=0) <= 1
        assert ((in_blocks[own] > 0) ^ (in_records[own] > 0)).all()
        in_blocks[own] = 0
    assert not any(left.any() for left in blocks.values())
    for line in lines:
        _check_call(line)
    return lines


def _covered(lines: list[GvcfLine], regions: list[Region]) -> Mapping[str, NDArray[np.int32]]:
    longest = max([line.end for line in lines] + [region.end for region in regions])
    found = {region.contig: np.zeros(longest, np.int32) for region in regions}
    for line in lines:
        found[line.fields[0]][line.start : line.end] += 1
    return found


def _check_call(line: GvcfLine) -> None:
    alts, pl, gt = line.fields[4].split(","), line.pl, line.gt
    assert alts[-1] in UNSEEN
    ploidy = line.call["GT"].replace("|", "/").count("/") + 1
    genotypes = genotypes_of(len(alts) + 1, ploidy)
    assert len(pl) == len(genotypes)
    assert min(pl) == 0
    assert gt is None or pl[genotypes.index(tuple(gt))] == 0
    if line.is_block:
        gq = int(line.call["GQ"])
        assert gq == (0 if gt is None else min(99, sorted(pl)[1]))
        assert (gt is None) == (gq == 0)
        assert gt in (None, [0] * ploidy)
        return
    counts = {name: list(map(int, line.call[name].split(","))) for name in PER_ALLELE}
    assert {len(values) for values in counts.values()} == {len(alts) + 1}
    assert sum(counts["AD"]) <= int(line.call["DP"])
    strands = zip(counts["ADF"], counts["ADR"], strict=True)
    assert counts["AD"] == [forward + reverse for forward, reverse in strands]
    assert len(line.call["VAF"].split(",")) == len(alts)


def genotypes_of(n_alleles: int, ploidy: int) -> list[tuple[int, ...]]:
    """List genotypes in the order of VCF 1.6.2."""
    found = combinations_with_replacement(range(n_alleles), ploidy)
    return sorted(found, key=lambda genotype: genotype[::-1])


def recovered(lines: list[GvcfLine]) -> list[str]:
    """Return the lines of the VCF whose gVCF it is: no blocks, no allele for what is unseen."""
    return [_narrowed(line) for line in lines if not line.is_block]


def _narrowed(line: GvcfLine) -> str:
    fields = list(line.fields)
    alts = fields[4].split(",")
    ploidy = line.call["GT"].replace("|", "/").count("/") + 1
    keep = {
        **dict.fromkeys(PER_ALT, len(alts) - 1),
        **dict.fromkeys(PER_ALLELE, len(alts)),
        **dict.fromkeys(PER_GENOTYPE, len(genotypes_of(len(alts), ploidy))),
    }
    values = {
        name: ",".join(value.split(",")[: keep[name]]) if name in keep else value
        for name, value in line.call.items()
    }
    fields[4] = ",".join(alts[:-1])
    fields[9] = ":".join(values.values())
    return "\t".join(fields) + "\n"
