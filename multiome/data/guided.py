"""A guidance graph meets the features of a `DataSpec`."""

from __future__ import annotations

from dataclasses import replace

from multiome.data.spec import DataSpec
from multiome.errors import MultiomeError
from multiome.graph.edges import FeatureEdges, edges_among, joined
from multiome.graph.guidance import GuidanceGraph

LENDER = "rna"
"""The kind of modality whose components other modalities' encoders are shown through the graph."""


def joined_pairs(graph: GuidanceGraph | None) -> set[tuple[str, str]]:
    """The pairs of modalities that a graph joins.

    Raises
    ------
    MultiomeError
        If it is no graph.
    """
    if graph is None:
        return set()
    if not isinstance(graph, GuidanceGraph):
        raise MultiomeError(
            f"`graph` must be a GuidanceGraph, got {type(graph).__name__}; make one with GuidanceGraph.from_genome, "
            "from_markers or from_table, or read a saved one with GuidanceGraph.load."
        )
    return joined(graph)


def guided(spec: DataSpec, graph: GuidanceGraph) -> tuple[DataSpec, FeatureEdges]:
    """The edges among the spec's features, and the spec with what encoders are shown through them."""
    edges = edges_among(graph, {key: s.features for key, s in spec.modalities.items()})
    modalities = dict(spec.modalities)
    lenders = [key for key, s in modalities.items() if s.kind == LENDER]
    for key, s in spec.modalities.items():
        lender = max(lenders, key=lambda other: edges.n_edges(key, other), default=None)
        if s.kind != LENDER and lender is not None and edges.n_edges(key, lender):
            n = modalities[lender].n_own_components
            modalities[key] = replace(s, lender=lender, n_borrowed=n)
    return replace(spec, modalities=modalities), edges
