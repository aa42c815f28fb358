"""The edges that are left among a model's features, and how neighbours are averaged."""

import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import InvalidGraph
from multiome.graph.edges import edges_among, joined

FEATURES = {"rna": ["g1", "g2", "g3"], "atac": ["p1", "p2"], "met": ["s1"]}


@pytest.fixture
def graph():
    rows = [("atac", "p1", 1.0, 1), ("atac", "p2", 0.5, 1), ("met", "s1", 0.5, -1), ("atac", "absent", 1.0, 1)]
    table = pd.DataFrame(rows, columns=["target_modality", "target", "weight", "sign"])
    return mo.GuidanceGraph.from_table(table.assign(source_modality="rna", source="g1"))


def test_neighbours_are_averaged_by_weight_and_sign(graph):
    found = edges_among(graph, FEATURES).averages.toarray()
    expected = np.zeros((6, 6))
    expected[0, [3, 4, 5]] = [0.5, 0.25, -0.25]
    expected[3, 0], expected[4, 0], expected[5, 0] = 1, 1, -1
    np.testing.assert_allclose(found, expected)


def test_the_average_over_one_modality_leaves_the_others_out(graph):
    edges = edges_among(graph, FEATURES)
    np.testing.assert_allclose(edges.average("rna", over="atac").toarray(), [[2 / 3, 1 / 3], [0, 0], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(edges.average("met", over="rna").toarray(), [[-1, 0, 0]])
    assert edges.n_edges("atac", "rna") == edges.n_edges("rna", "atac") == 2
    assert edges.n_edges("atac", "met") == 0


def test_averages_of_both_signs_have_sizes_that_add_up_to_one():
    table = pd.DataFrame({"target": ["s1", "s2"], "weight": [0.5, 0.25], "sign": [1, -1]})
    graph = mo.GuidanceGraph.from_table(table.assign(source_modality="rna", source="g1", target_modality="met"))
    average = edges_among(graph, {"rna": ["g1", "g2"], "met": ["s1", "s2"]}).average("rna", over="met").toarray()
    np.testing.assert_allclose(average, [[2 / 3, -1 / 3], [0, 0]], rtol=1e-6)


def test_features_may_come_in_any_order(graph):
    turned = edges_among(graph, {"met": ["s1"], "atac": ["p2", "p1"], "rna": ["g3", "g1", "g2"]})
    np.testing.assert_allclose(
        turned.average("rna", over="atac").toarray(), [[0, 0], [1 / 3, 2 / 3], [0, 0]], rtol=1e-6
    )


def test_which_modalities_are_joined(graph):
    assert joined(graph) == {("atac", "rna"), ("met", "rna")}


def test_a_modality_that_the_data_lack_is_left_out(graph):
    edges = edges_among(graph, {"rna": ["g1"], "met": ["s1"]})
    np.testing.assert_allclose(edges.averages.toarray(), [[0, -1], [-1, 0]])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"rna": ["g1"], "atac": ["chr1:1-2"], "met": ["s1"]}, r"between 'atac' and 'rna'.*'chr1:1-2'.*keys="),
        (
            {"gex": ["g1"], "peaks": ["p1"]},
            r"graph has 'rna': 'g1'; 'atac': 'p1', 'p2', 'absent'.*model has 'gex': 'g1'; 'peaks': 'p1'",
        ),
        ({"rna": ["g1"]}, r"joins features of different modalities, and the data have 'rna' alone\. Give MuData"),
    ],
)
def test_no_edge_left_is_an_error_that_shows_both_namings(graph, features, message):
    with pytest.raises(InvalidGraph, match=message):
        edges_among(graph, features)
