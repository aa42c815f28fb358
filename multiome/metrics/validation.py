"""Check the arrays that scores are computed from; every message says what was given and what was expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

Dense: TypeAlias = npt.NDArray[Any]
Array: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.int64]
Matrix: TypeAlias = Dense | sp.csr_array
Values: TypeAlias = npt.ArrayLike | sp.sparray | sp.spmatrix
"""What a caller may pass as a matrix."""


def as_embedding(name: str, z: npt.ArrayLike) -> Array:
    """Cells x dimensions as finite float64."""
    found = np.asarray(z, dtype=np.float64)
    if found.ndim != 2:
        raise ValueError(f"`{name}` must have two axes (cells x dimensions), got shape {found.shape}.")
    if 0 in found.shape:
        raise ValueError(f"`{name}` is empty: it has shape {found.shape}.")
    bad = ~np.isfinite(found).all(axis=1)
    if bad.any():
        raise ValueError(
            f"`{name}` must be finite, but {bad.sum()} of {len(found)} rows hold NaN or infinity "
            f"(first: {np.flatnonzero(bad)[:3].tolist()}). Leave out cells without an embedding."
        )
    return found


def as_labels(name: str, labels: npt.ArrayLike, n_cells: int) -> Dense:
    """One label per cell, none missing."""
    found = np.asarray(labels)
    if found.shape != (n_cells,):
        raise ValueError(f"`{name}` must hold one value for each of {n_cells} cells, got shape {found.shape}.")
    missing = np.asarray(pd.isna(found))
    if missing.any():
        raise ValueError(f"`{name}` misses the value of {missing.sum()} of {n_cells} cells; leave those cells out.")
    return found


def as_matrix(name: str, x: Values) -> Matrix:
    """Cells x features, dense or CSR, neither axis empty."""
    found: Matrix = sp.csr_array(x) if sp.issparse(x) else np.asarray(x)
    if found.ndim != 2:
        raise ValueError(f"`{name}` must have two axes (cells x features), got shape {found.shape}.")
    if found.dtype.kind not in "biuf":
        raise ValueError(f"`{name}` must hold numbers, got values of type {found.dtype}.")
    if found.shape[0] == 0 or found.shape[1] == 0:
        raise ValueError(f"`{name}` is empty: it has shape {found.shape}.")
    return found


def stored(x: Matrix) -> Dense:
    """Return the entries held in memory: all of a dense matrix, those of a sparse one that may differ from 0."""
    return x if isinstance(x, np.ndarray) else np.asarray(x.data)


def dense(x: Matrix) -> Dense:
    """Return the matrix as a dense array."""
    return x if isinstance(x, np.ndarray) else x.toarray()


def check_finite(name: str, x: Matrix, advice: str) -> None:
    """Raise if an entry is NaN or infinite."""
    n = int((~np.isfinite(stored(x))).sum())
    if n:
        raise ValueError(f"`{name}` must be finite, but {n} entries are NaN or infinite; {advice}.")


def check_same_shape(left: str, a: Matrix, right: str, b: Matrix) -> None:
    """Raise unless both have the same shape."""
    if tuple(a.shape) != tuple(b.shape):
        raise ValueError(f"`{left}` and `{right}` must have the same shape, got {a.shape} and {b.shape}.")


def check_k(k: int, n_candidates: int, what: str = "other cells") -> None:
    """Raise unless there are at least ``k`` candidates for the ``k`` neighbours."""
    if not 1 <= k <= n_candidates:
        raise ValueError(f"`k` must lie between 1 and the {n_candidates} {what}, got {k}.")


def check_level(level: float) -> None:
    """Raise unless ``level`` is a probability strictly between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie strictly between 0 and 1, got {level}.")


def blocks(n: int, size: int) -> Iterator[slice]:
    """Slices that cover ``range(n)``, each of at most ``size``."""
    if size < 1:
        raise ValueError(f"`block` must be at least 1, got {size}.")
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
