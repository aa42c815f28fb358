"""How features change over states of cells: the decoder's loadings, brought closer to the counts.

The decoder's log expectation of a feature is linear in the trunk's outputs; here in their principal directions, of
variance 1 over the cells. Where a modality's means are exponentials (RNA, ATAC counts), one Newton step of the Poisson
log-likelihood, summed over groups of similar cells and given the belief that the decoder is nearly right, adds what
training, which stops early and draws neighbours in the guidance graph together, has left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from multiome.data.dataset import CellDataset
from multiome.model.vae import MultiomeVAE
from multiome.predict.cell_states import CellStates

LEAST_VARIANCE, MAX_DIRECTIONS = 1e-5, 40
"""Directions are kept down to this share of the first one's variance, and at most so many."""
TRUST = 1000.0
"""Precision of the belief that the decoder got a loading right; loadings are some tenths."""
FEATURES = 2_000
"""Features worked on at a time."""

Matrix = Float[np.ndarray, "feature direction"]
Information = Float[np.ndarray, "feature direction direction"]


def directions(states: CellStates) -> Float[np.ndarray, "hidden direction"]:
    """What the trunk's outputs, less their mean, are multiplied with: columns of the product have variance 1."""
    share = states.size / states.size.sum()
    centred = states.hidden - share @ states.hidden
    variance, vectors = np.linalg.eigh((centred * share[:, None]).T @ centred)
    kept = np.flatnonzero(variance >= LEAST_VARIANCE * variance[-1])[::-1][:MAX_DIRECTIONS]
    return vectors[:, kept] / np.sqrt(np.maximum(variance[kept], 1e-12))


def loadings(
    vae: MultiomeVAE, cells: CellDataset, states: CellStates, key: str
) -> Iterator[tuple[slice, Matrix, Information]]:
    """Some features at a time: their loadings on the `directions`, and the precision of these.

    After a Newton step that is the Poisson log-likelihood's curvature, before the step, plus `TRUST`; elsewhere, as if
    every cell with the modality told one unit in each direction.
    """
    channel = vae.channel(key)
    embedding = channel.head.embedding.detach().mean(0).double().cpu().numpy()
    along = directions(states)
    share = states.size / states.size.sum()
    basis = (states.hidden - share @ states.hidden) @ along
    told = embedding @ np.linalg.pinv(along).T
    n_directions = basis.shape[1]
    counts, _ = states.sums(cells, key)
    exposure = states.exposures(cells, key)
    products = (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), -1)
    for start in range(0, len(embedding), FEATURES):
        some = slice(start, min(start + FEATURES, len(embedding)))
        if not channel.likelihood.scales_means:
            n_cells = float((cells.rows[key][states.rows] >= 0).sum())
            yield (
                some,
                told[some],
                np.broadcast_to(n_cells * np.eye(n_directions), (some.stop - start, *(n_directions,) * 2)),
            )
            continue
        counted = counts[:, some].toarray()
        expected = (exposure if exposure.shape[1] == 1 else exposure[:, some]) * np.exp(
            states.own_hidden @ embedding[some].T
        )
        expected *= counted.sum(0) / np.maximum(expected.sum(0), 1e-12)
        information = (expected.T @ products).reshape(-1, n_directions, n_directions) + TRUST * np.eye(n_directions)
        step = np.linalg.solve(information, ((counted - expected).T @ basis)[:, :, None])[:, :, 0]
        yield some, told[some] + step, information
