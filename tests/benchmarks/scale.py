"""Memory and speed with the number of cells: ``python -m tests.benchmarks.scale``.

Cells are simulated in blocks and written to disk; each measurement is a process of its own, and prints a line of JSON
when it has ended, which takes ten minutes for a million cells. With ``--processes`` the speed of one process with as
many threads as there are cores, of one with one thread, and of one per core that train together with one thread each.
With ``--translate`` RNA to so many peaks, into Zarr, by a model of 50,000 cells that is fitted first.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import records
from tests.benchmarks.apart import apart
from tests.benchmarks.catalogue import REPOSITORY
from tests.benchmarks.many_cells import simulate
from tests.benchmarks.measure import peak_gb

CELLS = (50_000, 200_000, 1_000_000)
FOLDER = REPOSITORY / "build" / "benchmarks" / "scale"
MODEL = FOLDER / "model.multiome"


def measure(path: Path, *, in_memory: bool, devices: int = 1, only_steps: bool = False) -> dict[str, float]:
    """One epoch, and `embed`: cells per second of both, and the most memory that the process held.

    Of several ``devices``, processes that something else has started, the steps are those of all.
    """
    import mudata as md
    import torch

    import multiome as mo
    from tests.benchmarks.clock import timed, timed_training

    warnings.simplefilter("ignore")
    read = md.read_zarr if path.suffix == ".zarr" else md.read_h5mu
    data: Any = read(path) if in_memory else path
    began = time.perf_counter()
    settings = mo.TrainConfig(max_epochs=1, progress_bar=False, devices=devices)
    if only_steps:
        with timed_training() as times:
            mo.fit(data, train=settings)
        wall, busy = times.all_steps()
        return {
            "steps": times.n_steps,
            "cells_per_second": devices * 256 * times.n_steps / wall,
            "cpu_seconds_per_step": busy / times.n_steps,
            "threads": torch.get_num_threads(),
        }
    with timed() as times:
        model = mo.fit(data, train=settings)
    fitted = time.perf_counter()
    after_fit = peak_gb()
    model.embed(data)
    done = time.perf_counter()
    n = model.spec.n_cells
    return {
        "cells": n,
        "steps": times.n_steps,
        "cells_per_second": 256 * times.n_steps / times.all_steps()[0],
        "fit_seconds": fitted - began,
        "embed_cells_per_second": n / (done - fitted),
        "fit_gb": after_fit,
        "peak_gb": peak_gb(),
        "threads": torch.get_num_threads(),
    }


def translated(path: Path, n_peaks: int) -> dict[str, float]:
    """Seconds and memory of a prediction that is written as it is made."""
    import multiome as mo

    warnings.simplefilter("ignore")
    model = mo.Multiome.load(MODEL)
    features = list(model.spec.modalities["atac"].features)[:n_peaks]
    out = FOLDER / "translated.zarr"
    began = time.perf_counter()
    found = model.translate(path, source="rna", target="atac", features=features, out=out, overwrite=True)
    seconds = time.perf_counter() - began
    written = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    shutil.rmtree(out)
    return {
        "cells": found.n_obs, "peaks": found.n_vars, "seconds": seconds, "cells_per_second": found.n_obs / seconds,
        "written_gb": written / 1e9, "peak_gb": peak_gb(),
    }  # fmt: skip


def fit_model(path: Path) -> dict[str, float]:
    """The model that translates; one epoch."""
    import multiome as mo

    warnings.simplefilter("ignore")
    model = mo.fit(path, train=mo.TrainConfig(max_epochs=1, progress_bar=False))
    model.save(MODEL, overwrite=True)
    return {"cells": model.spec.n_cells, "peak_gb": peak_gb()}


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
    parser.add_argument("--translate", type=int, metavar="PEAKS", help="translate RNA to so many peaks instead")
    parser.add_argument("--fit-model", action="store_true", help="with --one: fit the model that translates")
    parser.add_argument("--limit", type=float, metavar="GB", help="address space that each process may have")
    parser.add_argument("--out", type=Path, help="add records to this file too")
    given = parser.parse_args(argv)
    if given.one:
        if given.limit:
            resource.setrlimit(resource.RLIMIT_AS, (int(given.limit * 1e9),) * 2)
        if given.translate:
            found = translated(given.one, given.translate)
        elif given.fit_model:
            found = fit_model(given.one)
        else:
            found = measure(given.one, in_memory=given.in_memory, devices=given.devices, only_steps=given.processes)
        if int(os.environ.get("RANK", "0")) == 0:
            print(json.dumps(found))
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    if given.translate:
        few = FOLDER / f"{CELLS[0]}.h5mu"
        written(few, CELLS[0], None)
        print("model of", few.name, one(few, "--fit-model", devices=1, threads=None), flush=True)
    for n_cells in given.cells:
        path = FOLDER / f"{n_cells}{'-' + given.compression if given.compression else ''}{given.suffix}"
        written(path, n_cells, given.compression)
        more = ["--in-memory"] * given.in_memory + ["--processes"] * given.processes
        for option in ("translate", "limit"):
            more += [f"--{option}={getattr(given, option)}"] if getattr(given, option) else []
        cores = os.cpu_count() or 1
        for devices, threads in ((1, cores), (1, 1), (cores, 1)) if given.processes else ((1, None),):
            told = one(path, *more, devices=devices, threads=threads)
            print(path.name + " in memory" * given.in_memory, told, flush=True)
            if given.out:
                records.add(given.out, [record(given, n_cells, devices, threads, told)])


def written(path: Path, n_cells: int, compression: str | None) -> None:
    """Simulate them, unless they are there."""
    from multiome.files import draft

    if not path.exists():
        with draft(path) as beside:
            simulate(beside, n_cells, compression=compression)


def record(given: argparse.Namespace, n_cells: int, devices: int, threads: int | None, told: str) -> records.Record:
    """What was measured, and of what."""
    named = ("suffix", "compression", "in_memory", "translate")
    settings = {name: getattr(given, name) for name in named} | {
        "cells": n_cells, "only_steps": given.processes, "devices": devices,
        "threads": threads or os.environ.get("OMP_NUM_THREADS", "default"),
    }  # fmt: skip
    settings |= {"limit": given.limit} if given.limit else {}
    about = {"task": "scale", "split": "cost", "method": records.OURS, "seed": 0}
    return about | {"settings": settings, "scores": json.loads(told), "machine": records.machine()}


def one(path: Path, *more: str, devices: int, threads: int | None) -> str:
    """One measurement, as JSON."""
    together = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"] if devices > 1 else []
    command = [sys.executable, *together, "-m", "tests.benchmarks.scale", "--one", str(path), *more]
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    return json.dumps({"processes": devices} | apart([*command, "--devices", str(devices)], environment))


if __name__ == "__main__":
    main()
