"""Training examples: the labelled questions of spans, and batches drawn from them."""

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.feature_model.triage import Triage
from models.prompt import Exemplar
from models.tasks import CAUSE, COPIES, HAPLOTYPE, SAME_HAPLOTYPE, SHARE, TASK_NAMES, TASKS
from models.training.batch import Batch
from varcall.errors import InputError
from varcall.evidence.features import without_library
from varcall.evidence.haplotypes import reach_of
from varcall.evidence.window import DEFAULT_EVIDENCE, Evidence, EvidenceOptions, gather
from varcall.formats.simulated_origin import SECOND_HAPLOTYPE
from varcall.genotyping.questions import Questions, questions_about
from varcall.training.labels import Labeller, Labels
from varcall.training.origins import places_before
from varcall.training.spans import Span, load_span
from varcall.training.task_labels import (
    Known,
    TaskExamples,
    label_tasks,
    misled_by_others,
    witnesses_of,
)

# Shares of its depth at which a held-out span is seen, where honesty is fitted or measured.
CALIBRATION_SHARES = (1.0, 0.6, 0.35)
# What truth alone tells: the other tasks need to know where each read comes from.
_TASKS_OF_REAL_READS = (COPIES.name, SAME_HAPLOTYPE.name, HAPLOTYPE.name)
# The others are about the haplotypes of a diploid person.
_TASKS_OF_HAPLOIDS = (COPIES.name, CAUSE.name, SHARE.name)
# Rarer labels, by their share of their task's, are drawn as if they were as frequent as this: the
# commoner ones would be left out for their sake.
_RARE = 0.02


@dataclass(frozen=True, slots=True)
class Examples:
    """The labelled questions of a span.

    Attributes
    ----------
    questions
        q questions whose copies truth is certain of.
    labels
        int64 [q], the copies there are.
    tasks
        Which of the questions each task can be asked about, and the right answers.
    misled
        bool [q], where `varcall.training.task_labels.misled_by_others`.
    """

    questions: Questions
    labels: NDArray[np.int64]
    tasks: Mapping[str, TaskExamples]
    misled: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)

    def weights_of(
        self, task: str, rows: NDArray[np.int64], misled_weight: float
    ) -> NDArray[np.float32]:
        """Return the weight of some rows of a task, float32 [n].

        It is 1, but `misled_weight` of the questions about copies that are `misled`.
        """
        if task != COPIES.name:
            return np.ones(len(rows), np.float32)
        misled = self.misled[self.tasks[task].question[rows]]
        return np.where(misled, np.float32(misled_weight), np.float32(1))


def tasks_of(span: Span) -> tuple[str, ...]:
    """Return the tasks whose answers are known of a span."""
    return TASK_NAMES if span.is_simulated else _TASKS_OF_REAL_READS


def make_examples(
    span: Span,
    kept_share: float,
    seed: int,
    options: EvidenceOptions = DEFAULT_EVIDENCE,
    tasks: Sequence[str] = (COPIES.name,),
    ploidy: int = 2,
) -> Examples:
    """Label the candidates of a span, seen at a share of its depth.

    Parameters
    ----------
    kept_share
        Share of the fragments to keep, 0 to 1; which ones follows from `seed` alone.
    tasks
        What is to be labelled; of a task whose answers are not known of the span, nothing is.
    ploidy
        What the prompts say of the sample.
    """
    if kept_share < 1:
        span = _thinned(span, kept_share, seed)
    reach = reach_of(span.profile.read_length)
    evidence = gather(span.window, replace(options, phase_reach=reach))
    labeller = Labeller(evidence.sites, evidence.questions, span.window.reference)
    labels = labeller.label(span.truth)
    starts = evidence.sites.start[evidence.questions.site]
    inside = np.zeros(len(starts), bool)
    for low, high in span.confident:
        inside |= (starts >= low) & (starts < high)
    chosen = np.flatnonzero(labels.certain & inside)
    asked, labels = evidence.about(chosen), labels.about(chosen)
    wanted = [task for task in tasks if task in tasks_of(span)]
    contaminant = None
    if span.contaminant is not None and wanted != [COPIES.name]:
        # Most libraries are clean.
        contaminant = np.zeros(len(chosen), np.int64)
        if span.contaminant:
            contaminant = labeller.label(span.contaminant).copies[chosen]
    known = _known(span, asked, labels, contaminant)
    return Examples(
        questions_about(asked, span.profile, ploidy),
        labels.copies,
        label_tasks(known, wanted),
        misled_by_others(known, witnesses_of(asked)),
    )


