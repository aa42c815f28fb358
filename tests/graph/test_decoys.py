"""False edges that are told to the model as the graph's own are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.graph.decoys import usual_share, with_decoys
from multiome.graph.edges import FeatureEdges, edges_among, places_among

N_GENES, N_PEAKS = 30, 60
FEATURES = {"rna": [f"g{i}" for i in range(N_GENES)], "atac": [f"p{i}" for i in range(N_PEAKS)]}
TURNED = {"atac": FEATURES["atac"], "rna": FEATURES["rna"]}


@pytest.fixture(scope="module")
def graph() -> mo.GuidanceGraph:
    """Genes and peaks of three chromosomes, of which a gene and some peaks are not placed; weights and signs differ."""
    rng = np.random.default_rng(0)
    genes = pd.DataFrame(
        {"chrom": [f"chr{i % 3}" for i in range(N_GENES)], "chromStart": [1_000 * i for i in range(N_GENES)],
         "chromEnd": [1_000 * i + 900 for i in range(N_GENES)], "strand": "+"}, index=FEATURES["rna"],
    )  # fmt: skip
    start = np.arange(N_PEAKS) * 500
    peaks = pd.DataFrame(
        {"chrom": [f"chr{i % 3}" for i in range(N_PEAKS)], "chromStart": start, "chromEnd": start + 100},
        index=FEATURES["atac"],
    )
    near = mo.GuidanceGraph.from_genome(genes, peaks, window=3_000)
    table = near.table().assign(weight=rng.uniform(0.1, 1, len(near.edges)), sign=rng.choice([1, -1], len(near.edges)))
    signed = mo.GuidanceGraph.from_table(table, vertices=near.vertices)
    places = near.places.copy()
    lost = np.r_[0, N_GENES : N_GENES + 5]
    places.loc[lost, ["chrom", "start", "end", "strand"]] = ["", -1, -1, "."]
    return mo.GuidanceGraph(signed.vertices, signed.edges, places=places)


def drawn(graph, features=FEATURES, *, share: float | None = 0.5, seed=0) -> FeatureEdges:
    places = places_among(graph, features)
    return with_decoys(edges_among(graph, features), places, share=share, rng=np.random.default_rng(seed))


def test_a_single_chromosome_has_decoys_far_away():
    place = np.arange(40) * 1_000_000
    var = pd.DataFrame({"chrom": "chr1", "chromStart": place, "chromEnd": place + 500, "strand": "+"})
    genes, peaks = var.set_axis([f"g{i}" for i in range(40)]), var.set_axis([f"p{i}" for i in range(40)])
    graph = mo.GuidanceGraph.from_genome(genes, peaks)
    edges = drawn(graph, {"rna": list(genes.index), "atac": list(peaks.index)})
    apart = np.abs(place[edges.source] - place[edges.target - 40])
    assert edges.is_decoy.sum() == 20
    assert apart[edges.is_decoy].min() > 5_000_000


def imitated(edges: FeatureEdges) -> np.ndarray:
    """The position of the edge that each decoy imitates."""
    return np.searchsorted(edges.row[~edges.is_decoy], edges.row[edges.is_decoy])


def names(edges: FeatureEdges, features) -> list[tuple[str, str]]:
    """The two names of each edge, in no order."""
    every = [name for key in features for name in features[key]]
    return [tuple(sorted((every[a], every[b]))) for a, b in zip(edges.source, edges.target, strict=True)]


@pytest.mark.parametrize("features", [FEATURES, TURNED], ids=["as the graph", "turned"])
def test_decoys_are_new_pairs_of_both_modalities(graph, features):
    edges = drawn(graph, features)
    n_real = int((~edges.is_decoy).sum())
    assert edges.is_decoy.sum() == round(0.5 * n_real)
    assert not edges.is_decoy[:n_real].any()
    pairs = names(edges, features)
    assert len(set(pairs)) == len(pairs)
    assert all(a.startswith("g") and b.startswith("p") for a, b in pairs)


@pytest.mark.parametrize("features", [FEATURES, TURNED], ids=["as the graph", "turned"])
def test_the_edges_of_the_graph_stay(graph, features):
    real, edges = edges_among(graph, features), drawn(graph, features)
    for name in ("source", "target", "weight", "row"):
        np.testing.assert_array_equal(getattr(edges, name)[~edges.is_decoy], getattr(real, name))
    assert edges.n_edges("rna", "atac") == len(real.row)
    assert edges.n_linked("rna", to="atac") == real.n_linked("rna", to="atac")


@pytest.mark.parametrize("features", [FEATURES, TURNED], ids=["as the graph", "turned"])
def test_a_decoy_has_the_weight_the_sign_and_one_end_of_an_edge(graph, features):
    edges = drawn(graph, features)
    like, decoy = imitated(edges), np.flatnonzero(edges.is_decoy)
    assert len(set(like)) == len(like)
    np.testing.assert_array_equal(edges.weight[decoy], edges.weight[like])
    np.testing.assert_array_equal(edges.row[decoy], edges.row[like])
    kept = np.stack([edges.source[decoy] == edges.source[like], edges.target[decoy] == edges.target[like]])
    assert (kept.sum(0) == 1).all()
    for ends in (edges.source, edges.target):  # both ends are of the modality that the edge has there
        for key in features:
            span = edges.span(key)
            of = [(ends[some] >= span.start) & (ends[some] < span.stop) for some in (decoy, like)]
            np.testing.assert_array_equal(*of)


@pytest.mark.parametrize("features", [FEATURES, TURNED], ids=["as the graph", "turned"])
def test_no_decoy_joins_features_of_one_chromosome(graph, features):
    edges, chromosomes = drawn(graph, features, share=0.9), places_among(graph, features)["chrom"].to_numpy()
    first, second = (chromosomes[ends[edges.is_decoy]] for ends in (edges.source, edges.target))
    known = (first != "") & (second != "")
    assert not (first == second)[known].any()
    assert not known.all()  # a feature without a place may be anywhere


@pytest.mark.parametrize("features", [FEATURES, TURNED], ids=["as the graph", "turned"])
def test_a_decoy_counts_at_either_end_as_much_as_its_edge(graph, features):
    real, edges = edges_among(graph, features).averages.toarray(), drawn(graph, features).averages.toarray()
    found = drawn(graph, features)
    n_real, like = int((~found.is_decoy).sum()), imitated(found)
    source, target = found.source, found.target
    np.testing.assert_array_equal(edges[source[:n_real], target[:n_real]], real[source[:n_real], target[:n_real]])
    np.testing.assert_array_equal(edges[target[:n_real], source[:n_real]], real[target[:n_real], source[:n_real]])
    decoy = np.flatnonzero(found.is_decoy)
    np.testing.assert_array_equal(edges[source[decoy], target[decoy]], real[source[like], target[like]])
    np.testing.assert_array_equal(edges[target[decoy], source[decoy]], real[target[like], source[like]])
    assert (edges != 0).sum() == 2 * len(source)
    np.testing.assert_allclose(abs(real).sum(1)[np.unique(np.r_[source[:n_real], target[:n_real]])], 1, rtol=1e-6)


def test_the_same_random_numbers_give_the_same_decoys(graph):
    one, two, other = drawn(graph), drawn(graph), drawn(graph, seed=1)
    np.testing.assert_array_equal(one.source, two.source)
    np.testing.assert_array_equal(one.target, two.target)
    assert (one.target != other.target).any()


def test_no_share_no_decoys(graph):
    edges = drawn(graph, share=0.0)
    assert not edges.is_decoy.any()
    assert len(edges.source) == len(edges_among(graph, FEATURES).source)


@pytest.mark.parametrize(
    ("n_edges", "n_decoys"), [(13, 1), (66, 7), (67, 20), (1000, 300), (2000, 500), (5000, 500), (90_000, 9000)]
)
def test_small_graphs_have_more_decoys_for_their_edges(n_edges, n_decoys):
    assert round(usual_share(n_edges) * n_edges) == n_decoys


def test_every_pair_of_modalities_has_its_usual_share(graph):
    """Of a few edges a tenth, which is as good as none, whatever another pair has."""
    table = graph.table()
    both = mo.GuidanceGraph.from_table(pd.concat([table, table[:40].assign(target_modality="met")]))
    edges = drawn(both, FEATURES | {"met": FEATURES["atac"]}, share=None)
    n = {key: int(edges.is_decoy[edges.between("rna", key).edge].sum()) for key in ("atac", "met")}
    assert len(table) > 67
    assert n == {"atac": round(0.3 * len(table)), "met": 4}


def test_every_pair_of_modalities_has_its_decoys(graph):
    table = graph.table()
    sites = table.assign(target_modality="met")
    both = mo.GuidanceGraph.from_table(pd.concat([table, sites]))
    features = FEATURES | {"met": FEATURES["atac"]}
    edges = with_decoys(edges_among(both, features), None, share=0.2, rng=np.random.default_rng(0))
    for key in ("atac", "met"):
        between = edges.between("rna", key)
        assert edges.is_decoy[between.edge].sum() == round(0.2 * len(table))
    assert edges.pairs() == [("rna", "atac"), ("rna", "met")]


def test_a_graph_without_places_has_decoys_anywhere(graph):
    bare = mo.GuidanceGraph.from_table(graph.table())
    assert places_among(bare, FEATURES) is None
    assert drawn(bare).is_decoy.sum() == round(0.5 * len(bare.edges))


def joining(pairs) -> mo.GuidanceGraph:
    table = pd.DataFrame(pairs, columns=["source", "target"])
    return mo.GuidanceGraph.from_table(table.assign(source_modality="rna", target_modality="atac"))


@pytest.mark.parametrize(
    "graph",
    [joining([("g0", "p0")]), joining([(g, p) for g in FEATURES["rna"][:4] for p in FEATURES["atac"][:3]])],
    ids=["one edge", "every pair"],
)
def test_where_no_pair_is_false_there_is_no_decoy(graph):
    edges = drawn(graph, share=0.9)
    assert not edges.is_decoy.any()
    assert edges.averages.shape == (90, 90)


def test_where_all_lies_on_one_chromosome_there_is_no_decoy(graph):
    features = {key: [name for name in names if int(name[1:]) % 3 == 1 and int(name[1:]) > 5]
                for key, names in FEATURES.items()}  # fmt: skip
    assert not drawn(graph, features, share=0.9).is_decoy.any()


def test_fewer_decoys_where_there_are_not_so_many_false_pairs():
    """Of 4 genes and 3 peaks one gene lacks one peak: the only false pair."""
    pairs = [(g, p) for g in FEATURES["rna"][:4] for p in FEATURES["atac"][:3]][:-1]
    edges = drawn(joining(pairs), share=0.9)
    found = [pair for pair, decoy in zip(names(edges, FEATURES), edges.is_decoy, strict=True) if decoy]
    assert found == [("g3", "p2")]
