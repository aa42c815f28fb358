"""Simple methods on folds and on another experiment."""

from __future__ import annotations

from tests.benchmarks import scores
from tests.benchmarks.baselines import protein_predictions
from tests.benchmarks.panel_ours import averaged
from tests.benchmarks.panel_tasks import Folds
from tests.benchmarks.scores import Scores
from tests.benchmarks.tasks import Task


def folds(task: Folds) -> dict[str, Scores]:
    """Scores averaged over the folds, each method trained on the cells that a model is fitted to."""
    found = [experiment(fold) for fold in task.folds]
    return {method: averaged([one[method] for one in found]) for method in found[0]}


def experiment(task: Task) -> dict[str, Scores]:
    """Scores of every simple method, which see the same genes and proteins."""
    counts = task.part("prot", "test").X
    return {method: scores.proteins(p, counts) for method, p in protein_predictions(task).items()}
