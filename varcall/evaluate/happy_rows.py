"""hap.py's counting: from judged records to the rows of its extended and ROC tables.

An *observation* is one column entry (truth or query) of one record of the annotated VCF. The rows, their order and the rounding to six
decimals are hap.py's (0.3.15, ``quantify`` and ``happyroc.py``).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

TYPES = ("SNP", "INDEL")
SUBTYPES: dict[str, tuple[str, ...]] = {
    "SNP": ("*", "ti", "tv"),
    "INDEL": ("*", "I1_5", "I6_15", "I16_PLUS", "D1_5", "D6_15", "D16_PLUS", "C1_5", "C6_15", "C16_PLUS"),
}
GENOTYPES = ("*", "het", "homalt")  # hap.py counts hetalt too, but has no column for it
COUNTS = ("TRUTH.TOTAL", "TRUTH.TP", "TRUTH.FN", "QUERY.TOTAL", "QUERY.TP", "QUERY.FP", "QUERY.UNK")
ROC_SPACING = 0.5  # hap.py --roc-delta: least distance between two levels of QQ
# A mismatch without a score comes before all levels.
LOWEST = 2.2250738585072014e-308


@dataclass(frozen=True, slots=True)
class Entry:
    """What the annotated VCF says of one side of a record."""

    decision: str  # BD: TP FP FN UNK N
    kind: str  # BK: gm am lm .
    variant_type: str  # BVT: SNP INDEL NOCALL HOMREF UNK
    location_type: str  # BLT: het homalt hetalt hemi halfcall homref nocall
    subtypes: frozenset[str]  # BI: ti tv i1_5 ... c16_plus
    score: float  # QQ, NaN when missing


@dataclass(frozen=True, slots=True)
class AnnotatedRecord:
    """One record of the annotated VCF, as far as counting needs it."""

    filters: tuple[str, ...]
    regions: tuple[str, ...]
    truth: Entry
    query: Entry


@dataclass(frozen=True, slots=True)
class _Observation:
    level: float
    count: str  # TRUTH.TP, TRUTH.FN, QUERY.TP, QUERY.FP, QUERY.UNK, or N
    entry: Entry


@dataclass(slots=True)
class Tally:
    """Counts of a group of observations."""

    level: float = math.nan
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*COUNTS, "N", "QUERY.FN"), 0))
    fp_gt: int = 0
    fp_al: int = 0

    def add(self, observation: _Observation) -> None:
        """Count one observation."""
        self.counts[observation.count] += 1
        if observation.count == "QUERY.FP":
            self.fp_gt += observation.entry.kind == "am"
            self.fp_al += observation.entry.kind == "lm"

    def value(self, name: str) -> int:
        """A count by its column name; totals are sums."""
        c = self.counts
        if name == "TRUTH.TOTAL":
            return c["TRUTH.TP"] + c["TRUTH.FN"]
        if name == "QUERY.TOTAL":
            return c["QUERY.TP"] + c["QUERY.FP"] + c["QUERY.UNK"]
        return c[name]

    def metrics(self) -> dict[str, float]:
        """Recall, precision, share of calls outside, F1, with hap.py's zeros where there is nothing to divide by."""
        recall = self._share("TRUTH.TP", self.value("TRUTH.TOTAL"), self.value("TRUTH.TOTAL"))
        queries = self.value("QUERY.TOTAL")
        precision = self._share("QUERY.TP", self.value("QUERY.TP") + self.value("QUERY.FP"), queries)
        outside = self._share("QUERY.UNK", queries, queries)
        both = precision + recall
        f1 = 2 * precision * recall / both if both and not math.isnan(both) else math.nan
        return {"METRIC.Recall": recall, "METRIC.Precision": precision, "METRIC.Frac_NA": outside, "METRIC.F1_Score": f1}

    def _share(self, name: str, total: int, present: int) -> float:
        if present == 0:
            return 0.0
        return self.value(name) / total if total else math.nan

    def rest_of(self, total: "Tally") -> "Tally":
        """What is left of ``total`` when all observations counted here fall below the threshold."""
        mine, all_ = self.counts, total.counts
        left = Tally(self.level)
        for name in ("TRUTH.TP", "QUERY.TP", "QUERY.FP", "QUERY.UNK"):
            left.counts[name] = all_[name] - mine[name]
        left.counts["TRUTH.FN"] = all_["TRUTH.FN"] + mine["TRUTH.TP"]
        left.fp_gt, left.fp_al = total.fp_gt - self.fp_gt, total.fp_al - self.fp_al
        return left

    def copy(self, level: float) -> "Tally":
        """The same counts at a level of the score."""
        return Tally(level, dict(self.counts), self.fp_gt, self.fp_al)


# (prefix "a", "f" or "s", subset, type, filter) -> observations
_Groups = dict[tuple[str, str, str, str], list[_Observation]]


def _observe(groups: _Groups, record: AnnotatedRecord, entry: Entry, count: str) -> None:
    score = 0.0 if math.isnan(entry.score) else entry.score
    failed = [name for name in record.filters if name not in ("PASS", "")]

    def add(kind: str, subset: str, filter_name: str, *, is_failed: bool) -> None:
        final = count
        if is_failed and count != "TRUTH.FN":
            final = {"TRUTH.TP": "TRUTH.FN", "QUERY.TP": "QUERY.FN"}.get(count, "N")
        level = LOWEST if score == 0 and final in ("TRUTH.FN", "QUERY.FN", "N") else score
        key = (kind, subset, entry.variant_type, filter_name)
        groups.setdefault(key, []).append(_Observation(level, final, entry))

    for name in failed:
        add("f", "*", name, is_failed=False)
    for subset in ("*", *(region for region in record.regions if region != "CONF")):
        kind = "a" if subset == "*" else "s"
        add(kind, subset, "PASS", is_failed=bool(failed))
        add(kind, subset, "ALL", is_failed=False)


