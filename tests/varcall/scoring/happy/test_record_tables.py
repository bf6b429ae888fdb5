"""Where genotypes do not count: one set of numbers in tables, split files and counts."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.strategies import vcf_records
from tests.varcall.scoring.conftest import (
    CASES,
    HEADER,
    SEQUENCES,
    load_case,
    other,
    rows_of,
    snv,
    vcf_text,
)
from varcall.cli import run as run_varcall
from varcall.scoring.comparator import Comparison, compare
from varcall.scoring.evaluation import read_inputs
from varcall.scoring.options import EvalOptions
from varcall.scoring.rtg.comparison import RtgEngine
from varcall.scoring.rtg.program import Rtg
from varcall.scoring.run import run_eval
from varcall.scoring.vcfeval.matching import Verdict

COLUMNS = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT S".replace(" ", "\t")
GENOTYPES = ["0/1", "1/1", "1", "./1", "0/0", ".", "0/1/1"]
SPLIT_FILES = {
    "tp-baseline": ("TRUTH.TP", "tp_baseline"),
    "fn": ("TRUTH.FN", "fn"),
    "tp": ("QUERY.TP", "tp_call"),
    "fp": ("QUERY.FP", "fp"),
}
needs_cases = pytest.mark.skipif(
    not CASES.is_dir(), reason="needs the recorded cases (../shared/vcfeval_cases)"
)


def assert_same_everywhere(folder: Path) -> None:
    """The tables hold what --counts and the split files say, by type and in all."""
    counts = json.loads((folder / "counts.json").read_text())
    summary = rows_of(folder / "report.summary.csv")
    rows = rows_of(folder / "report.extended.csv")
    rows = [row for row in rows if row["Subtype"] == row["Subset"] == "*"]
    shared = [{name: row[name] for name in ("Type", "Filter", "QUERY.FP")} for row in rows]
    assert shared == [{name: row[name] for name in shared[0]} for row in summary]
    rows = [row for row in rows if row["Filter"] == "ALL"]
    for name, (column, total) in SPLIT_FILES.items():
        by_type = {row["Type"]: int(row[column]) for row in rows}
        assert by_type == {kind: counts[kind][column] for kind in by_type}
        assert sum(by_type.values()) == counts[total]
        with gzip.open(folder / f"report.{name}.vcf.gz", "rt") as lines:
            assert sum(not line.startswith("#") for line in lines) == counts[total]


def evaluated(folder: Path, truth: str, query: str, *more: str) -> None:
    """Evaluate two texts in a folder that is used again and again."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    reference = "".join(f">{name}\n{bases}\n" for name, bases in SEQUENCES.items())
    for name, text in (("ref.fa", reference), ("truth.vcf", truth), ("query.vcf", query)):
        (folder / name).write_text(text)
    (folder / "confident.bed").write_text("c1\t50\t600\nc2\t0\t70\n")
    arguments = ["eval", "-b", str(folder / "truth.vcf"), "-c", str(folder / "query.vcf")]
    arguments += ["--ref", str(folder / "ref.fa"), "-o", str(folder / "report"), "--no-plots"]
    arguments += ["--counts", str(folder / "counts.json"), "--split-vcfs", "--engine", "builtin"]
    assert run_varcall([*arguments, *more]) == 0


@st.composite
def two_call_sets(draw: st.DrawFn) -> tuple[str, str]:
    """Texts of two call sets that share most of their records, if not the genotypes."""
    lines = draw(vcf_records({name: bases[:120] for name, bases in SEQUENCES.items()}))
    sides: tuple[list[str], list[str]] = ([], [])
    for line in lines:
        for side in sides:
            change = draw(st.sampled_from(["keep", "keep", "genotype", "leave out"]))
            fields = line.split("\t")
            if change == "genotype" and fields[4] != ".":
                genotype = draw(st.sampled_from(GENOTYPES))
                fields[9] = ":".join([genotype, *fields[9].split(":")[1:]])
            if change != "leave out":
                side.append("\t".join(fields))
    return tuple(HEADER + "\n".join([COLUMNS, *side]) + "\n" for side in sides)


