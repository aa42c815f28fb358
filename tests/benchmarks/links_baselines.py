"""Simple methods for links: distance, counts of both ends, and the correlation of counts pooled over similar cells.

Pools are made without a model: each cell and its nearest neighbours of the same experimental batch, in principal
components of RNA and LSI of ATAC side by side, each with the same variance. Counts are summed over a pool, to log
CP10k, less the mean of the batch.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from multiome.metrics import log_cp10k
from tests.benchmarks import links_scores
from tests.benchmarks.baselines import project, tfidf
from tests.benchmarks.links_tasks import LinkTask
from tests.benchmarks.scores import Scores

POOL, LARGEST = 50, 0.1
"""Cells of a pool, and the share of the batch that they are at most."""


def real(task: LinkTask) -> dict[str, Scores]:
    """Scores of every simple method, by method; that of all pairs says how many are known at all."""
    found = {method: links_scores.real(score, task.pairs) for method, score in strengths(task).items()}
    every = {f"{table}_precision": float(task.pairs[table].mean()) for table in links_scores.TABLES}
    return found | {"all pairs": every}


def strengths(task: LinkTask) -> dict[str, np.ndarray]:
    """How strong each pair is, by method."""
    members = pools(joint_space(task), task.batch)
    values = {mod: centred(pooled(a.X, members), task.batch) for mod, a in task.mods.items()}
    r = np.abs(correlations(values, task))
    near = -task.pairs["distance"].to_numpy()
    weight = task.pairs["weight"].to_numpy()
    return {
        "distance": near,
        "counts of peak and gene": task.pairs["counts"].to_numpy(),
        "abs r of pooled cells": r,
        "abs r of pooled cells x weight": r * weight,
    }


def ends(task: LinkTask) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the peak and of the gene of every pair."""
    peak, gene = (
        task.mods[mod].var_names.get_indexer(task.pairs[end]) for mod, end in (("atac", "peak"), ("rna", "gene"))
    )
    return peak, gene


def joint_space(task: LinkTask, n: int = 30) -> np.ndarray:
    """Components of both modalities; of ATAC without the first, which is depth."""
    rna, atac = (task.mods[mod].X for mod in ("rna", "atac"))
    every = np.ones(rna.shape[0], dtype=bool)
    parts = project(log_cp10k(rna), every, n), project(tfidf(atac, every), every, n + 1)[:, 1:]
    return np.hstack([part / np.sqrt(part.var(0).sum()) for part in parts])


def pools(space: np.ndarray, batch: np.ndarray) -> sp.csr_array:
    """Which cells are in the pool around each (cells x cells): itself, and the nearest of its batch."""
    rows, columns = [], []
    for name in np.unique(batch):
        inside = np.flatnonzero(batch == name)
        k = max(1, min(POOL, round(LARGEST * len(inside))))
        near = NearestNeighbors(n_neighbors=k).fit(space[inside]).kneighbors(space[inside], return_distance=False)
        rows.append(np.repeat(inside, k))
        columns.append(inside[near.ravel()])
    place = np.concatenate(rows), np.concatenate(columns)
    return sp.csr_array((np.ones(len(place[0]), np.float32), place), shape=(len(space), len(space)))


def pooled(counts: sp.csr_matrix, members: sp.csr_array) -> np.ndarray:
    """Log CP10k of the counts of all cells of a pool (pools x features)."""
    summed = (members @ sp.csr_array(counts)).toarray()
    return np.log1p(1e4 * summed / np.maximum(summed.sum(1, keepdims=True), 1))


def centred(values: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Values less the mean of the batch."""
    return values - pd.DataFrame(values).groupby(batch).transform("mean").to_numpy()


def correlations(values: dict[str, np.ndarray], task: LinkTask, *, block: int = 1_000) -> np.ndarray:
    """Pearson's r of the two ends of every pair; 0 where one does not vary."""
    unit = {mod: v / np.maximum(np.linalg.norm(v, axis=0), 1e-8) for mod, v in values.items()}
    peak, gene = ends(task)
    some = (slice(start, start + block) for start in range(0, len(peak), block))
    return np.concatenate([(unit["atac"][:, peak[s]] * unit["rna"][:, gene[s]]).sum(0) for s in some])
