"""What the library profile changes: the same model with the profile, and without.

Usage: python -m benchmarks.profile_effect [--held-out EXAMPLES ...] [-m MODEL] [--history DIR]
           [--no-record]

The profile tells the model how often this library's reads miscount repeats and misread bases: in
words of the prompt, and in the measured features that both the trees and the pictures' model read.
It is hidden from both in two ways, with the same weights:

- withheld: slippage is unknown, as where too few reads span repeats to measure it. The words say
  "unknown", which training showed too, and the features get `PRIOR_SLIPPAGE`, as they would in a
  call. So the model is asked as it would be of a library that could not be measured.
- taken for PCR-free: the model is given the rates of a usual PCR-free library, whatever the library
  is. So is a caller that knows one kind of library only, the commonest.

In both the base error is a usual one. Depth and read length stay: every caller sees those.

Each real HG002 slice is called and scored by haplotypes; nothing may be tuned on that. The
examples of --held-out (of `varcall examples`, simulated) are more: errors per 1,000 questions by
how the library slips at runs of 9 to 11. `benchmarks.results` says where the tables are written.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.accuracy import EMPTY, POOLED
from benchmarks.inputs.slices import DATA, SLICES, StagedSlice, stage
from benchmarks.results import add_options, report
from benchmarks.runs.answered import Answered, ProfileChange, answer_span, as_measured, joined
from benchmarks.runs.callers import VARCALL
from benchmarks.runs.history import Table
from benchmarks.scores.exact_match import Counts
from benchmarks.scores.haplotype_match import haplotype_counts
from varcall.genotyping.answers import CallingModel, load_calling_model
from varcall.inputs.open import open_inputs
from varcall.inputs.regions import windows
from varcall.options import DEFAULT_MODEL, CallOptions
from varcall.output.header import HeaderContig, VcfHeader
from varcall.output.vcf_writer import open_vcf
from varcall.pipeline import plan_worker
from varcall.reads.library_profile import PRIOR_SLIPPAGE, LibraryProfile
from varcall.reads.measure_library import measure_profile
from varcall.training.spans import load_span
from varcall.workers.window_worker import Worker

# Medians of the simulated libraries as `measure_profile` sees them: of all, of the PCR-free ones.
USUAL_ERROR_RATE = 0.0007
PCR_FREE_SLIPPAGE = (0.0006, 0.002, 0.006, 0.025)
# More than the prompt asks for before it says a rate.
ENOUGH_READS = (1000,) * len(PCR_FREE_SLIPPAGE)

# Slippage at runs of 9 to 11, which most reads measure: little below the first, strong from the
# second on.
LITTLE_BELOW, STRONG_FROM = 0.006, 0.02
LIBRARIES = ("little slippage", "some slippage", "strong slippage")

Pair = tuple[Counts, Counts]


def withheld(profile: LibraryProfile) -> LibraryProfile:
    """Return the profile with the library's errors unknown."""
    return replace(
        profile,
        error_rate=USUAL_ERROR_RATE,
        slippage=PRIOR_SLIPPAGE,
        slippage_reads=(0,) * len(PRIOR_SLIPPAGE),
    )


def taken_for_pcr_free(profile: LibraryProfile) -> LibraryProfile:
    """Return the profile with the errors of a usual PCR-free library."""
    return replace(
        profile,
        error_rate=USUAL_ERROR_RATE,
        slippage=PCR_FREE_SLIPPAGE,
        slippage_reads=ENOUGH_READS,
    )


WAYS: Mapping[str, ProfileChange] = {
    "as measured": as_measured,
    "withheld": withheld,
    "taken for PCR-free": taken_for_pcr_free,
}


