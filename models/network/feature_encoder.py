"""Measured features -> soft tokens that stand at `<features>` in the token stream.

A feature is written as its value and as its place among quantile bins (piecewise linear encoding,
Gorishniy et al. 2022, arXiv 2203.05556), which gives a small network the thresholds that make
trees strong on such tables.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.config import VALUE_LIMIT, ModelConfig

_NARROWEST_BIN = 1e-2


class FeatureEncoder(nn.Module):
    """A two-layer perceptron on piecewise linear features."""

    edges: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        n, bins = config.n_features, config.feature_bins
        self.soft_tokens, self.width = config.soft_tokens, config.width
        self.register_buffer("edges", torch.linspace(-2.0, 2.0, bins + 1).repeat(n, 1))
        self.first = nn.Linear(n * (bins + 1), config.feature_width)
        self.second = nn.Linear(config.feature_width, config.feature_width)
        self.norm = nn.LayerNorm(config.feature_width)
        self.project = nn.Linear(config.feature_width, config.soft_tokens * config.width)
        self.place = nn.Embedding(config.soft_tokens, config.width)
        nn.init.normal_(self.place.weight, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        """Map float [n, n_features] to float [n, soft_tokens, width]."""
        value = features.clamp(-VALUE_LIMIT, VALUE_LIMIT)
        low, high = self.edges[:, :-1], self.edges[:, 1:]
        place = ((value.unsqueeze(2) - low) / (high - low)).clamp(0.0, 1.0)
        x = torch.cat([place.flatten(1), value], dim=1)
        x = functional.gelu(self.first(x))
        x = self.norm(x + functional.gelu(self.second(x)))
        tokens: Tensor = self.project(x).view(-1, self.soft_tokens, self.width)
        return tokens + self.place.weight

    @torch.no_grad()
    def fit_bins(self, features: Tensor) -> None:
        """Put the bin edges at the quantiles of a sample of the training features.

        Parameters
        ----------
        features
            float32 [n, n_features], some thousand rows.
        """
        bins = self.edges.shape[1] - 1
        at = torch.linspace(0.0, 1.0, bins + 1, device=features.device)
        edges = torch.quantile(features.clamp(-VALUE_LIMIT, VALUE_LIMIT), at, dim=0).T
        # Equal quantiles (counts, flags) become bins of the narrowest width, side by side.
        steps = (edges[:, 1:] - edges[:, :-1]).clamp(min=_NARROWEST_BIN).cumsum(dim=1)
        self.edges.copy_(torch.cat([edges[:, :1], edges[:, :1] + steps], dim=1))
