"""Which cells a model learns from and which tell it when to stop."""

from __future__ import annotations

import numpy as np

MIN_HELD_OUT = 20
"""Fewer cells cannot tell when to stop: none are held out."""


def split(
    observed: np.ndarray, *, validation: float, seed: int, run: int = 1, most: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Random training and validation cells, the same share of every pattern of measured modalities.

    Parameters
    ----------
    observed
        Which cells have which modality, boolean (cells x modalities).
    validation
        Share of the cells to hold out; a pattern with few cells may keep all of them for training. Where they
        would be fewer than 20 in all, none are held out.
    run
        Neighbours that are held out together, where cells are read from disk.
    most
        Cells that are held out at most, by default any number.

    Returns
    -------
    Row indices of the training and of the validation cells.
    """
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(observed), dtype=bool)
    patterns, member = np.unique(observed, axis=0, return_inverse=True)
    share = validation if most is None else min(validation, most / len(observed))
    for pattern in range(len(patterns)):
        cells = np.flatnonzero(member.ravel() == pattern)
        held_out[shuffled(cells, run, rng)[: round(share * len(cells))]] = True
    if held_out.sum() < MIN_HELD_OUT:
        held_out[:] = False
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def shuffled(cells: np.ndarray, run: int, rng: np.random.Generator) -> np.ndarray:
    """Cells in random order, or runs of neighbours."""
    if run == 1:
        return rng.permutation(cells)
    starts = rng.permutation(np.arange(0, len(cells), run))
    place = (starts[:, None] + np.arange(run)).ravel()
    return cells[place[place < len(cells)]]
