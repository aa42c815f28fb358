"""Few draws whose moments are exact."""

from __future__ import annotations

import torch


def antithetic(n: int, n_latent: int, rng: torch.Generator) -> list[tuple[torch.Tensor, float]]:
    """Standard normal draws for the latent state and for the log depth, in pairs of opposite sign.

    ``n`` is even, and at least 8: fewer leave the state too little freedom.

    Few draws go far because their moments are exact: mean 0, variance 1 in each dimension, and no correlation between
    depth and state. Depth has one dimension, so its draws are evenly spaced quantiles.
    """
    depth = torch.special.ndtri((torch.arange(n // 2) + n // 2 + 0.5) / n)
    depth = depth / depth.square().mean().sqrt()
    state = torch.randn(n // 2, n_latent, generator=rng)
    state = state - torch.outer(depth, depth @ state / depth.square().sum())
    state = state / state.square().mean(0).sqrt()
    return [(sign * z, sign * float(d)) for z, d in zip(state, depth, strict=True) for sign in (1, -1)]
