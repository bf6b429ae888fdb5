"""What a training sees: the libraries of its examples, for the card of its model."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from varcall.reads.library_profile import LibraryProfile
from varcall.reads.seen_libraries import summarise
from varcall.training.examples import Sampling
from varcall.training.spans import read_header

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
    n_snvs = n_bases = 0
    for path in dict.fromkeys(files):
        header = read_header(path)
        samples.setdefault(path.parent.name, {})[header.profile.to_json()] = header.profile
        n_snvs, n_bases = n_snvs + header.snvs(), n_bases + header.bases()
    by_folder = {folder: list(profiles.values()) for folder, profiles in samples.items()}
    density = float(f"{n_snvs / n_bases:.4g}") if n_snvs else None
    return summarise(by_folder, lambda own: depths_drawn(own, sampling), density).to_mapping()


def depths_drawn(depth: float, sampling: Sampling) -> list[float]:
    """Return depths spread as `varcall.training.examples.draw_examples` draws them of a sample."""
    whole = round(_DRAWN * sampling.full_depth_share)
    thinned = _DRAWN - whole
    if depth <= sampling.min_depth:
        return [depth] * _DRAWN
    drawn = np.geomspace(sampling.min_depth, depth, thinned).tolist()
    return [depth] * whole + [float(one) for one in drawn]
