"""What the commands read and write; an output is written beside its target and renamed into place."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import mudata as md
import numpy as np
import zarr

from multiome.data.opened import keys_of
from multiome.files import draft


def kind_of(path: Path) -> str:
    """``.h5mu``, ``.h5ad`` or ``.zarr``, by what is there.

    Raises
    ------
    MultiomeError
        If it is none of them.
    """
    several = keys_of(path) is not None
    return ".zarr" if path.is_dir() else ".h5mu" if several else ".h5ad"


def copy_with(path: Path, out: Path, values: np.ndarray, *, key: str, modality: str | None = None) -> None:
    """A copy of some data with values of every cell in ``obsm``, that of a modality if one is named."""
    with draft(out) as beside:
        if path.is_dir():
            shutil.copytree(path, beside)
            root: Any = zarr.open_group(beside, mode="r+", use_consolidated=False)
            add(root, values, key=key, modality=modality)
            if zarr.open_group(beside, mode="r").metadata.consolidated_metadata is not None:
                zarr.consolidate_metadata(root.store)  # the list of all that is there, which is read first
        else:
            shutil.copyfile(path, beside)
            with h5py.File(beside, "r+") as root:
                add(root, values, key=key, modality=modality)


def add(root: Any, values: np.ndarray, *, key: str, modality: str | None) -> None:
    """Values of every cell into the ``obsm`` of an open file."""
    holder = root if modality is None else root["mod"][modality]
    if "obsm" not in holder:
        ad.io.write_elem(holder, "obsm", {})
    ad.io.write_elem(holder["obsm"], key, values)


def write(data: md.MuData | ad.AnnData, path: Path) -> None:
    """Write whole or not at all."""
    with draft(path) as beside, md.set_options(pull_on_update=False):
        if isinstance(data, md.MuData):
            data.write_h5mu(beside)
        else:
            data.write_h5ad(beside)
