"""Alignment of two groups of cells that have no partner in each other."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Kernel widths, relative to the mean squared distance."""


def mean_discrepancy(a: Float[Tensor, "cell_a latent"], b: Float[Tensor, "cell_b latent"]) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy of two samples, summed over Gaussian kernels (Gretton et al. 2012).

    Near 0 where both come from one distribution. Fewer than two cells in either say nothing: 0.
    """
    if min(len(a), len(b)) < 2:
        return (a.sum() + b.sum()) * 0
    both = torch.cat([a, b])
    norm = (both**2).sum(1)
    distance = (norm[:, None] + norm - 2 * both @ both.T).clamp_min(0)
    width = distance.detach().mean().clamp_min(1e-12)
    kernel = torch.stack([torch.exp(-distance / (width * w)) for w in WIDTHS]).sum(0)
    n = len(a)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
