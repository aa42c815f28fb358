"""Two sets of cells with different antibody panels: each protein is learnt where it was measured, never as zeros."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
import torch

import multiome as mo
from multiome.data.query import read_query
from multiome.nn.transform import from_dense
from multiome.predict.held_out import Measured
from multiome.predict.reliability import measurements
from multiome.train.config import LossWeights, TrainConfig
from multiome.train.task import IntegrationTask

N_CELLS, N_PROTEINS = 800, 20
FIRST, SECOND = np.arange(5), np.arange(5, 10)
"""Proteins that only the first panel, or only the second, has; ten are in both."""


class Two(NamedTuple):
    """Simulated cells, which of them had the second panel, and models of the counts with NaN and with zeros."""

    simulation: Any
    second: np.ndarray
    mdata: md.MuData
    model: mo.Multiome
    zeros: mo.Multiome


def with_protein(mdata: md.MuData, x: np.ndarray) -> md.MuData:
    protein = ad.AnnData(x.astype(np.float32), obs=mdata["prot"].obs.copy(), var=mdata["prot"].var.copy())
    with md.set_options(pull_on_update=False):
        made = md.MuData({"rna": mdata["rna"].copy(), "prot": protein})
    made.obs["batch"] = mdata.obs["batch"]
    return made


@pytest.fixture(scope="module")
def two(quick_fit) -> Two:
    sim = mo.datasets.simulate(
        n_cells=N_CELLS, modalities=("rna", "prot"), n_genes=200, n_proteins=N_PROTEINS, n_types=5,
        depth={"rna": 4000}, seed=3,
    )  # fmt: skip
    second = (sim.mdata.obs["batch"] == "batch2").to_numpy()
    x = sim.mdata["prot"].X.toarray()
    x[np.ix_(second, FIRST)] = np.nan
    x[np.ix_(~second, SECOND)] = np.nan
    mdata, config = with_protein(sim.mdata, x), mo.ModelConfig(n_latent=8, n_hidden=32)
    model = quick_fit(mdata, batch_key="batch", steps=250, config=config)
    with pytest.warns(mo.MultiomeWarning, match=r"in 2 of 2 levels of batch_key 'batch'.*joined to others with zeros"):
        zeros = quick_fit(with_protein(sim.mdata, np.nan_to_num(x)), batch_key="batch", steps=250, config=config)
    return Two(sim, second, mdata, model, zeros)


def quality(two: Two, predicted: np.ndarray) -> tuple[float, float]:
    """Of proteins in cells of the other panel: mean correlation with true rates, and typical error of the log level.

    Levels are compared with those of the same protein in cells where it was measured.
    """
    truth = two.simulation.truth.rates("prot").to_numpy()
    r, level = [], []
    for cells, columns in ((two.second, FIRST), (~two.second, SECOND)):
        for j in columns:
            r.append(np.corrcoef(np.log1p(predicted[cells, j]), np.log(truth[cells, j]))[0, 1])
            ratio = [predicted[some, j].mean() / truth[some, j].mean() for some in (cells, ~cells)]
            level.append(abs(np.log(ratio[0] / ratio[1])))
    return float(np.mean(r)), float(np.median(level))


@pytest.mark.parametrize("verb", ["impute", "denoise"])
def test_proteins_of_the_other_panel_are_predicted(two, verb):
    """With zeros they are learnt to be absent there; levels are then off by orders of magnitude."""

    def predicted(model, mdata):
        if verb == "denoise":
            return model.denoise(mdata, "prot", depth="reference").mean
        return model.impute(mdata, "prot", n_samples=1, depth="reference").mean

    zero_filled = with_protein(two.mdata, np.nan_to_num(two.mdata["prot"].X))
    r, level = quality(two, predicted(two.model, two.mdata))
    r_of_zeros, level_of_zeros = quality(two, predicted(two.zeros, zero_filled))
    assert r > 0.6
    assert r > r_of_zeros + 0.05
    assert level < 0.3
    assert level_of_zeros > 2


def test_a_batch_that_lacks_a_protein_lends_it_no_effect(two):
    """The decoder would make one up from the batch's effects on other proteins."""
    assert two.model.spec.modalities["prot"].lacking == ((tuple(SECOND), tuple(FIRST)),)
    own = two.model.translate(two.mdata, source="rna", target="prot", depth="reference", batch="batch1").X
    other = two.model.translate(two.mdata, source="rna", target="prot", depth="reference", batch="batch2").X
    np.testing.assert_allclose(own[:, :10], other[:, :10], rtol=1e-4)
    assert not np.allclose(own[:, 10:], other[:, 10:], rtol=0.02)
    some = list(two.mdata["prot"].var_names[[12, 3]])
    part = two.model.translate(two.mdata, source="rna", target="prot", depth="reference", batch="batch2", features=some)
    np.testing.assert_allclose(part.X, other[:, [12, 3]], rtol=1e-4)


