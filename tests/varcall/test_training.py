from pathlib import Path

import pytest

from varcall.errors import InputError, ModelError, UsageError
from varcall.training import TrainOptions, run_train


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"workers": 0}, "1 or more"),
        ({"workers": 2, "threads": 2}, "single-threaded"),
        ({"workers": 2, "device": "cuda"}, "single-threaded"),
        ({"held_out": (Path("a/dev"), Path("b/dev"))}, "names"),
    ],
)
def test_contradictions_are_usage_errors(change: dict[str, object], message: str) -> None:
    plain = {"recipe": Path("r.toml"), "data": Path("d"), "output": Path("o")}
    with pytest.raises(UsageError, match=message):
        TrainOptions(**plain | change)  # type: ignore[arg-type]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    options = TrainOptions(recipe=recipe, data=tmp_path, output=tmp_path / "out")
    with pytest.raises(ModelError, match=r"recipe\.toml"):
        run_train(options)
    recipe.write_text("[train]\nsteps = 1\n")
    with pytest.raises(InputError, match="varcall examples"):
        run_train(options)
    assert not (tmp_path / "out").exists()
