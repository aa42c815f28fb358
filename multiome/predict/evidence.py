"""What the training cells say of a guidance graph's edges, as a value that a model keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from multiome.data.cells import apart_in
from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.errors import InvalidModelFile
from multiome.graph.archive import BinaryFile
from multiome.graph.edges import FeatureEdges
from multiome.model.vae import MultiomeVAE
from multiome.predict.cell_states import group_cells
from multiome.predict.consistency import consistency, warn_inconsistent
from multiome.predict.edge_effects import edge_effects

EDGE_FIELDS = ("source", "target", "weight", "row", "is_decoy")


@dataclass(frozen=True, eq=False)
class EdgeEvidence:
    """The edges a model was trained with, decoys among them, and what the data say of each."""

    edges: FeatureEdges
    effect: Float[np.ndarray, " edge"]
    """See `edge_effects`."""
    consistency: pd.DataFrame
    """See `Multiome.consistency`."""

    def write(self, file: BinaryFile) -> None:
        """Write into an open binary file, such as a member of a larger archive."""
        numbers = {name: getattr(self.edges, name) for name in EDGE_FIELDS}
        text = {"sizes": dict(self.edges.sizes), "consistency": self.consistency.to_dict(orient="list")}
        stored = np.frombuffer(json.dumps(text).encode(), dtype=np.uint8)
        np.savez_compressed(file, text=stored, effect=self.effect, **numbers)

    @classmethod
    def read(cls, file: BinaryFile) -> EdgeEvidence:
        """Read what `write` wrote.

        Raises
        ------
        InvalidModelFile
            If it is not one number per edge; what else may be wrong raises what NumPy does.
        """
        with np.load(file, allow_pickle=False) as members:
            text = json.loads(members["text"].tobytes())
            edges = {name: members[name] for name in EDGE_FIELDS}
            effect = members["effect"]
        if any(len(values) != len(effect) for values in edges.values()):
            raise InvalidModelFile(f"evidence of {len(effect):,} edges, but not as many of each number")
        return cls(FeatureEdges(text["sizes"], **edges), effect, pd.DataFrame(text["consistency"]))


def gather_evidence(
    vae: MultiomeVAE, cells: CellDataset, edges: FeatureEdges, spec: DataSpec, *, seed: int
) -> EdgeEvidence:
    """Ask the cells about the edges that a model was trained with."""
    states = group_cells(vae, cells, seed=seed)
    kinds = {key: s.kind for key, s in spec.modalities.items()}
    agreement = consistency(vae, cells, edges, states, seed=seed)
    warn_inconsistent(agreement, apart_in({key: cells.observed(key) for key in spec.modalities}))
    return EdgeEvidence(edges, edge_effects(vae, cells, edges, states, kinds=kinds), agreement)
