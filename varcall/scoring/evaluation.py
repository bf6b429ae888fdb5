"""The evaluation of one call set as a function: for the report, the demo, the benchmarks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from varcall.errors import InputError
from varcall.formats.contig_names import some_names
from varcall.inputs.contig_sequences import ContigReader, ContigSequences
from varcall.inputs.regions import parse_region
from varcall.scoring.comparator import Comparison, TypeCounts, compare
from varcall.scoring.intervals import Intervals, read_merged_bed
from varcall.scoring.span import Bases, start_of, text_of
from varcall.scoring.vcf_file import read_call_set
from varcall.scoring.vcf_records import CallSet, Record
from varcall.scoring.vcfeval.matching import MatchOptions

CERTAIN_BASES = frozenset("ACGT")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Counts of one evaluation by type ("SNP", "INDEL"), with what they were made from."""

    counts: dict[str, TypeCounts]
    comparison: Comparison
    warnings: tuple[str, ...]

    @property
    def total(self) -> TypeCounts:
        """All types together."""
        return self.counts["SNP"] + self.counts["INDEL"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Truth, query and where to look, read and cross-checked."""

    truth: CallSet
    query: CallSet
    reference: ContigReader
    confident: Mapping[str, Intervals] | None
    ranges: Mapping[str, Intervals] | None


def region_ranges(
    regions: Sequence[str], bed: Path | None, reference: ContigReader
) -> dict[str, Intervals] | None:
    """Where records are read: region strings or a BED file; None is everywhere."""
    if bed is not None:
        return read_merged_bed(bed)
    if not regions:
        return None
    pairs: dict[str, list[tuple[int, int]]] = {}
    for text in regions:
        region = parse_region(text, reference.lengths)
        pairs.setdefault(region.contig, []).append((region.start, region.end))
    return {contig: Intervals.merged(items) for contig, items in pairs.items()}


def confident_regions(path: Path | None, reference: ContigReader) -> dict[str, Intervals] | None:
    """Confident regions by contig; None counts everywhere.

    Raises
    ------
    InputError
        The file has rows, but none on a contig of the reference.
    """
    if path is None:
        return None
    regions = read_merged_bed(path)
    if regions and not set(regions) & set(reference.lengths):
        raise InputError(
            f"no row of {path} ({some_names(regions)}) is on a contig of the reference "
            f"({some_names(reference.lengths)}): is it for another build?"
        )
    return regions


@dataclass(frozen=True, slots=True)
class Found:
    """Records with a peculiarity: how many, and a text about the first."""

    count: int = 0
    first: str = ""

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Found":
        """Keep the first text."""
        return cls(len(texts), texts[0] if texts else "")

    def __add__(self, other: "Found") -> "Found":
        return Found(self.count + other.count, self.first or other.first)


def reference_mismatches(contig: str, records: Iterable[Record], sequence: Bases) -> Found:
    """Records whose REF is not the reference's; unknown bases are no mismatch."""
    found = []
    text, origin = text_of(sequence), start_of(sequence)
    for record in records:
        first = record.start - origin
        expected = text[first : first + len(record.ref)]
        if record.ref == expected:
            continue
        ref = record.ref.upper()
        if ref == expected or len(expected) < len(ref):
            continue
        if any(
            a != b and a in CERTAIN_BASES and b in CERTAIN_BASES
            for a, b in zip(ref, expected, strict=True)
        ):
            place = f"{contig}:{record.start + 1}"
            found.append(f"REF {record.ref} at {place} where the reference has {expected}")
    return Found.of(found)


def mismatch_sentence(calls: CallSet, label: str, found: Found) -> str | None:
    """A sentence about records whose REF differs from the reference; None when there is none."""
    if not found.count:
        return None
    more = f" (and in {found.count - 1} more records)" if found.count > 1 else ""
    return (
        f"the {label} file {calls.path} has {found.first}{more}: was it made on another reference?"
    )


def haploid_calls(contig: str, records: Iterable[Record]) -> Found:
    """Records with a haploid genotype that calls an ALT."""
    return Found.of([
        f"{contig}:{record.start + 1}"
        for record in records
        if record.genotype is not None and len(record.genotype) == 1 and record.genotype[0] > 0
    ])  # fmt: skip


def haploid_note(truth: CallSet, query: CallSet, found: Mapping[str, Found]) -> str | None:
    """A sentence about haploid genotypes and how they count; None when none calls an ALT."""
    both = found["truth"] + found["query"]
    if not both.count:
        return None
    return (
        f"haploid genotypes count as homozygous (1 as 1/1): {found['truth'].count} in "
        f"{truth.path}, {found['query'].count} in {query.path}, the first at {both.first}"
    )


def read_inputs(
    truth: Path,
    query: Path,
    reference: Path,
    *,
    confident: Path | None = None,
    regions: Sequence[str] = (),
    bed_regions: Path | None = None,
    samples: tuple[str | None, str | None] = (None, None),
    ref_mismatch: str = "error",
) -> tuple[Inputs, list[str]]:
    """Read and cross-check all inputs; returns them with warnings.

    Parameters
    ----------
    ref_mismatch
        ``error`` or ``warn`` where a REF allele is not what the reference has.

    Raises
    ------
    InputError
        A file is missing or malformed, or the files do not fit each other.
    """
    fasta = ContigSequences(reference)
    try:
        return _checked_inputs(
            fasta,
            read_call_set(truth, "truth", samples[0]),
            read_call_set(query, "query", samples[1]),
            confident_regions(confident, fasta),
            region_ranges(regions, bed_regions, fasta),
            ref_mismatch,
        )
    except BaseException:
        fasta.close()
        raise


def _checked_inputs(
    fasta: ContigSequences,
    truth: CallSet,
    query: CallSet,
    confident: Mapping[str, Intervals] | None,
    ranges: Mapping[str, Intervals] | None,
    ref_mismatch: str,
) -> tuple[Inputs, list[str]]:
    warnings = []
    for label, calls in (("truth", truth), ("query", query)):
        found = Found()
        for contig, records in calls.contigs.items():
            if contig in fasta.lengths:
                found += reference_mismatches(contig, records, fasta.sequence(contig))
        sentence = mismatch_sentence(calls, label, found)
        if sentence is not None and ref_mismatch == "error":
            raise InputError(sentence)
        if sentence is not None:
            warnings.append(sentence)
    return Inputs(truth, query, fasta, confident, ranges), warnings


def evaluate(
    truth: Path,
    query: Path,
    reference: Path,
    *,
    confident: Path | None = None,
    regions: Sequence[str] = (),
    bed_regions: Path | None = None,
    samples: tuple[str | None, str | None] = (None, None),
    options: MatchOptions | None = None,
    ref_mismatch: str = "error",
) -> Evaluation:
    """Count what of ``query`` agrees with ``truth``, with the semantics of ``rtg vcfeval``.

    Parameters
    ----------
    truth, query
        VCF files: plain text, or BGZF with an index.
    reference
        FASTA, plain or BGZF; an index next to it is used where there is one.
    confident
        BED of the confident regions (rtg's ``-e``): the whole files are matched, what lies outside
        is not counted.
    regions, bed_regions
        Restrict what is read at all: region strings (1-based) or a BED file.
    samples
        Names of the samples of truth and query; None takes the only one.
    options
        Matching options; rtg's defaults when None.

    Returns
    -------
    Evaluation
        ``counts["SNP"]`` and ``counts["INDEL"]`` have ``truth_tp``, ``truth_fn``, ``query_tp``,
        ``query_fp``, ``recall``, ``precision`` and ``f1``; ``total`` is their sum.

    Raises
    ------
    InputError
        A file is missing or malformed, or the files do not fit each other.
    """
    options = options or MatchOptions()
    inputs, warnings = read_inputs(
        truth,
        query,
        reference,
        confident=confident,
        regions=regions,
        bed_regions=bed_regions,
        samples=samples,
        ref_mismatch=ref_mismatch,
    )
    try:
        comparison = compare(
            inputs.truth, inputs.query, inputs.reference, options,
            regions=inputs.confident, ranges=inputs.ranges,
        )  # fmt: skip
    finally:
        inputs.reference.close()
    return Evaluation(comparison.counts(), comparison, (*warnings, *comparison.warnings))
