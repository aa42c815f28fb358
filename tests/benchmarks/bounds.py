"""What can be told of a cell's type from the values of one assay when labels of that assay's own cells are given.

By simple classifiers of the values; and by the other cells of the assay in the latent space of the model whose
transfers are scored: labels that come from another assay, through an alignment, can hardly tell more than they do.

``python -m tests.benchmarks.bounds`` prints it for the four simulated modalities, beside the recorded transfers.
"""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import NearestNeighbors

import multiome as mo
from multiome.metrics.validation import dense
from tests.benchmarks import records
from tests.benchmarks.graph_catalogue import MODALITIES, PAIRS
from tests.benchmarks.simulated_tasks import four_simulated, types

FOLDS = 5
PSEUDO_CALLS = 10
"""Calls per site that the average of all types counts in each type."""


def told(cells: ad.AnnData) -> float:
    """Accuracy of the better classifier that is given the types of four fifths of the cells."""
    truth, x = types(cells), dense(cells.X)
    if "coverage" in cells.layers:
        return float((binomial(x, dense(cells.layers["coverage"]), truth) == truth).mean())
    logged = np.log1p(x)
    clr = logged - logged.mean(1, keepdims=True)
    regression = cross_val_predict(LogisticRegression(max_iter=1000), clr, truth, cv=FOLDS)
    bayes = cross_val_predict(MultinomialNB(), x, truth, cv=FOLDS)
    return max(float((predicted == truth).mean()) for predicted in (regression, bayes))


def binomial(calls: np.ndarray, coverage: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Types by naive Bayes of methylated calls, each fifth of the cells from the others."""
    predicted = np.empty_like(truth)
    for train, test in StratifiedKFold(FOLDS).split(calls, truth):
        average = (calls[train].sum(0) + 1) / (coverage[train].sum(0) + 2)
        names, scores = np.unique(truth[train]), []
        for name in names:
            own = train[truth[train] == name]
            p = (calls[own].sum(0) + PSEUDO_CALLS * average) / (coverage[own].sum(0) + PSEUDO_CALLS)
            unmethylated = (coverage[test] - calls[test]) @ np.log1p(-p)
            scores.append(np.log(len(own)) + calls[test] @ np.log(p) + unmethylated)
        predicted[test] = names[np.argmax(scores, axis=0)]
    return predicted


def by_own_cells(z: np.ndarray, truth: np.ndarray, *, k: int = 15) -> float:
    """Accuracy of the most frequent label among the nearest other cells, as of another assay's in `label_transfer`."""
    near = NearestNeighbors(n_neighbors=k + 1).fit(z).kneighbors(z, return_distance=False)[:, 1:]
    names, code = np.unique(truth, return_inverse=True)
    votes = np.stack([(code[near] == i).sum(1) for i in range(len(names))], axis=1)
    return float((votes.argmax(1) == code).mean())


def main() -> None:
    warnings.filterwarnings("ignore")
    measured = [
        r for r in records.load(records.MEASURED) if r["task"] == "four_simulated" and r["method"] == records.OURS
    ]
    for seed, scores in sorted((r["seed"], r["scores"]) for r in measured):
        task = four_simulated("four_simulated", seed=seed)
        accuracy = {mod: told(task.separate[mod]) for mod in MODALITIES}
        reached = min(scores[f"transfer_{a}_{b}"] / scores[f"paired_{a}_{b}"] for a, b in PAIRS)
        train = mo.TrainConfig(progress_bar=False)
        model = mo.fit(task.separate, graph=task.graph, batch_key="batch", seed=seed, train=train)
        own = {m: by_own_cells(model.embed(task.separate[m].copy(), modality=m), task.labels(m)) for m in MODALITIES}
        print(f"seed {seed}: worst pair's share {reached:.3f}")
        for what, found in (("classifiers of the values", accuracy), ("own cells in the latent space", own)):
            bound = min(found[b] / scores[f"paired_{a}_{b}"] for a, b in PAIRS)
            listed = ", ".join(f"{mod} {value:.3f}" for mod, value in found.items())
            print(f"  by {what}: {listed}; worst pair's share {bound:.3f}")


if __name__ == "__main__":
    main()
