"""Correlation and error of predicted values."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import pearsonr

from multiome.metrics import correlation, pearson, rmse


def test_by_hand():
    # Features: (1, 2, 3) against (2, 4, 6): r = 1; (1, 0, 1) against (0, 0, 3): centred (1, -2, 1) / 3 and (-1, -1, 2),
    # r = (3 / 3) / sqrt(6 / 9 * 6) = 1 / 2.
    truth, predicted = np.array([[2, 0], [4, 0], [6, 3]]), np.array([[1, 1], [2, 0], [3, 1]])
    np.testing.assert_allclose(pearson(predicted, truth), [1, 1 / 2])
    # Cells of two features: a line through two points, up or down; the first prediction is flat.
    np.testing.assert_allclose(pearson(predicted, truth, per="cell"), [0, 1, 1])
    # Errors: 1, 2, 3 and 1, 0, 2 squared: 1 + 4 + 9 + 1 + 0 + 4 = 19.
    assert rmse(predicted, truth) == pytest.approx(np.sqrt(19 / 6))
    assert correlation(predicted, truth) == pytest.approx(
        {"feature_r": 3 / 4, "cell_r": 2 / 3, "rmse": np.sqrt(19 / 6)}
    )


def test_equal_to_scipy_and_protocol(rng, protocol):
    truth = rng.normal(size=(60, 20))
    predicted = truth + rng.normal(size=truth.shape)
    predicted[:, 3] = 2  # constant prediction
    truth[:, 7] = 1  # constant truth
    found = pearson(predicted, truth)
    vary = np.delete(np.arange(20), [3, 7])
    expected = [pearsonr(predicted[:, j], truth[:, j])[0] for j in vary]
    np.testing.assert_allclose(found[vary], expected)
    assert found[3] == 0
    assert np.isnan(found[7])
    assert correlation(predicted, truth) == pytest.approx(protocol.correlation(predicted, truth), abs=1e-12)


def test_constant_prediction_scores_zero(rng):
    truth = rng.normal(size=(50, 8))
    mean = np.tile(truth.mean(0), (50, 1))
    assert correlation(mean, truth)["feature_r"] == 0
    assert correlation(mean + 1e-12 * rng.normal(size=mean.shape), truth)["feature_r"] == 0, "rounding is no prediction"
    assert correlation(np.full_like(truth, 0.1), truth)["cell_r"] == 0


def test_truth_that_is_constant_up_to_its_mean_rounding_is_skipped(rng):
    truth = rng.normal(size=(49, 2))
    truth[:, 0] = 0.1  # the mean of 49 times 0.1 is not 0.1
    predicted = rng.normal(size=(49, 2))
    assert correlation(predicted, truth)["feature_r"] == pytest.approx(pearsonr(predicted[:, 1], truth[:, 1])[0])


def test_nothing_varies():
    found = correlation(np.arange(6.0).reshape(3, 2), np.ones((3, 2)))
    assert np.isnan(found["feature_r"])
    assert np.isnan(found["cell_r"])
    assert found["rmse"] > 0


def test_scale_and_shift_leave_r_alone(rng):
    truth = rng.normal(size=(40, 6))
    predicted = truth + rng.normal(size=truth.shape)
    for factor, shift in ((1e-8, 0), (1e8, 1e8), (3, -5)):
        np.testing.assert_allclose(pearson(factor * predicted + shift, truth), pearson(predicted, truth), atol=1e-7)


@pytest.mark.parametrize("entries", [1, 33, 10**9])
def test_block_size_and_sparsity_change_nothing(rng, monkeypatch, entries):
    truth = rng.poisson(0.5, (30, 17)).astype(np.float32)
    predicted = rng.random((30, 17), dtype=np.float32)
    expected = correlation(predicted, truth)
    monkeypatch.setattr("multiome.metrics.imputation.ENTRIES", entries)
    assert correlation(predicted, truth) == pytest.approx(expected, abs=1e-12)
    assert correlation(predicted, sp.csr_matrix(truth)) == pytest.approx(expected, abs=1e-12)


def test_bad_input(rng):
    truth = rng.normal(size=(5, 4))
    with pytest.raises(ValueError, match=r"same shape, got \(4, 5\) and \(5, 4\)"):
        correlation(truth.T, truth)
    with pytest.raises(ValueError, match="`truth` must be finite, but 1 entries"):
        correlation(truth, np.where(truth == truth.max(), np.nan, truth))
    with pytest.raises(ValueError, match="`predicted` must be finite"):
        rmse(np.where(truth == truth.max(), np.inf, truth), truth)
    with pytest.raises(ValueError, match="two axes"):
        pearson(truth[0], truth[0])
    with pytest.raises(ValueError, match="empty"):
        pearson(truth[:0], truth[:0])
