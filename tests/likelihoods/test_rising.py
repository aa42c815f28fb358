"""Rising factorials, beside double precision."""

import torch

from multiome.likelihoods.rising import LARGE, log_rising, rising_slope


def test_equals_log_gammas_in_double_precision():
    start = torch.tensor([1e-6, 0.05, 1.0, LARGE - 0.01, LARGE + 0.01, 1e3, 1e6])[:, None]
    steps = torch.tensor([0.0, 1.0, 2.0, 30.0, 5_000.0])
    expected = torch.lgamma(start.double() + steps.double()) - torch.lgamma(start.double())
    torch.testing.assert_close(log_rising(start, steps).double(), expected, rtol=1e-5, atol=1e-5)


def test_the_slope_equals_digammas_in_double_precision():
    start = torch.tensor([1e-3, 0.05, 1.0, LARGE - 0.01, LARGE + 0.01, 1e3, 1e6])[:, None]
    steps = torch.tensor([1.0, 2.0, 30.0, 5_000.0])
    expected = torch.digamma(start.double() + steps.double()) - torch.digamma(start.double())
    torch.testing.assert_close(rising_slope(start, steps).double(), expected, rtol=1e-5, atol=0)


def test_one_step_is_the_start_itself():
    start = torch.logspace(-3, 8, 50, requires_grad=True)
    result = log_rising(start, torch.ones(50))
    torch.testing.assert_close(result, start.log(), rtol=1e-5, atol=1e-5)
    (slope,) = torch.autograd.grad(result.sum(), start)
    torch.testing.assert_close(slope * start, torch.ones(50), rtol=1e-3, atol=1e-3)
