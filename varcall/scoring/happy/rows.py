"""hap.py's counting: from judged records to the rows of its extended and ROC tables.

An *observation* is one column entry (truth or query) of one record of the annotated VCF. The rows,
their order and the rounding to six decimals are hap.py's (0.3.15, ``quantify`` and
``happyroc.py``).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from varcall.scoring.happy.score_kernels import sort_order, spaced

TYPES = ("SNP", "INDEL")
SUBTYPES: dict[str, tuple[str, ...]] = {
    "SNP": ("*", "ti", "tv"),
    "INDEL": (
        "*",
        "I1_5",
        "I6_15",
        "I16_PLUS",
        "D1_5",
        "D6_15",
        "D16_PLUS",
        "C1_5",
        "C6_15",
        "C16_PLUS",
    ),
}
# hap.py sorts the observations once for each of het, hetalt, homalt and all.
SORTS_PER_SUBTYPE = 4
COUNTS = ("TRUTH.TOTAL", "TRUTH.TP", "TRUTH.FN", "QUERY.TOTAL", "QUERY.TP", "QUERY.FP", "QUERY.UNK")
ROC_SPACING = 0.5  # hap.py --roc-delta: least distance between two levels of QQ
# A mismatch without a score comes before all levels.
LOWEST = 2.2250738585072014e-308


class Entry(NamedTuple):
    """What the annotated VCF says of one side of a record."""

    decision: str  # BD: TP FP FN UNK N
    kind: str  # BK: gm am lm .
    variant_type: str  # BVT: SNP INDEL NOCALL HOMREF UNK
    location_type: str  # BLT: het homalt hetalt hemi halfcall homref nocall
    subtypes: frozenset[str]  # BI: ti tv i1_5 ... c16_plus
    score: float  # QQ, NaN when missing


class AnnotatedRecord(NamedTuple):
    """One record of the annotated VCF, as far as counting needs it."""

    filters: tuple[str, ...]
    regions: tuple[str, ...]
    truth: Entry
    query: Entry


# Observation codes; the last two are what filtered query records become.
CODES = ("TRUTH.TP", "TRUTH.FN", "QUERY.TP", "QUERY.FP", "QUERY.UNK", "QUERY.FN", "N")
_TRUTH_TP, _TRUTH_FN, _QUERY_TP, _QUERY_FP, _QUERY_UNK, _QUERY_FN, _N = range(len(CODES))
_FAILED = {_TRUTH_TP: _TRUTH_FN, _TRUTH_FN: _TRUTH_FN, _QUERY_TP: _QUERY_FN}
_FLAGS = {
    name: 1 << bit
    for bit, name in enumerate((
        "am", "lm", "het", "homalt", "ti", "tv",
        "i1_5", "i6_15", "i16_plus", "d1_5", "d6_15", "d16_plus", "c1_5", "c6_15", "c16_plus",
    ))
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of a group of observations, by code."""

    level: float
    counts: tuple[int, ...]
    fp_gt: int
    fp_al: int

    def value(self, name: str) -> int:
        """A count by its column name; totals are sums."""
        c = self.counts
        if name == "TRUTH.TOTAL":
            return c[_TRUTH_TP] + c[_TRUTH_FN]
        if name == "QUERY.TOTAL":
            return c[_QUERY_TP] + c[_QUERY_FP] + c[_QUERY_UNK]
        return c[CODES.index(name)]

    def metrics(self) -> dict[str, float]:
        """Recall, precision, Frac_NA and F1; 0 where hap.py has nothing to divide by."""
        recall = self._share("TRUTH.TP", self.value("TRUTH.TOTAL"), self.value("TRUTH.TOTAL"))
        queries = self.value("QUERY.TOTAL")
        precision = self._share(
            "QUERY.TP", self.value("QUERY.TP") + self.value("QUERY.FP"), queries
        )
        outside = self._share("QUERY.UNK", queries, queries)
        both = precision + recall
        f1 = 2 * precision * recall / both if both and not math.isnan(both) else math.nan
        return {
            "METRIC.Recall": recall,
            "METRIC.Precision": precision,
            "METRIC.Frac_NA": outside,
            "METRIC.F1_Score": f1,
        }

    def _share(self, name: str, total: int, present: int) -> float:
        if present == 0:
            return 0.0
        return self.value(name) / total if total else math.nan

    def without(self, below: "Tally") -> "Tally":
        """What is left when everything counted in ``below`` falls under the threshold."""
        left = [mine - other for mine, other in zip(self.counts, below.counts, strict=True)]
        left[_TRUTH_FN] = self.counts[_TRUTH_FN] + below.counts[_TRUTH_TP]
        return Tally(below.level, tuple(left), self.fp_gt - below.fp_gt, self.fp_al - below.fp_al)


