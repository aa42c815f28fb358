"""One modality's values as CSR in the model's feature order, with depths and what was missing."""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Int

from multiome.data.checks import check_found, empty_cells
from multiome.data.depth import depth_of
from multiome.data.other_scale import as_fitted
from multiome.data.panels import Panels
from multiome.data.raw import check_presence, checked_panels
from multiome.data.spec import ModalitySpec
from multiome.data.stored import StoredRows
from multiome.modalities.protein import PROTEIN

OTHER_PANEL = (
    " Panels write one antigen in many ways: multiome.match_proteins(mdata[{key!r}].var_names, model) says which names "
    "mean the same, so that they can be renamed."
)


@dataclass(frozen=True)
class Matrix:
    """Values of the cells that have one modality (cells x model features)."""

    values: sp.csr_matrix | StoredRows
    coverage: sp.csr_matrix | StoredRows | None
    """Total calls, on the entries of ``values`` (methylation)."""
    depth: np.ndarray
    """Total count per cell over all features; estimated where features are missing."""
    found: np.ndarray
    """Which of the model's features the data have."""
    empty: np.ndarray
    """Cells that claim the modality without a single count."""
    panels: Panels | None = None
    """Which features each cell was measured in, where that differs between cells."""

    def __post_init__(self) -> None:
        for name in ("values", "coverage"):
            x = getattr(self, name)
            if sp.issparse(x):
                object.__setattr__(self, name, quick_to_index(x))


def quick_to_index(x: sp.csr_matrix) -> sp.csr_matrix:
    """The same matrix with one type of integer: scipy else converts all column numbers whenever rows are looked up."""
    if x.indptr.dtype == x.indices.dtype:
        return x
    small = x.nnz <= np.iinfo(np.int32).max
    kind = np.int32 if small else np.int64
    out = sp.csr_matrix(x.shape, dtype=x.dtype)
    out.data, out.indices, out.indptr = x.data, x.indices.astype(kind, copy=False), x.indptr.astype(kind, copy=False)
    return out


def places(key: str, adata: ad.AnnData, spec: ModalitySpec, *, min_features: float) -> tuple[np.ndarray, str]:
    """The column of each of the model's features, -1 where the data lack it; and what to do where they lack many.

    Raises
    ------
    SpecMismatch
        If less than ``min_features`` of them are there.
    """
    place = adata.var_names.astype(str).get_indexer(list(spec.features))
    missing = [spec.features[i] for i in np.flatnonzero(place < 0)]
    advice = OTHER_PANEL.format(key=key) if spec.kind == PROTEIN.name else ""
    check_found(key, int((place >= 0).sum()), spec.features, missing, min_features, advice=advice)
    return place, advice


def read_matrix(
    key: str, adata: ad.AnnData, spec: ModalitySpec, *, min_features: float = 0.5, drop_empty: bool = False
) -> Matrix:
    """Match features by name, in any order; what is missing is marked, never silently zero.

    Raises
    ------
    SpecMismatch
        If less than ``min_features`` of the model's features are there.
    InvalidCounts
        If the values do not suit the likelihood.
    """
    names = adata.var_names.astype(str)
    place, advice = places(key, adata, spec, min_features=min_features)
    found = place >= 0
    values, coverage, panels = checked_panels(key, adata, spec.modality, fitted=True)
    values = as_fitted(key, values, spec)
    check_presence(key, values, spec.likelihood)
    depth = depth_of(values, names, spec, panels)
    if panels is not None:
        panels, found = matched_panels(key, panels, place, spec, min_features=min_features, advice=advice)
    identity = found.all() and len(place) == len(names) and np.array_equal(place, np.arange(len(names)))
    if not identity:
        values = reorder(values, place)
        coverage = None if coverage is None else reorder(coverage, place)
    if not spec.modality.is_count:
        return Matrix(values, coverage, depth, found, np.zeros(adata.n_obs, dtype=bool))  # panels are of counts
    recorded = np.diff(values.indptr) if coverage is not None else np.asarray(values.sum(1)).ravel()
    empty = empty_cells(key, recorded, adata.obs_names, drop_empty=drop_empty)
    return Matrix(values, coverage, depth, found, empty, panels)


def matched_panels(
    key: str,
    panels: Panels,
    place: Int[np.ndarray, " feature"],
    spec: ModalitySpec,
    *,
    min_features: float,
    advice: str,
) -> tuple[Panels | None, Bool[np.ndarray, " feature"]]:
    """Panels of the model's features, none where cells do not differ, and which of these any panel has.

    Raises
    ------
    SpecMismatch
        If a panel has less than ``min_features`` of them.
    """
    panels = panels.columns(place)
    found = panels.anywhere  # a feature that is NaN in every cell is as absent as one that the data do not list
    missing = [spec.features[i] for i in np.flatnonzero(~found)]
    check_found(key, int(found.sum()), spec.features, missing, min_features, advice=advice)
    for measured, n_cells in panels.each():
        where = f" In {n_cells:,} cells, whose panel that is, the others are NaN."
        lacks = [spec.features[i] for i in np.flatnonzero(~measured)]
        check_found(key, int(measured.sum()), spec.features, lacks, min_features, advice=where)
    return panels if panels.differ(found) else None, found


def reorder(x: sp.csr_matrix, place: np.ndarray) -> sp.csr_matrix:
    """Columns in the model's order; ``place`` is -1 where a feature is missing. Stored zeros stay stored."""
    found = place >= 0
    part = x[:, place[found]]
    moved = np.flatnonzero(found).astype(part.indices.dtype)[part.indices]
    out = sp.csr_matrix((part.data, moved, part.indptr), shape=(x.shape[0], len(place)))
    out.sort_indices()
    return out