def test_cells_of_both_panels_lie_beside_each_other(two):
    batch = two.mdata.obs["batch"].to_numpy()
    for modality in ("prot", None):
        assert mo.metrics.neighbour_mixing(two.model.embed(two.mdata, modality=modality), batch) > 0.75


def test_a_cell_is_read_the_same_whichever_cells_come_with_it(two):
    """And whether proteins that its panel lacks are NaN, or are not listed at all."""
    protein = two.mdata["prot"]
    together = two.model.embed(protein, modality="prot")
    alone = two.model.embed(protein[two.second].copy(), modality="prot")
    listed = protein[two.second][:, np.setdiff1d(np.arange(N_PROTEINS), FIRST)[::-1]].copy()
    np.testing.assert_allclose(alone, together[two.second], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(two.model.embed(listed, modality="prot"), alone, rtol=1e-3, atol=1e-4)
    smooth = two.model.denoise(protein, "prot").mean
    np.testing.assert_allclose(two.model.denoise(listed, "prot").mean, smooth[two.second], rtol=2e-3, atol=1e-3)


def test_what_was_not_measured_says_nothing(two):
    """Whatever stands there: neither the state nor the likelihood of a cell depends on it."""
    _, cells = read_query(two.mdata, two.model.spec)
    batch = cells.take(np.arange(50))
    vae = two.model._fitted.vae
    there = batch.known("prot")
    junk = batch.counts["prot"].dense() + torch.where(there, 0.0, 7.0)
    other = replace(batch, counts={**batch.counts, "prot": from_dense(junk)})
    with torch.no_grad():
        latent, again = vae.encode(batch), vae.encode(other)
        torch.testing.assert_close(latent.joint.loc, again.joint.loc, rtol=1e-4, atol=1e-5)
        told, changed = (vae.log_likelihoods(b, latent)["prot"] for b in (batch, other))
        torch.testing.assert_close(told, changed)


def test_no_gradient_reaches_a_protein_through_cells_that_lack_it(two):
    """Training is on what was measured: the step's loss does not change with the others' parameters."""
    _, cells = read_query(two.mdata, two.model.spec)
    batch = cells.take(np.flatnonzero(two.second)[:64])
    vae = copy.deepcopy(two.model._fitted.vae)
    task = IntegrationTask(vae, TrainConfig(), LossWeights(), n_paired=64)
    task.losses(batch, keep=1, feature_dropout=0)["elbo"].backward()
    grad = vae.channel("prot").likelihood.background_base.grad
    assert (grad[torch.from_numpy(FIRST)] == 0).all()
    assert (grad[10:] != 0).all()


def test_what_is_learnt_of_features_is_of_measured_values(two):
    table = two.model.reliability.query("modality == 'prot'").set_index("feature")
    names = two.mdata["prot"].var_names
    assert table["n_cells"].loc[names[:10]].max() < 0.8 * table["n_cells"].loc[names[10:]].min()
    assert table["reliability"].mean() > 0.4
    _, cells = read_query(two.mdata, two.model.spec)
    rows = np.arange(N_CELLS)
    theirs = Measured.of(cells, rows, "prot")
    y, telling = measurements(theirs, "clr")
    there = theirs.known
    np.testing.assert_array_equal(np.isnan(y), ~there)
    assert (telling <= there).all()
    assert telling.any(0)[there.any(0)].all()


def test_calibration_and_novelty_do_not_mind_the_panel(two):
    single = two.model._fitted.calibration.precisions["prot"].single
    assert 0.2 < np.median(list(single.values())) < 5  # zeros would look like extreme dispersion
    score = two.model.novelty(two.mdata)
    of_panels = [score["unlike_training"].to_numpy()[some].mean() for some in (two.second, ~two.second)]
    assert max(of_panels) < 0.1


@pytest.mark.parametrize("scale", ["counts", "clr"])
def test_pit_is_nan_where_nothing_was_measured_and_uniform_elsewhere(two, scale):
    u = two.model.impute(two.mdata, "prot", n_samples=60, scale=scale).pit(two.mdata["prot"])
    np.testing.assert_array_equal(np.isnan(u), np.isnan(two.mdata["prot"].X))
    assert mo.metrics.pit_coverage(u, 0.9)["covered"] == pytest.approx(0.9, abs=0.05)
    for some in (two.second, ~two.second):
        assert np.nanmean(u[some]) == pytest.approx(0.5, abs=0.06)


def test_evaluate_scores_what_was_measured(two):
    train, test = two.mdata[:500].copy(), two.mdata[500:].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = two.model.evaluate(test, reference=train, n_samples=25)
        each = two.model.evaluate(test, reference=train, n_samples=25, per="feature")
    assert np.isfinite(table["value"]).all()
    scores = table.query("target == 'prot'").pivot_table(index="score", columns="method", values="value")
    assert scores.loc["feature_r", "multiome"] > 0.4
    assert abs(scores.loc["pit_covered", "multiome"] - 0.9) < 0.06
    ridge = each.query("target == 'prot' and method == 'ridge' and score == 'r'")["value"]
    assert len(ridge) == N_PROTEINS
    assert ridge.mean() > 0.3


def test_saved_and_loaded_it_says_the_same(two, tmp_path):
    two.model.save(tmp_path / "panels.multiome")
    again = mo.Multiome.load(tmp_path / "panels.multiome")
    assert again.spec == two.model.spec
    assert "2 different panels, of 15 of the 20 features, of which all have 10" in repr(again)
    np.testing.assert_array_equal(again.embed(two.mdata), two.model.embed(two.mdata))


def test_panels_that_share_no_protein_are_joined_by_rna(quick_fit, two):
    x = two.simulation.mdata["prot"].X.toarray()
    x[two.second, :10] = np.nan
    x[~two.second, 10:] = np.nan
    mdata = with_protein(two.simulation.mdata, x)
    model = quick_fit(mdata, steps=60)
    predicted = model.impute(mdata, "prot", n_samples=1)
    assert np.isfinite(predicted.mean).all()
    assert np.isfinite(model.embed(mdata, modality="prot")).all()


def test_a_graph_and_mosaic_cells_go_with_panels(quick_fit, two):
    """Evidence of edges is gathered from what was measured."""
    mdata = two.mdata.copy()
    with md.set_options(pull_on_update=False):
        mosaic = md.MuData({"rna": mdata["rna"][:500].copy(), "prot": mdata["prot"][300:].copy()})
    genes = np.random.default_rng(0).permutation(mosaic["rna"].var_names)
    ends = {"source": genes[:60], "target": np.tile(mosaic["prot"].var_names, 3)}
    graph = mo.GuidanceGraph.from_table(pd.DataFrame(ends).assign(source_modality="rna", target_modality="prot"))
    model = quick_fit(mosaic, graph=graph, steps=20, train={"decoys": 0.5})
    assert np.isfinite(model.links("rna", "prot").table["score"]).all()
    assert np.isfinite(model.consistency["score"]).all()


def test_a_model_without_panels_takes_a_query_with_panels(two, quick_fit):
    model = quick_fit(two.simulation.mdata, batch_key="batch", steps=20)
    assert model.spec.modalities["prot"].n_panels == 1
    assert not hasattr(model._fitted.vae.channel("prot").projection, "covariance")
    z = model.embed(two.mdata, modality="prot")
    whole = model.embed(two.simulation.mdata, modality="prot")
    assert np.isfinite(z).all()
    assert not np.allclose(z, whole)
    smooth = model.denoise(two.mdata, "prot").mean
    assert np.isfinite(smooth).all()


def test_nan_stays_an_error_elsewhere(two, quick_fit):
    rna = two.mdata["rna"].copy()
    x = rna.X.toarray()
    x[two.second, :5] = np.nan
    with md.set_options(pull_on_update=False):
        broken = md.MuData({"rna": ad.AnnData(x, obs=rna.obs, var=rna.var), "prot": two.mdata["prot"].copy()})
    with pytest.raises(mo.InvalidCounts, match="'rna' holds NaN or infinite values"):
        quick_fit(broken)
