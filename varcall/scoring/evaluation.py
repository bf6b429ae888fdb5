"""The evaluation of one call set as a function: for the report, the demo, the benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from varcall.errors import InputError
from varcall.formats.contig_names import some_names
from varcall.inputs.contig_sequences import ContigSequences
from varcall.inputs.regions import parse_region
from varcall.scoring.comparator import Comparison, TypeCounts, compare
from varcall.scoring.intervals import Intervals, read_merged_bed
from varcall.scoring.vcf_records import CallSet, Record, read_call_set
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
    reference: ContigSequences
    confident: Mapping[str, Intervals] | None
    ranges: Mapping[str, Intervals] | None


def region_ranges(
    regions: Sequence[str], bed: Path | None, reference: ContigSequences
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


def confident_regions(path: Path | None, reference: ContigSequences) -> dict[str, Intervals] | None:
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


def _mismatches(calls: CallSet, reference: ContigSequences) -> list[tuple[str, Record, str]]:
    """Records whose REF is not the reference's; unknown bases are no mismatch."""
    found = []
    for contig, records in calls.contigs.items():
        if contig not in reference.lengths:
            continue
        sequence = reference.sequence(contig)
        for record in records:
            expected = sequence[record.start : record.end]
            ref = record.ref.upper()
            if ref == expected or len(expected) < len(ref):
                continue
            if any(
                a != b and a in CERTAIN_BASES and b in CERTAIN_BASES
                for a, b in zip(ref, expected, strict=True)
            ):
                found.append((contig, record, expected))
    return found


def reference_mismatch(calls: CallSet, label: str, reference: ContigSequences) -> str | None:
    """A sentence about records whose REF differs from the reference; None when there is none."""
    found = _mismatches(calls, reference)
    if not found:
        return None
    contig, record, expected = found[0]
    more = f" (and in {len(found) - 1} more records)" if len(found) > 1 else ""
    return (
        f"the {label} file {calls.path} has REF {record.ref} at {contig}:{record.start + 1} "
        f"where the reference has {expected}{more}: "
        "was it made on another reference?"
    )


def haploid_note(inputs: Inputs) -> str | None:
    """A sentence about haploid genotypes and how they count; None when none calls an ALT."""
    places = {
        label: [
            f"{contig}:{record.start + 1}"
            for contig, records in calls.contigs.items()
            for record in records
            if record.genotype is not None and len(record.genotype) == 1 and record.genotype[0] > 0
        ]
        for label, calls in (("truth", inputs.truth), ("query", inputs.query))
    }
    first = next((found[0] for found in places.values() if found), None)
    if first is None:
        return None
    return (
        f"haploid genotypes count as homozygous (1 as 1/1): {len(places['truth'])} in "
        f"{inputs.truth.path}, {len(places['query'])} in {inputs.query.path}, the first at {first}"
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
        sentence = reference_mismatch(calls, label, fasta)
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
    threads: int = 1,
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
            regions=inputs.confident, ranges=inputs.ranges, threads=threads,
        )  # fmt: skip
    finally:
        inputs.reference.close()
    return Evaluation(comparison.counts(), comparison, (*warnings, *comparison.warnings))
