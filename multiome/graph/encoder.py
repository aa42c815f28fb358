"""Feature embeddings that neighbours in the guidance graph share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from multiome.graph.edges import FeatureEdges

SHARE = 0.5
"""What the average of a feature's neighbours adds to its own embedding."""
SHARE_APART, APART_UNTIL = 1.0, 0.6
"""The same in the first step where cells were measured apart, and the share of the planned steps by which it has come
down to `SHARE`. Neighbours that add much tell early which states of two modalities are one; a feature that is mostly
its own, later, describes its cells better."""


class GraphEncoder(nn.Module):
    """``V = E + share * A E``: free embeddings E, and A the signed, weighted average over neighbours.

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
        self.share = SHARE
        for name in ("indptr", "indices", "data"):
            values = np.asarray(getattr(edges.averages, name))
            kind = np.float32 if name == "data" else np.int64
            self.register_buffer(name, torch.from_numpy(values.astype(kind)), persistent=False)

    def loosen(self, done: float) -> None:
        """Set what neighbours add, where cells were measured apart, once ``done`` of the planned steps are made."""
        self.share = SHARE_APART + min(done / APART_UNTIL, 1.0) * (SHARE - SHARE_APART)

    def forward(
        self,
        own: Mapping[str, Float[Tensor, "n_outputs _ hidden"]],
        wanted: Mapping[str, Int[Tensor, " wanted"]] | None = None,
    ) -> dict[str, Float[Tensor, "n_outputs _ hidden"]]:
        """Embeddings of every modality's features, or of those ``wanted`` where it names some, in that order.

        Neighbours hear, and add to, all outputs of a feature alike.
        """
        wanted = wanted or {}
        every = torch.cat([embedding.mean(0) for embedding in own.values()])
        starts = accumulate(self.sizes.values(), initial=0)
        rows = [
            start + (wanted[key] if key in wanted else torch.arange(n, device=every.device))
            for (key, n), start in zip(self.sizes.items(), starts, strict=False)
        ]
        near = self.average(every, self.neighbours(torch.cat(rows))).split([len(some) for some in rows])
        chosen = {key: embedding[:, wanted[key]] if key in wanted else embedding for key, embedding in own.items()}
        return {key: embedding + self.share * n for (key, embedding), n in zip(chosen.items(), near, strict=True)}

    def neighbours(self, rows: Int[Tensor, " row"]) -> Tensor:
        """The rows of the average over neighbours, as a sparse matrix (rows x all features)."""
        indptr, indices, data = self.indptr, self.indices, self.data
        if len(rows) < len(indptr) - 1:
            degree = (indptr[1:] - indptr[:-1])[rows]
            indptr = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
            place = torch.repeat_interleave(self.indptr[rows] - indptr[:-1], degree)
            place += torch.arange(len(place), device=place.device)
            indices, data = indices[place], data[place]
        size = (len(rows), len(self.indptr) - 1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(indptr, indices, data, size, check_invariants=False)
