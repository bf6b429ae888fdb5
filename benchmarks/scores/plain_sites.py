"""Sites of 60 clean reads, called: their genotypes are plain, and GQ should say so.

Half of the reads show a het, all of them a hom-alt, each in unique sequence; mapping quality 60,
base qualities of 30 and more, errors at 1 in 500 bases. Pairs and single ends of 150 bases, long
reads of 4 kb.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
import pysam
from numpy.typing import NDArray

from benchmarks.runs.callers import VARCALL, Job
from benchmarks.runs.history import Table
from pileup.sam import (
    CDEL,
    CINS,
    CMATCH,
    FMREVERSE,
    FPAIRED,
    FPROPER_PAIR,
    FREAD1,
    FREAD2,
    FREVERSE,
)

DEPTH, WANTED_GQ = 60, 60
CONTIG = "plain"
# What a site's gap is, in bases.
GAP = 2
# Reference bases a read has on both sides of its site at least.
MARGIN = 20
ERROR_RATE, QUALITIES = 1 / 500, (30, 34, 37, 37, 37, 40)
PAIR_SIZE = 420
_BASES = "ACGT"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of reads: their length, bases between sites, and what a header calls them."""

    name: str
    length: int
    step: int
    platform: str
    is_paired: bool = False

    @property
    def slug(self) -> str:
        """Name of its files."""
        return self.name.replace(" ", "_")


KINDS = (
    Kind("pairs", 150, 1200, "ILLUMINA", is_paired=True),
    Kind("single ends", 150, 1200, "ILLUMINA"),
    Kind("long reads", 4000, 9000, "PACBIO"),
)
# Copies and bases inserted (deleted, if below 0; 0 for an SNV) of the sites, each so often.
VARIANTS, REPEATED = tuple(product((1, 2), (0, 0, GAP, -GAP))), 3


@dataclass(frozen=True, slots=True)
class Site:
    """A variant: 0-based position of REF's first base, alleles and copies."""

    at: int
    ref: str
    alt: str
    copies: int

    @property
    def kind(self) -> str:
        """SNV or indel."""
        return "SNV" if len(self.ref) == len(self.alt) else "indel"


@dataclass(frozen=True, slots=True)
class PlainSites:
    """Files with reads of one kind, and the sites in them."""

    reference: Path
    reads: Path
    region: str
    sites: Sequence[Site]


def make_sites(kind: Kind, folder: Path, seed: int = 1) -> PlainSites:
    """Write a reference and sorted, indexed reads."""
    rng = np.random.default_rng([seed, kind.length, kind.is_paired])
    asked = VARIANTS * REPEATED
    bases = _unrepetitive(kind.step * (len(asked) + 1), rng)
    sites = []
    for number, (copies, gain) in enumerate(asked, 1):
        at = kind.step * number
        # Four different bases: a gap among them has one place only.
        bases[at : at + 4] = rng.permutation(4)
        sites.append(_site(bases, at, copies, gain))
    text = _text(bases)
    reference, reads = folder / f"{kind.slug}.fa", folder / f"{kind.slug}.bam"
    reference.write_text(f">{CONTIG}\n{text}\n")
    pysam.faidx(str(reference))
    header = pysam.AlignmentHeader.from_dict(
        {
            "HD": {"VN": "1.6", "SO": "coordinate"},
            "SQ": [{"SN": CONTIG, "LN": len(text)}],
            "RG": [{"ID": "g", "SM": "s", "PL": kind.platform}],
        }
    )
    made = [read for site in sites for read in _reads(kind, site, text, header, rng)]
    made.sort(key=lambda read: read.reference_start)
    with pysam.AlignmentFile(str(reads), "wb", header=header) as bam:
        for read in made:
            bam.write(read)
    pysam.index(str(reads))
    return PlainSites(reference, reads, f"{CONTIG}:1-{len(text)}", sites)


def call_sites(made: PlainSites, model: str | None) -> list[tuple[Site, int | None]]:
    """Call the sites; return each with its GQ, None where the genotype is not found."""
    output = made.reads.with_suffix(".vcf.gz")
    VARCALL.run(Job(made.reads, made.reference, made.region, output, model=model))
    found = {}
    with pysam.VariantFile(str(output)) as calls:
        for record in calls:
            call = record.samples[0]
            copies = sum(allele == 1 for allele in call["GT"])
            if record.alts and "PASS" in record.filter:
                found[record.start, record.ref, record.alts[0], copies] = int(call["GQ"])
    return [(s, found.get((s.at, s.ref, s.alt, s.copies))) for s in made.sites]


