"""AUROC and average precision, by hand, by brute force and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from multiome.metrics import auprc, auroc, auroc_per_feature


def pairs(score, positive):
    """Every positive-negative pair: won, and how many."""
    d = score[positive][:, None] - score[~positive][None]
    return (d > 0).sum() + 0.5 * (d == 0).sum(), d.size


def test_auroc_by_hand():
    # Positives at 0.8 and 0.4, negatives at 0.6, 0.4 and 0.1. 0.8 wins 3; 0.4 loses 1, ties 1, wins 1: 4.5 of 6.
    score = np.array([0.8, 0.6, 0.4, 0.4, 0.1])
    positive = np.array([True, False, True, False, False])
    assert auroc(score, positive) == pytest.approx(4.5 / 6)
    assert auroc(score, positive.astype(int)) == pytest.approx(4.5 / 6)


def test_auprc_by_hand():
    # In order: +, -, {+, -} tied, -. Precision at the first positive 1/1, at the tie 2/4.
    score = np.array([0.8, 0.6, 0.4, 0.4, 0.1])
    positive = np.array([True, False, True, False, False])
    assert auprc(score, positive) == pytest.approx((1 + 2 / 4) / 2)


@given(st.integers(2, 60), st.integers(1, 6), st.sampled_from([0.0, 0.4]), st.integers(0, 10_000))
def test_equal_to_brute_force_and_scikit_learn(n, levels, share, seed):
    rng = np.random.default_rng(seed)
    score, positive = rng.integers(0, levels, n).astype(np.float32), rng.random(n) < share
    positive[:2] = True, False
    won, total = pairs(score, positive)
    assert auroc(score, positive) == pytest.approx(won / total)
    assert auroc(score, positive) == pytest.approx(roc_auc_score(positive, score))
    assert auprc(score, positive) == pytest.approx(average_precision_score(positive, score))


def test_a_monotone_transform_changes_nothing(rng):
    score, positive = rng.normal(size=200), rng.random(200) < 0.2
    for transform in (np.exp, np.arctan, lambda x: 5 * x - 3, lambda x: x**3):
        assert auroc(transform(score), positive) == auroc(score, positive)
        assert auprc(transform(score), positive) == auprc(score, positive)
    assert auroc(-score, positive) == pytest.approx(1 - auroc(score, positive))


def test_constant_score_is_chance(rng):
    positive = rng.random(200) < 0.2
    assert auroc(np.ones(200), positive) == 0.5
    assert auprc(np.ones(200), positive) == pytest.approx(positive.mean())


def test_undefined_is_nan():
    score = np.arange(4.0)
    assert np.isnan(auroc(score, np.zeros(4, bool)))
    assert np.isnan(auroc(score, np.ones(4, bool)))
    assert np.isnan(auprc(score, np.zeros(4, bool)))
    assert auprc(score, np.ones(4, bool)) == 1


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_per_feature_and_within_strata(rng, share):
    score, positive = rng.integers(0, 5, (40, 6)), rng.random((40, 6)) < share
    positive[:, 2] = False
    positive[0, [0, 1, 3, 4, 5]] = True
    found = auroc_per_feature(score, positive)
    np.testing.assert_allclose(found, [auroc(s, p) for s, p in zip(score.T, positive.T, strict=True)])
    assert np.isnan(found).tolist() == [False, False, True, False, False, False]

    group = rng.choice(["shallow", "deep"], 40)
    within = auroc_per_feature(score, positive, strata=group)
    for j in (0, 1, 3):
        won, total = np.sum([pairs(score[group == g, j], positive[group == g, j]) for g in set(group)], axis=0)
        assert within[j] == pytest.approx(won / total)
    # A score that knows only the group says nothing within it.
    depth = np.repeat((group == "deep")[:, None], 6, axis=1)
    assert np.nanmax(np.abs(auroc_per_feature(depth, positive, strata=group) - 0.5)) == 0


def test_bad_input():
    with pytest.raises(ValueError, match=r"same shape, got \(3,\) and \(2,\)"):
        auroc(np.zeros(3), np.zeros(2, bool))
    with pytest.raises(ValueError, match="must not hold NaN, but 1 of 2"):
        auroc(np.array([np.nan, 1]), np.array([True, False]))
    with pytest.raises(ValueError, match="must be boolean"):
        auprc(np.zeros(3), np.array([0, 1, 2]))
    with pytest.raises(ValueError, match=r"1 axes, none empty, got shape \(2, 2\)"):
        auroc(np.zeros((2, 2)), np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match="at least one entry"):
        auprc(np.zeros(0), np.zeros(0, bool))
    with pytest.raises(ValueError, match="one value for each of 2 cells"):
        auroc_per_feature(np.zeros((2, 2)), np.zeros((2, 2), bool), strata=[1])
