"""What the data say of each edge of a guidance graph: how much a gene changes as the feature at the other end does.

The effect of an edge is a regression coefficient: the change of the gene's log expression per standard deviation, over
the cells, of the peak's log accessibility, at equal accessibility of the gene's other neighbours. The gene's changes
are divided by the root of how far it changes: effects on genes that change much are larger, but less than in
proportion. Coefficients have a normal prior, the wider the larger the edge's weight, and narrower on the side
of 0 that the edge's sign speaks against. What the counts do not show to change at all explains nothing: coefficient and
prior shrink with the share of the peak's changes that is more than noise, and the coefficient once more with the
probability that the peak changes at all, which the lengths of all peaks' loadings tell. Decoys are regressed among the
edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from multiome.data.dataset import CellDataset
from multiome.graph.edges import FeatureEdges
from multiome.model.vae import MultiomeVAE
from multiome.predict.cell_states import CellStates
from multiome.predict.loadings import loadings

RESPONDS = "rna"
"""The kind of modality whose features respond to the other's; else the first of the two does."""
EFFECT_SD, BY_WEIGHT = 0.8, 0.7
"""Prior standard deviation of the effect of an edge of weight 1, and the power of the weight that it grows with."""
AGAINST = 0.4
"""The same of an effect against the edge's sign, over that of one with it."""
MAX_ROUNDS = 20
"""How often coefficients are solved for while their sides of 0 still change; two to four are usual."""
LEAST_TOLD = 0.05
"""The share of a feature's changes that is taken for more than noise, at least."""
UNEXPLAINED = 0.06
"""Standard deviation of the loadings that a feature's neighbours do not explain, when these loadings are divided."""
MIN_FEATURES, LEAST_LENGTH = 100, 1e-3
"""So many features tell which of them change at all; shorter loadings than this share of the median are of none."""
EM_ROUNDS = 200
"""Rounds of the algorithm by which two groups of features are told apart."""


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
    causes, told, moves = {}, {}, {}
    for cause in {cause for _, cause in pairs}:
        known = (
            (values, more_than_noise(values, precision)) for _, values, precision in loadings(vae, cells, states, cause)
        )
        causes[cause], told[cause] = (np.concatenate(parts) for parts in zip(*known, strict=True))
        moves[cause] = changing(causes[cause])
    effects = np.zeros(len(edges.row), dtype=np.float32)
    for response in {response for response, _ in pairs}:
        asked = [(cause, edges.between(response, cause).sorted()) for one, cause in pairs if one == response]
        for some, values, information in loadings(vae, cells, states, response):
            for cause, found in asked:
                inside = slice(*np.searchsorted(found.a, (some.start, some.stop)))
                edge, a, b = (column[inside] for column in found)
                effects[edge] = moves[cause][b] * regress(
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


def changing(values: Float[np.ndarray, "feature direction"]) -> Float[np.ndarray, " feature"]:
    """The probability that each feature changes at all, from the lengths of all features' loadings; 1 where few tell.

    Logarithms of lengths are a mixture of two normal distributions with one variance, fitted by
    expectation-maximisation: the longer of them are of features that change. Where the lengths do not fall into two
    groups, the probability rises with them slowly or not at all.
    """
    length = np.linalg.norm(values, axis=1)
    some = length > LEAST_LENGTH * np.median(length)
    if some.sum() < MIN_FEATURES:
        return np.ones(len(length))
    x = np.log(length[some])
    mean, variance, share = np.quantile(x, [0.2, 0.7]), float(x.var()) / 4, 0.5
    longer = np.full(len(x), share)
    for _ in range(EM_ROUNDS):
        slope = (mean[1] - mean[0]) / max(variance, 1e-12)
        longer = expit(slope * (x - mean.mean()) + np.log(share / (1 - share)))
        share = float(np.clip(longer.mean(), 1e-3, 1 - 1e-3))
        belongs = np.stack([1 - longer, longer])
        mean = belongs @ x / np.maximum(belongs.sum(1), 1e-12)
        variance = float((belongs * (x - mean[:, None]) ** 2).sum()) / len(x)
    changes = np.zeros(len(length))
    changes[some] = longer
    return changes


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

    A feature's loadings and their errors are divided by the root of the loadings' length. Edges are sorted by
    ``response``, the feature at their one end; ``causes`` are loadings of their other end, of which the share ``told``
    is more than noise. ``weight`` is negative where one should fall as the other rises. The prior is normal on either
    side of 0, narrower on the one that the weight speaks against; the posterior has one mode.
    """
    effects = np.zeros(len(response))
    length = np.linalg.norm(causes, axis=1, keepdims=True)
    causes = causes / np.maximum(length, 1e-12)
    start = np.searchsorted(response, np.unique(response))
    for first, last in pairwise([*start, len(response)]):
        feature, x = response[first], causes[first:last].T
        far = max(float(np.linalg.norm(values[feature])), 1e-12) ** 0.5
        noise = np.linalg.inv(information[feature]) / far**2 + UNEXPLAINED**2 * np.eye(len(x))
        weighed = np.linalg.solve(noise, x)
        these = slice(first, last)
        sd = EFFECT_SD * np.abs(weight[these]) ** BY_WEIGHT * told[these]
        found = most_probable(x.T @ weighed, weighed.T @ values[feature] / far, sd, np.sign(weight[these]))
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
