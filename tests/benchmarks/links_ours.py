"""Links of a fitted model, and their scores; simple methods beside it where the seed draws the data."""

from __future__ import annotations

import pandas as pd

import multiome as mo
from tests.benchmarks import links_scores
from tests.benchmarks.links_baselines import strengths
from tests.benchmarks.links_tasks import LinkTask
from tests.benchmarks.ours import Fit, Found

UNTRAINED = mo.TrainConfig(max_epochs=1, learning_rate=1e-12, progress_bar=False)
"""Every weight stays where it began; links are then what is asked of the cells after training."""


def simulated(task: LinkTask, fit: Fit) -> Found:
    """Scores, p and q, beside those of a model that learnt nothing, and the order of simple methods."""
    true = task.pairs["true"].to_numpy()
    how = {"graph": task.graph, "batch_key": task.batch_key}
    found = links_scores.simulated(links(task, fit(task.mdata(), **how)), true)
    untrained = links_scores.simulated(links(task, fit(task.mdata(), train=UNTRAINED, **how)), true)
    simple = {method: {"auroc": links_scores.auroc(score, true)} for method, score in strengths(task).items()}
    return found, {"beside": simple | {"untrained": untrained}}


def real(task: LinkTask, fit: Fit) -> Found:
    """The strongest links against tables of enhancers."""
    found = links(task, fit(task.mdata(), graph=task.graph, batch_key=task.batch_key))
    return links_scores.real(found["score"].abs().to_numpy(), task.pairs), {}


def links(task: LinkTask, model: mo.Multiome) -> pd.DataFrame:
    """The model's table, in the order of the task's pairs."""
    table = model.links("atac", "rna").table.set_index(["source", "target"])
    return table.loc[pd.MultiIndex.from_frame(task.pairs[["peak", "gene"]])]
