"""Groups of similar cells, and what was counted in each: enough to ask which features change together."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from multiome.data.dataset import CellDataset
from multiome.model.vae import MultiomeVAE

N_STATES, MIN_STATES = 500, 40
"""Groups in all, and at least per experimental batch where there are many batches."""
CELLS_PER_STATE, FEW_STATES = 10, 20
"""On average; but small batches are cut into so many groups."""
MAX_CELLS, BLOCK = 50_000, 1024
"""Cells looked at, and how many at a time."""


@dataclass(frozen=True, eq=False)
class CellStates:
    """Groups of similar cells, each of one experimental batch."""

    rows: Int[np.ndarray, " cell"]
    """The cells that were grouped."""
    member: Int[np.ndarray, " cell"]
    """The group of each."""
    size: Int[np.ndarray, " state"]
    latent: Float[np.ndarray, "state latent"]
    """Mean latent state."""
    hidden: Float[np.ndarray, "state hidden"]
    """Mean trunk output, were all cells of the average batch."""
    own_hidden: Float[np.ndarray, "state hidden"]
    """Mean trunk output in the cells' own batch."""

    def sums(
        self, cells: CellDataset, key: str, *, coverage: bool = False
    ) -> tuple[sp.csc_array, Float[np.ndarray, " state"]]:
        """Values of one modality, or its coverage (states x features), and the exposure of the cells that have it."""
        place = cells.rows[key][self.rows]
        seen = place >= 0
        shape = (len(self.size), int(seen.sum()))
        groups = sp.csr_array((np.ones(shape[1], np.float32), (self.member[seen], np.arange(shape[1]))), shape=shape)
        exposure = groups @ np.asarray(cells.exposure[key])[place[seen]].astype(np.float64)
        matrix = cells.matrices[key]
        values = matrix.coverage if coverage and matrix.coverage is not None else matrix.values
        return sp.csc_array(groups @ sp.csr_array(values[place[seen]])), exposure

    def exposures(self, cells: CellDataset, key: str) -> Float[np.ndarray, "state one_or_feature"]:
        """Exposure of the cells that have the modality; where panels differ, of those measured in each feature."""
        panels = cells.matrices[key].panels
        if panels is None:
            return self.sums(cells, key)[1][:, None]
        place = cells.rows[key][self.rows]
        seen = place >= 0
        exposure = np.asarray(cells.exposure[key])[place[seen]].astype(np.float64)
        shape = (len(self.size), int(seen.sum()))
        groups = sp.csr_array((exposure, (self.member[seen], np.arange(shape[1]))), shape=shape)
        return groups @ panels.of(place[seen]).astype(np.float64)


@torch.no_grad()
def group_cells(vae: MultiomeVAE, cells: CellDataset, *, seed: int) -> CellStates:
    """Group cells by their trunk outputs, within each experimental batch."""
    rng = np.random.default_rng(seed)
    measured = np.flatnonzero(np.any([cells.observed(key) for key in vae.keys], axis=0))
    rows = np.sort(rng.permutation(measured)[:MAX_CELLS])
    latent: list[np.ndarray] = []
    hidden: list[np.ndarray] = []
    own: list[np.ndarray] = []
    device = next(vae.parameters()).device
    for start in range(0, len(rows), BLOCK):
        batch = cells.take(rows[start : start + BLOCK]).to(device)
        z = vae.encode(batch).joint.loc
        average = vae.trunk(z, vae.trunk.batch_effect(torch.full_like(batch.batch_index, -1)))
        for told, values in ((latent, z), (hidden, average), (own, vae.hidden(z, batch))):
            told.append(values.cpu().numpy())
    parts = [np.concatenate(told) for told in (latent, hidden, own)]
    batches, of = np.unique(cells.batch_index[rows], axis=0, return_inverse=True)
    wanted = max(N_STATES // len(batches), MIN_STATES)
    member, n = np.zeros(len(rows), dtype=np.int64), 0
    for b in range(len(batches)):
        inside = np.flatnonzero(of.ravel() == b)
        k = min(wanted, max(len(inside) // CELLS_PER_STATE, min(len(inside), FEW_STATES)))
        means = MiniBatchKMeans(k, n_init=1, batch_size=4096, random_state=int(rng.integers(2**31)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different cells than groups
            found = means.fit_predict(parts[1][inside])
        _, found_in = np.unique(found, return_inverse=True)  # some may be empty
        member[inside], n = n + found_in, n + found_in.max() + 1
    size = np.bincount(member, minlength=n)
    groups = sp.csr_array((1 / size[member], (member, np.arange(len(rows)))), shape=(n, len(rows)))
    return CellStates(rows, member, size, *(np.asarray(groups @ part, dtype=np.float64) for part in parts))
