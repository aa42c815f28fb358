"""Clusters against labels; the definition is scanpy's, and so are the numbers."""

import random

import igraph as ig
import numpy as np
import pytest
from sklearn.datasets import make_blobs

from multiome.metrics import clusters
from multiome.metrics.clustering import RESOLUTIONS
from multiome.metrics.neighbour_graph import neighbour_graph


def blobs(n=300, centres=4, std=1.0, seed=0):
    z, labels = make_blobs(n, n_features=5, centers=centres, cluster_std=std, random_state=seed)
    return z, labels


def test_separate_groups_are_found():
    z, labels = blobs(std=0.1)
    assert clusters(z, labels) == pytest.approx({"ari": 1, "nmi": 1})
    assert clusters(z, np.array(list("wxyz"))[labels]) == pytest.approx({"ari": 1, "nmi": 1})


def test_labels_without_structure_score_as_chance(rng):
    z, _ = blobs()
    assert clusters(z, rng.integers(0, 4, len(z)))["ari"] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("n", "std"), [(9, 1), (14, 1), (15, 1), (16, 1), (120, 4), (800, 5)])
def test_equal_to_protocol(protocol, n, std):
    z, labels = blobs(n, std=std)
    assert clusters(z, labels) == pytest.approx(protocol.clusters(z, labels), abs=1e-6)


def test_a_collapsed_embedding_is_chance():
    assert clusters(np.ones((60, 3)), np.arange(60) % 3)["ari"] == pytest.approx(0, abs=0.05)


def test_graph_by_definition():
    """A cell's nearest neighbour weighs 1, all of a cell's log2(k), before the two directions are joined."""
    z, _ = blobs(40)
    k = 6
    d = np.sqrt(((z[:, None] - z[None]) ** 2).sum(-1))
    reach = np.zeros_like(d)
    for i in range(len(z)):
        near = np.argsort(d[i])[1:k]
        beyond = d[i, near] - d[i, near[0]]
        widths = np.geomspace(1e-3, 1e3, 200_001)
        total = np.exp(-beyond[:, None] / widths).sum(0)
        reach[i, near] = np.exp(-beyond / widths[np.argmin(np.abs(total - np.log2(k)))])
    expected = reach + reach.T - reach * reach.T
    np.testing.assert_allclose(neighbour_graph(z, k).toarray(), expected, atol=1e-3)


def test_graph_with_duplicates_is_finite():
    z, _ = blobs(40)
    z[:20] = z[0]
    graph = neighbour_graph(z, 15)
    assert np.isfinite(graph.data).all()
    assert graph.data.min() > 0
    assert graph.data.max() <= 1


def test_the_same_every_time_and_igraph_is_given_back():
    z, labels = blobs(std=4)
    random.seed(3)
    edges = ig.Graph.Erdos_Renyi(20, 0.5).get_edgelist()
    first = clusters(z, labels)
    random.seed(3)
    assert ig.Graph.Erdos_Renyi(20, 0.5).get_edgelist() == edges, "igraph must draw from Python's generator again"
    assert clusters(z, labels) == first


def test_one_label_and_few_cells():
    z, _ = blobs(20)
    assert clusters(z, ["a"] * 20)["ari"] in (0.0, 1.0)
    assert set(clusters(z[:3], [0, 0, 1])) == {"ari", "nmi"}


def test_chosen_resolutions():
    z, labels = blobs(std=3)
    best = max(clusters(z, labels, resolutions=[r])["ari"] for r in RESOLUTIONS)
    assert clusters(z, labels)["ari"] == best


def test_bad_input():
    z, labels = blobs(20)
    with pytest.raises(ValueError, match="at least 3 cells, got 2"):
        clusters(z[:2], labels[:2])
    with pytest.raises(ValueError, match="`resolutions` is empty"):
        clusters(z, labels, resolutions=[])
    with pytest.raises(ValueError, match="one value for each of 20 cells"):
        clusters(z, labels[:-1])
    with pytest.raises(ValueError, match="`z` must be finite"):
        clusters(np.where(z > 0, z, np.nan), labels)
