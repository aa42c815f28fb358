"""Scores of each feature over cells: those that predictions reach, and those that they would, were they right."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


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
    """Standard deviation over the cells in which each feature was measured."""
    there = ~np.isnan(measured)
    return np.sqrt((centred(values, there) ** 2).sum(0) / np.maximum(there.sum(0), 1))


def expected_correlation(
    predicted: Float[np.ndarray, "cell feature"],
    measured: Float[np.ndarray, "cell feature"],
    varies: Float[np.ndarray, " feature"],
) -> Float[np.ndarray, " feature"]:
    """The correlation of each feature were the predictions right; NaN where measured values do not vary.

    ``varies`` is the standard deviation of these, in cells like those predicted.
    """
    return np.where(varies > 1e-9, np.minimum(spread(predicted, measured) / np.maximum(varies, 1e-12), 1), np.nan)


def centred(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Less their mean where they are there, 0 elsewhere."""
    filled = np.where(there, values, 0.0)
    return np.where(there, filled - filled.sum(0) / np.maximum(there.sum(0), 1), 0.0)


def expected_auroc(probability: Float[np.ndarray, "cell feature"]) -> Float[np.ndarray, " feature"]:
    """How often a cell with the feature has a higher probability than a cell without, were all of them true."""
    p = np.sort(np.clip(probability.T, 1e-12, 1 - 1e-12), axis=1)
    n, total, squares = p.shape[1], p.sum(1), np.einsum("fc,fc->f", p, p)
    itself = total - squares  # a cell is not compared with itself
    # the sum of p_i (1 - p_j) over pairs j <= i, of which that of p_i p_j does not depend on the order
    won = p @ np.arange(1.0, n + 1) - (total**2 + squares) / 2 - itself
    return won / np.maximum(total * (n - total) - itself, 1e-12)


def auroc_error(seen: np.ndarray) -> Float[np.ndarray, " feature"]:
    """Standard error of the area under the curve of a score that knows nothing (Mann and Whitney 1947)."""
    n_seen = seen.sum(0)
    n_not = len(seen) - n_seen
    return np.sqrt((len(seen) + 1) / (12 * np.maximum(n_seen * n_not, 1)))
