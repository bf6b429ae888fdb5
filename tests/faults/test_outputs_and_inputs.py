"""No output is ever an input: every command's outputs, checked against all that it reads.

Each command is run once as it should be. Then every file that it wrote is a link to one of its
inputs, and every input stands once in the place of an output: it is refused, and all is as before.
"""

import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pysam
import pytest

from models import registry
from models.registry import ModelSize
from models.weights.weights_file import graph_paths
from tests.varcall.joint.gvcf_files import variant, write_gvcf
from tests.varcall.output.test_merge import write_shards
from varcall.cli import COMMANDS, run
from varcall.errors import OutputError
from varcall.output.checks import Output, check_outputs, file_inputs, file_outputs, vcf_outputs
from varcall.simulate import SimulatedSample

# Every option that takes text or a path, by what it names. A new one must be put into one of the
# three; one of "output" must be used by a case below.
OPTIONS = {
    "call": {
        "input": "reads reads_option reference index regions_file alleles model par_bed ploidy_bed",
        "output": "output gvcf workdir timings report log_file",
        "neither": "regions output_type sample sample_name haploid_contigs sex engine device "
        "precision shard gvcf_alt executor",
    },
    "check": {
        "input": "reads reference index regions_file model",
        "output": "",
        "neither": "sample regions",
    },
    "profile": {"input": "reads reference index", "output": "output", "neither": "sample"},
    "show": {
        "input": "reads reference vcf index model par_bed ploidy_bed",
        "output": "output",
        "neither": "position alt kind sample haploid_contigs sex",
    },
    "ask": {
        "input": "reads reference index model par_bed ploidy_bed",
        "output": "",
        "neither": "question position alt task other sample haploid_contigs sex",
    },
    "report": {
        "input": "calls reads reference evaluation index model par_bed ploidy_bed",
        "output": "output tables",
        "neither": "sample haploid_contigs sex",
    },
    "merge": {"input": "inputs", "output": "output", "neither": "output_type"},
    "joint": {"input": "inputs ped", "output": "output", "neither": "output_type"},
    "eval": {
        "input": "truth query reference confident bed_regions stratification sdf",
        "output": "output counts",
        "neither": "regions sample engine score_field sort_order name rtg_memory ref_mismatch",
    },
    "simulate": {
        "input": "reference truth exclude report against report_reference",
        "output": "output out_dir",
        "neither": "sample_size regions depth library platform mapper sample_name",
    },
    "spike": {
        "input": "reads reference variants truth confident mix",
        "output": "output",
        "neither": "regions mapper",
    },
    "examples": {
        "input": "reads reference truth confident samples",
        "output": "output",
        "neither": "regions",
    },
    "train": {
        "input": "recipe data held_out begin_with",
        "output": "output",
        "neither": "device",
    },
    "demo": {"input": "model", "output": "output", "neither": ""},
    "workflow": {"input": "", "output": "copy", "neither": ""},
}


def names_text(annotation: object) -> bool:
    """Tell whether an option's type is, or holds, text or a path."""
    return annotation in (str, Path) or any(names_text(part) for part in get_args(annotation))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_known_as_input_or_output(command: Callable[..., None]) -> None:
    hints = get_type_hints(command)
    taking = {name for name in inspect.signature(command).parameters if names_text(hints[name])}
    known = OPTIONS[command.__name__.rstrip("_")]
    assert taking == {name for role in known.values() for name in role.split()}


@dataclass(frozen=True)
class Case:
    """A command line that writes into `out` alone, the output options it uses, its inputs."""

    words: list[str]
    inputs: list[Path]
    options: str = "output"


class Files:
    """Inputs of every kind in one folder."""

    def __init__(self, folder: Path, sample: SimulatedSample, model: Path) -> None:
        self.out = folder / "out"
        self.out.mkdir()
        home = folder / "in"
        home.mkdir()
        self.bam = self._copied(sample.bam, home / "s.bam", ".bai")
        self.reference = self._copied(sample.reference, home / "ref.fa", ".fai")
        self.truth = self._copied(sample.truth, home / "s.truth.vcf.gz", ".tbi")
        self.bed = self._copied(sample.bed, home / "s.bed")
        self.description = self._copied(sample.description, home / "s.json")
        self.model = self._copied(model, home / "model.safetensors")
        self.weights = [self.model, *graph_paths(self.model)]
        for graph, target in zip(graph_paths(model), graph_paths(self.model), strict=True):
            self._copied(graph, target)
        self.reads = [self.bam, Path(f"{self.bam}.bai")]
        self.fasta = [self.reference, Path(f"{self.reference}.fai")]
        self.home = home

    @staticmethod
    def _copied(source: Path, target: Path, *companions: str) -> Path:
        for suffix in ("", *companions):
            shutil.copy2(f"{source}{suffix}", f"{target}{suffix}")
        return target

    @property
    def reads_words(self) -> list[str]:
        """The words that name reads and reference."""
        return [str(self.bam), "--ref", str(self.reference)]


