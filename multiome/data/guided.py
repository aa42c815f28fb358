"""A guidance graph meets the features of a `DataSpec`."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from multiome.data.spec import DataSpec
from multiome.errors import InvalidGraph, MultiomeError, MultiomeWarning, listed
from multiome.graph.decoys import with_decoys
from multiome.graph.edges import FeatureEdges, edges_among, features_of, joined, places_among
from multiome.graph.guidance import GuidanceGraph

LENDER = "rna"
"""The kind of modality whose components other modalities' encoders are shown through the graph."""
SILENCES = "methylation"
"""The kind of modality of which a gene's promoter should have little."""
FEW_LINKED = 0.05
"""Below this share of joined features in both of two modalities, a warning."""
FEW_UNKNOWN = 0.05
"""A larger share of edges to features that the data lack is mentioned."""


def joined_pairs(graph: GuidanceGraph | None) -> set[tuple[str, str]]:
    """The pairs of modalities that a graph joins.

    Raises
    ------
    MultiomeError
        If it is no graph, or joins nothing.
    """
    if graph is None:
        return set()
    if not isinstance(graph, GuidanceGraph):
        raise MultiomeError(
            f"`graph` must be a GuidanceGraph, got {type(graph).__name__}; make one with GuidanceGraph.from_genome, "
            "from_markers or from_table, or read a saved one with GuidanceGraph.load."
        )
    pairs = joined(graph)
    if not pairs:
        raise InvalidGraph(
            f"The guidance graph has {len(graph.edges):,} edges, none of them between two modalities; it has the "
            f"modalities {listed(graph.vertices.unique('modality'))}."
        )
    return pairs


def guided(
    spec: DataSpec, graph: GuidanceGraph, *, decoys: float | None = 0.0, seed: int = 0
) -> tuple[DataSpec, FeatureEdges]:
    """The edges among the spec's features, some decoys, and the spec with what encoders are shown through them."""
    features = {key: s.features for key, s in spec.modalities.items()}
    edges = edges_among(graph, features)
    mention_unknown(spec, graph)
    mention_few(edges)
    mention_positive(spec, edges)
    if decoys != 0:
        rng = np.random.default_rng(seed)
        edges = with_decoys(edges, places_among(graph, features), share=decoys, rng=rng)
    modalities = dict(spec.modalities)
    lenders = [key for key, s in modalities.items() if s.kind == LENDER]
    for key, s in spec.modalities.items():
        lender = max(lenders, key=lambda other: edges.n_edges(key, other), default=None)
        if s.kind != LENDER and lender is not None and edges.n_edges(key, lender):
            n = modalities[lender].n_own_components
            modalities[key] = replace(s, lender=lender, n_borrowed=n)
    return replace(spec, modalities=modalities), edges


def mention_unknown(spec: DataSpec, graph: GuidanceGraph) -> None:
    """Warn of modalities, and of more than a few features, that the graph joins and the data lack."""
    ends = graph.vertices.to_frame(index=False, name=["modality", "feature"])
    absent = [key for key in graph.vertices.unique("modality") if key not in spec.modalities]
    if absent:
        n = int(at_either_end(graph, ends["modality"].isin(absent).to_numpy()).sum())
        warnings.warn(
            f"{n:,} of the graph's {len(graph.edges):,} edges are of {listed(absent)}, but the data have the "
            f"modalities {listed(spec.modalities)}. They are not used; if a name differs, set `keys` where the graph "
            "is made.",
            MultiomeWarning,
            stacklevel=4,
        )
    known = features_of({key: s.features + s.other_features for key, s in spec.modalities.items()})
    lacking = ~graph.vertices.isin(known) & ~ends["modality"].isin(absent).to_numpy()
    n = int(at_either_end(graph, lacking).sum())
    if n > FEW_UNKNOWN * len(graph.edges):
        warnings.warn(
            f"{n:,} of the graph's {len(graph.edges):,} edges name features that the data lack (first: "
            f"{listed(ends['feature'][lacking][:3])}), and are not used. Compare the names in the graph and in "
            "the data.",
            MultiomeWarning,
            stacklevel=4,
        )


def at_either_end(graph: GuidanceGraph, vertex: np.ndarray) -> np.ndarray:
    """Which edges have one of the vertices."""
    return vertex[graph.edges["source"].to_numpy()] | vertex[graph.edges["target"].to_numpy()]


def mention_few(edges: FeatureEdges) -> None:
    """Warn where two modalities are joined by next to nothing."""
    for a, b in edges.pairs():
        linked = {key: edges.n_linked(key, other) for key, other in ((a, b), (b, a))}
        if max(linked[key] / edges.sizes[key] for key in linked) < FEW_LINKED:
            told = " and ".join(f"{linked[key]:,} of the {edges.sizes[key]:,} features of {key!r}" for key in linked)
            warnings.warn(
                f"The guidance graph joins only {told}: too few to say how cells correspond, unless some cells have "
                "both. Compare names of features in the graph (print it) and in the data.",
                MultiomeWarning,
                stacklevel=4,
            )


def mention_positive(spec: DataSpec, edges: FeatureEdges) -> None:
    """Warn where methylation and RNA are joined by nothing but edges that say both rise together."""
    for pair in edges.pairs():
        kinds = {spec.modalities[key].kind for key in pair}
        weight = edges.weight[edges.between(*pair).edge]
        if kinds == {LENDER, SILENCES} and (weight > 0).all():
            warnings.warn(
                f"All {len(weight):,} edges of the guidance graph between {pair[0]!r} and {pair[1]!r} are positive, "
                "though a methylated promoter silences its gene. `from_genome` knows methylation by the key alone "
                "('met' and the like): pass it `signs=(-1, 0)`, or `from_table` a column `sign`.",
                MultiomeWarning,
                stacklevel=4,
            )
