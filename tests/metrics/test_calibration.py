"""Transforms of calibrated draws are uniform; coverage and the interval score by hand."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from multiome.metrics import interval_score, pit, pit_coverage


def test_pit_by_hand():
    # Of four draws 0, 1, 1, 3, two equal the observation 1 and one lies below: u is uniform on [1/5, 4/5].
    draws = np.array([0, 1, 1, 3]).reshape(4, 1, 1)
    u = np.array([pit(draws, np.array([[1]]), seed=s).item() for s in range(400)])
    assert u.min() > 1 / 5
    assert u.max() < 4 / 5
    assert u.mean() == pytest.approx(1 / 2, abs=0.03)
    assert pit(draws, np.array([[9]])) > 4 / 5
    assert pit(draws, np.array([[-1]])) < 1 / 5


@pytest.mark.parametrize("n_samples", [1, 5, 100])
@pytest.mark.parametrize("rate", [0.05, 2.0])  # mostly zeros, and small counts
def test_pit_of_calibrated_counts_is_uniform(rng, n_samples, rate):
    draws, observed = rng.poisson(rate, (n_samples, 200, 30)), rng.poisson(rate, (200, 30))
    u = pit(draws, observed)
    assert kstest(u.ravel(), "uniform").pvalue > 1e-3
    assert pit_coverage(u, 0.9)["covered"] == pytest.approx(0.9, abs=0.02)


def test_pit_shows_too_narrow_and_shifted_predictions(rng):
    observed = rng.normal(size=(200, 30))
    narrow = pit_coverage(pit(0.5 * rng.normal(size=(100, 200, 30)), observed))
    assert narrow["covered"] < 0.7
    assert narrow["features_near"] == 0
    assert pit(rng.normal(size=(100, 200, 30)) - 3, observed).mean() > 0.9


def test_pit_repeats_with_its_seed(rng):
    draws, observed = rng.poisson(1, (10, 6, 4)), rng.poisson(1, (6, 4))
    np.testing.assert_array_equal(pit(draws, observed, seed=1), pit(draws, observed, seed=1))
    assert (pit(draws, observed, seed=1) != pit(draws, observed, seed=2)).all()


def test_unobserved_values_stay_nan_and_are_left_out(rng):
    draws, observed = rng.normal(size=(50, 40, 3)), rng.normal(size=(40, 3))
    observed[:10, 0] = np.nan
    observed[:, 2] = np.nan
    u = pit(draws, observed)
    np.testing.assert_array_equal(np.isnan(u), np.isnan(observed))
    inside = (u >= 0.05) & (u <= 0.95)
    assert pit_coverage(u)["covered"] == pytest.approx((inside[10:, 0].sum() + inside[:, 1].sum()) / 70)


def test_coverage_by_hand(protocol):
    # At 0.8 the interval is [0.1, 0.9]: the first feature has 3 of 4 inside, the second 4 of 4.
    u = np.array([[0.05, 0.1], [0.2, 0.5], [0.5, 0.6], [0.9, 0.8]])
    assert pit_coverage(u, 0.8) == pytest.approx({"covered": 7 / 8, "features_near": 1 / 2})
    assert pit_coverage(u, 0.8) == pytest.approx(protocol.pit_coverage(u, 0.8))


def test_interval_score_by_hand():
    # Widths 2, 2, 2; the second observation is 1 below, the third 0.5 above; at level 0.8 each unit costs 2 / 0.2 = 10.
    lower, upper, observed = np.zeros(3), np.full(3, 2.0), np.array([1, -1, 2.5])
    assert interval_score(lower, upper, observed, level=0.8) == pytest.approx((2 + 12 + 7) / 3)
    assert interval_score(lower, upper, [1, np.nan, 2.5], level=0.8) == pytest.approx((2 + 7) / 2)


def test_interval_score_is_best_at_the_true_quantiles(rng):
    observed = rng.normal(size=200_000)
    true = np.full(len(observed), norm.ppf(0.95))
    scores = {factor: interval_score(-factor * true, factor * true, observed) for factor in (0.8, 1, 1.2)}
    assert min(scores, key=scores.__getitem__) == 1


def test_bad_input(rng):
    draws, observed = rng.normal(size=(5, 4, 3)), rng.normal(size=(4, 3))
    with pytest.raises(ValueError, match=r"got \(5, 4, 3\) and \(3, 4\)"):
        pit(draws, observed.T)
    with pytest.raises(ValueError, match="samples x cells x features"):
        pit(draws[:0], observed)
    with pytest.raises(ValueError, match="`draws` must not hold NaN"):
        pit(np.where(draws > 0, draws, np.nan), observed)
    with pytest.raises(ValueError, match="strictly between 0 and 1, got 90"):
        pit_coverage(np.full((2, 2), 0.5), 90.0)
    with pytest.raises(ValueError, match="must lie between 0 and 1, got -1 to 2"):
        pit_coverage(np.array([[-1.0, 2]]))
    with pytest.raises(ValueError, match="some values that are not NaN"):
        pit_coverage(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="`lower` must not exceed `upper`, but 4 intervals"):
        interval_score(np.ones(4), np.zeros(4), np.zeros(4))
    with pytest.raises(ValueError, match="same shape"):
        interval_score(np.zeros(4), np.ones(4), np.zeros(3))
    with pytest.raises(ValueError, match="no value that is not NaN"):
        interval_score(np.zeros(2), np.ones(2), np.full(2, np.nan))
