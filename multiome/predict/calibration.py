"""How far draws of new measurements lie from their centre, beside what cells that were held out show.

Where a measured value falls among its draws is, by its rank ``u`` (randomised between equal counts), uniform if the
model is calibrated, and the normal score ``Phi^-1(u)`` then has mean square 1. The root of its mean square in held-out
cells, the *spread*, is above 1 where draws lie too close together. Draws are not changed by it: to exchange them for
those of other ranks would move the mean of counts, which are skewed, and the spread lies within a few percent of 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Spread:
    """The spread of one modality."""

    n_cells: int
    """Held-out cells that it was learnt from."""
    pooled: float
    """Of all features that were not looked at one by one."""
    single: Mapping[str, float]
    """Of some features, by name."""


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
