"""``run_report``: from a call set to the page, its tables, and files for MultiQC."""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from varcall.errors import UsageError
from varcall.formats.text import write_text
from varcall.inputs.sex_chromosomes import find_x, find_y
from varcall.options import CallOptions
from varcall.output.atomic import AtomicOutput, check_writable, output_error
from varcall.output.checks import (
    Input,
    Output,
    check_outputs,
    file_outputs,
    present_outputs,
    vcf_inputs,
)
from varcall.output.html import render_template, report_packages
from varcall.pipeline import open_sample, sample_inputs
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.measure_library import measure_profile
from varcall.reads.seen_libraries import SeenLibraries
from varcall.reads.sex import measure_sex
from varcall.report.charts import Chart
from varcall.report.depth import measure_depths, mosdepth_lines
from varcall.report.gallery import Gallery, look_at_uncertain
from varcall.report.lights import Library, Light, lights_of
from varcall.report.multiqc import GENERAL, TABLE, custom_content
from varcall.report.sections import call_charts, cause_chart, depth_chart, filter_table
from varcall.report.table import Table, is_number, spell, write_tables
from varcall.report.tally import CallTally, tally_calls
from varcall.report.truth import Accuracy, eval_inputs, read_accuracy
from varcall.show.sheet_output import CALLED_FIELDS
from varcall.show.viewer import open_viewer
from varcall.version import __version__

logger = logging.getLogger(__name__)

