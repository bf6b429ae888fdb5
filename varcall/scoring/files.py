"""What ``varcall eval`` reads and writes."""

from itertools import product
from pathlib import Path

from varcall.output.checks import (
    Input,
    Output,
    check_outputs,
    file_inputs,
    file_outputs,
    present_outputs,
    reference_inputs,
    vcf_inputs,
    vcf_outputs,
)
from varcall.scoring.ga4gh_vcf import SPLIT_FILES
from varcall.scoring.happy.tables import ROC_TABLES, TABLES
from varcall.scoring.options import EvalOptions
from varcall.scoring.plots import PLOTS
from varcall.scoring.plots import SUFFIXES as PLOT_SUFFIXES
from varcall.scoring.rtg.comparison import RTG_RUNS
from varcall.scoring.rtg.program import find_rtg
from varcall.scoring.strata import stratification_files

INTERVALS, CALLERS, RTG = ".intervals.csv", ".callers.csv", ".rtg"


def check_eval_files(options: EvalOptions) -> None:
    """See that no file of the report is an input, or another file of it.

    Raises
    ------
    OutputError
        One is.
    """
    rtg_inputs, rtg_outputs = _rtg_files(options)
    strata = () if options.stratification is None else (options.stratification,)
    beds = [file for path in strata for file in stratification_files(path).values()]
    check_outputs(
        [
            *file_outputs("--counts", options.counts),
            *_report_files(options),
            *rtg_outputs,
        ],
        [
            *vcf_inputs("the truth", options.truth),
            *vcf_inputs("a call set", *options.queries),
            *reference_inputs(options.reference),
            *file_inputs("a BED file", options.confident, options.bed_regions, *beds),
            *file_inputs("the stratification file", *strata),
            *rtg_inputs,
        ],
    )


def caller_names(options: EvalOptions) -> list[str]:
    """Names of the callers: as given, or from the files."""
    if options.names:
        return list(options.names)
    stems = [path.name.removesuffix(".gz").removesuffix(".vcf") for path in options.queries]
    if len(set(stems)) == len(stems):
        return stems
    return [f"{stem}.{i}" for i, stem in enumerate(stems, 1)]


def caller_prefix(options: EvalOptions, name: str) -> Path | None:
    """Prefix of one caller's files; None where no report is wanted."""
    if options.output is None or len(options.queries) == 1:
        return options.output
    return Path(f"{options.output}.{name}")


def sdf_folder(options: EvalOptions) -> Path:
    """Where rtg's formatted reference is looked for, and made where it is absent."""
    beside = options.output or options.counts
    assert beside is not None
    return options.sdf or beside.parent / f"{options.reference.name}.sdf"


def rtg_folder(options: EvalOptions, name: str) -> Path:
    """Folder of what rtg writes for one caller."""
    return Path(f"{caller_prefix(options, name) or options.counts}{RTG}")


def _report_files(options: EvalOptions) -> list[Output]:
    if options.output is None:
        return []
    found: list[Output] = []
    for name in caller_names(options):
        prefix = caller_prefix(options, name)
        assert prefix is not None
        if options.split_vcfs:
            for split in SPLIT_FILES:
                found += vcf_outputs("--output", f"{prefix}.{split}.vcf.gz")
        found += vcf_outputs("--output", f"{prefix}.vcf.gz")
        found += file_outputs("--output", *(f"{prefix}{name}" for name in (*TABLES, INTERVALS)))
        found += present_outputs("--output", prefix.parent, prefix.name + ROC_TABLES, "*")
    if len(options.queries) > 1:
        found += file_outputs("--output", f"{options.output}{CALLERS}")
    if options.plots:
        names = ("".join(parts) for parts in product(PLOTS, PLOT_SUFFIXES))
        found += file_outputs("--output", *(f"{options.output}{name}" for name in names))
    return found


def _rtg_files(options: EvalOptions) -> tuple[list[Input], list[Output]]:
    """The formatted reference, which may be there, and the folders of runs, which are cleared."""
    if options.engine == "builtin" or find_rtg() is None:
        return [], []
    runs = [
        Output("--output", rtg_folder(options, name) / run, is_folder=True, is_cleared=True)
        for name, run in product(caller_names(options), RTG_RUNS)
    ]
    sdf = sdf_folder(options)
    if sdf.exists():
        return file_inputs("the formatted reference", sdf), runs
    return [], [Output("--sdf", sdf, is_folder=True), *runs]