# Codes of a filtered record, by what it would be without its filters.
_PASSING = np.array([_FAILED.get(code, _N) for code in range(len(CODES))], np.int8)
_TRUTH_CODES = {name: CODES.index(f"TRUTH.{name}") for name in ("TP", "FN")}
_QUERY_CODES = {name: CODES.index(f"QUERY.{name}") for name in ("TP", "FP", "UNK")}
# (prefix "a", "f" or "s", subset, type, filter)
_GroupKey = tuple[str, str, str, str]
# The records of a subset ("s") or with a filter ("f"), by its name.
_Member = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Observations:
    """Observations in the order of the annotated VCF, as arrays.

    ``scores`` (0 where missing), ``codes`` and ``flags`` [n]; ``kinds`` are numbers of types;
    ``is_failed`` marks those with a filter; ``members`` are numbers of observations by subset and
    by filter.
    """

    scores: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int8]
    flags: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int8]
    is_failed: npt.NDArray[np.bool_]
    members: dict[_Member, npt.NDArray[np.int32]]

    @classmethod
    def of(cls, records: Iterable[AnnotatedRecord]) -> "Observations":
        """Observe both sides of each record."""
        observed = [
            (record, entry, code)
            for record in records
            for codes, entry in ((_TRUTH_CODES, record.truth), (_QUERY_CODES, record.query))
            if (code := codes.get(entry.decision)) is not None and entry.variant_type in TYPES
        ]
        members: dict[_Member, list[int]] = {}
        is_failed = np.zeros(len(observed), np.bool_)
        for number, (record, _, _) in enumerate(observed):
            for name in record.filters:
                if name not in ("PASS", ""):
                    is_failed[number] = True
                    members.setdefault(("f", name), []).append(number)
            for region in record.regions:
                if region != "CONF":
                    members.setdefault(("s", region), []).append(number)
        scores = np.array([entry.score for _, entry, _ in observed], np.float64)
        flags = [_flags(e.kind, e.location_type, e.subtypes) for _, e, _ in observed]
        return cls(
            np.where(np.isnan(scores), 0, scores),
            np.array([code for _, _, code in observed], np.int8),
            np.array(flags, np.int32),
            np.array([TYPES.index(entry.variant_type) for _, entry, _ in observed], np.int8),
            is_failed,
            {key: np.array(numbers, np.int32) for key, numbers in members.items()},
        )

    @classmethod
    def joined(cls, parts: Sequence["Observations"]) -> "Observations":
        """Observations of parts that follow each other."""
        members: dict[_Member, list[npt.NDArray[np.int32]]] = {}
        before = 0
        for part in parts:
            for key, numbers in part.members.items():
                members.setdefault(key, []).append(numbers + np.int32(before))
            before += len(part.codes)
        return cls(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.flags for part in parts]),
            np.concatenate([part.kinds for part in parts]),
            np.concatenate([part.is_failed for part in parts]),
            {key: np.concatenate(numbers) for key, numbers in members.items()},
        )

    def groups(self, region_names: Iterable[str]) -> Iterator[tuple[_GroupKey, "_Group"]]:
        """Groups that get rows: by type all, those of each subset, and those with each filter."""
        everything = np.arange(len(self.codes), dtype=np.int32)
        nothing = {("s", name): everything[:0] for name in region_names}
        for number, kind in enumerate(TYPES):
            chosen = everything[self.kinds == number]
            if not len(chosen):
                continue
            yield from self._pair(("a", "*", kind), chosen)
            for (letter, name), numbers in (nothing | self.members).items():
                own = numbers[self.kinds[numbers] == number]
                if letter == "s" and (len(own) or (letter, name) in nothing):
                    yield from self._pair((letter, name, kind), own)
                elif len(own):
                    yield (letter, "*", kind, name), self._group(own, self.codes[own])

    def _pair(
        self, key: tuple[str, str, str], chosen: npt.NDArray[np.int32]
    ) -> Iterator[tuple[_GroupKey, "_Group"]]:
        """The group of all records, and that of the passing ones: the same where none failed."""
        codes = self.codes[chosen]
        everything = self._group(chosen, codes)
        yield (*key, "ALL"), everything
        is_failed = self.is_failed[chosen]
        passing = np.where(is_failed, _PASSING[codes], codes)
        yield (*key, "PASS"), self._group(chosen, passing) if is_failed.any() else everything

    def _group(self, chosen: npt.NDArray[np.int32], codes: npt.NDArray[np.int8]) -> "_Group":
        scores = self.scores[chosen]
        # mismatches without a score come first, what became N has no flags
        is_lowest = (scores == 0) & np.isin(codes, (_TRUTH_FN, _QUERY_FN, _N))
        return _Group(
            np.where(is_lowest, LOWEST, scores),
            codes,
            np.where(codes == _N, 0, self.flags[chosen]).astype(np.int32),
            np.arange(len(chosen)),
        )


