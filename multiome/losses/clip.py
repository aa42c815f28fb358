"""CLIP: each cell's two modalities should find each other among all cells of a minibatch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize


def clip_loss(
    a: Float[Tensor, "cell latent"],
    b: Float[Tensor, "cell latent"],
    log_temperature: Float[Tensor, ""],
    group: Int[Tensor, " cell"] | None = None,
) -> Float[Tensor, ""]:
    """Row i of both views is one cell; the other rows are its negatives (Radford et al. 2021, symmetric InfoNCE).

    With a ``group`` only cells of the same group are negatives of each other. Both modalities of a cell come from the
    same experimental batch, so telling batches apart would help to match them: within a batch it does not.

    ``log_temperature`` is the logarithm of the factor on the cosine similarities. Fewer than two cells have no
    negatives: the loss is 0.
    """
    if len(a) < 2:
        return (a.sum() + b.sum()) * 0
    similarity = normalize(a, dim=-1) @ normalize(b, dim=-1).T * log_temperature.exp()
    if group is not None:
        similarity = similarity.masked_fill(group[:, None] != group, -torch.inf)
    own = torch.arange(len(a), device=a.device)
    return (cross_entropy(similarity, own) + cross_entropy(similarity.T, own)) / 2
