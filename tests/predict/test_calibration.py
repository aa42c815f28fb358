"""Draws spread as held-out cells say, and as nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from multiome.predict.calibrate import calibrate, ranks
from multiome.predict.calibration import Calibration, Spread
from multiome.predict.impute import impute


@pytest.mark.parametrize("shift", [4.0, -2.0])
def test_a_model_that_is_too_sure_or_unsure_is_found(model, dataset, shift):
    """The weights say too little noise, or too much; held-out cells show it."""
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
    finally:
        with torch.no_grad():
            likelihood.log_theta.copy_(before)


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
