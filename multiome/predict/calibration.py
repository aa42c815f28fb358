"""How far draws of new measurements lie from their centre: a correction learnt from cells that were held out.

Where a measured value falls among its draws is, by its rank ``u`` (randomised between equal counts), uniform if the
model is calibrated, and the normal score ``Phi^-1(u)`` then has mean square 1. The root of its mean square in held-out
cells, the *spread*, is above 1 where draws lie too close together. Every draw is exchanged for the one whose normal
score is as many times as large: a calibration of ranks (Kuleshov et al. 2018, arXiv:1807.00263) with one parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.special import ndtr, ndtri
from torch import Tensor

CHUNK = 64
"""Features whose draws are sorted at a time."""


@dataclass(frozen=True)
class Spread:
    """The spread of one modality."""

    n_cells: int
    """Held-out cells that it was learnt from."""
    pooled: float
    """Of all features that were not looked at one by one."""
    single: Mapping[str, float]
    """Of some features, by name."""

    def of(self, features: pd.Index) -> Float[np.ndarray, " feature"]:
        """The spread of these features."""
        return np.array([self.single.get(name, self.pooled) for name in features])


@dataclass(frozen=True)
class Calibration:
    """The spread of every modality of which enough cells were held out beside another one."""

    spreads: Mapping[str, Spread] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A value of plain numbers and strings."""
        return {
            key: {"n_cells": s.n_cells, "pooled": s.pooled, "single": dict(s.single)} for key, s in self.spreads.items()
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """The inverse of `to_json`."""
        return cls({key: Spread(**spread) for key, spread in value.items()})


def spread_out(
    draws: Float[Tensor, "draw cell feature"], spread: Float[np.ndarray, " feature"], *, seed: int
) -> Float[Tensor, "draw cell feature"]:
    """Draws as far from their centre as the spread says.

    Each keeps its rank among the others, so that features stay as correlated as they were; equal ones are ranked at
    random. What lies beyond the outermost draws is not known, and they stand for it.
    """
    n = len(draws)
    exchanged = np.flatnonzero(np.abs(spread - 1) > 0.5 / n)
    if n < 2 or not len(exchanged):
        return draws
    noise = torch.Generator().manual_seed(seed)
    score = ndtri((np.arange(n) + 0.5) / n)
    result = draws.clone()
    for start in range(0, len(exchanged), CHUNK):
        chosen = exchanged[start : start + CHUNK]
        part = draws[:, :, chosen]
        shuffled = part + 1e-3 * part.abs().clamp_min(1e-3) * torch.rand(part.shape, generator=noise)
        order = shuffled.argsort(0)
        rank = torch.empty_like(order).scatter_(0, order, torch.arange(n)[:, None, None].expand_as(order))
        at = np.clip(np.floor(n * ndtr(score[:, None] * spread[chosen])), 0, n - 1).astype(np.int64)
        place = torch.from_numpy(at)[:, None].expand_as(order).gather(0, rank)
        result[:, :, chosen] = part.gather(0, order).gather(0, place)
    return result
