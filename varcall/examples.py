"""Training examples: spans of real or simulated reads with their truth, and batches made of them.

A span keeps the reads, not the pictures: an image is 150 kB and takes 40 microseconds to draw, so
every epoch draws afresh, at another depth.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pysam
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.batch import Batch
from models.prompt import PromptContext
from pileup.arrays import QuestionArrays, ReadArrays, ReferenceArrays
from varcall.alleles import Allele
from varcall.atomic import AtomicOutput
from varcall.candidates import CandidateThresholds
from varcall.errors import InputError
from varcall.evidence import WINDOW_MARGIN, Evidence, gather, reference_span
from varcall.labels import TruthRecord, label_questions, read_truth
from varcall.profile import LibraryProfile
from varcall.prompts import question_tokens
from varcall.reads import ReadBatch, ReadFilter, load_reads
from varcall.reference import Reference
from varcall.regions import Region

FORMAT_VERSION = 1
_ARRAYS = (*ReadArrays._fields, "reference")


@dataclass(frozen=True, slots=True)
class ExampleSpan:
    """The reads, reference and truth of one stretch of a sample.

    Candidates that start in one of `confident` (0-based half-open, inside [start, end)) become
    examples; reads reach WINDOW_MARGIN beyond both ends.
    """

    start: int
    end: int
    reads: ReadBatch
    reference: ReferenceArrays
    profile: LibraryProfile
    truth: tuple[TruthRecord, ...]
    confident: tuple[tuple[int, int], ...]


def cut_span(
    alignments: pysam.AlignmentFile,
    reference: Reference,
    truth: Path,
    profile: LibraryProfile,
    window: Region,
    confident: Sequence[tuple[int, int]],
) -> ExampleSpan:
    """Read everything that the examples of a window need."""
    contig = window.contig
    length = reference.length(contig)
    low, high = max(0, window.start - WINDOW_MARGIN), min(window.end + WINDOW_MARGIN, length)
    reads = load_reads(alignments, contig, low, high, ReadFilter())
    first, last = reference_span(reads)

    def fetch(start: int, end: int) -> str:
        return reference.fetch_string(contig, max(0, start), min(end, length))

    return ExampleSpan(
        start=window.start,
        end=window.end,
        reads=reads,
        reference=ReferenceArrays(reference.fetch(contig, first, last), first),
        profile=profile,
        truth=tuple(read_truth(truth, contig, low, high, fetch)),
        confident=tuple(confident),
    )


def save_span(span: ExampleSpan, path: Path) -> None:
    """Write a span as safetensors; the file appears whole or not at all."""
    about = {
        "version": FORMAT_VERSION,
        "contig": span.reads.contig,
        "fetched": [span.reads.start, span.reads.end],
        "start": span.start,
        "end": span.end,
        "reference_start": span.reference.start,
        "profile": asdict(span.profile),
        "truth": [asdict(record) for record in span.truth],
        "confident": span.confident,
    }
    arrays = span.reads.arrays._asdict() | {"reference": span.reference.codes}
    with AtomicOutput(path) as output:
        save_file(arrays, output.path, metadata={"varcall_span": json.dumps(about)})


def load_span(path: Path) -> ExampleSpan:
    """Read what `save_span` wrote.

    Raises
    ------
    InputError
        Where the file is none of ours.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["varcall_span"])
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        if about["version"] != FORMAT_VERSION:
            raise InputError(
                f"{path} has examples of format {about['version']}, not {FORMAT_VERSION}; "
                f"make them again with varcall examples"
            )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no file of varcall examples ({error})") from None
    reference = ReferenceArrays(arrays.pop("reference"), about["reference_start"])
    fetched_start, fetched_end = about["fetched"]
    about["profile"]["slippage"] = tuple(about["profile"]["slippage"])
    about["profile"]["slippage_reads"] = tuple(about["profile"]["slippage_reads"])
    return ExampleSpan(
        start=about["start"],
        end=about["end"],
        reads=ReadBatch(about["contig"], fetched_start, fetched_end, ReadArrays(**arrays)),
        reference=reference,
        profile=LibraryProfile(**about["profile"]),
        truth=tuple(_truth_record(record) for record in about["truth"]),
        confident=tuple((low, high) for low, high in about["confident"]),
    )


def _truth_record(about: dict[str, Any]) -> TruthRecord:
    first, second = (tuple(Allele(**a) for a in about[side]) for side in ("first", "second"))
    return TruthRecord(**about | {"first": first, "second": second})


