"""Held-out cells say how dispersed predictions are, and their means stay."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from multiome.metrics import pit_coverage
from multiome.predict.calibrate import calibrate
from multiome.predict.calibration import Calibration, Precision
from multiome.predict.impute import impute


@pytest.fixture
def plain(model):
    return replace(model._fitted, calibration=Calibration())


@contextmanager
def misled(fitted, shift):
    """The same weights, which say too little noise of proteins, or too much."""
    likelihood = fitted.vae.channel("prot").likelihood
    before = likelihood.log_theta.detach().clone()
    with torch.no_grad():
        likelihood.log_theta.add_(shift)
    try:
        yield fitted
    finally:
        with torch.no_grad():
            likelihood.log_theta.copy_(before)


def predict(fitted, cells):
    return impute(fitted, cells, "prot", n_samples=100)


@pytest.mark.parametrize("shift", [1.5, -1.0])
def test_a_model_that_is_too_sure_or_unsure_is_mended(plain, dataset, small, shift):
    rows = np.arange(len(dataset))
    others = small.mdata[small.mdata["prot"].obs_names.intersection(small.mdata.obs_names[1::2])].copy()
    good = calibrate(plain, dataset, rows[::2], seed=0)
    with misled(plain, shift) as fitted:
        learnt = calibrate(fitted, dataset, rows[::2], seed=0)
        mended = predict(replace(fitted, calibration=learnt), others).pit(others["prot"])
        left = predict(replace(fitted, calibration=good), others).pit(others["prot"])
    expected = np.log(good.precisions["prot"].pooled) - shift
    assert np.log(learnt.precisions["prot"].pooled) == pytest.approx(expected, abs=0.3)
    off = [abs(pit_coverage(u)["covered"] - 0.9) for u in (left, mended)]
    assert off[1] < max(0.03, off[0])


def test_means_of_counts_stay(plain, small):
    noisy = replace(plain, calibration=Calibration({key: Precision(30, 0.1, {}) for key in ("prot", "rna")}))
    a, b = (predict(known, small.mdata) for known in (plain, noisy))
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-5)
    assert np.nanmean(b.std) > 1.2 * np.nanmean(a.std)
    assert np.nanmean(b.draws) == pytest.approx(np.nanmean(a.draws), rel=0.1)
    logs = [impute(known, small.mdata, "rna", n_samples=20, scale="log_cp10k") for known in (plain, noisy)]
    np.testing.assert_allclose(logs[0].mean, logs[1].mean, rtol=1e-5)
    assert logs[1].draws.mean() < logs[0].draws.mean(), "logarithms of values that scatter more"


def test_a_calibrated_model_is_left_as_it_is(plain, dataset):
    found = calibrate(plain, dataset, np.arange(len(dataset)), seed=0)
    assert 0.6 < found.precisions["rna"].pooled < 1.7
    assert set(found.precisions) <= {"rna", "prot"}, "fragments have no dispersion, calls hardly show it"


def test_few_cells_say_nothing(plain, dataset):
    assert calibrate(plain, dataset, np.arange(19), seed=0).precisions == {}


def test_features_that_were_not_looked_at_are_as_all_others():
    precision = Precision(30, 0.8, {"CD3": 1.25})
    np.testing.assert_array_equal(precision.of(("CD4", "CD3")), np.array([0.8, 1.25], dtype=np.float32))


def test_it_travels_as_numbers():
    value = Calibration({"prot": Precision(30, 1.1, {"CD3": 1.25})})
    assert Calibration.from_json(value.to_json()) == value
