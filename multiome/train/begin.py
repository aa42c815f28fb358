"""A new model, set up from its training cells before the first step."""

from __future__ import annotations

import numpy as np

from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.model.config import ModelConfig
from multiome.model.vae import MultiomeVAE

MAX_CELLS = 20_000
"""Statistics and components are computed on at most so many training cells per modality."""


def begin(spec: DataSpec, cells: CellDataset, rows: np.ndarray, config: ModelConfig, *, seed: int) -> MultiomeVAE:
    """Random weights, and for every modality the components and the average profile of the training cells."""
    vae = MultiomeVAE(spec, config)
    rng = np.random.default_rng(seed)
    for key in vae.keys:
        measured = rows[cells.observed(key)[rows]]
        if len(measured) > MAX_CELLS:
            measured = np.sort(rng.choice(measured, MAX_CELLS, replace=False))
        batch = cells.take(measured)
        vae.channel(key).initialise(batch.counts[key], batch.exposure[key], batch.coverage.get(key))
    return vae
