"""The expected logarithm, beside sums over every count and beside samples."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from multiome.likelihoods.bernoulli import Presence
from multiome.likelihoods.expectation import BLOCK, expected_log1p
from multiome.likelihoods.negative_binomial import MeanDispersion
from multiome.likelihoods.poisson import LogRate
from multiome.likelihoods.protein_mixture import BackgroundForeground

MEANS = [1e-4, 1e-3, 0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 100.0, 1e3, 1e4]
THETAS = [0.05, 0.3, 1.0, 3.0, 10.0, 100.0, None]


def by_summing(mean: float, theta: float | None, scale: float) -> float:
    spread = np.sqrt(mean + (mean**2 / theta if theta else 0))
    x = np.arange(min(int(mean + 60 * spread + 200), 3_000_000))
    p = scipy.stats.nbinom.pmf(x, theta, theta / (theta + mean)) if theta else scipy.stats.poisson.pmf(x, mean)
    return float((p * np.log1p(scale * x)).sum())


@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
def test_equals_the_sum_over_all_counts(theta, scale):
    expected = [by_summing(mean, theta, scale) for mean in MEANS]
    dispersion = None if theta is None else torch.tensor(theta)
    alone = [expected_log1p(torch.tensor([[m]]), torch.tensor(scale), dispersion).item() for m in MEANS]
    together = expected_log1p(torch.tensor([MEANS]), torch.tensor(scale), dispersion)[0].tolist()
    assert alone == pytest.approx(expected, rel=1e-3)
    assert together == pytest.approx(expected, rel=1e-3)


def distributions() -> list:
    log_mean, theta = torch.randn(30, 4) * 2, torch.tensor([0.3, 1.0, 5.0, 50.0])
    low, high = MeanDispersion(log_mean, theta), MeanDispersion(log_mean + 2, 2 * theta)
    mixture = BackgroundForeground(low, high, torch.randn(30, 4))
    return [low, LogRate(log_mean), Presence(log_mean), mixture]


@pytest.mark.parametrize("which", range(4), ids=["NegativeBinomial", "Poisson", "Bernoulli", "ProteinMixture"])
def test_equals_the_average_of_samples(which):
    p, scale = distributions()[which], 0.2 + 5 * torch.rand(30, 1)
    transformed = torch.log1p(scale * p.sample((20_000,)))
    error = 6 * transformed.std(0) / 20_000**0.5
    assert ((p.expected_log1p(scale) - transformed.mean(0)).abs() <= error + 1e-4).all()


def test_blocks_and_shapes_do_not_matter():
    mean, scale, theta = torch.rand(3, BLOCK // 4, 5) * 10, torch.rand(BLOCK // 4, 1), torch.rand(5) + 0.1
    whole = expected_log1p(mean, scale, theta)
    assert whole.shape == mean.shape
    torch.testing.assert_close(whole[1, 7:9], expected_log1p(mean[1, 7:9], scale[7:9], theta), rtol=1e-3, atol=0)
    torch.testing.assert_close(whole[1, 7], expected_log1p(mean[1, 7], scale[7].expand(5), theta), rtol=1e-3, atol=0)
    assert expected_log1p(mean[:, :0], scale[:0], theta).shape == (3, 0, 5)


def test_rows_that_are_unknown_stay_unknown():
    mean = torch.tensor([[float("nan")], [2.0]])
    result = expected_log1p(mean, torch.tensor(1.0))
    assert result[0].isnan()
    assert result[1].item() == pytest.approx(by_summing(2.0, None, 1.0), rel=1e-3)
