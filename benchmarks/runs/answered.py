"""Examples of known truth, answered as `varcall call` answers them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pileup.codes import INDEL
from varcall.genotyping.answers import CallingModel
from varcall.reads.library_profile import LibraryProfile
from varcall.training.examples import make_examples
from varcall.training.spans import Span, load_span

ProfileChange = Callable[[LibraryProfile], LibraryProfile]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers to n questions.

    Attributes
    ----------
    probabilities
        float64 [n, 3]: of 0, 1 and 2 copies.
    labels
        int64 [n]: copies there are.
    is_indel, misled
        bool [n]; `misled` as in `varcall.training.examples.Examples`.
    """

    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    is_indel: NDArray[np.bool_]
    misled: NDArray[np.bool_]

    @property
    def answer(self) -> NDArray[np.int64]:
        """The likeliest number of copies, int64 [n]."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def error(self) -> NDArray[np.float64]:
        """Stated probability that the answer is wrong, float64 [n]."""
        return np.asarray(1 - self.probabilities.max(axis=1))

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Whether the answer is wrong, bool [n]."""
        return np.asarray(self.answer != self.labels)


def as_measured(profile: LibraryProfile) -> LibraryProfile:
    """Return the profile as it is."""
    return profile


def answer_span(
    span: Span, model: CallingModel, share: float = 1.0, change: ProfileChange = as_measured
) -> Answered:
    """Answer the examples of a span.

    Parameters
    ----------
    share
        Of the span's depth that is seen.
    change
        What profile the model is given, from the one that was measured.
    """
    examples = make_examples(replace(span, profile=change(span.profile)), share, 0)
    questions = examples.questions
    given = model.answer(questions)
    kinds = questions.evidence.sites.kind[questions.site]
    probabilities = given.probabilities.astype(np.float64)
    return Answered(probabilities, examples.labels, kinds == INDEL, examples.misled)


def answer_folder(folder: Path, model: CallingModel, shares: Sequence[float]) -> Answered:
    """Answer the examples of a folder of `varcall examples`.

    Each file is seen at one of some shares of its depth, in turn, so that no site is asked about
    twice: answers to the same site at two depths are often wrong together.
    """
    spans = map(load_span, sorted(folder.glob("*.safetensors")))
    return joined(
        [answer_span(span, model, share) for span, share in zip(spans, cycle(shares), strict=False)]
    )


def joined(parts: Iterable[Answered]) -> Answered:
    """Put answers together."""
    each = ((p.probabilities, p.labels, p.is_indel, p.misled) for p in parts)
    columns = zip(*each, strict=True)
    return Answered(*map(np.concatenate, columns))
