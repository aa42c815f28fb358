"""Predictions that are written as they are made, a block of cells at a time, and stay on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import torch
import zarr

from multiome.data.opened import opened
from multiome.errors import MultiomeError
from multiome.files import check_output, draft
from multiome.predict.embed import BLOCK
from multiome.predict.expected import expected_by_block
from multiome.predict.states import Query

FORMATS = (".h5ad", ".zarr")
CHUNK = 1_000
"""Features in a chunk, beside each other for a block of cells."""


def check_written(out: str | os.PathLike, *, overwrite: bool) -> Path:
    """Where predictions may be written.

    Raises
    ------
    MultiomeError
        If the name is no .h5ad or .zarr.
    OSError
        As of `check_output`.
    """
    path = Path(out)
    if path.suffix not in FORMATS:
        raise MultiomeError(f"`out` must be named .h5ad or .zarr, got {str(out)!r}.")
    return check_output(path, overwrite=overwrite, is_folder=path.suffix == ".zarr")


@torch.no_grad()
def write_expected(query: Query, scale: str, out: Path, *, seed: int) -> ad.AnnData:
    """Expected values of the wanted features; the `AnnData` that is returned reads them from the file."""
    obs, var = query.obs, query.var
    about = {"multiome": {"scale": scale, "modality": query.target}}
    with draft(out) as beside:
        is_h5 = out.suffix == ".h5ad"
        root: Any = h5py.File(beside, "w") if is_h5 else zarr.open_group(beside, mode="w", zarr_format=2)
        root.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        for name, element in (("obs", obs), ("var", var), ("uns", about)):
            ad.io.write_elem(root, name, element)
        shape = (len(obs), len(var))
        chunks = (max(min(BLOCK, shape[0]), 1), max(min(CHUNK, shape[1]), 1))
        if is_h5:
            x = root.create_dataset("X", shape, np.float32, chunks=chunks)
        else:
            x = root.create_array("X", shape=shape, dtype=np.float32, chunks=chunks)
        x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        for index, mean in expected_by_block(query, scale, seed=seed):
            x[int(index[0]) : int(index[-1]) + 1] = mean
        if is_h5:
            root.close()
    found = opened(out)
    found.uns = about
    return found
