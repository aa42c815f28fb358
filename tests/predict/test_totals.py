"""Predicted totals against counted ones."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from multiome.data.build import prepare, resolve_modalities
from multiome.predict import totals
from multiome.predict.shrinkage import Shrinkage
from multiome.predict.totals import match_totals


@pytest.fixture
def cells(small):
    modalities = resolve_modalities(list(small.mdata.mod), None)
    return prepare(small.mdata, modalities=modalities, batch_key="batch", drop_empty=False)[1]


@pytest.fixture
def vae(model):
    return copy.deepcopy(model._fitted.vae)


@torch.no_grad()
def differences(vae, cells, key: str) -> np.ndarray:
    """Logarithm of the predicted over the counted total of each feature."""
    rows = np.flatnonzero(cells.observed(key))
    counted, predicted = totals.totals(
        vae, cells, Shrinkage.none(vae.n_latent), key, rows=rows, noise=torch.Generator().manual_seed(0)
    )
    return (predicted / counted).log().numpy()


def test_averages_that_are_off_are_set_right(vae, cells, monkeypatch):
    monkeypatch.setattr(totals, "BELIEF", 0.0)
    off = torch.randn(60)
    with torch.no_grad():
        vae.channel("atac").likelihood.base += off
        vae.channel("rna").likelihood.base += 1.0
    assert np.abs(differences(vae, cells, "atac")).mean() > 0.5
    match_totals(vae, cells, Shrinkage.none(vae.n_latent), features_per_step=10, seed=0)
    assert np.abs(differences(vae, cells, "atac")).max() < 0.05  # other draws of the latent states
    assert np.abs(differences(vae, cells, "rna")).max() < 0.05


def test_few_counts_move_little(vae, cells):
    with torch.no_grad():
        vae.channel("atac").likelihood.base += 1.0
    before = differences(vae, cells, "atac")
    match_totals(vae, cells, Shrinkage.none(vae.n_latent), features_per_step=10, seed=0)
    after = differences(vae, cells, "atac")
    counted = cells.matrices["atac"].values[cells.rows["atac"][cells.observed("atac")]].sum(0)
    counted = np.asarray(counted).ravel()
    expected = before + np.log((counted + 10) / (counted * np.exp(before) + 10))
    np.testing.assert_allclose(after, expected, atol=0.05)


def test_modalities_that_training_saw_whole_are_left_alone(vae, cells):
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    match_totals(vae, cells, Shrinkage.none(vae.n_latent), features_per_step=60, seed=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in vae.state_dict().items())
    match_totals(vae, cells, Shrinkage.none(vae.n_latent), features_per_step=59, seed=0)
    changed = {name for name, tensor in vae.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"channels.{vae.keys.index('atac')}.likelihood.base"}


def test_a_modality_of_its_own_predicts_itself(quick_fit, small):
    """Every cell counts: one that has nothing else is not taken for the average cell."""
    alone = quick_fit(small.mdata["rna"], steps=200, train={"features_per_step": 20})
    modalities = resolve_modalities(["rna"], None)
    cells = prepare(small.mdata["rna"], modalities=modalities, batch_key=None, drop_empty=False)[1]
    assert np.abs(differences(alone._fitted.vae, cells, "rna")).mean() < 0.1