def call(files: Files) -> Case:
    words = ["call", *files.reads_words, "-R", str(files.bed), "-m", str(files.model), "--resume"]
    words += ["-o", f"{files.out}/x.vcf.gz", "--workdir", f"{files.out}/w", "--quiet"]
    words += ["--timings", f"{files.out}/t.tsv", "--log-file", f"{files.out}/log.txt"]
    ploidies = files.home / "ploidy.bed"
    ploidies.write_text("sim\t0\t100\t1\n")
    words += ["--ploidy-bed", str(ploidies), "--gvcf", f"{files.out}/x.g.vcf.gz"]
    words += ["--report", f"{files.out}/r.html"]
    inputs = [*files.reads, *files.fasta, files.bed, ploidies, *files.weights]
    return Case(words, inputs, "output gvcf workdir timings report log_file")


def report(files: Files) -> Case:
    calls = files._copied(files.truth, files.home / "calls.vcf.gz", ".tbi")
    prefix = files.home / "e"
    scored = ["eval", "-b", str(files.truth), "-c", str(calls), "--ref", str(files.reference)]
    scored += ["--engine", "builtin", "--no-plots", "--quiet", "-o", str(prefix)]
    assert run(scored) == 0
    words = ["report", str(calls), "--reads", *files.reads_words, "-m", str(files.model)]
    words += ["--eval", str(prefix), "--uncertain", "1", "-o", f"{files.out}/r.html"]
    tables = [Path(f"{prefix}{name}") for name in (".summary.csv", ".intervals.csv")]
    inputs = [*files.reads, *files.fasta, *files.weights, calls, *tables]
    return Case([*words, "--tables", f"{files.out}/tables"], inputs, "output tables")


def profile(files: Files) -> Case:
    words = ["profile", *files.reads_words, "-o", f"{files.out}/p.json"]
    return Case(words, [*files.reads, *files.fasta])


def show(files: Files) -> Case:
    words = ["show", *files.reads_words, "-r", f"sim:{first_het(files.truth)}"]
    words += ["-m", str(files.model), "-o", f"{files.out}/locus.png"]
    return Case(words, [*files.reads, *files.fasta, *files.weights])


def sheet(output: str) -> Callable[[Files], Case]:
    def make(files: Files) -> Case:
        words = ["show", *files.reads_words, "--vcf", str(files.truth), "--limit", "1"]
        words += ["-m", str(files.model), "-o", f"{files.out}/{output}"]
        inputs = [*files.reads, *files.fasta, *files.weights, files.truth]
        return Case(words, [*inputs, Path(f"{files.truth}.tbi")])

    return make


def merge(files: Files) -> Case:
    shards = write_shards(files.home, 2)
    words = ["merge", *map(str, shards), "-o", f"{files.out}/m.vcf.gz"]
    return Case(words, [*shards, *(Path(f"{path}.tbi") for path in shards)])


def joint(files: Files) -> Case:
    het = variant(10, "A G,<*>", "0/1:40:30:16,14,0:45,0,52,93,101,240")
    gvcfs = [write_gvcf(files.home, sample, [het]) for sample in ("a", "b")]
    ped = files.home / "family.ped"
    ped.write_text("f a b 0 1 0\nf b 0 0 1 0\n")
    words = ["joint", *map(str, gvcfs), "--ped", str(ped), "-o", f"{files.out}/j.vcf.gz"]
    return Case(words, [*gvcfs, *(Path(f"{path}.tbi") for path in gvcfs), ped])


def evaluate(files: Files) -> Case:
    strata = files.home / "strata.tsv"
    strata.write_text("all\tstratum.bed\n")
    stratum = files.home / "stratum.bed"
    stratum.write_bytes(files.bed.read_bytes())
    calls = files._copied(files.truth, files.home / "calls.vcf.gz", ".tbi")
    words = ["eval", "-b", str(files.truth), "-c", str(calls), "--ref", str(files.reference)]
    words += ["-e", str(files.bed), "--strat", str(strata), "--split-vcfs", "--engine", "builtin"]
    words += ["-o", f"{files.out}/e", "--counts", f"{files.out}/counts.json", "--quiet"]
    inputs = [calls, files.truth, Path(f"{calls}.tbi"), files.reference, files.bed, strata, stratum]
    return Case(words, inputs, "output counts")


def evaluate_two(files: Files) -> Case:
    words = ["eval", "-b", str(files.truth), "-c", str(files.truth), "-c", str(files.truth)]
    words += ["--ref", str(files.reference), "--engine", "builtin", "-o", f"{files.out}/e"]
    words += ["--name", "a", "--name", "b", "-R", str(files.bed), "--quiet"]
    return Case(words, [files.truth, files.reference, files.bed])