def _thinned(span: Span, kept_share: float, seed: int) -> Span:
    """Return a span with a share of its fragments."""
    reads = span.window.reads
    fragment = reads.arrays.fragment
    n_fragments = int(fragment.max(initial=-1)) + 1
    kept = (np.random.default_rng(seed).random(n_fragments) < kept_share)[fragment]
    return replace(
        span,
        window=replace(span.window, reads=reads.subset(kept)),
        profile=replace(span.profile, depth=span.profile.depth * kept_share),
        origins=span.origins.take(np.flatnonzero(kept)),
    )


def as_haploid(span: Span) -> Span:
    """Return a simulated diploid span as its person would be with the first haplotype alone.

    Half of the reads are gone, as on the X of a male; those of hidden copies and of other people
    stay.
    """
    reads, kept = span.window.reads, span.origins.molecule != SECOND_HAPLOTYPE
    truth = (replace(record, second=record.first) for record in span.truth)
    return replace(
        span,
        window=replace(span.window, reads=reads.subset(kept)),
        profile=replace(span.profile, depth=span.profile.depth * float(kept.mean())),
        origins=span.origins.take(np.flatnonzero(kept)),
        truth=tuple(record for record in truth if record.first or not record.known),
    )


def _known(
    span: Span, evidence: Evidence, labels: Labels, contaminant: NDArray[np.int64] | None
) -> Known:
    """Put together what is known of the questions of a span's evidence."""
    before = span.window.reads.arrays
    places = places_before(before, evidence.reads)
    return Known(
        evidence=evidence,
        labels=labels,
        truth=span.truth,
        origins=span.origins.take(places),
        misplaced=span.origins.misplaced(before.read_start)[places],
        haplotypes=evidence.observations.haplotype,
        contaminant=contaminant,
        contamination=span.contamination,
    )


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
        These three are about the task of copies alone.
    buffer_size
        Examples from which a batch is drawn at random.
    tasks
        Share of the examples by task, relative to each other.
    balance
        In the other tasks an answer is kept with the probability (frequency of the rarest one /
        its own) ** balance: 0 keeps all, 1 makes all answers as frequent.
    weights
        Weight in the loss of the examples of a folder, by its name; 1 of those not named.
    misled_weight
        Weight of the questions about copies that are `Examples.misled`, where trees, network and
        calibration are fitted: simulated samples have many more such places than real ones, and
        what looks like a plain het variant would be doubted for their sake.
    exemplar_share
        Share of the draws of a task whose prompts show an example of it first, in words: another
        question of the same span.
    haploid_share
        Share of the draws of simulated spans that are made haploid. The feature model sees none
        of them: it knows no ploidy.
    withheld_share
        Share of the examples of which no feature names the library: there its words are told in
        full and rightly, so that the network learns to read them. Elsewhere some are left out or
        wrong, and the features stay.
    """

    min_depth: float = 8.0
    full_depth_share: float = 0.25
    variant_share: float = 0.5
    pair_share: float = 0.4
    easy_share: float = 1.0
    buffer_size: int = 4096
    tasks: Mapping[str, float] = field(default_factory=lambda: {COPIES.name: 1.0})
    balance: float = 0.5
    weights: Mapping[str, float] = field(default_factory=dict)
    misled_weight: float = 1.0
    exemplar_share: float = 0.0
    haploid_share: float = 0.0
    withheld_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse tasks that there are not, and shares that are none."""
        if unknown := set(self.tasks) - set(TASK_NAMES):
            raise InputError(
                f"the recipe has unknown tasks: {', '.join(sorted(unknown))}; "
                f"there are {', '.join(TASK_NAMES)}"
            )
        values = self.tasks.values()
        if not values or min(values) < 0 or max(values) <= 0:
            raise InputError("the recipe's shares of tasks must be at least 0, and one above")


def half_of(path: Path) -> int:
    """Return 0 or 1 for a file of examples, by its name."""
    return zlib.crc32(os.fsencode(path.name)) & 1