def call(staged: StagedSlice, change: ProfileChange, model: str, output: Path) -> LibraryProfile:
    """Call a slice, with another profile for the model; return the one that was measured."""
    item = staged.slice
    options = CallOptions(
        reads=staged.reads, reference=staged.reference, regions=(item.region,), model=model
    )
    inputs = open_inputs(staged.reads, staged.reference, regions=options.regions)
    profile = measure_profile(inputs)
    worker = Worker(plan_worker(options, inputs, change(profile)))
    contigs = tuple(HeaderContig(name, length, None) for name, length in inputs.contigs.items())
    header = VcfHeader(contigs, inputs.sample).text()
    with open_vcf(str(output), header) as writer:
        for window in windows(inputs.regions, options.window):
            lines = worker.call(window).lines
            writer.write_window(lines, contig=window.contig, end=window.end)
    return profile


def score_slices(model: str) -> list[list[str]]:
    """Call and score the five HG002 slices in every way; return the rows of the table."""
    rows = []
    totals: dict[str, Pair] = dict.fromkeys(WAYS, EMPTY)
    with tempfile.TemporaryDirectory(prefix="varcall-profile-") as temporary:
        folder = Path(temporary)
        for item in (item for item in SLICES if item.held_out):
            staged = stage(item, folder)
            for name, change in WAYS.items():
                output = folder / f"{staged.reads.stem}.vcf.gz"
                profile = call(staged, change, model, output)
                counts = haplotype_counts(staged, output, VARCALL.include)
                totals[name] = totals[name][0] + counts[0], totals[name][1] + counts[1]
                slippage = " ".join(f"{100 * rate:.2g}" for rate in change(profile).slippage)
                rows.append([item.name, name, slippage, *map(str, counts)])
                print(*rows[-1], sep=" | ", flush=True)
    rows += [[POOLED, name, "", *map(str, counts)] for name, counts in totals.items()]
    return rows


def library(profile: LibraryProfile) -> str:
    """Name how a library slips."""
    rate = profile.slippage[1]
    return LIBRARIES[(rate >= LITTLE_BELOW) + (rate >= STRONG_FROM)]


def answer_held_out(folders: Sequence[Path], model: CallingModel) -> Iterator[list[str]]:
    """Yield the rows of the table of held-out examples."""
    spans = sorted(path for folder in folders for path in folder.glob("*.safetensors"))
    answers: dict[tuple[str, str], list[Answered]] = {}
    for path in spans:
        span = load_span(path)
        for name, change in WAYS.items():
            given = answer_span(span, model, change=change)
            answers.setdefault((library(span.profile), name), []).append(given)
    for kind in LIBRARIES:
        for name in WAYS:
            if parts := answers.get((kind, name)):
                yield [f"{kind} ({len(parts)} spans)", name, *errors(joined(parts))]


def errors(answered: Answered) -> Iterable[str]:
    """Spell the errors of indels, then of the others: of 1,000, false variants and missed ones."""
    for chosen in (answered.is_indel, ~answered.is_indel):
        n, wrong = int(chosen.sum()), int((answered.wrong & chosen).sum())
        false = int(((answered.labels == 0) & (answered.answer > 0) & chosen).sum())
        missed = int(((answered.labels > 0) & (answered.answer == 0) & chosen).sum())
        yield from (str(n), f"{1000 * wrong / max(1, n):.1f}", f"{false}/{missed}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--held-out", type=Path, nargs="+", help="folders of varcall examples, simulated"
    )
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL)
    add_options(parser)
    arguments = parser.parse_args()
    tables = []
    if DATA.is_dir():
        titles = ["slice", "profile", "slippage given, %", "SNP TP/FP/FN", "indel TP/FP/FN"]
        tables.append(Table("slices", titles, score_slices(arguments.model)))
    if arguments.held_out:
        titles = ["libraries", "profile"]
        for kind in ("indel", "SNV and MNV"):
            titles += [f"{kind} questions", "wrong of 1,000", "false/missed"]
        held_out = list(answer_held_out(arguments.held_out, load_calling_model(arguments.model)))
        tables.append(Table("held-out", titles, held_out))
    if not tables:
        raise SystemExit(f"nothing to measure: no data at {DATA}, and no --held-out")
    report(arguments, "profile-effect", "Effect of the library profile", tables)


if __name__ == "__main__":
    main()
