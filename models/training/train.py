"""Training: one plain loop, on one device or as single-threaded CPU processes side by side."""

import copy
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn import functional

from models import prompt
from models.card import ModelCard
from models.config import VALUE_LIMIT
from models.errors import ModelError
from models.network.caller import VariantCaller, build_caller
from models.network.memory import keep_freed_memory
from models.prompt import packed, words_of
from models.registry import model_config
from models.tasks import ANSWERS, TASK_NAMES, TASKS
from models.training.batch import Batch, BatchFactory
from models.training.calibrate import fit_calibrations, reliability_table
from models.training.checkpoint import COUNTS, TENSORS, Progress, load_checkpoint, save_checkpoint
from models.training.metrics import Predictions, TaskOptions, predict, summarise
from models.training.recipe import Recipe
from models.weights.model_weights import load_weights, save_weights

LOG = "train.jsonl"
WEIGHTS = "weights.safetensors"
FILES = (WEIGHTS, LOG, TENSORS, COUNTS)
_MOST_OPTIONS = max(len(task.options) for task in TASKS.values())
_BIN_BATCHES = 16
"""Batches whose features place the bin edges of the feature encoder."""


@dataclass(frozen=True, slots=True)
class TrainJob:
    """Everything a training worker needs; picklable.

    `recipe` is the one of the device, `Recipe.on`. `evaluations` are held-out batches by name; the
    first one also fits the calibration. `seen` tells the model's card what it is trained on. With
    `workers` > 1 that many single-threaded CPU processes share the work; with 1, one process uses
    `threads` threads, or the device. Training goes on from the weights `begin_with`, if any.
    """

    recipe: Recipe
    make_batches: BatchFactory
    out: Path
    pileup_spec: dict[str, Any]
    features: tuple[str, ...]
    evaluations: Mapping[str, BatchFactory] = field(default_factory=dict)
    seen: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    workers: int = 1
    threads: int = 1
    resume: bool = False
    begin_with: Path | None = None


