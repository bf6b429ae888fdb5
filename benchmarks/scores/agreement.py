"""Whether faster ways of calling lose anything: calls, genotypes or likelihoods.

Three ways of varcall are compared: its default; every question asked with a picture, by the engine
that is chosen; and the same by torch in fp32, the reference. The second tells the engine's part
from that of the triage: engines must keep PLs within 1, triage must keep what is found.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cyvcf2 import VCF

from benchmarks.accuracy import Row, score_slice
from benchmarks.inputs.slices import StagedSlice
from benchmarks.runs.callers import VARCALL, varcall_with
from benchmarks.runs.history import Table

# The names are parts of the files' names.
ALL_PICTURES = varcall_with("varcall-all-pictures", "--no-triage")
REFERENCE_VARIANT = varcall_with(
    "varcall-all-pictures-torch-fp32", "--no-triage --engine torch --precision fp32"
)
VARIANTS = (VARCALL, ALL_PICTURES, REFERENCE_VARIANT)
MOST_PL = 1
"""By so much PLs of the same pictures may differ between engines."""

Key = tuple[str, str, str, str]
"""CHROM, POS, REF, ALT."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a record says of its site."""

    filter: str
    genotype: str
    pl: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the calls of a variant (second) differ from those of the reference (first).

    Attributes
    ----------
    records
        In both.
    only_first, only_second
        Records that the other lacks.
    genotypes, filters
        Records in both whose GT, or FILTER, differ.
    beyond
        Records in both with a PL that differs by more than MOST_PL.
    largest
        Largest difference of a PL.
    differences
        A line for every other record or genotype.
    """

    records: int
    only_first: int
    only_second: int
    genotypes: int
    filters: int
    beyond: int
    largest: int
    differences: tuple[str, ...] = ()


def read_calls(vcf: Path) -> dict[Key, Call]:
    """Read the records of a single-sample VCF of varcall."""
    calls = {}
    for variant in VCF(str(vcf)):
        *alleles, is_phased = variant.genotypes[0]
        genotype = ("|" if is_phased else "/").join("." if i < 0 else str(i) for i in alleles)
        # Missing values are negative.
        pl = tuple(value for value in variant.format("PL")[0].tolist() if value >= 0)
        key = variant.CHROM, str(variant.POS), variant.REF, ",".join(variant.ALT)
        calls[key] = Call(";".join(variant.FILTERS), genotype, pl)
    return calls


def compare_calls(first: Mapping[Key, Call], second: Mapping[Key, Call]) -> Agreement:
    """Count in what two call sets differ."""
    both = first.keys() & second.keys()
    pairs = [(key, first[key], second[key]) for key in sorted(both, key=_order)]
    largest = [_distance(a.pl, b.pl) for _, a, b in pairs]
    others = [(key, a.genotype, b.genotype) for key, a, b in pairs if a.genotype != b.genotype]
    others += [(key, first[key].genotype, "absent") for key in first.keys() - both]
    others += [(key, "absent", second[key].genotype) for key in second.keys() - both]
    return Agreement(
        records=len(both),
        only_first=len(first) - len(both),
        only_second=len(second) - len(both),
        genotypes=sum(a.genotype != b.genotype for _, a, b in pairs),
        filters=sum(a.filter != b.filter for _, a, b in pairs),
        beyond=sum(distance > MOST_PL for distance in largest),
        largest=max(largest, default=0),
        differences=tuple(
            f"{contig}:{position} {ref}>{alt}: {a} became {b}"
            for (contig, position, ref, alt), a, b in sorted(others, key=lambda o: _order(o[0]))
        ),
    )


def _order(key: Key) -> tuple[str, int, str, str]:
    return key[0], int(key[1]), key[2], key[3]


def _distance(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """Largest difference of two PL lists; a missing one differs from any."""
    if len(first) != len(second):
        return 999
    return max((abs(a - b) for a, b in zip(first, second, strict=True)), default=0)


def agreement_of(
    staged: Iterable[StagedSlice], directory: Path, model: str | None
) -> tuple[list[Row], dict[tuple[str, str], Agreement]]:
    """Call every slice in the three ways; return scores, and agreements by slice and way."""
    rows: list[Row] = []
    found: dict[tuple[str, str], Agreement] = {}
    for item in staged:
        rows += score_slice(item, VARIANTS, directory, model)
        calls = {
            way.name: read_calls(directory / f"{item.reads.stem}.{way.name}.vcf.gz")
            for way in VARIANTS
        }
        for way in VARIANTS[:-1]:
            reference = calls[REFERENCE_VARIANT.name]
            found[item.slice.name, way.name] = compare_calls(reference, calls[way.name])
    return rows, found


def agreement_tables(found: Mapping[tuple[str, str], Agreement], said: str) -> list[Table]:
    """Return the table of the agreements, with what is said of all, and that of other records."""
    titles = ["slice", f"against {REFERENCE_VARIANT.name}", "records in both", "only reference"]
    titles += ["only here", "other GT", "other FILTER", f"PL beyond {MOST_PL}", "largest PL"]
    rows = []
    others = []
    for (slice_name, way), a in found.items():
        numbers = (a.records, a.only_first, a.only_second, a.genotypes, a.filters)
        rows.append([slice_name, way, *map(str, (*numbers, a.beyond, a.largest))])
        others += [[slice_name, way, line] for line in a.differences]
    different = Table("differences", ["slice", *titles[1:2], "record"], others)
    return [Table("agreement", titles, rows, [said]), different]


def verdict(rows: Iterable[Row]) -> str:
    """Say whether the counts of each slice are the same for every way of calling."""
    counts: dict[str, set[tuple[object, ...]]] = {}
    for row in rows:
        counts.setdefault(row.slice_name, set()).add((row.score, *row.by_haplotype))
    other = [name for name, different in counts.items() if len(different) > 1]
    if other:
        return f"TP/FP/FN differ on {', '.join(other)}."
    return f"TP/FP/FN are the same on every slice ({len(counts)})."
