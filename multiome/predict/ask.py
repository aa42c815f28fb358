"""A question to a fitted model: everything that it needs is checked before any of it is computed."""

from __future__ import annotations

from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd

from multiome.data.cells import Cells
from multiome.data.covariates import fixed_batch_index
from multiome.data.dataset import CellDataset
from multiome.data.opened import Data, opened
from multiome.data.query import read_query
from multiome.data.spec import DataSpec
from multiome.errors import MultiomeError, UnknownName, listed
from multiome.predict.arguments import (
    Depth,
    check_asked,
    check_depth,
    chosen_features,
    guess_source,
    warn_unseen_batches,
)
from multiome.predict.elsewhere import in_measured_batches
from multiome.predict.embed import unmeasured, warn_unmeasured
from multiome.predict.fitted import Fitted
from multiome.predict.states import Query
from multiome.predict.unlike import unlike_columns

PREDICTED, OWN = ("predicted", "reference"), ("own", "reference")
"""Words for a depth, of a modality that is predicted, or that was measured."""


def ask(
    fitted: Fitted,
    data: Data,
    target: str,
    *,
    source: str | None,
    features: Sequence[str] | None,
    depth: Depth,
    batch: str | int | Sequence[str] | None,
    min_features: float,
    drop_empty: bool,
) -> Query:
    """Check everything a prediction needs before any of it is computed."""
    spec = fitted.spec
    target_key = spec.key(target)
    wanted = wanted_features(spec, target_key, features)
    check_asked(spec, depth, batch, PREDICTED)
    data = opened(data)
    if isinstance(data, ad.AnnData) and source is None:
        source = guess_source(data, fitted, target_key)
    if source is not None and spec.key(source) == target_key:
        raise MultiomeError(f"source and target are both {target_key!r}; predict one modality from another.")
    view, cells = read_query(
        data, spec, modality=source, target=target_key, min_features=min_features, drop_empty=drop_empty
    )
    used = list(cells.matrices)
    predicted_in = batches_of(spec, target_key, cells, batch)
    nothing = unmeasured(cells)
    warn_unmeasured(np.asarray(view.obs_names[nothing]), used)
    depth = check_depth(depth, view.obs_names, PREDICTED)
    unlike = unlike_columns(fitted, cells)
    return Query(fitted, target_key, view, cells, depth, wanted, predicted_in, nothing, unlike)


def wanted_features(spec: DataSpec, key: str, features: Sequence[str] | None) -> pd.Index:
    """The features to predict: all that the model knows, unless some are named."""
    known = pd.Index(spec.modalities[key].features)
    return known if features is None else chosen_features(features, known, key)


def batches_of(spec: DataSpec, target: str, cells: CellDataset, batch: str | int | Sequence[str] | None) -> np.ndarray:
    """The experimental batches in which a target is predicted: as said, or the cells' own; where training has it."""
    if batch is not None:
        return in_measured_batches(spec, target, fixed_batch_index(spec, batch, len(cells)), warn=True)
    predicted_in = in_measured_batches(spec, target, cells.batch_index, warn=True)
    warn_unseen_batches(predicted_in, spec)
    return predicted_in


def ask_own(
    fitted: Fitted,
    data: Data,
    modality: str,
    *,
    features: Sequence[str] | None,
    depth: Depth,
    batch: str | int | Sequence[str] | None,
    min_features: float,
    drop_empty: bool,
) -> Query:
    """The same of a modality that was measured: its own cells, in its own order, with all that is known of them."""
    spec = fitted.spec
    key = spec.key(modality)
    wanted = wanted_features(spec, key, features)
    check_asked(spec, depth, batch, OWN)
    data = opened(data)
    only = key if isinstance(data, ad.AnnData) else None
    view, cells = read_query(data, spec, modality=only, min_features=min_features, drop_empty=drop_empty)
    if key not in cells.matrices:
        raise UnknownName(
            f"The data hold {listed(cells.matrices)}, not {key!r}: `denoise` smooths a modality that was measured; "
            "`impute` predicts one that was not."
        )
    index = view.obs_names.get_indexer(view.mods[key].obs_names)
    view = Cells(view.obs_names[index], view.obs, view.mods, {k: rows[index] for k, rows in view.rows.items()})
    cells = cells.part(index)
    own_batch = in_measured_batches(spec, key, cells.batch_index)
    predicted_in = batches_of(spec, key, cells, batch)
    nothing = ~cells.observed(key)
    warn_unmeasured(np.asarray(view.obs_names[nothing]), [key])
    depth = check_depth(depth, view.obs_names, OWN)
    unlike = unlike_columns(fitted, cells)
    return Query(fitted, key, view, cells, depth, wanted, predicted_in, nothing, unlike, own_batch)
