"""Whether a score ranks positives above negatives: AUROC and average precision."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from multiome.metrics.validation import Array, Dense, Index, check_same_shape

RARE = 0.1
"""Share of positives up to which each is looked up among the sorted scores; of more, all scores are ranked instead."""


def auroc(score: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Probability that a positive has a higher score than a negative, ties counting half.

    1 is perfect, 0.5 is chance; NaN when there are no positives or no negatives. Any strictly increasing transform of
    the score leaves it unchanged.

    Parameters
    ----------
    score, positive
        Scores and whether each is a positive, both of one axis and the same length.

    References
    ----------
    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve", 1982.
    """
    x, seen = _scored(score, positive, n_axes=1)
    return float(auroc_per_feature(x[:, None], seen[:, None])[0])


def auroc_per_feature(score: npt.ArrayLike, positive: npt.ArrayLike, *, strata: npt.ArrayLike | None = None) -> Array:
    """AUROC over the cells, one value per feature; NaN where a feature has no positives or no negatives.

    Parameters
    ----------
    score, positive
        Scores and whether each is a positive, cells x features.
    strata
        A group per cell. Only a positive and a negative of the same group are compared, which frees the result of
        whatever the groups were made of (sequencing depth, say); all such pairs of a feature weigh the same.

    Returns
    -------
    One AUROC per feature.
    """
    x, seen = _scored(score, positive, n_axes=2)
    groups = [np.ones(len(x), dtype=bool)]
    if strata is not None:
        group = np.asarray(strata)
        if group.shape != (len(x),):
            raise ValueError(f"`strata` must hold one value for each of {len(x)} cells, got shape {group.shape}.")
        groups = [group == name for name in np.unique(group)]
    won, pairs = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for member in groups:
        part_won, part_pairs = _pairs_won(x[member], seen[member])
        won, pairs = won + part_won, pairs + part_pairs
    return np.divide(won, pairs, out=np.full(x.shape[1], np.nan), where=pairs > 0)


def auprc(score: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Average precision: the precision at each positive's score, averaged over the positives.

    1 is perfect and the share of positives is chance, also of a constant score; NaN without a positive.

    Parameters
    ----------
    score, positive
        Scores and whether each is a positive, of the same shape (any; all entries are ranked together).
    """
    x, seen = _scored(score, positive)
    return average_precision(x[seen], [x])


def average_precision(positives: Dense, parts: Iterable[Dense]) -> float:
    """Average precision when the scores come in parts, so that they never need to be sorted together.

    Parameters
    ----------
    positives
        The scores of all positives, one axis.
    parts
        The scores of all entries, the positives among them, in arrays of any shape.
    """
    if len(positives) == 0:
        return float("nan")
    # Only at the score of a positive does recall step up, so only these thresholds matter.
    thresholds, hits = np.unique(positives, return_counts=True)
    entries = np.zeros(len(thresholds) + 1, dtype=np.int64)
    for part in parts:
        # Sorted needles make the search fast.
        place = np.searchsorted(thresholds, np.sort(part, axis=None), side="right")
        entries += np.bincount(place, minlength=len(entries))
    true_above = hits[::-1].cumsum()[::-1]
    all_above = entries[:0:-1].cumsum()[::-1]
    return float((hits * (true_above / all_above)).sum() / hits.sum())


def _pairs_won(score: Dense, seen: Dense) -> tuple[Array, Array]:
    """Per column: the Mann-Whitney count of positive-negative pairs that the positive wins, and the number of pairs."""
    positives = seen.sum(0, dtype=np.float64)
    if seen.sum() <= RARE * seen.size:
        feature, cell = np.nonzero(seen.T)
        below, up_to = _looked_up(score[cell, feature], np.sort(score.T, axis=1), feature)
        ranks = np.bincount(feature, weights=(below + up_to + 1) / 2, minlength=seen.shape[1])
    else:
        ranks = (rankdata(score, axis=0) * seen).sum(0)
    return ranks - positives * (positives + 1) / 2, positives * (len(seen) - positives)


def _looked_up(value: Dense, ordered: Dense, row: Index) -> tuple[Index, Index]:
    """How many entries of its row lie below each value, and how many do not lie above it, by bisection of all at once.

    ``ordered`` holds sorted rows, and ``row`` says in which each value belongs.
    """
    n = ordered.shape[1]
    found = np.zeros((2, len(value)), dtype=np.int64)
    for step in 2 ** np.arange(n.bit_length())[::-1]:
        further = found + step
        there = ordered[row, np.minimum(further, n) - 1]
        passed = np.stack([there[0] < value, there[1] <= value]) & (further <= n)
        found[passed] = further[passed]
    return found[0], found[1]


def _scored(score: npt.ArrayLike, positive: npt.ArrayLike, n_axes: int | None = None) -> tuple[Dense, Dense]:
    x, seen = np.asarray(score), np.asarray(positive)
    check_same_shape("score", x, "positive", seen)
    if x.size == 0 or (n_axes is not None and x.ndim != n_axes):
        expected = "at least one entry" if n_axes is None else f"{n_axes} axes, none empty"
        raise ValueError(f"`score` must have {expected}, got shape {x.shape}.")
    if np.isnan(x).any():
        raise ValueError(f"`score` must not hold NaN, but {np.isnan(x).sum()} of {x.size} entries do.")
    if seen.dtype != bool and not np.isin(seen, (0, 1)).all():
        raise ValueError("`positive` must be boolean (or 0 and 1); pass `counts > 0` for presence.")
    return x, seen.astype(bool, copy=False)
