"""Principal components of sparse values, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.model.components import principal_components
from multiome.types import SparseRows


def scores(x: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    loadings, centre = principal_components(SparseRows.from_scipy(sp.csr_matrix(x)), n)
    values = torch.as_tensor(x, dtype=torch.float32)
    return ((values - centre) @ loadings).numpy(), loadings.numpy()


def counts(n_cells: int, n_features: int, rank: int = 4) -> np.ndarray:
    rng = np.random.default_rng(0)
    rate = np.exp(rng.normal(size=(n_cells, rank)) @ rng.normal(size=(rank, n_features)) * 0.5)
    return rng.poisson(rate).astype(np.float32)


# the iterative solver, and the full one where there are few cells or features
SHAPES = [(200, 60, 4), (50, 8, 5), (6, 40, 4)]


@pytest.mark.parametrize(("n_cells", "n_features", "n"), SHAPES)
def test_scores_are_centred_uncorrelated_and_the_first_has_variance_1(n_cells, n_features, n):
    found, _ = scores(counts(n_cells, n_features), n)
    covariance = np.cov(found.T)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-3)
    assert covariance[0, 0] == pytest.approx(1, abs=1e-3)
    x = counts(n_cells, n_features)
    singular = np.linalg.svd(x - x.mean(0), compute_uv=False)[:n]
    np.testing.assert_allclose(np.diag(covariance), (singular / singular[0]) ** 2, rtol=1e-2)


@pytest.mark.parametrize(("n_cells", "n_features", "n"), SHAPES)
def test_scores_agree_with_numpy(n_cells, n_features, n):
    x = counts(n_cells, n_features)
    found, _ = scores(x, n)
    u, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    agreement = np.abs(np.sum(u[:, :n] * found, 0)) / np.linalg.norm(found, axis=0)
    np.testing.assert_allclose(agreement, 1, atol=1e-3)


@pytest.mark.parametrize("n_features", [12, 60])
def test_components_beyond_the_rank_are_zero(n_features):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(100, 2)) @ rng.normal(size=(2, n_features))).astype(np.float32)
    found, loadings = scores(x, 5)
    assert np.isfinite(found).all()
    assert found[:, 0].var(ddof=1) == pytest.approx(1, abs=1e-2)
    assert np.abs(found[:, 2:]).max() < 0.1 or not loadings[:, 2:].any()


@pytest.mark.parametrize("n_features", [3, 60])
def test_constant_values_give_scores_of_zero(n_features):
    found, _ = scores(np.full((100, n_features), 2.0, dtype=np.float32), 5)
    np.testing.assert_allclose(found, 0, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 5), (2, 5), (5, 1), (1, 1)])
def test_fewer_cells_or_features_than_components(shape):
    loadings, centre = principal_components(SparseRows.from_scipy(sp.csr_matrix(np.ones(shape))), 10)
    assert loadings.shape[0] == shape[1]
    assert centre.shape == (shape[1],)
    assert torch.isfinite(loadings).all()


def test_the_same_input_gives_the_same_components():
    x = counts(200, 60)
    np.testing.assert_array_equal(scores(x, 4)[1], scores(x, 4)[1])
