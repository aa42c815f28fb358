"""Antibody panels: which proteins each cell was stained for, where several sets of cells were measured differently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from multiome.errors import InvalidCounts, listed

MAX_PANELS, MIN_CELLS = 50, 5
"""More patterns of NaN, or training patterns of fewer cells, are no panels."""
BELIEF = 1.0
"""Counts per cell's worth of belief that cells of different panels are equally deep."""
N_ROUNDS, CLOSE = 500, 1e-6
"""Rounds of what is solved by turns, at most, and the change at which they end."""

HOW_TO_JOIN = "anndata.concat([a, b], join='outer', fill_value=np.nan)"
"""How sets of cells with different panels become one `AnnData`."""


@dataclass(frozen=True, eq=False)
class Panels:
    """A few sets of features, and the one that each cell was measured with."""

    measured: Bool[np.ndarray, "panel feature"]
    member: Int[np.ndarray, " cell"]

    def of(self, rows: Int[np.ndarray, " some"]) -> Bool[np.ndarray, "some feature"]:
        """Which features were measured in some cells."""
        return self.measured[self.member[rows]]

    def columns(self, place: Int[np.ndarray, " wanted"]) -> Panels:
        """Of other features; ``place`` is -1 where the data lack one, which then was not measured."""
        return Panels(self.measured[:, place] & (place >= 0), self.member)

    @property
    def used(self) -> Bool[np.ndarray, " panel"]:
        """Panels that have a feature; cells of the others were not measured at all."""
        return np.asarray(self.measured.any(1))

    @property
    def anywhere(self) -> Bool[np.ndarray, " feature"]:
        """Features that some panel has."""
        return np.asarray(self.measured.any(0))

    def worth(self, share: Float[np.ndarray, " feature"]) -> Float[np.ndarray, " cell"]:
        """Share of the depth that each cell's own panel counts."""
        return (self.measured @ share)[self.member]

    def each(self) -> Iterator[tuple[Bool[np.ndarray, " feature"], int]]:
        """Features and number of cells of every panel that is used."""
        n_cells = np.bincount(self.member, minlength=len(self.measured))
        for panel in np.flatnonzero(self.used & (n_cells > 0)):
            yield self.measured[panel], int(n_cells[panel])

    def differ(self, among: Bool[np.ndarray, " feature"]) -> bool:
        """Whether any panel lacks some of these features."""
        return not self.measured[self.used][:, among].all()


def without_nan(values: sp.csr_matrix) -> tuple[sp.csr_matrix, Panels | None]:
    """NaN taken out of the values, and the patterns that it made; none where there is no NaN."""
    missing = np.isnan(values.data)
    if not missing.any():
        return values, None
    measured = np.ones(values.shape, dtype=bool)
    rows = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
    measured[rows[missing], values.indices[missing]] = False
    patterns, member = np.unique(np.packbits(measured, axis=1), axis=0, return_inverse=True)
    panels = Panels(np.unpackbits(patterns, axis=1, count=values.shape[1]).astype(bool), member.ravel())
    kept = values.copy()  # memory may be shared with the data
    kept.data[missing] = 0
    kept.eliminate_zeros()
    return kept, panels


def check_panels(key: str, panels: Panels, names: pd.Index, *, fitted: bool) -> None:
    """Whole panels explain the NaN: few patterns, each, for training, of several cells.

    Raises
    ------
    InvalidCounts
        If they do not, or nothing but NaN was given.
    """
    n_cells = np.bincount(panels.member, minlength=len(panels.measured))[panels.used]
    if not len(n_cells):
        raise InvalidCounts(f"{key!r} holds nothing but NaN; leave out a modality that was not measured.")
    few = 0 if fitted else int((n_cells < MIN_CELLS).sum())
    if len(n_cells) <= MAX_PANELS and not few:
        return
    partly = panels.anywhere & ~panels.measured[panels.used].all(0)
    each = "" if fitted else f" of at least {MIN_CELLS} cells each"
    small = "" if fitted else f", {few:,} of them of fewer than {MIN_CELLS} cells"
    raise InvalidCounts(
        f"{key!r} holds NaN in {partly.sum():,} features (first: {listed(names[partly], most=3)}). NaN means that a "
        f"feature is not in the antibody panel of a cell, but cells differ in {len(n_cells):,} ways in which features "
        f"are NaN{small}; at most {MAX_PANELS} panels{each} are expected. "
        "Scattered NaN are no panels: put in the counts, or remove these cells or features. Sets of cells with "
        f"different panels become one with {HOW_TO_JOIN}, which puts NaN in all cells of a set."
    )


def depth_shares(totals: Float[np.ndarray, "panel feature"], panels: Panels) -> Float[np.ndarray, " feature"]:
    """Each feature's share of the depth, were all features measured, from what was counted in each panel.

    Counts of a panel are taken as its cells' depths times the features' shares; both are found by turns, so that what
    panels have in common says how deep they are. Where they have little in common, or nothing, their cells
    are taken to be equally deep on average.
    """
    measured = panels.measured[panels.used].astype(float)
    n_cells = np.bincount(panels.member, minlength=len(panels.measured))[panels.used].astype(float)
    total = totals[panels.used] * measured
    depth, believed, share = n_cells, BELIEF * n_cells, np.zeros(measured.shape[1])
    for _ in range(N_ROUNDS):
        share = total.sum(0) / np.maximum(measured.T @ depth, 1e-12)
        common = believed.sum() / depth.sum()  # the share of something that all cells are believed to have alike
        before, depth = depth, (total.sum(1) + believed) / (measured @ share + common)
        depth = depth * n_cells.sum() / depth.sum()
        if np.abs(depth / before - 1).max() < CLOSE:
            break
    return share / max(share.sum(), 1e-12)


def panel_totals(counts: sp.csr_matrix, panels: Panels) -> Float[np.ndarray, "panel feature"]:
    """Summed counts of the cells of each panel."""
    cells = np.arange(len(panels.member))
    groups = sp.csr_array((np.ones(len(cells)), (panels.member, cells)), shape=(len(panels.measured), len(cells)))
    return (groups @ sp.csr_array(counts)).toarray()


def filled(
    values: Float[np.ndarray, "cell feature"], measured: Bool[np.ndarray, "cell feature"], *, relative: bool
) -> Float[np.ndarray, "cell feature"]:
    """Values with what is usual of a feature where it was not measured.

    Values that are ``relative`` to a cell's mean are made relative to that of all features: a feature's level and a
    cell's are found by turns from what was measured, and add up to what was not. A feature that no cell has is left out
    of that mean.
    """
    known = np.where(measured, values, 0.0).astype(np.float64)
    n_features, n_cells = (np.maximum(measured.sum(axis), 1) for axis in (1, 0))
    level, cell = known.sum(0) / n_cells, np.zeros(len(values))
    for _ in range(N_ROUNDS if relative else 0):
        cell = (known.sum(1) - measured @ level) / n_features
        before, level = level, (known.sum(0) - measured.T @ cell) / n_cells
        if np.abs(level - before).max() < CLOSE:
            break
    whole = np.where(measured, known, level + cell[:, None])
    return whole - whole[:, measured.any(0)].mean(1, keepdims=True) if relative else whole


def describe(panels: Panels) -> str:
    """How many panels there are, and how many features they have in common."""
    measured = panels.measured[panels.used]
    sizes = " and ".join(map(str, sorted(set(measured.sum(1).tolist()))))
    return (
        f"cells were measured with {len(measured)} different panels, of {sizes} of the "
        f"{measured.shape[1]} features, of which all have {measured.all(0).sum()}; what a panel lacks is not learnt "
        "from its cells"
    )
