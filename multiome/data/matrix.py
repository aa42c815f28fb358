"""One modality's values as CSR in the model's feature order, with depths and what was missing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import anndata as ad
import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Int

from multiome.data.calls import check_layers, checked_calls
from multiome.data.checks import check_found, check_layer, check_values, empty_cells
from multiome.data.depth import depth_of
from multiome.data.panels import Panels, check_panels, without_nan
from multiome.data.spec import ModalitySpec
from multiome.data.stored import StoredRows
from multiome.errors import InvalidCounts, MultiomeWarning, UnknownName, listed
from multiome.modalities.atac import looks_like_cut_sites
from multiome.modalities.base import Modality
from multiome.modalities.protein import PROTEIN

MIN_TO_TELL = 200
"""So few counts of 1 to 4 do not tell fragments from cut sites, nor so few values counts from others."""
FAR = 3.0
"""Values so many times as large as the largest of training are not on its scale."""

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


def raw_values(adata: ad.AnnData, layer: str | None, *, key: str = "the modality") -> sp.csr_matrix:
    """The layer, or ``.X``, as CSR float32; stored zeros stay, and memory is shared with the data where it can be."""
    x = adata.X if layer is None else adata.layers[layer]
    if x is None:
        raise UnknownName(f"{key!r} has no .X; name the layer that holds its values ({listed(adata.layers)}).")
    if hasattr(x, "to_memory"):  # sparse on disk
        x = x.to_memory()
    elif not isinstance(x, np.ndarray) and not sp.issparse(x):  # dense on disk
        x = np.asarray(x[:])
    if x.dtype.kind not in "buif":
        raise InvalidCounts(
            f"{key!r}: {place_of(layer)} must hold numbers, but its dtype is {x.dtype}. Convert it, for example "
            "adata.X = adata.X.astype('float32')."
        )
    csr = sp.csr_matrix(x.astype(np.float32) if x.dtype == np.float16 else x)  # scipy knows no float16
    if csr.dtype != np.float32:
        with np.errstate(over="ignore"):  # too large for float32 is infinite, and said so later
            data = csr.data.astype(np.float32)
        csr = sp.csr_matrix((data, csr.indices, csr.indptr), shape=csr.shape)
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return csr


def place_of(layer: str | None) -> str:
    """Where values lie, as messages call it."""
    return ".X" if layer is None else f"layer {layer!r}"


def checked_panels(
    key: str, adata: ad.AnnData, modality: Modality, *, fitted: bool = False
) -> tuple[sp.csr_matrix, sp.csr_matrix | None, Panels | None]:
    """As `checked_values`, and the panels that NaN tells of, where a kind of modality may have several."""
    if not modality.takes_panels:
        return *checked_values(key, adata, modality, fitted=fitted), None
    check_layer(key, modality.layer, list(adata.layers))
    values, panels = without_nan(raw_values(adata, modality.layer, key=key))
    if panels is not None:
        check_panels(key, panels, adata.var_names, fitted=fitted)
    return *checked_values(key, adata, modality, fitted=fitted, raw=values), panels


def checked_values(
    key: str, adata: ad.AnnData, modality: Modality, *, fitted: bool = False, raw: sp.csr_matrix | None = None
) -> tuple[sp.csr_matrix, sp.csr_matrix | None]:
    """Values and coverage (on the same entries), after every check that needs no model.

    What is told to do about bad values depends on whether a model has been ``fitted`` already. ``raw`` values are those
    that were read before.
    """
    layers = list(adata.layers)
    names = adata.obs_names, adata.var_names
    check_layers(key, modality, layers)
    values = raw_values(adata, modality.layer, key=key) if raw is None else raw
    advice = f"The model was fitted on raw counts in {place_of(modality.layer)}; show it the same." if fitted else None
    if modality.coverage_layer is None:
        check_values(
            key, values, *names, is_count=modality.is_count, layers=layers, layer=modality.layer,
            has_raw=adata.raw is not None, advice=advice,
        )  # fmt: skip
        return values, None
    coverage = raw_values(adata, modality.coverage_layer, key=key)
    return checked_calls(key, values, coverage, modality, names=names, layers=layers, advice=advice)


def halve(values: sp.csr_matrix) -> sp.csr_matrix:
    """Cut sites to fragments."""
    return sp.csr_matrix((np.ceil(values.data / 2), values.indices, values.indptr), shape=values.shape)


def check_presence(key: str, values: sp.csr_matrix, likelihood: str) -> None:
    """A Bernoulli likelihood describes 0 and 1 only.

    Raises
    ------
    InvalidCounts
        If there are larger values.
    """
    if likelihood == "Bernoulli" and values.data.max(initial=0) > 1:
        raise InvalidCounts(
            f"{key!r}: the model describes presence, 0 or 1, but there are counts up to {values.data.max():g}. "
            "Make them presence, for example adata.X = (adata.X > 0).astype('float32')."
        )


def as_fitted(key: str, values: sp.csr_matrix, spec: ModalitySpec) -> sp.csr_matrix:
    """Counts on the scale of the model: cut sites halved if training had those. Says so where they look different."""
    mention_other_counts(key, values.data, spec)
    mention_other_values(key, values.data, spec)
    return halve(values) if spec.halved else values


def mention_other_counts(key: str, values: np.ndarray, spec: ModalitySpec) -> None:
    """Say so where counts look like cut sites and training had fragments, or the reverse."""
    if spec.modality.name == "atac" and spec.likelihood == "Poisson":
        small = values[(values >= 1) & (values <= 4)]
        if len(small) >= MIN_TO_TELL and looks_like_cut_sites(small) != spec.halved:
            ours, theirs = ("cut sites", "fragments") if spec.halved else ("fragments", "cut sites")
            warnings.warn(
                f"{key!r}: the model was fitted on counts of {ours}, but these look like {theirs} (even counts are "
                f"{'rare' if spec.halved else 'the rule'}), so they are read as "
                f"{'half' if spec.halved else 'twice'} of what was measured. Count them as for training.",
                MultiomeWarning,
                stacklevel=7,
            )


def size_of(values: np.ndarray) -> tuple[float, bool]:
    """What a spec notes of values that are no counts: the largest absolute one, and whether all are whole numbers."""
    return float(np.abs(values).max(initial=0.0)), bool((values == np.round(values)).all())


def mention_other_values(key: str, values: np.ndarray, spec: ModalitySpec) -> None:
    """Say so where values that are no counts lie elsewhere than those of training, as counts beside logarithms do."""
    if spec.modality.is_count or spec.largest is None or np.count_nonzero(values) < MIN_TO_TELL:
        return
    largest, is_whole = size_of(values)
    counts_instead = is_whole and not spec.is_whole
    if counts_instead or largest > FAR * spec.largest:
        warnings.warn(
            f"{key!r}: the model was fitted on values up to {spec.largest:.3g}, but these go up to "
            f"{largest:.3g}{' and are whole numbers, as counts are' if counts_instead else ''}. Transform them "
            "as those of training were; what is predicted from others means nothing.",
            MultiomeWarning,
            stacklevel=7,
        )


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