def simulate(*output: str, random: bool = False) -> Callable[[Files], Case]:
    def make(files: Files) -> Case:
        place = [output[0], f"{files.out}/{output[1]}"]
        words = ["simulate", *place, "--depth", "5", "--mapper", "exact"]
        if random:
            return Case([*words, "--random-genome", "3000"], [], "output")
        words += ["--ref", str(files.reference), "--truth", str(files.truth), "--variants-per-kb=0"]
        excluded = files.home / "excluded.bed"
        excluded.write_text("sim\t0\t10\n")
        if output[0] == "--out-dir":
            words += ["--samples", "2", "--sample-size", "2kb", "--exclude", str(excluded)]
        else:
            words += ["-r", "sim:2000-4000", "--exclude", str(excluded)]
        inputs = [*files.fasta, files.truth, Path(f"{files.truth}.tbi"), excluded]
        return Case(words, inputs, output[0].strip("-").replace("-", "_"))

    return make


def spike(files: Files) -> Case:
    words = ["spike", *files.reads_words, "--variants", str(files.truth), "--mapper", "exact"]
    words += ["--truth", str(files.truth), "--confident", str(files.bed), "-o", f"{files.out}/s"]
    inputs = [*files.reads, *files.fasta, files.truth, Path(f"{files.truth}.tbi"), files.bed]
    return Case(words, inputs)


def realism(files: Files) -> Case:
    words = ["simulate", "--report", str(files.bam), "--against", str(files.home)]
    words += ["--ref", str(files.reference), "--truth", str(files.truth)]
    words += ["-o", f"{files.out}/r.html"]
    return Case(words, [*files.reads, *files.fasta, files.truth, files.bed])


def examples(files: Files) -> Case:
    words = ["examples", *files.reads_words, "--truth", str(files.truth), "--span", "6000"]
    words += ["--confident", str(files.bed), "-o", f"{files.out}"]
    return Case(words, [*files.reads, *files.fasta, files.truth, files.bed])


def train(files: Files) -> Case:
    data = files.home / "data"
    cut = ["examples", *files.reads_words, "--truth", str(files.truth), "-o", str(data)]
    cut += ["--span", "1500"]
    assert run(cut) == 0
    recipe = files.home / "recipe.toml"
    recipe.write_text('[train]\nsize = "mini"\nsteps = 1\nbatch_size = 4\n[triage]\nrounds = 2\n')
    words = ["train", "--recipe", str(recipe), "--data", str(data), "--held-out", str(data)]
    return Case([*words, "-o", f"{files.out}"], [recipe, *data.iterdir()])


def demo(files: Files) -> Case:
    return Case(["demo", "-t", "1", "-m", str(files.model), "-o", f"{files.out}"], files.weights)


CASES = {
    "call": call,
    "profile": profile,
    "show": show,
    "show page": sheet("loci.html"),
    "show picture": sheet("loci.png"),
    "show folder": sheet("loci"),
    "report": report,
    "merge": merge,
    "joint": joint,
    "eval": evaluate,
    "eval of two": evaluate_two,
    "simulate": simulate("--output", "s"),
    "simulate set": simulate("--out-dir", "set"),
    "simulate report": realism,
    "spike": spike,
    "examples": examples,
    "train": train,
    "demo": demo,
}


def first_het(vcf: Path) -> int:
    with pysam.VariantFile(str(vcf)) as records:
        return next(iter(records)).pos


def test_every_output_option_has_a_case(tmp_path, small_sample, untrained_model) -> None:
    files = Files(tmp_path, small_sample, untrained_model)
    used: dict[str, set[str]] = {name: set() for name in OPTIONS}
    for name, make in CASES.items():
        if name not in ("train",):
            case = make(files)
            used[case.words[0]] |= set(case.options.split())
    used["train"] = {"output"}
    used["workflow"] = {"copy"}  # reads no file of the user, and writes into an empty folder only
    assert used == {name: set(known["output"].split()) for name, known in OPTIONS.items()}


