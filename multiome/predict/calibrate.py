"""Learn how far draws should spread, from cells that training held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.special import ndtri

from multiome.data.dataset import CellDataset
from multiome.predict.calibration import Calibration, Spread
from multiome.predict.fitted import Fitted
from multiome.predict.held_out import query_of, recorded, with_others
from multiome.predict.scale import SCALES, draw, transform_observed

N_DRAWS = 50
"""Draws per held-out cell."""
MAX_FEATURES = 300
"""Features looked at one by one, those seen most often; rarer counts look the same whatever the spread."""
BELIEF = 50.0
"""Cells' worth of belief that a feature is as all of its modality are, and that these are as the model says."""


def calibrate(fitted: Fitted, cells: CellDataset, held_out: np.ndarray, *, seed: int) -> Calibration:
    """The spread of every modality of which enough cells were held out beside another one.

    Methylation is left as it is: its draws are of fractions, which single calls do not show.
    """
    spreads = {}
    for key, spec in fitted.spec.modalities.items():
        rows = with_others(cells, held_out, key, seed=seed)
        if len(rows) and spec.coverage_layer is None:
            spreads[key] = learn_spread(fitted, cells, rows, key, seed=seed)
    return Calibration(spreads)


def learn_spread(fitted: Fitted, cells: CellDataset, rows: np.ndarray, key: str, *, seed: int) -> Spread:
    """Mean square of the normal scores of what was measured in held-out cells."""
    features = often_seen(fitted, cells, rows, key)
    score = np.square(ndtri(np.clip(ranks(fitted, cells, rows, key, features, seed=seed), 1e-3, 1 - 1e-3)))
    n = len(rows)
    pooled = (score.mean() * n + BELIEF) / (n + BELIEF)
    single = (score.sum(0) + BELIEF * pooled) / (n + BELIEF)
    by_name = dict(zip(features, np.sqrt(single).round(3).tolist(), strict=True))
    return Spread(n, round(float(np.sqrt(pooled)), 3), by_name)


def often_seen(fitted: Fitted, cells: CellDataset, rows: np.ndarray, key: str) -> pd.Index:
    """The features that most of the cells have a count of."""
    values, _ = recorded(cells, rows, key)
    seen = np.bincount(values.indices[values.data != 0], minlength=values.shape[1])
    chosen = np.sort(np.argsort(-seen, kind="stable")[:MAX_FEATURES])
    return pd.Index(fitted.spec.modalities[key].features)[chosen]


@torch.no_grad()
def ranks(
    fitted: Fitted, cells: CellDataset, rows: np.ndarray, key: str, features: pd.Index, *, seed: int
) -> Float[np.ndarray, "cell feature"]:
    """Where what was measured falls among draws, as `Prediction.pit` has it."""
    spec = fitted.spec.modalities[key]
    scale = SCALES[spec.kind][0] if spec.modality.is_count else "values"
    query = query_of(fitted, cells, rows, key, features)
    values, depth = recorded(cells, rows, key)
    measured = transform_observed(values[:, query_columns(fitted, key, features)], scale, depth)
    below, equal = np.zeros(measured.shape), np.zeros(measured.shape)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        for block in query.blocks():
            for _ in range(N_DRAWS):
                p, total = query.decode(block, block.q.sample(), torch.randn(len(block.index), 1), scale)
                drawn = query.shown(draw(p, scale, total), scale).numpy()
                below[block.index] += drawn < measured[block.index]
                equal[block.index] += drawn == measured[block.index]
    between = np.random.default_rng(seed).random(measured.shape)
    return (below + between * (equal + 1)) / (N_DRAWS + 1)


def query_columns(fitted: Fitted, key: str, features: pd.Index) -> np.ndarray:
    """Where features stand among those of the model."""
    return pd.Index(fitted.spec.modalities[key].features).get_indexer(features)
