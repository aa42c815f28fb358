"""Memory and speed with the number of cells: ``python -m tests.benchmarks.scale`` prints a table.

Cells are simulated in blocks and written to disk; each measurement is a process of its own. With ``--processes`` the
speed of one process with as many threads as there are cores, of one with one thread, and of one per core that train
together with one thread each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import numpy as np
import zarr

from tests.benchmarks.catalogue import REPOSITORY
from tests.benchmarks.measure import peak_gb

FEATURES = {"rna": 2_000, "atac": 50_000}
DRAWN = {"rna": 490, "atac": 605}
"""Counts drawn per cell, of which about 400 and 600 are in different features."""
N_TYPES = 20
BLOCK = 10_000
CELLS = (50_000, 200_000, 1_000_000)
CHUNK = 1 << 18
"""Values per chunk of what is written."""
FOLDER = REPOSITORY / "build" / "benchmarks" / "scale"


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


class TrainedError(Exception):
    """All that was to be timed is over."""


def measure(
    path: Path, *, in_memory: bool, n_steps: int | None, devices: int = 1, only_steps: bool = False
) -> dict[str, float]:
    """One epoch, and `embed`: cells per second of both, and the most memory that the process held.

    Of several ``devices``, processes that something else has started, the steps are those of all.
    """
    import mudata as md
    import torch

    import multiome as mo
    from multiome.train import loop

    times: list[float] = []
    busy: list[float] = []

    class Clock(loop.History):
        def on_train_epoch_start(self, *_: Any) -> None:
            times.append(time.perf_counter())
            busy.append(time.process_time())

        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if n_steps is not None and trainer.global_step >= n_steps:
                trainer.should_stop = True
                trainer.limit_train_batches = n_steps
            times.append(time.perf_counter())
            busy.append(time.process_time())

    loop.History = Clock  # type: ignore[misc]
    warnings.simplefilter("ignore")
    data: Any = md.read_h5mu(path) if in_memory else path
    began = time.perf_counter()
    settings = mo.TrainConfig(max_epochs=1, progress_bar=False, devices=devices)
    if only_steps:
        with patch("multiome.api.learn", side_effect=TrainedError), suppress(TrainedError):
            mo.fit(data, train=settings)
        n = len(times) - 1
        return {
            "steps": n,
            "cells_per_second": devices * 256 * n / (times[-1] - times[0]),
            "cpu_seconds_per_step": (busy[-1] - busy[0]) / n,
            "threads": torch.get_num_threads(),
        }
    model = mo.fit(data, train=settings)
    fitted = time.perf_counter()
    after_fit = peak_gb()
    model.embed(data)
    done = time.perf_counter()
    n = model.spec.n_cells
    return {
        "cells": n,
        "steps": len(times) - 1,
        "cells_per_second": 256 * (len(times) - 1) / (times[-1] - times[0]),
        "fit_seconds": fitted - began,
        "embed_cells_per_second": n / (done - fitted),
        "fit_gb": after_fit,
        "peak_gb": peak_gb(),
        "threads": torch.get_num_threads(),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=list(CELLS))
    parser.add_argument("--suffix", default=".h5mu", choices=[".h5mu", ".zarr"])
    parser.add_argument(
        "--compression", default=None, help="of what is written: lzf or gzip (.h5mu); any (.zarr): blosc"
    )
    parser.add_argument("--one", type=Path, help="measure this file, and print JSON")
    parser.add_argument("--in-memory", action="store_true", help="read the file as a whole first")
    parser.add_argument("--devices", type=int, default=1, help="with --one, started by torchrun: processes")
    parser.add_argument("--processes", action="store_true", help="one process, and one per core that train together")
    given = parser.parse_args(argv)
    if given.one:
        found = measure(
            given.one, in_memory=given.in_memory, n_steps=None, devices=given.devices, only_steps=given.processes
        )
        if int(os.environ.get("RANK", "0")) == 0:
            print(json.dumps(found))
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for n_cells in given.cells:
        path = FOLDER / f"{n_cells}{'-' + given.compression if given.compression else ''}{given.suffix}"
        if not path.exists():
            simulate(path, n_cells, compression=given.compression)
        more = ["--in-memory"] * given.in_memory + ["--processes"] * given.processes
        cores = os.cpu_count() or 1
        for devices, threads in ((1, cores), (1, 1), (cores, 1)) if given.processes else ((1, None),):
            print(path.name, one(path, *more, devices=devices, threads=threads), flush=True)


def one(path: Path, *more: str, devices: int, threads: int | None) -> str:
    """One measurement, as JSON."""
    together = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"] if devices > 1 else []
    command = [sys.executable, *together, "-m", "tests.benchmarks.scale", "--one", str(path), *more]
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    found = subprocess.run(
        [*command, "--devices", str(devices)], cwd=REPOSITORY, check=True, capture_output=True, text=True,
        env=environment,
    )  # fmt: skip
    told = json.loads(found.stdout.strip().splitlines()[-1])
    return json.dumps({"processes": devices} | told)


if __name__ == "__main__":
    main()
