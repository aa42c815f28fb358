"""What every guidance graph keeps to: vertices and edges once each, values in range, a place per vertex."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from multiome.errors import InvalidGraph, listed

LEVELS = ["modality", "feature"]
DTYPES = {"source": np.int64, "target": np.int64, "weight": np.float32, "sign": np.int8, "distance": np.float32}
PLACE_DTYPES = {"chrom": object, "start": np.int64, "end": np.int64, "strand": object}
STRANDS = ["+", "-", "."]


def check_vertices(vertices: pd.MultiIndex) -> None:
    """Pairs of modality and feature, each once.

    Raises
    ------
    InvalidGraph
        If they are not, or a name is missing, empty or no text.
    """
    if not isinstance(vertices, pd.MultiIndex) or list(vertices.names) != LEVELS:
        found = f"levels {list(vertices.names)}" if isinstance(vertices, pd.MultiIndex) else type(vertices).__name__
        raise InvalidGraph(f"`vertices` must be a MultiIndex with the levels 'modality' and 'feature', got {found}.")
    if any((codes < 0).any() for codes in vertices.codes):
        raise InvalidGraph("A vertex has no modality or no feature name (NaN); leave it out, or name it.")
    for level, codes, names in zip(LEVELS, vertices.codes, vertices.levels, strict=True):
        used = names[np.unique(codes)]
        other = [name for name in used if not isinstance(name, str)]
        if other:
            raise InvalidGraph(
                f"Names of vertices must be text; {len(other):,} of the level {level!r} are not (first: {other[0]!r}). "
                "Write them as text, as `str` does."
            )
        if empty := [name for name in used if not name.strip()]:
            first = vertices[vertices.get_level_values(level).isin(empty)][0]
            raise InvalidGraph(f"The vertex {first} has an empty {level} name; leave it out, or name it.")
    twice = vertices[vertices.duplicated()].unique()
    if len(twice):
        raise InvalidGraph(
            f"{len(twice):,} features occur more than once among the vertices (first: {listed(twice, most=3)}). "
            "Feature names must be unique within a modality; AnnData's `var_names_make_unique()` makes them so."
        )


def check_edges(edges: pd.DataFrame, n_vertices: int) -> pd.DataFrame:
    """Edges with the columns and types of a graph, and a fresh row number.

    Raises
    ------
    InvalidGraph
        If a column is missing, a value is out of range, or an edge is a self-loop, occurs twice or the wrong way round.
    """
    missing = [name for name in DTYPES if name not in edges.columns]
    if missing:
        raise InvalidGraph(f"`edges` lacks the columns {listed(missing)}; it has {listed(edges.columns)}.")
    check_once(edges, list(DTYPES), what="`edges`")
    check_ends(edges)
    check_weights(edges["weight"])
    check_signs(edges["sign"])
    check_distances(edges["distance"])
    edges = pd.DataFrame({name: pd.to_numeric(edges[name]) for name in DTYPES}).astype(DTYPES).reset_index(drop=True)
    source, target = edges["source"].to_numpy(), edges["target"].to_numpy()
    if len(edges) and (min(source.min(), target.min()) < 0 or max(source.max(), target.max()) >= n_vertices):
        raise InvalidGraph(f"`edges` name positions outside the {n_vertices:,} vertices.")
    if (source >= target).any():
        raise InvalidGraph("Every edge must have source < target (undirected, no self-loops); `from_table` sees to it.")
    if len(np.unique(source * n_vertices + target)) < len(edges):
        raise InvalidGraph("`edges` holds the same edge more than once; `from_table` unites them.")
    return edges


def check_once(table: pd.DataFrame, names: Collection[str], *, what: str) -> None:
    """Columns of these names, each at most once.

    Raises
    ------
    InvalidGraph
        If there are two of one name.
    """
    twice = table.columns[table.columns.duplicated() & table.columns.isin(names)].unique()
    if len(twice):
        raise InvalidGraph(f"{what} has several columns of the name {listed(twice)}; drop or rename all but one.")


def check_ends(edges: pd.DataFrame) -> None:
    """Positions of vertices: whole numbers.

    Raises
    ------
    InvalidGraph
        If one is something else, or missing.
    """
    for end in ("source", "target"):
        values = pd.to_numeric(edges[end], errors="coerce").astype(float)
        bad = ~(values % 1 == 0).to_numpy()
        if bad.any():
            raise InvalidGraph(
                f"`{end}` must be positions among the vertices, whole numbers; {bad.sum():,} of {len(bad):,} are not "
                f"(first: {listed(edges[end][bad], most=3)}). `from_table` takes names."
            )


def check_weights(weight: pd.Series) -> None:
    """Numbers in (0, 1].

    Raises
    ------
    InvalidGraph
        If one is not.
    """
    values = pd.to_numeric(weight, errors="coerce").astype(float)
    bad = ~((values > 0) & (values <= 1)).to_numpy()
    if bad.any():
        raise InvalidGraph(
            f"`weight` must lie in (0, 1]; {bad.sum():,} of {len(bad):,} do not (first: "
            f"{listed(weight[bad], most=3)}). Leave out edges without weight; divide larger weights by their largest."
        )


def check_signs(sign: pd.Series) -> None:
    """+1 or -1.

    Raises
    ------
    InvalidGraph
        If one is something else.
    """
    bad = ~pd.to_numeric(sign, errors="coerce").isin([1, -1]).to_numpy()
    if bad.any():
        raise InvalidGraph(
            f"`sign` must be 1 (both rise together) or -1 (one falls as the other rises); {bad.sum():,} of "
            f"{len(bad):,} are neither (first: {listed(sign[bad], most=3)})."
        )


def check_distances(distance: pd.Series) -> None:
    """Base pairs: numbers of at least 0, or NaN.

    Raises
    ------
    InvalidGraph
        If one is something else.
    """
    values = pd.to_numeric(distance, errors="coerce").astype(float)
    bad = (distance.notna() & ~((values >= 0) & np.isfinite(values))).to_numpy()
    if bad.any():
        raise InvalidGraph(
            f"`distance` must be base pairs, 0 or more, or NaN where it is not known; {bad.sum():,} of {len(bad):,} "
            f"are not (first: {listed(distance[bad], most=3)})."
        )


def check_places(places: pd.DataFrame | None, n_vertices: int) -> pd.DataFrame | None:
    """Places with the columns and types of a graph, and a fresh row number; None stays None.

    Raises
    ------
    InvalidGraph
        If there is not one row per vertex, a column is missing, or a row is neither an interval nor unknown.
    """
    if places is None:
        return None
    missing = [name for name in PLACE_DTYPES if name not in places.columns]
    if missing:
        raise InvalidGraph(f"`places` lacks the columns {listed(missing)}; it has {listed(places.columns)}.")
    if len(places) != n_vertices:
        raise InvalidGraph(
            f"`places` must have one row per vertex, in their order: it has {len(places):,} rows, there are "
            f"{n_vertices:,} vertices. The place of a vertex that has none is '', -1, -1, '.'."
        )
    wrong = ~places["chrom"].map(lambda name: isinstance(name, str)).to_numpy(bool)
    if wrong.any():
        raise InvalidGraph(
            f"`places`: `chrom` must be text, '' where it is not known; {wrong.sum():,} of {len(places):,} are not "
            f"(first: {places['chrom'][wrong].tolist()[0]!r})."
        )
    wrong = ~places["strand"].isin(STRANDS).to_numpy()
    if wrong.any():
        raise InvalidGraph(
            f"`places`: `strand` must be '+', '-' or '.' (not known), got {listed(places['strand'][wrong], most=3)}."
        )
    start, end = (pd.to_numeric(places[name], errors="coerce").to_numpy(float) for name in ("start", "end"))
    known = (places["chrom"] != "").to_numpy()
    whole = (start % 1 == 0) & (end % 1 == 0)
    wrong = ~whole | np.where(known, (start < 0) | (start >= end), (start != -1) | (end != -1))
    if wrong.any():
        first = places.loc[wrong, list(PLACE_DTYPES)].iloc[0].tolist()
        raise InvalidGraph(
            f"`places` must be 0-based and half-open, with 0 <= start < end, or '', -1, -1 where not known; "
            f"{wrong.sum():,} of {len(places):,} are not (first: {listed(first)})."
        )
    return places.loc[:, list(PLACE_DTYPES)].astype(PLACE_DTYPES).reset_index(drop=True)
