"""`make model`: recipes and folds, and a trial run from nothing to weights."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from models.registry import SIZES, ModelSize
from models.training.train import WEIGHTS
from models.weights.weights_file import graph_paths
from varcall.errors import InputError, UsageError
from varcall.inputs.regions import read_bed
from varcall.make_model.recipe import CROSS_VALIDATED, FREE, UNTOUCHED, DataRecipe, read_recipe
from varcall.make_model.run import MakeOptions, main, make_model, train_options
from varcall.make_model.tasks import Maker, Place, Plan, pieces_of
from varcall.training.examples import make_examples
from varcall.training.spans import load_span

RECIPES = Path(__file__).resolve().parents[3] / "models" / "training" / "recipes"
SLICE = """
[[data.slices]]
name = "{name}"
regions = ["{region}"]
assembly = "{assembly}"
rule = "{rule}"
fold = {fold}
"""
START = "[data]\ngroups = []\ngenomes = []\n"


@pytest.fixture(scope="module")
def shipped() -> DataRecipe:
    return read_recipe(RECIPES / "tiny.toml")


def written(folder: Path, *slices: dict[str, object], more: str = "") -> Path:
    plain = {"name": "a", "region": "20:1001-2000", "assembly": "b37", "rule": "free", "fold": 1}
    path = folder / "recipe.toml"
    path.write_text(START + "".join(SLICE.format(**plain | s) for s in slices) + more)
    return path


def test_slices_close_to_each_other_share_a_fold(tmp_path: Path) -> None:
    first: dict[str, object] = {}
    for other, is_refused in (
        ({"region": "20:6000-7000"}, True),
        ({"region": "20:7001-8000"}, False),
        ({"region": "chr20:6000-7000", "assembly": "hg19"}, True),
        ({"region": "chr20:6000-7000", "assembly": "GRCh38"}, False),
        ({"region": "20:6000-7000", "fold": 1}, False),
    ):
        path = written(tmp_path, first, {"name": "b", "fold": 2} | other)
        if is_refused:
            with pytest.raises(InputError, match="same fold"):
                read_recipe(path)
        else:
            read_recipe(path)


@pytest.mark.parametrize(
    ("changes", "more", "match"),
    [
        ({}, "depth = [3]\n", "unknown entries: depth"),
        ({"rule": "mine"}, "", "none of"),
        ({"rule": "untouched"}, "depths = [0]\n", "untouched: nothing is made of it"),
        ({}, "has_labels = true\n", "no truth"),
        ({}, "[[data.slices]]\nname = 'b'\n", "lacks regions"),
        ({}, SLICE.format(name="a", region="X:1-2", assembly="b37", rule="free", fold=1), "twice"),
    ],
)
def test_what_a_recipe_may_not_say(
    tmp_path: Path, changes: dict[str, object], more: str, match: str
) -> None:
    with pytest.raises(InputError, match=match) as caught:
        read_recipe(written(tmp_path, changes, more=more))
    assert "\n" not in str(caught.value)


def test_the_model_of_a_fold_sees_no_slice_of_it(shipped: DataRecipe) -> None:
    assert len(shipped.folds()) >= 2
    used = {s.name for s in shipped.slices if s.is_used}
    assert {s.name for s in shipped.seen_slices(None)} == used
    for fold in shipped.folds():
        seen = shipped.seen_slices(fold)
        assert used - {s.name for s in seen} == {s.name for s in shipped.slices
                                                 if s.is_used and s.fold == fold}  # fmt: skip
        place = Place(Path("data"), RECIPES, Path("nowhere"))
        options = MakeOptions(recipe=Path("r"), data=Path("d"), output=Path("o"), fold=fold)
        folders = train_options(shipped, place, options, Path("m")).data
        assert not {f.name for f in folders} & {s.name for s in shipped.slices if s.fold == fold}


def test_untouched_slices_are_untouched(shipped: DataRecipe) -> None:
    """HG002 at 30x, its Revio and its R10 reads are in the recipe, and nothing is made of them."""
    made = [p.slice for p in pieces_of(shipped) if p.slice is not None]
    used_files = {name for s in made for name in (s.reads, s.mix)}
    assert {s.name for s in shipped.slices if s.rule == UNTOUCHED} >= {"hg002_30x", "hg002_revio"}
    for forbidden in ("HG002_30x", "HG002_Revio", "HG002_ONT"):
        assert not [name for name in used_files if forbidden in name]
    # Labels are taken of cross-validated slices only.
    assert all(s.rule == CROSS_VALIDATED for s in made if s.has_labels or s.truth)
    assert [s for s in made if s.rule == FREE]


def test_nothing_is_simulated_within_reach_of_a_slice(shipped: DataRecipe) -> None:
    for genome in shipped.genomes:
        excluded = [
            (r.start, r.end) for r in read_bed(RECIPES / genome.exclude, {"20": 63_025_520})
        ]
        places = [p for s in shipped.slices for p in s.places() if p[:2] == ("b37", "20")]
        assert len(places) >= 8
        for _, _, start, end in places:
            low, high = start - shipped.margin, end + shipped.margin
            assert any(a <= low and high <= b for a, b in excluded), (start, end)


@pytest.mark.shared_data
def test_every_file_of_the_recipe_is_there(shipped: DataRecipe, shared_data: Path) -> None:
    named = [*shipped.spectra]
    for genome in shipped.genomes:
        named += [genome.reference, *genome.truths]
    for one in shipped.slices:
        named += [one.reads, one.reference, one.truth, one.confident, one.mix]
    assert not [name for name in named if name and not (shared_data / name).is_file()]


@pytest.mark.tools("bwa")
@pytest.mark.shared_data
def test_a_real_slice_becomes_examples(
    shipped: DataRecipe, shared_data: Path, tmp_path: Path
) -> None:
    place = Place(shared_data, RECIPES, tmp_path)
    maker = Maker(Plan(shipped, place))
    labels = {}
    for piece in pieces_of(shipped):
        if str(piece) in ("hg001_novaseq_21.0", "hg001_novaseq_21.4"):
            maker.call(piece)
            paths = sorted(place.examples(piece.name).glob(f"{piece}.*.safetensors"))
            found = [make_examples(load_span(path), 1.0, 0).labels for path in paths]
            labels[piece.number] = sum(int((part > 0).sum()) for part in found)
    assert labels[4] > labels[0] + 20


def test_options_that_simulation_lacks_are_named(tmp_path: Path) -> None:
    recipe = read_recipe(RECIPES / "smoke.toml")
    group = replace(recipe.groups[0], options={"machine": "new"})
    with pytest.raises(InputError, match="lacks: machine"):
        Maker(Plan(recipe, Place(tmp_path, RECIPES, tmp_path))).simulate_options(group, 0, tmp_path)


def test_missing_data_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--recipe", str(RECIPES / "tiny.toml"), "--data", str(tmp_path / "absent"),
              "--out", str(tmp_path / "out")])  # fmt: skip
    assert caught.value.code == 1
    message = capfd.readouterr().err
    assert "DATA=FOLDER" in message
    assert message.count("\n") == 1
    with pytest.raises(UsageError, match="no fold 9"):
        make_model(
            MakeOptions(recipe=RECIPES / "tiny.toml", data=tmp_path, output=tmp_path, fold=9)
        )


def test_a_trial_run_makes_a_model_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mini = ModelSize((8, 8, 16, 16), (0, 1, 1, 1), 32, 2, 2, 32, 12, 4)
    monkeypatch.setitem(SIZES, "tiny", mini)
    options = MakeOptions(
        recipe=RECIPES / "smoke.toml", data=tmp_path / "none", output=tmp_path / "out", workers=1
    )
    model = make_model(options)
    weights = model / WEIGHTS
    assert all(path.exists() for path in (weights, *graph_paths(weights)))
    made = {p: p.read_bytes() for p in (tmp_path / "out" / "examples").rglob("*.safetensors")}
    assert {p.parent.name for p in made} == {"short", "held_out", "spiked"}
    assert not list((tmp_path / "out" / "samples").iterdir())
    # One piece is gone, and comes back as it was; the model stays.
    before = weights.stat().st_mtime_ns
    gone = tmp_path / "out" / "examples" / "spiked"
    shutil.rmtree(gone)
    assert make_model(replace(options, fold=None)) == model
    again = {p: p.read_bytes() for p in (tmp_path / "out" / "examples").rglob("*.safetensors")}
    assert again == made
    assert weights.stat().st_mtime_ns == before
