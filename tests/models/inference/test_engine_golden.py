"""Engines on the bundled weights: the same genotypes, PL within 1 (X2 of the table of faults)."""

import numpy as np
import pytest

from models.inference.engine import load_engine
from models.prompt import PromptContext, write_tokens
from models.tasks import COPIES
from tests.models import small
from tests.models.back_ends import EXPORTED
from varcall.evidence.features import N_FEATURES
from varcall.genotyping.genotype import SiteEvidence, call_genotypes, site_record
from varcall.output.record import VariantRecord

N = 60

Questions = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, str]


@pytest.fixture(scope="module")
def golden() -> Questions:
    """Seeded questions: pictures of every depth, long and short alleles, wide features."""
    rng = np.random.default_rng(17)
    images = rng.choice(np.array([0, 30, 60, 120, 200, 250], np.uint8), (N, 224, 224, 3))
    for image in images:
        small.blank_from(image, int(rng.integers(1, 73)))
    bases = np.array(list("ACGT"))
    spell = lambda: "".join(rng.choice(bases, int(rng.choice([1, 1, 1, 2, 5, 11, 40]))))  # noqa: E731
    refs = [spell() for _ in range(N)]
    alts = [(spell(),) if i % 5 else (spell(), spell()) for i in range(N)]
    tokens = write_tokens(PromptContext(), refs, alts)
    features = rng.normal(0, 2, (N, N_FEATURES)).astype(np.float32)
    return images, tokens, features, small.likelihoods(rng, N), COPIES.name


@pytest.fixture(scope="module")
def reference(golden: Questions) -> np.ndarray:
    return load_engine("tiny", device="cpu", precision="fp32", engine="torch").predict(*golden)


def _record(answer: np.ndarray) -> VariantRecord:
    evidence = SiteEvidence("1", 10, "A", ("C",), dp=30, ad=(15, 15), adf=(8, 8), adr=(7, 7))
    return site_record(evidence, call_genotypes(answer[None, None], 1)[0])


def test_the_golden_set_shows_every_genotype(reference: np.ndarray) -> None:
    assert {_record(answer).gt for answer in reference} >= {(0, 1), (1, 1)}
    assert set(reference.argmax(1)) == {0, 1, 2}


@pytest.mark.parametrize("engine", EXPORTED)
def test_x2_engines_agree(golden: Questions, reference: np.ndarray, engine: str) -> None:
    answers = load_engine("tiny", device="cpu", precision="fp32", engine=engine).predict(*golden)
    for answer, expected in zip(answers, reference, strict=True):
        ours, theirs = _record(answer), _record(expected)
        assert ours.gt == theirs.gt
        np.testing.assert_allclose(ours.pl, theirs.pl, atol=1)
        assert abs(ours.gq - theirs.gq) <= 1
