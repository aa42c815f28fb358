"""Data by the path of their file: annotation is read, values stay on disk until they are needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import mudata as md
import numpy as np
import pandas as pd
import zarr

from multiome.data.cells import Cells, check_unique
from multiome.errors import InvalidPairing, MultiomeError, listed
from multiome.files import is_zarr

Data = md.MuData | ad.AnnData | str | os.PathLike
"""What verbs work on: data at hand, or the path of a .h5mu, .h5ad or .zarr."""


def files_of(data: Any) -> list[Path]:
    """The files that data are read from, as far as they tell: what was read from .zarr does not."""
    if isinstance(data, str | os.PathLike):
        return [Path(data)]
    each = (data, *data.mod.values()) if isinstance(data, md.MuData) else (data,)
    names = [one.filename for one in each if isinstance(one, md.MuData | ad.AnnData)]
    return [Path(name) for name in names if name is not None]


def opened(data: Any) -> Any:
    """What a path leads to, an `AnnData` or the `Cells` of a `MuData`; anything else as it is.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    MultiomeError
        If it is no .h5mu, .h5ad or .zarr of either.
    """
    if not isinstance(data, str | os.PathLike):
        return data
    path = Path(data)
    if not os.fspath(data) or not path.exists():
        raise FileNotFoundError(f"There is no file {os.fspath(data)!r}.")
    root = root_of(path)
    try:
        if "mod" in root:
            return whole(root)
        if {"obs", "var"} <= set(root):
            return one(root)
    except MultiomeError:
        raise
    except Exception as error:
        raise MultiomeError(f"{str(path)!r} cannot be read: {type(error).__name__}: {error}") from error
    raise foreign(path, root)


def keys_of(path: str | os.PathLike) -> list[str] | None:
    """The modalities of a `MuData` in their order, None for an `AnnData`; nothing else is read.

    Raises
    ------
    MultiomeError
        If it is no .h5mu, .h5ad or .zarr of either.
    """
    root = root_of(Path(path))
    if "mod" in root:
        return order_of(root)
    if {"obs", "var"} <= set(root):
        return None
    raise foreign(Path(path), root)


def order_of(root: Any) -> list[str]:
    """Names of the modalities."""
    return np.asarray(root["mod"].attrs.get("mod-order", sorted(root["mod"]))).tolist()


def foreign(path: Path, root: Any) -> MultiomeError:
    """The complaint about a file of something else."""
    advice = f" Read files of Cell Ranger with mo.read_10x({str(path)!r})." if "matrix" in root else ""
    return MultiomeError(
        f"{str(path)!r} holds {listed(root)} at its top; expected a MuData ('mod') or an AnnData ('obs' and 'var')."
        + advice
    )


def root_of(path: Path) -> h5py.File | zarr.Group:
    """The file's top group."""
    if path.is_dir() and not is_zarr(path):
        raise MultiomeError(f"{str(path)!r} is a folder, and no .zarr; name a .h5mu, .h5ad or .zarr.")
    try:
        if path.is_dir():
            return zarr.open_group(path, mode="r")
        return h5py.File(path, "r")
    except Exception as error:
        raise MultiomeError(
            f"{str(path)!r} is no whole .h5mu, .h5ad or .zarr ({type(error).__name__}: {error})."
        ) from error


def one(group: Any) -> ad.AnnData:
    """One modality, its matrices on disk."""
    obs, var = ad.io.read_elem(group["obs"]), ad.io.read_elem(group["var"])
    adata = ad.AnnData(values(group["X"]) if "X" in group else None, obs=obs, var=var, raw=raw_of(group))
    for name in group.get("layers", {}):
        adata.layers[name] = values(group["layers"][name])
    return adata


def raw_of(group: Any) -> dict[str, Any] | None:
    """What ``.raw`` holds, if anything; messages offer it where it may be counts."""
    if "raw" not in group or "X" not in group["raw"]:
        return None
    return {"X": values(group["raw"]["X"]), "var": ad.io.read_elem(group["raw"]["var"])}


def values(element: Any) -> Any:
    """A matrix that is read when it is indexed."""
    kind = element.attrs.get("encoding-type", "array")
    return ad.io.sparse_dataset(element) if kind in ("csr_matrix", "csc_matrix") else element


def whole(root: Any) -> Cells:
    """All modalities, and which cell is which row of each, as the file says."""
    mods = {name: one(root["mod"][name]) for name in order_of(root)}
    if not mods:
        raise InvalidPairing("The MuData holds no modality.")
    if int(root.attrs.get("axis", 0)) != 0:
        raise InvalidPairing("The MuData was made with axis=1; make it again with MuData(mdata.mod).")
    obs: pd.DataFrame = ad.io.read_elem(root["obs"])
    if obs.index.has_duplicates:
        raise InvalidPairing("obs_names of the MuData are not unique; pairing would be arbitrary.")
    rows = {}
    for name, adata in mods.items():
        check_unique(name, adata)
        rows[name] = adata.obs_names.get_indexer(obs.index).astype(np.int64)
        if (rows[name] >= 0).sum() != adata.n_obs:
            raise InvalidPairing(
                f"{name!r} has {adata.n_obs:,} cells but the MuData knows {(rows[name] >= 0).sum():,} of them; "
                "read it, call mdata.update() and write it again."
            )
    return Cells(obs.index, obs, mods, rows)
