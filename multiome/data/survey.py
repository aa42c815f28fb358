"""One modality on disk: what one pass over all of its cells tells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from multiome.data.calls import checked_calls
from multiome.data.checks import check_values, empty_cells
from multiome.data.depth import counted, scaled_up
from multiome.data.matrix import Matrix, matched_panels, places
from multiome.data.other_scale import mention_other_counts, mention_other_values
from multiome.data.panels import Panels, depth_shares
from multiome.data.panels_on_disk import PanelTally
from multiome.data.raw import check_presence, shown_the_same
from multiome.data.spec import ModalitySpec
from multiome.data.stored import BLOCK, Shown, StoredRows
from multiome.errors import InvalidPairing
from multiome.modalities.base import Modality


@dataclass(frozen=True)
class Survey:
    """What one pass over the cells of a modality has found."""

    total: Float[np.ndarray, "panel stored"]
    """Of each stored feature, over the cells of each panel; of all cells where there are no panels."""
    seen: Bool[np.ndarray, " stored"]
    depth: Float[np.ndarray, " cell"]
    """Total count of each cell over the features that count, as `weight` says."""
    used: Float[np.ndarray, " cell"]
    """The same over the features that the model uses; of methylation, how many of these sites were covered."""
    panels: Panels | None
    """Of the stored features, where cells differ in which are NaN."""
    largest: float
    """Of all values."""


def survey(
    key: str,
    adata: ad.AnnData,
    values: StoredRows,
    modality: Modality,
    *,
    halved: bool,
    weight: Float[np.ndarray, " stored"],
    used: Bool[np.ndarray, " stored"],
    likelihood: str,
    fitted: bool = False,
) -> Survey:
    """Check every value, and add up; the depth is the sum of the features' values times their weight.

    Raises
    ------
    InvalidCounts
        As where the values are in memory; of a block of cells at a time.
    """
    n_cells, n_features = values.shape
    total, seen, largest = np.zeros((1, n_features)), np.zeros(n_features, dtype=bool), 0.0
    depth, recorded = np.zeros(n_cells, dtype=np.float32), np.zeros(n_cells, dtype=np.float32)
    sums = np.column_stack([weight, used]).astype(np.float32)
    tally = PanelTally(key, adata.var_names, n_cells, fitted=fitted) if modality.takes_panels else None
    for rows, block in values.blocks():
        x = block if tally is None else tally.add(rows, block)
        calls = None if values.coverage is None else values.coverage.read(rows.start, rows.stop)
        x = checked(key, x, calls, adata, modality, rows=rows, fitted=fitted)
        if halved:
            x.data = np.ceil(x.data / 2)
        check_presence(key, x, likelihood)
        largest = max(largest, float(x.data.max(initial=0)))
        seen |= np.bincount(x.indices[x.data != 0], minlength=n_features) > 0
        total += np.asarray(x.sum(0))
        depth[rows], recorded[rows] = (x @ sums).T
    panels, of_each = (None, total) if tally is None else tally.found()
    return Survey(total if panels is None else of_each, seen, depth, recorded, panels, largest)


def checked(
    key: str,
    x: sp.csr_matrix,
    calls: sp.csr_matrix | None,
    adata: ad.AnnData,
    modality: Modality,
    *,
    rows: slice | Int[np.ndarray, " some"],
    fitted: bool = False,
) -> sp.csr_matrix:
    """Values of some cells after every check that needs no model; of methylation, 1 where a site was covered."""
    layers, names = list(adata.layers), (adata.obs_names[rows], adata.var_names)
    advice = shown_the_same(modality.layer) if fitted else None
    if calls is None:
        check_values(
            key, x, *names, is_count=modality.is_count, layers=layers, layer=modality.layer,
            has_raw=adata.raw is not None, advice=advice,
        )  # fmt: skip
        return x
    _, calls = checked_calls(key, x, calls, modality, names=names, layers=layers, advice=advice)
    return sp.csr_matrix((np.ones_like(calls.data), calls.indices, calls.indptr), shape=calls.shape)


def from_survey(
    key: str,
    adata: ad.AnnData,
    values: StoredRows,
    modality: Modality,
    draft: ModalitySpec,
    *,
    n_seen: int,
    drop_empty: bool,
) -> tuple[ModalitySpec, Matrix, int]:
    """What a recipe decided on ``n_seen`` of the cells, and all of them as one pass tells.

    Which features are used is the recipe's choice; how deep cells are, what each feature adds to it and how many cells
    there are is known of all cells.
    """
    names = adata.var_names.astype(str)
    place = pd.Index(draft.features).get_indexer(names)
    every = np.ones(len(names))
    asked_for = modality.likelihood.__name__
    found = survey(
        key, adata, values, modality, halved=draft.halved, weight=every, used=place >= 0, likelihood=asked_for
    )
    if draft.likelihood != asked_for and found.largest > 1:
        # the cells that the recipe saw show presence, others counts
        draft = replace(draft, likelihood=asked_for, notes=())
    empty = np.zeros(adata.n_obs, dtype=bool)
    if modality.is_count:
        empty = empty_cells(key, found.used, adata.obs_names, drop_empty=drop_empty)
    if empty.all():
        raise InvalidPairing(f"{key!r} has no cell with a count; leave it out with `modalities`.")
    n_cells = int((~empty).sum())
    order = names.get_indexer(list(draft.features + draft.other_features))
    panels = None if found.panels is None else found.panels.columns(order)  # without what nobody was measured in
    if panels is not None and panels.used.sum() < 2:
        panels = None
    total = found.total[:, order].sum(0) if panels is None else depth_shares(found.total[:, order], panels)
    draft = replace(draft, share=tuple((total / max(total.sum(), 1e-12)).tolist()) if draft.has_depth else ())
    depth = np.ones(adata.n_obs, dtype=np.float32)
    if draft.has_depth:
        depth = scaled_up(found.depth, np.asarray(draft.share), panels)
    spec = replace(
        draft,
        median_depth=float(np.median(depth[~empty])) if draft.has_depth else 1.0,
        n_cells=n_cells,
        layer=modality.layer,
        n_components=modality.components_of(n_cells),
        notes=(*draft.notes, f"the recipe saw {n_seen:,} of {adata.n_obs:,} cells."),
    )
    n = len(draft.features)
    kept = values.shown(Shown(place, n, halved=draft.halved, has_panels=found.panels is not None))
    panels = None if panels is None else panels.columns(np.arange(n))
    matrix = Matrix(kept, kept.coverage, depth, np.ones(n, dtype=bool), empty, panels)
    measured = True if found.panels is None else found.panels.anywhere
    return spec, matrix, int((measured & ~found.seen).sum())


def query_matrix(
    key: str,
    adata: ad.AnnData,
    values: StoredRows,
    spec: ModalitySpec,
    *,
    min_features: float,
    drop_empty: bool,
) -> Matrix:
    """As `read_matrix`, of cells that stay on disk."""
    place, advice = places(key, adata, spec, min_features=min_features)
    names, column = adata.var_names.astype(str), pd.Index(spec.features).get_indexer(adata.var_names.astype(str))
    weight, share = counted(names, spec)
    told = survey(
        key, adata, values, spec.modality, halved=spec.halved, weight=weight, used=column >= 0,
        likelihood=spec.likelihood, fitted=True,
    )  # fmt: skip
    first = values.read(0, min(BLOCK, adata.n_obs)).data
    mention_other_counts(key, first, spec)
    mention_other_values(key, first, spec)
    depth = np.ones(adata.n_obs, dtype=np.float32)
    if spec.has_depth:
        depth = scaled_up(told.depth, share, told.panels)
    found, panels = place >= 0, None
    if told.panels is not None:
        panels, found = matched_panels(key, told.panels, place, spec, min_features=min_features, advice=advice)
    empty = np.zeros(adata.n_obs, dtype=bool)
    if spec.modality.is_count:
        empty = empty_cells(key, told.used, adata.obs_names, drop_empty=drop_empty)
    seen_as = Shown(column, len(spec.features), halved=spec.halved, has_panels=told.panels is not None)
    kept = values.shown(seen_as)
    return Matrix(kept, kept.coverage, depth, found, empty, panels)
