"""Methylated calls beside all calls of each site: checked, and on the same entries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from multiome.data.checks import check_calls, check_coverage, check_layer, check_values
from multiome.errors import InvalidCounts
from multiome.modalities.base import Modality


def check_layers(key: str, modality: Modality, layers: list[str]) -> None:
    """Both are there, and are not the same.

    Raises
    ------
    UnknownName
        If a layer does not exist.
    InvalidCounts
        If one is meant to hold both.
    """
    check_layer(key, modality.layer, layers)
    if modality.coverage_layer is None:
        return
    check_layer(key, modality.coverage_layer, layers, purpose=" (methylation needs its total calls)")
    if modality.layer == modality.coverage_layer:
        raise InvalidCounts(
            f"{key!r}: layer {modality.layer!r} cannot hold both the methylated calls and all calls of each site. Name "
            "the layer of the methylated calls with with_layer('<layer>'), or leave it out where they lie in .X."
        )


def checked_calls(
    key: str,
    values: sp.csr_matrix,
    coverage: sp.csr_matrix,
    modality: Modality,
    *,
    names: tuple[pd.Index, pd.Index],
    layers: Sequence[str],
    advice: str | None,
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Values on the entries of the coverage, which stores no zeros, after every check of both."""
    others = [name for name in layers if name != modality.coverage_layer]
    check_values(
        key, coverage, *names, is_count=True, layers=others, layer=modality.coverage_layer,
        advice="It must count all calls of each site.",
    )  # fmt: skip
    coverage = without_zeros(coverage)
    values = without_uncovered(values, coverage)
    if modality.is_count:
        check_calls(key, values, str(modality.coverage_layer), modality.layer)
    check_values(key, values, *names, is_count=modality.is_count, layers=others, layer=modality.layer, advice=advice)
    check_coverage(key, values, coverage, *names)
    return on_entries(values, coverage), coverage


def without_uncovered(values: sp.csr_matrix, coverage: sp.csr_matrix) -> sp.csr_matrix:
    """NaN at sites without a call says what the coverage says as well, and is dropped; elsewhere it stays."""
    missing = np.flatnonzero(np.isnan(values.data))
    if not len(missing):
        return values
    rows = np.searchsorted(values.indptr, missing, side="right") - 1
    covered = np.asarray(coverage[rows, values.indices[missing]]).ravel() > 0
    values = values.copy()
    values.data[missing[~covered]] = 0
    values.eliminate_zeros()
    return values


def without_zeros(x: sp.csr_matrix) -> sp.csr_matrix:
    """The same matrix without stored zeros; a copy only where there are some."""
    if np.all(x.data):
        return x
    x = x.copy()
    x.eliminate_zeros()
    return x


def on_entries(values: sp.csr_matrix, coverage: sp.csr_matrix) -> sp.csr_matrix:
    """The values with exactly the entries of the coverage (which stores no zeros), zeros stored."""
    # 2 * coverage + values has every entry of the coverage and no cancellation; values never exceed the coverage
    both = sp.csr_matrix(values + 2 * coverage)
    return sp.csr_matrix((both.data - 2 * coverage.data, coverage.indices, coverage.indptr), shape=coverage.shape)
