"""Whether clusters of the embedding recover the labels: Leiden over a sweep of resolutions, ARI and NMI."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from multiome.metrics.neighbour_graph import neighbour_graph
from multiome.metrics.validation import as_embedding, as_labels

RESOLUTIONS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.4, 2.0)


def clusters(
    z: npt.ArrayLike, labels: npt.ArrayLike, *, resolutions: Sequence[float] = RESOLUTIONS, n_neighbors: int = 15
) -> dict[str, float]:
    """Best agreement between labels and Leiden clusters over a sweep of resolutions.

    The graph is UMAP's, on the ``n_neighbors`` nearest cells (each cell counts as its own first), and Leiden runs over
    it with a fixed seed: what ``scanpy.pp.neighbors`` and ``scanpy.tl.leiden(flavor="igraph", n_iterations=2)`` do,
    except that neighbours are exact however many cells there are (scanpy approximates them from 8,192 cells on).

    Parameters
    ----------
    z
        Embedding, cells x dimensions.
    labels
        One label per cell.
    resolutions
        Leiden resolutions to try.
    n_neighbors
        Cells per neighbourhood; reduced to half the cells when there are fewer.

    Returns
    -------
    ``ari``, the best adjusted Rand index (1 is perfect, 0 is chance), and ``nmi``, the normalised mutual information at
    the same resolution (from 0 to 1).

    References
    ----------
    Traag, Waltman and van Eck, "From Louvain to Leiden", Scientific Reports 2019.
    """
    import igraph as ig  # only here: for what it imports, `import multiome` would wait

    x = as_embedding("z", z)
    _, truth = np.unique(as_labels("labels", labels, len(x)), return_inverse=True)
    if len(x) < 3:
        raise ValueError(f"Clustering needs at least 3 cells, got {len(x)}.")
    if not resolutions:
        raise ValueError("`resolutions` is empty; give at least one Leiden resolution.")
    edges = neighbour_graph(x, n_neighbors if n_neighbors <= len(x) else 1 + len(x) // 2)
    # Both directions of an edge are kept: modularity is the same, and Leiden's random path is scanpy's.
    graph = ig.Graph(n=len(x), edges=np.column_stack([edges.row, edges.col]), directed=False)
    graph.es["weight"] = edges.data
    found = []
    for resolution in resolutions:
        with _seeded_igraph(0):
            parts = graph.community_leiden("modularity", weights="weight", resolution=resolution, n_iterations=2)
        found.append(
            (adjusted_rand_score(truth, parts.membership), normalized_mutual_info_score(truth, parts.membership))
        )
    ari, nmi = max(found)
    return {"ari": float(ari), "nmi": float(nmi)}


class _LegacyRandom:
    """NumPy's legacy generator, with the methods igraph calls; the one scanpy uses, for the same partitions."""

    def __init__(self, seed: int) -> None:
        self._state = np.random.RandomState(seed)

    def getrandbits(self, k: int) -> int:
        return self._state.tomaxint() & ((1 << k) - 1)

    def randint(self, low: int, high: int) -> int:
        return self._state.randint(low, high + 1)

    def random(self) -> float:
        return self._state.random_sample()

    def gauss(self, mean: float, std: float) -> float:
        return self._state.normal(mean, std)


@contextmanager
def _seeded_igraph(seed: int) -> Iterator[None]:
    """Igraph has one generator for the process; give it back afterwards."""
    import igraph as ig

    ig.set_random_number_generator(_LegacyRandom(seed))
    try:
        yield
    finally:
        ig.set_random_number_generator(random)
