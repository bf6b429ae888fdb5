"""Training examples: the labelled questions of spans, and batches drawn from them."""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.feature_model.triage import Triage
from models.tasks import COPIES, TASK_NAMES
from models.training.batch import Batch
from varcall.evidence.haplotypes import reach_of
from varcall.evidence.window import DEFAULT_EVIDENCE, EvidenceOptions, gather
from varcall.genotyping.questions import Questions, questions_about
from varcall.training.labels import label_questions
from varcall.training.spans import Span, load_span

# Shares of its depth at which a held-out span is seen, where honesty is fitted or measured.
CALIBRATION_SHARES = (1.0, 0.6, 0.35)


@dataclass(frozen=True, slots=True)
class Examples:
    """The labelled questions of a span: `labels` (int64 [q]) are the copies there are."""

    questions: Questions
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def make_examples(
    span: Span,
    kept_share: float,
    seed: int,
    options: EvidenceOptions = DEFAULT_EVIDENCE,
) -> Examples:
    """Label the candidates of a span, seen at a share of its depth.

    Parameters
    ----------
    kept_share
        Share of the fragments to keep, 0 to 1; which ones follows from `seed` alone.
    """
    profile, window = span.profile, span.window
    if kept_share < 1:
        rng = np.random.default_rng(seed)
        reads = window.reads
        fragment = reads.arrays.fragment
        n_fragments = int(fragment.max(initial=-1)) + 1
        kept = (rng.random(n_fragments) < kept_share)[fragment]
        window = replace(window, reads=reads.subset(kept))
        profile = replace(profile, depth=profile.depth * kept_share)
    reach = reach_of(profile.read_length)
    evidence = gather(window, replace(options, phase_reach=reach))
    labels = label_questions(evidence.sites, evidence.questions, span.truth, window.reference)
    starts = evidence.sites.start[evidence.questions.site]
    inside = np.zeros(len(starts), bool)
    for low, high in span.confident:
        inside |= (starts >= low) & (starts < high)
    chosen = np.flatnonzero(labels.certain & inside)
    return Examples(questions_about(evidence.about(chosen), profile), labels.copies[chosen])


@dataclass(frozen=True, slots=True)
class Sampling:
    """How training examples are drawn from spans.

    Attributes
    ----------
    min_depth
        A span's depth is lowered to one drawn between this and its own, evenly by ratio.
    full_depth_share
        Share of the draws that keep a span's own depth.
    variant_share
        Share of the questions with one or two copies that are kept: simulated genomes hold more
        variants, and so fewer false candidates, than real ones.
    pair_share
        Share of the two-allele questions that are kept: sites with four ALTs ask six of them.
    easy_share
        Share of the questions kept that the feature model is sure of: the pictures are for the
        others. It depends on what is measured, not on the truth, so it biases no answer.
    buffer_size
        Examples from which a batch is drawn at random.
    """

    min_depth: float = 8.0
    full_depth_share: float = 0.25
    variant_share: float = 0.5
    pair_share: float = 0.4
    easy_share: float = 1.0
    buffer_size: int = 4096


def half_of(path: Path) -> int:
    """Return 0 or 1 for a file of examples, by its name."""
    return zlib.crc32(os.fsencode(path.name)) & 1


def draw_examples(
    path: Path,
    rng: np.random.Generator,
    sampling: Sampling,
    options: EvidenceOptions = DEFAULT_EVIDENCE,
) -> tuple[Examples, NDArray[np.int64]]:
    """Make the examples of a span at a depth drawn for it; return them and which to keep."""
    span = load_span(path)
    depth = max(span.profile.depth, sampling.min_depth)
    wanted = float(np.exp(rng.uniform(np.log(sampling.min_depth), np.log(depth))))
    share = 1.0 if rng.random() < sampling.full_depth_share else wanted / depth
    examples = make_examples(span, share, int(rng.integers(1 << 62)), options)
    masks = examples.questions.evidence.questions.alleles
    is_pair = (masks & (masks - 1)) != 0
    kept = rng.random(len(examples)) < np.where(is_pair, sampling.pair_share, 1.0)
    kept &= (examples.labels == 0) | (rng.random(len(examples)) < sampling.variant_share)
    return examples, np.flatnonzero(kept)


