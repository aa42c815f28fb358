"""Baselines: the recipe of the comparison, written out, and what each must get right."""

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import RidgeCV

from multiome.metrics import BASELINES, baseline_knn, baseline_mean, baseline_ridge, components, correlation, log_cp10k


@pytest.fixture
def data(rng):
    """Two states of cells move both modalities; 200 cells train, 50 are predicted."""
    state = rng.normal(size=(250, 2))
    x = sp.csr_matrix(rng.poisson(np.exp(state @ rng.normal(size=(2, 80)) * 0.5 + 0.5)).astype(np.float32))
    y = state @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(250, 6))
    return x[:200], y[:200], x[200:], y[200:]


def test_recipe_written_out(data):
    train_x, train_y, test_x, _ = data
    svd = TruncatedSVD(50, random_state=0).fit(log_cp10k(train_x))
    a, b = svd.transform(log_cp10k(train_x)), svd.transform(log_cp10k(test_x))
    for found, expected in zip(components(train_x, test_x), (a, b), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(baseline_mean(*data[:3]), np.tile(train_y.mean(0), (50, 1)))
    near = np.argsort(((b[:, None] - a[None]) ** 2).sum(-1), axis=1)[:, :30]
    np.testing.assert_allclose(baseline_knn(*data[:3]), train_y[near].mean(1), atol=1e-5)
    expected = RidgeCV(np.logspace(-1, 4, 8)).fit(a, train_y).predict(b)
    np.testing.assert_allclose(baseline_ridge(*data[:3]), expected, atol=1e-5)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline(data, name):
    train_x, train_y, test_x, test_y = data
    predicted = BASELINES[name](train_x, train_y, test_x)
    assert predicted.shape == test_y.shape
    r = correlation(predicted, test_y)["feature_r"]
    assert r == 0 if name == "mean" else r > 0.8
    np.testing.assert_array_equal(BASELINES[name](train_x, train_y, test_x), predicted)
    one = BASELINES[name](train_x.toarray(), train_y[:, :1], test_x.toarray())
    assert one.shape == (50, 1)
    assert list(inspect.signature(BASELINES[name]).parameters) == ["train_x", "train_y", "test_x", "counts"]


@pytest.mark.parametrize("name", BASELINES)
def test_values_that_are_not_counts(data, name):
    train_x, train_y, test_x, test_y = data
    back = BASELINES[name](train_y, train_x.toarray(), test_y, counts=False)
    assert back.shape == test_x.shape
    if name != "mean":
        with pytest.raises(ValueError, match="not negative"):
            BASELINES[name](train_y, train_x, test_y)


@pytest.mark.parametrize("name", ["mean", "knn", "ridge"])
def test_sparse_targets(data, name):
    train_x, _, test_x, _ = data
    target = sp.random_array((200, 40), density=0.1, format="csr", rng=np.random.default_rng(1))
    sparse = BASELINES[name](train_x, target, test_x)
    np.testing.assert_allclose(sparse, BASELINES[name](train_x, target.toarray(), test_x), atol=1e-12)


def test_ridge_of_many_targets_is_fitted_in_parts(data, monkeypatch):
    train_x, train_y, test_x, _ = data
    whole = baseline_ridge(train_x, train_y, test_x)
    monkeypatch.setattr("multiome.metrics.baselines.WIDE", 4)
    np.testing.assert_allclose(baseline_ridge(train_x, train_y, test_x), whole, atol=0.05)


@pytest.mark.parametrize("name", BASELINES)
def test_few_cells_and_features(data, name):
    train_x, train_y, test_x, _ = data
    assert np.isfinite(BASELINES[name](train_x[:12, :3], train_y[:12], test_x[:2, :3])).all()


def test_bad_input(data):
    train_x, train_y, test_x, _ = data
    with pytest.raises(ValueError, match="must hold the same cells, got 200 and 199"):
        baseline_mean(train_x, train_y[1:], test_x)
    with pytest.raises(ValueError, match="same features, got 80 and 79"):
        baseline_knn(train_x, train_y, test_x[:, 1:])
    with pytest.raises(ValueError, match="`train_y` must be finite"):
        baseline_ridge(train_x, np.where(train_y > 0, train_y, np.nan), test_x)
    with pytest.raises(ValueError, match=r"at least 2 training cells and 2 features, .* \(1, 80\)"):
        baseline_knn(train_x[:1], train_y[:1], test_x)
