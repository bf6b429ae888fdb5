"""The tables of all contigs from what each part of a contig adds to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from varcall.formats.contig_names import some_names
from varcall.inputs.contig_sequences import ContigReader
from varcall.scoring.happy.annotate import (
    BOUNDARY,
    CONFIDENT,
    CONTAINED,
    Stratum,
    annotate_contig,
    confident_variants,
)
from varcall.scoring.happy.rows import AnnotatedRecord, Observations, count_rows
from varcall.scoring.happy.rows import Row as TableRow
from varcall.scoring.intervals import EMPTY, Intervals
from varcall.scoring.span import Bases
from varcall.scoring.vcf_records import Record
from varcall.scoring.vcfeval.superloci import Row

_END = 1 << 62  # behind the end of any contig
_PIECE = 1 << 20  # bases looked at together for the first that is no N


@dataclass(frozen=True, slots=True)
class Subsets:
    """Regions that get rows of their own.

    ``stratification`` has the rows of the BED file of each named region, by contig;
    ``confident_size`` the bases of the rows of the confident BED file, overlaps counted twice
    (hap.py's Subset.Size). ``merged`` are the rows of each region joined where they overlap.
    """

    stratification: Mapping[str, Mapping[str, list[tuple[int, int]]]] = field(default_factory=dict)
    confident_size: int = 0
    merged: dict[str, dict[str, Intervals]] = field(init=False)

    def __post_init__(self) -> None:
        merged = {
            name: {contig: Intervals.merged(pairs) for contig, pairs in rows.items()}
            for name, rows in self.stratification.items()
        }
        object.__setattr__(self, "merged", merged)

    def size(self, name: str) -> int:
        """Bases of the rows of a region, overlaps counted twice."""
        rows = self.stratification[name].values()
        return sum(end - start for pairs in rows for start, end in pairs)


@dataclass(frozen=True, slots=True)
class StretchPlace:
    """A contig, or the part of it from ``start`` to ``end`` where no record crosses the ends."""

    contig: str
    sequence: Bases
    start: int = 0
    end: int = _END

    @classmethod
    def whole(cls, contig: str, reference: ContigReader) -> "StretchPlace":
        """A whole contig."""
        return cls(contig, reference.sequence(contig))


@dataclass(frozen=True, slots=True)
class TablePart:
    """What a contig or a part of it adds to the tables.

    ``confident_bases`` are those of the truth variants, which hap.py adds to the confident regions;
    ``shared`` the bases that each stratum shares with these.
    """

    contig: str
    observations: Observations
    has_truth: bool
    has_query: bool
    confident_bases: int
    shared: dict[str, int]


@dataclass(frozen=True, slots=True)
class AnnotatedPart:
    """Rows of the annotated VCF, and what they add to the tables."""

    rows: list[Row]
    records: list[AnnotatedRecord]
    part: TablePart


def annotated(
    rows: Sequence[Row],
    place: StretchPlace,
    subsets: Subsets,
    confident: Mapping[str, Intervals] | None,
    truth: Sequence[Record],
    query: Sequence[Record],
    *,
    only_confident: bool = True,
) -> AnnotatedPart:
    """Annotate rows and count them.

    Parameters
    ----------
    rows
        Of one place, sorted.
    confident
        Confident regions by contig; None where all is confident.
    truth, query
        Records as they were compared.
    only_confident
        What lies outside the confident regions becomes UNK, whatever its verdict.
    """
    strata: list[Stratum] = []
    bases = 0
    regions = EMPTY
    if confident is not None:
        own = confident.get(place.contig, EMPTY).near(place.start, place.end)
        spans = confident_variants(
            ((record.start, record.ref, record.alts) for record in truth),
            place.sequence,
            own if confident else None,
        )
        bases = sum(end - start for start, end in spans)
        regions = Intervals.merged([*own.pairs(), *spans])
        strata.append(Stratum(CONFIDENT, regions))
    shared = {}
    for name, by_contig in subsets.merged.items():
        mine = by_contig.get(place.contig, EMPTY)
        strata.append(Stratum(name, mine.near(place.start, place.end)))
        shared[name] = _shared(mine, regions, place)
    has_confident = only_confident and confident is not None
    pairs = annotate_contig(place.sequence, rows, strata, has_confident=has_confident)
    records = [record for _, record in pairs]
    part = TablePart(
        place.contig, Observations.of(records), bool(truth), bool(query), bases, shared
    )
    return AnnotatedPart([row for row, _ in pairs], records, part)


def _shared(a: Intervals, b: Intervals, place: StretchPlace) -> int:
    return a.clipped(place.start, place.end).intersected(b.clipped(place.start, place.end)).size()


def called_length(reference: ContigReader, contig: str) -> int:
    """Length of a contig without the runs of N at both ends."""
    length = reference.lengths[contig]
    first = 0
    while first < length:
        text = reference.fetch(contig, first, min(length, first + _PIECE))
        rest = text.lstrip("N")
        first += len(text) - len(rest)
        if rest:
            break
    last = length
    while last > first:
        text = reference.fetch(contig, max(first, last - _PIECE), last)
        rest = text.rstrip("N")
        last -= len(text) - len(rest)
        if rest:
            break
    return last - first


@dataclass(slots=True)
class TableTotals:
    """Adds up the parts; those of one contig come together, contigs in the reference's order."""

    subsets: Subsets
    confident: Mapping[str, Intervals] | None
    reference: ContigReader
    contigs: dict[str, bool] = field(default_factory=dict)  # whether it has query records
    observations: list[Observations] = field(default_factory=list)
    confident_bases: int = 0
    shared: dict[str, int] = field(default_factory=dict)

    def add(self, part: TablePart) -> None:
        """Add a part of a contig that has truth records."""
        self.contigs[part.contig] = self.contigs.get(part.contig, False) or part.has_query
        self.observations.append(part.observations)
        self.confident_bases += part.confident_bases
        for name, bases in part.shared.items():
            self.shared[name] = self.shared.get(name, 0) + bases

    def warnings(self, query_contigs: Iterable[str]) -> list[str]:
        """Sentences about what the tables do not hold, and why."""
        found = []
        left_out = [contig for contig in query_contigs if contig not in self.contigs]
        if left_out:
            found.append(
                "the tables leave out, as hap.py does, query records on contigs without truth "
                f"records: {some_names(left_out)}"
            )
        if self.confident is not None and not self.confident:
            found.append(
                "the BED file of confident regions has no rows: the tables count every record, as "
                "hap.py does, and the split files and --counts none, as rtg does"
            )
        if not self.contigs:
            found.append("the truth has no records: the tables are empty")
        found += [
            f"contig {contig} has truth records but no query records"
            for contig, has_query in self.contigs.items()
            if not has_query
        ]
        return found

    def table(self, score_name: str) -> list[TableRow]:
        """Rows of hap.py's tables."""
        if not self.contigs:
            return []
        names = list(self.subsets.merged)
        return count_rows(Observations.joined(self.observations), score_name, names, self._sizes())

    def _sizes(self) -> dict[str, dict[str, str]]:
        """Columns Subset.Size, Subset.IS_CONF.Size and Subset.Level of every subset."""
        has_strata = self.confident is not None or bool(self.subsets.merged)
        in_use = [name for name in self.reference.lengths if has_strata or name in self.contigs]
        called = {contig: called_length(self.reference, contig) for contig in in_use}
        inside = None
        if self.confident is not None:
            inside = self.subsets.confident_size + self.confident_bases

        def row(size: float | int, shared: int | None) -> dict[str, str]:
            text = str(size) if isinstance(size, int) else f"{size:.6f}"
            columns = {"Subset.Size": text, "Subset.Level": f"{0:.6f}"}
            # hap.py has the column only where there are confident regions
            return columns | {"Subset.IS_CONF.Size": "" if shared is None else f"{shared:.6f}"}

        sizes = {"*": row(sum(called[contig] for contig in self.contigs), inside)}
        sizes[BOUNDARY] = row(float(sum(called.values())), inside)
        sizes[CONTAINED] = row(float(inside or 0), inside)
        for name in self.subsets.merged:
            shared = None if inside is None else self._shared_with_confident(name)
            sizes[name] = row(float(self.subsets.size(name)), shared)
        return sizes

    def _shared_with_confident(self, name: str) -> int:
        confident = self.confident or {}
        return self.shared.get(name, 0) + sum(
            intervals.intersected(confident.get(contig, EMPTY)).size()
            for contig, intervals in self.subsets.merged[name].items()
            if contig not in self.contigs
        )
