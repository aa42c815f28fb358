"""Whether each cell's partner in the other modality lies nearest to it: FOSCTTM and the matching rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from multiome.metrics.validation import Array, as_embedding, blocks, check_k, check_same_shape

# Two squared distances closer than this share of the squared norms differ by rounding only: they are a tie.
ROUNDING = 1e-12


def foscttm(a: npt.ArrayLike, b: npt.ArrayLike, *, block: int = 2000, normalise: bool = False) -> float:
    """Fraction of samples closer than the true match: 0 is perfect, 0.5 is chance, 1 is the worst.

    For each cell, the share of the other cells of the other modality that lie closer (Euclidean) than the cell's own
    partner; the mean over all cells and both directions. A tie counts half, so that a collapsed embedding scores 0.5.

    Parameters
    ----------
    a, b
        Embeddings, cells x dimensions, finite; row i of both is the same cell.
    block
        Distances are held for ``block`` x ``block`` cells at a time. Changes memory, not the result.
    normalise
        Divide each row by its Euclidean length first, so that cells are ranked by cosine similarity.

    References
    ----------
    Liu, Huang, Singh, Vert and Noble, "Jointly embedding multiple single-cell omics measurements", WABI 2019.
    """
    closer, up_to = _ranks(a, b, block=block, normalise=normalise)
    # Half of the ties, less the partner itself: closer + (up_to - closer - 1) / 2.
    return float((closer + up_to - 1).mean() / 2 / (closer.shape[1] - 1))


def match_rate(a: npt.ArrayLike, b: npt.ArrayLike, *, k: int = 1, block: int = 2000, normalise: bool = False) -> float:
    """Share of cells whose partner is among the ``k`` nearest cells of the other modality, over both directions.

    1 is perfect and ``k / n_cells`` is chance. Where cells tie with the partner, the probability that it is among the
    ``k`` nearest in a random order of the ties counts, so that a collapsed embedding scores as chance.

    Parameters
    ----------
    a, b
        Embeddings, cells x dimensions, finite; row i of both is the same cell.
    k
        How many neighbours may hold the partner; at most the number of cells.
    block, normalise
        As in :func:`foscttm`.
    """
    closer, up_to = _ranks(a, b, block=block, normalise=normalise)
    check_k(k, closer.shape[1], "cells")
    return float(np.clip((k - closer) / (up_to - closer), 0, 1).mean())


def _ranks(
    a: npt.ArrayLike, b: npt.ArrayLike, *, block: int, normalise: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each direction and cell: how many cells are closer than the partner, and closer or as close (itself too)."""
    x, y = as_embedding("a", a), as_embedding("b", b)
    check_same_shape("a", x, "b", y)
    n = len(x)
    if n < 2:
        raise ValueError(f"Ranking a partner needs at least 2 cells, got {n}.")
    if normalise:
        x, y = _unit(x), _unit(y)
    # Distances do not change with the origin, but their rounding grows with the distance from it. The median, because
    # one far cell would carry the mean away from all others.
    centre = np.median(np.concatenate([x, y]), axis=0)
    x, y = x - centre, y - centre
    xx, yy = np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y)
    own = ((x - y) ** 2).sum(1)
    low, high = own - ROUNDING * (xx + yy), own + ROUNDING * (xx + yy)
    closer, up_to = np.zeros((2, n), dtype=np.int64), np.zeros((2, n), dtype=np.int64)
    for i in blocks(n, block):
        for j in blocks(n, block):
            d = x[i] @ y[j].T
            d *= -2
            d += xx[i, None]
            d += yy[j]
            closer[0, i] += np.count_nonzero(d < low[i, None], axis=1)
            closer[1, j] += np.count_nonzero(d < low[j], axis=0)
            up_to[0, i] += np.count_nonzero(d <= high[i, None], axis=1)
            up_to[1, j] += np.count_nonzero(d <= high[j], axis=0)
    return closer, up_to


def _unit(x: Array) -> Array:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)
