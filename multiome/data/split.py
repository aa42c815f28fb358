"""Which cells a model learns from and which tell it when to stop."""

from __future__ import annotations

import numpy as np

MIN_HELD_OUT = 20
"""Fewer cells cannot tell when to stop: none are held out."""


def split(observed: np.ndarray, *, validation: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random training and validation cells, the same share of every pattern of measured modalities.

    Parameters
    ----------
    observed
        Which cells have which modality, boolean (cells x modalities).
    validation
        Share of the cells to hold out; a pattern with few cells may keep all of them for training. Where they
        would be fewer than 20 in all, none are held out.

    Returns
    -------
    Row indices of the training and of the validation cells.
    """
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(observed), dtype=bool)
    patterns, member = np.unique(observed, axis=0, return_inverse=True)
    for pattern in range(len(patterns)):
        cells = rng.permutation(np.flatnonzero(member.ravel() == pattern))
        held_out[cells[: round(validation * len(cells))]] = True
    if held_out.sum() < MIN_HELD_OUT:
        held_out[:] = False
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
