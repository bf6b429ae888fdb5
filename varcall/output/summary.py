"""What a call found and cost: counts of its records, CPU seconds by stage, memory."""

import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from varcall.output.record import PASS, VariantRecord

# getrusage(2): Linux gives kilobytes.
_RUSAGE_UNIT = 1024
_TRANSITIONS = frozenset(("AG", "GA", "CT", "TC"))


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """Counts of records; all but `records` are of those that are PASS.

    Attributes
    ----------
    records, passed
        All records, and those that are PASS.
    snvs, indels
        Records whose genotype has such an ALT; one with both counts twice.
    transitions, transversions
        SNVs in genotypes, each ALT of a record once.
    het, hom
        Genotypes of two copies whose alleles differ, and whose alleles are one ALT.
    """

    records: int = 0
    passed: int = 0
    snvs: int = 0
    indels: int = 0
    transitions: int = 0
    transversions: int = 0
    het: int = 0
    hom: int = 0

    @classmethod
    def of(cls, records: Iterable[VariantRecord]) -> "RecordCounts":
        """Count records."""
        rows = [_counted(record) if record.filter == PASS else _REFUSED for record in records]
        return cls(*map(sum, zip(*rows, strict=True)))

    def __add__(self, other: "RecordCounts") -> "RecordCounts":
        return RecordCounts(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(RecordCounts))
        )

    @property
    def ti_tv(self) -> float | None:
        """Transitions over transversions; None without the latter."""
        return self.transitions / self.transversions if self.transversions else None

    @property
    def het_hom(self) -> float | None:
        """Heterozygous over homozygous genotypes; None without the latter."""
        return self.het / self.hom if self.hom else None


def _counted(record: VariantRecord) -> tuple[int, ...]:
    """Count one record that is PASS; in the order of the fields."""
    called = {allele for allele in record.gt if allele}
    kinds = [allele_kind(record.ref, record.alts[allele - 1]) for allele in called]
    is_diploid = len(record.gt) == 2 and None not in record.gt
    is_het = record.gt[0] != record.gt[-1]
    transitions, transversions = kinds.count("ti"), kinds.count("tv")
    return (
        1,
        1,
        int(transitions + transversions > 0),
        int("indel" in kinds),
        transitions,
        transversions,
        int(is_diploid and is_het),
        int(is_diploid and not is_het and bool(called)),
    )


_REFUSED = (1, 0, 0, 0, 0, 0, 0, 0)


def allele_kind(ref: str, alt: str) -> str:
    """Return what an ALT is: ti, tv (an SNV that is a transition or not), indel, other.

    Bases that REF and ALT share at their ends do not count.

    >>> [allele_kind("GA", alt) for alt in ("GG", "CA", "G", "GTA", "CT", "*", "GA")]
    ['ti', 'tv', 'indel', 'indel', 'other', 'other', 'other']
    """
    if not set(alt) <= set("ACGTN"):
        return "other"
    if len(ref) != len(alt):
        return "indel"
    pairs = [before + after for before, after in zip(ref, alt, strict=True) if before != after]
    if len(pairs) != 1:
        return "other"
    return "ti" if pairs[0] in _TRANSITIONS else "tv"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """What a call found and cost.

    Attributes
    ----------
    sample
        Its name in the VCF.
    model, model_sha256
        The weights.
    counts
        Of the records.
    work
        How many windows, reads, sites, questions and pictures were seen.
    cpu_seconds
        By stage, over all processes.
    wall_seconds
        From the first look at the inputs to the finished output.
    peak_memory
        Bytes that this process has held at most, since it was started.
    peak_worker_memory
        Bytes that one of its worker processes, of this call or of another, has held at most; 0
        without any.
    """

    sample: str
    model: str
    model_sha256: str
    counts: RecordCounts
    work: Mapping[str, int]
    cpu_seconds: Mapping[str, float]
    wall_seconds: float
    peak_memory: int
    peak_worker_memory: int

    def lines(self) -> list[str]:
        """Say it in a few lines."""
        counts = self.counts
        seen = ", ".join(f"{count:,} {name}" for name, count in self.work.items())
        workers = (
            f", of a worker {_megabytes(self.peak_worker_memory)}"
            if self.peak_worker_memory
            else ""
        )
        return [
            f"{counts.records:,} records, {counts.passed:,} of them PASS: {counts.snvs:,} SNVs, "
            f"{counts.indels:,} indels, Ti/Tv {_ratio(counts.ti_tv)}, "
            f"het/hom {_ratio(counts.het_hom)}",
            f"{seen}; {sum(self.cpu_seconds.values()):.2f} CPU seconds (see --timings for stages)",
            f"{self.wall_seconds:.1f} s, peak memory {_megabytes(self.peak_memory)}{workers}",
        ]


def peak_memory() -> tuple[int, int]:
    """Return bytes held at most by this process, and by one of its children that have ended."""
    own, children = (
        resource.getrusage(who).ru_maxrss * _RUSAGE_UNIT
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own, children


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
