"""What the verbs read: a trained model, what it was built for, and what was learnt of its predictions."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch

from multiome.data.spec import DataSpec
from multiome.errors import MultiomeError
from multiome.graph.edges import edges_among
from multiome.graph.guidance import GuidanceGraph
from multiome.model.config import ModelConfig
from multiome.model.vae import MultiomeVAE
from multiome.predict.calibration import Calibration
from multiome.predict.consistency import verdict
from multiome.predict.depth import DepthModel
from multiome.predict.evidence import EdgeEvidence
from multiome.predict.novelty import Usual
from multiome.predict.shrinkage import Shrinkage


@dataclass(frozen=True)
class Fitted:
    """A trained model as a value."""

    vae: MultiomeVAE
    spec: DataSpec
    config: ModelConfig
    depth: DepthModel
    shrinkage: Shrinkage
    calibration: Calibration = Calibration()
    """How much more or less dispersed held-out cells were; empty where too few could be held out."""
    reliability: pd.DataFrame | None = None
    """How well each feature can be predicted, see `Multiome.reliability`; None if an older version fitted the model."""
    usual: Usual | None = None
    """What cells like those of the training show; None where too few could be held out."""
    graph: GuidanceGraph | None = None
    """What was known of the features before training."""
    evidence: EdgeEvidence | None = None
    """What the training cells say of the graph's edges; None without a graph."""
    others: tuple[Fitted, ...] = ()
    """Models of the same cells from other random starts, over which predictions are averaged too."""

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.vae.parameters()).device

    def knowledge(self) -> tuple[GuidanceGraph, EdgeEvidence]:
        """The guidance graph, and what the cells say of it.

        Raises
        ------
        MultiomeError
            If the model was fitted without a graph, or by a version that did not ask the cells.
        """
        if self.graph is None:
            raise MultiomeError(
                "The model was fitted without a guidance graph; fit(mdata, graph=GuidanceGraph.from_genome(...)) takes "
                "one."
            )
        if self.evidence is None:
            raise MultiomeError(
                "The model was saved by a version of multiome that did not ask the cells about the guidance graph's "
                "edges; fit it again."
            )
        return self.graph, self.evidence

    def describe(self) -> str:
        """What was fitted on what, for people."""
        lines = [
            f"  {key}: {s.kind}, {len(s.features):,} features, {s.n_cells:,} cells, {s.likelihood}"
            + "".join(f"\n    {note}" for note in s.notes)
            for key, s in self.spec.modalities.items()
        ]
        lines += [
            f"  {key}: predicted differences from the average cell are multiplied by {factor:.2f}"
            for key, factor in self.shrinkage.factors.items()
            if round(factor, 2) < 1
        ]
        lines += [
            f"  {key}: draws of measurements are {1 / precision.pooled:.2f} times as dispersed as training said, as "
            f"{precision.n_cells:,} held-out cells show; of single features {1 / high:.2f} to {1 / low:.2f} times"
            for key, precision in self.calibration.precisions.items()
            for low, high in [(min(precision.single.values()), max(precision.single.values()))]
            if low < high or precision.pooled != 1
        ]
        if self.reliability is not None:
            lines += [
                f"  {key}: {table['predictable'].sum():,} of {len(table):,} features are predicted better than by "
                "their mean, as held-out cells show"
                for key, table in self.reliability.groupby("modality", sort=False)
            ]
        if self.graph is not None:
            features = {key: s.features for key, s in self.spec.modalities.items()}
            edges = edges_among(self.graph, features) if self.evidence is None else self.evidence.edges
            told = ", ".join(f"{edges.n_edges(a, b):,} between {a!r} and {b!r}" for a, b in edges.pairs())
            unused = len(self.graph.edges) - sum(edges.n_edges(a, b) for a, b in edges.pairs())
            lines.append(
                f"  guidance graph: edges of the features above: {told}"
                + f"; {unused:,} more join others, such as genes that are not highly variable" * (unused > 0)
            )
        if self.evidence is not None:
            lines += [f"  guidance graph: {verdict(row)}" for _, row in self.evidence.consistency.iterrows()]
        if self.others:
            lines.append(f"  predictions are averaged over {1 + len(self.others)} models")
        lines += [f"  batch_key {c.name!r}: {len(c.levels)} levels" for c in self.spec.covariates]
        return "\n".join([f"Multiome fitted on {self.spec.n_cells:,} cells", *lines])
