import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.card import ModelCard
from models.errors import ModelError
from models.feature_model.triage import softmax
from models.quality_map import KNOTS, QualityMap
from models.weights.model_weights import load_weights, save_weights
from tests.models import small

BENT = QualityMap(KNOTS, (10.0, 12.0, 18.5, 32.0), (10.0, 19.0, 29.0, 32.0))


@st.composite
def maps(draw: st.DrawFn) -> QualityMap:
    inner = st.lists(st.floats(10, 32), min_size=2, max_size=2).map(sorted)
    lines = [(10.0, *draw(inner), 32.0) for _ in range(2)]
    return QualityMap(KNOTS, *lines)


answers = st.lists(
    st.lists(st.floats(-15, 15), min_size=3, max_size=3), min_size=1, max_size=20
).map(lambda scores: softmax(np.array(scores)))


def phred(probabilities: np.ndarray) -> np.ndarray:
    likeliest = probabilities.argmax(1)[:, None] == np.arange(3)
    return -10 * np.log10(np.where(likeliest, 0, probabilities.astype(float)).sum(1))


def of_quality(copies: int, quality: np.ndarray) -> np.ndarray:
    """Answers of some GQs, the error shared 3 to 1 between the other two options."""
    error = 10 ** (-np.asarray(quality, float) / 10)
    p = np.empty((len(error), 3))
    p[:, copies] = 1 - error
    p[:, (copies + 1) % 3], p[:, (copies + 2) % 3] = 0.75 * error, 0.25 * error
    return p.astype(np.float32)


@given(maps(), answers)
def test_mapped_answers_are_probabilities_of_the_same_genotype(
    quality_map: QualityMap, p: np.ndarray
) -> None:
    mapped = quality_map.apply(p)
    assert mapped.dtype == np.float32
    assert mapped.shape == p.shape
    assert (mapped >= 0).all()
    np.testing.assert_allclose(mapped.sum(1), 1, atol=1e-6)
    assert (mapped.argmax(1) == p.argmax(1)).all()
    outside = (phred(p) <= KNOTS[0]) | (phred(p) >= KNOTS[-1])
    assert np.array_equal(mapped[outside], p[outside])
    # One answer does not depend on the others.
    assert all(
        np.array_equal(quality_map.apply(row[None])[0], mapped[i]) for i, row in enumerate(p)
    )


@given(maps(), st.integers(0, 2))
def test_gq_rises_with_gq(quality_map: QualityMap, copies: int) -> None:
    stated = np.arange(4, 50, 0.25)
    found = phred(quality_map.apply(of_quality(copies, stated)))
    assert (np.diff(found) >= -1e-4).all()
    line = quality_map.variant if copies else quality_map.hom_ref
    inside = (stated > KNOTS[0]) & (stated < KNOTS[-1])
    expected = np.where(inside, np.interp(stated, KNOTS, line), stated)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_error_keeps_its_proportions() -> None:
    (hom_ref, variant) = (BENT.apply(of_quality(copies, np.array([24.0]))) for copies in (0, 1))
    np.testing.assert_allclose(hom_ref, of_quality(0, np.array([18.5])), rtol=1e-5)
    np.testing.assert_allclose(variant, of_quality(1, np.array([29.0])), rtol=1e-5)


def test_without_knots_moved_nothing_changes() -> None:
    p = of_quality(1, np.arange(2, 50, 0.1))
    np.testing.assert_allclose(QualityMap().apply(p), p, rtol=1e-5)
    assert QualityMap().apply(p[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    "broken",
    [
        {"stated": (5.0, 17.0, 24.0, 32.0), "hom_ref": (5.0, 17.0, 24.0, 32.0)},
        {"stated": (10.0, 24.0, 17.0, 32.0)},
        {"hom_ref": (10.0, 20.0, 19.0, 32.0)},
        {"hom_ref": (11.0, 17.0, 24.0, 32.0)},
        {"variant": (10.0, 17.0, 24.0, 31.0)},
        {"variant": (10.0, float("nan"), 24.0, 32.0)},
        {"variant": (10.0, 17.0, 32.0)},
        {"stated": (), "hom_ref": (), "variant": ()},
    ],
)
def test_broken_maps_are_refused(broken: dict) -> None:
    with pytest.raises(ModelError, match="quality map"):
        QualityMap(**broken)
    metadata = small.card().to_metadata()
    mapping = QualityMap().to_mapping() | broken
    with pytest.raises(ModelError, match="quality map"):
        ModelCard.from_metadata(metadata | {"quality_map": json.dumps(mapping)})


@pytest.mark.parametrize("broken", [None, 3, {}, {"stated": 1}, {"stated": ["x"]}])
def test_what_is_no_map_is_refused(broken: object) -> None:
    metadata = small.card().to_metadata() | {"quality_map": json.dumps(broken)}
    with pytest.raises(ModelError, match="quality map"):
        ModelCard.from_metadata(metadata)


def test_a_weights_file_keeps_the_map(tmp_path: Path) -> None:
    path = tmp_path / "mini.safetensors"
    save_weights(path, small.caller(), replace(small.card(), quality_map=BENT))
    assert load_weights(path)[1].quality_map == BENT


def test_weights_from_before_the_map_have_the_identity() -> None:
    metadata = small.card().to_metadata()
    del metadata["quality_map"]
    assert ModelCard.from_metadata(metadata).quality_map == QualityMap()
