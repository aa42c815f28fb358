"""What modalities without a common cell are scored by: thin functions over `multiome.metrics`."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from multiome.metrics import clusters, foscttm, label_transfer, log_cp10k, neighbour_mixing, pearson
from tests.benchmarks.graph_tasks import Unpaired
from tests.benchmarks.scores import UNRESOLVED, Scores

K = 15
"""Neighbours that vote."""
CONFIDENT = 0.9
"""The share of them that must agree."""
AROUND, IN_COMPANY = 30, 0.25
"""Cells of both modalities around a cell, and the share of lenders among them, over that in a perfect mix."""


def unpaired(task: Unpaired, lender: np.ndarray, other: np.ndarray) -> Scores:
    """Two modalities of the same cells, embedded as different ones; clusters of both together, of all labels."""
    one, two = task.mods
    together = np.vstack([lender, other])
    found = {"mixing": neighbour_mixing(together, np.repeat([one, two], [len(lender), len(other)]))}
    if task.order is None:
        return found | {"activity_r": activity_r(task, lender, other)}
    labels, truth = task.labels(one), task.labels(two)
    found |= {"foscttm": foscttm(lender, other[task.order])}
    found |= label_transfer(lender, labels, other, truth, k=K, drop=UNRESOLVED)
    return found | clusters(together, np.concatenate([labels, truth]))


def activity_r(task: Unpaired, rna: np.ndarray, atac: np.ndarray) -> float:
    """Whether expression agrees with gene activity near every cell, where there is no truth.

    Around each cell of either modality: mean log CP10k of the 15 nearest cells with RNA, and mean log CP10k of the gene
    activity (fragments per gene, as the source of the data counted them) of the 15 nearest cells with ATAC. Pearson's r
    over all cells, per gene, then the mean over genes. Neither a label nor a pairing is needed; 0 is chance.
    """
    genes, cells = task.mods["rna"], task.mods["atac"]
    activity = sp.csr_matrix(cells.obsm["gene_activity"])
    names = np.asarray(cells.uns["gene_activity_genes"]).astype(str)
    common = [gene for gene in genes.var_names if gene in set(names)]
    values = log_cp10k(genes.X).toarray()[:, genes.var_names.get_indexer(common)]
    beside = log_cp10k(activity).toarray()[:, [int(np.flatnonzero(names == gene)[0]) for gene in common]]
    every = np.vstack([rna, atac])
    near = [NearestNeighbors(n_neighbors=K).fit(z).kneighbors(every, return_distance=False) for z in (rna, atac)]
    return float(np.nanmean(pearson(values[near[0]].mean(1), beside[near[1]].mean(1))))


def confidence(lender: np.ndarray, labels: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of which cells at least 90 % of the 15 nearest lenders have one label, however far away these are."""
    near = NearestNeighbors(n_neighbors=K).fit(lender).kneighbors(other, return_distance=False)
    return np.array([np.unique(row, return_counts=True)[1].max() for row in labels[near]]) >= CONFIDENT * K


def company(lender: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which cells lie among lenders: of their 30 nearest cells of both, at least a quarter as many as mixing has."""
    every = np.vstack([lender, other])
    near = NearestNeighbors(n_neighbors=AROUND + 1).fit(every).kneighbors(other, return_distance=False)
    itself = near == np.arange(len(lender), len(every))[:, None]
    lenders = ((near < len(lender)) & ~itself).sum(1) / (near.shape[1] - itself.sum(1))
    return lenders >= IN_COMPANY * len(lender) / len(every)
