"""The edges of a guidance graph among the features that a model uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from multiome.errors import InvalidGraph, listed
from multiome.graph.guidance import GuidanceGraph


@dataclass(frozen=True, eq=False)
class FeatureEdges:
    """Each feature's neighbours, by position among the features of all modalities, one modality after the other."""

    sizes: Mapping[str, int]
    """Features per modality."""
    averages: sp.csr_array
    """Weights of each feature's neighbours (features x features); their sizes add up to 1, or to 0 without any."""

    def average(self, of: str, over: str) -> sp.csr_array:
        """How each feature of one modality averages its neighbours of another (features x features, rows add to 1)."""
        block = self.averages[self.span(of), self.span(over)]
        total = np.asarray(abs(block).sum(1)).ravel()
        return sp.csr_array(sp.diags_array(1 / np.where(total > 0, total, 1)) @ block)

    def n_edges(self, a: str, b: str) -> int:
        """Edges between two modalities."""
        return int(self.averages[self.span(a), self.span(b)].nnz)

    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of modalities that have edges between them."""
        return [(a, b) for a, b in combinations(self.sizes, 2) if self.n_edges(a, b)]

    def n_linked(self, of: str, to: str) -> int:
        """Features of one modality that have a neighbour in another."""
        return int((np.diff(self.averages[self.span(of), self.span(to)].indptr) > 0).sum())

    def span(self, key: str) -> slice:
        """Where the features of a modality lie."""
        names = list(self.sizes)
        start = sum(self.sizes[name] for name in names[: names.index(key)])
        return slice(start, start + self.sizes[key])


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
    used = pd.MultiIndex.from_tuples([(key, name) for key, names in features.items() for name in names])
    place = used.get_indexer(graph.vertices)
    source, target = place[graph.edges["source"]], place[graph.edges["target"]]
    kept = (source >= 0) & (target >= 0)
    weight = (graph.edges["weight"] * graph.edges["sign"]).to_numpy(np.float32)[kept]
    source, target = source[kept], target[kept]
    n = len(used)
    half = sp.coo_array((weight, (source, target)), shape=(n, n))
    both = sp.csr_array(half + half.T)
    total = np.asarray(abs(both).sum(1)).ravel()
    averages = sp.csr_array(sp.diags_array((1 / np.where(total > 0, total, 1)).astype(np.float32)) @ both)
    edges = FeatureEdges({key: len(names) for key, names in features.items()}, averages)
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
