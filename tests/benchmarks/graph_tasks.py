"""Real data for a guidance graph: pairing withheld from all cells, or from a share of the training cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import anndata as ad
import mudata as md
import numpy as np

from multiome import GuidanceGraph
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.tasks import Task, load, read

WINDOW = 150_000
"""Bases from a gene to a peak where few features were kept, so that gene bodies hold next to none of them."""


@dataclass(frozen=True)
class Unpaired:
    """Two modalities as different cells: other names, other order. The first lends its labels to the second."""

    name: str
    mods: dict[str, ad.AnnData]
    graph: GuidanceGraph
    order: np.ndarray | None
    """Of each of the first's cells, the row that it has in the second; None where it is in truth another cell."""
    batch_key: str | None = None

    def mdata(self) -> md.MuData:
        """Both, without a common cell."""
        return md.MuData({mod: a.copy() for mod, a in self.mods.items()})

    def labels(self, mod: str) -> np.ndarray:
        """Cell types, never seen by a fit."""
        return self.mods[mod].obs["cell_type"].astype(str).to_numpy()


@dataclass(frozen=True)
class Partial:
    """A split whose training cells have both modalities, RNA only, or ATAC only."""

    task: Task
    rows: dict[str, np.ndarray]
    """The training cells: ``"paired"``, ``"rna"`` and ``"atac"``."""

    @cached_property
    def graph(self) -> GuidanceGraph:
        """Peaks and the genes that they lie in."""
        return GuidanceGraph.from_genome(self.task.mods["rna"], self.task.mods["atac"])

    def measured(self, mod: str) -> np.ndarray:
        """The training cells that a modality was measured in."""
        return np.concatenate([self.rows["paired"], self.rows[mod]])

    def mdata(self) -> md.MuData:
        """The training cells as one mosaic."""
        return md.MuData({mod: self.task.mods[mod][self.measured(mod)].copy() for mod in ("rna", "atac")})


def paired_graph(name: str, *, dev: bool = False) -> Task:
    """The paired task under another name."""
    return replace(load("snare_paired", dev=dev), name=name)


def snare_unpaired(name: str, *, dev: bool = False) -> Unpaired:
    """Every other library of SNARE-seq; ``dev``: the rest, to choose a method on."""
    mods = both(name, "atac")
    library = mods["rna"].obs["batch"].astype(str).to_numpy()
    names = np.unique(library)
    chosen = np.isin(library, names[0::2] if dev else names[1::2])
    mods, order = withheld({mod: a[chosen].copy() for mod, a in mods.items()})
    return Unpaired(name, mods, GuidanceGraph.from_genome(mods["rna"], mods["atac"]), order)


def snare_partial(name: str, *, dev: bool = False) -> Partial:
    """The paired task, its pairing kept in the share of the training cells that the name ends with."""
    task = replace(load("snare_paired", dev=dev), name=name)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(task.train))
    n = int(float(name.rsplit("_", 1)[1]) * len(rows))
    middle = n + (len(rows) - n) // 2
    return Partial(task, {"paired": rows[:n], "rna": rows[n:middle], "atac": rows[middle:]})


def bmmc_unpaired(name: str) -> Unpaired:
    """Two sets of cells of which neither has labels; one cell without a fragment in the peaks is left out."""
    mods = {mod: a[np.asarray(a.X.sum(1)).ravel() > 0].copy() for mod, a in both(name, "atac").items()}
    graph = GuidanceGraph.from_genome(mods["rna"], mods["atac"], window=WINDOW)
    return Unpaired(name, mods, graph, None)


def bmmc_multiome_unpaired(name: str) -> Unpaired:
    """Two donors, genes and peaks."""
    mods, order = withheld(both(name, "atac"))
    graph = GuidanceGraph.from_genome(mods["rna"], mods["atac"], window=WINDOW)
    return Unpaired(name, mods, graph, order, "batch")


def cite_unpaired(name: str) -> Unpaired:
    """Two batches, genes and proteins."""
    mods, order = withheld(both(name, "prot"))
    return Unpaired(name, mods, GuidanceGraph.from_markers(mods["rna"], mods["prot"]), order, "batch")


def both(name: str, other: str) -> dict[str, ad.AnnData]:
    """RNA, and after it the other modality."""
    mods = read(TASKS[name].file)
    return {mod: mods[mod] for mod in ("rna", other)}


def withheld(mods: dict[str, ad.AnnData]) -> tuple[dict[str, ad.AnnData], np.ndarray]:
    """Other names for the cells of either, another order for the second; and its row of each of the first's cells."""
    (one, a), (two, b) = mods.items()
    shuffled = np.random.default_rng(0).permutation(b.n_obs)
    a, b = a.copy(), b[shuffled].copy()
    a.obs_names = [f"{one}-{cell}" for cell in a.obs_names]
    b.obs_names = [f"{two}-{i}" for i in range(b.n_obs)]
    return {one: a, two: b}, np.argsort(shuffled)
