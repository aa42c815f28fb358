"""Feature embeddings that neighbours in the guidance graph share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd import Function

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
        starts = accumulate(self.sizes.values(), initial=0)
        rows = torch.cat(
            [
                start + (wanted[key] if key in wanted else torch.arange(n, device=self.data.device))
                for (key, n), start in zip(self.sizes.items(), starts, strict=False)
            ]
        )
        adjacency = self.neighbours(rows)
        chosen = [wanted.get(key) for key in own]
        found = _OwnAndNear.apply(self.average, adjacency, self.share, chosen, *own.values())
        return dict(zip(own, found, strict=True))

    def neighbours(self, rows: Int[Tensor, " row"]) -> Tensor:
        """The rows of the average over neighbours, as a sparse matrix (rows x all features)."""
        indptr, indices, data = self.indptr, self.indices, self.data
        if len(rows) < len(indptr) - 1:
            degree = (indptr[1:] - indptr[:-1])[rows]
            indptr = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
            place = torch.repeat_interleave(self.indptr[rows] - indptr[:-1], degree)
            place += torch.arange(len(place), device=place.device)
            indices, data = indices[place], data[place]
        return csr(indptr, indices, data, (len(rows), len(self.indptr) - 1))


class _OwnAndNear(Function):
    """Chosen rows of each table plus ``share`` times the averages over their neighbours in all tables.

    By hand, so that a step fills one dense gradient per table, and never one per operation.
    """

    @staticmethod
    def forward(
        ctx: Any, average: nn.Module, adjacency: Tensor, share: float, chosen: list[Tensor | None], *tables: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.adjacency, ctx.share, ctx.chosen, ctx.shapes = adjacency, share, chosen, [table.shape for table in tables]
        own = [table if some is None else table[:, some] for table, some in zip(tables, chosen, strict=True)]
        near = average(torch.cat([average_output(table) for table in tables]), adjacency)
        parts = near.split([part.shape[1] for part in own])
        return tuple(mine + share * theirs for mine, theirs in zip(own, parts, strict=True))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, None, None, *tuple[Tensor, ...]]:
        heard = transposed(ctx.adjacency) @ (ctx.share * torch.cat([grad.sum(0) for grad in grads]))
        found = []
        parts = heard.split([shape[1] for shape in ctx.shapes])
        for grad, part, some, (n_outputs, *_) in zip(grads, parts, ctx.chosen, ctx.shapes, strict=True):
            total = (part / n_outputs).repeat(n_outputs, 1, 1) if n_outputs > 1 else part[None]
            found.append(total + grad if some is None else total.index_add_(1, some, grad))
        return None, None, None, None, *found


def average_output(table: Float[Tensor, "n_outputs feature hidden"]) -> Float[Tensor, "feature hidden"]:
    """Each feature's embedding, the average where it has several."""
    return table[0] if len(table) == 1 else table.mean(0)


def transposed(x: Tensor) -> Tensor:
    """A CSR matrix whose rows are the columns of another; on the CPU, products with it are fast in this order only."""
    if x.device.type != "cpu":
        return x.t()
    arrays = (x.values().numpy(), x.col_indices().numpy(), x.crow_indices().numpy())
    turned = sp.csr_matrix(arrays, shape=tuple(x.shape)).tocsc()
    indptr, indices, values = (torch.from_numpy(a) for a in (turned.indptr, turned.indices, turned.data))
    return csr(indptr, indices, values, (x.shape[1], x.shape[0]))


def csr(indptr: Tensor, indices: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    """A sparse matrix of PyTorch, without its remark that these are in beta."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(indptr, indices, values, size, check_invariants=False)
