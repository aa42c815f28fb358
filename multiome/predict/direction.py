"""A direction of prediction: a modality, and what it is predicted from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multiome.data.dataset import CellDataset


@dataclass(frozen=True)
class Direction:
    """A modality to predict, and what from."""

    sources: tuple[str, ...]
    target: str

    @property
    def source(self) -> str:
        """What a table calls the sources."""
        return self.sources[0] if len(self.sources) == 1 else "all others"

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"

    def rows(self, cells: CellDataset) -> np.ndarray:
        """Cells that have the target and every source; none where the cells know nothing of one."""
        keys = (self.target, *self.sources)
        if not set(keys) <= set(cells.rows):
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(np.all([cells.observed(key) for key in keys], axis=0))
