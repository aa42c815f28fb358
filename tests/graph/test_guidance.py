"""The graph as a value: checks, union, names, files."""

import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import InvalidGraph, MultiomeError, UnknownName

NAMES = ["source_modality", "source", "target_modality", "target"]


def named(*rows: tuple, columns=()) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=[*NAMES, *columns])


def test_a_gene_and_its_protein_are_two_vertices(graph):
    assert ("rna", "CD4") in graph.vertices
    assert ("prot", "CD4") in graph.vertices
    assert len(graph.vertices) == 8
    assert graph.vertices.names == ["modality", "feature"]
    assert graph.edges.dtypes.to_dict() == {
        "source": np.int64, "target": np.int64, "weight": np.float32, "sign": np.int8, "distance": np.float32,
    }  # fmt: skip
    assert graph.edges[["source", "target"]].to_numpy().tolist() == [[0, 4], [1, 3], [1, 7]]


def test_summary_says_what_is_there(graph):
    text = str(graph)
    assert text == repr(graph) == graph.summary()
    assert text.splitlines() == [
        "GuidanceGraph: 8 vertices, 3 edges",
        "  rna - atac: 1 edges, 1 positive and 0 negative",
        "  rna - prot: 1 edges, 1 positive and 0 negative",
        "  rna - met: 1 edges, 0 positive and 1 negative",
        "  rna: 3 features, 1 without an edge ('MS4A1')",
        "  atac: 1 features, 0 without an edge",
        "  prot: 3 features, 2 without an edge ('CD8', 'IgG')",
        "  met: 1 features, 0 without an edge",
    ]


def test_isolated_features(graph):
    assert graph.isolated().tolist() == [("rna", "MS4A1"), ("prot", "CD8"), ("prot", "IgG")]
    assert graph.isolated("prot").tolist() == ["CD8", "IgG"]
    assert graph.isolated("atac").empty
    with pytest.raises(UnknownName, match="Unknown modality 'protein'; there is 'rna', 'atac', 'prot', 'met'"):
        graph.isolated("protein")


def test_table_and_back(graph, same):
    table = graph.table()
    assert list(table.columns) == [*NAMES, "weight", "sign", "distance"]
    assert table.iloc[1].tolist() == ["rna", "CD8A", "atac", "chr2:5-9", 0.5, 1, 120.0]
    same(mo.GuidanceGraph.from_table(table, vertices=graph.vertices), graph)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": [2]}, "source < target"),
        ({"source": [2], "target": [1]}, "source < target"),
        ({"target": [9]}, "positions outside the 3 vertices"),
        ({"source": [-1]}, "positions outside the 3 vertices"),
        (
            {"source": [np.nan]},
            r"`source` must be positions .* \(first: 'nan'\)\. `from_table` takes names",
        ),
        ({"target": pd.array([None], dtype="Int64")}, r"`target` must be positions .* 1 of 1 are not"),
        ({"source": ["a"]}, r"`source` must be positions .* \(first: 'a'\)"),
        ({"target": [1.5]}, r"`target` must be positions .* \(first: '1\.5'\)"),
        ({"weight": [0.0]}, r"`weight` must lie in \(0, 1\]; 1 of 1"),
        ({"weight": [np.nan]}, r"`weight` must lie in \(0, 1\]"),
        ({"weight": pd.array([None], dtype="Float64")}, r"`weight` must lie in \(0, 1\]; 1 of 1"),
        ({"sign": [np.nan]}, r"`sign` must be 1 .* 1 of 1 are neither \(first: 'nan'\)"),
        ({"sign": [0]}, r"`sign` must be 1 .* or -1 .*; 1 of 1 are neither \(first: '0'\)"),
        ({"distance": [-5.0]}, r"base pairs, 0 or more, or NaN .*1 of 1"),
    ],
)
def test_what_is_no_graph_is_an_error(change, says):
    vertices = pd.MultiIndex.from_tuples([("rna", "a"), ("rna", "b"), ("prot", "a")], names=["modality", "feature"])
    edges = pd.DataFrame({"source": [0], "target": [2], "weight": [1.0], "sign": [1], "distance": [np.nan]})
    assert len(mo.GuidanceGraph(vertices, edges).edges) == 1
    with pytest.raises(InvalidGraph, match=says):
        mo.GuidanceGraph(vertices, edges.assign(**change))


def test_the_constructor_wants_whole_tables():
    vertices = pd.MultiIndex.from_tuples([("rna", "a"), ("rna", "b")], names=["modality", "feature"])
    edges = pd.DataFrame(
        {"source": [0, 0], "target": [1, 1], "weight": [1.0, 0.5], "sign": [1, 1], "distance": [1.0, 2]}
    )
    with pytest.raises(InvalidGraph, match="the same edge more than once"):
        mo.GuidanceGraph(vertices, edges)
    with pytest.raises(InvalidGraph, match="`edges` lacks the columns 'sign'; it has 'source', 'target'"):
        mo.GuidanceGraph(vertices, edges.drop(columns="sign"))
    with pytest.raises(InvalidGraph, match="`edges` has several columns of the name 'weight'; drop or rename all but"):
        mo.GuidanceGraph(vertices, pd.concat([edges, edges[["weight"]]], axis=1))
    with pytest.raises(InvalidGraph, match=r"must be text; 2 of the level 'feature' are not \(first: 1\)"):
        mo.GuidanceGraph(vertices.set_levels([1, 2], level="feature"), edges[:1])
    with pytest.raises(InvalidGraph, match=r"1 features occur more than once .*var_names_make_unique"):
        mo.GuidanceGraph(vertices.append(vertices[:1]), edges[:1])
    with pytest.raises(InvalidGraph, match="levels 'modality' and 'feature', got levels"):
        mo.GuidanceGraph(vertices.set_names(["a", "b"]), edges[:1])


