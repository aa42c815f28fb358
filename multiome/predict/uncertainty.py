"""Whether predicted intervals hold what they say, and how narrow they are, feature by feature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float

from multiome.metrics.calibration import pit
from multiome.predict.drawn import Wanted, check_room, draws
from multiome.predict.states import Query

MAX_FEATURES = 1_000
"""Features looked at, drawn at random where there are more."""
MAX_BYTES = 2**28
"""Draws held at a time."""


@dataclass(frozen=True)
class Uncertainty:
    """Of each feature that was looked at, over the cells in which it was measured."""

    columns: np.ndarray
    """Which they are."""
    covered: Float[np.ndarray, " feature"]
    """Share of the measured values whose randomised transform lies inside the central interval."""
    width: Float[np.ndarray, " feature"]
    """Mean width of the intervals; NaN for methylation, of which draws are fractions."""
    score: Float[np.ndarray, " feature"]
    """Mean interval score (Gneiting and Raftery 2007): width, and a penalty for what lies outside; small is good."""


def of_draws(
    query: Query,
    measured: sp.csr_matrix,
    calls: sp.csr_matrix | None,
    scale: str,
    *,
    known: Bool[np.ndarray, "cell feature"] | None = None,
    level: float,
    n_samples: int,
    seed: int,
) -> Uncertainty:
    """Of a model's draws, on the scale that was counted; ``measured`` and ``known`` have the query's features."""
    check_room(n_samples, len(query.cells), 1, "Choose a smaller n_samples or max_cells.")
    rng = np.random.default_rng(seed)
    columns = np.sort(rng.permutation(len(query.features))[:MAX_FEATURES])
    parts = []
    for some in chunks(columns, 4 * n_samples * len(query.cells)):
        drawn, _ = draws(query.only(query.features[some]), Wanted(scale, n_samples, seed), expected=False)
        values = where(measured[:, some].toarray(), known, some)
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        if calls is not None:
            covered = calls[:, some].toarray()
            drawn = rng.binomial(covered.astype(np.int64), drawn).astype(np.float32)
            values = np.where(covered > 0, values, np.nan)
            low, high = np.full_like(values, np.nan), np.full_like(values, np.nan)
        u = pit(drawn, values, seed=seed)
        inside = np.where(np.isnan(u), np.nan, np.abs(u - 0.5) <= level / 2)
        parts.append((mean(inside), *interval_quality(low, high, values, level)))
    return Uncertainty(columns, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def unconditional(
    training: sp.csr_matrix,
    measured: sp.csr_matrix,
    columns: np.ndarray,
    *,
    level: float,
    trained_in: Bool[np.ndarray, "reference feature"] | None = None,
    known: Bool[np.ndarray, "cell feature"] | None = None,
) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, " feature"]]:
    """Width and interval score of the training cells' own quantiles, the same for every cell.

    ``trained_in`` and ``known`` say where the one and the other were measured.
    """
    parts = []
    for some in chunks(columns, 8 * max(training.shape[0], measured.shape[0])):
        ends = quantiles(training[:, some].toarray(), trained_in, some, level=level)
        values = where(measured[:, some].toarray(), known, some)
        low, high = (np.broadcast_to(end, values.shape) for end in ends)
        parts.append(interval_quality(low, high, values, level))
    width, score = zip(*parts, strict=True)
    return np.concatenate(width), np.concatenate(score)


def where(values: np.ndarray, known: np.ndarray | None, columns: np.ndarray) -> Float[np.ndarray, "cell feature"]:
    """Values of some features, NaN where they were not measured."""
    return values.astype(np.float64) if known is None else np.where(known[:, columns], values, np.nan)


def quantiles(
    values: np.ndarray, known: np.ndarray | None, columns: np.ndarray, *, level: float
) -> Float[np.ndarray, "end feature"]:
    """Both ends of the central interval of what was measured of each feature; NaN where nothing was."""
    ends = [(1 - level) / 2, (1 + level) / 2]
    if known is None:
        return np.quantile(values, ends, axis=0)
    each = [values[there, j] for j, there in enumerate(known[:, columns].T)]
    return np.array([np.quantile(x, ends) if len(x) else [np.nan, np.nan] for x in each]).T


def interval_quality(
    low: np.ndarray, high: np.ndarray, values: np.ndarray, level: float
) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, " feature"]]:
    """Mean width and mean interval score of each feature."""
    outside = np.maximum(low - values, 0) + np.maximum(values - high, 0)
    return mean(high - low), mean(high - low + 2 / (1 - level) * outside)


def mean(values: np.ndarray) -> Float[np.ndarray, " feature"]:
    """Over the cells where there is a value; NaN where there is none."""
    known = ~np.isnan(values)
    return np.where(known.any(0), np.where(known, values, 0).sum(0) / np.maximum(known.sum(0), 1), np.nan)


def chunks(columns: np.ndarray, bytes_per_column: int) -> Iterator[np.ndarray]:
    """So many columns that they fit into memory together."""
    size = max(MAX_BYTES // bytes_per_column, 1)
    return (columns[start : start + size] for start in range(0, len(columns), size))
