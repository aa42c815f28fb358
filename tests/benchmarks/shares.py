"""What a step should evaluate of many features: ``python -m tests.benchmarks.shares`` prints a table.

Cells of 20,000 genes and 80,000 peaks lie between two of 20 simulated types each. For every number of features per step
a few steps tell what one costs, then a `fit` does as many as the time allows. Seconds are of CPU, one thread.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

import multiome as mo
from multiome.metrics import accessibility, foscttm
from tests.benchmarks import records
from tests.benchmarks.clock import timed
from tests.benchmarks.many_cells import N_TYPES, block, profiles

N_CELLS, N_TEST = 10_000, 1_000
FEATURES = {"rna": 20_000, "atac": 80_000}
DRAWN = {"rna": 2_300, "atac": 3_080}
"""Counts drawn per cell, of which about 2,000 and 3,000 are in different features."""
SHARES = (1.0, 0.3, 0.1, 0.03)
"""Of the features of the larger modality."""
N_JUDGED = 2_000
"""Peaks that are predicted and scored."""


@dataclass(frozen=True)
class Cells:
    """Simulated cells, and the peaks that are judged."""

    train: md.MuData
    test: md.MuData
    judged: list[str]


def simulate(n_cells: int, n_test: int, n_features: dict[str, int], drawn: dict[str, int], *, seed: int = 0) -> Cells:
    """Every cell draws a random part of its counts from one type, and the rest from another."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(N_TYPES, size=(n_cells, 2))
    part = rng.beta(0.7, 0.7, size=n_cells)
    names = [f"c{i}" for i in range(n_cells)]
    mods = {}
    for key, n in n_features.items():
        cumulated = profiles(n, rng)
        counts = sp.csr_matrix((n_cells, n), dtype=np.float32)
        # tenths, so that cells can be drawn many at a time
        tenths = np.round(10 * part).astype(int)
        for share in range(11):
            of = np.flatnonzero(tenths == share)
            for which, n_drawn in ((0, drawn[key] * share // 10), (1, drawn[key] * (10 - share) // 10)):
                if not len(of) or not n_drawn:
                    continue
                lengths, columns, values = block(cumulated, ends[of, which], n_drawn, rng)
                indptr = np.zeros(n_cells + 1, dtype=np.int64)
                indptr[of + 1] = lengths
                drawn_here = sp.csr_matrix((values.astype(np.float32), columns, indptr.cumsum()), shape=counts.shape)
                counts = counts + drawn_here
        var = pd.DataFrame(index=[f"{key}{i}" for i in range(n)])
        if key == "rna":
            var["highly_variable"] = True  # all genes are used
        mods[key] = ad.AnnData(counts, obs=pd.DataFrame({"type": ends[:, 0], "share": part}, index=names), var=var)
    test, train = names[:n_test], names[n_test:]
    seen = np.asarray(mods["atac"][test].X.astype(bool).sum(0)).ravel()
    often = mods["atac"].var_names[np.argsort(-seen)[:N_JUDGED]]
    cut = {
        which: md.MuData({k: a[chosen].copy() for k, a in mods.items()})
        for which, chosen in (("train", train), ("test", test))
    }
    return Cells(cut["train"], cut["test"], list(often))


def fit(cells: Cells, n_features: int, *, n_epochs: int, seed: int) -> tuple[mo.Multiome, float, int]:
    """A model, the median seconds of a step, and how many there were."""
    train = mo.TrainConfig(
        max_epochs=n_epochs, features_per_step=n_features, n_models=1, patience=1_000_000, progress_bar=False
    )
    with timed() as times:
        model = mo.fit(cells.train, train=train, seed=seed)
    return model, times.step()[1], times.n_steps


def scores(model: mo.Multiome, cells: Cells) -> dict[str, float]:
    """How near the two modalities of a held-out cell lie, and how well each is told from the other."""
    rna, atac = (model.embed(cells.test[key].copy(), modality=key) for key in FEATURES)
    told = model.translate(
        cells.test["rna"].copy(), source="rna", target="atac", depth="reference", features=cells.judged
    )
    opened = accessibility(np.asarray(told.X), cells.test["atac"][:, cells.judged].X)
    return {"foscttm": foscttm(rna, atac), "peak_auroc": opened["peak_auroc"]}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.shares", description=__doc__)
    parser.add_argument("--cells", type=int, default=N_CELLS, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[60.0, 240.0], help="of the steps (default: 60, 240)"
    )
    parser.add_argument("--shares", type=float, nargs="+", default=list(SHARES), help="default: 1, 0.3, 0.1, 0.03")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, help="add records to this file too")
    given = parser.parse_args(argv)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    cells = simulate(given.cells, N_TEST, FEATURES, DRAWN)
    seen = {key: a.X.nnz / a.n_obs for key, a in cells.train.mod.items()}
    print(f"{cells.train.n_obs:,} training cells, features seen per cell: {seen}")
    print(
        "| features per step | share of peaks | seconds | seed | seconds per step | steps | FOSCTTM | AUROC per peak |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for share in given.shares:
        n_features = round(share * FEATURES["atac"])
        cost = fit(cells, n_features, n_epochs=1, seed=0)[1]
        for seconds in given.seconds:
            n_epochs = max(round(seconds / cost / -(-cells.train.n_obs // 256)), 1)
            for seed in given.seeds:
                model, step, n_steps = fit(cells, n_features, n_epochs=n_epochs, seed=seed)
                found = scores(model, cells)
                print(
                    f"| {n_features:,} | {share:.0%} | {seconds:g} | {seed} | {step:.3f} | {n_steps:,} | "
                    f"{found['foscttm']:.4f} | {found['peak_auroc']:.4f} |",
                    flush=True,
                )
                if given.out:
                    about = {"task": "feature_shares", "split": "cost", "method": records.OURS, "seed": seed}
                    settings = {"cells": given.cells, "share": share, "seconds": seconds}
                    found |= {"step_cpu_seconds": step, "steps": n_steps}
                    records.add(
                        given.out, [about | {"settings": settings, "scores": found, "machine": records.machine()}]
                    )


if __name__ == "__main__":
    main()
