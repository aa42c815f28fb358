"""Simple methods on every task. They see what the model sees: the training cells, and the source of the test cells."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPRegressor

from multiome.metrics import baseline_knn, baseline_mean, baseline_ridge, clr, components, log_cp10k
from tests.benchmarks import scores
from tests.benchmarks.scores import Scores
from tests.benchmarks.tasks import Task


def baselines(task: Task) -> dict[str, Scores]:
    """Scores of every simple method, by method."""
    match task.name:
        case "snare_paired":
            found: dict[str, Scores] = {}
            for method, part in paired(task):
                found[method] = found.get(method, {}) | part
            return found
        case "reap_protein" | "bmmc_cite":
            counts = task.part("prot", "test").X
            return {method: scores.proteins(p, counts) for method, p in protein_predictions(task).items()}
        case "scmt":
            met = task.mods["met"]
            level = np.asarray(met.X.sum(1)) / np.asarray(met.layers["coverage"].sum(1))
            label = task.labels("culture", "test")
            return {"mean methylation": scores.culture(level, label, "joint") | scores.culture(level, label, "met")}
        case _:
            donor, label = task.labels("batch", "test"), task.labels("cell_type", "test")
            spaces = principal_components(task)
            spaces |= {f"{method}, harmony": harmony(z, donor) for method, z in spaces.items()}
            return {method: scores.integration(z, donor, label) for method, z in spaces.items()}


def protein_predictions(task: Task, *, n_nets: int = 5) -> dict[str, np.ndarray]:
    """CLR proteins of the test cells by method; without nets where ``n_nets`` is 0."""
    seen = task.part("rna", "train").X, clr(task.part("prot", "train").X), task.part("rna", "test").X
    found = {"mean": baseline_mean(*seen), "knn30": baseline_knn(*seen), "ridge": baseline_ridge(*seen)}
    if n_nets:
        a, b = components(seen[0], seen[2])
        nets = [mlp(a, seen[1], b, seed=seed) for seed in range(n_nets)]
        found |= {"mlp": nets[0], f"mlp x {n_nets}": np.mean(nets, axis=0)}
    return found


def mlp(a: np.ndarray, y: np.ndarray, b: np.ndarray, *, seed: int) -> np.ndarray:
    """One small network on scaled components."""
    net = MLPRegressor(hidden_layer_sizes=(128, 64), alpha=1.0, early_stopping=True, random_state=seed, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 100 rounds are the recipe
        return net.fit(a / a.std(0), y).predict(b / a.std(0))


Predictions = dict[str, Callable[[], np.ndarray]]
"""Of the test cells by method, each made when it is asked for: a dense matrix per method is much."""


def paired(task: Task) -> Iterator[tuple[str, Scores]]:
    """RNA -> ATAC, ATAC -> RNA, and alignment, one method after the other."""
    spaces, test = lsi_and_pca(task), task.test
    for method, predict in chromatin_predictions(task, spaces).items():
        found = scores.chromatin(predict(), task.part("atac", "test").X)
        yield method, found | {"atac_peak_auroc_rates": found["atac_peak_auroc_depth_free"]}
    for method, predict in expression_predictions(task, spaces).items():
        yield method, scores.expression(predict(), task.part("rna", "test").X)
    labels, truth = task.labels("cell_type", "train"), task.labels("cell_type", "test")
    yield "pca rna", scores.recovered_types(spaces["rna"][test], truth)
    a, b = canonical(spaces["rna"], spaces["atac"], task.train)
    yield (
        "cca",
        scores.alignment(reference=a[task.train], labels=labels, rna=a[test], atac=b[test], truth=truth)
        | scores.recovered_types((a + b)[test], truth),
    )


def lsi_and_pca(task: Task) -> dict[str, np.ndarray]:
    """30 components of either modality, fitted on the training cells, of all cells."""
    atac = project(tfidf(task.mods["atac"].X, task.train), task.train, 31)[:, 1:]  # the first is depth
    return {"rna": project(log_cp10k(task.mods["rna"].X), task.train, 30), "atac": atac}


def depth_of(task: Task, mod: str) -> np.ndarray:
    """Counts of each cell, as a column."""
    return np.maximum(np.asarray(task.mods[mod].X.sum(1)), 1)


def chromatin_predictions(task: Task, spaces: dict[str, np.ndarray]) -> Predictions:
    """RNA -> ATAC."""
    train, counts = task.train, task.mods["atac"].X
    share, deep = rows_scaled(counts, 1 / depth_of(task, "atac")), depth_of(task, "rna")[task.test]
    mean = np.asarray(share[train].mean(0)).ravel()

    def near(k: int) -> np.ndarray:
        return nearest_mean(spaces["rna"], share, task, k)

    def by_ridge(y: sp.csr_array, *, with_depth: bool) -> np.ndarray:
        x = with_log_depth(task, "rna", spaces["rna"])[:, : None if with_depth else -1]
        return ridge(x[train], sp.csr_array(y[train]), x[task.test])

    return {
        "mean": lambda: np.tile(mean, (int(task.test.sum()), 1)),
        "mean x depth": lambda: mean * deep,
        "knn50": lambda: near(50),
        "knn500 + mean": lambda: near(500) + mean,
        "(knn200 + mean) x depth": lambda: (near(200) + mean) * deep,
        "ridge": lambda: by_ridge(counts, with_depth=True),
        "ridge, depth-free": lambda: by_ridge(share, with_depth=False),
    }


def expression_predictions(task: Task, spaces: dict[str, np.ndarray]) -> Predictions:
    """ATAC -> RNA, log CP10k."""
    train, rna = task.train, log_cp10k(task.mods["rna"].X)

    def by_ridge() -> np.ndarray:
        x = with_log_depth(task, "atac", spaces["atac"])
        return ridge(x[train], sp.csr_array(rna[train]), x[task.test])

    return {
        "mean": lambda: np.tile(np.asarray(rna[train].mean(0)), (int(task.test.sum()), 1)),
        "knn50": lambda: nearest_mean(spaces["atac"], rna, task, 50),
        "ridge": by_ridge,
    }


def with_log_depth(task: Task, mod: str, space: np.ndarray) -> np.ndarray:
    """Components and the logarithm of depth, standardised."""
    return standardised(np.column_stack([space, np.log(depth_of(task, mod))]), task.train)


def nearest_mean(space: np.ndarray, values: sp.csr_array, task: Task, k: int) -> np.ndarray:
    """Mean values of the training cells nearest to each test cell."""
    found = NearestNeighbors(n_neighbors=k).fit(space[task.train]).kneighbors(space[task.test], return_distance=False)
    shape = (len(found), int(task.train.sum()))
    pick = sp.csr_array((np.full(found.size, 1 / k), found.ravel(), np.arange(0, found.size + 1, k)), shape=shape)
    return (pick @ sp.csr_array(values[task.train])).toarray()


def principal_components(task: Task) -> dict[str, np.ndarray]:
    """50 components of log CP10k RNA, and 50 of RNA's and the other modality's components side by side."""
    rna = PCA(50, random_state=0).fit_transform(log_cp10k(task.mods["rna"].X).toarray())
    if "prot" in task.mods:
        other = PCA(50, random_state=0).fit_transform(clr(task.mods["prot"].X))
    else:
        other = project(tfidf(task.mods["atac"].X, task.train), task.train, 51)[:, 1:]  # the first is depth
    both = np.hstack([z / np.sqrt(z.var(0).sum()) for z in (rna, other)])  # either modality has the same variance
    return {"pca rna": rna, "pca both": PCA(50, random_state=0).fit_transform(both)}


def harmony(z: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """The same components with the experimental batches corrected (Korsunsky et al. 2019)."""
    import harmonypy  # of the extra `bench`

    found = harmonypy.run_harmony(z.astype(float), pd.DataFrame({"batch": batch}), "batch", verbose=False)
    return np.asarray(found.Z_corr)


def ridge(x: np.ndarray, y: sp.csr_array, new: np.ndarray, penalty: float = 100.0) -> np.ndarray:
    """Ridge regression with an intercept; the targets stay sparse."""
    centre = x.mean(0)
    a = x - centre
    weights = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), (y.T @ a).T)
    return (new - centre) @ weights + np.asarray(y.mean(0)).ravel()


def canonical(x: np.ndarray, y: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Canonical variates of two spaces, each weighed by its correlation; fitted on the training cells."""

    def whitened(z: np.ndarray) -> np.ndarray:
        z = z - z[train].mean(0)
        return z @ np.linalg.inv(np.linalg.cholesky(np.cov(z[train].T))).T

    a, b = whitened(x), whitened(y)
    left, r, right = np.linalg.svd(a[train].T @ b[train] / train.sum())
    return a @ left * r, b @ right.T * r


def project(x: sp.csr_array, train: np.ndarray, n: int) -> np.ndarray:
    """Truncated SVD fitted on the training cells, of all cells."""
    n = min(n, x.shape[1] - 1, int(train.sum()) - 1)
    return TruncatedSVD(n, random_state=0).fit(x[train]).transform(x)


def tfidf(counts: sp.csr_array, train: np.ndarray) -> sp.csr_array:
    """Log of a cell's share of each peak, rare peaks weighing more."""
    seen_in = np.asarray((counts[train] > 0).sum(0)).ravel()
    x = rows_scaled(counts, 1 / np.maximum(np.asarray(counts.sum(1)), 1))
    x = sp.csr_array(x @ sp.diags_array(np.log1p(train.sum() / (1 + seen_in))))
    x.data = np.log1p(x.data * 1e4)
    return x


def rows_scaled(x: sp.csr_array, factor: np.ndarray) -> sp.csr_array:
    """Each row times its factor."""
    return sp.csr_array(sp.diags_array(factor.ravel()) @ x)


def standardised(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 over the training cells."""
    return (x - x[train].mean(0)) / x[train].std(0)
