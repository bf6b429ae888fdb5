"""The header of a VCF: its fields, its contigs, and how the run was made."""

import re
from dataclasses import dataclass

from varcall.errors import InputError
from varcall.formats.text import as_utf8
from varcall.output.all_sites import ALL_SITES_HEADER
from varcall.output.forced import FORCED_HEADER
from varcall.output.phase_votes import VOTES_HEADER

_FIXED_HEADER = """\
##FILTER=<ID=PASS,Description="All filters passed">
##FILTER=<ID=RefCall,Description="Genotype is homozygous reference">
##FILTER=<ID=LowQual,Description="QUAL is below the threshold">
##FILTER=<ID=NoCall,Description="No genotype can be called">
##INFO=<ID=CAUSE,Number=1,Type=String,Description="Why reads show ALT, where FILTER is not PASS">
##INFO=<ID=CAUSEP,Number=1,Type=Float,Description="Probability of CAUSE">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Phred probability that GT is wrong">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Fragments that cover POS, scaled where capped">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Fragments of each allele, scaled as DP">
##FORMAT=<ID=ADF,Number=R,Type=Integer,Description="Forward fragments of each allele">
##FORMAT=<ID=ADR,Number=R,Type=Integer,Description="Reverse fragments of each allele">
##FORMAT=<ID=VAF,Number=A,Type=Float,Description="AD of each ALT as a fraction of DP">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Phred genotype likelihoods, GT at 0">
##FORMAT=<ID=GL,Number=G,Type=Float,Description="log10 genotype likelihoods">
"""
_PHASE_SET = '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set: POS of its first {}">\n'
PHASING_HEADER = "##varcall_phasing=<join_mnvs="
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADER_CONTIG = re.compile(r"^##contig=<ID=([^,>]+)(?:,length=(\d+))?", re.MULTILINE)
_CONTIG_NAME = re.compile(r'[^\s\x00-\x1f\x7f<>,"*=][^\s\x00-\x1f\x7f<>,"]*')


def described(*names: str) -> str:
    """Return the header lines of FILTER, INFO and FORMAT fields of a call, by their IDs."""
    lines = _FIXED_HEADER.splitlines(keepends=True)
    return "".join(line for line in lines if line.split("ID=")[1].split(",")[0] in names)


def escape_control(text: str) -> str:
    """Percent-encode control characters, which would break a line (VCF 4.3, section 1.2).

    Bytes of a path that are no UTF-8 are treated alike: a VCF is UTF-8 text (section 1.1).
    """
    return _CONTROL.sub(lambda found: f"%{ord(found.group()):02X}", as_utf8(text))


def quote(text: str) -> str:
    """Write text as a quoted value of a structured header line (VCF 4.3, section 1.4)."""
    return '"' + escape_control(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def header_contigs(header: str) -> list[tuple[str, int]]:
    """Return name and length (0 where not stated) of the contigs of a header text, in order."""
    return [(name, int(length or 0)) for name, length in _HEADER_CONTIG.findall(header)]


@dataclass(frozen=True, slots=True)
class HeaderContig:
    """A `##contig` line: name, length in bases, MD5 of the upper-case sequence where known."""

    name: str
    length: int
    md5: str | None = None

    def __post_init__(self) -> None:
        if not _CONTIG_NAME.fullmatch(self.name):
            raise InputError(
                f"contig name {self.name!r} cannot be written in a VCF; rename it in the "
                "reference and in the reads"
            )


@dataclass(frozen=True, slots=True)
class HeaderShard:
    """The part of a run that a file holds: 1-based `index` of `count`; `varcall merge` drops it."""

    index: int
    count: int


@dataclass(frozen=True, slots=True)
class Phasing:
    """That all records are phased; SNVs at most `join_mnvs` bases apart (0: none) are joined."""

    join_mnvs: int = 0


@dataclass(frozen=True, slots=True)
class VcfHeader:
    """Everything above the records.

    Attributes
    ----------
    contigs
        All contigs of the reference, in its order.
    sample
        Name of the one sample.
    provenance
        Whole lines from `varcall.output.provenance.header_lines`.
    shard
        Set when the file holds one shard of a run.
    phasing
        How all records are phased; None where only those that overlap are.
    gvcf
        Whole lines that a gVCF has beside a VCF's.
    has_given
        Whether records stand there because they were asked for.
    all_sites
        Whether bases as in the reference have records.
    """

    contigs: tuple[HeaderContig, ...]
    sample: str
    provenance: tuple[str, ...] = ()
    shard: HeaderShard | None = None
    phasing: Phasing | None = None
    gvcf: str = ""
    has_given: bool = False
    all_sites: bool = False

    def text(self) -> str:
        """Return the header's lines, the column line included."""
        contigs = [
            f"##contig=<ID={contig.name},length={contig.length}"
            + (f",md5={contig.md5}>\n" if contig.md5 else ">\n")
            for contig in self.contigs
        ]
        shard, phasing = self.shard, self.phasing
        first = "overlapping site" if phasing is None else "heterozygous record"
        # The records of a shard are phased when it is merged with the others.
        is_waiting = shard is not None and phasing is not None
        return "".join(
            [
                "##fileformat=VCFv4.2\n",
                _FIXED_HEADER,
                _PHASE_SET.format(first),
                VOTES_HEADER if is_waiting else "",
                self.gvcf,
                FORCED_HEADER if self.has_given else "",
                ALL_SITES_HEADER if self.all_sites else "",
                *[line + "\n" for line in self.provenance],
                f"##varcall_shard=<index={shard.index},count={shard.count}>\n" if shard else "",
                f"{PHASING_HEADER}{phasing.join_mnvs}>\n" if phasing and is_waiting else "",
                *contigs,
                f"{COLUMNS}\t{escape_control(self.sample)}\n",
            ]
        )
