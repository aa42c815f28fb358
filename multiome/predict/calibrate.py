"""Learn how dispersed each feature is around its prediction, from cells that training held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from multiome.data.dataset import CellDataset
from multiome.predict.calibration import Calibration, Precision
from multiome.predict.fitted import Fitted
from multiome.predict.held_out import Measured, query_of, with_others
from multiome.types import SparseRows

N_DRAWS = 20
"""States and depths drawn per held-out cell."""
MAX_FEATURES = 300
"""Features looked at one by one, those seen most often; rarer counts look the same however dispersed."""
LOG_FACTORS = np.linspace(-2, 2, 17)
"""Logarithms of the factors that are tried."""
PRIOR = 0.5
"""Standard deviation of the log factor of a feature around that of its modality, and of this one around 0."""


def calibrate(fitted: Fitted, cells: CellDataset, held_out: np.ndarray, *, seed: int) -> Calibration:
    """The factors of every modality that has a dispersion, and of which enough cells were held out beside another one.

    Methylation is left as it is: most sites are called once, and one call does not show a dispersion.
    """
    precisions = {}
    for key in fitted.spec.modalities:
        rows = with_others(cells, held_out, key, seed=seed)
        if len(rows) and fitted.vae.channel(key).likelihood.disperses:
            precisions[key] = learn_precision(fitted, cells, rows, key, seed=seed)
    return Calibration(precisions)


def learn_precision(fitted: Fitted, cells: CellDataset, rows: np.ndarray, key: str, *, seed: int) -> Precision:
    """The most probable factors: all features' together first, then each feature's around it."""
    features = often_seen(fitted, cells, rows, key)
    told = predictive(fitted, cells, rows, key, features, seed=seed)
    pooled = LOG_FACTORS[np.argmax(told.sum(1) - LOG_FACTORS**2 / (2 * PRIOR**2))]
    around = (LOG_FACTORS - pooled) ** 2 / (2 * PRIOR**2)
    single = LOG_FACTORS[np.argmax(told - around[:, None], axis=0)]
    by_name = dict(zip(features, np.exp(single).round(3).tolist(), strict=True))
    return Precision(len(rows), round(float(np.exp(pooled)), 3), by_name)


def often_seen(fitted: Fitted, cells: CellDataset, rows: np.ndarray, key: str) -> pd.Index:
    """The features that most of the cells have a count of."""
    values = Measured.of(cells, rows, key).values
    seen = np.bincount(values.indices[values.data != 0], minlength=values.shape[1])
    chosen = np.sort(np.argsort(-seen, kind="stable")[:MAX_FEATURES])
    return pd.Index(fitted.spec.modalities[key].features)[chosen]


@torch.no_grad()
def predictive(
    fitted: Fitted, cells: CellDataset, rows: np.ndarray, key: str, features: pd.Index, *, seed: int
) -> Float[np.ndarray, "factor feature"]:
    """Log probability of what was measured, predicted from the other modalities, summed over cells, for each factor."""
    query = query_of(fitted, cells, rows, key, features)
    likelihood = fitted.vae.channel(key).likelihood
    columns = pd.Index(fitted.spec.modalities[key].features).get_indexer(features)
    theirs = Measured.of(cells, rows, key).only(columns)
    factors = torch.from_numpy(np.exp(LOG_FACTORS).astype(np.float32)).to(fitted.device)
    total = np.zeros((len(factors), len(features)))
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        for block in query.blocks():
            x = likelihood.recorded(SparseRows.from_scipy(theirs.values[block.index]).to(fitted.device))
            told = factors.new_full((len(factors), len(block.index), len(features)), -torch.inf)
            for _ in range(N_DRAWS):
                p, _ = query.decode(block, block.q.sample(), torch.randn(len(block.index), 1), "counts")
                for i, factor in enumerate(factors):
                    told[i] = torch.logaddexp(told[i], likelihood.dispersed(p, factor).log_prob(x))
            if theirs.known is not None:
                told *= torch.from_numpy(theirs.known[block.index]).to(told.device)
            total += told.double().sum(1).cpu().numpy()
    return total
