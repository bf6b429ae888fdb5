from pathlib import Path

import pytest

from models.errors import ModelError
from varcall.errors import InputError, UsageError
from varcall.training import TrainOptions, run_train


@pytest.mark.parametrize("name", ["workers", "threads"])
def test_no_worker_is_a_usage_error(name: str) -> None:
    plain = {"recipe": Path("r.toml"), "data": Path("d"), "output": Path("o")}
    with pytest.raises(UsageError, match=name):
        TrainOptions(**plain | {name: 0})  # type: ignore[arg-type]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    options = TrainOptions(recipe=recipe, data=(tmp_path,), output=tmp_path / "out")
    with pytest.raises(ModelError, match=r"recipe\.toml"):
        run_train(options)
    recipe.write_text("[train]\nsteps = 1\n")
    with pytest.raises(InputError, match="varcall examples"):
        run_train(options)
    assert not (tmp_path / "out").exists()
