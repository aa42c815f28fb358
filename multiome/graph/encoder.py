"""Feature embeddings that neighbours in the guidance graph share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from multiome.graph.edges import FeatureEdges

SHARE = 0.5
"""What the average of a feature's neighbours adds to its own embedding."""


class GraphEncoder(nn.Module):
    """``V = E + SHARE * A E``: free embeddings E, and A the signed, weighted average over neighbours.

    One decoder trunk reads both modalities of an edge out of the same latent state, so neighbours with similar
    embeddings rise and fall together, and the same latent state means the same in every modality.
    """

    indptr: Tensor
    indices: Tensor
    data: Tensor

    def __init__(self, edges: FeatureEdges) -> None:
        super().__init__()
        from torch_geometric.nn import SimpleConv  # takes more than a second to import, and only graphs need it

        self.sizes = dict(edges.sizes)
        self.average = SimpleConv(aggr="sum")
        for name in ("indptr", "indices", "data"):
            values = np.asarray(getattr(edges.averages, name))
            kind = np.float32 if name == "data" else np.int64
            self.register_buffer(name, torch.from_numpy(values.astype(kind)), persistent=False)

    def forward(
        self, own: Mapping[str, Float[Tensor, "n_outputs _ hidden"]]
    ) -> dict[str, Float[Tensor, "n_outputs _ hidden"]]:
        """Embeddings of every modality's features; neighbours hear, and add to, all outputs of a feature alike."""
        every = torch.cat([embedding.mean(0) for embedding in own.values()])
        size = (len(every), len(every))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            adjacency = torch.sparse_csr_tensor(self.indptr, self.indices, self.data, size, check_invariants=False)
        near = self.average(every, adjacency).split(list(self.sizes.values()))
        return {key: embedding + SHARE * n for (key, embedding), n in zip(own.items(), near, strict=True)}