@dataclass(frozen=True, slots=True)
class ExampleStream:
    """An endless (training) or single (evaluation) pass of batches over spans on disk.

    Attributes
    ----------
    paths
        Files of `save_span`.
    batch_size
        Examples a batch.
    sampling
        How training draws; None gives one ordered pass over the spans.
    triage
        Two feature models, which tell easy questions: `half_of` a span names the one that never
        saw it. None where every question counts as hard.
    shares
        Shares of its depth at which an ordered pass sees each span, one after another.
    """

    paths: tuple[Path, ...]
    batch_size: int
    sampling: Sampling | None
    triage: tuple[Triage, Triage] | None = None
    shares: tuple[float, ...] = (1.0,)
    evidence: EvidenceOptions = field(default_factory=EvidenceOptions)

    def __call__(self, rank: int, world_size: int, seed: int, skip: int) -> Iterator[Batch]:
        """Yield batches; worker `rank` of `world_size` sees its own order.

        `skip` batches already used before an interruption change the random stream instead of
        being made and thrown away.
        """
        if self.sampling is not None:
            yield from self._shuffled(np.random.default_rng([seed, rank, skip]), self.sampling)
        else:
            for path, share in product(self.paths[rank::world_size], self.shares):
                yield from self._ordered(path, share)

    def _ordered(self, path: Path, share: float) -> Iterator[Batch]:
        examples = make_examples(load_span(path), share, 0, self.evidence)
        questions = examples.questions
        for first in range(0, len(examples), self.batch_size):
            chosen = np.arange(first, min(first + self.batch_size, len(examples)))
            yield Batch(
                images=questions.images(chosen),
                tokens=questions.tokens(chosen),
                features=questions.features[chosen],
                likelihoods=questions.likelihoods[chosen],
                task=np.full(len(chosen), TASK_NAMES.index(COPIES.name)),
                labels=examples.labels[chosen],
                weights=np.ones(len(chosen), np.float32),
            )

    def _shuffled(self, rng: np.random.Generator, sampling: Sampling) -> Iterator[Batch]:
        pool: list[tuple[Examples, int]] = []
        order: list[int] = []
        while True:
            while len(pool) < max(sampling.buffer_size, self.batch_size):
                if not order:
                    order = list(rng.permutation(len(self.paths)))
                path = self.paths[order.pop()]
                examples, kept = draw_examples(path, rng, sampling, self.evidence)
                kept = kept[self._is_wanted(path, examples.questions.about(kept), rng, sampling)]
                pool += [(examples, int(index)) for index in kept]
            # Swap-and-pop keeps the draw O(1); the pool holds reads, so it stays small.
            batch = []
            for _ in range(self.batch_size):
                index = int(rng.integers(len(pool)))
                pool[index], pool[-1] = pool[-1], pool[index]
                batch.append(pool.pop())
            yield _stack(batch)

    def _is_wanted(
        self,
        path: Path,
        questions: Questions,
        rng: np.random.Generator,
        sampling: Sampling,
    ) -> NDArray[np.bool_]:
        """Draw which questions stay, by how sure the feature model is of them."""
        if self.triage is None:
            return np.ones(len(questions), bool)
        triage = self.triage[half_of(path)]
        is_hard = ~triage.is_sure(triage.predict(questions.features, questions.likelihoods))
        return is_hard | (rng.random(len(questions)) < sampling.easy_share)


def _stack(batch: Sequence[tuple[Examples, int]]) -> Batch:
    return Batch(
        images=np.concatenate([e.questions.images(np.array([i])) for e, i in batch]),
        tokens=np.concatenate([e.questions.tokens(np.array([i])) for e, i in batch]),
        features=np.stack([e.questions.features[i] for e, i in batch]),
        likelihoods=np.stack([e.questions.likelihoods[i] for e, i in batch]),
        task=np.full(len(batch), TASK_NAMES.index(COPIES.name)),
        labels=np.array([e.labels[i] for e, i in batch], np.int64),
        weights=np.ones(len(batch), np.float32),
    )
