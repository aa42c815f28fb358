"""What an assay is: from regulated rates to expected and observed counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

CellByFeature = Float[np.ndarray, "cell feature"]


@dataclass(frozen=True, eq=False)
class Cells:
    """All that an assay sees of some cells."""

    activity: Float[np.ndarray, "cell tf"]
    lagged: Float[np.ndarray, "cell tf"]
    batch: Int[np.ndarray, " cell"]
    size: Mapping[str, Float[np.ndarray, " cell"]]

    def __len__(self) -> int:
        return len(self.batch)

    def __getitem__(self, rows: slice | Int[np.ndarray, " row"]) -> Cells:
        size = {name: value[rows] for name, value in self.size.items()}
        return Cells(self.activity[rows], self.lagged[rows], self.batch[rows], size)


@dataclass(frozen=True, eq=False)
class Draw:
    """Observed counts of some cells."""

    x: sp.csr_matrix
    coverage: sp.csr_matrix | None = None
    foreground: Bool[np.ndarray, "cell feature"] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Assay(ABC):
    """One modality: ``base + activity @ effect + shift[batch]`` on its own scale, and noise."""

    name: str
    base: Float[np.ndarray, " feature"]
    effect: Float[np.ndarray, "tf feature"]
    shift: Float[np.ndarray, "batch feature"]
    """Added on the log (methylation: logit) scale."""

    def without_batch(self) -> Assay:
        """Take the same assay in a world without feature-wise batch effects."""
        return replace(self, shift=np.zeros_like(self.shift))

    @abstractmethod
    def rates(self, cells: Cells) -> CellByFeature:
        """Give shares of a cell's counts that sum to 1; for methylation the methylated fractions."""

    @abstractmethod
    def expected(self, cells: Cells) -> CellByFeature:
        """Give expected counts at the cells' depth."""

    @property
    @abstractmethod
    def scales(self) -> dict[str, Callable[[Cells], CellByFeature]]:
        """Scales on which the expectation is known, by the names that predictions use too."""

    @abstractmethod
    def draw(self, cells: Cells, rng: np.random.Generator) -> Draw:
        """Observe the cells once; a cell whose draw is all zero gets one count, placed by its expected counts."""

    def linear(self, cells: Cells) -> CellByFeature:
        """Add baseline, regulation and batch effect on the log or logit scale."""
        return cells.activity @ self.effect + self.base + self.shift[cells.batch]
