"""Cells of 20 types, simulated in blocks and written to disk as they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr

FEATURES = {"rna": 2_000, "atac": 50_000}
DRAWN = {"rna": 490, "atac": 605}
"""Counts drawn per cell, of which about 400 and 600 are in different features."""
N_TYPES = 20
BLOCK = 10_000
CHUNK = 1 << 18
"""Values per chunk of what is written."""


def profiles(n_features: int, rng: np.random.Generator) -> np.ndarray:
    """Cumulated probabilities of each type's features: common ones and rare ones, a third of them moved by type."""
    base = rng.gamma(0.8, size=n_features)
    moved = np.where(rng.random((N_TYPES, n_features)) < 0.3, rng.gamma(1.0, size=(N_TYPES, n_features)), 1.0)
    share = base * moved
    return np.cumsum(share / share.sum(1, keepdims=True), axis=1)


def block(cumulated: np.ndarray, types: np.ndarray, n_drawn: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Row lengths, columns and counts of some cells."""
    n_features = cumulated.shape[1]
    drawn = np.empty((len(types), n_drawn), dtype=np.int64)
    for kind in np.unique(types):
        of = types == kind
        drawn[of] = np.searchsorted(cumulated[kind], rng.random((of.sum(), n_drawn))).clip(max=n_features - 1)
    code, count = np.unique(drawn + np.arange(len(types))[:, None] * n_features, return_counts=True)
    return np.bincount(code // n_features, minlength=len(types)), code % n_features, count


class Sink:
    """One modality's CSR matrix, appended to block by block, as `anndata` lays it out."""

    def __init__(self, group: Any, n_cells: int, n_features: int, compression: str | None) -> None:
        self.x = group.create_group("X")
        self.x.attrs.update(
            {"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": [n_cells, n_features]}
        )
        self.is_h5 = isinstance(group, h5py.Group)
        for name, dtype in (("data", "f4"), ("indices", "i4")):
            if self.is_h5:
                self.x.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(CHUNK,), compression=compression)
            else:
                more = {"compressors": None} if compression is None else {}
                self.x.create_array(name, shape=(0,), chunks=(CHUNK,), dtype=dtype, **more)
        self.indptr = [np.zeros(1, dtype=np.int64)]

    def append(self, lengths: np.ndarray, columns: np.ndarray, counts: np.ndarray) -> None:
        start = int(self.indptr[-1][-1])
        for name, values in (("data", counts), ("indices", columns)):
            array = self.x[name]
            array.resize((start + len(values),))
            array[start:] = values
        self.indptr.append(start + np.cumsum(lengths))

    def close(self) -> None:
        indptr = np.concatenate(self.indptr)
        if self.is_h5:
            self.x["indptr"] = indptr
        else:
            self.x.create_array("indptr", data=indptr)


def simulate(path: Path, n_cells: int, *, compression: str | None = None, seed: int = 0) -> None:
    """Write a paired ``.h5mu`` or ``.zarr`` of RNA and ATAC of cells of 20 types in random order."""
    import anndata as ad
    import pandas as pd

    rng = np.random.default_rng(seed)
    root: Any = h5py.File(path, "w") if path.suffix == ".h5mu" else zarr.open_group(path, mode="w", zarr_format=2)
    root.attrs.update({"encoding-type": "MuData", "encoding-version": "0.1.0", "axis": 0})
    names = pd.Index([f"c{i}" for i in range(n_cells)])
    types = rng.integers(N_TYPES, size=n_cells)
    mods = root.create_group("mod")
    mods.attrs["mod-order"] = list(FEATURES)
    sinks = {}
    for key, n_features in FEATURES.items():
        group = mods.create_group(key)
        group.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        sinks[key] = Sink(group, n_cells, n_features, compression), profiles(n_features, rng)
        ad.io.write_elem(group, "obs", pd.DataFrame(index=names))
        ad.io.write_elem(group, "var", pd.DataFrame(index=[f"{key}{i}" for i in range(n_features)]))
    ad.io.write_elem(root, "obs", pd.DataFrame({"type": pd.Categorical(types.astype(str))}, index=names))
    for start in range(0, n_cells, BLOCK):
        for key, (sink, cumulated) in sinks.items():
            sink.append(*block(cumulated, types[start : start + BLOCK], DRAWN[key], rng))
    for sink, _ in sinks.values():
        sink.close()
    if isinstance(root, h5py.File):
        root.close()
