"""Mixing of experimental batches among neighbours."""

import numpy as np
import pytest

from multiome.metrics import neighbour_mixing


def test_by_hand():
    # Nearest: 0 -> 1 and 1 -> 0 (same batch), 2.4 -> 1 (other), 4 -> 2.4 (same). At random 2 of 3 are from the other.
    z = np.array([[0.0], [1], [2.4], [4]])
    assert neighbour_mixing(z, ["A", "A", "B", "B"], k=1) == pytest.approx((0 + 0 + 1 / (2 / 3) + 0) / 4)


def test_equals_brute_force_and_protocol(rng, protocol):
    z, batch = rng.normal(size=(150, 4)), rng.choice(["A", "B", "C"], 150, p=[0.6, 0.3, 0.1])
    z[batch == "A", 0] += 1
    shares = []
    for i in range(150):
        d = ((z - z[i]) ** 2).sum(1)
        d[i] = np.inf
        near = np.argsort(d)[:30]
        expected = np.mean(np.delete(batch, i) != batch[i])
        shares.append(np.mean(batch[near] != batch[i]) / expected)
    assert neighbour_mixing(z, batch) == pytest.approx(np.mean(shares))
    assert neighbour_mixing(z, batch) == pytest.approx(protocol.neighbour_mixing(z, batch))


def test_apart_and_mixed(rng):
    batch = np.repeat([0, 1], [300, 100])
    z = rng.normal(size=(400, 3))
    assert neighbour_mixing(z + 100 * batch[:, None], batch) == 0
    assert neighbour_mixing(z, batch) == pytest.approx(1, abs=0.05)


def test_all_neighbours_of_a_tiny_set():
    assert neighbour_mixing(np.arange(4.0)[:, None], ["A", "A", "B", "B"], k=3) == pytest.approx(1)


def test_bad_input(rng):
    z = rng.normal(size=(40, 2))
    with pytest.raises(ValueError, match="at least 2 batches, but all 40 cells are of batch A"):
        neighbour_mixing(z, np.array(["A"] * 40))
    with pytest.raises(ValueError, match="between 1 and the 39 other cells, got 40"):
        neighbour_mixing(z, np.arange(40), k=40)
    with pytest.raises(ValueError, match="one value for each of 40 cells"):
        neighbour_mixing(z, ["A", "B"])
