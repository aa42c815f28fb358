"""Simple methods for modalities without a common cell: both as values of genes, which the guidance graph names.

RNA: log CP10k. ATAC: gene activity, log CP10k of the weighted sum of fragments over the peaks that the graph joins to
a gene. Protein: CLR, the mean over a gene's proteins. Methylation: less the methylated fraction of a gene's sites. Each
gene is standardised within its modality, then each cell. No pairing is looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, svds
from sklearn.decomposition import PCA

from multiome import GuidanceGraph
from multiome.metrics import clr, log_cp10k
from tests.benchmarks import graph_scores, scores
from tests.benchmarks.baselines import canonical, project, tfidf
from tests.benchmarks.graph_tasks import Partial, Unpaired
from tests.benchmarks.scores import Scores, unit

Spaces = tuple[np.ndarray, np.ndarray]
"""How two modalities' genes are projected (genes x dimensions, each)."""


def unpaired(task: Unpaired) -> dict[str, Scores]:
    """Scores of every simple method, by method."""
    mods = {mod: gene_values(a, mod, task.graph) for mod, a in task.mods.items()}
    found = {m: graph_scores.unpaired(task, *z) for m, z in embedded(*mods.values()).items()}
    if task.order is None:  # the source of the data counted fragments in whole genes, of which few peaks were kept
        cells = task.mods["atac"]
        counted = sp.csr_matrix(cells.obsm["gene_activity"])
        genes = np.asarray(cells.uns["gene_activity_genes"]).astype(str)
        values = pd.DataFrame(log_cp10k(counted).toarray(), columns=genes)
        for method, z in embedded(mods["rna"], values).items():
            found[f"{method}, fragments of the source"] = graph_scores.unpaired(task, *z)
    return found


def partly_paired(task: Partial) -> dict[str, Scores]:
    """The same, fitted on the training cells without a look at pairing; and canonical correlation of the pairs."""
    whole, test = task.task, task.task.test
    labels, truth = whole.labels("cell_type", "train"), whole.labels("cell_type", "test")
    label_of = dict(zip(np.flatnonzero(whole.train), labels, strict=True))
    lenders = task.measured("rna")
    lent = np.array([label_of[row] for row in lenders])

    def scored(rna: np.ndarray, atac: np.ndarray) -> Scores:
        return scores.alignment(reference=rna[lenders], labels=lent, rna=rna[test], atac=atac[test], truth=truth)

    values = [gene_values(whole.mods[mod], mod, task.graph) for mod in ("rna", "atac")]
    fitted = [rows(whole.mods["rna"].n_obs, task.measured(mod)) for mod in ("rna", "atac")]
    found = {method: scored(*z) for method, z in embedded(*values, *fitted).items()}
    if len(task.rows["paired"]):
        rna = project(log_cp10k(whole.mods["rna"].X), fitted[0], 30)
        atac = project(tfidf(whole.mods["atac"].X, fitted[1]), fitted[1], 31)[:, 1:]  # the first is depth
        found["cca of paired cells"] = scored(*canonical(rna, atac, rows(len(rna), task.rows["paired"])))
    return found


def embedded(
    a: pd.DataFrame, b: pd.DataFrame, fit_a: np.ndarray | slice = slice(None), fit_b: np.ndarray | slice = slice(None)
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Both modalities (cells x genes) in one space, by method; fitted on some of the cells."""
    genes = a.columns.intersection(b.columns)
    x, y = standardised(a[genes].to_numpy(), fit_a), standardised(b[genes].to_numpy(), fit_b)
    spaces: dict[str, Callable[[np.ndarray, np.ndarray], Spaces]] = {"pca of genes": pca, "cca of genes": cca}
    found = {}
    for method, space in spaces.items():
        to_a, to_b = space(x[fit_a], y[fit_b])
        found[method] = unit(x @ to_a), unit(y @ to_b)
    return found


def pca(x: np.ndarray, y: np.ndarray, n: int = 30) -> Spaces:
    """Principal components of the first, of both; all of the space where there are few genes."""
    del y
    to = PCA(min(n, *x.shape), random_state=0).fit(x).components_.T
    return to, to


def cca(x: np.ndarray, y: np.ndarray, n: int = 20) -> Spaces:
    """Singular vectors of the cells' similarities across modalities, each weighed by its singular value.

    Butler et al., Nature Biotechnology 36, 411 (2018), with as many vectors as there.
    """
    across = LinearOperator(
        (len(x), len(y)), matvec=lambda v: x @ (y.T @ v), rmatvec=lambda v: y @ (x.T @ v), dtype=x.dtype
    )
    u, _, v = svds(across, k=min(n, x.shape[1] - 1, len(x) - 1, len(y) - 1), random_state=0)
    return y.T @ v.T, x.T @ u


def gene_values(a: ad.AnnData, mod: str, graph: GuidanceGraph) -> pd.DataFrame:
    """One modality as cells x the genes that the graph joins it to."""
    if mod == "rna":
        return pd.DataFrame(log_cp10k(a.X).toarray(), columns=a.var_names)
    near, genes = weights(a.var_names, mod, graph)
    match mod:
        case "atac":
            values = log_cp10k(sp.csr_array(a.X) @ near).toarray()
        case "prot":
            values = np.asarray(clr(a.X) @ near) / np.asarray(near.sum(0))
        case "met":
            calls, covered = (np.asarray((sp.csr_array(x) @ near).todense()) for x in (a.X, a.layers["coverage"]))
            fraction = np.divide(calls, covered, out=np.full(calls.shape, np.nan), where=covered > 0)
            values = -np.where(covered > 0, fraction, np.nanmean(fraction, axis=0))
        case _:
            raise ValueError(f"No values of genes are known for {mod!r}.")
    return pd.DataFrame(values, columns=genes)


def weights(features: pd.Index, mod: str, graph: GuidanceGraph) -> tuple[sp.csr_array, pd.Index]:
    """Weights of the edges between a modality's features and genes (features x genes), and the genes that have any."""
    table = graph.table()
    table = table[(table["source_modality"] == "rna") & (table["target_modality"] == mod)]
    genes = pd.Index(table["source"].unique())
    place = features.get_indexer(table["target"]), genes.get_indexer(table["source"])
    return sp.csr_array((table["weight"].to_numpy(), place), shape=(len(features), len(genes))), genes


def standardised(x: np.ndarray, fitted: np.ndarray | slice) -> np.ndarray:
    """Genes with mean 0 and standard deviation 1 over the fitted cells, then cells with the same over genes."""
    x = (x - x[fitted].mean(0)) / np.maximum(x[fitted].std(0), 1e-8)
    return (x - x.mean(1, keepdims=True)) / np.maximum(x.std(1, keepdims=True), 1e-8)


def rows(n: int, chosen: np.ndarray) -> np.ndarray:
    """A mask of chosen rows."""
    mask = np.zeros(n, dtype=bool)
    mask[chosen] = True
    return mask