@dataclass(frozen=True, slots=True)
class Examples:
    """The labelled questions of a span; images are drawn on demand."""

    evidence: Evidence
    tokens: NDArray[np.int32]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def make_examples(
    span: ExampleSpan, kept_share: float, seed: int, thresholds: CandidateThresholds
) -> Examples:
    """Label the candidates of a span, seen at a share of its depth.

    Parameters
    ----------
    kept_share
        Share of the fragments to keep, 0 to 1; which ones follows from `seed` alone.
    """
    profile = span.profile
    reads = span.reads
    if kept_share < 1:
        rng = np.random.default_rng(seed)
        fragment = reads.arrays.fragment
        n_fragments = int(fragment.max(initial=-1)) + 1
        reads = reads.subset((rng.random(n_fragments) < kept_share)[fragment])
        profile = replace(profile, depth=profile.depth * kept_share)
    evidence = gather(reads, span.reference, span.start, span.end, thresholds)
    labels = label_questions(evidence.sites, evidence.questions, span.truth, span.reference)
    starts = evidence.sites.start[evidence.questions.site]
    inside = np.zeros(len(starts), bool)
    for low, high in span.confident:
        inside |= (starts >= low) & (starts < high)
    chosen = np.flatnonzero(labels.certain & inside)
    asked = QuestionArrays(evidence.questions.site[chosen], evidence.questions.alleles[chosen])
    evidence = replace(evidence, questions=asked)
    return Examples(
        evidence=evidence,
        tokens=question_tokens(evidence, PromptContext.from_profile(profile)),
        features=evidence.features(profile),
        labels=labels.copies[chosen],
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
    buffer_size
        Examples from which a batch is drawn at random.
    """

    min_depth: float = 8.0
    full_depth_share: float = 0.25
    variant_share: float = 0.5
    pair_share: float = 0.4
    buffer_size: int = 4096


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
        How training draws; None gives one ordered pass over the spans at their full depth.
    """

    paths: tuple[Path, ...]
    batch_size: int
    sampling: Sampling | None
    thresholds: CandidateThresholds = field(default_factory=CandidateThresholds)

    def __call__(self, rank: int, world_size: int, seed: int, skip: int) -> Iterator[Batch]:
        """Yield batches; worker `rank` of `world_size` sees its own order.

        `skip` batches already used before an interruption change the random stream instead of
        being made and thrown away.
        """
        if self.sampling is not None:
            yield from self._shuffled(np.random.default_rng([seed, rank, skip]), self.sampling)
        else:
            for path in self.paths[rank::world_size]:
                yield from self._ordered(path)

    def _ordered(self, path: Path) -> Iterator[Batch]:
        examples = make_examples(load_span(path), 1.0, 0, self.thresholds)
        for first in range(0, len(examples), self.batch_size):
            chosen = np.arange(first, min(first + self.batch_size, len(examples)))
            yield Batch(
                images=examples.evidence.images(chosen),
                tokens=examples.tokens[chosen],
                features=examples.features[chosen],
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
                pool += self._drawn(self.paths[order.pop()], rng, sampling)
            # Swap-and-pop keeps the draw O(1); the pool holds reads, so it stays small.
            batch = []
            for _ in range(self.batch_size):
                index = int(rng.integers(len(pool)))
                pool[index], pool[-1] = pool[-1], pool[index]
                batch.append(pool.pop())
            yield _stack(batch)

    def _drawn(
        self, path: Path, rng: np.random.Generator, sampling: Sampling
    ) -> list[tuple[Examples, int]]:
        span = load_span(path)
        depth = max(span.profile.depth, sampling.min_depth)
        wanted = float(np.exp(rng.uniform(np.log(sampling.min_depth), np.log(depth))))
        share = 1.0 if rng.random() < sampling.full_depth_share else wanted / depth
        examples = make_examples(span, share, int(rng.integers(1 << 62)), self.thresholds)
        masks = examples.evidence.questions.alleles
        is_pair = (masks & (masks - 1)) != 0
        kept = rng.random(len(examples)) < np.where(is_pair, sampling.pair_share, 1.0)
        kept &= (examples.labels == 0) | (rng.random(len(examples)) < sampling.variant_share)
        return [(examples, int(index)) for index in np.flatnonzero(kept)]


def _stack(batch: Sequence[tuple[Examples, int]]) -> Batch:
    return Batch(
        images=np.concatenate([e.evidence.images(np.array([i])) for e, i in batch]),
        tokens=np.stack([e.tokens[i] for e, i in batch]),
        features=np.stack([e.features[i] for e, i in batch]),
        labels=np.array([e.labels[i] for e, i in batch], np.int64),
        weights=np.ones(len(batch), np.float32),
    )


def span_name(reads: Path, window: Region) -> str:
    """Return a file name for a span: the same for the same reads and place."""
    tag = zlib.crc32(str(reads.resolve()).encode())
    return f"{reads.stem}.{tag:08x}.{window.start}_{window.end}.safetensors"
