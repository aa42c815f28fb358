"""How well each feature can be predicted, learnt from cells that training held out.

Predictions of RNA and ATAC are at a reference depth: that deeper cells have more counts of everything is not what is to
be predicted.

For every feature two estimates are joined. What its held-out cells show is right on average, and noisy where few of
them tell: Pearson correlation of predicted and measured values, or, for open chromatin, the area under the ROC curve of
presence. What the model expects needs no measured value: were it right, the correlation would be the spread of its
predictions over that of the measurements. That can be told from training cells, too. The first weighs as many cells as
it has, the second 100.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import norm
from sklearn.neighbors import NearestNeighbors

from multiome.data.dataset import CellDataset
from multiome.metrics.ranking import auroc_per_feature
from multiome.metrics.validation import dense
from multiome.predict.expected import expected
from multiome.predict.fitted import Fitted
from multiome.predict.held_out import coverage, known, query_of, recorded, with_others
from multiome.predict.multiple_tests import bh
from multiome.predict.scale import WHOLE_CELL, compared_on, on_scale

BELIEF = 100.0
"""Cells' worth of belief in what the model expects of itself."""
LEVEL = 0.05
"""Features are called predictable so that at most this share of them is not (Benjamini-Hochberg)."""
MIN_SEEN = 10
"""Cells with a fragment in a peak, below which they tell nothing of it."""
N_DEPTHS = 5
"""Groups of cells of like depth."""
N_NEIGHBOURS = 30
ENTRIES = 5_000_000
"""Of dense matrices, at a time."""
MAX_REFERENCE = 20_000
"""Training cells among which neighbours are looked for."""
COLUMNS = [
    "modality", "feature", "score", "reliability", "held_out", "over_mean", "over_knn", "n_cells", "predictable"
]  # fmt: skip


