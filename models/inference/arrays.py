"""What every engine asks of its arrays."""

import numpy as np
from numpy.typing import NDArray

from models.config import IMAGE_SHAPE, ModelConfig
from models.prompt import ENDINGS, PREFIX_TOKENS
from models.tasks import COPIES


def check_arrays(
    config: ModelConfig,
    images: NDArray[np.uint8],
    tokens: NDArray[np.int32],
    features: NDArray[np.float32],
    likelihoods: NDArray[np.float32],
    task: str,
) -> None:
    """Refuse arrays that `Engine.predict` does not take.

    Raises
    ------
    ValueError
        When they do not fit the model, or a prompt is none of the task.
    """
    n = len(images)
    if images.shape[1:] != IMAGE_SHAPE or images.dtype != np.uint8:
        raise ValueError(f"images {images.dtype} {images.shape} are not uint8 [n, 224, 224, 3]")
    if tokens.shape != (n, config.prompt_length) or features.shape != (n, config.n_features):
        raise ValueError(f"tokens {tokens.shape} or features {features.shape} do not fit")
    if likelihoods.shape != (n, len(COPIES.options)):
        raise ValueError(f"likelihoods {likelihoods.shape} do not fit")
    if not (tokens[:, : config.prefix_length] == PREFIX_TOKENS).all():
        raise ValueError("a prompt does not start with the instruction of models.prompt")
    ending = ENDINGS[task]
    if not (tokens[:, -len(ending) :] == ending).all():
        raise ValueError(f"a prompt does not end with the options of the task {task}")
