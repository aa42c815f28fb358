"""How well features can be predicted: what is learnt at training holds for other cells."""

from __future__ import annotations

from dataclasses import replace

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import multiome as mo
from multiome.errors import MultiomeError
from multiome.metrics import clr, pearson
from multiome.metrics.ranking import auroc_per_feature
from multiome.predict import reliability
from multiome.predict.feature_scores import correlation, expected_auroc, expected_correlation
from multiome.predict.held_out import Measured
from multiome.predict.reliability import COLUMNS, joined, learn_reliability, measurements, varied


def learned(fitted, cells, **given):
    """Of all modalities."""
    return joined(learn_reliability(fitted, cells, key, **given) for key in fitted.spec.modalities)


@pytest.fixture(scope="module")
def trained(quick_fit):
    """A model of one part of some simulated cells, and the other part."""
    sim = mo.datasets.simulate(
        n_cells=1200, n_genes=150, n_proteins=30, modalities=("rna", "prot"), depth={"rna": 6000}, seed=3
    )
    rows = np.arange(1200) % 2 == 0
    return quick_fit(sim.mdata[rows].copy(), steps=400), sim.mdata[~rows].copy()


def test_it_ranks_proteins_as_cells_that_training_never_saw_do(trained):
    model, others = trained
    table = model.reliability.query("modality == 'prot'").set_index("feature")
    predicted = model.translate(others, source="rna", target="prot", scale="clr")
    reached = pearson(predicted.X, clr(others["prot"][:, predicted.var_names].X))
    expected = table.loc[predicted.var_names, "reliability"]
    assert spearmanr(expected, reached)[0] > 0.8
    assert abs(expected.mean() - reached.mean()) < 0.06


def test_features_of_noise_are_marked(quick_fit):
    sim = mo.datasets.simulate(
        n_cells=1000, n_genes=100, n_proteins=16, modalities=("rna", "prot"), depth={"rna": 6000}, seed=4
    )
    counts = sim.mdata["rna"].X.toarray()
    often = np.argsort(-(counts > 0).sum(0))[:40]
    noise = often[::2]
    counts[:, noise] = np.random.default_rng(0).permuted(counts[:, noise], axis=0)
    sim.mdata["rna"].X = counts
    table = quick_fit(sim.mdata, steps=400).reliability.query("modality == 'rna'").set_index("feature")
    names = sim.mdata["rna"].var_names
    false, true = (table.loc[names[some]] for some in (noise, often[1::2]))
    assert false["predictable"].mean() <= 0.1
    assert true["predictable"].mean() > 0.6
    assert false["reliability"].mean() < 0.3 * true["reliability"].mean()


def test_results_carry_it(trained):
    model, others = trained
    some = list(model.spec.modalities["prot"].features[:3])
    for var in (
        model.translate(others[:20].copy(), source="rna", target="prot", features=some[::-1]).var,
        model.impute(others[:20].copy(), "prot", features=some[::-1], n_samples=2).to_anndata().var,
    ):
        assert list(var.index) == some[::-1]
        table = model.reliability.query("modality == 'prot'").set_index("feature").loc[some[::-1]]
        pd.testing.assert_frame_equal(var, table.drop(columns="modality"), check_names=False)
    assert not len(model.denoise(others[:20].copy(), "prot").var.columns)


def test_it_is_saved(trained, tmp_path):
    model, others = trained
    model.save(tmp_path / "m")
    again = mo.Multiome.load(tmp_path / "m")
    pd.testing.assert_frame_equal(again.reliability, model.reliability)
    assert repr(again) == repr(model)
    a, b = (one.impute(others[:9].copy(), "prot", n_samples=30) for one in (model, again))
    np.testing.assert_array_equal(a.draws, b.draws)


def test_few_cells_say_nothing(model, dataset):
    found = learned(model._fitted, dataset, rows=np.arange(100), held_out=np.arange(100, 110), seed=0)
    assert list(found.columns) == COLUMNS
    assert found.empty


def test_a_model_of_an_older_version_says_so(model):
    old = mo.Multiome(replace(model._fitted, reliability=None), model.history)
    with pytest.raises(MultiomeError, match=r"did not learn how well .*; fit it again"):
        _ = old.reliability


def test_correlation_leaves_out_what_was_not_measured():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    y[:20, 1] = np.nan
    y[:, 2] = 1
    found = correlation(x, y)
    assert found[0] == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1])
    assert found[1] == pytest.approx(np.corrcoef(x[20:, 1], y[20:, 1])[0, 1])
    assert np.isnan(found[2])


