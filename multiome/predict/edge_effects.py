"""What the data say of each edge of a guidance graph: how much a gene changes as the feature at the other end does.

The effect of an edge is a regression coefficient: the change of the gene's log expression per standard deviation, over
the cells, of the peak's log accessibility, at equal accessibility of the gene's other neighbours. Coefficients have a
normal prior, its variance in proportion to the edge's weight, and narrower on the side of 0 that the edge's sign speaks
against. What the counts do not show to change at all explains nothing: coefficient and prior shrink with the share of
the peak's changes that is more than noise. Decoys are regressed among the edges.
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
AGAINST = 0.5
"""The same of an effect against the edge's sign, over that of one with it."""
MAX_ROUNDS = 20
"""How often coefficients are solved for while their sides of 0 still change; two to four are usual."""
LEAST_TOLD = 0.05
"""The share of a feature's changes that is taken for more than noise, at least."""
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
    causes, told = {}, {}
    for cause in {cause for _, cause in pairs}:
        known = (
            (values, more_than_noise(values, precision)) for _, values, precision in loadings(vae, cells, states, cause)
        )
        causes[cause], told[cause] = (np.concatenate(parts) for parts in zip(*known, strict=True))
    effects = np.zeros(len(edges.row), dtype=np.float32)
    for response in {response for response, _ in pairs}:
        asked = [(cause, edges.between(response, cause).sorted()) for one, cause in pairs if one == response]
        for some, values, information in loadings(vae, cells, states, response):
            for cause, found in asked:
                inside = slice(*np.searchsorted(found.a, (some.start, some.stop)))
                edge, a, b = (column[inside] for column in found)
                effects[edge] = regress(
                    values, information, causes[cause][b],
                    told=told[cause][b], response=a - some.start, weight=edges.weight[edge].astype(float),
                )  # fmt: skip
    return effects


def more_than_noise(
    values: Float[np.ndarray, "feature direction"], information: Float[np.ndarray, "feature direction direction"]
) -> Float[np.ndarray, " feature"]:
    """Share of the squared length of each feature's loadings that their uncertainty does not account for."""
    noise = np.trace(np.linalg.inv(information), axis1=1, axis2=2)
    return np.clip(1 - noise / np.maximum((values**2).sum(1), 1e-12), LEAST_TOLD, 1)


def regress(
    values: Float[np.ndarray, "feature direction"],
    information: Float[np.ndarray, "feature direction direction"],
    causes: Float[np.ndarray, "edge direction"],
    *,
    told: Float[np.ndarray, " edge"],
    response: Int[np.ndarray, " edge"],
    weight: Float[np.ndarray, " edge"],
) -> Float[np.ndarray, " edge"]:
    """Most probable effects: each feature's loadings on those of its neighbours, least squares with a prior.

    Edges are sorted by ``response``, the feature at their one end; ``causes`` are loadings of their other end, of which
    the share ``told`` is more than noise. ``weight`` is negative where one should fall as the other rises. The prior is
    normal on either side of 0, narrower on the one that the weight speaks against; the posterior has one mode.
    """
    effects = np.zeros(len(response))
    length = np.linalg.norm(causes, axis=1, keepdims=True)
    causes = causes / np.maximum(length, 1e-12)
    start = np.searchsorted(response, np.unique(response))
    for first, last in pairwise([*start, len(response)]):
        feature, x = response[first], causes[first:last].T
        noise = np.linalg.inv(information[feature]) + UNEXPLAINED**2 * np.eye(len(x))
        weighed = np.linalg.solve(noise, x)
        these = slice(first, last)
        sd = EFFECT_SD * np.sqrt(np.abs(weight[these])) * told[these]
        found = most_probable(x.T @ weighed, weighed.T @ values[feature], sd, np.sign(weight[these]))
        effects[these] = told[these] * found
    return effects


def most_probable(
    precision: Float[np.ndarray, "edge edge"],
    evidence: Float[np.ndarray, " edge"],
    sd: Float[np.ndarray, " edge"],
    sign: Float[np.ndarray, " edge"],
) -> Float[np.ndarray, " edge"]:
    """The mode of a normal likelihood times a prior that is narrower against the sign.

    On which side of 0 each coefficient lies decides its prior: they are solved for anew until the sides stay.
    """
    against = np.zeros(len(sd), dtype=bool)
    for _ in range(MAX_ROUNDS):
        prior = np.diag(1 / (sd * np.where(against, AGAINST, 1)) ** 2)
        found = np.linalg.solve(precision + prior, evidence)
        before, against = against, found * sign < 0
        if (before == against).all():
            break
    return found
