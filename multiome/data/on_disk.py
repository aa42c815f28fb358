"""Matrices on disk: whether they are whole, what file they lie in, and how another process finds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import anndata as ad
import h5py
import numpy as np
import scipy.sparse as sp
import zarr
from anndata.abc import CSCDataset, CSRDataset
from jaxtyping import Int

from multiome.errors import MultiomeError

OnDisk: TypeAlias = CSRDataset | CSCDataset | h5py.Dataset | zarr.Array
"""What `anndata` shows of a matrix in an open file."""


def read_whole(x: OnDisk) -> np.ndarray | sp.csr_matrix | sp.csc_matrix:
    """All of a matrix.

    Raises
    ------
    MultiomeError
        If the file is damaged, or was copied in part.
    """
    with readable(x, "its values"):
        if not isinstance(x, CSRDataset | CSCDataset):
            return np.asarray(x[:])
        check_whole(x, np.asarray(x.group["indptr"][:], dtype=np.int64))
        return x.to_memory()


def check_whole(x: CSRDataset | CSCDataset, indptr: Int[np.ndarray, " start"]) -> None:
    """Rows, or columns, begin where they can, and no chunk is missing, which would be read as zeros.

    Raises
    ------
    MultiomeError
        If the file is damaged, or was copied in part.
    """
    parts = x.group["data"], x.group["indices"]
    n, by_row = [int(part.shape[0]) for part in parts], isinstance(x, CSRDataset)
    lines, across = ("rows", x.shape[1]) if by_row else ("columns", x.shape[0])
    if len(indptr) != x.shape[0 if by_row else 1] + 1 or indptr[0] != 0 or (np.diff(indptr) < 0).any():
        raise damaged(x, f"its {lines} do not follow each other")
    if n[0] != n[1] or indptr[-1] != n[0]:
        raise damaged(x, f"its {lines} hold {indptr[-1]:,} values, and {n[0]:,} and {n[1]:,} are stored")
    for part in parts:
        n_missing = part.nchunks - part.nchunks_initialized if isinstance(part, zarr.Array) else 0
        if n_missing and across > 1:  # of a single feature, all places are 0, which need not be stored
            raise damaged(x, f"{n_missing:,} of {part.nchunks:,} chunks are missing")


@contextmanager
def readable(x: OnDisk, what: str) -> Iterator[None]:
    """What is read inside of a matrix is there.

    Raises
    ------
    MultiomeError
        If it is not: what reading a damaged file raises is not a closed list.
    """
    try:
        yield
    except (MultiomeError, MemoryError):
        raise
    except Exception as error:
        raise damaged(x, f"{what} cannot be read ({error})") from error


def damaged(x: OnDisk, what: str) -> MultiomeError:
    """A matrix that is not whole."""
    element = x.group if isinstance(x, CSRDataset | CSCDataset) else x
    if isinstance(element, h5py.Group | h5py.Dataset):
        file = element.file.filename
    else:
        store = getattr(element, "store", type(element).__name__)
        file = getattr(store, "root", store)
    return MultiomeError(
        f"{file}, matrix {getattr(element, 'name', None)!r}, is damaged: {what}. Copy or write the file anew."
    )


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
