"""The model that all tests share, open to be changed, and the cells it was trained on as its layers see them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from multiome.data.build import prepare, resolve_modalities
from multiome.data.cells import cells_of
from multiome.data.dataset import CellDataset
from multiome.model.vae import MultiomeVAE


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
