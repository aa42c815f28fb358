"""Antibody panels of cells on disk, found as NaN in one block of cells after the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from jaxtyping import Float, Int

from multiome.data.panels import MAX_PANELS, MIN_CELLS, Panels, check_panels, panel_totals, without_nan
from multiome.data.stored import StoredRows


class PanelTally:
    """The panels that blocks of cells have shown, and what was counted in each.

    Scattered NaN make a pattern per cell, so that it is said as soon as there are too many.
    """

    def __init__(self, key: str, names: pd.Index, n_cells: int, *, fitted: bool) -> None:
        self.key, self.names, self.fitted = key, names, fitted
        self.member = np.zeros(n_cells, dtype=np.int64)
        self.totals: dict[bytes, np.ndarray] = {}

    def add(self, rows: slice, x: sp.csr_matrix) -> sp.csr_matrix:
        """Count a block of cells; it is returned without NaN."""
        x, panels = without_nan(x)
        if panels is None:
            panels = Panels(np.ones((1, x.shape[1]), dtype=bool), np.zeros(x.shape[0], dtype=np.int64))
        number = []
        for pattern, total in zip(panels.measured, panel_totals(x, panels), strict=True):
            name = np.packbits(pattern).tobytes()
            self.totals[name] = self.totals.get(name, 0) + total
            number.append(list(self.totals).index(name))
        self.member[rows] = np.array(number)[panels.member]
        if len(self.totals) > MAX_PANELS + 1:  # one may be of cells that were not measured at all
            self.check(Panels(self.patterns(), self.member[: rows.stop]))
        return x

    def patterns(self) -> np.ndarray:
        """Which features each panel has, in the order in which they were found."""
        packed = np.array([np.frombuffer(name, dtype=np.uint8) for name in self.totals])
        return np.unpackbits(packed, axis=1, count=len(self.names)).astype(bool)

    def check(self, panels: Panels) -> None:
        """As where the values are in memory."""
        check_panels(self.key, panels, self.names, fitted=self.fitted)

    def found(self) -> tuple[Panels | None, Float[np.ndarray, "panel feature"]]:
        """All of them, none where there is no NaN, in the order that they have in memory; and the totals of each."""
        measured, totals = self.patterns(), np.array(list(self.totals.values()))
        if measured.all():
            return None, totals
        order = np.unique(np.packbits(measured, axis=1), axis=0, return_inverse=True)[1].ravel()
        back = np.argsort(order)
        panels = Panels(measured[back], order[self.member])
        self.check(panels)
        return panels, totals[back]


def panels_of(key: str, names: pd.Index, values: StoredRows) -> Panels | None:
    """The panels of training cells on disk; None where there is no NaN."""
    tally = PanelTally(key, names, values.shape[0], fitted=False)
    for rows, x in values.blocks():
        tally.add(rows, x)
    return tally.found()[0]


def some_of_each(panels: Panels, rng: np.random.Generator) -> Int[np.ndarray, " some"]:
    """As many cells of every panel as a panel must have."""
    each = [np.flatnonzero(panels.member == panel) for panel in np.flatnonzero(panels.used)]
    return np.concatenate([rng.permutation(cells)[:MIN_CELLS] for cells in each])
