"""Every direction of prediction that held-out cells allow, beside simple methods trained on the same cells."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import mudata as md
import numpy as np
import pandas as pd

from multiome.data.build import read_query
from multiome.data.dataset import CellDataset
from multiome.errors import MultiomeError, MultiomeWarning, check_seed, check_whole, listed, unknown
from multiome.predict.arguments import warn_unseen_batches
from multiome.predict.comparison import MIN_CELLS, Comparison, Direction
from multiome.predict.elsewhere import in_measured_batches
from multiome.predict.fitted import Fitted
from multiome.predict.prediction import draws_needed
from multiome.predict.unlike import unlike_columns


def evaluate(
    fitted: Fitted,
    data: md.MuData,
    *,
    reference: md.MuData | None = None,
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
        raise MultiomeError(f"A {level:.0%} interval needs at least {draws_needed(level)} draws, got {n_samples}.")
    cells = read(fitted, data, "data", min_features=min_features, drop_empty=drop_empty)
    directions = [d for d in directions_of(list(cells.matrices)) if len(d.rows(cells)) >= MIN_CELLS]
    if not directions:
        raise MultiomeError(
            f"`data` holds {listed(cells.matrices)}, and no {MIN_CELLS} cells with two of them, so that nothing "
            "predicted can be compared with what was measured. Show cells in which both were measured."
        )
    trained = None
    if reference is not None:
        trained = read(fitted, reference, "reference", min_features=min_features, drop_empty=drop_empty)
        mention_shared(data, reference)
    warn_unseen_batches(cells.batch_index, fitted.spec)
    for target in dict.fromkeys(direction.target for direction in directions):
        in_measured_batches(fitted.spec, target, cells.batch_index, warn=True)
    unlike_columns(fitted, cells)  # warns where many are
    found, alone = [], []
    for direction in directions:
        rows = np.sort(np.random.default_rng(seed).permutation(direction.rows(cells))[:max_cells])
        comparison = Comparison(fitted, direction, cells, rows, trained, seed)
        if trained is not None and not len(comparison.reference_rows):
            alone.append(f"{direction.source} to {direction.target}")
        found.append((comparison.overall if per == "all" else comparison.per_feature)(level, n_samples))
    if alone:
        warnings.warn(
            f"Fewer than {MIN_CELLS} cells of `reference` have the modalities of {listed(alone, most=3)}: no simple "
            "method could be trained there, and the model stands alone.",
            MultiomeWarning,
            stacklevel=3,
        )
    return pd.concat(found, ignore_index=True)


def read(fitted: Fitted, data: object, what: str, *, min_features: float, drop_empty: bool) -> CellDataset:
    """The modalities that the model knows.

    Raises
    ------
    TypeError
        If it is no MuData.
    """
    if not isinstance(data, md.MuData):
        raise TypeError(
            f"`{what}` must be a MuData: cells in which several modalities were measured. Got {type(data).__name__}."
        )
    return read_query(data, fitted.spec, min_features=min_features, drop_empty=drop_empty)[1]


def directions_of(keys: Sequence[str]) -> list[Direction]:
    """Each modality from each other one, and from all others together where there are several."""
    found = []
    for target in keys:
        others = tuple(key for key in keys if key != target)
        found += [Direction((source,), target) for source in others]
        found += [Direction(others, target)] if len(others) > 1 else []
    return found


def mention_shared(data: md.MuData, reference: md.MuData) -> None:
    """Say where what is scored is also what simple methods learn from."""
    n = len(data.obs_names.intersection(reference.obs_names))
    if n:
        warnings.warn(
            f"{n:,} of {data.n_obs:,} cells have names that occur in `reference`, too: simple methods are scored on "
            "cells that they were trained on. Keep the cells apart, or give names a prefix per run.",
            MultiomeWarning,
            stacklevel=4,
        )
