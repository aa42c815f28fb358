"""Decoys: edges known to be false, trained like all others, that the graph's edges are compared with.

What the graph says is part of what a model learns, so that an edge of the graph looks true beside a random pair of
features even if it is false. A decoy imitates an edge: it keeps one end, takes for the other that of another edge, on
another chromosome or far away, and counts at either end as much as the edge does. The model is told the same of both,
and only the data can tell them apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from multiome.graph.edges import FeatureEdges

TRIES = 100
"""Draws of another end, until it lies elsewhere and is no neighbour."""
FAR = 5_000_000
"""Base pairs beyond which two features of one chromosome do not regulate each other: data of a single chromosome have
decoys too."""
MIN_DECOYS = 20
"""With fewer decoys nothing can be said of edges."""
ENOUGH_DECOYS = 500
"""With fewer, a true graph may look like a false one: the standard error of a score that compares edges with decoys is
about 0.6 over the root of the number of decoys, where edges are many."""
LEAST_SHARE, MOST_SHARE = 0.1, 0.3
"""Of decoys per edge, where nobody says how many: as few as in a large graph, and as many as in a small one."""


def usual_share(n_edges: int) -> float:
    """Decoys per edge of two modalities: enough of them where that asks for no more than the largest share.

    The least where even the largest share would be too few to say anything.
    """
    if n_edges * MOST_SHARE < MIN_DECOYS:
        return LEAST_SHARE
    return min(max(ENOUGH_DECOYS / n_edges, LEAST_SHARE), MOST_SHARE)


def with_decoys(
    edges: FeatureEdges, places: pd.DataFrame | None, *, share: float | None, rng: np.random.Generator
) -> FeatureEdges:
    """Add decoys to the edges of every pair of modalities.

    Parameters
    ----------
    edges
        The edges of a graph among the features of a model.
    places
        ``chrom`` and ``start`` of every feature, ``""`` and -1 where they are not known; None where no feature's are. A
        decoy joins no two features that are known to be neighbours on a chromosome.
    share
        Decoys per edge; None for the usual share of each pair of modalities.
    rng
        Random numbers.

    Returns
    -------
    The edges, then the decoys: each end drawn as often as edges have it, no pair twice and none that is an edge.
    Fewer than asked for where there are not so many such pairs.
    """
    n = sum(edges.sizes.values())
    taken = pair_ids(edges.source, edges.target, n)
    found = []
    for a, b in edges.pairs():
        between = edges.between(a, b)
        index = between.edge
        first, second = between.a + edges.span(a).start, between.b + edges.span(b).start
        n_decoys = round((usual_share(len(index)) if share is None else share) * len(index))
        like = rng.permutation(len(index))[:n_decoys]
        other = second[rng.integers(len(index), size=len(like))]
        for _ in range(TRIES):
            ids = pair_ids(first[like], other, n)
            bad = np.isin(ids, taken)
            bad[np.setdiff1d(np.arange(len(ids)), np.unique(ids, return_index=True)[1])] = True
            if places is not None:
                bad |= neighbours(places, first[like], other)
            if not bad.any():
                break
            other[bad] = second[rng.integers(len(index), size=int(bad.sum()))]
        else:
            like, other = like[~bad], other[~bad]
        ahead = edges.source[index[like]] == first[like]
        ends = np.where(ahead, (first[like], other), (other, first[like]))
        found.append((*ends, index[like]))
    source, target, like = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return replace(
        edges,
        source=np.concatenate([edges.source, source]),
        target=np.concatenate([edges.target, target]),
        weight=np.concatenate([edges.weight, edges.weight[like]]),
        row=np.concatenate([edges.row, edges.row[like]]),
        is_decoy=np.concatenate([edges.is_decoy, np.ones(len(like), dtype=bool)]),
    )


def pair_ids(a: Int[np.ndarray, " edge"], b: Int[np.ndarray, " edge"], n: int) -> Int[np.ndarray, " edge"]:
    """One number per pair of features, whichever comes first."""
    return np.minimum(a, b) * np.int64(n) + np.maximum(a, b)


def neighbours(
    places: pd.DataFrame, a: Int[np.ndarray, " edge"], b: Int[np.ndarray, " edge"]
) -> Bool[np.ndarray, " edge"]:
    """Which pairs of features are known to lie near each other on one chromosome."""
    chrom, start = places["chrom"].to_numpy(), places["start"].to_numpy()
    return (chrom[a] == chrom[b]) & (chrom[b] != "") & (np.abs(start[a] - start[b]) <= FAR)
