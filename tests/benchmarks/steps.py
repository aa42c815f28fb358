"""What each task of the catalogue does: load its data, fit and score ours, score simple methods. One line, one task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks import (
    graph_baselines,
    graph_ours,
    graph_tasks,
    links_baselines,
    links_ours,
    links_tasks,
    ours,
    panel_baselines,
    panel_ours,
    panel_tasks,
    simulated_tasks,
)
from tests.benchmarks.baselines import baselines
from tests.benchmarks.graph_catalogue import SHARES
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
    baselines: Callable[[Any], dict[str, Scores]] | None = None
    """Scores of every simple method, by method; None where `ours` measures them beside a fit, or another task does."""


STEPS: dict[str, Steps] = {
    "snare_paired": Steps(load, ours.paired, baselines),
    "snare_paired_graph": Steps(graph_tasks.paired_graph, graph_ours.paired),
    "reap_protein": Steps(load, ours.proteins, baselines),
    "bmmc_cite": Steps(load, ours.proteins, baselines),
    "scmt": Steps(load, ours.culture, baselines),
    "bmmc_multiome_batches": Steps(load, ours.donors, baselines),
    "bmmc_cite_batches": Steps(load, ours.donors, baselines),
    "eccite_folds": Steps(panel_tasks.cite_folds, panel_ours.folds, panel_baselines.folds),
    "spleen_folds": Steps(panel_tasks.cite_folds, panel_ours.folds, panel_baselines.folds),
    "reap_mosaic": Steps(panel_tasks.reap_mosaic, panel_ours.mosaic_proteins),
    "reap_to_eccite": Steps(panel_tasks.reap_to_eccite, panel_ours.experiment, panel_baselines.experiment),
    "snare_unpaired": Steps(graph_tasks.snare_unpaired, graph_ours.unpaired, graph_baselines.unpaired),
    **{
        f"snare_partial_{share}": Steps(
            graph_tasks.snare_partial, graph_ours.partly_paired, graph_baselines.partly_paired
        )
        for share in SHARES
    },
    "bmmc_unpaired": Steps(graph_tasks.bmmc_unpaired, graph_ours.unpaired, graph_baselines.unpaired),
    "bmmc_multiome_unpaired": Steps(graph_tasks.bmmc_multiome_unpaired, graph_ours.unpaired, graph_baselines.unpaired),
    "cite_unpaired_bmmc": Steps(graph_tasks.cite_unpaired, graph_ours.unpaired, graph_baselines.unpaired),
    "cite_unpaired_spleen": Steps(graph_tasks.cite_unpaired, graph_ours.unpaired, graph_baselines.unpaired),
    "four_simulated": Steps(simulated_tasks.four_simulated, graph_ours.four),
    "type_in_one": Steps(simulated_tasks.type_in_one, graph_ours.type_in_one),
    "links_simulated": Steps(links_tasks.simulated, links_ours.simulated),
    "links_simulated_deep": Steps(links_tasks.simulated, links_ours.simulated),
    "links_real_pbmc": Steps(links_tasks.real, links_ours.real, links_baselines.real),
    "links_real_bmmc": Steps(links_tasks.real, links_ours.real, links_baselines.real),
}
