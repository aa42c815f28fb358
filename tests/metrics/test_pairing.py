"""FOSCTTM and the matching rate, by hand, by brute force and by their symmetries."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from multiome.metrics import foscttm, match_rate


def brute_force(a, b):
    """Cell by cell, distances as differences: closer cells, ties half, over the n - 1 others."""
    n, shares = len(a), []
    for x, y in ((a, b), (b, a)):
        for i in range(n):
            d = ((y - x[i]) ** 2).sum(1).round(10)
            others = np.delete(d, i)
            shares.append(((others < d[i]).sum() + 0.5 * (others == d[i]).sum()) / (n - 1))
    return np.mean(shares)


def views(rng, n=60, d=5, noise=1.0):
    a = rng.normal(size=(n, d))
    return a, a + noise * rng.normal(size=(n, d))


def test_by_hand():
    # a = 0, 1, 5 and b = 0, 3, 4. Own distances: 0, 2, 1.
    # From a: cell 0 has none closer; cell 1 (at 1) has b0 at distance 1, closer than 2; cell 2 has none.
    # From b: cell 0 none; cell 1 (at 3): a0 at 3, a2 at 2, a tie with its own 2; cell 2 (at 4): a1 at 3, none.
    a, b = np.array([[0.0], [1], [5]]), np.array([[0.0], [3], [4]])
    assert foscttm(a, b) == pytest.approx((0 + 1 + 0 + 0 + 0.5 + 0) / (6 * 2))
    # Partner first: four times, once not, once among two that tie.
    assert match_rate(a, b) == pytest.approx((1 + 0 + 1 + 1 + 0.5 + 1) / 6)
    assert match_rate(a, b, k=2) == 1


def test_perfect_and_worst():
    a = np.arange(4.0)[:, None]
    assert foscttm(a, a) == 0
    assert match_rate(a, a) == 1
    two = np.array([[0.0], [1]])
    assert foscttm(two, two[::-1]) == 1
    assert match_rate(two, two[::-1]) == 0


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -3e-9])
def test_a_collapsed_embedding_is_chance(value):
    z = np.full((50, 7), value)
    assert foscttm(z, z) == 0.5
    assert foscttm(z, z, normalise=True) == 0.5
    assert match_rate(z, z, k=5) == pytest.approx(5 / 50)


def test_one_modality_collapsed_is_chance(rng):
    a = rng.normal(size=(80, 4))
    # From the collapsed side each cell sees n distinct distances; their ranks average to chance exactly.
    assert foscttm(a, np.ones((80, 4))) == pytest.approx(0.5)


def test_ties_that_only_rounding_breaks_count_half(rng):
    base = 1e5 + rng.normal(size=(1, 20))
    a = np.repeat(base, 30, axis=0)
    assert foscttm(a, a + 0.1) == 0.5


@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 10_000))
def test_equals_brute_force_with_many_ties(n, d, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, (n, d)).astype(float), rng.integers(0, 4, (n, d)).astype(float)
    assert foscttm(a, b, block=7) == pytest.approx(brute_force(a, b), abs=1e-12)


def test_equals_brute_force_and_protocol(rng, protocol):
    a, b = views(rng, n=300, d=10)
    assert foscttm(a, b) == pytest.approx(brute_force(a, b), abs=1e-12)
    assert foscttm(a, b) == pytest.approx(protocol.foscttm(a, b), abs=1e-12)
    lattice = a.round(), b.round()
    assert foscttm(*lattice) == pytest.approx(protocol.foscttm(*lattice), abs=1e-12)


def test_invariances(rng):
    a, b = views(rng)
    score, rate = foscttm(a, b), match_rate(a, b, k=3)
    order, turn = rng.permutation(len(a)), ortho_group.rvs(a.shape[1], random_state=0)
    for left, right in (
        (b, a),
        (a[order], b[order]),
        (a @ turn, b @ turn),
        (a + 100, b + 100),
        (1e-6 * a, 1e-6 * b),
        (1e6 * a, 1e6 * b),
    ):
        assert foscttm(left, right) == pytest.approx(score, abs=1e-12)
        assert match_rate(left, right, k=3) == pytest.approx(rate, abs=1e-12)


@pytest.mark.parametrize("block", [1, 7, 60, 1000])
def test_block_size_changes_nothing(rng, block):
    a, b = (z.round(1) for z in views(rng))
    assert foscttm(a, b, block=block) == foscttm(a, b)
    assert match_rate(a, b, block=block) == match_rate(a, b)


def test_normalise_forgets_length(rng):
    a, b = views(rng)
    length = rng.uniform(0.1, 10, (len(a), 1))
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (a, b)]
    assert foscttm(length * a, b, normalise=True) == pytest.approx(foscttm(*unit), abs=1e-12)


def test_one_far_cell_does_not_blur_the_others(rng):
    a, b = views(rng)
    a[0] = b[0] = 1e7
    rest = foscttm(a[1:], b[1:])
    n = len(a)
    # The far cell is matched, and never closer than any other partner.
    assert foscttm(a, b) == pytest.approx(rest * (n - 2) / (n - 1) * (n - 1) / n, abs=1e-9)


def test_match_rate_of_random_views_is_chance(rng):
    a, b = rng.normal(size=(2, 2000, 3))
    assert match_rate(a, b, k=100) == pytest.approx(0.05, abs=0.01)
    assert foscttm(a, b) == pytest.approx(0.5, abs=0.02)


def test_memory_of_20_000_cells(rng):
    a, b = views(rng, n=20_000, d=16)
    tracemalloc.start()
    foscttm(a, b)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150e6  # all distances would take 3.2 GB


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), r"same shape, got \(3, 2\) and \(4, 2\)"),
        (np.zeros((3, 2)), np.zeros((3, 1)), "same shape"),
        (np.zeros(3), np.zeros(3), r"two axes .* got shape \(3,\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "empty"),
        (np.zeros((1, 2)), np.zeros((1, 2)), "at least 2 cells, got 1"),
        (np.array([[0.0], [np.nan]]), np.zeros((2, 1)), r"`a` must be finite, but 1 of 2 rows .*\[1\]"),
        (np.zeros((2, 1)), np.array([[np.inf], [0]]), "`b` must be finite"),
    ],
)
def test_bad_input(a, b, message):
    with pytest.raises(ValueError, match=message):
        foscttm(a, b)


def test_bad_k_and_block(rng):
    a, b = views(rng, n=5)
    with pytest.raises(ValueError, match="between 1 and the 5 cells, got 6"):
        match_rate(a, b, k=6)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        foscttm(a, b, block=0)
