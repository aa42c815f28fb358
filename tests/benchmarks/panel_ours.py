"""Models fitted to folds, to a mosaic and to another experiment, and the scores of the proteins that they predict."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

import multiome as mo
from multiome.metrics import clr, correlation
from tests.benchmarks import scores
from tests.benchmarks.baselines import protein_predictions
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.ours import Fit, Found, protein_intervals
from tests.benchmarks.panel_tasks import Folds, mosaic
from tests.benchmarks.tasks import Task

DONOR = "batch"
"""Column of the donors."""
Values = Sequence[np.ndarray]
"""Cells x proteins of each fold."""


def folds(task: Folds, fit: Fit) -> Found:
    """A model per fold, and scores averaged over them."""
    found = [predicted(fit(fold.mdata("train")), fold) for fold in task.folds]
    scored = [correlation(p, measured(fold)) for p, fold in zip(found, task.folds, strict=True)]
    return averaged(scored), {"intervals": partial(beside_rival, task, found)}


def beside_rival(task: Folds, found: Values) -> dict[str, Any]:
    """Intervals of the scores, those of the strongest simple method, and of the difference."""
    truth = [measured(fold) for fold in task.folds]
    rival = TASKS[task.name].two_ahead
    n_nets = 5 if rival.startswith("mlp") else 0
    beside = [protein_predictions(fold, n_nets=n_nets)[rival] for fold in task.folds]
    return {
        "multiome": fold_intervals(found, truth),
        rival: fold_intervals(beside, truth),
        f"multiome - {rival}": fold_intervals(found, truth, beside=beside),
    }


def mosaic_proteins(task: Task, fit: Fit) -> Found:
    """Proteins of cells whose RNA the model was fitted to, with the donor as `batch_key`.

    No protein of the scored donor was measured: they are predicted as in the other one.
    """
    return scored(task, fit(mosaic(task), batch_key=DONOR))


def experiment(task: Task, fit: Fit) -> Found:
    """Proteins of another experiment's cells."""
    return scored(task, fit(task.mdata("train")))


def scored(task: Task, model: mo.Multiome) -> Found:
    """Scores and their intervals."""
    values = predicted(model, task)
    found = scores.proteins(values, task.part("prot", "test").X)
    return found, {"intervals": partial(protein_intervals, task, values, TASKS[task.name].intervals_beside)}


def predicted(model: mo.Multiome, task: Task) -> np.ndarray:
    """Expected CLR of the test cells' proteins from their RNA."""
    values = model.translate(task.part("rna", "test"), source="rna", target="prot", scale="clr")
    return np.asarray(values[:, task.mods["prot"].var_names].X)


def measured(task: Task) -> np.ndarray:
    """CLR of the test cells' proteins."""
    return clr(task.part("prot", "test").X)


def averaged(found: Sequence[scores.Scores]) -> scores.Scores:
    """The mean of each score over folds."""
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def fold_intervals(values: Values, truth: Values, *, beside: Values | None = None) -> dict[str, list[float]]:
    """95 % bootstrap intervals over cells of the scores averaged over folds, or of their difference to another's."""
    fold = np.repeat(np.arange(len(truth)), [len(t) for t in truth])
    truths, ours = np.concatenate(truth), np.concatenate(values)
    rivals = None if beside is None else np.concatenate(beside)

    def of_folds(p: np.ndarray, rows: np.ndarray) -> scores.Scores:
        parts = (rows[fold[rows] == k] for k in range(len(truth)))
        return averaged([correlation(p[part], truths[part]) for part in parts])

    def difference(rows: np.ndarray) -> scores.Scores:
        mine = of_folds(ours, rows)
        return mine if rivals is None else scores.less(mine, of_folds(rivals, rows))

    return scores.spans(difference, len(truths))
