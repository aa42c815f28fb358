"""How far draws of new measurements lie from their centre, as cells show that were held out.

The dispersion of every feature is learnt together with the weights, so that what the weights remember of the training
cells looks like less noise than there is, and states that only other modalities tell add some. Held-out cells tell a
factor by which each feature's inverse dispersion is multiplied in predictions. The mean stays as it is: to spread draws
by any other rule would move the mean of counts, which are skewed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Precision:
    """Factors of the inverse dispersions of one modality, below 1 where draws lay too close together."""

    n_cells: int
    """Held-out cells that they were learnt from."""
    pooled: float
    """Of all features that were not looked at one by one."""
    single: Mapping[str, float]
    """Of some features, by name."""

    def of(self, features: tuple[str, ...]) -> Float[np.ndarray, " feature"]:
        """One factor per feature."""
        return np.array([self.single.get(name, self.pooled) for name in features], dtype=np.float32)


@dataclass(frozen=True)
class Calibration:
    """The factors of every modality that has a dispersion, where enough cells were held out beside another modality."""

    precisions: Mapping[str, Precision] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A value of plain numbers and strings."""
        return {
            key: {"n_cells": p.n_cells, "pooled": p.pooled, "single": dict(p.single)}
            for key, p in self.precisions.items()
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """The inverse of `to_json`."""
        return cls({key: Precision(**precision) for key, precision in value.items()})
