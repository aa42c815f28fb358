"""Negative binomial counts, beside the reference distributions."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats
import torch

from multiome.likelihoods.negative_binomial import MeanDispersion, NegativeBinomial
from multiome.types import SparseRows


def test_equals_scipy_and_torch():
    log_mean, theta = torch.randn(7, 4) * 3, torch.tensor([0.05, 0.7, 3.0, 90.0])
    p, x = MeanDispersion(log_mean, theta), torch.poisson(torch.rand(7, 4) * 20)
    reference = torch.distributions.NegativeBinomial(theta, logits=log_mean - theta.log())
    torch.testing.assert_close(p.log_prob(x), reference.log_prob(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(p.variance, reference.variance, rtol=1e-4, atol=1e-4)
    t = theta.double()
    expected = scipy.stats.nbinom.logpmf(x.numpy(), t.numpy(), (t / (t + log_mean.double().exp())).numpy())
    np.testing.assert_allclose(p.log_prob(x).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_without_dispersion_it_is_poisson_even_in_single_precision():
    log_mean, x = torch.randn(50) * 2, torch.poisson(torch.full((50,), 30.0))
    p = MeanDispersion(log_mean, torch.tensor(1e7))
    expected = torch.distributions.Poisson(log_mean.double().exp()).log_prob(x.double())
    torch.testing.assert_close(p.log_prob(x).double(), expected, rtol=1e-4, atol=1e-2)


def test_initialise_finds_mean_and_dispersion_whatever_the_depth():
    rng = np.random.default_rng(0)
    depth, mean, theta = rng.lognormal(0, 0.5, (20_000, 1)), np.array([0.2, 2.0, 20.0]), np.array([0.5, 2.0, 8.0])
    x = rng.poisson(rng.gamma(theta, depth * mean / theta))
    likelihood = NegativeBinomial(3)
    likelihood.initialise(SparseRows.from_scipy(sp.csr_matrix(x)), torch.tensor(depth, dtype=torch.float32))
    np.testing.assert_allclose(likelihood.base.detach().exp(), mean, rtol=0.05)
    np.testing.assert_allclose(likelihood.log_theta.detach().exp(), theta, rtol=0.2)


@pytest.mark.parametrize("validate", [True, False])
def test_arguments_are_checked_only_on_request(validate):
    arguments = torch.tensor([float("nan")]), torch.tensor([1.0])
    if validate:
        with pytest.raises(ValueError, match="log_mean"):
            MeanDispersion(*arguments, validate_args=True)
    else:
        assert MeanDispersion(*arguments, validate_args=False).log_prob(torch.ones(1)).isnan().all()
