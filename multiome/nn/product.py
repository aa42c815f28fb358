"""Sparse values less their centre, times a matrix: what every encoder's inputs are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import embedding_bag

from multiome.types import Found, SparseRows


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
    usual = (centre if found is None else centre * found) @ matrix  # once for all views, mostly for all cells too
    return torch.cat(totals) - (usual if usual.ndim == 1 else usual.repeat(len(views), 1))