@lru_cache(maxsize=4096)
def _flags(kind: str, location: str, subtypes: frozenset[str]) -> int:
    return sum(_FLAGS.get(name, 0) for name in (kind, location, *subtypes))


@dataclass(slots=True)
class _Group:
    """Arrays of one group.

    ``order`` is sorted again for every column, as hap.py does with a sort that is not stable.
    """

    scores: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int8]
    flags: npt.NDArray[np.int32]
    order: npt.NDArray[np.int64]

    def total(self, *names: str) -> Tally:
        """Counts of the observations with all the named properties."""
        chosen = self._chosen(np.arange(len(self.codes)), names)
        return self._tally(math.nan, chosen)

    def levels(self, name: str) -> list[Tally]:
        """Counts at each level of the score: what is below it is taken away."""
        for _ in range(SORTS_PER_SUBTYPE):
            sort_order(self.scores, self.order)
        chosen = self._chosen(self.order, (name,))
        total = self._tally(math.nan, chosen)
        scores, codes = self.scores[chosen], self.codes[chosen]
        at = spaced(scores, ROC_SPACING)

        def up_to(is_counted: npt.NDArray[np.bool_]) -> list[int]:
            numbers: list[int] = np.searchsorted(np.flatnonzero(is_counted), at, "right").tolist()
            return numbers

        counts = zip(*(up_to(codes == code) for code in range(len(CODES))), strict=True)
        is_fp, flags = codes == _QUERY_FP, self.flags[chosen]
        fp_gt = up_to(is_fp & (flags & _FLAGS["am"] != 0))
        fp_al = up_to(is_fp & (flags & _FLAGS["lm"] != 0))
        levels = zip(scores[at].tolist(), counts, fp_gt, fp_al, strict=True)
        return [total.without(Tally(*level)) for level in levels]

    def _chosen(
        self, order: npt.NDArray[np.int64], names: tuple[str, ...]
    ) -> npt.NDArray[np.int64]:
        wanted = sum(_FLAGS[name.lower()] for name in names if name != "*")
        chosen: npt.NDArray[np.int64] = order[self.flags[order] & wanted == wanted]
        return chosen

    def _tally(self, level: float, chosen: npt.NDArray[np.int64]) -> Tally:
        codes = self.codes[chosen]
        is_fp = codes == _QUERY_FP
        flags = self.flags[chosen]
        return Tally(
            level,
            tuple(np.bincount(codes, minlength=len(CODES)).tolist()),
            int((is_fp & (flags & _FLAGS["am"] != 0)).sum()),
            int((is_fp & (flags & _FLAGS["lm"] != 0)).sum()),
        )


Row = dict[str, str]


def _text(value: float) -> str:
    """A number as the C++ standard library prints it."""
    return "-nan" if math.isnan(value) else f"{value:.6f}"


def _number(value: float) -> str:
    """A rate rounded to six decimals; empty when there is none."""
    return "" if math.isnan(value) else repr(round(value, 6))


def _ratio(a: str, b: str) -> str:
    """Quotient of two counts in a row; empty where one is missing or the second is zero."""
    if a in ("", ".") or b in ("", ".") or float(b) == 0:
        return ""
    return repr(float(a) / float(b))


