"""The values that data hold of a modality, as CSR, after every check that needs no model."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import scipy.sparse as sp

from multiome.data.calls import check_layers, checked_calls
from multiome.data.checks import check_layer, check_values
from multiome.data.on_disk import read_whole
from multiome.data.panels import Panels, check_panels, without_nan
from multiome.errors import InvalidCounts, MultiomeError, UnknownName, listed
from multiome.modalities.base import Modality


def raw_values(adata: ad.AnnData, layer: str | None, *, key: str = "the modality") -> sp.csr_matrix:
    """The layer, or ``.X``, as CSR float32; stored zeros stay, and memory is shared with the data where it can be."""
    x = matrix_of(adata, layer, key=key)
    if x is None:
        raise UnknownName(f"{key!r} has no .X; name the layer that holds its values ({listed(adata.layers)}).")
    if not isinstance(x, np.ndarray) and not sp.issparse(x):  # on disk
        x = read_whole(x)
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


def matrix_of(adata: ad.AnnData, layer: str | None, *, key: str) -> Any:
    """The layer, or ``.X``, in memory or on disk.

    Raises
    ------
    MultiomeError
        If the file that it lies in is damaged.
    """
    try:
        return adata.X if layer is None else adata.layers[layer]
    except (KeyError, OSError, RuntimeError) as error:
        raise MultiomeError(
            f"{key!r}: {place_of(layer)} cannot be read ({error}): the file is damaged. Copy or write it anew."
        ) from error


def shown_the_same(layer: str | None) -> str:
    """What to do about values that are no counts, where a model knows what it was fitted on."""
    return f"The model was fitted on raw counts in {place_of(layer)}; show it the same."


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
    advice = shown_the_same(modality.layer) if fitted else None
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
