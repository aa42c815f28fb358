"""Noise: sampling counts of which no cell is empty, and expectations of transformed counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

CellByFeature = Float[np.ndarray, "cell feature"]


def negative_binomial(
    mu: CellByFeature, dispersion: Float[np.ndarray, " feature"], rng: np.random.Generator
) -> Int[np.ndarray, "cell feature"]:
    """Draw counts of variance ``mu + dispersion * mu ** 2``."""
    return rng.poisson(rng.standard_gamma(np.broadcast_to(1 / dispersion, mu.shape)) * mu * dispersion)


def at_least_one(x: Int[np.ndarray, "cell feature"], mu: CellByFeature, rng: np.random.Generator) -> sp.csr_matrix:
    """Give an empty row a single count, which is what a draw given "not empty" looks like at low depth; make sparse."""
    for row in np.flatnonzero(x.sum(1) == 0):
        x[row, rng.choice(x.shape[1], p=mu[row] / mu[row].sum())] = 1
    return sp.csr_matrix(x, dtype=np.float32)


def scattered_poisson(
    size: Float[np.ndarray, " cell"], share: CellByFeature, rng: np.random.Generator
) -> sp.csr_matrix:
    """Draw Poisson counts with means ``size * share`` as a Poisson total of at least 1 that is then spread.

    The same distribution as entry by entry, at the cost of the counts and not of the entries.
    """
    total = np.maximum(rng.poisson(size), 1)
    row = np.repeat(np.arange(len(size)), total)
    # one sorted axis for all rows: row i occupies (i, i + 1]
    upper = np.cumsum(share, axis=1)
    upper = upper / upper[:, -1:] + np.arange(len(size))[:, None]
    column = np.searchsorted(upper.ravel(), row + rng.random(len(row)), side="right") - row * share.shape[1]
    column = np.clip(column, 0, share.shape[1] - 1)  # a draw within rounding error of the end
    return sp.csr_matrix((np.ones(len(row), dtype=np.float32), (row, column)), shape=share.shape)


def expectation(
    f: Callable[[int, Int[np.ndarray, " entry"]], Float[np.ndarray, " entry"]],
    mu: CellByFeature,
    dispersion: Float[np.ndarray, " feature"],
) -> CellByFeature:
    """E[f(x)] for x with mean ``mu`` and variance ``mu + dispersion * mu ** 2``, entry by entry.

    ``f(k, entries)`` is asked for the values at count k of some entries (positions in the flattened ``mu``); f(0) must
    be 0. The sum runs until 12 standard deviations above the mean and is divided by the probability met so far.
    """
    m, r = mu.ravel(), np.broadcast_to(1 / dispersion, mu.shape).ravel()
    last = np.ceil(m + 12 * np.sqrt(m + m**2 / r) + 10).astype(np.int64)
    value = np.zeros(m.shape)
    # entries that need about equally many terms share one loop over the counts
    group = np.ceil(np.log2(last)).astype(np.int64)
    for g in np.unique(group):
        entry = np.flatnonzero(group == g)
        ratio = m[entry] / (m[entry] + r[entry])
        p = np.exp(r[entry] * np.log1p(-ratio))
        total, sum_ = p.copy(), np.zeros(len(entry))
        for k in range(1, int(last[entry].max()) + 1):
            p = p * ratio * (r[entry] + k - 1) / k
            total += p
            sum_ += p * f(k, entry)
        value[entry] = sum_ / total
    return value.reshape(mu.shape)
