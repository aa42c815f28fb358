"""Edges as a table: checked, brought into one order, and read from names.

An edge is undirected and is kept once, with ``source < target``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from multiome.errors import InvalidGraph, MultiomeWarning, UnknownName, listed, nearest
from multiome.graph.checks import (
    DTYPES,
    LEVELS,
    check_distances,
    check_once,
    check_signs,
    check_vertices,
    check_weights,
)
from multiome.graph.findings import Findings
from multiome.graph.parts import Parts
from multiome.graph.unused_columns import warn_of_misspelt
from multiome.graph.vertex_places import join_places

OPTIONAL = {"weight": 1.0, "sign": 1, "distance": np.nan}
"""Columns that a table of edges may lack, and what they are then."""
ENDS = ["source_modality", "source", "target_modality", "target"]


def unite(edges: pd.DataFrame, vertices: pd.MultiIndex) -> pd.DataFrame:
    """Every edge once, with source < target, sorted; of several weights the largest stays.

    Raises
    ------
    InvalidGraph
        If one edge has both signs.
    """
    ends = np.sort(edges[["source", "target"]].to_numpy(np.int64), axis=1)
    edges = edges.assign(source=ends[:, 0], target=ends[:, 1])
    edges = edges.sort_values(["source", "target", "weight", "distance"], ascending=[True, True, False, True])
    again = edges.duplicated(["source", "target"]).to_numpy()
    if not again.any():
        return edges.reset_index(drop=True)
    signs = edges["sign"].to_numpy()
    conflict = np.zeros(len(edges), dtype=bool)
    conflict[1:] = again[1:] & (signs[1:] != signs[:-1])
    if conflict.any():
        pairs = edges[conflict].drop_duplicates(["source", "target"])
        names = [f"{vertices[s]} - {vertices[t]}" for s, t in zip(pairs["source"], pairs["target"], strict=True)]
        raise InvalidGraph(
            f"{len(names):,} edges occur with both signs: {listed(names, most=3)}. Prior knowledge that contradicts "
            "itself guides nothing; leave out one of the two, or both."
        )
    # `first` skips NaN: a distance that only one of the two knows is kept
    return edges.groupby(["source", "target"], sort=False, as_index=False).first()


def as_vertices(vertices: object) -> pd.MultiIndex:
    """Vertices of a MultiIndex, or of a mapping of modality to its feature names.

    Raises
    ------
    InvalidGraph
        If they are something else, or a feature occurs twice.
    """
    if isinstance(vertices, Mapping):
        for key, names in vertices.items():
            if isinstance(names, str) or not isinstance(names, Iterable):
                raise InvalidGraph(f"`vertices` of {key!r} must be a list of feature names, got {names!r}.")
        vertices = blocks(vertices.items())
    if not isinstance(vertices, pd.MultiIndex):
        raise InvalidGraph(
            f"`vertices` must be a MultiIndex or a mapping of modality to feature names, got {type(vertices).__name__}."
        )
    check_vertices(vertices)
    return vertices


def blocks(modalities: Iterable[tuple[str, Iterable[object]]]) -> pd.MultiIndex:
    """Vertices of one modality after the other."""
    parts = [(key, pd.Index(names, dtype=object)) for key, names in modalities]
    keys = np.repeat(np.array([key for key, _ in parts], dtype=object), [len(names) for _, names in parts])
    names = np.concatenate([np.empty(0, dtype=object), *(names.to_numpy(object) for _, names in parts)])
    return pd.MultiIndex.from_arrays([keys, names], names=LEVELS)


def edges_of_table(table: pd.DataFrame, vertices: object) -> Parts:
    """Vertices, edges and notes of a table of named edges; see `GuidanceGraph.from_table`."""
    if not isinstance(table, pd.DataFrame):
        raise InvalidGraph(f"`table` must be a DataFrame with the columns {listed(ENDS)}, got {type(table).__name__}.")
    missing = [name for name in ENDS if name not in table.columns]
    if missing:
        raise InvalidGraph(
            f"The table lacks the columns {listed(missing)}; it has {listed(table.columns)}. An edge is named by "
            f"{', '.join(ENDS)}; weight, sign and distance are optional."
        )
    check_once(table, [*ENDS, *DTYPES], what="The table")
    findings = Findings()
    warn_of_misspelt(table, [*ENDS, *OPTIONAL], findings, what="The table")
    if table.empty:
        raise InvalidGraph("The table has no rows, so there is no edge; fit without a graph instead.")
    unnamed = table[ENDS].apply(missing_names).any(axis=1)
    if unnamed.any():
        raise InvalidGraph(
            f"{unnamed.sum():,} of {len(table):,} rows miss a name (rows {listed(table.index[unnamed], most=3)}). "
            "Name them, or leave those rows out."
        )
    edges = pd.DataFrame(OPTIONAL, index=range(len(table)))
    for name in edges.columns.intersection(table.columns):
        edges[name] = table[name].to_numpy()
    check_weights(edges["weight"])
    check_signs(edges["sign"])
    check_distances(edges["distance"])
    edges = edges.apply(pd.to_numeric).astype({name: DTYPES[name] for name in edges.columns})
    source = pd.MultiIndex.from_frame(table[ENDS[:2]].astype(str), names=LEVELS)
    target = pd.MultiIndex.from_frame(table[ENDS[2:]].astype(str), names=LEVELS)
    known = in_blocks(source.append(target).unique()) if vertices is None else as_vertices(vertices)
    edges = edges.assign(source=known.get_indexer(source), target=known.get_indexer(target))
    lost = source[edges["source"] < 0].append(target[edges["target"] < 0]).unique()
    if len(lost):
        key, name = lost[0]
        there = known.get_level_values("feature")[known.get_level_values("modality") == key]
        raise UnknownName(
            f"{len(lost):,} features of the table are not among the vertices (first: {listed(lost, most=3)}); the "
            f"modalities there are {listed(known.unique('modality'))}.{nearest(name, there)}"
        )
    loops = (edges["source"] == edges["target"]).to_numpy()
    if loops.any():
        findings.say(f"{loops.sum():,} self-loops were left out: every vertex has one anyway.")
    if loops.all():
        raise InvalidGraph(f"All {len(table):,} rows join a feature with itself, so there is no edge.")
    united = unite(edges[~loops], known)[list(DTYPES)]
    for sentence in findings.warnings:
        warnings.warn(sentence, MultiomeWarning, stacklevel=3)
    return Parts(known, united, tuple(findings.sentences))


def missing_names(column: pd.Series) -> pd.Series:
    """Which names are NaN or empty."""
    return column.isna() | column.isin([name for name in column.unique() if not str(name).strip()])


def in_blocks(vertices: pd.MultiIndex) -> pd.MultiIndex:
    """Modality after modality, by first appearance; within one, features keep their order."""
    code, _ = pd.factorize(vertices.get_level_values("modality"))
    return vertices[np.argsort(code, kind="stable")].remove_unused_levels()


def join(graphs: Sequence[Parts]) -> Parts:
    """Several graphs as one; of several weights of one edge the largest stays, of several places the first."""
    vertices = graphs[0].vertices
    for graph in graphs[1:]:
        vertices = vertices.append(graph.vertices[~graph.vertices.isin(vertices)])
    vertices = in_blocks(vertices)
    positions = [vertices.get_indexer(graph.vertices) for graph in graphs]
    parts = [
        graph.edges.assign(**{end: position[graph.edges[end].to_numpy()] for end in ("source", "target")})
        for graph, position in zip(graphs, positions, strict=True)
    ]
    filled = [part for part in parts if len(part)] or parts[:1]
    places, notes = join_places(graphs, positions, len(vertices))
    report = tuple(dict.fromkeys([*(sentence for graph in graphs for sentence in graph.report), *notes]))
    return Parts(vertices, unite(pd.concat(filled, ignore_index=True), vertices), report, places)
