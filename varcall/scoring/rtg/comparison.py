"""The two comparisons made by rtg: its verdict on each record, and the rows of its GA4GH VCF."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pysam

from varcall.formats.bgzf import is_gzipped
from varcall.formats.text import begins_with_mark, open_text
from varcall.formats.vcf_text import COLUMN_NAMES
from varcall.scoring.comparator import Comparison, judged_side
from varcall.scoring.evaluation import Inputs
from varcall.scoring.intervals import EMPTY
from varcall.scoring.options import LOOSE_MATCH_DISTANCE, EvalOptions
from varcall.scoring.rtg.program import Rtg, RtgRun
from varcall.scoring.vcf_records import (
    CallSet,
    Record,
    parse_genotype,
    parse_record,
)
from varcall.scoring.vcfeval.matching import ContigMatch, JudgedRecord, MatchOptions, Verdict
from varcall.scoring.vcfeval.superloci import Row, RowSide

TRUTH_FILES = {"tp-baseline.vcf": Verdict.MATCH, "fn.vcf": Verdict.MISMATCH}
QUERY_FILES = {"tp.vcf": Verdict.MATCH, "fp.vcf": Verdict.MISMATCH}

#: Folders of the two runs, one of each comparison.
RTG_RUNS = ("vcfeval", "vcfeval_ga4gh")


@dataclass(frozen=True, slots=True)
class RtgEngine:
    """rtg with its formatted reference and a folder for what it writes."""

    rtg: Rtg
    sdf: Path
    folder: Path

    def compare(self, inputs: Inputs, options: EvalOptions) -> Comparison:
        """Run vcfeval on the inputs with the options given, and read its four files."""
        with _scratch(self.folder) as scratch:
            options = _without_marks(options, scratch)
            run = self.rtg.vcfeval(
                _indexed(options.truth, scratch, "truth"),
                _indexed(options.queries[0], scratch, "query"),
                self.sdf,
                self.folder / RTG_RUNS[0],
                [*vcfeval_options(options, inputs), *_ranges(inputs, options, scratch)],
            )
        truth = _judged(run, TRUTH_FILES, inputs.truth)
        query = _judged(run, QUERY_FILES, inputs.query)
        contigs = [
            ContigMatch(
                contig,
                _sorted(truth.get(contig, [])),
                _sorted(_with_uncounted(query.get(contig, []), inputs, contig, options.matching)),
            )
            for contig in inputs.reference.lengths
            if contig in inputs.truth.contigs or contig in inputs.query.contigs
        ]
        return Comparison(contigs, list(run.warnings), options.matching)

    def rows(self, truth: CallSet, query: CallSet, *, all_records: bool) -> dict[str, list[Row]]:
        """Run vcfeval in GA4GH mode on prepared call sets; rows by contig."""
        options = ["-m", "ga4gh", "--ref-overlap", "-f", "QUAL"]
        options += [f"--Xloose-match-distance={LOOSE_MATCH_DISTANCE}"]
        options += ["--all-records"] if all_records else []
        with _scratch(self.folder) as scratch:
            run = self.rtg.vcfeval(
                _written(truth, scratch / "truth.vcf.gz", "TRUTH"),
                _written(query, scratch / "query.vcf.gz", "QUERY"),
                self.sdf,
                self.folder / RTG_RUNS[1],
                options,
            )
        rows: dict[str, list[Row]] = {}
        for line in run.lines("output.vcf"):
            if not line.startswith("#"):
                row = parse_ga4gh(line)
                rows.setdefault(row.contig, []).append(row)
        return rows


def _without_marks(options: EvalOptions, scratch: Path) -> EvalOptions:
    """Give rtg copies of BED files that begin with a byte-order mark, without that mark."""
    return replace(
        options,
        confident=_without_mark(options.confident, scratch / "confident.bed"),
        bed_regions=_without_mark(options.bed_regions, scratch / "bed_regions.bed"),
    )


def _without_mark(bed: Path | None, copy: Path) -> Path | None:
    if bed is None or not begins_with_mark(bed):
        return bed
    with open_text(bed) as text, copy.open("w", encoding="utf-8") as plain:
        shutil.copyfileobj(text, plain)
    return copy


def vcfeval_options(options: EvalOptions, inputs: Inputs) -> list[str]:
    """The user's options as vcfeval takes them."""
    found: list[str] = []
    if options.confident is not None:
        found += ["-e", str(options.confident)]
    if options.sample is not None:
        found += ["--sample", options.sample]
    elif len(inputs.truth.samples) > 1:
        # A simulated truth has a second column, among which rtg would not choose.
        found += ["--sample", f"{inputs.truth.samples[0]},{inputs.query.samples[0]}"]
    if options.sample_ploidy != 2:
        found += ["--sample-ploidy", str(options.sample_ploidy)]
    for name in ("squash_ploidy", "all_records", "decompose", "ref_overlap"):
        if getattr(options, name):
            found.append("--" + name.replace("_", "-"))
    if options.score_field is not None:
        found += ["-f", options.score_field]
    if options.sort_order != "descending":
        found += ["-O", options.sort_order]
    return found


