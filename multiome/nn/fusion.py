"""Combine per-modality posteriors into one (product of experts)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.distributions import Normal


def product_of_experts(experts: Mapping[str, Normal], observed: Mapping[str, Bool[Tensor, " cell"]]) -> Normal:
    """The standard-normal prior is one expert; a modality that was not observed weighs nothing.

    ``precision = 1 + sum_m 1 / var_m`` and ``loc = sum_m loc_m / var_m / precision`` (Wu & Goodman 2018).
    """
    precision, weighted = torch.ones(()), torch.zeros(())
    for name, expert in experts.items():
        # An unobserved row may hold anything, even NaN: `where` and no product, and before the square, whose gradient
        # would otherwise be 0 * NaN.
        there = observed[name][:, None]
        weight = torch.where(there, expert.scale, torch.inf) ** -2
        precision = precision + weight
        weighted = weighted + torch.where(there, expert.loc, 0.0) * weight
    return Normal(weighted / precision, precision.rsqrt(), validate_args=False)
