"""What each task of the catalogue does: load its data, fit and score ours, score simple methods. One line, one task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks import ours
from tests.benchmarks.baselines import baselines
from tests.benchmarks.ours import Fit, Found
from tests.benchmarks.scores import Scores
from tests.benchmarks.tasks import load


@dataclass(frozen=True)
class Steps:
    """The functions that measure a task."""

    load: Callable[..., Any]
    """``load(name, dev=False)``: the data and their split; simulated data are drawn with ``seed=`` too."""
    ours: Callable[[Any, Fit], Found]
    """Fit, and score."""
    baselines: Callable[[Any], dict[str, Scores]]
    """Scores of every simple method, by method."""


STEPS: dict[str, Steps] = {
    "snare_paired": Steps(load, ours.paired, baselines),
    "reap_protein": Steps(load, ours.proteins, baselines),
    "bmmc_cite": Steps(load, ours.proteins, baselines),
    "scmt": Steps(load, ours.culture, baselines),
    "bmmc_multiome_batches": Steps(load, ours.donors, baselines),
    "bmmc_cite_batches": Steps(load, ours.donors, baselines),
}
