"""What the data say of each edge of a guidance graph: how much a gene changes as the feature at the other end does.

The effect of an edge is a regression coefficient: the change of the gene's log expression per standard deviation, over
the cells, of the peak's log accessibility, at equal accessibility of the gene's other neighbours. Coefficients have a
normal prior, its variance in proportion to the edge's weight. Decoys are regressed among the edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from multiome.data.dataset import CellDataset
from multiome.graph.edges import FeatureEdges
from multiome.model.vae import MultiomeVAE
from multiome.predict.cell_states import CellStates
from multiome.predict.loadings import loadings

RESPONDS = "rna"
"""The kind of modality whose features respond to the other's; else the first of the two does."""
EFFECT_SD = 0.7
"""Prior standard deviation of the effect of an edge of weight 1."""
UNEXPLAINED = 0.05
"""Standard deviation of the loadings that a feature's neighbours do not explain."""


def edge_effects(
    vae: MultiomeVAE, cells: CellDataset, edges: FeatureEdges, states: CellStates, *, kinds: Mapping[str, str]
) -> Float[np.ndarray, " edge"]:
    """The effect of every edge and decoy; 0 where a feature does not change.

    Parameters
    ----------
    vae
        A trained model.
    cells
        The cells it was trained on.
    edges
        The edges it was trained with.
    states
        Groups of the cells.
    kinds
        Kind of each modality.
    """
    pairs = [sorted(pair, key=lambda key: kinds[key] != RESPONDS) for pair in edges.pairs()]
    causes = {
        key: np.concatenate([values for _, values, _ in loadings(vae, cells, states, key)])
        for key in {cause for _, cause in pairs}
    }
    effects = np.zeros(len(edges.row), dtype=np.float32)
    for response in {response for response, _ in pairs}:
        asked = [(cause, edges.between(response, cause).sorted()) for one, cause in pairs if one == response]
        for some, values, information in loadings(vae, cells, states, response):
            for cause, found in asked:
                inside = slice(*np.searchsorted(found.a, (some.start, some.stop)))
                edge, a, b = (column[inside] for column in found)
                weight = np.abs(edges.weight[edge]).astype(float)
                effects[edge] = regress(values, information, causes[cause][b], response=a - some.start, weight=weight)
    return effects


def regress(
    values: Float[np.ndarray, "feature direction"],
    information: Float[np.ndarray, "feature direction direction"],
    causes: Float[np.ndarray, "edge direction"],
    *,
    response: Int[np.ndarray, " edge"],
    weight: Float[np.ndarray, " edge"],
) -> Float[np.ndarray, " edge"]:
    """Generalised least squares of each feature's loadings on those of its neighbours, with a normal prior.

    Edges are sorted by ``response``, the feature at their one end; ``causes`` are loadings of their other end.
    """
    effects = np.zeros(len(response))
    length = np.linalg.norm(causes, axis=1, keepdims=True)
    causes = causes / np.maximum(length, 1e-12)
    start = np.searchsorted(response, np.unique(response))
    for first, last in pairwise([*start, len(response)]):
        feature, x = response[first], causes[first:last].T
        noise = np.linalg.inv(information[feature]) + UNEXPLAINED**2 * np.eye(len(x))
        weighed = np.linalg.solve(noise, x)
        prior = np.diag(1 / (EFFECT_SD**2 * weight[first:last]))
        effects[first:last] = np.linalg.solve(x.T @ weighed + prior, weighed.T @ values[feature])
    return effects
