"""Every direction of prediction that held-out cells allow, beside simple methods trained on the same cells."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import mudata as md
import numpy as np
import pandas as pd
from jaxtyping import Int

from multiome.data.cells import Cells
from multiome.data.dataset import CellDataset
from multiome.data.opened import Data, opened
from multiome.data.query import read_query
from multiome.errors import MultiomeError, MultiomeWarning, check_seed, check_whole, listed, unknown
from multiome.predict.arguments import warn_unseen_batches
from multiome.predict.central import draws_needed
from multiome.predict.comparison import MIN_CELLS, Comparison
from multiome.predict.direction import Direction
from multiome.predict.elsewhere import in_measured_batches
from multiome.predict.fitted import Fitted
from multiome.predict.unlike import unlike_columns

MAX_REFERENCE = 20_000
"""Cells that simple methods are trained on, at most."""


def evaluate(
    fitted: Fitted,
    data: Data,
    *,
    reference: Data | None = None,
    per: Literal["all", "feature"] = "all",
    level: float = 0.9,
    n_samples: int | np.integer = 100,
    max_cells: int | np.integer = 2000,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
) -> pd.DataFrame:
    """See `Multiome.evaluate`."""
    if per not in ("all", "feature"):
        raise unknown("per", per, ("all", "feature"))
    seed, max_cells = check_seed(seed), check_whole("max_cells", max_cells, least=MIN_CELLS)
    n_samples = check_whole("n_samples", n_samples)
    if n_samples < draws_needed(level):
        raise MultiomeError(
            f"A {100 * level:g}% interval needs at least {draws_needed(level)} draws, got n_samples={n_samples}; pass "
            f"n_samples={draws_needed(level)} or more."
        )
    data, reference = multimodal(data, "data"), None if reference is None else multimodal(reference, "reference")
    names, cells = read(fitted, data, min_features=min_features, drop_empty=drop_empty)
    directions = [d for d in directions_of(list(cells.matrices)) if len(d.rows(cells)) >= MIN_CELLS]
    if not directions:
        raise MultiomeError(
            f"`data` holds {listed(cells.matrices)}, and no {MIN_CELLS} cells with two of them, so that nothing "
            "predicted can be compared with what was measured. Show cells in which both were measured."
        )
    cells, rows = drawn(cells, directions, max_cells, seed=seed)
    trained, learnt_from = None, [np.empty(0, dtype=np.int64)] * len(directions)
    if reference is not None:
        others, trained = read(fitted, reference, min_features=min_features, drop_empty=drop_empty)
        mention_shared(names, others)
        trained, learnt_from = drawn(trained, directions, MAX_REFERENCE, seed=seed)
        learnt_from = [some if len(some) >= MIN_CELLS else some[:0] for some in learnt_from]
    warn_unseen_batches(cells.batch_index, fitted.spec)
    for target in dict.fromkeys(direction.target for direction in directions):
        in_measured_batches(fitted.spec, target, cells.batch_index, warn=True)
    unlike_columns(fitted, cells)  # warns where many are
    comparisons = [
        Comparison(fitted, direction, cells, scored, trained, enough, seed)
        for direction, scored, enough in zip(directions, rows, learnt_from, strict=True)
    ]
    found, alone = [], []
    for comparison in comparable(comparisons):
        if trained is not None and not len(comparison.reference_rows):
            alone.append(str(comparison.direction))
        found.append((comparison.overall if per == "all" else comparison.per_feature)(level, n_samples))
    if alone:
        warnings.warn(
            f"Fewer than {MIN_CELLS} cells of `reference` have the modalities of {listed(alone, most=3)}: no simple "
            "method could be trained there, and the model stands alone.",
            MultiomeWarning,
            stacklevel=3,
        )
    return pd.concat(found, ignore_index=True)


def comparable(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Those in which something can be compared; warns of the others.

    Raises
    ------
    MultiomeError
        If there are none.
    """
    found, left_out = [], {}
    for one in comparisons:
        reason = one.cannot_be()
        if reason is None:
            found.append(one)
        else:
            left_out[str(one.direction)] = reason
    why = "; ".join(dict.fromkeys(left_out.values()))
    if not found:
        raise MultiomeError(f"Nothing can be compared: {why}. Show features that the model knows in both.")
    if left_out:
        warnings.warn(f"Not scored: {listed(left_out)}, since {why}.", MultiomeWarning, stacklevel=4)
    return found


def multimodal(data: Data, what: str) -> md.MuData | Cells:
    """Data, opened.

    Raises
    ------
    TypeError
        If they hold one modality, or are nothing that holds cells.
    """
    found = opened(data)
    if not isinstance(found, md.MuData | Cells):
        told = f"{str(data)!r}, which holds one modality" if found is not data else type(data).__name__
        raise TypeError(
            f"`{what}` must be a MuData, or the path of one: cells in which several modalities were measured. "
            f"Got {told}."
        )
    return found


def read(
    fitted: Fitted, data: md.MuData | Cells, *, min_features: float, drop_empty: bool
) -> tuple[pd.Index, CellDataset]:
    """Names of the cells, and the modalities that the model knows."""
    view, cells = read_query(data, fitted.spec, min_features=min_features, drop_empty=drop_empty)
    return view.obs_names, cells


def drawn(
    cells: CellDataset, directions: Sequence[Direction], most: int, *, seed: int
) -> tuple[CellDataset, list[Int[np.ndarray, " some"]]]:
    """For each direction the cells to look at, so many at most, drawn at random; and all of these, in memory.

    Directions share cells where they can, so that few are read from disk.
    """
    order = np.random.default_rng(seed).permutation(len(cells))
    chosen = []
    for direction in directions:
        rows = direction.rows(cells)
        chosen.append(rows[np.argsort(order[rows])[:most]])
    index = np.unique(np.concatenate(chosen))
    return cells.load(index), [np.sort(np.searchsorted(index, rows)) for rows in chosen]


def directions_of(keys: Sequence[str]) -> list[Direction]:
    """Each modality from each other one, and from all others together where there are several."""
    found = []
    for target in keys:
        others = tuple(key for key in keys if key != target)
        found += [Direction((source,), target) for source in others]
        found += [Direction(others, target)] if len(others) > 1 else []
    return found


def mention_shared(names: pd.Index, others: pd.Index) -> None:
    """Say where what is scored is also what simple methods learn from."""
    n = len(names.intersection(others))
    if n:
        warnings.warn(
            f"{n:,} of {len(names):,} cells have names that occur in `reference`, too: simple methods are scored on "
            "cells that they were trained on. Keep the cells apart, or give names a prefix per run.",
            MultiomeWarning,
            stacklevel=4,
        )
