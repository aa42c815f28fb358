"""Methylated calls out of all calls, beside the reference distributions."""

import numpy as np
import pyro.distributions as dist
import scipy.sparse as sp
import scipy.stats
import torch

from multiome.likelihoods.beta_binomial import FIXED_CONCENTRATION, BetaBinomial, LogitBetaBinomial
from multiome.types import SparseRows


def rows(calls: np.ndarray, coverage: np.ndarray) -> tuple[SparseRows, SparseRows]:
    covered = SparseRows.from_scipy(sp.csr_matrix(coverage))
    return covered.with_values(torch.tensor(calls, dtype=torch.float32)[covered.rows, covered.indices]), covered


def test_equals_scipy_and_pyro():
    logit, concentration = torch.randn(8, 3) * 2, torch.tensor([0.3, 4.0, 70.0])
    coverage = torch.poisson(torch.full((8, 3), 6.0))
    x = (coverage * torch.rand(8, 3)).round()
    p = LogitBetaBinomial(logit, concentration, coverage)
    a, b = p.fraction * concentration, (1 - p.fraction) * concentration
    reference = dist.BetaBinomial(a, b, coverage)
    torch.testing.assert_close(p.log_prob(x), reference.log_prob(x), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(p.mean, reference.mean)
    torch.testing.assert_close(p.variance, reference.variance)
    expected = scipy.stats.betabinom.logpmf(x.numpy(), coverage.numpy(), a.double().numpy(), b.double().numpy())
    np.testing.assert_allclose(p.log_prob(x).numpy(), expected, rtol=1e-3, atol=1e-4)


def test_one_call_is_bernoulli_whatever_the_concentration():
    logit, x = torch.randn(40, requires_grad=True), torch.bernoulli(torch.full((40,), 0.5))
    log_concentration = torch.randn(40, requires_grad=True)
    log_probability = LogitBetaBinomial(logit, log_concentration.exp(), torch.ones(40)).log_prob(x)
    torch.testing.assert_close(log_probability, torch.distributions.Bernoulli(logits=logit).log_prob(x))
    (slope,) = torch.autograd.grad(log_probability.sum(), log_concentration, allow_unused=True, materialize_grads=True)
    assert (slope == 0).all()


def test_no_coverage_says_exactly_nothing():
    likelihood, outputs = BetaBinomial(3), (15 * torch.randn(1, 6, 3)).requires_grad_()
    log_probability = likelihood(outputs, exposure=torch.zeros(6, 3)).log_prob(torch.zeros(6, 3))
    log_probability.sum().backward()
    assert (log_probability == 0).all()
    assert (outputs.grad == 0).all()
    assert (likelihood.base.grad == 0).all()


def test_large_concentration_is_binomial_in_single_precision():
    logit, coverage = torch.randn(60), torch.full((60,), 25.0)
    x = torch.binomial(coverage, torch.full((60,), 0.5))
    p = LogitBetaBinomial(logit, torch.full((60,), 1e6), coverage)
    expected = torch.distributions.Binomial(25, logits=logit).log_prob(x)
    torch.testing.assert_close(p.log_prob(x), expected, rtol=1e-3, atol=2e-3)


def test_initialise_finds_fraction_and_concentration():
    rng = np.random.default_rng(0)
    fraction, concentration = np.array([0.1, 0.5, 0.9]), np.array([2.0, 5.0, 20.0])
    coverage = rng.poisson(4, (10_000, 3))
    calls = rng.binomial(coverage, rng.beta(fraction * concentration, (1 - fraction) * concentration, (10_000, 3)))
    likelihood = BetaBinomial(3)
    likelihood.initialise(*rows(calls, coverage))
    np.testing.assert_allclose(likelihood.base.detach().sigmoid(), fraction, atol=0.02)
    np.testing.assert_allclose(likelihood.log_concentration.detach().exp(), concentration, rtol=0.25)


def test_concentration_is_fixed_where_nothing_was_covered_twice():
    rng = np.random.default_rng(0)
    coverage = np.column_stack([rng.poisson(3, 200), rng.poisson(3, 200).clip(max=1), np.zeros(200, dtype=int)])
    likelihood = BetaBinomial(3)
    likelihood.initialise(*rows(rng.binomial(coverage, 0.7), coverage))
    assert likelihood.identified.tolist() == [True, False, False]
    p = likelihood(torch.zeros(1, 200, 3), exposure=torch.full((200, 3), 4.0))
    assert (p.concentration[:, 1:] == FIXED_CONCENTRATION).all()
    p.log_prob(torch.full((200, 3), 2.0)).sum().backward()
    assert likelihood.log_concentration.grad[0] != 0
    assert (likelihood.log_concentration.grad[1:] == 0).all()


def test_a_site_without_calls_starts_at_the_average_fraction():
    coverage = np.array([[3, 0]] * 50)
    likelihood = BetaBinomial(2)
    likelihood.initialise(*rows(np.array([[2, 0]] * 50), coverage))
    np.testing.assert_allclose(likelihood.base.detach().sigmoid(), [2 / 3, 2 / 3], atol=1e-3)