class Scaffold(nn.Module):
    """What only training needs: an answer of each modality alone, and the words seen so far.

    The image alone also tells the measured features: see `Recipe.measured_weight`.
    """

    seen_words: Tensor

    def __init__(self, caller: VariantCaller) -> None:
        super().__init__()
        config = caller.config
        n_image = (config.image_tokens + 2) * config.width
        self.image = nn.Linear(n_image, len(ANSWERS))
        self.measured = nn.Linear(n_image, config.n_features)
        self.features = nn.Linear(config.soft_tokens * config.width, len(ANSWERS))
        self.register_buffer("seen_words", torch.zeros(config.vocabulary_size, dtype=torch.bool))

    def forward(self, image_tokens: Tensor, soft_tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits [n, answers] of image and of soft tokens, and features [n, n_features]."""
        pooled = [image_tokens.flatten(1), image_tokens.mean(1), image_tokens.amax(1)]
        image = torch.cat(pooled, dim=1)
        return self.image(image), self.features(soft_tokens.flatten(1)), self.measured(image)


def train(job: TrainJob) -> Path:
    """Train a model and return the path of its weights, `job.out / WEIGHTS`.

    Raises
    ------
    ModelError
        When the checkpoint to resume from is missing or damaged, or the output exists already.
    """
    if (job.out / COUNTS).exists() != job.resume:
        raise ModelError(
            f"There is no checkpoint in {job.out} to resume from; start without resuming."
            if job.resume
            else f"{job.out} holds a training already; resume it or choose another folder."
        )
    job.out.mkdir(parents=True, exist_ok=True)
    if job.workers == 1:
        Trainer(job, rank=0).run()
    else:
        with tempfile.TemporaryDirectory() as folder:
            meeting = f"file://{folder}/meeting"
            spawn(_work, args=(job, meeting), nprocs=job.workers)
    return job.out / WEIGHTS


def _work(rank: int, job: TrainJob, meeting: str) -> None:
    # Before the group: the first optimiser imports modules of torch's whose default arguments hold
    # the group of that moment for good. Then destroying it ends none of gloo's threads, and one
    # that frees a tensor while Python shuts down aborts the process (pytorch#190489).
    trainer = Trainer(job, rank)
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=job.workers)
    try:
        trainer.run()
    finally:
        dist.destroy_process_group()


class Trainer:
    """One worker's training state; worker 0 logs, evaluates the clock and writes files."""

    def __init__(self, job: TrainJob, rank: int) -> None:
        keep_freed_memory()
        torch.set_num_threads(1 if job.workers > 1 else job.threads)
        self.job, self.recipe, self.rank = job, job.recipe, rank
        self.device = torch.device(job.device)
        torch.manual_seed(self.recipe.seed)
        config = model_config(self.recipe.size, len(job.features))
        self.caller = build_caller(config)
        if job.begin_with is not None:
            self._begin_with(job.begin_with)
        self.caller.to(self.device).channels_last()
        self.average = copy.deepcopy(self.caller).requires_grad_(False)
        self.scaffold = Scaffold(self.caller).to(self.device)
        self.parameters = [*self.caller.parameters(), *self.scaffold.parameters()]
        self.optimiser = _optimiser([self.caller, self.scaffold], self.recipe)
        self.gradients = _GradientBuffer(self.parameters, self.device)
        self.options = TaskOptions(self.device)
        self.progress = Progress()
        if job.resume:
            self.progress = load_checkpoint(job.out, self._modules(), self.optimiser)
        self.began = time.monotonic() - self.progress.seconds

    def _begin_with(self, path: Path) -> None:
        """Take over the weights of a model that reads the same."""
        known, card, _ = load_weights(path)
        if card.config != self.caller.config or card.features != self.job.features:
            raise ModelError(f"{path} is of another size, or reads other features.")
        self.caller.load_state_dict(known.state_dict())

    def run(self) -> None:
        """Train to the end of the recipe, then evaluate, calibrate and write the weights."""
        batches = self._batches()
        recipe, tally = self.recipe, _Tally(self.progress)
        next_evaluation = self.progress.seconds + recipe.evaluate_seconds
        while recipe.progress(self.progress.step, self.progress.seconds) < 1.0:
            if not self._step(next(batches, None), tally):
                break
            if self.progress.step % recipe.log_every == 0:
                self._log("train", **tally.take(self.progress))
            if self.progress.seconds >= next_evaluation:
                self._evaluate()
                self._save()
                next_evaluation = self.progress.seconds + recipe.evaluate_seconds
        self._evaluate()
        self._save(final=True)

    def _batches(self) -> Iterator[Batch]:
        job = self.job
        batches = job.make_batches(
            self.rank, job.workers, self.recipe.seed, skip=self.progress.step
        )
        if self.progress.step or job.begin_with is not None:
            return batches
        first = list(islice(batches, _BIN_BATCHES))
        if not first:
            raise ModelError("There are no training examples.")
        features = torch.cat([torch.from_numpy(batch.features) for batch in first])
        for caller in (self.caller, self.average):
            caller.feature_encoder.fit_bins(features.to(self.device))
            self._share(caller.feature_encoder.edges)
        return chain(first, batches)

    def _step(self, batch: Batch | None, tally: "_Tally") -> bool:
        """Take one step; false when a worker has no more batches."""
        self.gradients.zero()
        if batch is not None:
            loss = self._loss(batch, tally)
            loss.backward()
        seconds = time.monotonic() - self.began
        out_of_data, seconds = self.gradients.average(batch is None, seconds, self.rank)
        if out_of_data:
            return False
        step = self.progress.step
        self.gradients.clip(self.recipe.clip_norm)
        tally.learning_rate = self.recipe.learning_rate_at(
            step, self.recipe.progress(step, seconds)
        )
        for group in self.optimiser.param_groups:
            group["lr"] = tally.learning_rate
        self.optimiser.step()
        self._follow(min(self.recipe.ema_decay, (1 + step) / (10 + step)))
        n = self.recipe.batch_size * self.job.workers
        self.progress = Progress(step + 1, seconds, self.progress.examples + n)
        return True

    def _loss(self, batch: Batch, tally: "_Tally") -> Tensor:
        recipe = self.recipe
        generator = torch.Generator().manual_seed(
            (recipe.seed * 1_000_003 + self.progress.step) * 64 + self.rank
        )
        words, places = packed(batch.tokens, int(words_of(batch.tokens).max()))
        tokens, columns, images, features, likelihoods, task, labels, weights = (
            torch.from_numpy(x).to(self.device, non_blocking=True)
            for x in (
                words, places, batch.images, batch.features, batch.likelihoods, batch.task,
                batch.labels, batch.weights,
            )
        )  # fmt: skip
        self.scaffold.seen_words[tokens.flatten().long()] = True
        chance, counted = torch.rand(2, len(batch), generator=generator).to(self.device)
        keep_image = chance >= recipe.drop_image
        keep_features = chance < 1 - recipe.drop_features
        likelihoods = likelihoods * (counted >= recipe.drop_likelihoods).unsqueeze(1)
        self.caller.train()
        with self._autocast(of_image=True):
            image_tokens = self.caller.image_encoder(images)
        with self._autocast(of_image=False):
            image_tokens = image_tokens.float()
            soft_tokens = self.caller.feature_encoder(features)
            logits = self.caller.read(
                image_tokens, soft_tokens, likelihoods, tokens, columns, keep_image, keep_features
            )
            *alone, measured = self.scaffold(image_tokens, soft_tokens)
        said = [self.options.log_probabilities(x, task) for x in (logits, *alone)]
        losses = [
            _mean(self.options.losses(x, task, labels, recipe.label_smoothing), weights)
            for x in said
        ]
        target = features.clamp(-VALUE_LIMIT, VALUE_LIMIT)
        off = functional.huber_loss(measured.float(), target, reduction="none").mean(1)
        losses.append(_mean(off, weights))
        tally.add(task, labels, losses, [x.argmax(1) for x in said])
        alone_loss = recipe.auxiliary_weight * (losses[1] + losses[2])
        return losses[0] + alone_loss + recipe.measured_weight * losses[3]

    def _autocast(self, *, of_image: bool) -> AbstractContextManager[Any]:
        """Return the arithmetic of the image encoder, or of the rest."""
        on_cuda, precision = self.device.type == "cuda", self.recipe.precision
        # On CPUs the convolutions alone gain from it: 1.2 times as many images a second with AMX;
        # the many small operations of the rest lose more than that.
        if (on_cuda and precision != "fp32") or (of_image and precision == "bf16"):
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        """Move the averaged model, which is the one that is kept, towards the trained one."""
        new = self.caller.state_dict()
        for name, old in self.average.state_dict().items():
            if old.is_floating_point():
                old.lerp_(new[name], 1 - decay)
            else:
                old.copy_(new[name])

    def _share(self, tensor: Tensor) -> None:
        if self.job.workers > 1:
            dist.broadcast(tensor, 0)

    def _evaluate(self) -> None:
        for buffer in self.average.buffers():
            self._share(buffer)
        for name, make in self.job.evaluations.items():
            batches = make(self.rank, self.job.workers, self.recipe.seed, skip=0)
            predictions = predict(self.average, batches, self.device)
            totals = [_counts_and_loss(predictions[task]) for task in TASK_NAMES]
            total = torch.cat(totals)
            if self.job.workers > 1:
                dist.all_reduce(total)
            self._log("evaluate", name=name, **_summary(total.split([len(x) for x in totals])))

    def _modules(self) -> dict[str, nn.Module]:
        return {"caller": self.caller, "average": self.average, "scaffold": self.scaffold}

    def _save(self, *, final: bool = False) -> None:
        if self.rank != 0:
            return
        recipe = self.recipe.to_mapping()
        save_checkpoint(self.job.out, self._modules(), self.optimiser, self.progress, recipe)
        caller = copy.deepcopy(self.average)
        caller.fill_unseen_words(self.scaffold.seen_words, prompt.UNKNOWN_TOKEN)
        card = ModelCard(
            caller.config, self.job.pileup_spec, self.job.features, recipe=recipe,
            training=asdict(self.progress) | {"seen": dict(self.job.seen)},
        )  # fmt: skip
        if final and self.job.evaluations:
            make = next(iter(self.job.evaluations.values()))
            batches = make(0, 1, self.recipe.seed, skip=0)
            card = self._calibrated(card, predict(caller, batches, self.device))
        digest = save_weights(self.job.out / WEIGHTS, caller, card)
        self._log("weights", path=WEIGHTS, sha256=digest)

    def _calibrated(self, card: ModelCard, predictions: dict[str, Predictions]) -> ModelCard:
        calibration = fit_calibrations(predictions)
        for task, fitted in calibration.items():
            table = reliability_table(predictions[task], fitted)
            rows = [asdict(row) for row in table]
            self._log("calibrate", task=task, **fitted.to_mapping(), reliability=rows)
        return replace(card, calibration=calibration)

    def _log(self, event: str, **values: Any) -> None:
        if self.rank != 0:
            return
        line = {
            "event": event,
            "step": self.progress.step,
            "seconds": round(self.progress.seconds, 1),
        }
        with open(self.job.out / LOG, "a", encoding="utf-8") as log:
            log.write(json.dumps(line | values) + "\n")


class _GradientBuffer:
    """All gradients in one block, so that workers exchange one message a step."""

    def __init__(self, parameters: list[nn.Parameter], device: torch.device) -> None:
        sizes = [parameter.numel() for parameter in parameters]
        # Two numbers travel with the gradients: workers out of data, and worker 0's clock.
        self.block = torch.zeros(sum(sizes) + 2, device=device)
        self.block_of_gradients = self.block[:-2]
        parts = self.block_of_gradients.split(sizes)
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.as_strided(
                parameter.size(), parameter.stride(), part.storage_offset()
            )

    def zero(self) -> None:
        """Forget the last step."""
        self.block.zero_()

    def average(self, out_of_data: bool, seconds: float, rank: int) -> tuple[bool, float]:
        """Average over workers; return whether any is out of data, and worker 0's clock."""
        if not dist.is_initialized():
            return out_of_data, seconds
        self.block[-2] = float(out_of_data)
        self.block[-1] = seconds if rank == 0 else 0.0
        dist.all_reduce(self.block)
        self.block_of_gradients /= dist.get_world_size()
        return bool(self.block[-2] > 0), float(self.block[-1])

    def clip(self, most: float) -> None:
        """Scale the gradients down to a norm of at most `most`."""
        norm = self.block_of_gradients.norm()
        self.block_of_gradients *= (most / (norm + 1e-6)).clamp(max=1.0)


class _Tally:
    """Sums between two log lines."""

    def __init__(self, progress: Progress) -> None:
        self.learning_rate = 0.0
        self._reset(progress)

    def _reset(self, progress: Progress) -> None:
        self.since, self.cpu_began = progress, time.process_time()
        self.steps = 0
        self.losses = torch.zeros(4)
        self.right = torch.zeros(2)
        self.confusion = torch.zeros(len(TASKS), _MOST_OPTIONS, _MOST_OPTIONS, dtype=torch.int64)

    def add(
        self, task: Tensor, labels: Tensor, losses: list[Tensor], answers: list[Tensor]
    ) -> None:
        """Add a step: the losses, and the answers of the model and of each modality alone."""
        at = (task * _MOST_OPTIONS + labels) * _MOST_OPTIONS + answers[0]
        pairs = torch.bincount(at, minlength=self.confusion.numel())
        self.confusion += pairs.view_as(self.confusion).cpu()
        self.losses += torch.stack([loss.detach().float() for loss in losses]).cpu()
        self.right += torch.stack([(x == labels).sum().float() for x in answers[1:]]).cpu()
        self.steps += 1

    def take(self, progress: Progress) -> dict[str, Any]:
        """Return the numbers of a log line, and start again from 0."""
        seconds = progress.seconds - self.since.seconds
        images = progress.examples - self.since.examples
        loss, loss_image, loss_features, loss_measured = (self.losses / self.steps).tolist()
        image_right, features_right = (self.right / self.confusion.sum()).tolist()
        line = {
            "loss": round(loss, 5),
            "tasks": {
                name: {key: summary[key] for key in ("n", "accuracy", "recall")}
                for name, summary in _summaries(self.confusion).items()
            },
            "image_alone": {
                "loss": round(loss_image, 5), "accuracy": round(image_right, 5),
                "measured": round(loss_measured, 5),
            },
            "features_alone": {
                "loss": round(loss_features, 5), "accuracy": round(features_right, 5),
            },
            "learning_rate": self.learning_rate,
            "examples": progress.examples,
            "images_per_second": round(images / max(seconds, 1e-9), 1),
            "cpu_seconds": round(time.process_time() - self.cpu_began, 2),
        }  # fmt: skip
        self._reset(progress)
        return line


def _summaries(confusion: Tensor) -> dict[str, dict[str, Any]]:
    """Return the summary of each task that has examples, of counts [tasks, most, most]."""
    own = {
        name: summarise(counts[: len(task.options), : len(task.options)])
        for (name, task), counts in zip(TASKS.items(), confusion, strict=True)
    }
    return {name: summary for name, summary in own.items() if summary["n"]}


def _counts_and_loss(predictions: Predictions) -> Tensor:
    """Return the confusion matrix of a task, row by row, and the sum of losses: float64."""
    n = len(predictions.labels)
    loss = predictions.negative_log_likelihood() * n if n else 0.0
    counts = predictions.confusion().flatten().double()
    return torch.cat([counts, counts.new_tensor([loss])])


def _summary(totals: Sequence[Tensor]) -> dict[str, Any]:
    """Return the numbers of a log line, of what `_counts_and_loss` gave of each task."""
    tasks = {}
    for name, total in zip(TASK_NAMES, totals, strict=True):
        options = len(TASKS[name].options)
        summary = summarise(total[:-1].view(options, options))
        if summary["n"]:
            tasks[name] = summary | {"loss": round(float(total[-1]) / summary["n"], 5)}
    n = sum(summary["n"] for summary in tasks.values())
    loss = sum(summary["loss"] * summary["n"] for summary in tasks.values())
    return {"loss": round(loss / max(n, 1), 5), "n": n, "tasks": tasks}


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)


def _optimiser(modules: list[nn.Module], recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; norms, biases and embeddings do not decay."""
    decay: list[nn.Parameter] = []
    keep: list[nn.Parameter] = []
    for module in modules:
        tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
        for parameter in module.parameters():
            plain = parameter.ndim > 1 and id(parameter) not in tables
            (decay if plain else keep).append(parameter)
    groups = [
        {"params": decay, "weight_decay": recipe.weight_decay},
        {"params": keep, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
