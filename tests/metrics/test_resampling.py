"""Intervals of scores over resampled cells."""

import pytest

from multiome.metrics import bootstrap


def test_of_a_mean_is_its_standard_error(rng):
    x = rng.normal(size=400)
    low, high = bootstrap(lambda rows: x[rows].mean(), 400, n=2000)
    half = 1.96 * x.std() / 20
    assert (low, high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.015)


def test_level_and_seed(rng):
    x = rng.normal(size=100)
    inner, outer = (bootstrap(lambda rows: x[rows].mean(), 100, level=level) for level in (0.5, 0.99))
    assert outer[0] < inner[0] < inner[1] < outer[1]
    assert bootstrap(lambda rows: x[rows].mean(), 100) == bootstrap(lambda rows: x[rows].mean(), 100)
    assert bootstrap(lambda rows: x[rows].mean(), 100, seed=1) != bootstrap(lambda rows: x[rows].mean(), 100)


def test_equal_to_protocol(rng, protocol):
    x = rng.normal(size=50)
    expected = protocol.bootstrap(lambda rows: x[rows].mean(), 50)
    assert bootstrap(lambda rows: x[rows].mean(), 50) == pytest.approx(expected, abs=1e-12)


def test_a_constant_score():
    assert bootstrap(lambda rows: float(len(rows)), 7) == (7, 7)


def test_bad_input():
    with pytest.raises(ValueError, match="at least 1, got 0 and 200"):
        bootstrap(lambda rows: 0.0, 0)
    with pytest.raises(ValueError, match="strictly between 0 and 1, got 95"):
        bootstrap(lambda rows: 0.0, 5, level=95.0)
