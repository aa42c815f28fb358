"""Cells of two modalities that correspond, found from a poor guess."""

import numpy as np
import pytest

from multiome.train.matching import N_MATCHES, matched, mutual, without_depth


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def kinds(rng):
    """Six kinds of cells: components of 600 lenders, of 500 others, turned, and a guess of the former."""
    centres = rng.normal(size=(6, 5)) * 3
    kind_a, kind_b = rng.integers(6, size=600), rng.integers(6, size=500)
    lent = centres[kind_a] + rng.normal(size=(600, 5))
    seen = centres[kind_b] + rng.normal(size=(500, 5))
    own = np.c_[seen @ np.linalg.qr(rng.normal(size=(5, 5)))[0], rng.normal(size=(500, 4))]
    guess = seen + rng.normal(size=seen.shape) * 12
    return kind_a, kind_b, lent, own, guess


def nearest_kind(lent, kind, told):
    distance = ((told[:, None] - lent) ** 2).sum(-1)
    return kind[distance.argmin(1)]


def scaled(own, weight, lent):
    told = (own - own.mean(0)) @ weight
    return told * lent.std(0) / told.std(0) + lent.mean(0)


def test_matches_tell_more_than_the_guess(kinds):
    kind_a, kind_b, lent, own, guess = kinds
    guessed = (nearest_kind(lent, kind_a, guess) == kind_b).mean()
    found = (nearest_kind(lent, kind_a, scaled(own, matched(lent, own, guess), lent)) == kind_b).mean()
    assert guessed < 0.5
    assert found > 0.9


def test_a_kind_that_the_lender_lacks_is_rarely_matched(kinds):
    kind_a, kind_b, lent, own, _ = kinds
    told = (
        own[:, :5] @ np.linalg.lstsq(own[:, :5], lent[[np.flatnonzero(kind_a == k)[0] for k in kind_b]], rcond=None)[0]
    )
    partners = mutual((told - lent.mean(0)), lent - lent.mean(0))
    without = lent[kind_a != 0]
    fewer = mutual((told - lent.mean(0)), without - lent.mean(0))
    assert partners[kind_b == 0].sum(1).mean() > 5
    assert fewer[kind_b == 0].sum(1).mean() < 0.5 * fewer[kind_b != 0].sum(1).mean()


def test_matches_are_mutual_and_few(rng):
    a, b = rng.normal(size=(300, 4)), rng.normal(size=(200, 4))
    partners = mutual(a, b)
    np.testing.assert_array_equal(partners, mutual(b, a).T)
    assert partners.sum(1).max() <= N_MATCHES
    assert partners.sum() > 0


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_handful_of_cells(n, rng):
    weight = matched(rng.normal(size=(n, 3)), rng.normal(size=(n + 1, 2)), rng.normal(size=(n + 1, 3)))
    assert weight.shape == (2, 3)
    assert np.isfinite(weight).all()


def test_components_that_say_nothing(rng):
    lent, own = rng.normal(size=(50, 3)), rng.normal(size=(40, 2))
    assert np.isfinite(matched(lent, np.zeros((40, 2)), np.zeros((40, 3)))).all()
    assert np.isfinite(matched(np.zeros((50, 3)), own, np.zeros((40, 3)))).all()


def test_what_depth_explains_is_gone(rng):
    depth = rng.lognormal(size=100)
    truth = rng.normal(size=(100, 3))
    left = without_depth(truth + np.log(depth)[:, None] * [1, -2, 0], depth)
    for column in left.T:
        assert abs(np.corrcoef(column, np.log(depth))[0, 1]) < 0.2
    np.testing.assert_array_equal(without_depth(truth, np.ones(100)), truth)
