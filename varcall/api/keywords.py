"""The options of `varcall call` as typed keywords; see `varcall.options.CallOptions`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack, get_type_hints

from varcall.options import CallOptions


class SampleKeywords(TypedDict, total=False):
    """How a sample is looked at, whatever is done with it."""

    allow_other_reference: bool
    sample: str | None
    min_mapq: int
    min_base_quality: int
    exclude_flags: int
    max_depth: int
    min_alt_count_snv: int
    min_alt_count_indel: int
    min_alt_fraction_snv: float
    min_alt_fraction_indel: float
    min_qual: float
    write_gl: bool
    ploidy: int
    haploid_contigs: Sequence[str]
    sex: str | None
    par_bed: str | Path | None
    ploidy_bed: str | Path | None
    engine: str
    device: str
    precision: str
    batch_size: int
    window: int
    realign: bool
    triage: bool


class CallKeywords(SampleKeywords, total=False):
    """How a call is run and written."""

    index: str | Path | None
    output_type: str | None
    gvcf: str | Path | None
    gvcf_alt: str
    gvcf_gq_bands: int
    write_index: bool
    regions_file: str | Path | None
    alleles: str | Path | None
    alleles_and_discovery: bool
    all_sites: bool
    shard: tuple[int, int] | None
    sample_name: str | None
    phase: bool
    join_mnvs: int
    model: str
    executor: str | None
    workdir: str | Path | None
    resume: bool
    timings: str | Path | None
    no_version: bool


def call_options(
    reads: str | Path,
    reference: str | Path,
    regions: str | Sequence[str] | None = None,
    threads: int = 1,
    output: str | Path | None = None,
    **keywords: Unpack[CallKeywords],
) -> CallOptions:
    """Return the options of a call; texts become paths where those are wanted.

    Raises
    ------
    UsageError
        A value is out of range, or does not fit another.
    TypeError
        There is no such option.
    """
    given: Mapping[str, object] = keywords
    values = {name: _as_path(name, value) for name, value in given.items()}
    if "haploid_contigs" in keywords:
        values["haploid_contigs"] = _texts(keywords["haploid_contigs"])
    # Options hold these as text: `-` is no path.
    files = {"output": output, "gvcf": keywords.get("gvcf")}
    values |= {name: str(path) for name, path in files.items() if path is not None}
    return CallOptions(
        reads=Path(reads),
        reference=Path(reference),
        regions=_texts(regions or ()),
        threads=threads,
        **values,  # type: ignore[arg-type]  # the keywords have the types of the options
    )


_PATHS = tuple(
    name for name, hint in get_type_hints(CallOptions).items() if hint in (Path, Path | None)
)


def _as_path(name: str, value: object) -> object:
    return Path(value) if name in _PATHS and isinstance(value, str) else value


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
