"""A model fitted on the training cells of a task, and its scores; bootstrap intervals where the task asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import multiome as mo
from multiome.metrics import clr, correlation
from tests.benchmarks import scores
from tests.benchmarks.baselines import (
    chromatin_predictions,
    expression_predictions,
    lsi_and_pca,
    protein_predictions,
)
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.tasks import Task

Fit = Callable[..., mo.Multiome]
Found = tuple[scores.Scores, dict[str, Any]]
"""Scores, and what else belongs into the record; under ``intervals`` what makes them, where they are wanted."""
Intervals = dict[str, scores.Spans]
"""Of several methods, and of their differences."""
N_RESAMPLES = 40
"""Of SNARE-seq's cells: each takes seconds to score."""


def paired(task: Task, fit: Fit, *, graph: mo.GuidanceGraph | None = None) -> Found:
    """SNARE-seq: alignment of the test cells, types, and translation both ways."""
    model = fit(task.mdata("train"), graph=graph)
    rna, atac = task.part("rna", "test"), task.part("atac", "test")
    truth = task.labels("cell_type", "test")
    found = scores.alignment(
        reference=model.embed(task.part("rna", "train"), modality="rna"),
        labels=task.labels("cell_type", "train"),
        rna=model.embed(rna, modality="rna"),
        atac=model.embed(atac, modality="atac"),
        truth=truth,
    )
    found |= scores.recovered_types(model.embed(task.mdata("test")), truth)
    opened = np.asarray(model.translate(rna, source="rna", target="atac").X)
    found |= scores.chromatin(opened, atac.X)
    rates = model.translate(rna, source="rna", target="atac", depth="reference")
    found["atac_peak_auroc_rates"] = scores.chromatin(np.asarray(rates.X), atac.X)["atac_peak_auroc_depth_free"]
    back = model.translate(atac, source="atac", target="rna", scale="log_cp10k")
    expressed = np.asarray(back[:, rna.var_names].X)
    found |= scores.expression(expressed, rna.X)
    rivals = TASKS[task.name].intervals_beside
    return found, {"intervals": partial(translated, task, opened, expressed, rivals)} if rivals else {}


def translated(task: Task, opened: np.ndarray, expressed: np.ndarray, rivals: Sequence[str]) -> Intervals:
    """Intervals of both directions' scores; where a method is for one direction, those alone."""
    rna, atac = task.part("rna", "test").X, task.part("atac", "test").X
    spaces = lsi_and_pca(task)
    found: Intervals = {}
    for predict, score, mine in (
        (chromatin_predictions, lambda p, rows: scores.chromatin(p[rows], atac[rows]), opened),
        (expression_predictions, lambda p, rows: scores.expression(p[rows], rna[rows]), expressed),
    ):
        theirs = predict(task, spaces)
        chosen = {name: theirs[name]() for name in rivals if name in theirs}
        for method, spans in scores.beside_each_other(score, mine, chosen, n=N_RESAMPLES).items():
            found[method] = found.get(method, {}) | spans
    return found


def proteins(task: Task, fit: Fit) -> Found:
    """Proteins of the test cells from RNA."""
    model = fit(task.mdata("train"))
    predicted = model.translate(task.part("rna", "test"), source="rna", target="prot", scale="clr")
    values, counts = np.asarray(predicted[:, task.mods["prot"].var_names].X), task.part("prot", "test").X
    rivals = TASKS[task.name].intervals_beside
    return scores.proteins(values, counts), {"intervals": partial(protein_intervals, task, values, rivals)}


def protein_intervals(task: Task, values: np.ndarray, rivals: Sequence[str]) -> Intervals:
    """Intervals of the scores of CLR proteins, the simple methods' among them."""
    truth = clr(task.part("prot", "test").X)
    theirs = protein_predictions(task) if rivals else {}
    return scores.beside_each_other(
        lambda p, rows: correlation(p[rows], truth[rows]), values, {name: theirs[name] for name in rivals}
    )


def culture(task: Task, fit: Fit) -> Found:
    """Serum or 2i medium, from both modalities and from methylation alone."""
    mdata, label = task.mdata("train"), task.labels("culture", "test")
    model = fit(mdata, modalities={"rna": mo.RNA.continuous(), "met": mo.METHYLATION})
    joint, met = model.embed(mdata), model.embed(mdata, modality="met")
    return scores.culture(joint, label, "joint") | scores.culture(met, label, "met"), {}


def donors(task: Task, fit: Fit) -> Found:
    """Whether donors mix and types stay apart."""
    mdata = task.mdata("train")
    z = fit(mdata, batch_key="batch").embed(mdata)
    return scores.integration(z, task.labels("batch", "test"), task.labels("cell_type", "test")), {}
