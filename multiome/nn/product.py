"""Sparse values less their centre, times a matrix: what every encoder's inputs are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import embedding_bag

from multiome.types import Found, SparseRows

ROWS = 1_000
"""Of a long matrix that one thread adds up at a time."""


def centred_product(
    views: Sequence[SparseRows],
    centre: Float[Tensor, " feature"],
    matrix: Float[Tensor, "feature output"],
    found: Found | None = None,
) -> Float[Tensor, "view_and_cell output"]:
    """``(values - centre) @ matrix`` without a dense block, of the cells of one view after the other.

    Features that were not ``found`` contribute nothing.
    """
    totals = []
    for rows in views:
        values = rows.values.to(matrix.dtype)
        if found is not None:
            values = values * rows.among(found)
        totals.append(embedding_bag(rows.indices, matrix, rows.indptr[:-1], mode="sum", per_sample_weights=values))
    weight = (centre if found is None else centre * found).to(matrix.dtype)  # mostly the same for all cells
    usual = weighted_sum(matrix, weight) if weight.ndim == 1 else (weight @ matrix).repeat(len(views), 1)
    return torch.cat(totals) - usual


def weighted_sum(
    matrix: Float[Tensor, "feature output"], weight: Float[Tensor, " feature"]
) -> Float[Tensor, " output"]:
    """``weight @ matrix``: of a long, narrow matrix several times as fast on a CPU, where all threads take part."""
    if matrix.device.type != "cpu":
        return weight @ matrix
    every = torch.arange(len(matrix))
    return embedding_bag(every, matrix, every[::ROWS], mode="sum", per_sample_weights=weight).sum(0)