def _judged(
    run: RtgRun, files: Mapping[str, Verdict], calls: CallSet
) -> dict[str, list[JudgedRecord]]:
    """Records of one side by contig, with the verdict of the file that they stand in."""
    found: dict[str, list[JudgedRecord]] = {}
    for name, verdict in files.items():
        for line in run.lines(name):
            if not line.startswith("#"):
                record = parse_record(line, calls.sample_column)
                found.setdefault(record.fields[0], []).append(JudgedRecord(record, verdict))
    return found


def _with_uncounted(
    counted: list[JudgedRecord], inputs: Inputs, contig: str, options: MatchOptions
) -> list[JudgedRecord]:
    """Add the query records that vcfeval compared but put into no file: they are not judged."""

    def key(record: Record) -> tuple[int, str, tuple[str, ...], tuple[int, ...] | None]:
        return record.start, record.ref, record.alts, record.genotype

    ranges = None if inputs.ranges is None else inputs.ranges.get(contig, EMPTY)
    length = inputs.reference.lengths[contig]
    items, _ = judged_side(
        inputs.query, "query", contig, length, options, regions=None, ranges=ranges
    )
    known = Counter(key(item.record) for item in counted)
    added = []
    for item in items:
        if known[key(item.record)] > 0:
            known[key(item.record)] -= 1
        elif item.variant is not None:
            added.append(JudgedRecord(item.record, Verdict.OUTSIDE))
    return [*counted, *added]


def _sorted(items: list[JudgedRecord]) -> list[JudgedRecord]:
    return sorted(items, key=lambda item: (item.record.start, item.record.end))


def _ranges(inputs: Inputs, options: EvalOptions, scratch: Path) -> list[str]:
    """Where records are read; rtg takes one region, so several go through a BED file."""
    if options.bed_regions is not None:
        return ["--bed-regions", str(options.bed_regions)]
    if len(options.regions) == 1:
        return ["--region", options.regions[0]]
    if inputs.ranges is None:
        return []
    bed = scratch / "regions.bed"
    with bed.open("w", encoding="utf-8") as handle:
        for contig, intervals in inputs.ranges.items():
            handle.writelines(f"{contig}\t{start}\t{end}\n" for start, end in intervals.pairs())
    return ["--bed-regions", str(bed)]


def parse_ga4gh(line: str) -> Row:
    """One record of vcfeval's GA4GH VCF."""
    fields = line.split("\t")
    keys = fields[8].split(":")
    info = dict(item.partition("=")[::2] for item in fields[7].split(";"))
    start = int(fields[1]) - 1
    row = Row(
        fields[0],
        start,
        start + len(fields[3]),
        fields[3],
        () if fields[4] == "." else tuple(fields[4].split(",")),
        tuple(name for name in fields[6].split(";") if name not in (".", "PASS")),
        [int(text) for text in info.get("BS", "").split(",") if text],
    )
    row.truth, row.query = (
        _side(dict(zip(keys, text.split(":"), strict=False))) for text in fields[9:11]
    )
    return row


def _side(values: dict[str, str]) -> RowSide:
    genotype = values.get("GT", ".")
    score = values.get("QQ", ".")
    return RowSide(
        parse_genotype(genotype) or (-1,),
        "|" in genotype,
        values.get("BD", "."),
        values.get("BK", "."),
        float("nan") if score == "." else float(np.float32(score)),
    )


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="inputs.", dir=folder) as name:
        yield Path(name)


def _indexed(path: Path, scratch: Path, label: str) -> Path:
    """The file itself when rtg can read it, else a compressed and indexed copy."""
    if Path(f"{path}.tbi").exists():
        return path
    copy = scratch / f"{label}.vcf.gz"
    if is_gzipped(path):
        copy.symlink_to(path.resolve())
        pysam.tabix_index(str(copy), preset="vcf", force=True)
    else:
        pysam.tabix_compress(str(path), str(copy), force=True)
        pysam.tabix_index(str(copy), preset="vcf", force=True)
    return copy


def _written(calls: CallSet, path: Path, sample: str) -> Path:
    """Write a prepared call set, compressed and indexed."""
    plain = path.with_suffix("")
    kept: Sequence[str] = [
        line for line in calls.header if line.startswith(("##contig", "##FILTER", "##fileformat"))
    ]
    with plain.open("w", encoding="utf-8") as handle:
        handle.writelines(f"{line}\n" for line in kept)
        handle.write('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        handle.write("\t".join([*COLUMN_NAMES, "FORMAT", sample]) + "\n")
        for contig, records in calls.contigs.items():
            for record in records:
                genotype = "/".join("." if i < 0 else str(i) for i in record.genotype or (-1,))
                columns = [contig, str(record.start + 1), ".", record.ref]
                columns += [",".join(record.alts) or ".", *record.fields[5:7], ".", "GT", genotype]
                handle.write("\t".join(columns) + "\n")
    pysam.tabix_compress(str(plain), str(path), force=True)
    pysam.tabix_index(str(path), preset="vcf", force=True)
    return path
