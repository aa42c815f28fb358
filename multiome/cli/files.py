"""What the commands read and write; an output is written beside its target and renamed into place."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import h5py
import mudata as md

from multiome.errors import MultiomeError
from multiome.files import draft


def kind_of(path: Path) -> str:
    """``.h5mu`` or ``.h5ad``, by what is inside.

    Raises
    ------
    MultiomeError
        If it is neither.
    """
    try:
        with h5py.File(path, "r") as file:
            if "mod" in file:
                return ".h5mu"
            if "obs" in file and "var" in file:
                return ".h5ad"
    except OSError as error:
        raise MultiomeError(f"{path} is not a whole .h5mu or .h5ad file ({error}).") from error
    raise MultiomeError(f"{path} is an HDF5 file, but neither a .h5mu nor a .h5ad file.")


def read(path: Path) -> md.MuData | ad.AnnData:
    """A `MuData` or an `AnnData`."""
    kind = kind_of(path)
    try:
        with md.set_options(pull_on_update=False):  # mdata.obs stays what the file says
            return md.read_h5mu(path) if kind == ".h5mu" else ad.read_h5ad(path)
    except Exception as error:
        raise MultiomeError(f"{path} cannot be read: {type(error).__name__}: {error}") from error


def write(data: md.MuData | ad.AnnData, path: Path) -> None:
    """Write whole or not at all."""
    with draft(path) as beside, md.set_options(pull_on_update=False):
        if isinstance(data, md.MuData):
            data.write_h5mu(beside)
        else:
            data.write_h5ad(beside)
