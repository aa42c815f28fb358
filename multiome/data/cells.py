"""Which cell stands in which row of which modality, as `MuData`'s own obs map says."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd

from multiome.errors import InvalidPairing, MultiomeWarning, listed

FEW_SHARED = 0.05


@dataclass(frozen=True)
class Cells:
    """Some cells, and for each modality the row where a cell was measured (-1: not measured)."""

    obs_names: pd.Index
    obs: pd.DataFrame
    mods: Mapping[str, ad.AnnData]
    rows: Mapping[str, np.ndarray]

    def observed(self, key: str) -> np.ndarray:
        """Which cells have this modality."""
        return self.rows[key] >= 0


def cells_of(data: md.MuData | ad.AnnData | Cells, key: str | None = None) -> Cells:
    """Read the obs map of a `MuData`, or take an `AnnData` as the one modality ``key``; `Cells` are what they are.

    Raises
    ------
    InvalidPairing
        If names are duplicated, or the obs map is older than the modalities.
    """
    if isinstance(data, Cells):
        return data
    if isinstance(data, ad.AnnData):
        if key is None:
            raise TypeError("An AnnData holds one modality: say which, or pass a MuData.")
        check_unique(key, data)
        return Cells(data.obs_names, data.obs, {key: data}, {key: np.arange(data.n_obs)})
    if not isinstance(data, md.MuData):
        raise TypeError(f"Expected a MuData, an AnnData or the path of a file of either, got {type(data).__name__}.")
    if not data.mod:
        raise InvalidPairing("The MuData holds no modality.")
    for name, adata in data.mod.items():
        if not isinstance(adata, ad.AnnData):
            raise TypeError(f"Modality {name!r} must be an AnnData, got {type(adata).__name__}; take one level of it.")
        check_unique(name, adata)
    if data.obs_names.has_duplicates:
        names = listed(duplicates(data.obs_names), most=3)
        if data.axis == 1:
            raise InvalidPairing(
                f"The MuData was made with axis=1, so cells of the same name (first: {names}) count as different ones. "
                "If they are the same cells, make it again with MuData(mdata.mod); if not, rename them."
            )
        raise InvalidPairing(
            f"obs_names of the MuData are not unique (first: {names}); pairing would be arbitrary. "
            "Make them unique in every modality, then call mdata.update()."
        )
    return Cells(data.obs_names, data.obs, dict(data.mod), {name: rows_of(data, name) for name in data.mod})


def rows_of(data: md.MuData, name: str) -> np.ndarray:
    """Row of every cell in one modality, -1 where it was not measured; what the obs map says must still be true."""
    adata = data.mod[name]
    if name not in data.obsmap:
        raise InvalidPairing(f"{name!r} was added after the MuData was made; call mdata.update() first.")
    position = np.asarray(data.obsmap[name]).astype(np.int64).ravel() - 1
    there = position >= 0
    if position.max(initial=-1) >= adata.n_obs or not np.array_equal(
        adata.obs_names[position[there]], data.obs_names[there]
    ):
        raise InvalidPairing(f"The obs map of {name!r} is older than its cells; call mdata.update() first.")
    if there.sum() != adata.n_obs:
        raise InvalidPairing(
            f"{name!r} has {adata.n_obs:,} cells but the MuData knows {there.sum():,} of them; "
            "call mdata.update() first."
        )
    return position


def check_unique(name: str, adata: ad.AnnData) -> None:
    """Names must say which cell and which feature is meant."""
    for axis, names in (("obs_names", adata.obs_names), ("var_names", adata.var_names)):
        if names.has_duplicates:
            raise InvalidPairing(
                f"{name!r}: {axis} are not unique (first: {listed(duplicates(names), most=3)}); "
                f"call .{axis}_make_unique() on it and then mdata.update(), or drop the copies."
            )


def duplicates(names: pd.Index) -> list[str]:
    """The names that occur more than once."""
    return list(dict.fromkeys(names[names.duplicated()]))


def connected(keys: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """What each key is connected with, itself too, directly or through others."""
    together = {key: {key} for key in keys}
    for a, b in pairs:
        both = together[a] | together[b]
        together |= dict.fromkeys(both, both)
    return together


def apart_in(observed: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
    """Pairs of modalities that not even others connect through cells that have both; a few cells connect nothing."""
    pairs = list(combinations(observed, 2))
    shared = [
        (a, b)
        for a, b in pairs
        if (observed[a] & observed[b]).sum() > FEW_SHARED * min(observed[a].sum(), observed[b].sum())
    ]
    together = connected(observed, shared)
    return [(a, b) for a, b in pairs if b not in together[a]]


def check_pairing(cells: Cells, joined: Collection[tuple[str, str]] = ()) -> None:
    """Modalities must be connected through shared cells, or by a guidance graph.

    A few shared names between large sets are suspicious.
    """
    keys = list(cells.mods)
    pairs = []
    for a, b in combinations(keys, 2):
        shared = int((cells.observed(a) & cells.observed(b)).sum())
        smaller = min(int(cells.observed(a).sum()), int(cells.observed(b).sum()))
        if shared or (a, b) in joined or (b, a) in joined:
            pairs.append((a, b))
        if 0 < shared < FEW_SHARED * smaller:
            names = cells.obs_names[cells.observed(a) & cells.observed(b)]
            warnings.warn(
                f"{a!r} and {b!r} share only {shared:,} of {smaller:,} cell names ({shared / smaller:.1%}; first: "
                f"{listed(names, most=3)}). Barcodes of different runs collide by chance: if these are not the same "
                "cells, give the names a prefix per run.",
                MultiomeWarning,
                stacklevel=3,
            )
    linked = connected(keys, pairs)
    if len(linked[keys[0]]) < len(keys):
        apart = [key for key in keys if key not in linked[keys[0]]]
        graph = (
            "say how their features correspond with a guidance graph: fit(..., graph=mo.GuidanceGraph.from_genome(...))"
            ", or from_markers for proteins."
        )
        if joined:
            told = " and ".join(f"{a!r} with {b!r}" for a, b in sorted(joined))
            graph = (
                f"the guidance graph must join them. It joins {told}; the data have {listed(keys)}. Keys must be the "
                "same in both (`keys=` where the graph is made), and `a | b` unites two graphs."
            )
        raise InvalidPairing(
            f"{listed(sorted(linked[keys[0]]))} and {listed(apart)} share no cell, so nothing says how their cells "
            f"correspond. If they were measured in the same cells, give both the same obs_names. If not, {graph}"
        )
