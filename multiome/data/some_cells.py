"""Some of the cells that are on disk, in memory."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
from jaxtyping import Int

from multiome.data.dataset import CellDataset
from multiome.data.panels import Panels, without_nan
from multiome.data.panels_on_disk import some_of_each
from multiome.data.split import shuffled
from multiome.data.stored import StoredRows
from multiome.data.survey import checked
from multiome.modalities.base import Modality

N_CELLS = 20_000
"""Cells that a recipe sees of a modality on disk."""
RUN = 64
"""Cells that are read from one place of the disk."""


def in_runs(rows: Int[np.ndarray, " cell"], n: int, rng: np.random.Generator) -> Int[np.ndarray, " some"]:
    """Random rows, ``n`` at most, in order; several neighbours at a time."""
    return rows if len(rows) <= n else np.sort(shuffled(rows, RUN, rng)[:n])


def some_cells(
    key: str,
    adata: ad.AnnData,
    values: StoredRows,
    modality: Modality,
    panels: Panels | None = None,
    *,
    seed: int = 0,
) -> ad.AnnData:
    """Some cells of a modality on disk, of every panel, in memory, their values, which were checked, in ``.X``."""
    rng = np.random.default_rng(seed)
    rows = in_runs(np.arange(adata.n_obs), N_CELLS, rng)
    if panels is not None:
        rows = np.union1d(rows, some_of_each(panels, rng))
    x, calls = values[rows], None if values.coverage is None else values.coverage[rows]
    checked(key, x if panels is None else without_nan(x)[0], calls, adata, modality, rows=rows)
    layers = {} if calls is None else {modality.coverage_layer: calls}
    return ad.AnnData(x, obs=pd.DataFrame(index=adata.obs_names[rows]), var=adata.var, layers=layers)


def in_memory(
    cells: CellDataset, rows: Int[np.ndarray, " training"], held_out: Int[np.ndarray, " held"], *, seed: int
) -> tuple[CellDataset, Int[np.ndarray, " some"], Int[np.ndarray, " held"]]:
    """Cells whose values are in memory, and which of them are for training and held out: all, or some of many.

    Of cells on disk, all that were held out and, of each set of modalities that cells have, at most `N_CELLS` others.
    """
    if not cells.on_disk:
        return cells, rows, held_out
    rng = np.random.default_rng(seed)
    observed = np.stack([cells.observed(key)[rows] for key in cells.matrices], axis=1)
    patterns, member = np.unique(observed, axis=0, return_inverse=True)
    chosen = [in_runs(rows[member.ravel() == pattern], N_CELLS, rng) for pattern in range(len(patterns))]
    index = np.sort(np.concatenate([*chosen, held_out]))
    kept = np.isin(index, held_out)
    return cells.load(index), np.flatnonzero(~kept), np.flatnonzero(kept)