def test_probabilities_that_are_true_reach_what_they_expect():
    rng = np.random.default_rng(0)
    p = rng.beta(0.6, 3, size=(4_000, 5)) * [1, 0.7, 0.5, 0.3, 0.1]
    reached = auroc_per_feature(p, rng.random(p.shape) < p)
    np.testing.assert_allclose(expected_auroc(p), reached, atol=0.04)
    np.testing.assert_allclose(expected_auroc(np.full((30, 1), 0.2)), 0.5)


def test_predictions_that_are_right_reach_what_they_expect():
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=(4_000, 4)) * [3, 1, 0.3, 1]
    measured = predicted + rng.normal(size=predicted.shape)
    measured[:, 3] = 2
    varies = measured.std(0)
    measured[:300, 1] = np.nan
    found = expected_correlation(predicted, measured, varies)
    np.testing.assert_allclose(found[:3], correlation(predicted, measured)[:3], atol=0.03)
    assert np.isnan(found[3])


@pytest.mark.parametrize(("key", "scale"), [("rna", "log_cp10k"), ("prot", "clr"), ("met", "fraction")])
def test_how_measured_values_vary_is_told_by_all_cells(dataset, monkeypatch, key, scale):
    rows, columns = np.flatnonzero(dataset.observed(key)), np.arange(8)
    some = Measured.of(dataset, rows, key).only(columns)
    measured, _ = measurements(some, scale)
    np.testing.assert_allclose(varied(some, scale), np.nanstd(measured, axis=0), rtol=1e-5)
    monkeypatch.setattr(reliability, "ENTRIES", len(rows) * len(columns) // 2)
    told = varied(some, scale)
    few = measured if scale == "log_cp10k" else measured[::2]
    np.testing.assert_allclose(told, np.nanstd(few, axis=0), rtol=1e-5)


@pytest.mark.parametrize("key", ["rna", "atac", "prot", "met"])
def test_features_may_be_judged_some_at_a_time(model, dataset, monkeypatch, key):
    everyone = np.arange(len(dataset))
    given = {"rows": everyone[::2], "held_out": everyone[1::2], "seed": 0}
    whole = learn_reliability(model._fitted, dataset, key, **given)
    n_features = len(model._fitted.spec.modalities[key].features)
    assert len(whole) == n_features
    monkeypatch.setattr(reliability, "ENTRIES", 3 * len(everyone))
    for most in (1, 2):
        again = learn_reliability(model._fitted, dataset, key, **given, most=most)
        pd.testing.assert_frame_equal(again, whole, atol=2e-4)


def test_depth_alone_makes_nothing_predictable(quick_fit):
    """All cells are of one state; deep in one modality is deep in the other."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(800, 1))
    depth = {key: np.exp(0.6 * (0.9 * common + 0.45 * rng.normal(size=(800, 1)))) for key in ("rna", "atac")}
    counts = {
        key: rng.poisson(depth[key] * rng.gamma(0.7, 1.5, n)).astype(np.float32)
        for key, n in (("rna", 60), ("atac", 80))
    }
    names = [f"cell{i}" for i in range(800)]
    mods = {
        key: ad.AnnData(
            x + (np.arange(x.shape[1]) == 0),
            pd.DataFrame(index=names),
            pd.DataFrame(index=[f"{key}{j}" for j in range(x.shape[1])]),
        )
        for key, x in counts.items()
    }
    table = quick_fit(md.MuData(mods), steps=300).reliability
    assert table["predictable"].mean() < 0.08


@pytest.mark.filterwarnings("ignore:.*features are zero in every cell")
def test_what_never_varied_is_not_known(model, small, dataset_of):
    data = small.mdata.copy()
    held_out = np.arange(60)
    counts = data["rna"].X.tolil()
    there = data["rna"].obs_names.isin(data.obs_names[held_out])
    unseen, absent = np.argsort(-np.asarray(data["rna"].X.sum(0)).ravel())[:2]
    counts[np.flatnonzero(there), unseen] = 0
    counts[:, absent] = 0
    data["rna"].X = counts.tocsr()
    rows = np.arange(60, data.n_obs)
    table = learned(model._fitted, dataset_of(data, "batch"), rows=rows, held_out=held_out, seed=0)
    found = table.query("modality == 'rna'").set_index("feature").loc[data["rna"].var_names[[unseen, absent]]]
    assert found["n_cells"].tolist() == [0, 0]
    assert found["held_out"].isna().all()
    assert not found["predictable"].any()
    assert 0 < found["reliability"].iloc[0] <= 1  # by what the model expects of itself
    assert np.isnan(found["reliability"].iloc[1])
