"""How far a score could move with another sample of cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from multiome.metrics.validation import check_level


def bootstrap(
    score: Callable[[npt.NDArray[np.int64]], float],
    n_cells: int,
    *,
    n: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a score over cells drawn again with replacement.

    Parameters
    ----------
    score
        Called with the rows of one resample, ``n_cells`` integers, to return the score of those cells. For the
        difference between two methods, let it return the difference on the same rows.
    n_cells
        Number of cells.
    n
        Resamples.
    level
        Share of the resampled scores inside the interval.
    seed
        Seed of the resampling.

    Returns
    -------
    Lower and upper bound.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    if n_cells < 1 or n < 1:
        raise ValueError(f"`n_cells` and `n` must be at least 1, got {n_cells} and {n}.")
    check_level(level)
    rng = np.random.default_rng(seed)
    scores = [score(rng.integers(0, n_cells, n_cells)) for _ in range(n)]
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
