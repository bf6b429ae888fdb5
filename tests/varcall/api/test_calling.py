"""`varcall.call` gives the records of `varcall call`, and leaves the process as it was."""

import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import varcall
from tests.gvcfs import check_gvcf, recovered
from varcall.api.keywords import CallKeywords, call_options
from varcall.api.variants import Variant, read_variants
from varcall.cli import run
from varcall.errors import UsageError
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.simulate import SimulatedSample


@pytest.fixture(scope="module")
def written(small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command line writes."""
    output = tmp_path_factory.mktemp("written") / "calls.vcf"
    words = ["call", str(small_sample.bam), "--ref", str(small_sample.reference), "--quiet"]
    assert run([*words, "--window", "2000", "-o", str(output)]) == 0
    return output


def test_records_in_memory_are_those_of_the_command_line(
    small_sample: SimulatedSample, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = varcall.call(small_sample.bam, small_sample.reference, window=2000)
    assert result.text == written.read_text()
    assert list(result) == list(read_variants(written))
    assert len(result) == len(list(result)) == result.counts.records > 10
    assert result.output is None
    assert list(tmp_path.iterdir()) == []
    assert result.sample == "demo"
    assert result.model.startswith("tiny:")
    assert result.seconds["read"] > 0
    # A dataclass's text is for people: the VCF is not part of it.
    assert "##fileformat" not in repr(result)


@pytest.mark.parametrize("name", ["calls.vcf.gz", "calls.bcf"])
def test_records_of_a_file_are_read_from_it(
    name: str, small_sample: SimulatedSample, written: Path, tmp_path: Path
) -> None:
    output = tmp_path / name
    result = varcall.call(
        str(small_sample.bam), str(small_sample.reference), output=output, window=2000
    )
    assert result.output == output
    assert result.text == ""
    assert list(result) == list(read_variants(written))
    assert (result.to_numpy() == result.to_numpy()).all()
    index = ".csi" if name.endswith("bcf") else ".tbi"
    assert sorted(tmp_path.iterdir()) == sorted([output, tmp_path / (name + index)])


def test_options_are_those_of_the_command_line(small_sample: SimulatedSample) -> None:
    regions = ["sim:1-3000", "sim:6001-8000"]
    result = varcall.call(
        small_sample.bam, small_sample.reference, regions=regions, ploidy=1, sample_name="me",
        haploid_contigs=["sim"], write_gl=True,
    )  # fmt: skip
    assert result.sample == "me"
    assert all(len(v.genotype) == 1 and "GL" in v.fields for v in result)
    assert all(v.start < 3000 or 6000 <= v.start < 8000 for v in result)
    assert len(result) > 0


def test_every_option_has_a_keyword_of_its_type() -> None:
    named = {"reads", "reference", "output", "regions", "threads"}
    # Where messages go is the user's own affair in Python.
    of_the_command_line = {"log_file"}
    options = {
        name: hint
        for name, hint in get_type_hints(CallOptions).items()
        if name not in named | of_the_command_line
    }
    keywords = get_type_hints(CallKeywords)
    assert set(keywords) == set(options)
    wider = {Path | None: str | Path | None}
    options["gvcf"] = Path | None  # text there, as it may be `-`
    del options["haploid_contigs"], keywords["haploid_contigs"]
    assert keywords == {name: wider.get(hint, hint) for name, hint in options.items()}


@pytest.mark.parametrize("output", [None, "calls.vcf"])
def test_a_gvcf_is_written_beside_the_records(
    small_sample: SimulatedSample, tmp_path: Path, output: str | None
) -> None:
    vcf = None if output is None else tmp_path / output
    gvcf = tmp_path / "calls.g.vcf"
    result = varcall.call(
        small_sample.bam, small_sample.reference, output=vcf, gvcf=gvcf, phase=True, gvcf_gq_bands=9
    )
    lines = check_gvcf(gvcf, [Region("sim", 0, 12_000)], small_sample.reference)
    records = [Variant.from_line(line) for line in recovered(lines)]
    assert records == list(result)
    assert any(record.phase_set is not None for record in records)
    assert sorted(tmp_path.iterdir()) == sorted([gvcf] if vcf is None else [gvcf, vcf])
    with pytest.raises(UsageError, match="gvcf - is of the command line"):
        varcall.call(small_sample.bam, small_sample.reference, gvcf="-")


def test_texts_become_what_the_options_hold() -> None:
    options = call_options(
        "a.bam", "b.fa", regions="1", index="c.bai", workdir=Path("w"), haploid_contigs="X"
    )
    assert options == CallOptions(
        reads=Path("a.bam"), reference=Path("b.fa"), regions=("1",), index=Path("c.bai"),
        workdir=Path("w"), haploid_contigs=("X",),
    )  # fmt: skip
    with pytest.raises(TypeError, match="no_such_option"):
        call_options("a.bam", "b.fa", no_such_option=1)  # type: ignore[call-arg]


def test_progress_tells_every_window_and_may_end_the_call(
    small_sample: SimulatedSample, tmp_path: Path
) -> None:
    told: list[varcall.Progress] = []
    varcall.call(small_sample.bam, small_sample.reference, window=5000, progress=told.append)
    assert told == [(1, 3, "sim:1-5000"), (2, 3, "sim:5001-10000"), (3, 3, "sim:10001-12000")]

    def stop(progress: varcall.Progress) -> None:
        raise RuntimeError("enough")

    output = tmp_path / "calls.vcf"
    with pytest.raises(RuntimeError, match="enough"):
        varcall.call(small_sample.bam, small_sample.reference, output=output, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_has_a_type(small_sample: SimulatedSample, tmp_path: Path) -> None:
    reads, reference = small_sample.bam, small_sample.reference
    with pytest.raises(varcall.InputError, match=r"no\.bam"):
        varcall.call(tmp_path / "no.bam", reference)
    with pytest.raises(varcall.UsageError, match="--min-mapq 300"):
        varcall.call(reads, reference, min_mapq=300)
    with pytest.raises(varcall.UsageError, match="command line"):
        varcall.call(reads, reference, output="-")
    with pytest.raises(varcall.OutputError):
        varcall.call(reads, reference, output=tmp_path / "absent" / "calls.vcf")
    with pytest.raises(varcall.OutputError, match="small"):
        varcall.call(reads, reference, output=reads, output_type="v")
    with pytest.raises(varcall.ModelError, match="weights"):
        varcall.call(reads, reference, model="no-such-model")
    for error in (varcall.InputError, varcall.UsageError, varcall.OutputError, varcall.WorkerError):
        assert issubclass(error, varcall.VarcallError)
        assert not issubclass(error, SystemExit)


UNTOUCHED = """
import logging, os, signal, sys

def state():
    named = ["", "varcall", "varcall.log", "models", "pileup"]
    loggers = [logging.getLogger(name) for name in named]
    handled = [signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGPIPE, signal.SIGCHLD]
    return (
        [(one.level, list(one.handlers), one.propagate, one.disabled) for one in loggers],
        logging.root.manager.disable,
        [signal.getsignal(number) for number in handled],
        signal.pthread_sigmask(signal.SIG_BLOCK, []),
        dict(os.environ),
        os.getcwd(), sorted(os.listdir()),
        sys.excepthook, sys.unraisablehook, sys.stdout, sys.stderr,
        sys.stdout.errors, sys.getswitchinterval(),
    )

import varcall
if __name__ == "__main__":
    before = state()
    reads, reference, truth, threads = sys.argv[1:]
    result = varcall.call(reads, reference, threads=int(threads), window=3000)
    with varcall.Caller(reference) as caller:
        (first, *_) = caller.call(reads, "sim:1-3000")
        caller.pileup(reads, f"sim:{first.pos}")
        caller.ask(reads, f"sim:{first.pos}", task="cause")
    varcall.evaluate(truth, truth, reference)
    try:
        varcall.call(reads, reference, min_mapq=300)
    except varcall.UsageError:
        pass
    assert state() == before, [pair for pair in zip(before, state()) if pair[0] != pair[1]]
    sys.stdout.write(str(len(result)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_is_left_as_it_was(
    threads: int, small_sample: SimulatedSample, root: Path, tmp_path: Path
) -> None:
    """Signals, logging, environment, streams and folder; nothing is printed."""
    script = tmp_path / "script.py"
    script.write_text(UNTOUCHED)
    folder = tmp_path / "folder"
    folder.mkdir()
    files = [small_sample.bam, small_sample.reference, small_sample.truth]
    done = subprocess.run(
        [sys.executable, str(script), *map(str, files), str(threads)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) > 10


def test_warnings_are_in_the_result(
    small_sample: SimulatedSample, caplog: pytest.LogCaptureFixture
) -> None:
    # A region beyond the contig is clipped.
    result = varcall.call(small_sample.bam, small_sample.reference, regions="sim:11001-99999")
    assert any("sim:11001-99999" in sentence for sentence in result.warnings)
    # The user's own handlers hear them as well.
    assert set(result.warnings) <= {record.getMessage() for record in caplog.records}
