"""How far predictions may lie from the average cell."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from multiome.predict import shrinkage
from multiome.predict.shrinkage import Shrinkage, learn_shrinkage


def exaggerate(vae, key: str, times: float, average: torch.Tensor) -> None:
    """Let a decoder say so many times what it said of how a cell differs from the average."""
    channel = vae.channel(key)
    with torch.no_grad():
        channel.likelihood.base -= (times - 1) * channel.head(average)[0, 0]
        channel.head.embedding *= times


def test_a_decoder_that_says_too_much_is_taken_back_by_as_much(vae, dataset, monkeypatch):
    """A factor of f / 2 on twice the difference is a factor of f on the difference."""
    monkeypatch.setattr(shrinkage, "BELIEF", np.inf)
    everyone = np.arange(len(dataset))
    vae.trunk.batch_effects[0].data.zero_()  # one average cell for both batches
    states = learn_shrinkage(vae, dataset, everyone, everyone[:0], seed=0)
    average = states.average(vae, torch.zeros(1, 1, dtype=torch.long))
    exaggerate(vae, "rna", 25.0, average)  # it was trained for a few steps only, and says little
    once = learn_shrinkage(vae, dataset, everyone, everyone, seed=0)
    exaggerate(vae, "rna", 2.0, average)
    twice = learn_shrinkage(vae, dataset, everyone, everyone, seed=0)
    assert 0.1 < once.factors["rna"] < 0.9
    assert twice.factors["rna"] == pytest.approx(once.factors["rna"] / 2, abs=0.015)
    assert twice.factors.keys() == {"rna", "atac", "prot", "met"}


def test_what_a_modality_says_of_itself_is_no_evidence(vae, dataset):
    """Held-out values are predicted from the other modalities: nothing can be said of one that stands alone."""
    alone = np.flatnonzero(dataset.observed("rna") & dataset.observed("met"))
    learnt = learn_shrinkage(
        vae, replace(dataset, rows={**dataset.rows, "met": np.full(len(dataset), -1)}), alone, alone, seed=0
    )
    assert "met" not in learnt.factors


def test_a_model_that_learnt_nothing_is_left_alone(vae, dataset):
    """Its differences from the average are noise that hardly changes a probability: no evidence against them."""
    everyone = np.arange(len(dataset))
    with torch.no_grad():
        vae.channel("rna").head.embedding.normal_(std=0.01)
    assert learn_shrinkage(vae, dataset, everyone, everyone[:30], seed=0).factors["rna"] > 0.9


def test_few_held_out_cells_change_nothing(vae, dataset):
    everyone = np.arange(len(dataset))
    assert learn_shrinkage(vae, dataset, everyone, everyone[:19], seed=0).factors == {}
    assert learn_shrinkage(vae, dataset, everyone, everyone[:0], seed=0).factors == {}
    h = torch.randn(3, 8)
    none = Shrinkage.none(vae.n_latent)
    centre = none.centre(vae, torch.zeros(3, 1, dtype=torch.long), "rna")
    assert centre is None
    assert none.apply(h, centre, "rna") is h


def test_a_factor_of_zero_leaves_the_average_cell_of_each_batch(model, small):
    fitted = model._fitted
    states = fitted.shrinkage.states
    changed = copy.copy(model)
    changed._fitted = replace(fitted, shrinkage=Shrinkage({"atac": 0.0}, states))
    rates = changed.translate(small.mdata, source="rna", target="atac", depth="reference").X
    batch = small.mdata["rna"].obs["batch"].to_numpy()
    for level in np.unique(batch):
        np.testing.assert_allclose(
            rates[batch == level], rates[batch == level][:1].repeat((batch == level).sum(), 0), rtol=1e-4
        )
    first, second = (rates[batch == level][0] for level in np.unique(batch))
    assert np.abs(np.log(first / second)).max() > 1e-4
    full = model.translate(small.mdata, source="rna", target="met").X
    np.testing.assert_array_equal(changed.translate(small.mdata, source="rna", target="met").X, full)


def test_it_survives_json(model):
    one = replace(model._fitted.shrinkage, factors={"rna": 0.831, "atac": 1.0})
    again = Shrinkage.from_json(one.to_json())
    assert again.factors == one.factors
    np.testing.assert_array_equal(again.states, one.states)


def test_new_cells_are_predicted_better(quick_fit, dataset_of):
    """A decoder that says three times too much, with and without the factor, on cells it has never seen."""
    import multiome as mo

    simulation = mo.datasets.simulate(
        n_cells=400, modalities=("rna", "atac"), n_genes=40, n_peaks=80, n_types=4, depth={"rna": 300, "atac": 120},
        batch_effect=0.0, seed=3,
    )  # fmt: skip
    learnt, new = simulation.mdata[:300].copy(), simulation.mdata[300:].copy()
    model = quick_fit(learnt, steps=150)
    fitted = model._fitted
    exaggerate(fitted.vae, "atac", 3.0, fitted.shrinkage.average(fitted.vae, torch.zeros(1, 0, dtype=torch.long)))
    learnt_so = learn_shrinkage(fitted.vae, dataset_of(learnt), np.arange(200), np.arange(200, 300), seed=0)
    truth = new["atac"].X.toarray()

    def surprise(used: Shrinkage) -> float:
        fitted_so = copy.copy(model)
        fitted_so._fitted = replace(fitted, shrinkage=used)
        rate = fitted_so.translate(new["rna"], source="rna", target="atac", depth=truth.sum(1)).X
        return float((rate - truth * np.log(rate)).sum())

    assert learnt_so.factors["atac"] < 0.6
    assert surprise(learnt_so) < surprise(Shrinkage.none(fitted.vae.n_latent))
