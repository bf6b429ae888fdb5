import json
from dataclasses import replace

import pytest

from models import config
from models.config import ModelConfig
from models.errors import ModelError
from models.registry import SIZES, model_config
from pileup import spec
from tests.models import small


@pytest.mark.parametrize("size", sorted(SIZES))
def test_json_round_trip(size: str) -> None:
    sizes = model_config(size, 64)
    assert ModelConfig.from_json(sizes.to_json()) == sizes
    assert sizes.image_tokens == 23


def test_the_picture_is_that_which_is_drawn() -> None:
    assert config.IMAGE_SHAPE == (spec.HEIGHT, spec.WIDTH, spec.CHANNELS)
    assert (config.HEADER_ROWS, config.PANEL_ROWS) == (spec.HEADER_ROWS, spec.READ_ROWS)
    assert len(spec.PANELS) == config.N_PANELS


@pytest.mark.parametrize(
    "change",
    [
        {"width": 63},
        {"width": 10**9},
        {"width": 64.0},
        {"depth": 0},
        {"depth": True},
        {"image_blocks": (1, 1)},
        {"image_blocks": (1, 0, 1, 1)},
        {"options": (1, 2, 99_999)},
        {"options": 3},
        {"prefix_length": 100},
        {"name": ""},
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=next(iter(change))):
        replace(small.CONFIG, **change)


def test_unknown_missing_and_broken_json_are_refused() -> None:
    values = json.loads(small.CONFIG.to_json())
    with pytest.raises(ModelError, match="colour"):
        ModelConfig.from_mapping(values | {"colour": 1})
    del values["width"]
    with pytest.raises(ModelError, match="width"):
        ModelConfig.from_mapping(values)
    for text in ("{", "[]"):
        with pytest.raises(ModelError, match="JSON"):
            ModelConfig.from_json(text)


def test_unknown_size_names_the_sizes() -> None:
    with pytest.raises(ModelError, match="tiny"):
        model_config("huge", 64)