def _row(
    keys: tuple[str, str, str, str],
    qq_field: str,
    tally: Tally,
    sizes: Mapping[str, str],
    *,
    counts_only: bool,
) -> Row:
    kind, subtype, subset, filter_name = keys
    row = {
        "Type": kind, "Subtype": subtype, "Subset": subset, "Filter": filter_name,
        "Genotype": "*", "QQ.Field": qq_field,
        "QQ": "*" if math.isnan(tally.level) else _text(tally.level),
        "FP.gt": str(tally.fp_gt), "FP.al": str(tally.fp_al),
    }  # fmt: skip
    row |= sizes
    known = ("TRUTH.TP", "QUERY.TP", "QUERY.FP", "QUERY.UNK")
    for name in COUNTS:
        row[name] = str(tally.value(name)) if not counts_only or name in known else "0"
        for part in ("ti", "tv", "het", "homalt"):
            row[f"{name}.{part}"] = "."
    for name, value in tally.metrics().items():
        row[name] = "" if counts_only else _number(value)
    return row


def _set_part(row: Row, part: str, tally: Tally, *, counts_only: bool) -> None:
    for name in COUNTS:
        if not counts_only or name in ("TRUTH.TP", "QUERY.TP", "QUERY.FP", "QUERY.UNK"):
            row[f"{name}.{part}"] = _text(tally.value(name))


def _group_rows(
    key: _GroupKey, group: _Group, qq_field: str, sizes: Mapping[str, str]
) -> list[Row]:
    """Rows of one type, subset and filter: totals, then levels of the score."""
    kind, subset, variant_type, filter_name = key
    counts_only = kind == "f"
    rows: list[Row] = []
    by_level: dict[str, Row] = {}
    for subtype in SUBTYPES[variant_type]:
        tallies = [group.total(subtype), *([] if counts_only else group.levels(subtype))]
        if subtype in ("ti", "tv"):
            for tally in tallies:
                text = "*" if math.isnan(tally.level) else _text(tally.level)
                if text in by_level:
                    _set_part(by_level[text], subtype, tally, counts_only=counts_only)
            continue
        found = [
            _row(
                (variant_type, subtype, subset, filter_name),
                qq_field,
                tally,
                sizes,
                counts_only=counts_only,
            )
            for tally in tallies
        ]
        for genotype in ("het", "homalt"):
            _set_part(found[0], genotype, group.total(subtype, genotype), counts_only=counts_only)
        rows.extend(found)
        if subtype == "*":
            by_level = {row["QQ"]: row for row in found}
    return rows


SORT_COLUMNS = ("Type", "Subtype", "Subset", "Filter", "Genotype", "QQ.Field", "QQ")


def count_rows(
    observations: Observations,
    qq_field: str,
    region_names: Sequence[str],
    sizes: Mapping[str, Mapping[str, str]],
) -> list[Row]:
    """Rows of hap.py's ``roc.all.csv`` in its order; QQ ``*`` marks the extended table.

    Parameters
    ----------
    qq_field
        Name of the score.
    region_names
        Stratification regions, which get rows even when they hold nothing.
    sizes
        Columns about the size of each subset, by its name.
    """
    rows: list[Row] = []
    last: tuple[_Group | None, list[Row]] = None, []
    for key, group in observations.groups(region_names):
        if group is last[0]:
            rows.extend(row | {"Filter": key[3]} for row in last[1])
            continue
        last = group, _group_rows(key, group, qq_field, sizes.get(key[1], {}))
        rows.extend(last[1])
    has_snps = any(row["Type"] == "SNP" for row in rows)
    for row in rows:
        for name in COUNTS if not has_snps else ():
            row[f"{name}.ti"] = row[f"{name}.tv"] = ""  # hap.py then lacks the columns
        for name in COUNTS:
            row[f"{name}.TiTv_ratio"] = _ratio(row[f"{name}.ti"], row[f"{name}.tv"])
            row[f"{name}.het_hom_ratio"] = _ratio(row[f"{name}.het"], row[f"{name}.homalt"])
    return sorted(rows, key=lambda row: tuple(row[column] for column in SORT_COLUMNS))
