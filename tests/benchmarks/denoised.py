"""Counts dealt to two halves, what simple methods make of one, and how well that tells the other."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = (5, 15, 30, 100)
SHARES = (0.02, 0.2, 0.5)
"""Of the mean profile, mixed into what a method says, which no count may contradict entirely; the best one counts."""
N_COMPONENTS, MAX_TRAINING = 30, 4_000


def halves(x: sp.csr_matrix, *, seed: int) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Every count is given to one of two measurements of half the depth."""
    first = sp.csr_matrix(x, copy=True)
    first.data = np.random.default_rng(seed).binomial(first.data.astype(int), 0.5).astype(np.float32)
    second = sp.csr_matrix(x - first)
    first.eliminate_zeros()
    second.eliminate_zeros()
    return first, second


def poisson_deviance(expected: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Of every cell; small is good."""
    mu = np.maximum(expected, 1e-8)
    told = np.where(x > 0, x * np.log(np.maximum(x, 1e-12) / mu), 0.0)
    return 2 * (told - x + mu).sum(1)


def smoothed(own: sp.csr_matrix, training: sp.csr_matrix, key: str) -> dict[str, np.ndarray]:
    """Mean profile, pooled nearest training cells, and reconstruction by components, at each cell's own depth.

    Neighbours, and what is mixed in of the mean profile, are the best of several for the scored counts' sake: simple
    methods may choose what the model may not.
    """
    counts, depth = own.toarray(), np.asarray(own.sum(1))
    rows = np.random.default_rng(0).permutation(training.shape[0])[:MAX_TRAINING]
    known = training[rows].toarray()
    profile = known.sum(0) / known.sum()
    shallow = np.random.default_rng(1).binomial(known.astype(int), 0.5) if key == "prot" else known
    svd = TruncatedSVD(min(N_COMPONENTS, counts.shape[1] - 1), random_state=0)
    a, b = svd.fit_transform(logged(shallow, key)), svd.transform(logged(counts, key))
    found = {"profile": depth * profile}
    for k in NEIGHBOURS:
        near = NearestNeighbors(n_neighbors=min(k, len(a))).fit(a).kneighbors(b, return_distance=False)
        pool = np.stack([known[some].sum(0) for some in near]) + counts
        for share in SHARES:
            found[f"kNN {k}, {share}"] = depth * mixed(pool, profile, share)
    rates = np.maximum(np.expm1(svd.inverse_transform(b) + (centre(counts) if key == "prot" else 0)), 0)
    for share in SHARES:
        found[f"PCA, {share}"] = depth * mixed(rates, profile, share)
    return found


def mixed(values: np.ndarray, profile: np.ndarray, share: float) -> np.ndarray:
    """Shares of a cell's counts, in part the mean profile."""
    return (1 - share) * values / np.maximum(values.sum(1, keepdims=True), 1e-9) + share * profile


def logged(counts: np.ndarray, key: str) -> np.ndarray:
    """Log CP10k, or of proteins the centred log ratio."""
    if key == "prot":
        return np.log1p(counts) - centre(counts)
    return np.log1p(1e4 * counts / np.maximum(counts.sum(1, keepdims=True), 1))


def centre(counts: np.ndarray) -> np.ndarray:
    """Mean log of a cell."""
    return np.log1p(counts).mean(1, keepdims=True)