def learn_reliability(
    fitted: Fitted, cells: CellDataset, *, rows: np.ndarray, held_out: np.ndarray, seed: int
) -> pd.DataFrame:
    """One row per feature of every modality of which enough cells were held out beside another one."""
    found = [pd.DataFrame(columns=COLUMNS)]
    for key in fitted.spec.modalities:
        scored = with_others(cells, held_out, key, seed=seed)
        if len(scored):
            found.append(reliability_of(fitted, cells, key, rows=rows, scored=scored, seed=seed))
    tables = [table for table in found if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else found[0]


def reliability_of(
    fitted: Fitted, cells: CellDataset, key: str, *, rows: np.ndarray, scored: np.ndarray, seed: int
) -> pd.DataFrame:
    """The features of one modality."""
    spec = fitted.spec.modalities[key]
    scale = compared_on(spec.kind, is_count=spec.modality.is_count)
    pool = neighbours(fitted, cells, key, rows=rows, scored=scored, seed=seed)
    more = np.setdiff1d(with_others(cells, rows, key, seed=seed), scored)
    looked_at, n = np.concatenate([scored, more]), len(scored)
    every = pd.Index(spec.features)
    size = len(every) if scale in WHOLE_CELL else max(ENTRIES // len(looked_at), 1)
    # CLR is of a cell's own proteins: how many it has is part of what is predicted
    at = "reference" if scale in ("log_cp10k", "probability") else "predicted"
    depth = recorded(cells, scored, key)[1]
    strata = np.argsort(np.argsort(depth, kind="stable")) * N_DEPTHS // len(depth)
    parts = []
    for start in range(0, len(every), size):
        columns = np.arange(start, min(start + size, len(every)))
        query = query_of(fitted, cells, looked_at, key, every[columns], depth=at)
        predicted = expected(query, scale, seed=seed).astype(np.float64)
        measured, telling = measurements(cells, looked_at, key, scale, columns)
        n_telling = telling[:n].sum(0).astype(float)
        parts.append(
            judge(
                predicted[:n], measured[:n], n_telling, pool.predict(cells, key, scale, columns), scale,
                strata=strata, hoped=hoped(predicted, measured, scale),
            )
        )  # fmt: skip
    found = pd.concat(parts, ignore_index=True)
    found["predictable"] = bh(found.pop("p").to_numpy()) <= LEVEL
    found.insert(0, "feature", every)
    found.insert(0, "modality", key)
    return found[COLUMNS]


def judge(
    predicted: Float[np.ndarray, "cell feature"],
    measured: Float[np.ndarray, "cell feature"],
    n_telling: Float[np.ndarray, " feature"],
    beside: Float[np.ndarray, "cell feature"],
    scale: str,
    *,
    strata: Int[np.ndarray, " cell"],
    hoped: Float[np.ndarray, " feature"],
) -> pd.DataFrame:
    """Some features: their reliability, and p of being predicted no better than by the mean.

    ``hoped`` is what the model expects of itself. A fragment is likelier in a deeper cell, whatever the cell is: only
    cells of like depth are compared.
    """
    if scale == "probability":
        seen = measured > 0
        often = np.flatnonzero(seen.sum(0) >= MIN_SEEN)
        shown, theirs, chance = np.full(seen.shape[1], np.nan), np.full(seen.shape[1], np.nan), 0.5
        if len(often):
            shown[often], theirs[often] = (
                auroc_per_feature(x[:, often], seen[:, often], strata=strata) for x in (predicted, beside)
            )
        p = norm.sf((shown - 0.5) / auroc_error(seen))
    else:
        shown, theirs, chance = correlation(predicted, measured), correlation(beside, measured), 0.0
        n = (~np.isnan(measured)).sum(0)
        p = norm.sf(np.arctanh(np.clip(shown, -0.999, 0.999)) * np.sqrt(np.maximum(n - 3, 0)))
    unknown = np.isnan(shown)
    share = np.where(unknown, 0, n_telling / (n_telling + BELIEF))
    value = share * np.nan_to_num(shown) + (1 - share) * hoped  # NaN where nothing was seen to vary
    return pd.DataFrame(
        {
            "score": "auroc" if scale == "probability" else "r",
            "reliability": value.round(4),
            "held_out": shown.round(4),
            "over_mean": (value - chance).round(4),
            "over_knn": (shown - theirs).round(4),
            "n_cells": n_telling.astype(int),
            "p": np.where(unknown, np.nan, p),
        }
    )


def hoped(
    predicted: Float[np.ndarray, "cell feature"], measured: Float[np.ndarray, "cell feature"], scale: str
) -> Float[np.ndarray, " feature"]:
    """The score of each feature were the predictions right; NaN where nothing was seen to vary."""
    if scale == "probability":
        return expected_auroc(predicted)
    varies = spread(measured, measured)
    return np.where(varies > 1e-9, np.minimum(spread(predicted, measured) / np.maximum(varies, 1e-12), 1), np.nan)


def measurements(
    cells: CellDataset, rows: np.ndarray, key: str, scale: str, columns: np.ndarray
) -> tuple[Float[np.ndarray, "cell feature"], Bool[np.ndarray, "cell feature"]]:
    """Measured values of some features on the scale, NaN where nothing was, and which cells tell of each.

    A cell tells if it was measured; of counts that are mostly 0, only if there is one.
    """
    values, depth = recorded(cells, rows, key)
    calls = coverage(cells, rows, key)
    there = known(cells, rows, key)
    there = None if there is None else there[:, columns]
    y = dense(on_scale(values[:, columns], depth, None if calls is None else calls[:, columns], scale, there))
    if calls is not None:
        y = np.where(calls[:, columns].toarray() > 0, y, np.nan)
        return y, ~np.isnan(y)
    if there is not None:
        return np.where(there, y, np.nan), (y != 0) & there
    return y, y != 0


@dataclass(frozen=True)
class Neighbours:
    """The 30 training cells nearest to each scored cell, by the latent state that the other modalities give."""

    rows: np.ndarray
    """Training cells."""
    pool: sp.csr_array
    """Scored cells x training cells, 1 where near."""

    def predict(
        self, cells: CellDataset, key: str, scale: str, columns: np.ndarray
    ) -> Float[np.ndarray, "cell feature"]:
        """The mean of their measured values of some features on the scale."""
        values, depth = recorded(cells, self.rows, key)
        calls = coverage(cells, self.rows, key)
        if calls is not None:
            covered = (self.pool @ calls[:, columns]).toarray()
            return (self.pool @ values[:, columns]).toarray() / np.maximum(covered, 1)
        there = known(cells, self.rows, key)
        if there is not None:  # those of the neighbours that were measured in it; all alike where none was
            there = there[:, columns]
            y = dense(on_scale(values[:, columns], depth, None, scale, there))
            n, mean = self.pool @ there.astype(float), np.where(there, y, 0).sum(0) / np.maximum(there.sum(0), 1)
            return np.where(n > 0, (self.pool @ np.where(there, y, 0)) / np.maximum(n, 1), mean)
        pooled = self.pool @ on_scale(values[:, columns], depth, None, scale) / self.pool[[0]].sum()
        return dense(pooled)


def neighbours(
    fitted: Fitted, cells: CellDataset, key: str, *, rows: np.ndarray, scored: np.ndarray, seed: int
) -> Neighbours:
    """Find them among at most `MAX_REFERENCE` training cells that have the modality."""
    there = rows[cells.observed(key)[rows]]
    chosen = np.sort(np.random.default_rng(seed).permutation(there)[:MAX_REFERENCE])
    queries = (query_of(fitted, cells, some, key) for some in (chosen, scored))
    with torch.no_grad():
        a, b = (np.concatenate([block.q.loc.cpu().numpy() for block in query.blocks()]) for query in queries)
    near = NearestNeighbors(n_neighbors=min(N_NEIGHBOURS, len(a))).fit(a).kneighbors(b, return_distance=False)
    starts = np.arange(0, near.size + 1, near.shape[1])
    return Neighbours(chosen, sp.csr_array((np.ones(near.size), near.ravel(), starts), shape=(len(b), len(a))))


def correlation(
    predicted: Float[np.ndarray, "cell feature"], measured: Float[np.ndarray, "cell feature"]
) -> Float[np.ndarray, " feature"]:
    """Pearson correlation of each feature over the cells in which it was measured; NaN where it does not vary there."""
    there = ~np.isnan(measured)
    x, y = centred(predicted, there), centred(measured, there)
    norms = np.sqrt((x**2).sum(0)), np.sqrt((y**2).sum(0))
    varies = norms[1] > 1e-9
    r = (x * y).sum(0) / np.maximum(norms[0] * norms[1], 1e-12)
    return np.where(varies, np.clip(r, -1, 1), np.nan)


def spread(
    values: Float[np.ndarray, "cell feature"], measured: Float[np.ndarray, "cell feature"]
) -> Float[np.ndarray, " feature"]:
    """Root of the sum of squares around the mean over the cells in which each feature was measured."""
    return np.sqrt((centred(values, ~np.isnan(measured)) ** 2).sum(0))


def centred(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Less their mean where they are there, 0 elsewhere."""
    filled = np.where(there, values, 0.0)
    return np.where(there, filled - filled.sum(0) / np.maximum(there.sum(0), 1), 0.0)


def expected_auroc(probability: Float[np.ndarray, "cell feature"]) -> Float[np.ndarray, " feature"]:
    """How often a cell with the feature has a higher probability than a cell without, were all of them true."""
    p = np.sort(np.clip(probability, 1e-12, 1 - 1e-12), axis=0)
    absent = np.cumsum(1 - p, axis=0)
    won = (p * (absent - (1 - p) / 2)).sum(0)
    # a cell is not compared with itself
    itself = (p * (1 - p)).sum(0)
    return (won - itself / 2) / np.maximum(p.sum(0) * (1 - p).sum(0) - itself, 1e-12)


def auroc_error(seen: np.ndarray) -> Float[np.ndarray, " feature"]:
    """Standard error of the area under the curve of a score that knows nothing (Mann and Whitney 1947)."""
    n_seen = seen.sum(0)
    n_not = len(seen) - n_seen
    return np.sqrt((len(seen) + 1) / (12 * np.maximum(n_seen * n_not, 1)))