DEFAULT_UNCERTAIN = 12
_PAGES = (".html", ".htm")
_DISTRIBUTION = ".mosdepth.global.dist.txt"
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Options of ``varcall report``.

    Attributes
    ----------
    calls
        VCF or BCF, of any caller.
    output
        The page to write.
    sample
        Its sample, where it has several.
    call
        Reads and reference, and how `varcall call` would call them; its output and regions count
        for nothing. None leaves out what needs reads.
    evaluation
        PREFIX of `varcall eval -o PREFIX`.
    tables
        Folder that receives every table as TSV.
    uncertain
        How many of the least certain calls are shown.
    """

    calls: Path
    output: Path
    sample: str | None = None
    call: CallOptions | None = None
    evaluation: Path | None = None
    tables: Path | None = None
    uncertain: int = DEFAULT_UNCERTAIN

    def __post_init__(self) -> None:
        """Check the values."""
        if self.output.suffix.lower() not in _PAGES:
            raise UsageError(f"the report {self.output} is no page: let its name end in .html")
        if self.uncertain < 0:
            raise UsageError(f"--uncertain {self.uncertain} is negative: give 0 or more")


def report_outputs(options: ReportOptions, option: str = "--output") -> list[Output]:
    """Return what will be written, but for the depths, which the sample gives their name."""
    found = file_outputs(option, options.output, *(_beside(options, end) for end in _ENDS))
    found += present_outputs(option, options.output.parent, "", f"*{_DISTRIBUTION}")
    if options.tables is not None:
        found.append(Output("--tables", options.tables, is_folder=True))
        found += present_outputs("--tables", options.tables, "", "*.tsv")
    return found


_ENDS = (TABLE, GENERAL)


def report_inputs(options: ReportOptions) -> list[Input]:
    """Return what is read."""
    return [
        *vcf_inputs("the VCF of the calls", options.calls),
        *(sample_inputs(options.call) if options.call is not None else []),
        *eval_inputs(options.evaluation),
    ]


def check_report_files(options: ReportOptions) -> None:
    """See before any work that the report can be written, over none of its inputs.

    Raises
    ------
    OutputError
        It cannot, or a package that draws it is missing.
    """
    check_outputs(report_outputs(options), report_inputs(options))
    check_report_packages(options.output)


def check_report_packages(output: Path) -> None:
    """See before any work that a page can be drawn and written.

    Raises
    ------
    OutputError
        It cannot, or a package is missing.
    """
    with report_packages():
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    check_writable(output)


def run_report(options: ReportOptions) -> Path:
    """Write the report of a call set; return the page.

    Raises
    ------
    InputError
        A file cannot be used.
    OutputError
        The report cannot be written, or a package that draws it is missing.
    """
    check_report_files(options)
    accuracy = None if options.evaluation is None else read_accuracy(options.evaluation)
    tally = tally_calls(options.calls, options.sample, options.uncertain)
    library, gallery = _look_at_reads(options, tally)
    lights = lights_of(tally, library)
    charts, causes = call_charts(tally), cause_chart(tally)
    coverage = None if library is None else depth_chart(library.depths)
    profile = None if library is None else _profile_table(library.profile)
    filters, uncertain = filter_table(tally), _uncertain_table(tally)
    page = render_template(
        "report.html",
        tally=tally,
        calls=options.calls.name,
        version=__version__,
        lights=lights,
        charts=charts,
        filters=filters,
        causes=causes,
        library=library,
        coverage=coverage,
        profile=profile,
        accuracy=accuracy,
        uncertain=uncertain,
        gallery=gallery,
        called_fields=CALLED_FIELDS,
        spell=spell,
        is_number=is_number,
    )
    if options.tables is not None:
        _make_folder(options.tables)
        drawn = [*charts, causes, coverage]
        tables = [_light_table(lights), filters, uncertain, profile]
        write_tables(options.tables, list(_all_tables(drawn, tables, accuracy)))
    for end, text in custom_content(tally, lights).items():
        _write(_beside(options, end), text)
    if library is not None:
        _write(_distribution(options, tally.sample), "".join(mosdepth_lines(library.depths)))
    _write(options.output, page)
    return options.output


def _beside(options: ReportOptions, end: str) -> Path:
    return options.output.with_name(options.output.stem + end)


def _distribution(options: ReportOptions, sample: str) -> Path:
    """Name the depths by the sample, which is all that MultiQC knows them by."""
    return options.output.with_name((_UNSAFE.sub("_", sample) or "sample") + _DISTRIBUTION)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def _write(path: Path, text: str) -> None:
    with AtomicOutput(path) as output:
        write_text(output.path, text)


def _look_at_reads(options: ReportOptions, tally: CallTally) -> tuple[Library | None, Gallery]:
    """Measure the reads, and look at the least certain calls in them."""
    if options.call is None:
        text = "Their pictures need the reads: varcall report --reads READS --ref FASTA."
        return None, Gallery((), text)
    call = options.call
    inputs = open_sample(call)
    contigs = inputs.header_contigs
    profile = measure_profile(inputs)
    seen = SeenLibraries.of_model(call.model)
    with open_viewer(call, inputs, profile) as viewer:
        library = Library(
            profile=profile,
            depths=measure_depths(inputs),
            sex=measure_sex(inputs, find_x(contigs), find_y(contigs)),
            unusual=seen.unusual(profile) if seen.kinds else None,
            model=call.model,
        )
        return library, look_at_uncertain(viewer, tally)


def _profile_table(profile: LibraryProfile) -> Table:
    rows: list[tuple[str, str | None]] = []
    for name, value in profile.to_mapping().items():
        values = value if isinstance(value, list | tuple) else (value,)
        rows.append((name, ", ".join(map(spell, values)) or None))
    title = "What the library is like (varcall profile)"
    return Table("library", title, ("measured", "value"), tuple(rows))


def _light_table(lights: Sequence[Light]) -> Table:
    columns = ("check", "verdict", "value", "usual", "note", "source")
    rows = tuple(
        (item.name, item.state.value, item.value, item.limits, item.note or None, item.source)
        for item in lights
    )
    return Table("checks", "Checks", columns, rows)


def _uncertain_table(tally: CallTally) -> Table:
    rows = []
    for item in tally.uncertain:
        fields = item.line.rstrip("\n").split("\t")
        genotype = dict(zip(fields[8].split(":"), fields[9].split(":"), strict=False))
        rows.append(
            (
                f"{fields[0]}:{fields[1]}",
                fields[3],
                fields[4],
                fields[5],
                *(genotype.get(name) for name in CALLED_FIELDS),
            )
        )
    columns = ("place", "REF", "ALT", "QUAL", *CALLED_FIELDS)
    return Table("least_certain", "The least certain calls", columns, tuple(rows))


def _all_tables(
    charts: Iterable[Chart | None], tables: Iterable[Table | None], accuracy: Accuracy | None
) -> Iterator[Table]:
    of_truth = () if accuracy is None else (accuracy.counts, accuracy.rates, accuracy.curve.table)
    of_charts = (chart.table for chart in charts if chart is not None)
    yield from (item for item in (*tables, *of_charts, *of_truth) if item is not None)
