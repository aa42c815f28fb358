"""Graphs of tables with names."""

import re

import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import InvalidGraph, MultiomeWarning, UnknownName
from multiome.graph.table import as_vertices

NAMES = ["source_modality", "source", "target_modality", "target"]
ROW = ("rna", "a", "atac", "p")


def named(*rows: tuple, **columns) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=NAMES).assign(**columns)


def test_defaults_and_vertices_of_the_table():
    graph = mo.GuidanceGraph.from_table(
        named(("rna", "b", "atac", "p"), ("prot", "b", "rna", "b"), ("rna", "a", "atac", "p"))
    )
    assert graph.vertices.tolist() == [("rna", "b"), ("rna", "a"), ("prot", "b"), ("atac", "p")]
    assert graph.edges[["source", "target"]].to_numpy().tolist() == [[0, 2], [0, 3], [1, 3]]
    assert graph.edges["weight"].tolist() == [1, 1, 1]
    assert graph.edges["sign"].tolist() == [1, 1, 1]
    assert graph.edges["distance"].isna().all()
    assert graph.report == ()


def test_an_edge_twice_in_either_direction_keeps_the_larger_weight():
    graph = mo.GuidanceGraph.from_table(
        named(ROW, ("atac", "p", "rna", "a"), ROW, weight=[0.2, 0.9, 0.5], distance=[5, np.nan, 3])
    )
    assert graph.edges["weight"].tolist() == [np.float32(0.9)]
    assert graph.edges["distance"].tolist() == [3]


@pytest.mark.parametrize(
    ("column", "meant"), [("weigth", "weight"), ("Sign", "sign"), ("Distance ", "distance"), ("weights", "weight")]
)
def test_a_misspelt_column_is_mentioned(column, meant):
    says = f"The table: the column {column!r} is not read. Did you mean {meant!r}?"
    with pytest.warns(MultiomeWarning, match=re.escape(says)):
        graph = mo.GuidanceGraph.from_table(named(ROW).assign(**{column: 1}))
    assert graph.report == (says,)


def test_columns_of_the_user_are_not_mentioned():
    table = named(ROW, note="x", p_value=0.5, tissue="blood", gene_id="E1").assign(**{"3": 4}).rename(columns={"3": 3})
    assert mo.GuidanceGraph.from_table(table).report == ()


def test_what_resembles_a_column_that_is_there_is_not_mentioned():
    assert mo.GuidanceGraph.from_table(named(ROW, weight=0.5, weights=0.5)).report == ()


def test_self_loops_are_left_out_and_mentioned():
    graph = mo.GuidanceGraph.from_table(named(("rna", "z", "rna", "z"), ROW, ("rna", "a", "rna", "a")))
    assert len(graph.edges) == 1
    assert ("rna", "z") in graph.vertices
    assert graph.report == ("2 self-loops were left out: every vertex has one anyway.",)
    with pytest.raises(InvalidGraph, match="All 1 rows join a feature with itself, so there is no edge"):
        mo.GuidanceGraph.from_table(named(("rna", "z", "rna", "z")))


def test_conflicting_signs_name_the_pairs():
    table = named(ROW, ("rna", "b", "met", "q"), ("met", "q", "rna", "b"), sign=[1, 1, -1])
    with pytest.raises(InvalidGraph, match=r"1 edges occur with both signs: .*'rna', 'b'.*'met', 'q'"):
        mo.GuidanceGraph.from_table(table)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"weight": [0.0, 1]}, r"`weight` must lie in \(0, 1\]; 1 of 2 do not \(first: '0.0'\)"),
        ({"weight": [2, 1]}, "divide larger weights by their largest"),
        ({"weight": [1, np.nan]}, r"first: 'nan'"),
        ({"weight": ["much", 1]}, r"first: 'much'"),
        ({"sign": [1, 0]}, r"`sign` must be 1 .* 1 of 2 are neither \(first: '0'\)"),
        ({"sign": ["+", "-"]}, r"2 of 2 are neither \(first: '\+', '-'\)"),
        ({"target": ["p", None]}, r"1 of 2 rows miss a name \(rows '1'\)"),
        ({"target": ["p", " "]}, r"1 of 2 rows miss a name \(rows '1'\)"),
        ({"distance": [-1, 1]}, r"1 of 2 are not \(first: '-1'\)"),
        ({"distance": ["far", None]}, r"1 of 2 are not \(first: 'far'\)"),
    ],
)
def test_impossible_values(columns, says):
    with pytest.raises(InvalidGraph, match=says):
        mo.GuidanceGraph.from_table(named(ROW, ("rna", "b", "atac", "q")).assign(**columns))


def test_missing_columns_and_rows():
    with pytest.raises(
        InvalidGraph, match="lacks the columns 'source_modality', 'target_modality'; it has 'source', 'target'"
    ):
        mo.GuidanceGraph.from_table(pd.DataFrame({"source": ["a"], "target": ["b"]}))
    with pytest.raises(InvalidGraph, match="The table has no rows, so there is no edge; fit without a graph"):
        mo.GuidanceGraph.from_table(named())


def test_vertices_are_all_features_also_those_without_an_edge():
    vertices = {"rna": ["b", "a"], "prot": [], "atac": ["p"]}
    graph = mo.GuidanceGraph.from_table(named(ROW), vertices=vertices)
    assert graph.vertices.tolist() == [("rna", "b"), ("rna", "a"), ("atac", "p")]
    assert graph.isolated("rna").tolist() == ["b"]
    index = pd.MultiIndex.from_tuples(graph.vertices.tolist(), names=["modality", "feature"])
    pd.testing.assert_frame_equal(mo.GuidanceGraph.from_table(named(ROW), vertices=index).edges, graph.edges)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("abc", r"`vertices` of 'rna' must be a list of feature names, got 'abc'"),
        (None, r"`vertices` of 'rna' must be a list of feature names, got None"),
        (["a", ""], r"The vertex \('rna', ''\) has an empty feature name; leave it out"),
        ([1, 2], r"Names of vertices must be text; 2 of the level 'feature' are not \(first: 1\)"),
    ],
)
def test_vertices_that_are_no_names(names, says):
    with pytest.raises(InvalidGraph, match=says):
        as_vertices({"rna": names, "atac": ["p"]})


def test_a_modality_without_a_name():
    with pytest.raises(InvalidGraph, match=r"The vertex \('', 'a'\) has an empty modality name"):
        as_vertices({"": ["a"], "atac": ["p"]})


@pytest.mark.parametrize("column", ["source", "weight"])
def test_a_column_that_occurs_twice(column):
    table = named(ROW, weight=0.5)
    with pytest.raises(InvalidGraph, match=f"The table has several columns of the name '{column}'"):
        mo.GuidanceGraph.from_table(pd.concat([table, table[[column]]], axis=1))
    twice = pd.concat([table.assign(note="a"), pd.DataFrame({"note": ["b"]})], axis=1)
    assert len(mo.GuidanceGraph.from_table(twice).edges) == 1  # what is not read may be


def test_names_that_are_not_among_the_vertices():
    with pytest.raises(
        UnknownName,
        match=r"1 features .* not among the vertices .*'rna', 'a'.*there are 'rna', 'atac'\. Did you mean 'aa'",
    ):
        mo.GuidanceGraph.from_table(named(ROW), vertices={"rna": ["aa"], "atac": ["p"]})
