"""Values that are not counts."""

import numpy as np
import scipy.sparse as sp
import torch

from multiome.likelihoods.normal import LEAST, Normal
from multiome.types import SparseRows


def test_starts_as_the_normal_of_the_training_cells():
    x = np.random.default_rng(0).normal([-2.0, 0.0, 30.0], [0.5, 1.0, 4.0], (500, 3)).astype(np.float32)
    x[:, 1] *= np.arange(500) % 3 == 0  # unstored entries count as 0
    likelihood = Normal(3)
    likelihood.initialise(SparseRows.from_scipy(sp.csr_matrix(x)), torch.ones(500, 1))
    p = likelihood(torch.zeros(1, 500, 3), exposure=torch.ones(500, 1))
    np.testing.assert_allclose(p.mean[0].detach(), x.mean(0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(p.stddev[0].detach(), x.std(0), rtol=1e-4)


def test_an_output_of_one_is_one_standard_deviation():
    x = np.random.default_rng(0).normal(5.0, 2.0, (500, 1)).astype(np.float32)
    likelihood = Normal(1)
    likelihood.initialise(SparseRows.from_scipy(sp.csr_matrix(x)), torch.ones(500, 1))
    p = likelihood(torch.ones(1, 1, 1), exposure=torch.ones(1, 1))
    np.testing.assert_allclose(p.mean.item(), x.mean() + x.std(), rtol=1e-4)


def test_a_constant_feature_cannot_run_away():
    x = np.column_stack([np.full(100, 3.0), np.zeros(100), np.random.default_rng(0).normal(0, 1, 100)])
    likelihood = Normal(3)
    likelihood.initialise(SparseRows.from_scipy(sp.csr_matrix(x)), torch.ones(100, 1))
    with torch.no_grad():
        likelihood.log_residual.fill_(-100.0)
    p = likelihood(torch.zeros(1, 100, 3), exposure=torch.ones(100, 1))
    np.testing.assert_allclose(p.mean[0, :2].detach(), [3.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(p.stddev[0, :2].detach(), 0.01 * LEAST * x[:, 2].std(), rtol=0.01)


def test_nothing_varies():
    likelihood = Normal(2)
    likelihood.initialise(SparseRows.from_scipy(sp.csr_matrix(np.ones((10, 2)))), torch.ones(10, 1))
    assert (likelihood.scale == 1).all()
