"""Values that stay on disk: a few rows at a time, as CSR in the model's feature order."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import anndata as ad
import h5py
import numpy as np
import scipy.sparse as sp
import zarr
from anndata.abc import CSCDataset, CSRDataset
from jaxtyping import Int

from multiome.data.calls import check_layers, on_entries, without_uncovered, without_zeros
from multiome.data.on_disk import check_whole, damaged, location, opened_again, readable
from multiome.errors import InvalidCounts, MultiomeError, MultiomeWarning
from multiome.modalities.base import Modality

MAX_IN_MEMORY = 20_000
"""Cells of a modality on disk that are read into memory as a whole; of more, a few at a time are."""
BLOCK = 4_096
"""Rows that one pass over all of them reads at a time."""
GAP = 16
"""Rows that are read, and not used, rather than read anew behind them."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a model sees of rows on disk."""

    place: Int[np.ndarray, " stored"]
    """The model's column of every stored one, -1 where it is not used."""
    n_columns: int
    """Columns of the model."""
    halved: bool = False
    """Whether values are halved and rounded up (cut sites to fragments)."""
    has_panels: bool = False
    """Whether NaN says what a cell was not measured in; it is taken out."""

    @cached_property
    def is_all(self) -> bool:
        """Whether all columns are used, in the same order."""
        return len(self.place) == self.n_columns and bool((self.place == np.arange(self.n_columns)).all())

    def of(self, x: sp.csr_matrix, coverage: sp.csr_matrix | None) -> sp.csr_matrix:
        """Some rows as the model sees them; methylated calls on the entries of all calls, the ``coverage``."""
        if self.has_panels:
            x.data[np.isnan(x.data)] = 0
        x = without_zeros(x)
        if not self.is_all:
            x = placed(x, self.place, self.n_columns)
        if coverage is not None:
            x = on_entries(without_uncovered(x, coverage), coverage)
        if self.halved:
            x.data = np.ceil(x.data / 2)
        return x


class StoredRows:
    """Rows of a matrix on disk, CSR or dense, by their index; nothing is kept of what was read.

    Parameters
    ----------
    x
        What `anndata` shows of a matrix in an open file.
    coverage
        All calls, where these are methylated ones.
    seen_as
        What the model sees of them; by default all as it is.
    """

    def __init__(
        self,
        x: CSRDataset | h5py.Dataset | zarr.Array,
        *,
        coverage: StoredRows | None = None,
        seen_as: Shown | None = None,
    ) -> None:
        self.coverage, self.seen_as = coverage, seen_as
        self.shape = (int(x.shape[0]), int(x.shape[1]) if seen_as is None else seen_as.n_columns)
        self.attach(x)

    def attach(self, x: CSRDataset | h5py.Dataset | zarr.Array) -> None:
        """Read from this matrix."""
        self.x = x
        self.n_stored = int(x.shape[1])  # of sparse rows the file is asked each time
        self.parts: tuple[Any, Any] | None = None
        if isinstance(x, CSRDataset):
            self.indptr = np.asarray(x.group["indptr"][:], dtype=np.int64)
            self.parts = x.group["data"], x.group["indices"]
            check_whole(x, self.indptr)

    def __getstate__(self) -> dict[str, Any]:
        """For another process: where the values lie, not what has been opened."""
        return {"where": location(self.x), "coverage": self.coverage, "seen_as": self.seen_as, "shape": self.shape}

    def __setstate__(self, state: dict[str, Any]) -> None:
        where = state.pop("where")
        vars(self).update(state)
        self.attach(opened_again(*where))

    @property
    def per_cell(self) -> float:
        """Values of the matrix that are read of a cell, on average."""
        return self.n_stored if self.parts is None else self.indptr[-1] / max(self.shape[0], 1)

    def shown(self, seen_as: Shown) -> StoredRows:
        """The same rows as a model sees them."""
        coverage = None if self.coverage is None else self.coverage.shown(seen_as)
        return StoredRows(self.x, coverage=coverage, seen_as=seen_as)

    def __getitem__(self, rows: Int[np.ndarray, " some"]) -> sp.csr_matrix:
        """Some rows, in any order."""
        rows = np.asarray(rows, dtype=np.int64)
        if not len(rows):
            return sp.csr_matrix((0, self.shape[1]), dtype=np.float32)
        order = np.argsort(rows, kind="stable")
        wanted = rows[order]
        first = np.flatnonzero(np.diff(wanted, prepend=-GAP - 1) > GAP)
        last = np.append(first[1:], len(wanted)) - 1
        starts, stops = wanted[first], wanted[last] + 1
        found = self.stretches(starts, stops)
        before = np.cumsum(stops - starts) - (stops - starts)  # rows of the stretches in front of each
        place = np.empty(len(rows), dtype=np.int64)
        place[order] = wanted - np.repeat(starts - before, last + 1 - first)
        return found if np.array_equal(place, np.arange(found.shape[0])) else found[place]

    def read(self, start: int, stop: int) -> sp.csr_matrix:
        """The rows from one to before another."""
        return self.stretches(np.array([start]), np.array([stop]))

    def stretches(self, starts: Int[np.ndarray, " stretch"], stops: Int[np.ndarray, " stretch"]) -> sp.csr_matrix:
        """All rows of some stretches, one behind the other; what is made of them is made of all at once."""
        x = self.dense(starts, stops) if self.parts is None else self.sparse(self.parts, starts, stops)
        if self.seen_as is None:
            return x
        return self.seen_as.of(x, None if self.coverage is None else self.coverage.stretches(starts, stops))

    def dense(self, starts: Int[np.ndarray, " stretch"], stops: Int[np.ndarray, " stretch"]) -> sp.csr_matrix:
        """Stretches of a dense matrix."""
        found = []
        for start, stop in zip(starts, stops, strict=True):
            with readable(self.x, f"cells {start:,} to {stop - 1:,}"), np.errstate(over="ignore"):
                found.append(sp.csr_matrix(np.asarray(self.x[start:stop], dtype=np.float32)))
        return found[0] if len(found) == 1 else sp.csr_matrix(sp.vstack(found, format="csr"))

    def sparse(
        self, parts: tuple[Any, Any], starts: Int[np.ndarray, " stretch"], stops: Int[np.ndarray, " stretch"]
    ) -> sp.csr_matrix:
        """Stretches of rows that are stored as CSR."""
        low, high = self.indptr[starts], self.indptr[stops]
        ends = np.cumsum(high - low)
        begins = ends - (high - low)
        data, indices = np.empty(ends[-1], dtype=np.float32), np.empty(ends[-1], dtype=parts[1].dtype)
        for i, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            there, here = slice(low[i], high[i]), slice(begins[i], ends[i])
            # too large for float32 is infinite, and said so by the checks
            with readable(self.x, f"cells {start:,} to {stop - 1:,}"), np.errstate(over="ignore"):
                data[here], indices[here] = (part[there] for part in parts)
            if high[i] > low[i] and not 0 <= indices[here].min() <= indices[here].max() < self.n_stored:
                raise damaged(self.x, f"cells {start:,} to {stop - 1:,} have values of features that do not exist")
        lengths = [np.diff(self.indptr[start : stop + 1]) for start, stop in zip(starts, stops, strict=True)]
        indptr = np.cumsum(np.concatenate([[0], *lengths]))
        x = sp.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, self.n_stored))
        x.sum_duplicates()
        return x

    def blocks(self) -> Iterator[tuple[slice, sp.csr_matrix]]:
        """All rows, some at a time."""
        for start in range(0, self.shape[0], BLOCK):
            stop = min(start + BLOCK, self.shape[0])
            yield slice(start, stop), self.read(start, stop)


