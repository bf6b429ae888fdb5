"""What every engine knows of its weights."""

from models.card import ModelCard


class KnownWeights:
    """Base of the engines: the model's card, and the hash of the weights file."""

    def __init__(self, card: ModelCard, sha256: str) -> None:
        self._card, self._sha256 = card, sha256

    @property
    def card(self) -> ModelCard:
        """What the weights say of the model."""
        return self._card

    @property
    def sha256(self) -> str:
        """Hash of the weights file."""
        return self._sha256