def draw_examples(
    span: Span,
    rng: np.random.Generator,
    sampling: Sampling,
    options: EvidenceOptions = DEFAULT_EVIDENCE,
    tasks: Sequence[str] = (COPIES.name,),
    ploidy: int = 2,
) -> tuple[Examples, NDArray[np.int64]]:
    """Make the examples of a span at a depth drawn for it.

    `ploidy` is what the prompts say of the sample.

    Returns
    -------
    examples, kept
        `kept` says which of them to ask about copies.
    """
    depth = max(span.profile.depth, sampling.min_depth)
    wanted = float(np.exp(rng.uniform(np.log(sampling.min_depth), np.log(depth))))
    share = 1.0 if rng.random() < sampling.full_depth_share else wanted / depth
    examples = make_examples(span, share, int(rng.integers(1 << 62)), options, tasks, ploidy)
    masks = examples.questions.evidence.questions.alleles
    is_pair = (masks & (masks - 1)) != 0
    kept = rng.random(len(examples)) < np.where(is_pair, sampling.pair_share, 1.0)
    kept &= (examples.labels == 0) | (rng.random(len(examples)) < sampling.variant_share)
    return examples, np.flatnonzero(kept)


class _Supply:
    """Takes of each span as many examples of each task as keep the tasks' shares."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._shares = {task: share for task, share in sampling.tasks.items() if share > 0}
        self._leading = max(self._shares, key=lambda task: self._shares[task])
        self._owed = dict.fromkeys(self._shares, 0.0)
        # One of each label from the start: no frequency is 0.
        self._seen: dict[str, NDArray[np.int64]] = {}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that examples are taken of."""
        return tuple(self._shares)

    def take(
        self, examples: Examples, copies: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Yield task and rows; `copies` are the rows to choose from of the task of copies."""
        rows = {
            task: copies if task == COPIES.name else self._balanced(task, found.labels, rng)
            for task, found in examples.tasks.items()
        }
        leading = len(rows.get(self._leading, ()))
        for task, share in self._shares.items():
            # What one span cannot give, others do: up to what a buffer would hold of the task.
            most = self._sampling.buffer_size * share / sum(self._shares.values())
            wanted = self._owed[task] + leading * share / self._shares[self._leading]
            available = rows.get(task, np.zeros(0, np.int64))
            taken = min(round(wanted), len(available))
            self._owed[task] = min(wanted - taken, most)
            yield task, rng.choice(available, taken, replace=False)

    def _balanced(
        self, task: str, labels: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw rows so that rare answers are less rare."""
        n = int(labels.max(initial=0)) + 1
        seen = self._seen.get(task, np.zeros(0, np.int64))
        seen = np.append(seen, np.ones(max(0, n - len(seen)), np.int64))
        self._seen[task] = seen + np.bincount(labels, minlength=len(seen))
        frequency = self._seen[task] / self._seen[task].sum()
        rarest = max(_RARE, float(frequency.min()))
        kept = (rarest / np.maximum(frequency, rarest)) ** self._sampling.balance
        return np.flatnonzero(rng.random(len(labels)) < kept[labels])


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
    tasks
        What an ordered pass asks about each span, one task after another.
    misled_weight
        In an ordered pass, as `Sampling` has it.
    """

    paths: tuple[Path, ...]
    batch_size: int
    sampling: Sampling | None
    triage: tuple[Triage, Triage] | None = None
    shares: tuple[float, ...] = (1.0,)
    evidence: EvidenceOptions = field(default_factory=EvidenceOptions)
    tasks: tuple[str, ...] = (COPIES.name,)
    misled_weight: float = 1.0

    def __call__(self, rank: int, world_size: int, seed: int, skip: int) -> Iterator[Batch]:
        """Yield batches; worker `rank` of `world_size` sees its own order.

        `skip` batches already used before an interruption change the random stream instead of
        being made and thrown away.

        Raises
        ------
        InputError
            Where no span has an example to draw.
        """
        if self.sampling is not None:
            yield from self._shuffled(np.random.default_rng([seed, rank, skip]), self.sampling)
        else:
            for path, share in product(self.paths[rank::world_size], self.shares):
                yield from self._ordered(path, share)

    def _ordered(self, path: Path, share: float) -> Iterator[Batch]:
        examples = make_examples(load_span(path), share, 0, self.evidence, self.tasks)
        for task, found in examples.tasks.items():
            for first in range(0, len(found.labels), self.batch_size):
                rows = np.arange(first, min(first + self.batch_size, len(found.labels)))
                weights = examples.weights_of(task, rows, self.misled_weight)
                yield make_batch(examples, task, rows, weights)

    def _shuffled(self, rng: np.random.Generator, sampling: Sampling) -> Iterator[Batch]:
        pool = _Pool(max(sampling.buffer_size, self.batch_size))
        for batch in self._supply(rng, sampling):
            put = 0
            while put < len(batch):
                put += pool.put(batch, put)
                if pool.is_full:
                    yield pool.take(rng, self.batch_size)

    def _supply(self, rng: np.random.Generator, sampling: Sampling) -> Iterator[Batch]:
        """Yield what is drawn from one span after another, in a new order each time round."""
        supply = _Supply(sampling)
        is_dry = False
        while not is_dry:
            is_dry = True
            for number in rng.permutation(len(self.paths)).tolist():
                path = self.paths[number]
                span, tasks, ploidy = load_span(path), supply.tasks, 2
                if span.is_simulated and rng.random() < sampling.haploid_share:
                    span, ploidy = as_haploid(span), 1
                    tasks = tuple(task for task in tasks if task in _TASKS_OF_HAPLOIDS)
                examples, kept = draw_examples(span, rng, sampling, self.evidence, tasks, ploidy)
                kept = kept[self._is_wanted(path, examples.questions.about(kept), rng, sampling)]
                weight = float(sampling.weights.get(path.parent.name, 1.0))
                is_dry &= not any(len(found.labels) for found in examples.tasks.values())
                for task, rows in supply.take(examples, kept, rng):
                    exemplar = None
                    if len(rows) > 1 and rng.random() < sampling.exemplar_share:
                        exemplar, rows = exemplar_of(examples, task, int(rows[0])), rows[1:]
                    if len(rows):
                        weights = examples.weights_of(task, rows, sampling.misled_weight)
                        withheld = rng.random(len(rows)) < sampling.withheld_share
                        yield make_batch(
                            examples, task, rows, weight * weights, rng, exemplar, withheld
                        )
        raise InputError(
            f"the {len(self.paths)} files of examples have no question of the recipe's tasks "
            f"({', '.join(supply.tasks)}); make more of them with varcall examples"
        )

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


def make_batch(
    examples: Examples,
    task: str,
    rows: NDArray[np.int64],
    weights: NDArray[np.float32] | None = None,
    rng: np.random.Generator | None = None,
    exemplar: Exemplar | None = None,
    withheld: NDArray[np.bool_] | None = None,
) -> Batch:
    """Draw the pictures and write the prompts of some rows of a task.

    `weights` (float32 [n]) are those of the rows in the loss, 1 by default. `rng` and `exemplar`
    are for the words, as `models.prompt.write_tokens` says; without them prompts are plain.
    `withheld` (bool [n]) says of which rows the features of the library are withheld; their words
    are told.
    """
    found, questions = examples.tasks[task], examples.questions
    asked = found.question[rows]
    others = found.other[rows].tolist() if TASKS[task].names_other_variant else None
    features = questions.features[asked]
    if withheld is not None:
        features = np.where(withheld[:, None], without_library(features), features)
    return Batch(
        images=questions.images(asked, others),
        tokens=questions.tokens(asked, task, others, rng, exemplar, withheld),
        features=features,
        likelihoods=questions.likelihoods[asked],
        task=np.full(len(rows), TASK_NAMES.index(task)),
        labels=found.labels[rows],
        weights=np.ones(len(rows), np.float32) if weights is None else weights,
    )


def exemplar_of(examples: Examples, task: str, row: int) -> Exemplar:
    """Return a row of a task as an example in words."""
    found = examples.tasks[task]
    asked = examples.questions.alleles(int(found.question[row]))
    return Exemplar(asked.ref, asked.alts, int(found.labels[row]))


class _Pool:
    """Examples in random order: pictures and words, so that no span stays in memory for them."""

    def __init__(self, capacity: int) -> None:
        self._free = np.arange(capacity)
        self._capacity = capacity
        self._columns: dict[str, NDArray[Any]] = {}

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more."""
        return len(self._free) == 0

    def put(self, batch: Batch, first: int) -> int:
        """Copy the examples of a batch from `first` on, as far as there is room; count them."""
        n = min(len(batch) - first, len(self._free))
        for name in Batch.__slots__:
            values = getattr(batch, name)
            if name not in self._columns:
                self._columns[name] = np.empty((self._capacity, *values.shape[1:]), values.dtype)
            self._columns[name][self._free[:n]] = values[first : first + n]
        self._free = self._free[n:]
        return n

    def take(self, rng: np.random.Generator, n: int) -> Batch:
        """Take n examples at random out of a full pool."""
        self._free = rng.choice(self._capacity, n, replace=False)
        return Batch(**{name: column[self._free] for name, column in self._columns.items()})
