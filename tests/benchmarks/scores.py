"""What each task is scored by: thin functions over `multiome.metrics`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import scipy.sparse as sp

from multiome.metrics import (
    accessibility,
    bootstrap,
    clr,
    clusters,
    correlation,
    foscttm,
    knn_label_accuracy,
    label_transfer,
    log_cp10k,
    neighbour_mixing,
)

Scores = dict[str, float]
Spans = dict[str, list[float]]
"""The ends of each score's interval."""
UNRESOLVED = "Mis"
"""SNARE-seq's label of cells without a resolved type; left out wherever labels are scored."""


def unit(z: np.ndarray) -> np.ndarray:
    """Rows of length 1: the space in which the contrastive loss compares cells."""
    return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)


def alignment(
    *, reference: np.ndarray, labels: np.ndarray, rna: np.ndarray, atac: np.ndarray, truth: np.ndarray
) -> Scores:
    """Test cells from RNA alone beside the same cells from ATAC alone, L2-normalised and raw.

    ``reference`` and ``labels``: the training cells from RNA alone, which lend their labels.
    """
    found: Scores = {}
    for suffix, form in (("", unit), ("_raw", np.asarray)):
        lender, a, b = form(reference), form(rna), form(atac)
        across = label_transfer(lender, labels, b, truth, drop=UNRESOLVED)
        within = label_transfer(lender, labels, a, truth, drop=UNRESOLVED)
        found[f"foscttm{suffix}"] = foscttm(a, b)
        for name, value in across.items():
            found[f"{name}{suffix}"] = value
        for name, value in within.items():
            found[f"{name.replace('transfer', 'transfer_rna')}{suffix}"] = value
    return found


def recovered_types(z: np.ndarray, labels: np.ndarray) -> Scores:
    """ARI and NMI of clusters of the resolved cells."""
    resolved = labels != UNRESOLVED
    return clusters(z[resolved], labels[resolved])


def chromatin(predicted: np.ndarray, counts: sp.csr_matrix) -> Scores:
    """RNA -> ATAC."""
    return {f"atac_{name}": value for name, value in accessibility(predicted, counts).items()}


def expression(predicted: np.ndarray, counts: sp.csr_matrix) -> Scores:
    """ATAC -> RNA, prediction on the log CP10k scale."""
    return {f"rna_{name}": value for name, value in correlation(predicted, log_cp10k(counts).toarray()).items()}


def proteins(predicted: np.ndarray, counts: sp.csr_matrix) -> Scores:
    """RNA -> protein, prediction on the CLR scale."""
    return correlation(predicted, clr(counts))


def spans(score: Callable[[np.ndarray], Scores], n_cells: int, *, n: int = 200) -> Spans:
    """95 % bootstrap intervals over cells of several scores, all of the same cells drawn again."""
    drawn: dict[bytes, Scores] = {}

    def one(name: str, rows: np.ndarray) -> float:
        if (key := rows.tobytes()) not in drawn:
            drawn[key] = score(rows)
        return drawn[key][name]

    names = list(score(np.arange(n_cells)))
    return {name: list(bootstrap(lambda rows, name=name: one(name, rows), n_cells, n=n)) for name in names}


def beside_each_other(
    score: Callable[[np.ndarray, np.ndarray], Scores],
    mine: np.ndarray,
    rivals: Mapping[str, np.ndarray],
    *,
    n: int = 200,
) -> dict[str, Spans]:
    """Intervals of the model's scores, of other methods', and of the differences.

    ``score`` is called with a prediction (cells x features) and the rows to be scored.
    """
    found = {"multiome": spans(lambda rows: score(mine, rows), len(mine), n=n)}
    for method, theirs in rivals.items():
        found[method] = spans(lambda rows, theirs=theirs: score(theirs, rows), len(mine), n=n)
        found[f"multiome - {method}"] = spans(
            lambda rows, theirs=theirs: less(score(mine, rows), score(theirs, rows)), len(mine), n=n
        )
    return found


def less(a: Scores, b: Scores) -> Scores:
    """The differences."""
    return {name: value - b[name] for name, value in a.items()}


def integration(z: np.ndarray, donor: np.ndarray, labels: np.ndarray) -> Scores:
    """Whether donors mix (30 neighbours) and types stay apart (15 neighbours, leave one out)."""
    return {"mixing": neighbour_mixing(z, donor, k=30)} | knn_label_accuracy(z, labels, k=15)


def culture(z: np.ndarray, labels: np.ndarray, prefix: str) -> Scores:
    """Balanced leave-one-out accuracy of few neighbours: only 13 of the 77 cells are of the smaller class."""
    return {f"{prefix}_k{k}": knn_label_accuracy(z, labels, k=k)["label_accuracy_balanced"] for k in (1, 7)}
