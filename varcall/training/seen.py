"""What a training sees: the libraries of its examples, for the card of its model."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from varcall.reads.library_profile import LibraryProfile
from varcall.reads.seen_libraries import summarise
from varcall.training.examples import Sampling
from varcall.training.spans import read_profile

# Depths that stand for those that are drawn of one sample.
_DRAWN = 20


def seen_in(files: Iterable[Path], sampling: Sampling) -> dict[str, Any]:
    """Return what the card says of the libraries of example files.

    Those of a folder with the same profile are of one sample.

    Raises
    ------
    InputError
        One of them is no file of examples.
    """
    samples: dict[str, dict[str, LibraryProfile]] = {}
    for path in dict.fromkeys(files):
        profile = read_profile(path)
        samples.setdefault(path.parent.name, {})[profile.to_json()] = profile
    by_folder = {folder: list(profiles.values()) for folder, profiles in samples.items()}
    return summarise(by_folder, lambda depth: depths_drawn(depth, sampling)).to_mapping()


def depths_drawn(depth: float, sampling: Sampling) -> list[float]:
    """Return depths spread as `varcall.training.examples.draw_examples` draws them of a sample."""
    whole = round(_DRAWN * sampling.full_depth_share)
    thinned = _DRAWN - whole
    if depth <= sampling.min_depth:
        return [depth] * _DRAWN
    drawn = np.geomspace(sampling.min_depth, depth, thinned).tolist()
    return [depth] * whole + [float(one) for one in drawn]