def plain_table(called: Sequence[tuple[Kind, Site, int | None]]) -> Table:
    """Return the table of called sites by kind of reads, variant and copies."""
    groups: dict[tuple[str, str, str], list[int | None]] = {}
    for kind, site, gq in called:
        genotype = "het" if site.copies == 1 else "hom-alt"
        groups.setdefault((kind.name, site.kind, genotype), []).append(gq)
    rows = []
    for names, gqs in groups.items():
        right = [gq for gq in gqs if gq is not None]
        figures = [str(min(right)), f"{median(right):.0f}"] if right else ["-", "-"]
        rows.append([*names, f"{len(right)} of {len(gqs)}", *figures])
    titles = ["reads", "variant", "genotype", "called right", "lowest GQ", "median GQ"]
    note = f"{DEPTH} clean reads a site; wanted: a GQ of {WANTED_GQ} or more"
    return Table("plain-sites", titles, rows, [note])


def plain_sites(folder: Path, model: str | None) -> Table:
    """Make and call the sites of all kinds of reads."""
    called = [
        (kind, site, gq)
        for kind in KINDS
        for site, gq in call_sites(make_sites(kind, folder), model)
    ]
    return plain_table(called)


def _unrepetitive(size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw bases of which no three in a row are equal."""
    bases = rng.integers(0, 4, size)
    for index in range(2, size):
        if bases[index] == bases[index - 1] == bases[index - 2]:
            bases[index] = (bases[index] + 1 + index % 3) % 4
    return bases


def _text(bases: NDArray[np.int64]) -> str:
    return np.frombuffer(_BASES.encode(), np.uint8)[bases].tobytes().decode()


def _site(bases: NDArray[np.int64], at: int, copies: int, gain: int) -> Site:
    """Return the site at four different bases."""
    first, one, two, three = list(_text(bases[at : at + 4]))
    if gain == 0:
        return Site(at, first, next(base for base in _BASES if base != first), copies)
    if gain < 0:
        return Site(at, first + one + two, first, copies)
    return Site(at, first, first + two + three, copies)


def _reads(
    kind: Kind, site: Site, text: str, header: pysam.AlignmentHeader, rng: np.random.Generator
) -> Iterator[pysam.AlignedSegment]:
    """Yield the reads of a site: DEPTH that cover it, and the mates of pairs."""
    n_alt = DEPTH * site.copies // 2
    for number in range(DEPTH):
        start = site.at - int(rng.integers(MARGIN, kind.length - 2 * MARGIN))
        read = _read(kind, start, text, site if number < n_alt else None, header, rng)
        read.query_name = f"{site.at}_{number}"
        # Strands and mates are even among the reads of either allele.
        read.flag = FREVERSE * (number % 2)
        if not kind.is_paired:
            yield read
            continue
        mate_start = start + (-1 if read.is_reverse else 1) * (PAIR_SIZE - kind.length)
        mate = _read(kind, mate_start, text, None, header, rng)
        mate.query_name = read.query_name
        for own, other in ((read, mate), (mate, read)):
            is_reverse = (own is read) == (number % 2 == 1)
            is_first = (own is read) == (number // 2 % 2 == 0)
            own.flag = FPAIRED | FPROPER_PAIR
            own.flag |= FREVERSE if is_reverse else FMREVERSE
            own.flag |= FREAD1 if is_first else FREAD2
            own.next_reference_id, own.next_reference_start = 0, other.reference_start
            own.template_length = -PAIR_SIZE if is_reverse else PAIR_SIZE
            yield own


def _read(
    kind: Kind,
    start: int,
    text: str,
    site: Site | None,
    header: pysam.AlignmentHeader,
    rng: np.random.Generator,
) -> pysam.AlignedSegment:
    """Return the read of a haplotype, from `start` on."""
    end = start + kind.length
    cigar = [(CMATCH, kind.length)]
    bases = text[start:end]
    if site is not None:
        gain = len(site.alt) - len(site.ref)
        behind = site.at + len(site.ref)
        bases = text[start : site.at] + site.alt + text[behind:end]
        if gain:
            gap = (CINS if gain > 0 else CDEL, abs(gain))
            cigar = [(CMATCH, site.at + 1 - start), gap, (CMATCH, end - behind)]
    codes = np.frombuffer(bases.encode(), np.uint8).copy()
    wrong = np.flatnonzero(rng.random(len(codes)) < ERROR_RATE)
    codes[wrong] = np.frombuffer(_BASES.encode(), np.uint8)[rng.integers(0, 4, len(wrong))]
    read = pysam.AlignedSegment(header)
    read.reference_id, read.reference_start, read.mapping_quality = 0, start, 60
    read.cigartuples = cigar
    read.query_sequence = codes.tobytes().decode()
    qualities = rng.choice(QUALITIES, len(codes)) + 33
    read.query_qualities = pysam.qualitystring_to_array("".join(map(chr, qualities)))
    read.set_tag("RG", "g")
    return read
