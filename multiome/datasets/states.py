"""Latent states: cell types on a tree, and a trajectory that joins some of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

SPREAD = 0.45  # of the cells around their type, per latent dimension; chosen so that types overlap a little
LAG = 0.1  # in pseudotime: how far proteins trail behind their transcripts


@dataclass(frozen=True, eq=False)
class States:
    """Where every cell is."""

    z: Float[np.ndarray, "cell latent"]
    z_lagged: Float[np.ndarray, "cell latent"]  # the same cell a little earlier on its trajectory
    cell_type: Int[np.ndarray, " cell"]
    pseudotime: Float[np.ndarray, " cell"]  # NaN for cells that are not on the trajectory


def draw_states(*, n_cells: int, n_types: int, n_latent: int, trajectory: bool, rng: np.random.Generator) -> States:
    """Types are leaves of a random tree; type 0 branches into types 1 and 2 along a smooth curve."""
    centres = _tree(n_types, n_latent, rng)
    share = np.exp(rng.normal(0, 0.4, n_types))
    cell_type = rng.choice(n_types, n_cells, p=share / share.sum())
    cell_type[rng.choice(n_cells, n_types, replace=False)] = np.arange(n_types)  # no type goes missing
    noise = rng.normal(0, SPREAD, (n_cells, n_latent))
    place, lagged, pseudotime = centres[cell_type], centres[cell_type], np.full(n_cells, np.nan)
    if trajectory:
        ends = centres[1:3] if n_types > 1 else centres + rng.normal(0, 1.5, centres.shape)
        on = np.flatnonzero(cell_type < 1 + len(ends) if n_types > 1 else cell_type == 0)
        t = rng.random(len(on))
        if n_types > 1:  # the first third carries the label of the root, the rest that of the branch
            t = np.where(cell_type[on] == 0, t / 3, 1 / 3 + 2 * t / 3)
        branch = np.where(cell_type[on] == 0, rng.integers(len(ends), size=len(on)), cell_type[on] - 1)
        trunk = (centres[0] + ends.mean(0)) / 2 + rng.normal(0, 0.3, n_latent)
        place, lagged = place.copy(), place.copy()
        place[on] = _curve(t, centres[0], trunk, ends[branch])
        lagged[on] = _curve(np.maximum(t - LAG, 0), centres[0], trunk, ends[branch])
        pseudotime[on] = t
    return States(z=place + noise, z_lagged=lagged + noise, cell_type=cell_type, pseudotime=pseudotime)


def _tree(n_types: int, n_latent: int, rng: np.random.Generator) -> np.ndarray:
    """Halve the types again and again; every split moves both sides, later splits less."""
    centres, clades, step = np.zeros((n_types, n_latent)), [np.arange(n_types)], 1.7
    while any(len(clade) > 1 for clade in clades):
        clades = [half for clade in clades for half in np.array_split(clade, 2) if len(half)]
        for clade in clades:
            centres[clade] += rng.normal(0, step, n_latent)
        step *= 0.75
    return centres


def _curve(t: np.ndarray, start: np.ndarray, trunk: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Follow a quadratic Bezier curve: branches leave the root in one direction and part smoothly."""
    t = t[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * trunk + t**2 * end
