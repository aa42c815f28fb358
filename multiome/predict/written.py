"""Predictions that are written as they are made, some cells at a time, and stay on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import torch
import zarr

from multiome.data.opened import Data, files_of, opened
from multiome.errors import MultiomeError
from multiome.files import check_apart, check_name, check_output, draft
from multiome.predict.annotation import write_annotation
from multiome.predict.central import central, spread
from multiome.predict.drawn import Wanted, check_room, draws_by_block, seeded
from multiome.predict.embed import BLOCK
from multiome.predict.expected import expected_by_block
from multiome.predict.states import Query

FORMATS = (".h5ad", ".zarr")
CHUNK = 1_000
"""Features in a chunk, beside each other for a block of cells."""
EXPECTED = ("expected_lower", "expected_upper")
"""Where an expected value lies, written of a modality that was measured itself."""

Told = tuple[np.ndarray, list[np.ndarray]]
"""Indices of neighbouring cells, and values of each layer."""


def check_written(
    out: str | os.PathLike | None, *, data: Data, overwrite: bool, interval: float | None = None
) -> Path | None:
    """Where predictions may be written, if they are to be.

    Raises
    ------
    MultiomeError
        As of `check_apart`; if the name is no .h5ad or .zarr, or an ``interval`` is to be written and nothing else.
    OSError
        As of `check_output`.
    """
    if out is None:
        if interval is not None:
            raise MultiomeError(
                f"`interval` says what is written to `out`, which is not given. A prediction in memory tells any "
                f"interval: .interval({interval!r})."
            )
        return None
    path = Path(check_name("out", out, example="protein.zarr"))
    if path.suffix not in FORMATS:
        raise MultiomeError(f"`out` must be named .h5ad or .zarr, got {str(out)!r}.")
    check_apart(out, files_of(data), name="out")
    return check_output(path, overwrite=overwrite, is_folder=path.suffix == ".zarr")


@torch.no_grad()
def write_prediction(query: Query, wanted: Wanted, out: Path) -> ad.AnnData:
    """Expected values of the wanted features, and what draws say; the `AnnData` that is returned reads them from there.

    Layers are ``std`` where there are draws, and with an interval ``lower`` and ``upper``; for a modality that was
    measured itself ``expected_lower`` and ``expected_upper``, too.
    """
    check_room(wanted.n_samples, 1, len(query.features), "Choose a smaller n_samples, or features=[...].")
    obs, var = query.obs, query.var
    about = {"multiome": {"scale": wanted.scale, "modality": query.target}}
    shape = (len(obs), len(var))
    check_space(out, n_layers=1 + len(layer_names(query, wanted)), shape=shape)
    with draft(out) as beside, new_file(beside) as root:
        root.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        write_annotation(root, obs)
        for name, element in (("var", var), ("uns", about), ("layers", {})):
            ad.io.write_elem(root, name, element)
        x = new_matrix(root, "X", shape)
        for index, mean in expected_by_block(query, wanted.scale, seed=wanted.seed):
            x[neighbours(index)] = mean
        names = layer_names(query, wanted)
        layers = [new_matrix(root["layers"], name, shape) for name in names]
        if names:
            with seeded(wanted.seed):
                for rows, told in whole_blocks(told_by_block(query, wanted, names)):
                    for layer, values in zip(layers, told, strict=True):
                        layer[rows] = values
    found = opened(out.resolve())
    found.uns = about
    return found


def check_space(out: Path, *, n_layers: int, shape: tuple[int, int]) -> None:
    """The disk has room for a .h5ad: HDF5 ends the whole process where it is full. What .zarr will take is unknown.

    Raises
    ------
    OSError
        If it has not.
    """
    needed, free = 4 * n_layers * shape[0] * shape[1], shutil.disk_usage(out.resolve().parent).free
    if out.suffix == ".h5ad" and needed > free:
        raise OSError(
            f"{out} will take {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free there. Name another disk, choose "
            "features=[...] or fewer cells, or write .zarr, which is compressed."
        )


def layer_names(query: Query, wanted: Wanted) -> list[str]:
    """What is written beside expected values."""
    names = ["std"] if wanted.n_samples > 1 else []
    if wanted.interval is not None:
        names += ["lower", "upper"] if query.measured_in is None else ["lower", "upper", *EXPECTED]
    return names


def told_by_block(query: Query, wanted: Wanted, names: Sequence[str]) -> Iterator[Told]:
    """Each layer of some cells. Whoever asks seeds, as for `draws_by_block`."""
    of_expected = EXPECTED[0] in names
    for index, measured, expectations in draws_by_block(query, wanted, expected=of_expected):
        told = [spread(measured)] if "std" in names else []
        if wanted.interval is not None:
            told += central(measured, wanted.interval)
            told += central(expectations, wanted.interval) if of_expected else ()
        yield index, told


def whole_blocks(parts: Iterable[Told]) -> Iterator[tuple[slice, list[np.ndarray]]]:
    """The same of as many cells at a time as lie in a chunk, so that no chunk is written twice."""
    held: list[Told] = []
    for part in parts:
        held.append(part)
        if sum(len(index) for index, _ in held) >= BLOCK:
            yield joined(held)
            held = []
    if held:
        yield joined(held)


def joined(parts: Sequence[Told]) -> tuple[slice, list[np.ndarray]]:
    """Cells that follow each other, as one."""
    each = zip(*(told for _, told in parts), strict=True)
    return neighbours(np.concatenate([index for index, _ in parts])), [np.concatenate(values) for values in each]


def neighbours(index: np.ndarray) -> slice:
    """From the first to the last."""
    return slice(int(index[0]), int(index[-1]) + 1)


@contextmanager
def new_file(path: Path) -> Iterator[Any]:
    """The top group of a new file, or of a new folder."""
    if path.suffix == ".zarr":
        yield zarr.open_group(path, mode="w", zarr_format=2)
    else:
        with h5py.File(path, "w") as root:
            yield root


def new_matrix(group: Any, name: str, shape: tuple[int, int]) -> Any:
    """A dense matrix that is yet to be filled."""
    chunks = (max(min(BLOCK, shape[0]), 1), max(min(CHUNK, shape[1]), 1))
    if isinstance(group, h5py.Group) and 0 in shape:
        x = group.create_dataset(name, shape, np.float32)
    elif isinstance(group, h5py.Group):
        x = group.create_dataset(name, shape, np.float32, chunks=chunks)
    else:
        x = group.create_array(name, shape=shape, dtype=np.float32, chunks=chunks)
    x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    return x
