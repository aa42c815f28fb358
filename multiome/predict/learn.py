"""What is learnt once training has ended: how predictions are to be corrected, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.data.stored import MAX_IN_MEMORY
from multiome.graph.edges import FeatureEdges
from multiome.graph.guidance import GuidanceGraph
from multiome.model.config import ModelConfig
from multiome.model.vae import MultiomeVAE
from multiome.predict.at_once import MOST
from multiome.predict.calibrate import calibrate
from multiome.predict.depth import depth_model
from multiome.predict.evidence import gather_evidence
from multiome.predict.fitted import Fitted
from multiome.predict.reliability import joined, learn_reliability
from multiome.predict.shrinkage import learn_shrinkage
from multiome.predict.totals import match_totals
from multiome.predict.unlike import learn_usual
from multiome.train.heap import give_back


def learn_alone(
    vae: MultiomeVAE,
    spec: DataSpec,
    config: ModelConfig,
    cells: CellDataset,
    *,
    rows: np.ndarray,
    held_out: np.ndarray,
    seed: int,
) -> Fitted:
    """A model that can predict, of trained weights and of the cells (``rows``) and held-out cells behind them."""
    give_back()  # what training held
    shrinkage = learn_shrinkage(vae, cells, rows, held_out, seed=seed)
    match_totals(vae, cells, shrinkage, seed=seed)
    fitted = Fitted(vae, spec, config, depth_model(vae, cells, spec, held_out), shrinkage)
    return replace(fitted, calibration=calibrate(fitted, cells, held_out, seed=seed))


def learn_together(
    models: Sequence[Fitted],
    cells: CellDataset,
    *,
    rows: np.ndarray,
    held_out: np.ndarray,
    graph: GuidanceGraph | None,
    edges: FeatureEdges | None,
    seed: int,
) -> Fitted:
    """One model that averages over the predictions of several; all else is the first one's."""
    give_back()
    first, *others = models
    evidence = None if edges is None else gather_evidence(first.vae, cells, edges, first.spec, seed=seed)
    fitted = replace(first, graph=graph, evidence=evidence, others=tuple(others))
    # beside many cells this takes little time, and memory is not to grow with their number
    most = 1 if first.spec.n_cells > MAX_IN_MEMORY else MOST
    tables = [
        learn_reliability(fitted, cells, key, rows=rows, held_out=held_out, seed=seed, most=most)
        for key in first.spec.modalities
    ]
    return replace(fitted, usual=learn_usual(fitted, cells, held_out, seed=seed), reliability=joined(tables))
