"""Annotation of cells as files hold it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import anndata as ad
import h5py
import pandas as pd
import zarr

from multiome.errors import MultiomeError, listed


def write_annotation(root: Any, obs: pd.DataFrame) -> None:
    """Annotation of cells into an open file.

    Raises
    ------
    MultiomeError
        If the file cannot hold a column.
    """
    obs = pd.DataFrame({name: storable(column) for name, column in obs.items()}, index=obs.index.rename(None))
    for name, column in obs.items():
        kinds = sorted({type(value).__name__ for value in column.dropna()}) if column.dtype == object else ["str"]
        if kinds != ["str"]:
            raise cannot_hold(name, listed(kinds or ["None"], most=3))
    try:
        ad.io.write_elem(root, "obs", obs)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # what a format cannot hold differs between formats, and so does what is raised
        for name, column in obs.items():
            if not can_be_written(root, column.to_frame("column")):
                raise cannot_hold(name, f"{str(column.dtype)!r}") from error
            if not can_be_written(root, column.to_frame(name)):
                raise MultiomeError(f"`.obs[{name!r}]` cannot be written under that name; rename it.") from error
        raise MultiomeError(f"`.obs` cannot be written: {error}.") from error


def storable(column: pd.Series) -> pd.Series:
    """The same values as files hold them: text that lacks values becomes categories, as anndata has it."""
    column = column.infer_objects()
    if not (column.dtype == object or isinstance(column.dtype, pd.StringDtype)):
        return column
    known = column.dropna()
    if not len(known) or not all(isinstance(value, str) for value in known):
        return column
    return column.astype("category" if len(known) < len(column) else object)


def cannot_hold(name: object, what: str) -> MultiomeError:
    """The complaint about a column."""
    return MultiomeError(
        f"`.obs[{name!r}]` holds values of type {what}, which the file does not keep. Make them text "
        f"(data.obs[{name!r}] = data.obs[{name!r}].astype(str)), or leave the column out."
    )


def can_be_written(root: Any, obs: pd.DataFrame) -> bool:
    """Whether a file of this kind can hold a column."""
    held: Any = zarr.group(zarr.storage.MemoryStore(), zarr_format=2)
    if isinstance(root, h5py.Group):
        held = h5py.File(BytesIO(), "w")
    try:
        ad.io.write_elem(held, "obs", obs)
    except Exception:
        return False
    return True
