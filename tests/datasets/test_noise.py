"""Sampling and expectations against closed forms."""

import numpy as np
import pytest
import scipy.stats

from multiome.datasets.noise import at_least_one, expectation, negative_binomial, scattered_poisson

RNG = np.random.default_rng


def test_negative_binomial_has_the_stated_mean_and_variance():
    mu, dispersion = np.array([0.5, 5.0, 50.0]), np.array([0.2, 1.0, 2.0])
    x = negative_binomial(np.broadcast_to(mu, (200_000, 3)), dispersion, RNG(0))
    np.testing.assert_allclose(x.mean(0), mu, rtol=0.03)
    np.testing.assert_allclose(x.var(0), mu + dispersion * mu**2, rtol=0.05)


def test_scattered_poisson_is_poisson_entry_by_entry():
    share, size = np.array([0.5, 0.3, 0.15, 0.05]), np.full(100_000, 20.0)
    x = scattered_poisson(size, np.broadcast_to(share, (100_000, 4)), RNG(0)).toarray()
    np.testing.assert_allclose(x.mean(0), 20 * share, rtol=0.02)
    np.testing.assert_allclose(x.var(0), 20 * share, rtol=0.03)
    assert np.abs(np.corrcoef(x.T) - np.eye(4)).max() < 0.02


def test_scattered_poisson_keeps_rows_apart():
    share = np.eye(3)
    x = scattered_poisson(np.array([5.0, 50.0, 500.0]), share, RNG(0)).toarray()
    assert (x[~np.eye(3, dtype=bool)] == 0).all()


def test_no_row_is_empty():
    tiny = np.full((500, 6), 1e-6)
    assert (scattered_poisson(np.full(500, 1e-5), tiny / 6e-6, RNG(0)).sum(1) == 1).all()
    assert (at_least_one(np.zeros((500, 6), dtype=np.int64), tiny, RNG(0)).sum(1) == 1).all()


@pytest.mark.parametrize("dispersion", [0.05, 0.5, 2.0])
def test_expectation_agrees_with_scipy(dispersion):
    mu = np.array([[0.01, 0.5, 3.0, 40.0, 400.0]])
    found = expectation(lambda k, entry: np.full(len(entry), np.log1p(k)), mu, np.full(5, dispersion))[0]
    k = np.arange(60_000)
    for value, m in zip(found, mu[0], strict=True):
        p = scipy.stats.nbinom.pmf(k, 1 / dispersion, 1 / (1 + dispersion * m))
        assert value == pytest.approx((p * np.log1p(k)).sum(), rel=2e-3)
