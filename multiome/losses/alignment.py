"""Alignment of two groups of cells that have no partner in each other."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Kernel widths, relative to the mean squared distance."""
NEAR = 0.1
"""Width of the kernel that says how near the other sample comes to a cell."""


def mean_discrepancy(a: Float[Tensor, "cell_a latent"], b: Float[Tensor, "cell_b latent"]) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy of two samples, summed over Gaussian kernels (Gretton et al. 2012).

    A cell counts by how near the other sample comes to it, so that a kind of cell that only one of them has is not
    forced upon another kind, nor a common kind upon a rare one. Near 0 where both come from one distribution. Fewer
    than two cells in either say nothing: 0.
    """
    n, m = len(a), len(b)
    if min(n, m) < 2:
        return (a.sum() + b.sum()) * 0
    both = torch.cat([a, b])
    norm = (both**2).sum(1)
    distance = (norm[:, None] + norm - 2 * both @ both.T).clamp_min(0)
    width = distance.detach().mean().clamp_min(1e-12)
    with torch.no_grad():
        near = torch.exp(-distance / (width * NEAR))
        in_a, in_b = near[:, :n].sum(1), near[:, n:].sum(1)
        weight = torch.cat([company(in_a[:n], in_b[:n], n=n, m=m), company(in_b[n:], in_a[n:], n=m, m=n)])
    kernel = torch.stack([torch.exp(-distance / (width * w)) for w in WIDTHS]).sum(0)
    signed = torch.cat([weight[:n], -weight[n:]])
    return signed @ kernel @ signed


def company(own: Float[Tensor, " cell"], other: Float[Tensor, " cell"], *, n: int, m: int) -> Float[Tensor, " cell"]:
    """What each cell counts (the sum is 1): the density of the other sample over that of its own, at most 1."""
    ratio = ((other / m) / ((own - 1) / (n - 1)).clamp_min(1e-9)).clamp(max=1)
    return ratio / ratio.sum().clamp_min(1e-9)
