"""What MultiQC reads beside a report: custom content in JSON.

https://docs.seqera.io/multiqc/custom_content: one section a file; files of several samples with the
same `id` are joined into one table.
"""

import json
from typing import Any

from varcall.report.lights import Light, State
from varcall.report.tally import CallTally, median_of

#: What follows the report's name without `.html`.
TABLE, GENERAL = "_mqc.json", "_general_mqc.json"

_COUNTS = {"format": "{:,d}", "min": 0}
_RATIO = {"format": "{:,.2f}", "min": 0}
_COLUMNS: dict[str, dict[str, Any]] = {
    "variants": {"title": "Variants", "description": "passing records with an ALT"} | _COUNTS,
    "snvs": {"title": "SNVs", "description": "called SNV alleles"} | _COUNTS,
    "insertions": {"title": "Insertions", "description": "called alleles"} | _COUNTS,
    "deletions": {"title": "Deletions", "description": "called alleles"} | _COUNTS,
    "refused": {"title": "Refused", "description": "records that a filter refuses"} | _COUNTS,
    "ti_tv": {"title": "Ti/Tv", "description": "transitions over transversions"} | _RATIO,
    "het_hom": {"title": "Het/Hom", "description": "of autosomes"} | _RATIO,
    "median_dp": {"title": "DP", "description": "median of the variants", "suffix": "x"} | _COUNTS,
    "median_gq": {"title": "GQ", "description": "median of the variants"} | _COUNTS,
    "checks": {"title": "Checks", "description": "checks that are not usual"},
}
_GENERAL = ("variants", "ti_tv", "het_hom")


def custom_content(tally: CallTally, lights: list[Light]) -> dict[str, str]:
    """Return the text of each file, by what follows the report's name."""
    values = _values(tally, lights)
    table = {
        "id": "varcall",
        "section_name": "varcall",
        "description": "Small variants: counts and checks of <code>varcall report</code>.",
        "plot_type": "table",
        "pconfig": {"id": "varcall_table", "title": "varcall: calls", "namespace": "varcall"},
        "headers": {f"varcall_{name}": column for name, column in _COLUMNS.items()},
        "data": {tally.sample: {f"varcall_{name}": value for name, value in values.items()}},
    }
    general = {
        "id": "varcall_general",
        "plot_type": "generalstats",
        "headers": {
            f"varcall_{name}": _COLUMNS[name] | {"namespace": "varcall"} for name in _GENERAL
        },
        "data": {
            tally.sample: {f"varcall_{name}": values[name] for name in _GENERAL if name in values}
        },
    }
    return {TABLE: _json(table), GENERAL: _json(general)}


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1) + "\n"


def _values(tally: CallTally, lights: list[Light]) -> dict[str, int | float | str]:
    """Return the figures by column; those that are not known are left out."""
    values: dict[str, int | float | str] = {
        "variants": tally.variants,
        "refused": tally.total("refused"),
        **{name: tally.total(name) for name in ("snvs", "insertions", "deletions")},
    }
    for name, parts in (("ti_tv", ("transitions", "transversions")), ("het_hom", ("het", "hom"))):
        first, second = (tally.total(part, autosomes=name == "het_hom") for part in parts)
        if second:
            values[name] = round(first / second, 4)
    if tally.depths:
        values["median_dp"] = median_of(tally.depths)
    if tally.qualities:
        values["median_gq"] = median_of(tally.qualities)
    odd = [light.name for light in lights if light.state in (State.LOOK, State.BAD)]
    values["checks"] = ", ".join(odd) or "none"
    return values
