"""The state of a training between two runs: tensors as safetensors, counts as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from models.errors import ModelError
from models.weights.model_weights import write_whole

TENSORS = "checkpoint.safetensors"
COUNTS = "checkpoint.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training has come: steps, wall seconds and examples of all workers."""

    step: int = 0
    seconds: float = 0.0
    examples: int = 0


def save_checkpoint(
    folder: Path,
    modules: dict[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    recipe: dict[str, Any],
) -> None:
    """Write modules, optimiser state and counts; an older checkpoint is replaced at the end."""
    tensors = {
        f"{part}.{name}": tensor
        for part, module in modules.items()
        for name, tensor in module.state_dict().items()
    }
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    content = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        {"step": str(progress.step)},
    )
    write_whole(folder / TENSORS, content)
    write_whole(
        folder / COUNTS, json.dumps({"progress": asdict(progress), "recipe": recipe}).encode()
    )


def load_checkpoint(
    folder: Path, modules: dict[str, nn.Module], optimiser: torch.optim.Optimizer
) -> Progress:
    """Restore what `save_checkpoint` wrote into modules and optimiser.

    Raises
    ------
    ModelError
        When the checkpoint is damaged or of another model.
    """
    try:
        counts = json.loads((folder / COUNTS).read_text())
        tensors = load((folder / TENSORS).read_bytes())
        for part, module in modules.items():
            module.load_state_dict(_under(tensors, part))
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, "optimiser").items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = value
        optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
        return Progress(**counts["progress"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"Cannot resume from the checkpoint in {folder}: {reason}.") from error


def _under(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    start = f"{part}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
