"""Whether cells on disk that lie beside their like are mixed enough: ``python -m tests.benchmarks.mixing``.

Cells that lie between two of 20 simulated types each are written type after type, and in random order. A model learns
from them in memory, from disk as cells are read by default, and in other ways, at worst one long stretch of the file
after the other; cells of the same types that it has not seen tell how well. Prints a table.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import mudata as md
import numpy as np
import torch

import multiome as mo
from multiome.train import datamodule
from tests.benchmarks import shares
from tests.benchmarks.many_cells import DRAWN, FEATURES

N_CELLS, N_TEST = 50_000, 2_000
WAYS: dict[str, dict[str, float] | None] = {
    "in memory": None,
    "from disk, by default": {},
    "runs of 64 cells, 128 mixed": {"FIRST": 1, "VALUES": 1, "MIXED": 128},
    "runs of 64 cells, 64 mixed": {"FIRST": 1, "VALUES": 1, "MIXED": 64, "BUFFERED": 1},
    "runs of 250 cells, 16 mixed": {"FIRST": 1, "MIXED": 16, "BUFFERED": 1},
    "stretches of 8,192 cells": {"FIRST": 1, "RUN": 8192, "MIXED": 1, "BUFFERED": 1},
}
"""How the cells are read: what `datamodule` says of it otherwise."""


def scores(data: md.MuData | Path, cells: shares.Cells, way: dict[str, float], *, epochs: int, seed: int) -> str:
    """What a model of the data tells of other cells, as a row."""
    train = mo.TrainConfig(max_epochs=epochs, n_models=1, progress_bar=False)
    with ExitStack() as stack:
        for name, value in way.items():
            stack.enter_context(patch.object(datamodule, name, value))
        model = mo.fit(data, train=train, seed=seed)
    found = shares.scores(model, cells)
    return f"{found['foscttm']:.4f} | {found['peak_auroc']:.4f}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.mixing", description=__doc__)
    parser.add_argument("--cells", type=int, default=N_CELLS, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    given = parser.parse_args(argv)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    cells = shares.simulate(given.cells, N_TEST, FEATURES, DRAWN)
    rng = np.random.default_rng(0)
    obs = cells.train["rna"].obs
    orders = {"type after type": np.lexsort([obs["share"], obs["type"]]), "random": rng.permutation(len(obs))}
    print("| order in the file | read | seed | FOSCTTM | AUROC per peak |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for order, rows in orders.items():
            data = md.MuData({key: part[rows].copy() for key, part in cells.train.mod.items()})
            path = Path(folder, f"{len(order)}.h5mu")
            data.write(path)
            for way in given.ways:
                if order == "random" and way != "from disk, by default":
                    continue
                for seed in given.seeds:
                    settings = WAYS[way]
                    found = scores(
                        data if settings is None else path, cells, settings or {}, epochs=given.epochs, seed=seed
                    )
                    print(f"| {order} | {way} | {seed} | {found} |", flush=True)


if __name__ == "__main__":
    main()
