"""Whether a cell's neighbours come from all experimental batches alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from multiome.metrics.validation import as_embedding, as_labels, check_k


def neighbour_mixing(z: npt.ArrayLike, batch: npt.ArrayLike, *, k: int = 30) -> float:
    """Mean share of a cell's neighbours from other batches, over the share expected at random.

    0 when every neighbour is of the same batch, 1 when batches mix perfectly; chance can bring it slightly above 1.

    Parameters
    ----------
    z
        Embedding, cells x dimensions.
    batch
        Experimental batch of each cell; at least two.
    k
        Neighbours per cell, the cell itself not among them; fewer than the number of cells.
    """
    x = as_embedding("z", z)
    origin = as_labels("batch", batch, len(x))
    check_k(k, len(x) - 1)
    _, codes, sizes = np.unique(origin, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError(f"Mixing needs at least 2 batches, but all {len(x)} cells are of batch {origin[0]}.")
    near = NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)
    expected = 1 - (sizes[codes] - 1) / (len(x) - 1)
    return float(((codes[near] != codes[:, None]).mean(1) / expected).mean())
