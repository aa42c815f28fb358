"""How close predicted values are to observed ones: Pearson correlation per feature and per cell, and RMSE."""

from __future__ import annotations

from typing import Literal

import numpy as np

from multiome.metrics.validation import Array, Matrix, Values, as_matrix, blocks, check_finite, check_same_shape, dense

ENTRIES = 2_000_000  # of the matrices, in double precision at a time
CONSTANT = 1e-9  # a spread below this share of the values is rounding


def pearson(predicted: Values, truth: Values, *, per: Literal["feature", "cell"] = "feature") -> Array:
    """Pearson correlation of each feature over the cells, or of each cell over the features.

    Parameters
    ----------
    predicted, truth
        Values on the same scale, cells x features, dense or sparse.
    per
        ``"feature"`` gives one value per feature, ``"cell"`` one per cell.

    Returns
    -------
    Correlations from -1 to 1; 0 where the prediction is constant, NaN where the truth is (it cannot be predicted).
    """
    p, t = _matrices(predicted, truth)
    if per not in ("feature", "cell"):
        raise ValueError(f'`per` must be "feature" or "cell", got {per!r}.')
    by_feature = per == "feature"
    n_rows, n_items = t.shape if by_feature else t.shape[::-1]
    found, everything = np.empty(n_items), slice(None)
    for items in blocks(n_items, max(ENTRIES // n_rows, 1)):
        index = (everything, items) if by_feature else (items, everything)
        x, y = (dense(m[index]).astype(np.float64) for m in (p, t))
        found[items] = _pearson(x, y) if by_feature else _pearson(x.T, y.T)
    return found


def rmse(predicted: Values, truth: Values) -> float:
    """Root of the mean squared error over all cells and features (dense or sparse, cells x features); 0 is perfect."""
    p, t = _matrices(predicted, truth)
    total = 0.0
    for rows in blocks(t.shape[0], max(ENTRIES // t.shape[1], 1)):
        x, y = (dense(m[rows]).astype(np.float64) for m in (p, t))
        total += float(((x - y) ** 2).sum())
    return float(np.sqrt(total / (t.shape[0] * t.shape[1])))


def correlation(predicted: Values, truth: Values) -> dict[str, float]:
    """Mean Pearson correlation per feature and per cell, and RMSE, on the scale both are given in.

    Parameters
    ----------
    predicted, truth
        Values on the same scale, cells x features, dense or sparse.

    Returns
    -------
    ``feature_r`` and ``cell_r``
        Means of :func:`pearson` over the features and cells whose truth varies; a constant prediction scores 0. NaN
        when none varies.
    ``rmse``
        Root mean squared error; 0 is perfect.
    """
    p, t = _matrices(predicted, truth)
    return {"feature_r": _mean(pearson(p, t)), "cell_r": _mean(pearson(p, t, per="cell")), "rmse": rmse(p, t)}


def _pearson(x: Array, y: Array) -> Array:
    """Of each column."""
    size = np.abs(x).max(0)
    varies = np.ptp(y, axis=0) > 0
    x, y = x - x.mean(0), y - y.mean(0)
    sx, sy = np.sqrt((x**2).sum(0)), np.sqrt((y**2).sum(0))
    predicts = sx > CONSTANT * np.sqrt(len(x)) * size
    r = np.divide((x * y).sum(0), sx * sy, out=np.zeros(x.shape[1]), where=predicts & varies)
    return np.where(varies, r, np.nan)


def _matrices(predicted: Values, truth: Values) -> tuple[Matrix, Matrix]:
    p, t = as_matrix("predicted", predicted), as_matrix("truth", truth)
    check_same_shape("predicted", p, "truth", t)
    for name, m in (("predicted", p), ("truth", t)):
        check_finite(name, m, "leave out the cells or features that were not measured or predicted")
    return p, t


def _mean(r: Array) -> float:
    defined = r[~np.isnan(r)]
    return float(defined.mean()) if len(defined) else float("nan")
