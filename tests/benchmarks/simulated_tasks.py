"""Simulated data for a guidance graph: every seed draws its own, and development others than those that are scored."""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import mudata as md
import numpy as np

from multiome import GuidanceGraph
from multiome.datasets import simulate
from tests.benchmarks.graph_catalogue import MODALITIES
from tests.benchmarks.graph_tasks import WINDOW

N_CELLS, N_TYPES = 4_000, 8
DEV_SEEDS = 1_000
"""What is added to a seed for data that settings may be chosen on."""


@dataclass(frozen=True)
class Four:
    """Four modalities, each in its own quarter of the cells; and all four of all of them."""

    name: str
    separate: md.MuData
    together: md.MuData
    graph: GuidanceGraph

    def labels(self, mod: str) -> np.ndarray:
        """Cell types of a modality's quarter."""
        return types(self.separate[mod])


@dataclass(frozen=True)
class TypeInOne:
    """RNA and ATAC of different cells, and a type that is to be missing in one of them."""

    name: str
    mods: dict[str, ad.AnnData]
    graph: GuidanceGraph
    missing: str = f"type{N_TYPES}"  # not one of the first three, which a trajectory joins

    def without(self, mod: str) -> dict[str, ad.AnnData]:
        """Both modalities, one of them without the type."""
        return {m: a[types(a) != self.missing].copy() if m == mod else a for m, a in self.mods.items()}


def four_simulated(name: str, *, seed: int, dev: bool = False, n_cells: int = N_CELLS) -> Four:
    """Joined by peaks near genes, by genes of proteins, and by methylated sites at promoters."""
    sim = simulate(n_cells=n_cells, n_types=N_TYPES, pairing="unpaired", seed=seed + DEV_SEEDS * dev)
    mods = {mod: sim.mdata[mod].copy() for mod in MODALITIES}
    graph = (
        GuidanceGraph.from_genome(mods["rna"], mods["atac"], window=WINDOW)
        | GuidanceGraph.from_markers(mods["rna"], mods["prot"])
        | GuidanceGraph.from_genome(mods["rna"], mods["met"], keys=("rna", "met"))
    )
    return Four(name, md.MuData(mods), md.MuData({mod: sim.truth.counts[mod] for mod in MODALITIES}), graph)


def type_in_one(name: str, *, seed: int, dev: bool = False, n_cells: int = N_CELLS) -> TypeInOne:
    """Joined by peaks near genes."""
    seed += DEV_SEEDS * dev
    sim = simulate(n_cells=n_cells, n_types=N_TYPES, modalities=("rna", "atac"), pairing="unpaired", seed=seed)
    mods = {mod: sim.mdata[mod].copy() for mod in ("rna", "atac")}
    return TypeInOne(name, mods, GuidanceGraph.from_genome(mods["rna"], mods["atac"], window=WINDOW))


def types(a: ad.AnnData) -> np.ndarray:
    """Cell types, never seen by a fit."""
    return a.obs["cell_type"].astype(str).to_numpy()
