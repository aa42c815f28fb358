"""UMAP's weighted graph of nearest neighbours, in NumPy: loading and compiling UMAP takes 17 seconds per process."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from multiome.metrics.validation import Array

N_HALVINGS = 64
TOLERANCE = 1e-5
SMALLEST_WIDTH = 1e-3  # of the mean distance to the neighbours


def neighbour_graph(z: Array, n_neighbors: int) -> sp.coo_array:
    """Symmetric weights between neighbours, from 0 to 1, as ``scanpy.pp.neighbors`` computes them.

    A cell reaches its nearest neighbour with weight 1 and the others with exp(-(d - d_nearest) / width), the width such
    that the weights add up to log2(n_neighbors). Two cells are joined if either reaches the other: w + w' - w w'.

    Parameters
    ----------
    z
        Embedding, cells x dimensions. Distances are Euclidean, exact, in float32.
    n_neighbors
        Size of a neighbourhood, the cell itself counted.

    References
    ----------
    McInnes, Healy and Melville, "UMAP: Uniform manifold approximation and projection for dimension reduction", 2018,
    algorithms 2 and 3.
    """
    n = len(z)
    search = NearestNeighbors(n_neighbors=n_neighbors - 1, algorithm="brute").fit(z.astype(np.float32))
    distance, near = search.kneighbors()
    weight = _memberships(distance.astype(np.float64), n_neighbors)
    reach = sp.csr_array((weight.ravel(), near.ravel(), np.arange(0, near.size + 1, n_neighbors - 1)), shape=(n, n))
    back = reach.T.tocsr()
    graph = (reach + back - reach * back).tocsr()
    graph.eliminate_zeros()
    graph.sort_indices()
    return graph.tocoo()


def _memberships(distance: Array, n_neighbors: int) -> Array:
    """Weights of each cell's neighbours; ``distance`` is sorted and leaves out the cell itself."""
    nearest = np.where(distance > 0, distance, np.inf).min(1)  # a duplicate of the cell is no measure of density
    nearest = np.where(np.isfinite(nearest), nearest, 0)
    beyond = np.maximum(distance - nearest[:, None], 0)
    target = np.log2(n_neighbors)
    low, high, width = np.zeros(len(distance)), np.full(len(distance), np.inf), np.ones(len(distance))
    for _ in range(N_HALVINGS):
        total = np.exp(-beyond / width[:, None]).sum(1)
        wide, narrow = total > target + TOLERANCE, total < target - TOLERANCE
        if not (wide | narrow).any():
            break
        high, low = np.where(wide, width, high), np.where(narrow, width, low)
        tried = np.where(np.isinf(high), 2 * width, (low + high) / 2)
        width = np.where(wide | narrow, tried, width)
    share = (n_neighbors - 1) / n_neighbors  # UMAP's means count the cell itself, at distance 0
    typical = np.where(nearest > 0, distance.mean(1), distance.mean()) * share
    width = np.maximum(width, SMALLEST_WIDTH * typical)
    return np.exp(-beyond / width[:, None])