def placed(x: sp.csr_matrix, place: Int[np.ndarray, " stored"], n_columns: int) -> sp.csr_matrix:
    """The columns that are used, at their new places."""
    column = place.astype(x.indices.dtype, copy=False)[x.indices]
    if column.min(initial=0) >= 0:
        x = sp.csr_matrix((x.data, column, x.indptr), shape=(x.shape[0], n_columns))
    else:
        kept = column >= 0
        before = np.concatenate([[0], np.cumsum(kept)])
        x = sp.csr_matrix((x.data[kept], column[kept], before[x.indptr]), shape=(x.shape[0], n_columns))
    x.sort_indices()
    return x


def stored(key: str, adata: ad.AnnData, modality: Modality) -> StoredRows | None:
    """The layer, or ``.X``, where it lies on disk and has too many rows for memory; for methylation, all calls beside.

    Raises
    ------
    MultiomeError
        If it is stored by column.
    InvalidCounts
        If it holds no numbers.
    UnknownName
        If it lacks the layer of all calls.
    """
    if adata.n_obs <= MAX_IN_MEMORY:
        return None
    x = on_disk(key, adata, modality.layer)
    if x is None or modality.coverage_layer is None:
        return x
    check_layers(key, modality, list(adata.layers))
    x.coverage = on_disk(key, adata, modality.coverage_layer)
    if x.coverage is not None:
        return x
    warnings.warn(
        f"{key!r}: all {adata.n_obs:,} cells are read into memory, because layer {modality.coverage_layer!r} is there. "
        "Given the path of the file, both stay on disk.",
        MultiomeWarning,
        stacklevel=4,
    )
    return None


def on_disk(key: str, adata: ad.AnnData, layer: str | None) -> StoredRows | None:
    """Rows of a layer, or of ``.X``, unless they are in memory."""
    x = adata.X if layer is None else adata.layers.get(layer)
    if isinstance(x, CSCDataset):
        raise MultiomeError(
            f"{key!r} is stored by column (CSC), so that no cell can be read without all others. Write it by row once: "
            "read the file into memory (without backed=...), adata.X = adata.X.tocsr(), and write it again."
        )
    if not isinstance(x, CSRDataset | h5py.Dataset | zarr.Array):
        return None
    if x.dtype.kind not in "buif":
        raise InvalidCounts(f"{key!r} must hold numbers, but its dtype is {x.dtype}.")
    return StoredRows(x)
