"""Matrices on disk by their file and their name there: for messages, and for other processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import zarr
from anndata.abc import CSRDataset

from multiome.errors import MultiomeError


def damaged(x: CSRDataset, what: str) -> MultiomeError:
    """A matrix that is not whole."""
    element = x.group
    file = element.file.filename if isinstance(element, h5py.Group) else getattr(element.store, "root", element.store)
    return MultiomeError(f"{file}, matrix {element.name!r}, is damaged: {what}. Copy or write the file anew.")


def location(x: CSRDataset | h5py.Dataset | zarr.Array) -> tuple[str, str]:
    """The file that a matrix lies in, and its name there.

    Raises
    ------
    MultiomeError
        If it lies in no file that another process could open.
    """
    element = x.group if isinstance(x, CSRDataset) else x
    if isinstance(element, h5py.Group | h5py.Dataset):
        return str(Path(element.file.filename).resolve()), element.name
    root = getattr(element.store, "root", None) or getattr(element.store, "path", None)  # zarr 3, zarr 2
    if root is None or not Path(str(root)).is_dir():
        raise MultiomeError(
            f"Several processes can read cells from a file or a folder, not from a {type(element.store).__name__}; "
            "name the path of a .h5mu, .h5ad or .zarr."
        )
    return str(Path(str(root)).resolve()), element.path


def opened_again(path: str, name: str) -> CSRDataset | h5py.Dataset | zarr.Array:
    """The inverse of `location`."""
    root: Any = zarr.open_group(path, mode="r") if Path(path).is_dir() else h5py.File(path, "r")
    element = root[name]
    return ad.io.sparse_dataset(element) if isinstance(element, h5py.Group | zarr.Group) else element
