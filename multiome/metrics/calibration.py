"""Whether the stated uncertainty is right: probability integral transforms, their coverage, the interval score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from multiome.metrics.validation import Array, check_level, check_same_shape

NEAR = 0.06  # a feature whose coverage is this close to the stated level counts as calibrated


def pit(draws: npt.ArrayLike, observed: npt.ArrayLike, *, seed: int = 0) -> Array:
    """Randomised probability integral transform: where each observation falls among draws of its prediction.

    With S draws, of which b lie below the observation and e equal it, u = (b + V (e + 1)) / (S + 1) with V uniform.
    If the observation is one more draw from the same distribution, u is exactly uniform, for counts as well and for any
    number of draws.

    Parameters
    ----------
    draws
        Samples of the predictive distribution, samples x cells x features.
    observed
        Observed values, cells x features; NaN where nothing was observed.
    seed
        Seed of V.

    Returns
    -------
    Values between 0 and 1, cells x features; NaN where nothing was observed.

    References
    ----------
    Czado, Gneiting and Held, "Predictive model assessment for count data", Biometrics 2009.
    """
    samples, x = np.asarray(draws), np.asarray(observed)
    if samples.ndim != 3 or samples.shape[1:] != x.shape or 0 in samples.shape:
        raise ValueError(
            f"`draws` must be samples x cells x features and `observed` cells x features, none of them empty, "
            f"got {samples.shape} and {x.shape}."
        )
    below, equal = np.zeros(x.shape), np.zeros(x.shape)
    for sample in samples:
        if np.isnan(sample).any():
            raise ValueError("`draws` must not hold NaN.")
        below += sample < x
        equal += sample == x
    u = (below + np.random.default_rng(seed).random(x.shape) * (equal + 1)) / (len(samples) + 1)
    return np.where(np.isnan(x), np.nan, u)


def pit_coverage(u: npt.ArrayLike, level: float = 0.9) -> dict[str, float]:
    """Share of observations inside the central interval, from their probability integral transforms.

    Plain quantile intervals of small counts cannot have the stated coverage; randomised transforms can.

    Parameters
    ----------
    u
        Transforms, cells x features, as from :func:`pit`; uniform when calibrated. NaN (not observed) is left out.
    level
        Probability that the interval is said to have.

    Returns
    -------
    ``covered``
        The share inside; ``level`` when calibrated.
    ``features_near``
        The share of features of which it lies within 0.06 of ``level``.
    """
    check_level(level)
    v = np.asarray(u, dtype=np.float64)
    known = ~np.isnan(v)
    if v.ndim != 2 or not known.any():
        raise ValueError(f"`u` must be cells x features with some values that are not NaN, got shape {v.shape}.")
    if (v[known] < 0).any() or (v[known] > 1).any():
        raise ValueError(f"`u` must lie between 0 and 1, got {v[known].min():g} to {v[known].max():g}.")
    inside = (v >= (1 - level) / 2) & (v <= (1 + level) / 2)
    n = known.sum(0)
    per_feature = inside.sum(0)[n > 0] / n[n > 0]
    return {
        "covered": float(inside.sum() / n.sum()),
        "features_near": float((np.abs(per_feature - level) <= NEAR).mean()),
    }


def interval_score(lower: npt.ArrayLike, upper: npt.ArrayLike, observed: npt.ArrayLike, *, level: float = 0.9) -> float:
    """Mean interval score: narrow intervals that hold the observation are best; smaller is better, 0 the best possible.

    Width plus 2 / (1 - level) times the distance by which the observation lies outside. Its expectation is smallest at
    the true quantiles.

    Parameters
    ----------
    lower, upper
        Bounds of the central interval, of any one shape.
    observed
        Observed values, of the same shape; NaN (not observed) is left out.
    level
        Probability that the interval is said to have.

    References
    ----------
    Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 2007, section 6.2.
    """
    check_level(level)
    low, high, x = (np.asarray(v, dtype=np.float64) for v in (lower, upper, observed))
    check_same_shape("lower", low, "upper", high)
    check_same_shape("lower", low, "observed", x)
    known = ~np.isnan(x)
    if not known.any():
        raise ValueError(f"`observed` holds no value that is not NaN; its shape is {x.shape}.")
    low, high, x = low[known], high[known], x[known]
    if not (low <= high).all():
        raise ValueError(f"`lower` must not exceed `upper`, but {(~(low <= high)).sum()} intervals do (or hold NaN).")
    outside = np.maximum(low - x, 0) + np.maximum(x - high, 0)
    return float((high - low + 2 / (1 - level) * outside).mean())
