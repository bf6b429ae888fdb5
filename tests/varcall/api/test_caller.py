"""`varcall.Caller` gives the records of `call`, the pictures of `show`, the answers of `ask`."""

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysam
import pytest

import varcall
from pileup.spec import HEADER_ROWS, PANELS, READ_ROWS
from tests.builders import ReadsBuilder, random_sequence, write_reference
from varcall.api import caller as module
from varcall.api.caller import KEPT_SAMPLES
from varcall.evidence.features import FEATURES
from varcall.options import CallOptions
from varcall.show.ask import AskOptions, run_ask
from varcall.simulate import SimulatedSample


@pytest.fixture(scope="module")
def caller(small_sample: SimulatedSample) -> Iterator[varcall.Caller]:
    with varcall.Caller(small_sample.reference) as opened:
        yield opened


@pytest.fixture(scope="module")
def het(caller: varcall.Caller, small_sample: SimulatedSample) -> varcall.Variant:
    calls = caller.call(small_sample.bam, "sim")
    return next(v for v in calls if v.is_het and v.is_snv and len(v.alts) == 1)


@pytest.mark.parametrize("regions", ["sim:1-2000", "sim:3001-9000", ["sim:1-900", "sim:901-5000"]])
def test_records_are_those_of_a_call(
    regions: str | list[str], caller: varcall.Caller, small_sample: SimulatedSample
) -> None:
    calls = caller.call(small_sample.bam, regions)
    expected = varcall.call(small_sample.bam, small_sample.reference, regions=regions)
    assert list(calls) == list(expected)
    assert len(calls) == len(expected) > 0
    assert (calls.to_numpy() == expected.to_numpy()).all()
    assert calls[0] == next(iter(expected))
    assert calls[-1] in calls
    assert [len(region) for region in calls.regions] == [
        {"sim:1-2000": 2000, "sim:3001-9000": 6000}.get(str(regions), 5000)
    ]


