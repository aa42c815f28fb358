"""Posterior predictive draws: what they say agrees with itself and with data drawn from the model."""

from __future__ import annotations

import copy
from dataclasses import replace

import anndata as ad
import mudata as md
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.stats import kstest

from multiome.errors import MultiomeError, MultiomeWarning, SpecMismatch, UnknownName
from multiome.predict.calibration import Calibration
from multiome.predict.impute import impute

CASES = [
    ("rna", "counts"), ("rna", "log_cp10k"), ("atac", "counts"), ("atac", "probability"), ("prot", "counts"),
    ("prot", "clr"), ("prot", "foreground"),
    ("prot", "background_removed"), ("met", "fraction"),
]  # fmt: skip


@pytest.fixture(scope="module")
def cells(small):
    """Some cells with everything."""
    return small.mdata[small.truth.measured.all(axis=1).to_numpy()][:40].copy()


@pytest.mark.parametrize(("target", "scale"), CASES)
def test_the_mean_is_that_of_the_draws(model, cells, target, scale):
    # draws are as dispersed as held-out cells were, which moves their mean where a scale is not linear
    plain = replace(model._fitted, calibration=Calibration())
    found = impute(plain, cells, target, scale=scale, n_samples=300)
    assert found.draws.shape == (300, *found.mean.shape)
    error = found.draws.std(0) / np.sqrt(300)
    # a few states stand for all in the mean
    assert np.mean(np.abs(found.draws.mean(0) - found.mean) < 4 * error + 0.03 * np.abs(found.mean) + 1e-3) > 0.95
    error_of_all = found.draws.mean((1, 2)).std() / np.sqrt(300)
    room = 2 * error_of_all + 0.02 * abs(found.mean.mean()) + 0.01
    assert found.draws.mean() == pytest.approx(found.mean.mean(), abs=room)


@pytest.mark.parametrize(("target", "scale"), CASES)
def test_spread_and_intervals_are_ordered(model, cells, target, scale):
    found = model.impute(cells, target, scale=scale, n_samples=60)
    assert (found.std >= 0).all()
    (a, d), (b, c) = found.interval(0.9), found.interval(0.5)
    assert a.shape == d.shape == found.mean.shape
    assert (a <= b).all()
    assert (b <= c).all()
    assert (c <= d).all()


def test_an_interval_needs_enough_draws(model, cells):
    found = model.impute(cells, "atac", n_samples=19)
    found.interval(0.8)
    with pytest.raises(MultiomeError, match=r"90% interval needs at least 20 draws, there are 19; .*n_samples=20"):
        found.interval(0.9)
    for level in (0.0, 1.0, 90):
        with pytest.raises(MultiomeError, match="between 0 and 1"):
            found.interval(level)


def test_one_draw_has_no_spread(model, cells):
    found = model.impute(cells, "prot", n_samples=1)
    assert np.isnan(found.std).all()
    assert not np.isnan(found.mean).any()


@pytest.mark.parametrize(("target", "scale"), [("rna", "counts"), ("rna", "log_cp10k"), ("atac", "counts"),
                                               ("prot", "counts"), ("prot", "clr"), ("met", "fraction")])  # fmt: skip
def test_pit_is_uniform_for_data_drawn_from_the_model(model, small, target, scale):
    cells = small.mdata[small.truth.measured.all(axis=1).to_numpy()].copy()
    raw = "fraction" if target == "met" else "counts"
    drawn = model.impute(cells, target, scale=raw, n_samples=4, seed=1)
    predicted = model.impute(cells, target, scale=scale, n_samples=100, seed=2)
    names = {"obs": drawn.obs[[]].copy(), "var": cells[target].var[[]].copy()}
    coverage = np.random.default_rng(0).poisson(2, drawn.mean.shape)
    found = []
    for i, draw in enumerate(drawn.draws):  # values of a cell depend on each other: the few cells are drawn anew
        if target == "met":
            calls = sp.csr_matrix(np.random.default_rng(1 + i).binomial(coverage, draw))
            observed = ad.AnnData(calls, layers={"coverage": sp.csr_matrix(coverage)}, **names)
        else:
            observed = ad.AnnData(sp.csr_matrix(draw), **names)
        found.append(predicted.pit(observed))
        if target == "met":
            np.testing.assert_array_equal(np.isnan(found[-1]), coverage == 0)
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    if scale == "log_cp10k":  # draws relate to the depth that the model expects, observed counts to their own total
        assert 0 <= values.min() <= values.max() <= 1
        return
    # cells are dependent through their latent state and depth: a loose bound
    assert kstest(values, "uniform").statistic < 0.05


def test_pit_of_the_cells_in_another_order(model, cells):
    found = model.impute(cells, "atac", n_samples=20)
    atac = cells["atac"]
    shuffled = atac[::-1, ::-1].copy()
    np.testing.assert_array_equal(found.pit(shuffled), found.pit(atac))
    with pytest.raises(SpecMismatch, match="predicted cells are not in `observed`"):
        found.pit(atac[:3].copy())
    with pytest.raises(SpecMismatch, match="features of 'atac' are not in `observed`"):
        found.pit(atac[:, :3].copy())


def test_rows_are_all_cells_of_the_data(model, small):
    found = model.impute(small.mdata, "atac", n_samples=2)
    assert list(found.obs.index) == list(small.mdata.obs_names)
    assert np.isfinite(found.mean).all()


