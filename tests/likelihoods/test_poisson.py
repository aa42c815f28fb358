"""Poisson counts, beside the reference distribution."""

import torch

from multiome.likelihoods.poisson import LogRate


def test_equals_torch():
    log_rate, x = torch.randn(9, 4) * 3, torch.poisson(torch.rand(9, 4) * 6)
    reference = torch.distributions.Poisson(log_rate.exp())
    torch.testing.assert_close(LogRate(log_rate).log_prob(x), reference.log_prob(x), rtol=1e-5, atol=1e-4)


def test_gradient_is_the_residual():
    log_rate, x = torch.randn(9, requires_grad=True), torch.arange(9.0)
    LogRate(log_rate).log_prob(x).sum().backward()
    torch.testing.assert_close(log_rate.grad, x - log_rate.detach().exp())
