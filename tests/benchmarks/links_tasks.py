"""Peaks that may regulate a gene, and which of them do: simulated, or in tables of enhancers."""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd

from multiome import GuidanceGraph
from multiome.datasets import simulate
from tests.benchmarks.catalogue import TASKS, data_folder
from tests.benchmarks.graph_tasks import WINDOW, both
from tests.benchmarks.links_catalogue import PERTURBED, TABLES
from tests.benchmarks.simulated_tasks import DEV_SEEDS

N_CELLS = 12_000
REACH = 100_000
"""Bases from a gene to the peaks that the simulator may let regulate it."""
DEEP = {"rna": 1_500, "atac": 1_000}


@dataclass(frozen=True)
class LinkTask:
    """Genes and peaks of the same cells."""

    name: str
    mods: dict[str, ad.AnnData]
    graph: GuidanceGraph
    pairs: pd.DataFrame
    """The graph's edges: ``peak``, ``gene``, ``distance``, ``weight``, ``counts`` (log, of both ends); ``true`` where
    they were simulated, else one column per table that says which pairs it lists; ``perturbed`` is NaN where a pair was
    not tested."""
    batch_key: str | None = None

    def mdata(self) -> md.MuData:
        """Both modalities."""
        return md.MuData({mod: a.copy() for mod, a in self.mods.items()})

    @property
    def batch(self) -> np.ndarray:
        """The experimental batch of every cell; one where the data name none."""
        cells = self.mods["rna"]
        return np.zeros(cells.n_obs) if self.batch_key is None else cells.obs[self.batch_key].astype(str).to_numpy()


SCORED_SEEDS = 100
"""What is added to a seed for data that are scored: the way links are found was chosen on simulations 0 and 1."""


def simulated(name: str, *, seed: int, dev: bool = False, n_cells: int = N_CELLS) -> LinkTask:
    """All peaks within reach of a gene; those that regulate it are true."""
    sim = simulate(
        n_cells=n_cells, modalities=("rna", "atac"), n_genes=600, n_peaks=2_000, n_types=8,
        depth=DEEP if name.endswith("_deep") else None, seed=seed + (DEV_SEEDS if dev else SCORED_SEEDS),
    )  # fmt: skip
    mods = {mod: sim.mdata[mod].copy() for mod in ("rna", "atac")}
    graph = GuidanceGraph.from_genome(mods["rna"], mods["atac"], window=REACH)
    pairs, edges = candidates(graph, mods), sim.truth.edges
    edges = edges[(edges["source_modality"] == "atac") & (edges["target_modality"] == "rna")]
    pairs["true"] = pd.MultiIndex.from_frame(pairs[["peak", "gene"]]).isin(
        pd.MultiIndex.from_frame(edges[["source", "target"]])
    )
    return LinkTask(name, mods, graph, pairs, "batch")


def real(name: str) -> LinkTask:
    """All peaks near a gene, of those that were seen at all; and which pairs the tables list."""
    mods = {mod: a[:, np.asarray(a.X.sum(0)).ravel() > 0].copy() for mod, a in both(name, "atac").items()}
    graph = GuidanceGraph.from_genome(mods["rna"], mods["atac"], window=WINDOW)
    pairs = candidates(graph, mods)
    places = mods["atac"].var
    for column, (file, _) in TABLES.items():
        pairs[column] = listed_pairs(pairs, places, pd.read_csv(data_folder() / file, sep="\t")) > 0
    tested = pd.read_csv(data_folder() / PERTURBED, sep="\t")
    pairs["perturbed"] = listed_pairs(pairs, places, tested, value="Regulated", otherwise=np.nan)
    return LinkTask(name, mods, graph, pairs, "batch" if TASKS[name].file == "bmmc_multiome_small.h5mu" else None)


def candidates(graph: GuidanceGraph, mods: dict[str, ad.AnnData]) -> pd.DataFrame:
    """The edges of a graph of genes and peaks, and how much was counted at their ends."""
    table = graph.table().rename(columns={"source": "gene", "target": "peak"})
    seen = {mod: pd.Series(np.log1p(np.asarray(a.X.sum(0)).ravel()), a.var_names) for mod, a in mods.items()}
    counts = seen["atac"][table["peak"]].to_numpy() + seen["rna"][table["gene"]].to_numpy()
    return table[["peak", "gene", "distance", "weight"]].assign(counts=counts)


def listed_pairs(
    pairs: pd.DataFrame, places: pd.DataFrame, table: pd.DataFrame, *, value: str | None = None, otherwise: float = 0
) -> np.ndarray:
    """Of each pair, the largest value among the table's rows of that gene whose interval overlaps the peak.

    Intervals are half-open. Without a column of values every row counts 1; pairs in no row have ``otherwise``.
    """
    peaks = places.loc[pairs["peak"], ["chrom", "chromStart", "chromEnd"]].reset_index(drop=True)
    peaks = peaks.assign(gene_name=pairs["gene"].to_numpy(), pair=np.arange(len(pairs)))
    rows = table.assign(value=1.0 if value is None else table[value].astype(float))
    both = peaks.merge(rows, on="gene_name", suffixes=("", "_of_row"))
    overlaps = (both["chrom"].astype(str) == both["chrom_of_row"]) & (both["chromStart"] < both["chromEnd_of_row"])
    both = both[overlaps & (both["chromEnd"] > both["chromStart_of_row"])]
    return both.groupby("pair")["value"].max().reindex(peaks["pair"], fill_value=otherwise).to_numpy(float)
