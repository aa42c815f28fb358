"""The edges of a guidance graph among the features that a model uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from multiome.errors import InvalidGraph, listed
from multiome.graph.guidance import GuidanceGraph


@dataclass(frozen=True, eq=False)
class FeatureEdges:
    """Edges between features, by position among the features of all modalities, one modality after the other."""

    sizes: Mapping[str, int]
    """Features per modality."""
    source: Int[np.ndarray, " edge"]
    target: Int[np.ndarray, " edge"]
    weight: Float[np.ndarray, " edge"]
    """Negative where one falls as the other rises."""
    row: Int[np.ndarray, " edge"]
    """Row in the graph's table of edges; of a decoy, that of the edge it imitates."""
    is_decoy: Bool[np.ndarray, " edge"]
    """Edges known to be false, that others are compared with; they come after those of the graph."""

    @cached_property
    def averages(self) -> sp.csr_array:
        """Weights of each feature's neighbours (features x features); their sizes add up to 1, or to 0 without any.

        Decoys count, beside that, as much as the edges they imitate do at either end.
        """
        n, real = sum(self.sizes.values()), ~self.is_decoy
        weight = np.abs(self.weight[real]).astype(float)
        total = np.bincount(self.source[real], weight, n) + np.bincount(self.target[real], weight, n)
        imitated = np.searchsorted(self.row[real], self.row)  # rows of the graph are in order
        at_source, at_target = (self.weight / total[ends[real][imitated]] for ends in (self.source, self.target))
        rows, columns = np.r_[self.source, self.target], np.r_[self.target, self.source]
        values = np.r_[at_source, at_target].astype(np.float32)
        return sp.csr_array(sp.coo_array((values, (rows, columns)), shape=(n, n)))

    def average(self, of: str, over: str) -> sp.csr_array:
        """How each feature of one modality averages its neighbours of another (features x features).

        The sizes of a row's weights add up to 1, or to 0 without neighbours; those of negative edges are negative.
        """
        block = self.averages[self.span(of), self.span(over)]
        total = np.asarray(abs(block).sum(1)).ravel()
        return sp.csr_array(sp.diags_array(1 / np.where(total > 0, total, 1)) @ block)

    def between(self, a: str, b: str) -> EdgesBetween:
        """The edges of two modalities, decoys too, by position in each of them."""
        first, second = self.span(a), self.span(b)
        ahead = within(self.source, first) & within(self.target, second)
        index = np.flatnonzero(ahead | (within(self.source, second) & within(self.target, first)))
        ends = np.where(
            ahead[index], (self.source[index], self.target[index]), (self.target[index], self.source[index])
        )
        return EdgesBetween(index, ends[0] - first.start, ends[1] - second.start)

    def n_edges(self, a: str, b: str) -> int:
        """Edges between two modalities."""
        return int((~self.is_decoy[self.between(a, b).edge]).sum())

    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of modalities that have edges between them."""
        return [(a, b) for a, b in combinations(self.sizes, 2) if self.n_edges(a, b)]

    def n_linked(self, of: str, to: str) -> int:
        """Features of one modality that have a neighbour in another."""
        found = self.between(of, to)
        return len(np.unique(found.a[~self.is_decoy[found.edge]]))

    def span(self, key: str) -> slice:
        """Where the features of a modality lie."""
        names = list(self.sizes)
        start = sum(self.sizes[name] for name in names[: names.index(key)])
        return slice(start, start + self.sizes[key])


class EdgesBetween(NamedTuple):
    """Some edges, and the features they join, by position in each of two modalities."""

    edge: Int[np.ndarray, " edge"]
    a: Int[np.ndarray, " edge"]
    b: Int[np.ndarray, " edge"]

    def sorted(self) -> EdgesBetween:
        """The same, by the feature of the first modality."""
        order = np.argsort(self.a, kind="stable")
        return EdgesBetween(*(column[order] for column in self))


def within(positions: Int[np.ndarray, " edge"], span: slice) -> Bool[np.ndarray, " edge"]:
    """Which positions lie in a span."""
    return (positions >= span.start) & (positions < span.stop)


def joined(graph: GuidanceGraph) -> set[tuple[str, str]]:
    """The pairs of modalities between which a graph has edges."""
    key, names = np.asarray(graph.vertices.codes[0]), graph.vertices.levels[0]
    ends = np.unique(np.column_stack([key[graph.edges["source"]], key[graph.edges["target"]]]), axis=0)
    pairs = [sorted((str(names[a]), str(names[b]))) for a, b in ends if a != b]
    return {(a, b) for a, b in pairs}


def edges_among(graph: GuidanceGraph, features: Mapping[str, Sequence[str]]) -> FeatureEdges:
    """Keep the edges whose two ends are features of a model.

    Parameters
    ----------
    graph
        Prior knowledge.
    features
        The model's features, per modality key.

    Raises
    ------
    InvalidGraph
        If two modalities that the graph joins are left without an edge between them.
    """
    if len(features) < 2:
        raise InvalidGraph(
            f"A guidance graph joins features of different modalities, and the data have {listed(features)} alone. "
            "Give MuData that has the others too, or leave `graph` out."
        )
    used = features_of(features)
    place = used.get_indexer(graph.vertices)
    source, target = place[graph.edges["source"]], place[graph.edges["target"]]
    kept = (source >= 0) & (target >= 0)
    weight = (graph.edges["weight"] * graph.edges["sign"]).to_numpy(np.float32)
    sizes = {key: len(names) for key, names in features.items()}
    no_decoy = np.zeros(int(kept.sum()), dtype=bool)
    edges = FeatureEdges(sizes, source[kept], target[kept], weight[kept], np.flatnonzero(kept), no_decoy)
    pairs = [pair for pair in joined(graph) if set(pair) <= set(features)]
    lost = [f"{a!r} and {b!r}" for a, b in sorted(pairs) if not edges.n_edges(a, b)]
    if lost or not pairs:
        raise InvalidGraph(no_edges(graph, features, lost))
    return edges


def no_edges(graph: GuidanceGraph, features: Mapping[str, Sequence[str]], lost: Sequence[str]) -> str:
    """What the graph and the data call their features."""
    between = f" between {'; '.join(lost)}" if lost else ""
    graph_names = [
        f"{key!r}: {listed(graph.vertices[graph.vertices.get_loc(key)].get_level_values(1)[:3], most=3)}"
        for key in graph.vertices.unique("modality")
    ]
    data_names = [f"{key!r}: {listed(names[:3], most=3)}" for key, names in features.items()]
    return (
        f"None of the graph's {len(graph.edges):,} edges joins features of the model{between}. The graph has "
        f"{'; '.join(graph_names)}, ...; the model has {'; '.join(data_names)}, .... Modality keys and names of "
        "features must be the same in both (`keys=` of `GuidanceGraph.from_genome` sets the keys)."
    )


def places_among(graph: GuidanceGraph, features: Mapping[str, Sequence[str]]) -> pd.DataFrame | None:
    """``chrom`` and ``start`` of each feature of a model, ``""`` and -1 if not known; None if the graph knows none."""
    if graph.places is None:
        return None
    row = graph.vertices.get_indexer(features_of(features))
    known = row >= 0
    return pd.DataFrame(
        {
            name: np.where(known, graph.places[name].to_numpy()[row], missing)
            for name, missing in (("chrom", ""), ("start", -1))
        }
    )


def features_of(features: Mapping[str, Sequence[str]]) -> pd.MultiIndex:
    """The features of all modalities, one modality after the other."""
    return pd.MultiIndex.from_tuples([(key, name) for key, names in features.items() for name in names])
