"""The score of a call, by the field names of ``rtg vcfeval -f``: QUAL, GQ, FORMAT.X, INFO.X."""

import math

from varcall.scoring.vcf_records import CallSet, Record


def field_name(text: str) -> tuple[str, str]:
    """Where a score stands and its key.

    >>> field_name("QUAL"), field_name("GQ"), field_name("INFO.VQ"), field_name("format=DP")
    (('QUAL', ''), ('FORMAT', 'GQ'), ('INFO', 'VQ'), ('FORMAT', 'DP'))
    """
    separator = "." if "." in text else "="
    kind, _, key = text.partition(separator)
    if key and kind.upper() in ("QUAL", "INFO", "FORMAT"):
        return kind.upper(), "" if kind.upper() == "QUAL" else key
    return ("QUAL", "") if text == "QUAL" else ("FORMAT", text)


def score_of(calls: CallSet, record: Record, field: str) -> float:
    """The score of a record; NaN where it is missing or no number."""
    kind, key = field_name(field)
    if kind == "QUAL":
        text: str | None = record.fields[5]
    elif kind == "INFO":
        pairs = (item.partition("=") for item in record.fields[7].split(";"))
        text = next((value for name, _, value in pairs if name == key), None)
    else:
        text = calls.value(record, key)
    try:
        return float(text) if text is not None else math.nan
    except ValueError:
        return math.nan
