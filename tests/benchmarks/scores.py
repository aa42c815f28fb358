"""What each task is scored by: thin functions over `multiome.metrics`."""

from __future__ import annotations

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


def protein_intervals(
    predicted: np.ndarray, counts: sp.csr_matrix, *, beside: np.ndarray | None = None
) -> dict[str, list[float]]:
    """95 % bootstrap intervals over cells: of the scores, or of their paired difference to another prediction's."""
    truth = clr(counts)

    def one(name: str, rows: np.ndarray) -> float:
        score = correlation(predicted[rows], truth[rows])[name]
        return score if beside is None else score - correlation(beside[rows], truth[rows])[name]

    return {
        name: list(bootstrap(lambda rows, name=name: one(name, rows), len(truth)))
        for name in ("feature_r", "cell_r", "rmse")
    }


def integration(z: np.ndarray, donor: np.ndarray, labels: np.ndarray) -> Scores:
    """Whether donors mix (30 neighbours) and types stay apart (15 neighbours, leave one out)."""
    return {"mixing": neighbour_mixing(z, donor, k=30)} | knn_label_accuracy(z, labels, k=15)


def culture(z: np.ndarray, labels: np.ndarray, prefix: str) -> Scores:
    """Balanced leave-one-out accuracy of few neighbours: only 13 of the 77 cells are of the smaller class."""
    return {f"{prefix}_k{k}": knn_label_accuracy(z, labels, k=k)["label_accuracy_balanced"] for k in (1, 7)}
