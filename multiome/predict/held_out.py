"""Cells of which a modality is known and is predicted as if it were not: those that training held out, or new ones."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from multiome.data.cells import Cells
from multiome.data.dataset import CellDataset
from multiome.metrics.validation import Matrix
from multiome.predict.elsewhere import in_measured_batches
from multiome.predict.fitted import Fitted
from multiome.predict.scale import on_scale
from multiome.predict.states import Query

MIN_CELLS, MAX_CELLS = 20, 500
"""Held-out cells looked at; below the least, nothing is said."""


def with_others(
    cells: CellDataset, rows: Int[np.ndarray, " cell"], key: str, *, seed: int, most: int = MAX_CELLS
) -> Int[np.ndarray, " some"]:
    """Rows, at most so many, of cells that have the modality beside another one; none where they are too few."""
    others = [other for other in cells.matrices if other != key]
    if not others:
        return np.empty(0, dtype=np.int64)
    both = cells.observed(key) & np.any([cells.observed(other) for other in others], axis=0)
    chosen = np.random.default_rng(seed).permutation(rows[both[rows]])[:most]
    return np.sort(chosen) if len(chosen) >= MIN_CELLS else np.empty(0, dtype=np.int64)


def query_of(
    fitted: Fitted,
    cells: CellDataset,
    rows: Int[np.ndarray, " cell"],
    key: str,
    features: pd.Index | None = None,
    *,
    sources: Collection[str] | None = None,
    depth: str = "predicted",
) -> Query:
    """Some cells whose modality ``key`` is to be predicted, from the others or some of them.

    ``depth``, at which, is ``"predicted"`` (as the others tell) or ``"reference"``.
    """
    used = [other for other in cells.matrices if other != key and (sources is None or other in sources)]
    matrices = {other: cells.matrices[other] for other in used}
    places = {other: cells.rows[other] for other in used}
    exposure = {other: cells.exposure[other] for other in used}
    part = CellDataset(matrices, places, exposure, cells.batch_index).part(rows)
    names = pd.RangeIndex(len(rows))
    view = Cells(names, pd.DataFrame(index=names), {}, {})
    every = pd.Index(fitted.spec.modalities[key].features)
    nothing = np.zeros(len(rows), dtype=bool)
    predicted_in = in_measured_batches(fitted.spec, key, part.batch_index)
    return Query(fitted, key, view, part, depth, every if features is None else features, predicted_in, nothing)


@dataclass(frozen=True)
class Measured:
    """What was measured of a modality in some cells."""

    values: sp.csr_matrix
    """Cells x features."""
    depth: Float[np.ndarray, " cell"]
    """Each cell's total count, of all features."""
    calls: sp.csr_matrix | None
    """Of methylation: all calls of each site."""
    known: Bool[np.ndarray, "cell feature"] | None
    """Which features were measured in each cell; None where all were, in every cell."""

    @classmethod
    def of(cls, cells: CellDataset, rows: Int[np.ndarray, " cell"], key: str) -> Measured:
        """All features of the model, of cells that have the modality."""
        matrix, place = cells.matrices[key], cells.rows[key][rows]
        calls = None if matrix.coverage is None else matrix.coverage[place]
        return cls(
            matrix.values[place], matrix.depth[place], calls, None if matrix.panels is None else matrix.panels.of(place)
        )

    def only(self, columns: Int[np.ndarray, " some"] | Bool[np.ndarray, " feature"]) -> Measured:
        """Some of the features."""
        calls = None if self.calls is None else self.calls[:, columns]
        known = None if self.known is None else self.known[:, columns]
        return Measured(self.values[:, columns], self.depth, calls, known)

    def on(self, scale: str) -> Matrix:
        """On a scale, which may relate a feature to all others that there are."""
        return on_scale(self.values, self.depth, self.calls, scale, self.known)

    def every(self, step: int) -> Measured:
        """Every so many-th cell."""
        calls = None if self.calls is None else self.calls[::step]
        return Measured(
            self.values[::step], self.depth[::step], calls, None if self.known is None else self.known[::step]
        )
