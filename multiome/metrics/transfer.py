"""Whether neighbours carry the right label: transfer between embeddings, and leave-one-out within one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from multiome.metrics.validation import Dense, as_embedding, as_labels, check_k


def label_transfer(
    reference: npt.ArrayLike,
    labels: npt.ArrayLike,
    query: npt.ArrayLike,
    truth: npt.ArrayLike,
    *,
    k: int = 15,
    drop: str | None = None,
) -> dict[str, float]:
    """Accuracy of the labels that query cells take from their nearest reference cells.

    Each query cell takes the most frequent label of its ``k`` nearest reference cells (Euclidean); of equally frequent
    labels, the first in sorted order.

    Parameters
    ----------
    reference, labels
        Embedding that lends its labels, cells x dimensions, and one label per cell.
    query, truth
        Embedding that receives labels, cells x the same dimensions, and the true label per cell.
    k
        Reference cells that vote.
    drop
        Cells with this label (unresolved, say) are left out on both sides.

    Returns
    -------
    ``transfer``, the share of correct query cells, and ``transfer_balanced``, the mean of that share over the labels
    found in ``truth``; both from 0 to 1. With one label for all, chance of the latter is 1 / number of labels.
    """
    x, y = as_embedding("reference", reference), as_embedding("query", query)
    given, true = as_labels("labels", labels, len(x)), as_labels("truth", truth, len(y))
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"`reference` and `query` must have the same dimensions, got {x.shape[1]} and {y.shape[1]}.")
    if drop is not None:
        x, given = x[given != drop], given[given != drop]
        y, true = y[true != drop], true[true != drop]
        if len(y) == 0:
            raise ValueError(f"No query cell is left: all of `truth` is {drop!r}, the label to drop.")
    check_k(k, len(x), "reference cells")
    near = NearestNeighbors(n_neighbors=k).fit(x).kneighbors(y, return_distance=False)
    accuracy, balanced = _accuracies(_vote(given, near), true)
    return {"transfer": accuracy, "transfer_balanced": balanced}


def knn_label_accuracy(z: npt.ArrayLike, labels: npt.ArrayLike, *, k: int = 15) -> dict[str, float]:
    """Accuracy of the labels that cells take from their nearest neighbours, each cell left out of its own vote.

    Parameters
    ----------
    z
        Embedding, cells x dimensions.
    labels
        One label per cell.
    k
        Neighbours that vote; fewer than the number of cells.

    Returns
    -------
    ``label_accuracy``, the share of correct cells, and ``label_accuracy_balanced``, its mean over labels; both from
    0 to 1.
    """
    x = as_embedding("z", z)
    true = as_labels("labels", labels, len(x))
    check_k(k, len(x) - 1)
    near = NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)
    accuracy, balanced = _accuracies(_vote(true, near), true)
    return {"label_accuracy": accuracy, "label_accuracy_balanced": balanced}


def _vote(labels: Dense, near: npt.NDArray[np.int64]) -> Dense:
    """Find the most frequent label among each cell's neighbours, the first in sorted order if several are."""
    names, codes = np.unique(labels, return_inverse=True)
    votes = np.stack([(codes[near] == code).sum(1) for code in range(len(names))], axis=1)
    return names[votes.argmax(1)]


def _accuracies(found: Dense, truth: Dense) -> tuple[float, float]:
    correct = found == truth
    return float(correct.mean()), float(np.mean([correct[truth == label].mean() for label in np.unique(truth)]))
