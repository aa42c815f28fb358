"""The models that tests share, one open to be changed, and the cells it was trained on as its layers see them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import multiome as mo
from multiome.data.build import prepare, resolve_modalities
from multiome.data.cells import cells_of
from multiome.data.dataset import CellDataset
from multiome.model.vae import MultiomeVAE


class Linked(NamedTuple):
    """Simulated cells that have RNA and ATAC both, the peaks near each gene, and a model that was fitted with them."""

    simulation: Any
    graph: mo.GuidanceGraph
    model: mo.Multiome


@pytest.fixture(scope="session")
def linked(quick_fit: Callable[..., Any]) -> Linked:
    """What is known of links on data whose regulation is known; tests must not change it."""
    simulation = mo.datasets.simulate(
        n_cells=1200, modalities=("rna", "atac"), n_genes=120, n_peaks=300, n_types=5,
        depth={"rna": 2000, "atac": 2000}, seed=5,
    )  # fmt: skip
    graph = mo.GuidanceGraph.from_genome(simulation.mdata["rna"], simulation.mdata["atac"], window=100_000)
    model = quick_fit(
        simulation.mdata, graph=graph, batch_key="batch", steps=400, train={"decoys": 0.3},
        config=mo.ModelConfig(n_latent=8, n_hidden=32),
    )  # fmt: skip
    return Linked(simulation, graph, model)


@pytest.fixture
def dataset_of() -> Callable[..., CellDataset]:
    """The cells of some data, as `fit` prepares them."""

    def read(data, batch_key: str | None = None) -> CellDataset:
        modalities = resolve_modalities(list(cells_of(data, "rna").mods), None)
        return prepare(data, modalities=modalities, batch_key=batch_key, drop_empty=False)[1]

    return read


@pytest.fixture
def dataset(small, dataset_of) -> CellDataset:
    """The cells of `small`."""
    return dataset_of(small.mdata, "batch")


@pytest.fixture
def vae(model) -> MultiomeVAE:
    """A copy of what `model` was trained to."""
    return copy.deepcopy(model._fitted.vae)
