"""What the training cells say of a guidance graph's edges, as a value that a model keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.graph.edges import FeatureEdges
from multiome.model.vae import MultiomeVAE
from multiome.predict.cell_states import group_cells
from multiome.predict.edge_effects import edge_effects


@dataclass(frozen=True, eq=False)
class EdgeEvidence:
    """The edges a model was trained with, decoys among them, and what the data say of each."""

    edges: FeatureEdges
    effect: Float[np.ndarray, " edge"]
    """See `edge_effects`."""


def gather_evidence(
    vae: MultiomeVAE, cells: CellDataset, edges: FeatureEdges, spec: DataSpec, *, seed: int
) -> EdgeEvidence:
    """Ask the cells about the edges that a model was trained with."""
    states = group_cells(vae, cells, seed=seed)
    kinds = {key: s.kind for key, s in spec.modalities.items()}
    return EdgeEvidence(edges, edge_effects(vae, cells, edges, states, kinds=kinds))
