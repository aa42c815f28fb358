"""How well the demo's model does, beside baselines and beside the best that the simulation's truth allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import scipy.sparse as sp

from multiome.api import Multiome
from multiome.datasets.simulate import Simulation
from multiome.datasets.truth import Truth
from multiome.metrics.baselines import BASELINES, baseline_knn, components
from multiome.metrics.calibration import pit_coverage
from multiome.metrics.chromatin import accessibility
from multiome.metrics.imputation import correlation, pearson
from multiome.metrics.mixing import neighbour_mixing
from multiome.metrics.pairing import foscttm
from multiome.metrics.transfer import knn_label_accuracy
from multiome.metrics.transforms import clr, log_cp10k

NAMES = {"rna": "RNA", "atac": "ATAC", "prot": "protein", "met": "methylation"}
SCALES = {"rna": "log_cp10k", "atac": "probability", "prot": "clr", "met": "fraction"}
TASKS = (("rna", "atac"), ("rna", "prot"), ("rna", "met"), ("atac", "rna"))
METHODS = ("mean", "knn", "pca", "one_assay", "all_assays", "best_possible")
BASELINE_METHODS = frozenset({"mean", "knn", "pca"})
N_SAMPLES = 40
"""Draws per cell; the randomised transforms are exact for any number of them."""


@dataclass(frozen=True)
class Score:
    """One number per method, on the same cells."""

    task: str
    score: str
    n_cells: int
    values: Mapping[str, float]
    """By method; ``best_possible`` knows the truth and does not compete."""
    better: Literal["larger", "smaller", "as best"] = "larger"

    @property
    def winners(self) -> set[str]:
        """The methods with the best value, those that equal it in three decimals among them."""
        sign = {"larger": 1, "smaller": -1, "as best": 0}[self.better]
        competing = {name: sign * round(value, 3) for name, value in self.values.items() if name != "best_possible"}
        return {name for name, value in competing.items() if sign and value == max(competing.values())}


def score_all(sim: Simulation, model: Multiome) -> list[Score]:
    """Every score of the demo."""
    return [
        *(s for source, target in TASKS for s in score_prediction(sim, model, source, target)),
        *(s for target in ("atac", "prot", "met") for s in score_pairing(sim, model, "rna", target)),
        *score_integration(sim, model),
    ]


def score_prediction(sim: Simulation, model: Multiome, source: str, target: str) -> list[Score]:
    """Predict the target in the cells from which it was withheld."""
    truth, scale = sim.truth, SCALES[target]
    cells = withheld(truth, source, target)
    observed = truth.counts[target][cells]
    with md.set_options(pull_on_update=False):
        query = sim.mdata[cells].copy()
    imputed = model.impute(query, target, scale=scale, n_samples=N_SAMPLES)
    predictions = {
        **{name: baseline(sim, name, source, target, cells) for name in ("mean", "knn")},
        "one_assay": model.translate(query[source], source=source, target=target, scale=scale)[cells].X,
        "all_assays": imputed.mean,
        "best_possible": truth.expected(target, cells, scale=scale).to_numpy(),
    }
    scored = {name: accuracy(target, np.asarray(values), observed) for name, values in predictions.items()}
    task = f"{NAMES[source]} to {NAMES[target]}"
    scores = [
        Score(task, item, len(cells), {name: found[item] for name, found in scored.items()}, better_of(item))
        for item in scored["all_assays"]
    ]
    coverage = {"all_assays": pit_coverage(imputed.pit(observed))["covered"], "best_possible": 0.9}
    return [*scores, Score(task, "inside 90 % interval", len(cells), coverage, "as best")]


def better_of(score: str) -> Literal["larger", "smaller"]:
    """Errors should be small."""
    return "smaller" if score == "RMSE" else "larger"


def accuracy(target: str, predicted: np.ndarray, observed: ad.AnnData) -> dict[str, float]:
    """The scores of one prediction."""
    if target == "atac":
        found = accessibility(predicted, observed.X)
        return {"AUROC per cell": found["cell_auroc"], "AUROC per peak, depth-free": found["peak_auroc_depth_free"]}
    if target == "met":
        return {"r per site": site_correlation(predicted, observed)}
    found = correlation(predicted, values_of(target, observed))
    item = {"rna": "gene", "prot": "protein"}[target]
    return {f"r per {item}": found["feature_r"], "r per cell": found["cell_r"], "RMSE": found["rmse"]}


def site_correlation(predicted: np.ndarray, observed: ad.AnnData) -> float:
    """Mean Pearson correlation per site over the cells in which it was covered, where both calls occur there."""
    calls, coverage = observed.X.toarray(), observed.layers["coverage"].toarray()
    found = [
        pearson(predicted[there, j, None], (calls[there, j] / coverage[there, j])[:, None])[0]
        for j, there in enumerate((coverage > 0).T)
        if there.sum() >= 10
    ]
    return float(np.nanmean(found))


def values_of(target: str, observed: ad.AnnData) -> np.ndarray:
    """Observed counts on the scale that is predicted."""
    if target == "atac":
        return (observed.X > 0).toarray().astype(np.float32)
    scaled = clr(observed.X) if target == "prot" else log_cp10k(observed.X)
    return scaled if isinstance(scaled, np.ndarray) else scaled.toarray()


def baseline(sim: Simulation, name: str, source: str, target: str, cells: pd.Index) -> np.ndarray:
    """A baseline that learns from the cells with both modalities."""
    predict, counts = BASELINES[name], sim.truth.counts
    both = paired(sim.truth, source, target)
    x, y, query = counts[source][both].X, counts[target][both], counts[source][cells].X
    if target != "met":
        return predict(x, values_of(target, y), query)
    # methylated calls over all calls of the neighbours; a site they do not cover gets its overall fraction
    share = y.X.sum(0) / np.maximum(y.layers["coverage"].sum(0), 1)
    methylated, covered = predict(x, y.X, query), predict(x, y.layers["coverage"], query)
    return np.where(covered > 0, methylated / np.maximum(covered, 1e-9), np.asarray(share).reshape(1, -1))


def score_pairing(sim: Simulation, model: Multiome, source: str, target: str) -> list[Score]:
    """Match cells with their own withheld measurement, which neither the model nor the baseline has seen."""
    truth = sim.truth
    cells, both = withheld(truth, source, target), paired(truth, source, target)
    z = [model.embed(truth.counts[m][cells], modality=m) for m in (source, target)]
    pcs = components(
        centred_calls(truth.counts[target][both]), centred_calls(truth.counts[target][cells]), counts=target != "met"
    )
    found = baseline_knn(truth.counts[source][both].X, pcs[0], truth.counts[source][cells].X)
    values = {"mean": 0.5, "knn": foscttm(found, pcs[1]), "one_assay": foscttm(*z)}
    return [Score(f"{NAMES[source]} and {NAMES[target]} of one cell", "FOSCTTM", len(cells), values, "smaller")]


def centred_calls(observed: ad.AnnData) -> np.ndarray | sp.csr_matrix:
    """Methylated calls beyond what the site's coverage makes expected; counts of other assays as they are."""
    if "coverage" not in observed.layers:
        return sp.csr_matrix(observed.X)
    calls, coverage = observed.X.toarray(), observed.layers["coverage"].toarray()
    return calls - coverage * (calls.sum(0) / np.maximum(coverage.sum(0), 1))


