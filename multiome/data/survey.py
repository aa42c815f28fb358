"""One modality on disk: what one pass over all of its cells tells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import anndata as ad
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from multiome.data.checks import check_values, empty_cells
from multiome.data.matrix import Matrix, check_presence, mention_other_counts, places
from multiome.data.spec import ModalitySpec
from multiome.data.stored import BLOCK, StoredRows
from multiome.errors import InvalidCounts, InvalidPairing
from multiome.modalities.base import Modality


@dataclass(frozen=True)
class Survey:
    """What one pass over the cells of a modality has found."""

    total: Float[np.ndarray, " stored"]
    """Of each stored feature, over all cells."""
    seen: Bool[np.ndarray, " stored"]
    depth: Float[np.ndarray, " cell"]
    """Total count of each cell over the features that count, as `weight` says."""
    used: Float[np.ndarray, " cell"]
    """The same over the features that the model uses."""


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
    advice: str | None = None,
) -> Survey:
    """Check every value, and add up; the depth is the sum of the features' values times their weight.

    Raises
    ------
    InvalidCounts
        As where the values are in memory; of a block of cells at a time.
    """
    n_cells, n_features = values.shape
    total, seen = np.zeros(n_features), np.zeros(n_features, dtype=bool)
    depth, recorded = np.zeros(n_cells, dtype=np.float32), np.zeros(n_cells, dtype=np.float32)
    layers, sums = list(adata.layers), np.column_stack([weight, used]).astype(np.float32)
    for rows, x in values.blocks():
        no_panels(key, x.data, modality)
        check_values(
            key, x, adata.obs_names[rows], adata.var_names, is_count=modality.is_count, layers=layers,
            layer=modality.layer, has_raw=adata.raw is not None, advice=advice,
        )  # fmt: skip
        if halved:
            x.data = np.ceil(x.data / 2)
        check_presence(key, x, likelihood)
        seen |= np.bincount(x.indices[x.data != 0], minlength=n_features) > 0
        total += np.asarray(x.sum(0)).ravel()
        depth[rows], recorded[rows] = (x @ sums).T
    return Survey(total, seen, depth, recorded)


def no_panels(key: str, data: np.ndarray, modality: Modality) -> None:
    """Different antibody panels are told apart in memory only."""
    if modality.takes_panels and np.isnan(data).any():
        raise InvalidCounts(
            f"{key!r} holds NaN. Where it says which proteins a cell was not measured in, the modality must be in "
            f"memory: mdata.mod[{key!r}] = mdata[{key!r}].to_memory()."
        )


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
    found = survey(
        key, adata, values, modality, halved=draft.halved, weight=every, used=place >= 0, likelihood=draft.likelihood
    )
    empty = np.zeros(adata.n_obs, dtype=bool)
    if modality.is_count:
        empty = empty_cells(key, found.used, adata.obs_names, drop_empty=drop_empty)
    if empty.all():
        raise InvalidPairing(f"{key!r} has no cell with a count; leave it out with `modalities`.")
    n_cells = int((~empty).sum())
    order = names.get_indexer(list(draft.features + draft.other_features))
    depth = found.depth if draft.has_depth else np.ones(adata.n_obs, dtype=np.float32)
    share = found.total[order] / max(found.total[order].sum(), 1e-12) if draft.has_depth else np.zeros(0)
    spec = replace(
        draft,
        share=tuple(share.astype(float).tolist()),
        median_depth=float(np.median(depth[~empty])) if draft.has_depth else 1.0,
        n_cells=n_cells,
        layer=modality.layer,
        n_components=modality.components_of(n_cells),
        notes=(*draft.notes, f"the recipe saw {n_seen:,} of {adata.n_obs:,} cells."),
    )
    kept = values.shown(place, len(draft.features), halved=draft.halved)
    matrix = Matrix(kept, None, depth, np.ones(len(draft.features), dtype=bool), empty)
    return spec, matrix, int((~found.seen).sum())


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
    found = places(key, adata, spec, min_features=min_features)[0] >= 0
    names = adata.var_names.astype(str)
    counted = names.get_indexer(list(spec.features + spec.other_features))
    weight = np.zeros(len(names))
    weight[counted[counted >= 0]] = 1
    place = pd.Index(spec.features).get_indexer(names)
    told = survey(
        key, adata, values, spec.modality, halved=spec.halved, weight=weight, used=place >= 0,
        likelihood=spec.likelihood, advice=f"The model was fitted on raw counts of {key!r}; show it the same.",
    )  # fmt: skip
    mention_other_counts(key, values.read(0, min(BLOCK, adata.n_obs)).data, spec)
    depth = np.ones(adata.n_obs, dtype=np.float32)
    if spec.has_depth:
        depth = told.depth / np.float32(max(float(np.asarray(spec.share)[counted >= 0].sum()), 1e-6))
    empty = np.zeros(adata.n_obs, dtype=bool)
    if spec.modality.is_count:
        empty = empty_cells(key, told.used, adata.obs_names, drop_empty=drop_empty)
    return Matrix(values.shown(place, len(spec.features), halved=spec.halved), None, depth, found, empty)
