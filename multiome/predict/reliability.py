"""How well each feature can be predicted, learnt from cells that training held out.

Predictions of RNA and ATAC are at a reference depth: that deeper cells have more counts of everything is not what is to
be predicted.

For every feature two estimates are joined. What its held-out cells show is right on average, and noisy where few of
them tell: Pearson correlation of predicted and measured values, or, for open chromatin, the area under the ROC curve of
presence. What the model expects needs few measured values: were it right, the correlation would be the spread of its
predictions over that of the measurements, which training cells tell, too. The first weighs as many cells as it has, the
second 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.stats import norm
from sklearn.utils.sparsefuncs import mean_variance_axis

from multiome.data.dataset import CellDataset
from multiome.metrics.ranking import auroc_per_feature
from multiome.metrics.validation import dense
from multiome.predict.at_once import at_once
from multiome.predict.expected import Known, expected, known_of
from multiome.predict.feature_scores import (
    auroc_error,
    correlation,
    expected_auroc,
    expected_correlation,
    spread,
)
from multiome.predict.fitted import Fitted
from multiome.predict.held_out import Measured, query_of, with_others
from multiome.predict.multiple_tests import bh
from multiome.predict.neighbours import Neighbours, neighbours
from multiome.predict.scale import WHOLE_CELL, compared_on
from multiome.predict.states import Query

BELIEF = 100.0
"""Cells' worth of belief in what the model expects of itself."""
LEVEL = 0.05
"""Features are called predictable so that at most this share of them is not (Benjamini-Hochberg)."""
MIN_SEEN = 10
"""Cells with a fragment in a peak, below which they tell nothing of it."""
N_DEPTHS = 5
"""Groups of cells of like depth."""
MAX_CELLS, ENOUGH = 1_000, 500
"""Held-out cells that are predicted, at most; where they are fewer than enough, training cells make up for them in what
the model expects of itself. Of these, which it has seen, it expects too much."""
ENTRIES = 2_500_000
"""Of dense matrices, at a time."""
COLUMNS = [
    "modality", "feature", "score", "reliability", "held_out", "over_mean", "over_knn", "n_cells", "predictable"
]  # fmt: skip


def learn_reliability(
    fitted: Fitted,
    cells: CellDataset,
    key: str,
    *,
    rows: np.ndarray,
    held_out: np.ndarray,
    seed: int,
    most: int = 1,
) -> pd.DataFrame:
    """One row per feature of a modality, none where too few of its cells were held out beside another one.

    Of so many parts (``most``) of the features at a time.
    """
    scored = with_others(cells, held_out, key, seed=seed, most=MAX_CELLS)
    if not len(scored):
        return pd.DataFrame(columns=COLUMNS)
    examined = Examined.of(fitted, cells, key, rows=rows, scored=scored, seed=seed)
    parts = at_once([partial(examined.judged, some) for some in examined.parts(most)], device=fitted.device, most=most)
    found = pd.concat(parts, ignore_index=True)
    found["predictable"] = bh(found.pop("p").to_numpy()) <= LEVEL
    found.insert(0, "feature", examined.query.features)
    found.insert(0, "modality", key)
    return found[COLUMNS]


def joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Those of all modalities."""
    found = [table for table in tables if len(table)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


@dataclass(frozen=True)
class Examined:
    """Cells of which a modality is predicted as if it had not been measured, and what was."""

    query: Query
    known: list[list[Known]]
    scale: str
    theirs: Measured
    """Of the cells that are predicted; the first were held out."""
    n: int
    """How many of them were."""
    strata: Int[np.ndarray, " held_out"]
    """To which group of like depth each of these belongs."""
    pool: Neighbours
    near: Measured
    """Of the training cells among which the nearest are."""
    seed: int

    @classmethod
    def of(
        cls, fitted: Fitted, cells: CellDataset, key: str, *, rows: np.ndarray, scored: np.ndarray, seed: int
    ) -> Examined:
        """All features of one modality."""
        spec = fitted.spec.modalities[key]
        scale = compared_on(spec.kind, is_count=spec.modality.is_count)
        pool = neighbours(fitted, cells, key, rows=rows, scored=scored, seed=seed)
        more = np.setdiff1d(with_others(cells, rows, key, seed=seed, most=max(ENOUGH - len(scored), 0)), scored)
        looked_at, n = np.concatenate([scored, more]), len(scored)
        # CLR is of a cell's own proteins: how many it has is part of what is predicted
        at = "reference" if scale in ("log_cp10k", "probability") else "predicted"
        query = query_of(fitted, cells, looked_at, key, pd.Index(spec.features), depth=at)
        theirs, near = Measured.of(cells, looked_at, key), Measured.of(cells, pool.rows, key)
        strata = np.argsort(np.argsort(theirs.depth[:n], kind="stable")) * N_DEPTHS // n
        return cls(query, known_of(query, seed=seed), scale, theirs, n, strata, pool, near, seed)

    def parts(self, n: int) -> list[Int[np.ndarray, " some"]]:
        """Features that are judged at a time: ``n`` parts, or more, unless a feature depends on all others."""
        every = np.arange(len(self.query.features))
        if self.scale in WHOLE_CELL:
            return [every]
        size = max(ENTRIES // len(self.query.cells), 1)
        return np.array_split(every, min(max(n, math.ceil(len(every) / size)), len(every)))

    def judged(self, columns: Int[np.ndarray, " some"]) -> pd.DataFrame:
        """What `judge` says of some features."""
        some = self.query.only(self.query.features[columns])
        predicted = expected(some, self.scale, seed=self.seed, known=self.known).astype(np.float64)
        n, own, other = self.n, self.theirs.only(columns), self.near.only(columns)
        measured, telling = measurements(own, self.scale)
        hoped = (
            expected_auroc(predicted)
            if self.scale == "probability"
            else expected_correlation(predicted, measured, varied(other, self.scale))
        )
        n_telling, beside = telling[:n].sum(0).astype(float), self.pool.predict(other, self.scale)
        return judge(predicted[:n], measured[:n], n_telling, beside, self.scale, strata=self.strata, hoped=hoped)


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


def varied(theirs: Measured, scale: str) -> Float[np.ndarray, " feature"]:
    """Standard deviation of each feature's measured values; over some of the cells where values are dense.

    Over more cells than are predicted: of a feature with few counts, these say little.
    """
    if scale == "log_cp10k" and theirs.known is None:
        return np.sqrt(mean_variance_axis(sp.csr_matrix(theirs.on(scale)), axis=0)[1])
    measured, _ = measurements(theirs.every(-(-math.prod(theirs.values.shape) // ENTRIES)), scale)
    return spread(measured, measured)


def measurements(
    theirs: Measured, scale: str
) -> tuple[Float[np.ndarray, "cell feature"], Bool[np.ndarray, "cell feature"]]:
    """Measured values on the scale, NaN where nothing was, and which cells tell of each feature.

    A cell tells if it was measured; of counts that are mostly 0, only if there is one.
    """
    y = dense(theirs.on(scale))
    if theirs.calls is not None:
        y = np.where(theirs.calls.toarray() > 0, y, np.nan)
        return y, ~np.isnan(y)
    if theirs.known is not None:
        return np.where(theirs.known, y, np.nan), (y != 0) & theirs.known
    return y, y != 0