def score_integration(sim: Simulation, model: Multiome) -> list[Score]:
    """Same type and mixed batches among neighbours, in cells with RNA so that its PCA can be scored beside."""
    truth = sim.truth
    cells = truth.obs.index[truth.measured["rna"]]
    counts, obs, rows = truth.counts["rna"][cells], truth.obs.loc[cells], truth.obs.index.get_indexer(cells)
    spaces = {
        "pca": components(counts.X, counts.X)[0],
        "one_assay": model.embed(counts, modality="rna"),
        "all_assays": model.embed(sim.mdata)[rows],
        "best_possible": truth.z[rows],
    }
    label = {m: knn_label_accuracy(z, obs["cell_type"])["label_accuracy"] for m, z in spaces.items()}
    mixing = {m: neighbour_mixing(z, obs["batch"]) for m, z in spaces.items()}
    return [
        Score("latent space", "type of 15 neighbours", len(cells), label),
        Score("latent space", "mixing of batches", len(cells), mixing),
    ]


def withheld(truth: Truth, source: str, target: str) -> pd.Index:
    """Cells with the source and without the target."""
    return truth.obs.index[truth.measured[source] & ~truth.measured[target]]


def paired(truth: Truth, source: str, target: str) -> pd.Index:
    """Cells with both."""
    return truth.obs.index[truth.measured[source] & truth.measured[target]]


def as_frame(scores: Iterable[Score]) -> pd.DataFrame:
    """One row per score, one column per method."""
    rows = [{"task": s.task, "score": s.score, "n_cells": s.n_cells, "better": s.better, **s.values} for s in scores]
    return pd.DataFrame(rows, columns=["task", "score", "n_cells", "better", *METHODS])