def test_a_cell_without_any_source_is_nan_with_a_warning(model, small):
    data = md.MuData({"atac": small.mdata["atac"], "prot": small.mdata["prot"]})
    data.obs["batch"] = small.mdata.obs["batch"]
    lacking = ~data.obs_names.isin(small.mdata["prot"].obs_names)
    with pytest.warns(MultiomeWarning, match=rf"{lacking.sum()} cells have no measured 'prot'"):
        found = model.impute(data, "atac", n_samples=20)
    for values in (found.mean, found.std, *found.interval(0.9), found.draws[0]):
        assert np.isnan(values[lacking]).all()
        assert np.isfinite(values[~lacking]).all()


def test_a_target_that_is_all_there_is_cannot_be_predicted(model, small):
    data = md.MuData({"atac": small.mdata["atac"]})
    with pytest.raises(UnknownName, match="hold 'atac' only; nothing to predict 'atac' from"):
        model.impute(data, "atac")


def test_an_anndata_is_recognised_by_its_features(model, small):
    rna = small.mdata["rna"]
    found = model.impute(rna, "protein", n_samples=2)
    expected = model.translate(rna, source="rna", target="prot")
    np.testing.assert_allclose(found.mean, expected.X, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_samples", [0, -1, True])
def test_the_number_of_draws_is_checked(model, cells, n_samples):
    with pytest.raises(MultiomeError, match="`n_samples` must be a positive whole number"):
        model.impute(cells, "atac", n_samples=n_samples)


def test_the_number_of_draws_may_be_of_numpy(model, cells):
    found = model.impute(cells, "prot", n_samples=np.int64(3))
    np.testing.assert_array_equal(found.draws, model.impute(cells, "prot", n_samples=3).draws)


def test_too_many_draws_say_how_large_they_are(model, cells):
    with pytest.raises(MultiomeError, match=r"need .* GiB .*features=\[\.\.\.\].*translate"):
        model.impute(cells, "atac", n_samples=10**7)


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data:UserWarning")
def test_the_result_survives_a_file(model, cells, tmp_path):
    found = model.impute(cells, "prot", scale="clr", n_samples=5)
    found.to_anndata().write_h5ad(tmp_path / "protein.h5ad")
    again = ad.read_h5ad(tmp_path / "protein.h5ad")
    np.testing.assert_array_equal(again.X, found.mean)
    np.testing.assert_array_equal(again.layers["std"], found.std)
    assert list(again.obs_names) == list(cells.obs_names)
    assert list(again.var_names) == list(cells["prot"].var_names)
    assert dict(again.uns["multiome"]) == {"scale": "clr", "modality": "prot"}
    assert "cell_type" in again.obs


def test_values_that_are_no_counts_are_imputed_as_they_were_given(quick_fit, small):
    import multiome as mo

    mdata = md.MuData({"rna": small.mdata["rna"].copy(), "met": small.mdata["met"]})
    mdata["rna"].X = np.log1p(mdata["rna"].X.toarray()) - 1
    model = quick_fit(mdata, modalities={"rna": mo.RNA.continuous(), "met": mo.METHYLATION})
    found = model.impute(mdata, "rna", n_samples=100)
    assert found.scale == "values"
    pit = found.pit(mdata["rna"])
    assert 0 <= pit.min() <= pit.max() <= 1
    assert pit.mean() == pytest.approx(0.5, abs=0.1)


def test_draws_for_an_unseen_batch_are_of_the_training_batches(model, cells):
    """Their expected values lie about the average of the batches', and as far apart as these."""
    fitted = replace(model._fitted, vae=copy.deepcopy(model._fitted.vae))
    with torch.no_grad():
        fitted.vae.trunk.batch_effects[0].mul_(20)  # so that the batches differ at all
    new = cells["rna"].copy()
    new.obs["batch"] = "of another donor"
    given = {"n_samples": 400, "depth": "reference"}
    with pytest.warns(MultiomeWarning, match="average of the training batches"):
        unseen = impute(fitted, new, "atac", **given).expected_draws
    known = [impute(fitted, new, "atac", batch=b, **given).expected_draws for b in model.spec.covariates[0].levels]
    share = model.spec.average_batch(0)
    mixture = np.average([one.mean(0) for one in known], axis=0, weights=share)
    between = np.average([(one.mean(0) - mixture) ** 2 for one in known], axis=0, weights=share)
    within = np.average([one.var(0) for one in known], axis=0, weights=share)
    assert between.mean() > 0.1 * within.mean()
    assert unseen.mean(0).mean() == pytest.approx(mixture.mean(), rel=0.05)
    assert unseen.var(0).mean() == pytest.approx((within + between).mean(), rel=0.1)


def test_sites_that_no_cell_shows_twice_have_no_spread_of_cells(quick_fit, small):
    met = small.mdata["met"].copy()
    met.layers["coverage"].data = np.minimum(met.layers["coverage"].data, 1)
    met.X = met.X.minimum(met.layers["coverage"])
    mdata = md.MuData({"rna": small.mdata["rna"], "met": met})
    model = quick_fit(mdata)
    with pytest.warns(MultiomeWarning, match=r"No training cell has two calls at 30 of 30 sites of 'met'"):
        model.impute(mdata, "met", n_samples=20)
    with pytest.warns(MultiomeWarning, match=r"at 2 of 2 sites"):
        model.impute(mdata, "met", n_samples=2, features=list(met.var_names[:2]))
