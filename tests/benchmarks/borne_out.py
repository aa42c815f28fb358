"""Whether `consistency` tells a right graph from a wrong one: ``python -m tests.benchmarks.borne_out``.

Simulated RNA and ATAC of different cells; the wrong graph is the right one, with the columns of the peaks in another
order. Prints p of either by number of decoys, and label transfer, which tells how well the cells were in truth matched.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence

import mudata as md
import numpy as np
import pandas as pd

import multiome as mo
from multiome.metrics import label_transfer
from multiome.predict.consistency import LEVEL
from tests.benchmarks.simulated_tasks import types

SEEDS = (0, 1, 2, 3)
SHARES = (0.1, None)
"""Decoys per edge; None: the default."""
SIZE = {"n_cells": 2_400, "n_genes": 300, "n_peaks": 1_000}
WINDOW = 100_000


def cells(seed: int) -> tuple[md.MuData, md.MuData, mo.GuidanceGraph]:
    """Cells, the same with their peaks mixed up, and the graph of the first."""
    mdata = mo.datasets.simulate(modalities=("rna", "atac"), pairing="unpaired", seed=seed, **SIZE).mdata
    order = np.random.default_rng(seed).permutation(mdata["atac"].n_vars)
    mixed = mdata["atac"].copy()
    mixed.X = mixed.X[:, order]
    graph = mo.GuidanceGraph.from_genome(mdata["rna"], mdata["atac"], window=WINDOW)
    return mdata, md.MuData({"rna": mdata["rna"].copy(), "atac": mixed}), graph


def judged(mdata: md.MuData, graph: mo.GuidanceGraph, *, decoys: float | None, seed: int) -> dict[str, float]:
    """The row of `consistency`, and label transfer from RNA to ATAC."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mo.MultiomeWarning)
        train = mo.TrainConfig(decoys=decoys, progress_bar=False)
        model = mo.fit(mdata, graph=graph, seed=seed, train=train)
    row = model.consistency.iloc[0]
    z = {mod: model.embed(mdata, modality=mod) for mod in ("rna", "atac")}
    moved = label_transfer(z["rna"], types(mdata["rna"]), z["atac"], types(mdata["atac"]))["transfer"]
    return {name: row[name] for name in ("edges", "decoys", "score", "p")} | {"label transfer": moved}


def main(argv: Sequence[str] | None = None) -> None:
    """Print one line per fit, then how many graphs of each kind are borne out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    found = []
    for seed in parser.parse_args(argv).seeds:
        right, wrong, graph = cells(seed)
        for share in SHARES:
            for kind, mdata in (("right", right), ("wrong", wrong)):
                said = judged(mdata, graph, decoys=share, seed=seed)
                found.append({"seed": seed, "share": share or "default", "peaks": kind} | said)
                print(", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in found[-1].items()),
                      flush=True)  # fmt: skip
    table = pd.DataFrame(found)
    table["borne out"] = table["p"] <= LEVEL
    print(table.groupby(["share", "peaks"])["borne out"].agg(["sum", "count"]))


if __name__ == "__main__":
    main()
