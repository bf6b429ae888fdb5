"""`varcall.evaluate`: what `varcall eval` counts, from Python."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

import numpy as np
from numpy.typing import NDArray

from varcall.api.variants import as_frame
from varcall.scoring.comparator import TypeCounts
from varcall.scoring.happy.rows import Row
from varcall.scoring.happy.tables import extended_rows
from varcall.scoring.metrics import CalibrationBin, interval_row
from varcall.scoring.options import EvalOptions
from varcall.scoring.run import score_calls

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class EvalRow:
    """A row of hap.py's extended table: its counts, and rates with 95 % intervals.

    `type` is SNP or INDEL; `*` in `subtype` and `subset` stands for all of them. `filter` is ALL or
    PASS. Rates are NaN where there is nothing to divide by.
    """

    type: str
    subtype: str
    subset: str
    filter: str
    truth_total: int
    truth_tp: int
    truth_fn: int
    query_total: int
    query_tp: int
    query_fp: int
    query_unk: int
    fp_gt: int
    fp_al: int
    recall: float
    recall_lower: float
    recall_upper: float
    precision: float
    precision_lower: float
    precision_upper: float
    frac_na: float
    f1: float


#: The column of the tables behind each field of `EvalRow`.
_COLUMNS = {
    "type": "Type",
    "subtype": "Subtype",
    "subset": "Subset",
    "filter": "Filter",
    "truth_total": "TRUTH.TOTAL",
    "truth_tp": "TRUTH.TP",
    "truth_fn": "TRUTH.FN",
    "query_total": "QUERY.TOTAL",
    "query_tp": "QUERY.TP",
    "query_fp": "QUERY.FP",
    "query_unk": "QUERY.UNK",
    "fp_gt": "FP.gt",
    "fp_al": "FP.al",
    "recall": "METRIC.Recall",
    "recall_lower": "METRIC.Recall.Lower",
    "recall_upper": "METRIC.Recall.Upper",
    "precision": "METRIC.Precision",
    "precision_lower": "METRIC.Precision.Lower",
    "precision_upper": "METRIC.Precision.Upper",
    "frac_na": "METRIC.Frac_NA",
    "f1": "METRIC.F1_Score",
}
_TYPES = get_type_hints(EvalRow)
_DTYPES: Mapping[object, object] = {str: object, int: np.int64, float: np.float64}


@dataclass(frozen=True, slots=True)
class EvalResult:
    """How calls compare with a truth.

    Attributes
    ----------
    counts
        Records by type ("SNP", "INDEL") and verdict, as `varcall eval --counts` has them.
    rows
        The extended table; none where genotypes of more than two alleles are compared.
    calibration
        Of the calls by GQ: how many are right.
    warnings
        What was odd, one sentence each.
    """

    counts: Mapping[str, TypeCounts]
    rows: tuple[EvalRow, ...]
    calibration: tuple[CalibrationBin, ...]
    warnings: tuple[str, ...]

    def row(
        self,
        type: str,  # noqa: A002  # the name of the column
        *,
        subtype: str = "*",
        subset: str = "*",
        filter: str = "PASS",  # noqa: A002
    ) -> EvalRow:
        """Return one row of the table.

        Raises
        ------
        KeyError
            There is no such row.
        """
        wanted = type, subtype, subset, filter
        for row in self.rows:
            if (row.type, row.subtype, row.subset, row.filter) == wanted:
                return row
        raise KeyError(wanted)

    @property
    def snp(self) -> EvalRow:
        """All SNPs that are PASS."""
        return self.row("SNP")

    @property
    def indel(self) -> EvalRow:
        """All indels that are PASS."""
        return self.row("INDEL")

    def to_numpy(self) -> NDArray[np.void]:
        """Return the rows as a structured array with the fields of `EvalRow`."""
        dtype = np.dtype([(f.name, _DTYPES[_TYPES[f.name]]) for f in fields(EvalRow)])
        return np.array([astuple(row) for row in self.rows], dtype)

    def to_pandas(self) -> "DataFrame":
        """Return the rows as a pandas table.

        Raises
        ------
        OutputError
            pandas is missing (the extra `pandas`).
        """
        return as_frame(self.to_numpy())


def evaluate(
    truth: str | Path,
    calls: str | Path,
    reference: str | Path,
    *,
    confident: str | Path | None = None,
    regions: str | Sequence[str] | None = None,
    bed_regions: str | Path | None = None,
    stratification: str | Path | None = None,
    sample: str | None = None,
    all_records: bool = False,
    pass_only: bool = False,
    squash_ploidy: bool = False,
    decompose: bool = False,
    ref_overlap: bool = False,
    sample_ploidy: int = 2,
    score_field: str | None = None,
    sort_order: str = "descending",
    ref_mismatch: str = "error",
    threads: int = 1,
) -> EvalResult:
    """Compare calls with a truth: vcfeval's matching, hap.py's tables, by the built-in comparator.

    Parameters
    ----------
    truth, calls
        VCF: plain text, or BGZF with an index.
    reference
        FASTA, plain or BGZF.
    confident
        BED of the confident regions: calls outside of it are not counted.
    regions, bed_regions
        Where records are read at all: region strings (1-based), or a BED.
    stratification
        TSV of names and BED files; each gets rows of its own (`EvalRow.subset`).
    sample
        NAME, or TRUTH,QUERY; ALT takes all ALT alleles and no genotypes.
    all_records, pass_only
        Use filtered records too; leave filtered calls out of the tables.
    squash_ploidy, decompose, ref_overlap, sample_ploidy, score_field, sort_order, ref_mismatch
        As the options of `varcall eval`.
    threads
        Threads.

    Raises
    ------
    InputError
        A file is missing or malformed, or the files do not fit each other.
    UsageError
        Options contradict each other.
    """
    options = EvalOptions(
        truth=Path(truth),
        queries=(Path(calls),),
        reference=Path(reference),
        confident=_path(confident),
        regions=(regions,) if isinstance(regions, str) else tuple(regions or ()),
        bed_regions=_path(bed_regions),
        stratification=_path(stratification),
        sample=sample,
        all_records=all_records,
        pass_only=pass_only,
        squash_ploidy=squash_ploidy,
        decompose=decompose,
        ref_overlap=ref_overlap,
        sample_ploidy=sample_ploidy,
        score_field=score_field,
        sort_order=sort_order,
        ref_mismatch=ref_mismatch,
        threads=threads,
    )
    has_tables = sample_ploidy <= 2 or not options.uses_genotypes
    result = score_calls(options, tables=has_tables)
    return EvalResult(
        counts=result.counts,
        rows=tuple(map(_eval_row, extended_rows(result.table))),
        calibration=tuple(result.calibration or ()),
        warnings=result.warnings,
    )


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


def _eval_row(row: Row) -> EvalRow:
    texts = row | interval_row(row)
    values = {name: _read(_TYPES[name], texts[column]) for name, column in _COLUMNS.items()}
    return EvalRow(**values)  # type: ignore[arg-type]  # by the hints of its fields


def _read(kind: object, text: str) -> str | int | float:
    if kind is str:
        return text
    if kind is int:
        return int(text or 0)
    return float(text) if text not in ("", ".") else math.nan