def _groups(records: Iterable[AnnotatedRecord]) -> _Groups:
    groups: _Groups = {}
    for record in records:
        truth, query = record.truth, record.query
        if truth.variant_type != "NOCALL" and truth.decision in ("TP", "FN"):
            _observe(groups, record, truth, f"TRUTH.{truth.decision}")
        if query.variant_type != "NOCALL" and query.decision in ("TP", "FP", "UNK"):
            _observe(groups, record, query, f"QUERY.{query.decision}")
    return groups


def _chosen(observations: Sequence[_Observation], subtype: str, genotype: str) -> list[_Observation]:
    """Observations of a subtype and genotype; what became N keeps neither and is in no group but the widest."""
    name = subtype.lower()
    return [
        item
        for item in observations
        if (subtype == "*" or (item.count != "N" and name in item.entry.subtypes))
        and (genotype == "*" or (item.count != "N" and genotype == item.entry.location_type))
    ]


def _total(observations: Iterable[_Observation]) -> Tally:
    tally = Tally()
    for item in observations:
        tally.add(item)
    return tally


def _levels(observations: Sequence[_Observation]) -> list[Tally]:
    """Counts at each level of the score: what is below it is taken away."""
    ordered = sorted(observations, key=lambda item: item.level)
    total = _total(ordered)
    found: list[Tally] = []
    running = Tally()
    previous = math.nan
    for item in ordered:
        running.add(item)
        if found and abs(item.level - previous) <= ROC_SPACING:
            continue
        found.append(running.copy(item.level).rest_of(total))
        previous = item.level
    return found


Row = dict[str, str]


def _text(value: float) -> str:
    """A number as the C++ standard library prints it."""
    return "-nan" if math.isnan(value) else f"{value:.6f}"


def _number(value: float) -> str:
    """A rate rounded to six decimals; empty when there is none."""
    return "" if math.isnan(value) else repr(round(value, 6))


def _ratio(a: str, b: str) -> str:
    """Quotient of two counts in a row; empty where one is missing or the second is zero."""
    if a == "." or b == "." or float(b) == 0:
        return ""
    return repr(float(a) / float(b))


def _row(keys: tuple[str, str, str, str], qq_field: str, tally: Tally, sizes: Mapping[str, str], *, counts_only: bool) -> Row:
    kind, subtype, subset, filter_name = keys
    row = {
        "Type": kind, "Subtype": subtype, "Subset": subset, "Filter": filter_name, "Genotype": "*", "QQ.Field": qq_field,
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
    key: tuple[str, str, str, str], observations: Sequence[_Observation], qq_field: str, sizes: Mapping[str, str]
) -> list[Row]:
    """Rows of one type, subset and filter: totals, then levels of the score."""
    kind, subset, variant_type, filter_name = key
    counts_only = kind == "f"
    rows: list[Row] = []
    by_level: dict[str, Row] = {}
    for subtype in SUBTYPES[variant_type]:
        if subtype in ("ti", "tv"):
            continue
        keys = (variant_type, subtype, subset, filter_name)
        chosen = _chosen(observations, subtype, "*")
        total = _row(keys, qq_field, _total(chosen), sizes, counts_only=counts_only)
        for genotype in ("het", "homalt"):
            _set_part(total, genotype, _total(_chosen(observations, subtype, genotype)), counts_only=counts_only)
        rows.append(total)
        if subtype == "*":
            by_level["*"] = total
        if counts_only:
            continue
        for tally in _levels(chosen):
            row = _row(keys, qq_field, tally, sizes, counts_only=False)
            rows.append(row)
            if subtype == "*":
                by_level[row["QQ"]] = row
    if variant_type == "SNP":
        for part in ("ti", "tv"):
            chosen = _chosen(observations, part, "*")
            for tally in (_total(chosen), *([] if counts_only else _levels(chosen))):
                text = "*" if math.isnan(tally.level) else _text(tally.level)
                if text in by_level:
                    _set_part(by_level[text], part, tally, counts_only=counts_only)
    return rows


SORT_COLUMNS = ("Type", "Subtype", "Subset", "Filter", "Genotype", "QQ.Field", "QQ")


def count_rows(
    records: Iterable[AnnotatedRecord], qq_field: str, region_names: Sequence[str], sizes: Mapping[str, Mapping[str, str]]
) -> list[Row]:
    """All rows of hap.py's ``roc.all.csv`` in its order; those with QQ ``*`` are the extended table.

    Parameters
    ----------
    qq_field
        Name of the score.
    region_names
        Stratification regions, which get rows even when they hold nothing.
    sizes
        Columns about the size of each subset, by its name.
    """
    groups = _groups(records)
    for kind, _, variant_type, filter_name in list(groups):
        if kind == "a":
            for region in region_names:
                groups.setdefault(("s", region, variant_type, filter_name), [])
    rows: list[Row] = []
    for key, observations in groups.items():
        if key[2] in TYPES:
            rows.extend(_group_rows(key, observations, qq_field, sizes.get(key[1], {})))
    for row in rows:
        for name in COUNTS:
            row[f"{name}.TiTv_ratio"] = _ratio(row[f"{name}.ti"], row[f"{name}.tv"])
            row[f"{name}.het_hom_ratio"] = _ratio(row[f"{name}.het"], row[f"{name}.homalt"])
    return sorted(rows, key=lambda row: tuple(row[column] for column in SORT_COLUMNS))
