"""A new model, set up from its training cells before the first step."""

from __future__ import annotations

import numpy as np
import torch

from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.graph.edges import FeatureEdges
from multiome.model.config import ModelConfig
from multiome.model.vae import MultiomeVAE
from multiome.types import Batch

MAX_CELLS = 20_000
"""Statistics and components are computed on at most so many training cells per modality."""


def begin(
    spec: DataSpec,
    cells: CellDataset,
    rows: np.ndarray,
    config: ModelConfig,
    *,
    seed: int,
    balance: float,
    edges: FeatureEdges | None = None,
) -> MultiomeVAE:
    """Random weights, and for every modality the components and the average profile of the training cells."""
    vae = MultiomeVAE(spec, config, edges)
    surprise = {}
    rng = np.random.default_rng(seed)
    some = {key: some_of(rows[cells.observed(key)[rows]], rng) for key in vae.keys}
    for key in vae.keys:
        batch = cells.take(some[key])
        vae.channel(key).initialise(batch.counts[key], batch.exposure[key], batch.coverage.get(key))
        surprise[key] = mean_surprise(vae, cells.take(rng.permutation(some[key])[:500]), key)
    for key, s in spec.modalities.items():
        if edges is not None and s.lender is not None:
            batch, lender = cells.take(some[key]), vae.channel(s.lender)
            borrowed = edges.average(key, over=s.lender) @ lender.projection.loadings[:, : lender.n_own].numpy()
            vae.channel(key).borrow(
                lender,
                torch.from_numpy(borrowed).float(),
                batch.counts[key],
                batch.exposure[key],
                batch.coverage.get(key),
            )
    typical = float(np.exp(np.mean(np.log(list(surprise.values())))))
    vae.weights = {key: (typical / value) ** balance for key, value in surprise.items()}
    return vae


def some_of(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At most `MAX_CELLS` of the rows, in order."""
    return np.sort(rng.choice(rows, MAX_CELLS, replace=False)) if len(rows) > MAX_CELLS else rows


@torch.no_grad()
def mean_surprise(vae: MultiomeVAE, batch: Batch, key: str) -> float:
    """Negative log-likelihood per cell of the average profile, in nats."""
    channel = vae.channel(key)
    nothing = torch.zeros(len(batch), channel.head.embedding.shape[-1])
    p = channel.decode(nothing, vae.exposure(batch, key, None))
    return max(-float(p.log_prob(batch.counts[key].dense()).sum(-1).mean()), 1.0)