def test_union_keeps_everything_once_and_the_larger_weight(same):
    a = mo.GuidanceGraph.from_table(named(("rna", "x", "atac", "p", 0.3, 9.0), columns=["weight", "distance"]))
    b = mo.GuidanceGraph.from_table(
        named(("atac", "p", "rna", "x", 0.7), ("rna", "y", "prot", "x", 1.0), columns=["weight"])
    )
    for united in (a | b, b | a):
        rows = united.table().set_index(NAMES).sort_index()
        assert len(united.edges) == 2
        assert united.vertices.is_unique
        weights = {frozenset([key[:2], key[2:]]): weight for key, weight in rows["weight"].items()}
        assert weights[frozenset([("rna", "x"), ("atac", "p")])] == pytest.approx(0.7)
        assert rows["distance"].dropna().tolist() == [9.0]  # known to one of the two
    assert (a | b).vertices.tolist() == [("rna", "x"), ("rna", "y"), ("atac", "p"), ("prot", "x")]
    same(a | a, a)


def test_union_of_conflicting_signs_names_the_pairs():
    a = mo.GuidanceGraph.from_table(named(("rna", "x", "met", "p")))
    b = mo.GuidanceGraph.from_table(named(("rna", "x", "met", "p", -1), columns=["sign"]))
    with pytest.raises(InvalidGraph, match=r"1 edges occur with both signs: .*'rna', 'x'.*'met', 'p'"):
        a | b
    with pytest.raises(TypeError):
        a | "graph"


def test_reports_are_united_without_repetition(graph):
    a = mo.GuidanceGraph(graph.vertices, graph.edges, ("one", "two"))
    b = mo.GuidanceGraph(graph.vertices, graph.edges, ("two", "three"))
    assert (a | b).report == ("one", "two", "three")
    assert str(a).endswith("\n  one\n  two")


def test_errors_are_of_the_package():
    assert issubclass(InvalidGraph, MultiomeError)
    assert mo.InvalidGraph is InvalidGraph


def test_from_markers_joins_genes_and_proteins():
    graph = mo.GuidanceGraph.from_markers(["CD4", "ACTB"], pd.Index(["CD4", "IgG1"]))
    assert graph.table()[NAMES].to_numpy().tolist() == [["rna", "CD4", "prot", "CD4"]]
    assert graph.isolated("rna").tolist() == ["ACTB"]


def test_a_table_of_markers_goes_on_top_of_the_known_ones():
    table = pd.DataFrame({"protein": ["mine", "CD4"], "gene": ["ACTB", "ACTB"]})
    graph = mo.GuidanceGraph.from_markers(["CD4", "ACTB", "CD8A"], ["mine", "CD4", "CD8"], table=table)
    pairs = graph.table()[["source", "target"]].to_numpy().tolist()
    assert pairs == [["ACTB", "mine"], ["ACTB", "CD4"], ["CD8A", "CD8"]]
    with pytest.raises(UnknownName, match=r"None of the 1 proteins \('mine'\) has a gene among the 1 genes \('CD4'\)"):
        mo.GuidanceGraph.from_markers(["CD4"], ["mine"], table=table)


def test_markers_become_edges_whatever_finds_them(monkeypatch):
    def marker_edges(genes, proteins, *, table=None):
        assert (genes, proteins) == (["ACTB", "CD4"], ["IgG1", "CD4"])
        assert table is None
        return pd.DataFrame({"source": ["CD4"], "target": ["CD4"], "weight": [1.0], "sign": [1]}), ("1 of 2 proteins.",)

    monkeypatch.setattr("multiome.graph.proteins.marker_edges", marker_edges)
    names = ["ACTB", "CD4"], ["IgG1", "CD4"]
    graph = mo.GuidanceGraph.from_markers(*names, keys=("gex", "adt"))
    assert graph.table()[NAMES].to_numpy().tolist() == [["gex", "CD4", "adt", "CD4"]]
    assert graph.edges["distance"].isna().all()
    assert graph.report == ("1 of 2 proteins.",)
    with pytest.raises(InvalidGraph, match=r"`keys` must be the two keys"):
        mo.GuidanceGraph.from_markers(*names, keys=("rna", ""))


@pytest.mark.parametrize("other", [3, pd.DataFrame({"source": ["g"]})])
def test_only_graphs_are_united(other):
    graph = mo.GuidanceGraph.from_markers(["CD4"], ["CD4"])
    with pytest.raises(TypeError, match=f"united with another graph, got {type(other).__name__}"):
        graph | other
