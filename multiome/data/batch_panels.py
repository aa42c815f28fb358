"""What each experimental batch was measured in: proteins that its panel lacks, and those that were joined as zeros.

Zeros that stand for what was not measured look like biology, and are said loudly.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from multiome.data.dataset import CellDataset
from multiome.data.panels import HOW_TO_JOIN
from multiome.data.some_cells import N_CELLS, in_runs
from multiome.data.spec import DataSpec
from multiome.data.stored import StoredRows
from multiome.errors import MultiomeWarning, listed

EXPECTED = 10.0
"""Cells of a batch that should have a count of a feature, as those of other batches do, before none is suspicious."""


def mention_zero_filled(key: str, cells: CellDataset, spec: DataSpec) -> None:
    """Warn where a batch has not one count of features that other batches have counts of."""
    there = np.flatnonzero(cells.observed(key))
    if isinstance(cells.matrices[key].values, StoredRows):
        there = in_runs(there, N_CELLS, np.random.default_rng(0))
    rows = cells.rows[key][there]
    names = np.asarray(spec.modalities[key].features)
    for i, covariate in enumerate(spec.covariates):
        level = cells.batch_index[there, i]
        seen, measured = (per_level(x, level, len(covariate.levels)) for x in presence(cells, key, rows))
        others = (seen.sum(0) - seen) / np.maximum(measured.sum(0) - measured, 1)
        zero = (seen == 0) & (measured * others > EXPECTED)
        if zero.any():
            first = int(np.flatnonzero(zero.any(1))[0])
            warnings.warn(
                f"{key!r}: in {int(zero.any(1).sum())} of {len(zero)} levels of batch_key {covariate.name!r}, features "
                f"that other levels have counts of are 0 in every cell (in {covariate.levels[first]!r} "
                f"{zero[first].sum():,}: {listed(names[zero[first]], most=3)}). That looks like an antibody panel "
                "without them, joined to others with zeros, and is learnt as if the cells had none of these proteins. "
                f"NaN says that they were not measured: join with {HOW_TO_JOIN}, or set these values to NaN.",
                MultiomeWarning,
                stacklevel=4,
            )


def cells_per_level(key: str, cells: CellDataset, spec: DataSpec) -> tuple[tuple[int, ...], ...]:
    """Per covariate and level, how many cells have the modality."""
    level = cells.batch_index[cells.observed(key)]
    return tuple(
        tuple(np.bincount(level[:, i], minlength=len(covariate.levels)).tolist())
        for i, covariate in enumerate(spec.covariates)
    )


def lacking(key: str, cells: CellDataset, spec: DataSpec) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Per covariate and level, the features that no cell of it was measured in; nothing where there are none."""
    there = np.flatnonzero(cells.observed(key))
    panels, found = cells.matrices[key].panels, []
    if panels is None:
        return ()
    for i, covariate in enumerate(spec.covariates):
        of_panel = np.zeros((len(covariate.levels), len(panels.measured)), dtype=np.int64)
        np.add.at(of_panel, (cells.batch_index[there, i], panels.member[cells.rows[key][there]]), 1)
        n = of_panel @ panels.measured
        found.append(tuple(tuple(np.flatnonzero(row == 0).tolist()) for row in n))
    return tuple(found)


def presence(
    cells: CellDataset, key: str, rows: Int[np.ndarray, " cell"]
) -> tuple[sp.csr_array, sp.csr_array | np.ndarray]:
    """Where cells have a count (cells x features), and where they were measured (one column if all were in all)."""
    matrix = cells.matrices[key]
    some = sp.csr_array(matrix.values[rows])
    seen = sp.csr_array((some.data > 0, some.indices, some.indptr), shape=some.shape)
    return seen, np.ones((len(rows), 1)) if matrix.panels is None else matrix.panels.of(rows)


def per_level(x: sp.csr_array | np.ndarray, level: np.ndarray, n_levels: int) -> Float[np.ndarray, "level feature"]:
    """Number of cells of each level."""
    groups = sp.csr_array((np.ones(len(level)), (level, np.arange(len(level)))), shape=(n_levels, len(level)))
    total = groups @ x
    return total.toarray() if sp.issparse(total) else np.asarray(total, dtype=float)
