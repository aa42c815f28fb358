"""Values that are not counts: log-normalised expression, CLR protein, qPCR."""

from __future__ import annotations

import math
from typing import ClassVar

import pyro.distributions as dist
import torch
from jaxtyping import Float, Int
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor, nn

from multiome.likelihoods.base import Likelihood, pick
from multiome.types import SparseRows

LEAST = 0.05
"""Smallest residual, as a share of the feature's spread: a constant feature cannot run away with the objective."""


class Normal(Likelihood):
    """``x ~ Normal(loc + scale * output, sigma)`` around the training cells' mean and spread; exposure is ignored."""

    is_count: ClassVar[bool] = False
    disperses: ClassVar[bool] = True
    loc: Tensor
    scale: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.register_buffer("loc", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.log_residual = nn.Parameter(torch.full((n_features,), math.log(1 - LEAST)))

    def initialise(self, values: SparseRows, exposure: Float[Tensor, "cell 1"]) -> None:
        """Mean and spread per feature, unstored entries being 0; the residual starts as all of the spread."""
        n_cells = len(values)
        loc = values.column_sum() / n_cells
        stored = values.column_sum(torch.ones_like(values.values))
        squares = values.column_sum((values.values - loc[values.indices]) ** 2) + (n_cells - stored) * loc**2
        scale = (squares / n_cells).sqrt()
        varying = scale[scale > 1e-6 * (1 + loc.abs())]
        floor = 0.01 * varying.median() if len(varying) else scale.new_tensor(1.0)
        with torch.no_grad():
            self.loc.copy_(loc)
            self.scale.copy_(torch.maximum(scale, floor))
            self.log_residual.fill_(math.log(1 - LEAST))

    def dispersed(self, p: dist.Normal, factor: Float[Tensor, "*feature"]) -> dist.Normal:
        """The variance, of which the factor is of the inverse."""
        return dist.Normal(p.loc, p.scale * factor.rsqrt(), validate_args=False)

    def forward(
        self,
        outputs: Float[Tensor, "1 cell feature"],
        *,
        exposure: Float[Tensor, "cell 1"],
        features: Int[Tensor, " feature"] | None = None,
    ) -> TorchDistributionMixin:
        scale = pick(self.scale, features)
        sigma = scale * (LEAST + pick(self.log_residual, features).exp())
        mean = pick(self.loc, features) + scale * outputs[0]
        return dist.Normal(mean, sigma.expand_as(mean), validate_args=False)
