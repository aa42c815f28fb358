"""Where cells without a partner begin: what a lender's components would be, told from a modality's own.

A guess from features that a guidance graph joins is noisy in every cell, but right on average. So cells are matched by
it, their own components are regressed on those of their matches, and cells are matched anew by what these predict
(as matching and smoothing take turns in Zhu et al., Nature Biotechnology 41, 1378 (2023)).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

N_MATCHES = 50
"""Cells that could be a cell's match, among the 4,000 or fewer that are compared; only mutual ones are."""
N_ROUNDS = 4
"""How often cells are matched; later rounds change little."""


def matched(
    lent: Float[np.ndarray, "lender lent"], own: Float[np.ndarray, "cell own"], guess: Float[np.ndarray, "cell lent"]
) -> Float[np.ndarray, "own lent"]:
    """Weights by which a modality's own components tell a lender's.

    Cells are each other's match where both are among the other's `N_MATCHES` most similar cells, by the cosine less the
    mean cosine of either to its nearest (CSLS; Conneau et al., ICLR 2018): else a few cells would be the match of
    all. Cells of a kind that the lender lacks are rarely anyone's mutual match, and then say nothing.

    Parameters
    ----------
    lent
        Components of the lender's cells; those that vary more count more.
    own
        Components of the modality's cells.
    guess
        A first guess of the lender's components, for the modality's cells.
    """
    lent = (lent - lent.mean(0)).astype(np.float32)
    spread = lent.std(0)
    weight = regressed(guess, own, np.ones(len(own)))
    for _ in range(N_ROUNDS):
        told = (own - own.mean(0)) @ weight
        told *= spread / np.maximum(told.std(0), 1e-9)
        partner = mutual(told.astype(np.float32), lent)
        n = partner.sum(1)
        if not n.any():
            break
        weight = regressed(partner @ lent / np.maximum(n, 1)[:, None], own, n)
    return weight


def mutual(
    a: Float[np.ndarray, "cell_a component"], b: Float[np.ndarray, "cell_b component"]
) -> Float[np.ndarray, "cell_a cell_b"]:
    """1 for cells that are each other's match, else 0."""
    similar = unit(a) @ unit(b).T
    n_a, n_b = (min(N_MATCHES, n) for n in similar.shape)
    near_a, near_b = np.partition(similar, -n_b, 1)[:, -n_b:], np.partition(similar, -n_a, 0)[-n_a:]
    similar -= (near_a.mean(1)[:, None] + near_b.mean(0)) / 2
    n = min(n_a, n_b)
    to_a, to_b = np.partition(similar, -n, 1)[:, -n, None], np.partition(similar, -n, 0)[-n]
    return ((similar >= to_a) & (similar >= to_b)).astype(np.float32)


def regressed(
    y: Float[np.ndarray, "cell lent"], x: Float[np.ndarray, "cell own"], weight: Float[np.ndarray, " cell"]
) -> Float[np.ndarray, "own lent"]:
    """Weighted least squares with an intercept, which is left out of what is returned."""
    share = (weight / weight.sum())[:, None]
    x, y = (x - (share * x).sum(0)) * np.sqrt(share), (y - (share * y).sum(0)) * np.sqrt(share)
    return np.linalg.lstsq(x, y, rcond=1e-4)[0]


def without_depth(
    scores: Float[np.ndarray, "cell component"], depth: Float[np.ndarray, " cell"]
) -> Float[np.ndarray, "cell component"]:
    """What log depth does not explain of each component."""
    depth = np.log(depth) - np.log(depth).mean()
    return scores - np.outer(depth, depth @ scores) / max(depth @ depth, 1e-9)


def unit(x: Float[np.ndarray, "cell component"]) -> Float[np.ndarray, "cell component"]:
    """Cells scaled to length 1."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
