"""The decoder: one small trunk shared by all modalities, then an embedding of each feature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from multiome.nn.mlp import ResidualMLP


class Trunk(nn.Module):
    """``h(z, batch)``: the latent state, and a learned embedding of each experimental covariate."""

    def __init__(
        self,
        n_latent: int,
        n_out: int,
        *,
        shares: Sequence[np.ndarray],
        n_batch_latent: int,
        n_hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.batch_effects = nn.ParameterList(torch.randn(len(share), n_batch_latent) * 0.1 for share in shares)
        for i, share in enumerate(shares):
            # copied: the last bit of a matrix times a vector depends on where in memory NumPy has put it
            self.register_buffer(f"share{i}", torch.tensor(share))
        self.network = ResidualMLP(n_latent + n_batch_latent * len(shares), n_out, n_hidden=n_hidden, dropout=dropout)

    def forward(
        self, z: Float[Tensor, "*draw cell latent"], batch_effect: Float[Tensor, "cell effect"]
    ) -> Float[Tensor, "*draw cell hidden"]:
        return self.network(torch.cat([z, batch_effect.expand(*z.shape[:-1], -1)], -1))

    def batch_effect(self, batch_index: Int[Tensor, "cell covariate"]) -> Float[Tensor, "cell effect"]:
        """The embedding of every cell's experimental batches; level -1 is the cell-weighted average of all."""
        effects = []
        for i, table in enumerate(self.batch_effects):
            average = getattr(self, f"share{i}") @ table
            effects.append(torch.cat([table, average[None]])[batch_index[:, i]])
        return torch.cat(effects, -1) if effects else torch.zeros(len(batch_index), 0, device=batch_index.device)


class Head(nn.Module):
    """``h @ V.T`` for the features of one modality; the likelihood holds the bias."""

    def __init__(self, n_features: int, n_hidden: int, *, n_outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(n_outputs, n_features, n_hidden) * 0.01)

    def forward(
        self,
        h: Float[Tensor, "cell hidden"],
        features: Int[Tensor, " feature"] | None = None,
        embedding: Float[Tensor, "n_outputs feature hidden"] | None = None,
    ) -> Float[Tensor, "n_outputs cell feature"]:
        """Of some features, or all; with other embeddings of these features where they are given."""
        if embedding is None:
            embedding = self.embedding if features is None else self.embedding.index_select(1, features)
        if len(embedding) == 1:  # a product with a stack of matrices is copied into place
            return (h @ embedding.squeeze(0).T)[None]
        return h @ embedding.mT
