"""Draws spread as held-out cells say, and as nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from multiome.metrics import pit_coverage
from multiome.predict.calibrate import calibrate, ranks
from multiome.predict.calibration import Calibration, Spread, spread_out
from multiome.predict.impute import impute


@pytest.mark.parametrize("spread", [0.6, 1.0, 1.5])
def test_draws_of_a_normal_get_that_spread(spread):
    draws = torch.randn(2_000, 3, 2, generator=torch.Generator().manual_seed(0))
    wider = spread_out(draws, np.array([spread, 1.0]), seed=0)
    assert torch.equal(wider[..., 1], draws[..., 1])
    inside = np.quantile(draws[..., 0], norm.cdf(np.array([-1, 1]) * spread), axis=0)
    found = np.quantile(wider[..., 0], norm.cdf([-1, 1]), axis=0)
    np.testing.assert_allclose(found, inside, atol=0.1)


def test_ranks_stay_so_that_features_stay_as_correlated_as_they_were():
    common = torch.randn(500, 4, 1)
    draws = common + 0.3 * torch.randn(500, 4, 6)
    wider = spread_out(draws, np.full(6, 0.8), seed=0)
    for cell in range(4):
        before, after = (np.corrcoef(x[:, cell].numpy().T)[0, 1:] for x in (draws, wider))
        np.testing.assert_allclose(after, before, atol=0.05)
    assert set(np.unique(wider)) <= set(np.unique(draws))


def test_equal_counts_are_ranked_at_random():
    """Otherwise the first draws of all features would be exchanged alike, and features that are free would go along."""
    draws = torch.poisson(torch.full((400, 3, 2), 0.7), generator=torch.Generator().manual_seed(1))
    wider = spread_out(draws, np.full(2, 1.6), seed=0)
    assert abs(np.corrcoef(wider[:, 0].numpy().T)[0, 1]) < 0.2


@pytest.mark.parametrize("shift", [4.0, -2.0])
def test_a_model_that_is_too_sure_or_unsure_is_found_and_put_right(model, dataset, small, shift):
    """The weights say too little noise, or too much; held-out cells show it, and draws then cover what they should."""
    rows = np.arange(len(dataset))
    sure = replace(model._fitted, calibration=Calibration())
    likelihood = sure.vae.channel("prot").likelihood
    before = likelihood.log_theta.detach().clone()
    try:
        with torch.no_grad():
            likelihood.log_theta.add_(shift)
        found = calibrate(sure, dataset, rows, seed=0)
        spread = found.spreads["prot"]
        assert np.log(spread.pooled) * shift > 0
        cells = small.mdata[small.truth.measured.all(axis=1).to_numpy()]
        covered = {}
        for name, calibration in (("as it says", Calibration()), ("calibrated", found)):
            prediction = predict_with(replace(sure, calibration=calibration), cells)
            covered[name] = pit_coverage(prediction.pit(cells["prot"]))["covered"]
    finally:
        with torch.no_grad():
            likelihood.log_theta.copy_(before)
    assert abs(covered["as it says"] - 0.9) > 0.03
    assert abs(covered["calibrated"] - 0.9) < 0.6 * abs(covered["as it says"] - 0.9)


def predict_with(fitted, cells):
    return impute(fitted, cells, "prot", n_samples=200)


def test_a_calibrated_model_is_left_as_it_is(model, dataset):
    found = calibrate(model._fitted, dataset, np.arange(len(dataset)), seed=0)
    for key in ("rna", "atac"):
        assert found.spreads[key].pooled == pytest.approx(1, abs=0.1)
    assert "met" not in found.spreads


def test_few_cells_say_nothing(model, dataset):
    assert calibrate(model._fitted, dataset, np.arange(19), seed=0).spreads == {}


def test_it_travels_as_numbers():
    value = Calibration({"prot": Spread(30, 1.1, {"CD3": 1.25})})
    assert Calibration.from_json(value.to_json()) == value
    np.testing.assert_array_equal(value.spreads["prot"].of(pd.Index(["CD4", "CD3"])), [1.1, 1.25])


def test_pit_is_that_of_predictions(model, dataset, small):
    """The ranks that are learnt from are those that users see."""
    rows = np.flatnonzero(dataset.observed("prot"))[:60]
    features = pd.Index(model.spec.modalities["prot"].features)
    plain = replace(model._fitted, calibration=Calibration())
    u = ranks(plain, dataset, rows, "prot", features, seed=3)
    names = small.mdata.obs_names[rows]
    cells = small.mdata[names].copy()
    v = predict_with(plain, cells).pit(cells["prot"])
    assert np.corrcoef(u.ravel(), v.ravel())[0, 1] > 0.95
