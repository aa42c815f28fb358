"""A new model, set up from its training cells before the first step."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from multiome.data.cells import apart_in
from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.graph.edges import FeatureEdges
from multiome.model.config import ModelConfig
from multiome.model.vae import MultiomeVAE
from multiome.train.matching import matched, without_depth
from multiome.types import Batch

MAX_CELLS = 20_000
"""Statistics and components are computed on at most so many training cells per modality."""
MAX_MATCHED = 4_000
"""Cells of either modality that are compared, each with each, where no cell has both."""


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
    some = {key: some_of(rows[cells.observed(key)[rows]], MAX_CELLS, rng) for key in vae.keys}
    for key in vae.keys:
        batch = cells.take(some[key])
        vae.channel(key).initialise(batch.counts[key], batch.exposure[key], batch.coverage.get(key), batch.known(key))
        surprise[key] = mean_surprise(vae, cells.take(rng.permutation(some[key])[:500]), key)
    if edges is not None:
        lend(vae, spec, cells, edges, some)
    typical = float(np.exp(np.mean(np.log(list(surprise.values())))))
    vae.weights = {key: (typical / value) ** balance for key, value in surprise.items()}
    return vae


def some_of(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most so many of the rows, in order."""
    return np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows


def lend(
    vae: MultiomeVAE,
    spec: DataSpec,
    cells: CellDataset,
    edges: FeatureEdges,
    some: Mapping[str, np.ndarray],
) -> None:
    """Encoders begin with what the graph tells of the components of the modality that lends them."""
    apart = [set(pair) for pair in apart_in({key: cells.observed(key) for key in vae.keys})]
    for key, s in spec.modalities.items():
        if s.lender is None:
            continue
        channel, lender = vae.channel(key), vae.channel(s.lender)
        near, lent = edges.average(key, over=s.lender), lender.own_loadings
        if {key, s.lender} in apart:
            channel.show(near @ (lent - lent.mean(0)))  # the mean over genes would follow depth
            few = {k: cells.take(some[k][:: math.ceil(len(some[k]) / MAX_MATCHED)]) for k in (key, s.lender)}
            channel.show(channel.own_loadings @ match(vae, few, key, s.lender))
        else:
            channel.show(near @ lent)
        batch = cells.take(some[key])
        channel.borrow(lender, batch.counts[key], batch.exposure[key], batch.coverage.get(key), batch.known(key))


def match(vae: MultiomeVAE, few: Mapping[str, Batch], key: str, lender: str) -> np.ndarray:
    """Weights by which components of a modality tell those of a lender measured in other cells.

    What the modality's encoder is shown of the lender so far is the first guess.
    """
    scores = {
        k: vae.channel(k).components(b.counts[k], b.exposure[k], b.coverage.get(k), b.known(k)).numpy()
        for k, b in few.items()
    }
    own, guess = np.split(scores[key], [vae.channel(key).n_own], axis=1)
    return matched(scores[lender], own, without_depth(guess, few[key].exposure[key].numpy().ravel()))


@torch.no_grad()
def mean_surprise(vae: MultiomeVAE, batch: Batch, key: str) -> float:
    """Negative log-likelihood per cell of the average profile, in nats."""
    channel = vae.channel(key)
    nothing = torch.zeros(len(batch), channel.head.embedding.shape[-1])
    p = channel.likelihood.of_cells(channel.decode(nothing, vae.exposure(batch, key, None)), batch.known(key))
    return max(-float(p.log_prob(channel.likelihood.recorded(batch.counts[key])).mean()), 1.0)
