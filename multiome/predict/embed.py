"""Cells to latent states."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch.distributions import Normal

from multiome.data.dataset import CellDataset
from multiome.data.opened import Data
from multiome.data.query import read_query
from multiome.errors import MultiomeWarning, listed
from multiome.predict.fitted import Fitted
from multiome.types import Batch

BLOCK = 1024
"""Cells that a verb works on at a time, at most."""
ENTRIES = 8_000_000
"""Of a matrix of cells and features that a CPU works on at a time. Larger ones are taken from the system anew each time
(above 32 MB by glibc), which costs more than what is computed of them."""

PART = 500_000
"""Of a matrix that a CPU decodes at a time, and does all that is to be done with it, while it is within its caches."""


def blocks(cells: CellDataset, size: int | None = None) -> Iterator[np.ndarray]:
    """Row indices, so many at a time; by default, a block."""
    size = BLOCK if size is None else size
    for start in range(0, len(cells), size):
        yield np.arange(start, min(start + size, len(cells)))


def block_size(n_values: int, most: int = ENTRIES) -> int:
    """Cells of which so many values each are held at a time: a block, or a half of it, a quarter, and so on."""
    size = BLOCK
    while size > 1 and n_values * size > most:
        size //= 2
    return size


def parts(n_cells: int, n_features: int) -> list[slice]:
    """Features that are decoded at a time for so many cells, one part after the other."""
    size = max(PART // max(n_cells, 1), 1)
    return [slice(start, min(start + size, n_features)) for start in range(0, n_features, size)]


def posterior(fitted: Fitted, cells: CellDataset, batch: Batch) -> Normal:
    """q(z | x) of one block; features that the data lack contribute nothing."""
    found = {
        key: None if matrix.found.all() else torch.from_numpy(matrix.found).to(fitted.device)
        for key, matrix in cells.matrices.items()
    }
    return fitted.vae.encode(batch, {key: mask for key, mask in found.items() if mask is not None}).joint


def unmeasured(cells: CellDataset) -> np.ndarray:
    """Cells that have none of the modalities."""
    return ~np.any([cells.observed(key) for key in cells.matrices], axis=0)


def warn_unmeasured(names: np.ndarray, keys: list[str]) -> None:
    """Say which rows will be NaN."""
    if len(names):
        warnings.warn(
            f"{len(names):,} cells have no measured {listed(keys)} (first: {listed(names, most=3)}); "
            "their rows are NaN.",
            MultiomeWarning,
            stacklevel=4,
        )


@torch.no_grad()
def embed(
    fitted: Fitted,
    data: Data,
    *,
    modality: str | None = None,
    min_features: float = 0.5,
    drop_empty: bool = False,
) -> Float[np.ndarray, "cell latent"]:
    """Posterior mean of every cell; a cell without any modality is a row of NaN.

    Rows follow the data's ``obs_names``, or those of the modality where one is named.
    """
    view, cells = read_query(data, fitted.spec, modality=modality, min_features=min_features, drop_empty=drop_empty)
    out = np.full((len(cells), fitted.config.n_latent), np.nan, dtype=np.float32)
    for index in blocks(cells):
        batch = cells.take(index).to(fitted.device)
        out[index] = posterior(fitted, cells, batch).loc.cpu().numpy()
    nothing = unmeasured(cells)
    out[nothing] = np.nan
    warn_unmeasured(np.asarray(view.obs_names[nothing]), list(cells.matrices))
    return out
