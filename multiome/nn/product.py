"""Sparse values less their centre, times a matrix: what every encoder's inputs are made of."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import embedding_bag

from multiome.types import Found, SparseRows


def centred_product(
    rows: SparseRows,
    centre: Float[Tensor, " feature"],
    matrix: Float[Tensor, "feature output"],
    found: Found | None = None,
) -> Float[Tensor, "cell output"]:
    """``(values - centre) @ matrix`` without a dense block; features that were not ``found`` contribute nothing."""
    values = rows.values.to(matrix.dtype)
    if found is not None:
        values, centre = values * rows.among(found), centre * found
    total = embedding_bag(rows.indices, matrix, rows.indptr[:-1], mode="sum", per_sample_weights=values)
    return total - centre @ matrix
