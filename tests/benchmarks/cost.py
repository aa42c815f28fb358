"""What a guidance graph costs: ``python -m tests.benchmarks.cost`` prints seconds of CPU per epoch by number of edges.

Counts and edges are random, of the size of a real experiment; one thread. An epoch is its steps and the score of the
held-out cells; the median is over all epochs but the first, which also allocates memory.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

import multiome as mo
from tests.benchmarks import records
from tests.benchmarks.clock import timed
from tests.benchmarks.measure import peak_gb

EDGES = (0, 10_000, 100_000, 1_000_000)
N_CELLS, N_GENES, N_PEAKS = 2_000, 10_000, 50_000
SEEN = {"rna": 1_000, "atac": 2_000}
"""Features of a cell that are not 0."""
N_EPOCHS = 5
JUDGED, RATIO = 100_000, 1.3
"""An epoch with so many edges is to take at most so many times that without a graph."""


def cells(n_cells: int, n_features: Mapping[str, int], *, seen: Mapping[str, int] = SEEN, seed: int = 0) -> md.MuData:
    """Random counts; all genes are marked, so that every edge is used."""
    rng = np.random.default_rng(seed)
    mods = {}
    for mod, n in n_features.items():
        k = min(seen[mod], n // 2)
        columns = np.concatenate([np.sort(rng.choice(n, k, replace=False)) for _ in range(n_cells)])
        values = 1 + rng.poisson(0.5, len(columns)).astype(np.float32)
        counts = sp.csr_matrix((values, columns, np.arange(0, len(columns) + 1, k)), shape=(n_cells, n))
        var = pd.DataFrame({"highly_variable": np.ones(n, dtype=bool)}, index=[f"{mod}{i}" for i in range(n)])
        mods[mod] = ad.AnnData(counts, var=var if mod == "rna" else var[[]])
    return md.MuData(mods)


def random_graph(mdata: md.MuData, n_edges: int, *, seed: int = 0) -> mo.GuidanceGraph:
    """Different pairs of a gene and a peak, drawn evenly."""
    genes, peaks = mdata["rna"].var_names, mdata["atac"].var_names
    pairs = np.random.default_rng(seed).choice(len(genes) * len(peaks), n_edges, replace=False, shuffle=False)
    ends = {"source": genes[pairs // len(peaks)], "target": peaks[pairs % len(peaks)]}
    table = pd.DataFrame({"source_modality": "rna", "target_modality": "atac"} | ends)
    return mo.GuidanceGraph.from_table(table, vertices={"rna": list(genes), "atac": list(peaks)})


def measure(mdata: md.MuData, n_edges: int, *, n_epochs: int) -> dict[str, float]:
    """Seconds of CPU of one epoch and of the whole fit, and the most memory the process has held so far."""
    graph = random_graph(mdata, n_edges) if n_edges else None
    busy = time.process_time()
    with timed() as times:
        model = mo.fit(
            mdata, graph=graph, train=mo.TrainConfig(max_epochs=n_epochs, n_models=1, progress_bar=False), seed=0
        )
    whole = time.process_time() - busy
    used = len(model.links("atac", "rna")) if n_edges else 0
    seconds = [busy for _, busy in times.each_epoch()]
    if used != n_edges or len(seconds) != n_epochs:
        raise RuntimeError(f"{used:,} of {n_edges:,} edges were used, {len(seconds)} of {n_epochs} epochs timed.")
    return {"epoch_cpu_seconds": median(seconds[1:]), "fit_cpu_seconds": whole, "peak_gb": peak_gb()}


def report(found: dict[int, dict[str, float]]) -> str:
    """The table, and whether the goal is reached."""
    base = found[min(found)]["epoch_cpu_seconds"]
    lines = [
        "| edges | CPU seconds per epoch | times that of the first row | whole `fit`, CPU seconds | peak GB so far |",
        "|---|---|---|---|---|",
        *(
            f"| {n:,} | {m['epoch_cpu_seconds']:.2f} | {m['epoch_cpu_seconds'] / base:.2f} | "
            f"{m['fit_cpu_seconds']:.0f} | {m['peak_gb']:.2f} |"
            for n, m in found.items()
        ),
    ]
    if JUDGED in found and 0 in found:
        ratio = found[JUDGED]["epoch_cpu_seconds"] / base
        lines += ["", f"{JUDGED:,} edges: {ratio:.2f} (to reach: {RATIO}): {'yes' if ratio <= RATIO else 'no'}"]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cost", description=__doc__)
    parser.add_argument("--edges", default=",".join(map(str, EDGES)), help="comma-separated (default: %(default)s)")
    for name, n in (("cells", N_CELLS), ("genes", N_GENES), ("peaks", N_PEAKS), ("epochs", N_EPOCHS)):
        parser.add_argument(f"--{name}", type=int, default=n, help="default: %(default)s")
    parser.add_argument("--out", type=Path, help="add records to this file too")
    given = parser.parse_args(argv)
    warnings.filterwarnings("ignore", module="mudata")  # what every `MuData(...)` announces of mudata 0.4
    torch.set_num_threads(1)
    mdata = cells(given.cells, {"rna": given.genes, "atac": given.peaks})
    found = {}
    for n in sorted(int(n) for n in given.edges.split(",")):  # ascending: memory is the most so far
        found[n] = measure(mdata, n, n_epochs=given.epochs)
    print(report(found))
    if given.out:
        settings = {name: getattr(given, name) for name in ("cells", "genes", "peaks", "epochs")}
        about = {"task": "graph_cost", "split": "cost", "method": records.OURS, "seed": 0, "machine": records.machine()}
        new = [about | {"settings": settings | {"edges": n}, "scores": scores} for n, scores in found.items()]
        records.add(given.out, new)


if __name__ == "__main__":
    main()
