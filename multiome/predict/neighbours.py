"""The training cells nearest to some others, and what they would predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from sklearn.neighbors import NearestNeighbors

from multiome.data.dataset import CellDataset
from multiome.metrics.validation import dense
from multiome.predict.fitted import Fitted
from multiome.predict.held_out import Measured, query_of

N_NEIGHBOURS = 30
MAX_REFERENCE = 20_000
"""Training cells among which neighbours are looked for."""


@dataclass(frozen=True)
class Neighbours:
    """The 30 training cells nearest to each scored cell, by the latent state that the other modalities give."""

    rows: np.ndarray
    """Training cells."""
    pool: sp.csr_array
    """Scored cells x training cells, 1 where near."""

    def predict(self, theirs: Measured, scale: str) -> Float[np.ndarray, "cell feature"]:
        """The mean of what was measured of the training cells, on the scale."""
        if theirs.calls is not None:
            return (self.pool @ theirs.values).toarray() / np.maximum((self.pool @ theirs.calls).toarray(), 1)
        if theirs.known is None:
            return dense(self.pool @ theirs.on(scale) / self.pool[[0]].sum())
        # of those of the neighbours that were measured in a feature; all alike where none was
        there, y = theirs.known, np.where(theirs.known, dense(theirs.on(scale)), 0)
        n, mean = self.pool @ there.astype(float), y.sum(0) / np.maximum(there.sum(0), 1)
        return np.where(n > 0, (self.pool @ y) / np.maximum(n, 1), mean)


def neighbours(
    fitted: Fitted, cells: CellDataset, key: str, *, rows: np.ndarray, scored: np.ndarray, seed: int
) -> Neighbours:
    """Find them among at most `MAX_REFERENCE` training cells that have the modality."""
    there = rows[cells.observed(key)[rows]]
    chosen = np.sort(np.random.default_rng(seed).permutation(there)[:MAX_REFERENCE])
    queries = (query_of(fitted, cells, some, key) for some in (chosen, scored))
    with torch.no_grad():
        a, b = (np.concatenate([block.q.loc.cpu().numpy() for block in query.blocks()]) for query in queries)
    near = NearestNeighbors(n_neighbors=min(N_NEIGHBOURS, len(a))).fit(a).kneighbors(b, return_distance=False)
    starts = np.arange(0, near.size + 1, near.shape[1])
    return Neighbours(chosen, sp.csr_array((np.ones(near.size), near.ravel(), starts), shape=(len(b), len(a))))