def contents(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """What lies in a folder: bytes, links and inodes of all files; folders are left out."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes(),
            path.lstat().st_ino,
            path.lstat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if not path.is_dir()
    }


def links_to(source: Path, place: Path) -> Iterator[str]:
    """Put links to a file in the place of another, one kind after the other, and put that back."""
    kept = place.with_name(place.name + ".kept")
    place.rename(kept)
    for kind, link in (("symbolic", os.symlink), ("hard", os.link)):
        link(source, place)
        yield kind
        place.unlink()
    kept.rename(place)


@pytest.mark.parametrize("name", CASES)
def test_no_output_is_an_input(
    name: str,
    tmp_path: Path,
    small_sample: SimulatedSample,
    untrained_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    mini = ModelSize((8, 8, 16, 16), (0, 1, 1, 1), 32, 2, 2, 32, 12, 4)
    monkeypatch.setitem(registry.SIZES, "mini", mini)
    case = CASES[name](Files(tmp_path, small_sample, untrained_model))
    assert run(case.words) == 0, capfd.readouterr().err
    written = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert written
    # Each file written stands once for an input, and each input once in the place of an output.
    for number in range(max(len(written), len(case.inputs))):
        output, source = written[number % len(written)], case.inputs[number % len(case.inputs)]
        for kind in links_to(source, output):
            before = contents(tmp_path)
            capfd.readouterr()
            assert run(case.words) == 1, f"{output} as a {kind} link to {source}"
            message = capfd.readouterr().err
            assert message.startswith("varcall: error: --"), message
            assert message.count("\n") == 1
            assert output.name in message
            assert contents(tmp_path) == before


def refused(outputs: list[Output], inputs: list[Path], match: str) -> None:
    with pytest.raises(OutputError, match=match) as caught:
        check_outputs(outputs, file_inputs("the input", *inputs))
    assert "\n" not in str(caught.value)


def test_an_index_that_a_vcf_would_remove_is_an_output(tmp_path: Path) -> None:
    """A reads file `s.bam` may have its index in `s.csi`; `-o s` would take that for its own."""
    index = tmp_path / "s.csi"
    index.touch()
    refused(vcf_outputs("--output", tmp_path / "s"), [index], "s.csi")


def test_an_input_that_is_not_there_yet_is_protected(tmp_path: Path) -> None:
    """A dangling link to the name of an index would make one out of the output."""
    link = tmp_path / "out.vcf"
    link.symlink_to("ref.fa.fai")
    refused(file_outputs("--output", link), [tmp_path / "ref.fa.fai"], "out.vcf")


def test_two_outputs_are_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("x.vcf")
    for other in ("x.vcf", "./x.vcf", "link", f"{tmp_path}/x.vcf", "x.vcf.tbi"):
        outputs = [*vcf_outputs("--output", "x.vcf"), *file_outputs("--timings", other)]
        refused(outputs, [], "--timings would write .*, which is what --output writes")
    (tmp_path / "x.vcf").touch()
    os.link("x.vcf", "hard.tsv")
    outputs = [*vcf_outputs("--output", "x.vcf"), *file_outputs("--timings", "hard.tsv")]
    refused(outputs, [], "--timings would write hard.tsv")


def test_what_an_earlier_run_left_may_be_linked_together(tmp_path: Path) -> None:
    """Equal files of one report may be one file on disk; each is replaced by itself."""
    (tmp_path / "a.csv").touch()
    os.link(tmp_path / "a.csv", tmp_path / "b.csv")
    check_outputs(file_outputs("--output", tmp_path / "a.csv", tmp_path / "b.csv"), [])


def test_no_output_lies_in_another(tmp_path: Path) -> None:
    """Else the folder is made first, and the file cannot be put in its place after all the work."""
    for place in ("x", "x/w"):
        outputs = [
            *vcf_outputs("--output", tmp_path / "x"),
            Output("--workdir", tmp_path / place, is_folder=True),
        ]
        refused(outputs, [], "choose another name")
    folder = Output("--workdir", tmp_path / "w", is_folder=True)
    check_outputs([folder, *vcf_outputs("--output", tmp_path / "w" / "x.vcf")], [])


def test_no_input_lies_in_a_folder_that_is_cleared(tmp_path: Path) -> None:
    folder = Output("--output", tmp_path / "e.rtg", is_folder=True, is_cleared=True)
    refused([folder], [tmp_path / "e.rtg" / "tp.vcf.gz"], r"clears the folder .*e\.rtg")


def test_pipes_and_devices_are_nobodys_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path / "pipe", Path("/dev/null")):
        check_outputs(file_outputs("--output", special), file_inputs("the input", special))
        check_outputs([*file_outputs("--output", special), *file_outputs("--timings", special)], [])


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_standard_output_that_is_an_input(tmp_path: Path, output: str) -> None:
    """`varcall merge a.vcf b.vcf >> a.vcf` would read its own output."""
    one, two = write_shards(tmp_path, 2, ".vcf")
    before = one.read_bytes()
    with one.open("ab") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "varcall", "merge", str(one), str(two), "-o", output],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "an input" in done.stderr
    assert done.stderr.count("\n") == 1
    assert one.read_bytes() == before


def test_eval_of_a_file_against_itself_writes_beside_it(
    tmp_path: Path, small_sample: SimulatedSample, untrained_model: Path
) -> None:
    case = evaluate_two(Files(tmp_path, small_sample, untrained_model))
    assert run([*case.words, "--no-plots"]) == 0
    # Two callers of one name would write over each other's files.
    same_name = ["a" if word == "b" else word for word in case.words]
    assert run(same_name) == 1
