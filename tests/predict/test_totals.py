"""Predicted totals against counted ones."""

from __future__ import annotations

import numpy as np
import torch

from multiome.predict import embed, totals
from multiome.predict.shrinkage import Shrinkage
from multiome.predict.totals import match_totals


@torch.no_grad()
def differences(vae, cells, key: str) -> np.ndarray:
    """Logarithm of the predicted over the counted total of each feature."""
    rows = np.flatnonzero(cells.observed(key))
    counted, predicted = totals.totals(
        vae, cells, Shrinkage.none(vae.n_latent), key, rows=rows, noise=torch.Generator().manual_seed(0)
    )
    return (predicted / counted).log().numpy()


def test_averages_that_are_off_are_set_right(vae, dataset, monkeypatch):
    monkeypatch.setattr(totals, "BELIEF", 0.0)
    off = torch.randn(60)
    with torch.no_grad():
        vae.channel("atac").likelihood.base += off
        vae.channel("rna").likelihood.base += 1.0
    assert np.abs(differences(vae, dataset, "atac")).mean() > 0.5
    match_totals(vae, dataset, Shrinkage.none(vae.n_latent), seed=0)
    assert np.abs(differences(vae, dataset, "atac")).max() < 0.05  # other draws of the latent states
    assert np.abs(differences(vae, dataset, "rna")).max() < 0.05


def test_few_counts_move_little(vae, dataset):
    with torch.no_grad():
        vae.channel("atac").likelihood.base += 1.0
    before = differences(vae, dataset, "atac")
    match_totals(vae, dataset, Shrinkage.none(vae.n_latent), seed=0)
    after = differences(vae, dataset, "atac")
    counted = dataset.matrices["atac"].values[dataset.rows["atac"][dataset.observed("atac")]].sum(0)
    counted = np.asarray(counted).ravel()
    expected = before + np.log((counted + 10) / (counted * np.exp(before) + 10))
    np.testing.assert_allclose(after, expected, atol=0.05)


def test_features_may_be_decoded_some_at_a_time(vae, dataset, monkeypatch):
    for key in ("rna", "atac"):
        told = []
        for entries in (1_000_000_000, 7 * len(dataset)):
            monkeypatch.setattr(embed, "PART", entries)
            told.append(differences(vae, dataset, key))
        np.testing.assert_allclose(told[1], told[0], rtol=1e-4, atol=1e-5)


def test_averages_of_counts_are_all_that_changes(vae, dataset):
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    match_totals(vae, dataset, Shrinkage.none(vae.n_latent), seed=0)
    changed = {name for name, tensor in vae.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"channels.{vae.keys.index(key)}.likelihood.base" for key in ("rna", "atac")}


def test_a_modality_of_its_own_predicts_itself(quick_fit, small, dataset_of):
    """Every cell counts: one that has nothing else is not taken for the average cell."""
    alone = quick_fit(small.mdata["rna"], steps=200, train={"features_per_step": 20})
    cells = dataset_of(small.mdata["rna"])
    assert np.abs(differences(alone._fitted.vae, cells, "rna")).mean() < 0.1