def test_the_model_is_loaded_once_and_files_are_opened_once(
    small_sample: SimulatedSample, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []

    def counting(name: str) -> None:
        original = getattr(module, name)

        def count(*arguments: object, **keywords: object) -> object:
            counted.append(name)
            return original(*arguments, **keywords)

        monkeypatch.setattr(module, name, count)

    for name in ("load_model", "open_sample", "measure_profile"):
        counting(name)
    monkeypatch.setattr("varcall.workers.plan.load_engine", refuse_twice())
    with varcall.Caller(small_sample.reference) as caller:
        for start in (1, 3001, 6001):
            caller.call(small_sample.bam, f"sim:{start}-{start + 999}")
    assert counted == ["load_model", "open_sample", "measure_profile"]


def refuse_twice() -> object:
    from varcall.workers.plan import load_engine

    loaded: list[object] = []

    def load(*arguments: object, **keywords: object) -> object:
        assert not loaded, "the network was loaded twice"
        loaded.append(load_engine(*arguments, **keywords))  # type: ignore[arg-type]
        return loaded[0]

    return load


def test_pictures_are_what_the_model_is_shown(
    caller: varcall.Caller, small_sample: SimulatedSample, het: varcall.Variant
) -> None:
    place = f"{het.contig}:{het.pos}"
    pileup = caller.pileup(small_sample.bam, place)
    assert (pileup.start, pileup.ref, pileup.alts) == (het.start, het.ref, het.alts)
    assert (pileup.image.shape, pileup.image.dtype) == ((224, 224, 3), np.uint8)
    assert sum(pileup.copies) == pytest.approx(1, abs=1e-5)
    assert int(np.argmax(pileup.copies)) == 1
    assert set(pileup.features) == set(FEATURES)
    assert "How many copies" in pileup.prompt
    # The panels, with the header, are all of the picture.
    rows = [pileup.header.rows, *(panel.rows for panel in pileup.panels)]
    assert [r.start for r in rows] == [0, *(r.stop for r in rows[:-1])]
    assert (rows[0].stop, rows[-1].stop) == (HEADER_ROWS, 224)
    assert [panel.channels for panel in pileup.panels] == list(PANELS)
    bases = pileup.channel("base")
    assert bases.shape[1] == 224
    assert 10 < len(bases) <= READ_ROWS
    # A row is the same read in every panel.
    strands = pileup.channel("strand")
    assert ((bases > 0).any(axis=1) == (strands > 0).any(axis=1)).all()
    with pytest.raises(KeyError, match="base quality"):
        pileup.channel("colour")


def test_pictures_are_those_of_show(
    small_sample: SimulatedSample, caller: varcall.Caller, het: varcall.Variant, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    from varcall.show.pictures import ShowOptions, run_show

    place = f"{het.contig}:{het.pos}"
    options = CallOptions(reads=small_sample.bam, reference=small_sample.reference)
    (shown,) = run_show(ShowOptions(options, place, tmp_path / "shown.png"))
    (pileup,) = caller.pileups(small_sample.bam, place)
    assert pileup.to_png() == pileup._repr_png_() == shown.read_bytes()
    assert shown.read_bytes().startswith(b"\x89PNG")


def test_a_picture_is_drawn_into_axes(
    small_sample: SimulatedSample, caller: varcall.Caller, het: varcall.Variant
) -> None:
    figure_module = pytest.importorskip("matplotlib.figure")
    axes = figure_module.Figure().subplots()
    pileup = caller.pileup(small_sample.bam, f"{het.contig}:{het.pos}")
    assert pileup.plot(axes) is axes
    (drawn,) = axes.get_images()
    assert (drawn.get_array() == pileup.image).all()
    assert axes.get_title() == str(pileup)


def test_of_several_alts_the_likeliest_is_shown(
    caller: varcall.Caller, small_sample: SimulatedSample
) -> None:
    both = next(v for v in caller.call(small_sample.bam, "sim") if set(v.genotype) == {1, 2})
    place = f"{both.contig}:{both.pos}"
    found = caller.pileups(small_sample.bam, place)
    assert len(found) == 3  # each ALT, and both together
    best = caller.pileup(small_sample.bam, place)
    assert 1 - best.copies[0] == max(1 - item.copies[0] for item in found)
    answers = caller.answers(small_sample.bam, place, task="copies")
    assert len(answers) == 2


@pytest.mark.parametrize("task", ["copies", "cause", "share", "haplotype"])
def test_answers_are_those_of_ask(
    task: str, caller: varcall.Caller, small_sample: SimulatedSample, het: varcall.Variant
) -> None:
    place = f"{het.contig}:{het.pos}"
    options = CallOptions(reads=small_sample.bam, reference=small_sample.reference)
    (expected,) = run_ask(AskOptions(options, place, task=task))
    answer = caller.ask(small_sample.bam, place, task=task)
    assert answer == expected
    assert answer.answer in answer.options
    assert sum(answer.probabilities) == pytest.approx(1, abs=1e-4)
    assert caller.ask(small_sample.bam, place, answer.question) == answer


def test_a_question_about_two_variants(
    caller: varcall.Caller, small_sample: SimulatedSample
) -> None:
    calls = [v for v in caller.call(small_sample.bam, "sim") if v.is_het and len(v.alts) == 1]
    first, second = next(pair for pair in pairwise(calls) if 30 < pair[1].pos - pair[0].pos < 100)
    places = [f"sim:{v.pos}" for v in (first, second)]
    answer = caller.ask(small_sample.bam, places[0], task="same_haplotype", other=places[1])
    assert {option.lower() for option in answer.options} >= {"yes", "no"}
    with pytest.raises(varcall.InputError, match="one picture"):
        caller.ask(small_sample.bam, places[0], task="same_haplotype", other="sim:11999")


def test_what_goes_wrong_has_a_type(
    caller: varcall.Caller, small_sample: SimulatedSample, het: varcall.Variant, tmp_path: Path
) -> None:
    place = f"{het.contig}:{het.pos}"
    with pytest.raises(varcall.InputError, match=r"no\.bam"):
        caller.call(tmp_path / "no.bam", "sim")
    with pytest.raises(varcall.InputError, match="unknown"):
        caller.call(small_sample.bam, "unknown:1-5")
    with pytest.raises(varcall.UsageError, match="copies"):
        caller.ask(small_sample.bam, place, "What is this?")
    with pytest.raises(varcall.UsageError, match="range"):
        caller.pileup(small_sample.bam, "sim:1-500")
    with pytest.raises(varcall.InputError, match="no candidate"):
        caller.pileup(small_sample.bam, place, alt="ACGTACGT")
    with pytest.raises(varcall.ModelError, match="weights"):
        varcall.Caller(small_sample.reference, model="no-such-model")
    with pytest.raises(varcall.UsageError, match="--ploidy"):
        varcall.Caller(small_sample.reference, ploidy=3)


def test_contigs_are_checked_when_they_are_asked_for(tmp_path: Path) -> None:
    """As with `call -r`: a contig that does not fit is no trouble until it is called."""
    sequences = {"a": random_sequence(3000, 1), "b": random_sequence(3000, 2)}
    reads = ReadsBuilder(write_reference(tmp_path / "both.fa", sequences))
    for contig in sequences:
        for start in range(0, 2800, 20):
            reads.add(contig=contig, start=start, cigar="100M")
    bam = reads.write_bam(tmp_path / "reads.bam")
    other = write_reference(tmp_path / "other.fa", sequences | {"b": random_sequence(3000, 3)})
    with varcall.Caller(other) as caller:
        caller.call(bam, "a:1-1000")
        with pytest.raises(varcall.InputError, match="b"):
            caller.call(bam, "b:1-1000")
        caller.call(bam, "a:1001-2000")


def test_reads_that_were_replaced_are_read_again(
    small_sample: SimulatedSample, tmp_path: Path
) -> None:
    bam = tmp_path / "reads.bam"
    for suffix in ("", ".bai"):
        shutil.copy(f"{small_sample.bam}{suffix}", f"{bam}{suffix}")
    with varcall.Caller(small_sample.reference) as caller:
        assert len(caller.call(bam, "sim")) > 10
        few = tmp_path / "few.bam"
        pysam.view("-b", "-o", str(few), str(bam), "sim:1-3000", catch_stdout=False)
        pysam.index(str(few))
        os.replace(few, bam)
        os.replace(f"{few}.bai", f"{bam}.bai")
        assert all(v.start < 4000 for v in caller.call(bam, "sim"))


def test_files_of_many_samples_do_not_stay_open(
    small_sample: SimulatedSample, tmp_path: Path
) -> None:
    def opened() -> int:
        links = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
        return sum(str(tmp_path) in link for link in links)

    if not Path("/proc/self/fd").exists():
        pytest.skip("looks at open files in /proc")
    with varcall.Caller(small_sample.reference) as caller:
        for number in range(KEPT_SAMPLES + 3):
            bam = tmp_path / f"{number}.bam"
            for suffix in ("", ".bai"):
                shutil.copy(f"{small_sample.bam}{suffix}", f"{bam}{suffix}")
            caller.call(bam, "sim:1-500")
            if number == 0:
                each = opened()
        assert 0 < opened() <= KEPT_SAMPLES * each
        caller.close()
        assert opened() == 0
        # It can be used again.
        assert len(caller.call(bam, "sim:1-3000")) > 0
    assert opened() == 0


def test_warnings_of_the_reads_are_kept(small_sample: SimulatedSample) -> None:
    with varcall.Caller(small_sample.reference) as caller:
        caller.call(small_sample.bam, "sim:11001-99999")
        assert any("99999" in sentence for sentence in caller.warnings)


def test_nothing_is_written(
    small_sample: SimulatedSample, het: varcall.Variant, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    beside = sorted(small_sample.bam.parent.iterdir())
    with varcall.Caller(small_sample.reference) as caller:
        caller.call(small_sample.bam, "sim:1-3000")
        caller.pileup(small_sample.bam, f"sim:{het.pos}")
        caller.ask(small_sample.bam, f"sim:{het.pos}", task="cause")
    assert list(tmp_path.iterdir()) == []
    assert sorted(small_sample.bam.parent.iterdir()) == beside
    assert capfd.readouterr() == ("", "")
