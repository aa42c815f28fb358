"""Presence, beside the Poisson model that it stands for."""

import numpy as np
import scipy.sparse as sp
import torch

from multiome.likelihoods.bernoulli import Bernoulli, Presence
from multiome.likelihoods.poisson import LogRate, Poisson
from multiome.types import SparseRows


def test_equals_the_presence_of_a_poisson_count():
    log_rate = torch.linspace(-12, 3, 40)
    p, absent = Presence(log_rate), LogRate(log_rate).log_prob(torch.zeros(40))
    torch.testing.assert_close(p.log_prob(torch.zeros(40)), absent)
    torch.testing.assert_close(p.log_prob(torch.ones(40)), torch.log(-torch.expm1(absent.double())).float())
    torch.testing.assert_close(p.mean, -torch.expm1(absent))


def test_equals_torch_where_that_is_accurate():
    log_rate, x = torch.randn(30), torch.bernoulli(torch.full((30,), 0.5))
    p = Presence(log_rate)
    reference = torch.distributions.Bernoulli(p.mean)
    torch.testing.assert_close(p.log_prob(x), reference.log_prob(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(p.variance, reference.variance)


def test_counts_are_read_as_presence():
    p = Presence(torch.randn(5))
    torch.testing.assert_close(p.log_prob(torch.full((5,), 7.0)), p.log_prob(torch.ones(5)))


def test_same_base_as_the_counts_behind_it():
    """Binarising loses information about rates, not their meaning: both likelihoods find the same profile."""
    rng = np.random.default_rng(0)
    depth = rng.lognormal(0, 0.5, (20_000, 1))
    counts = sp.csr_matrix(rng.poisson(depth * np.array([0.02, 0.3, 1.0, 3.0])))
    exposure = torch.tensor(depth, dtype=torch.float32)
    poisson, bernoulli = Poisson(4), Bernoulli(4)
    poisson.initialise(SparseRows.from_scipy(counts), exposure)
    bernoulli.initialise(SparseRows.from_scipy(counts > 0), exposure)
    torch.testing.assert_close(bernoulli.base, poisson.base, rtol=0, atol=0.06)


def test_always_and_never_present_stay_finite():
    likelihood = Bernoulli(2)
    values = SparseRows.from_scipy(sp.csr_matrix(np.tile([0.0, 1.0], (50, 1))))
    likelihood.initialise(values, torch.ones(50, 1))
    mean = likelihood(torch.zeros(1, 1, 2), exposure=torch.ones(1, 1)).mean[0]
    assert mean[0] < 0.01
    assert mean[1] > 0.99