@given(
    two_call_sets(),
    st.sampled_from([["--squash-ploidy"], ["--sample", "ALT"]]),
    st.sets(st.sampled_from(["--all-records", "--ref-overlap", "--decompose"])),
    st.booleans(),
)
@settings(max_examples=60)
def test_one_set_of_numbers(
    tmp_path_factory: pytest.TempPathFactory,
    texts: tuple[str, str],
    mode: list[str],
    more: set[str],
    only_confident: bool,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "one_set"
    assume(any("\nc" in text for text in texts))  # else there is nothing to compare
    bed = ["-e", str(folder / "confident.bed")] if only_confident else []
    evaluated(folder, *texts, *mode, *sorted(more), *bed)
    assert_same_everywhere(folder)


A, B, C = (SEQUENCES["c1"][start : start + 3] for start in (99, 199, 299))
OTHERS = [
    # hap.py cuts these into several records, or joins them into one
    f"c1 100 {A} {other(A[0])}{A[1:]},{A[0]} 1/2",
    f"c1 200 {B} {other(B[0])}{B[1]}{other(B[2])} 0/1",
    f"c1 300 {C[0]} {other(C[0])} 0/1",
    f"c1 300 {C[0]} {other(C[0])} 1/1",
]


@pytest.mark.parametrize("mode", [["--squash-ploidy"], ["--sample", "ALT"]])
def test_records_are_counted_as_they_stand(mode: list[str], tmp_path: Path) -> None:
    text = vcf_text(OTHERS)
    evaluated(tmp_path / "e", text, text, *mode)
    assert_same_everywhere(tmp_path / "e")
    rows = rows_of(tmp_path / "e" / "report.summary.csv")
    totals = {row["Type"]: row["QUERY.TOTAL"] for row in rows if row["Filter"] == "ALL"}
    assert totals == {"SNP": "2", "INDEL": "2"}  # vcfeval's types: what is no SNP is an INDEL


def test_a_site_without_genotype_has_none_in_the_annotated_vcf(tmp_path: Path) -> None:
    text = vcf_text([snv(100, "0/1"), snv(200, "0/1")])
    sites = "\n".join(
        line if line.startswith("##") else "\t".join(line.split("\t")[:8])
        for line in text.splitlines()
    )
    evaluated(tmp_path / "e", sites + "\n", text, "--sample", "ALT,S")
    assert_same_everywhere(tmp_path / "e")
    with pysam.VariantFile(str(tmp_path / "e" / "report.vcf.gz")) as annotated:
        found = [(r.samples["TRUTH"]["GT"], r.samples["QUERY"]["GT"]) for r in annotated]
    assert found == [((None,), (0, 1))] * 2


def test_a_site_of_three_alleles_leaves_the_calls_genotype_as_it_is(tmp_path: Path) -> None:
    ref, alt = SEQUENCES["c1"][99], other(SEQUENCES["c1"][99])
    rest = ",".join(base for base in "ACGT" if base not in (ref, alt))
    truth = vcf_text([f"c1 100 {ref} {rest},{alt} ."])
    evaluated(tmp_path / "e", truth, vcf_text([snv(100, "0/1")]), "--sample", "ALT,S")
    assert_same_everywhere(tmp_path / "e")
    rows = rows_of(tmp_path / "e" / "report.extended.csv")
    assert [float(row["QUERY.TOTAL.het"]) for row in rows if row["Subtype"] == "*"] == [1, 1]


def test_alleles_of_triploid_genotypes_are_in_the_tables(tmp_path: Path) -> None:
    truth, query = (
        vcf_text([snv(100, genotype), snv(200, genotype)]) for genotype in ("0/0/1", "0/1/1")
    )
    evaluated(tmp_path / "e", truth, query, "--squash-ploidy", "--sample-ploidy", "3")
    assert_same_everywhere(tmp_path / "e")
    (row,) = [r for r in rows_of(tmp_path / "e" / "report.summary.csv") if r["Filter"] == "ALL"]
    assert [row[name] for name in ("Type", "TRUTH.TP", "QUERY.FP")] == ["SNP", "2", "0"]


@pytest.mark.parametrize("mode", [["--squash-ploidy"], ["--sample", "ALT"]])
def test_a_record_past_the_end_is_in_no_table(mode: list[str], tmp_path: Path) -> None:
    bed = tmp_path / "confident.bed"
    bed.write_text("c1\t0\t1000\n")
    truth, query = vcf_text([snv(100, "0/1")]), vcf_text([snv(100, "0/1"), "c1 1600 A C 0/1"])
    evaluated(tmp_path / "e", truth, query, *mode, "--confident", str(bed))
    assert_same_everywhere(tmp_path / "e")
    (row,) = [r for r in rows_of(tmp_path / "e" / "report.summary.csv") if r["Filter"] == "ALL"]
    assert [row[name] for name in ("TRUTH.TP", "QUERY.TOTAL")] == ["1", "1"]


@needs_cases
@pytest.mark.parametrize("name", ["squash_ploidy", "sites_only_sample_alt"])
def test_both_engines_write_the_same_tables(
    name: str, fake_rtg: Callable[[str], Path], tmp_path: Path
) -> None:
    case = load_case(name)
    fake_rtg(str(case.folder))
    written = {}
    for engine in ("rtg", "builtin"):
        (tmp_path / engine).mkdir()
        prefix = tmp_path / engine / "report"
        run_eval(
            EvalOptions(
                case.folder / "truth.vcf",
                (case.folder / "query.vcf",),
                case.reference,
                output=prefix,
                counts=prefix.with_name("counts.json"),
                sample=case.options["sample"],
                squash_ploidy=case.options["squash_ploidy"],
                split_vcfs=True,
                engine=engine,
                plots=False,
            )
        )
        assert_same_everywhere(tmp_path / engine)
        written[engine] = [prefix.with_name(x).read_text() for x in ("report.summary.csv",)]
        written[engine].append(json.loads(prefix.with_name("counts.json").read_text()))
    assert written["rtg"] == written["builtin"]


def verdicts(comparison: Comparison, side: str) -> Counter[tuple[str, ...]]:
    """Records by their verdict; those that are not compared are left out."""
    names = {Verdict.MATCH: "right", Verdict.MISMATCH: "wrong"}
    return Counter(
        (*item.record.fields[:5], names.get(item.verdict, "neither"))
        for match in comparison.contigs
        for item in (match.truth if side == "truth" else match.query)
        if item.verdict != Verdict.IGNORED and (side == "query" or item.verdict in names)
    )


@needs_cases
@pytest.mark.parametrize(
    "name",
    ["region_borders", "regions_unk", "empty_regions", "duplicate_records", "filtered_default"],
)
def test_both_engines_say_the_same_of_every_record(
    name: str, fake_rtg: Callable[[str], Path], tmp_path: Path
) -> None:
    case = load_case(name)
    rtg = Rtg(fake_rtg(str(case.folder)))
    truth, query = case.folder / "truth.vcf", case.folder / "query.vcf"
    options = EvalOptions(
        truth, (query,), case.reference, output=tmp_path / "r", confident=case.confident
    )
    sdf = rtg.formatted(case.reference, tmp_path / "ref.sdf")
    inputs, _ = read_inputs(truth, query, case.reference, confident=case.confident)
    try:
        theirs = RtgEngine(rtg, sdf, tmp_path / "rtg").compare(inputs, options)
        mine = compare(
            inputs.truth, inputs.query, inputs.reference, options.matching,
            regions=inputs.confident,
        )  # fmt: skip
    finally:
        inputs.reference.close()
    assert verdicts(theirs, "truth") == verdicts(mine, "truth")
    assert verdicts(theirs, "query") == verdicts(mine, "query")
