"""Presence or absence, as a Poisson count would show it (binary ATAC)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from pyro.distributions.torch_distribution import TorchDistribution, TorchDistributionMixin
from torch import Tensor, nn
from torch.distributions import constraints

from multiome.likelihoods.base import PSEUDOCOUNT, Likelihood, pick
from multiome.types import SparseRows

N_DEPTHS = 32
"""Quantiles that stand for the depths of all cells while the rates are initialised."""


class Presence(TorchDistribution):
    """Whether a Poisson count with this ``log_rate`` is above 0: ``P(x = 1) = 1 - exp(-rate)``.

    `log_prob` reads any value above 0 as present, and takes the logarithm only there.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"log_rate": constraints.real}
    support = constraints.boolean

    def __init__(self, log_rate: Tensor, *, validate_args: bool | None = None) -> None:
        self.log_rate = log_rate
        super().__init__(log_rate.shape, validate_args=validate_args)

    @property
    def rate(self) -> Tensor:
        return self.log_rate.clamp(-80, 80).exp()

    @property
    def mean(self) -> Tensor:
        return -torch.expm1(-self.rate)

    @property
    def presence(self) -> Tensor:
        """``P(x > 0)``."""
        return self.mean

    @property
    def variance(self) -> Tensor:
        return self.mean * (-self.rate).exp()

    def expand(self, batch_shape: Any, _instance: Any = None) -> Presence:
        return Presence(self.log_rate.expand(batch_shape), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return torch.bernoulli(self.mean.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        rate = self.rate
        absent = (-rate).expand(torch.broadcast_shapes(value.shape, rate.shape))
        seen = (value > 0).expand_as(absent).nonzero(as_tuple=True)
        present = (-torch.expm1(-rate.expand_as(absent)[seen])).log()
        return absent.index_put(seen, present)

    def expected_log1p(self, scale: Tensor) -> Tensor:
        """``E[log1p(scale * x)]``."""
        return self.mean * torch.log1p(scale)


class Bernoulli(Likelihood):
    """``P(x > 0) = 1 - exp(-exposure * exp(base + output))``: agrees with a Poisson model of the counts behind it."""

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.base = nn.Parameter(torch.zeros(n_features))

    def initialise(self, values: SparseRows, exposure: Float[Tensor, "cell 1"]) -> None:
        """Find the rate per feature at which the training cells, with their depths, show it as often as they do."""
        seen = values.column_sum((values.values > 0).to(values.values.dtype))
        share = (seen + PSEUDOCOUNT) / (len(values) + 2 * PSEUDOCOUNT)
        middles = (torch.arange(N_DEPTHS, device=exposure.device) + 0.5) / N_DEPTHS
        order = exposure[:, 0].sort().values
        depth = order[(middles * len(order)).long()][:, None]
        rate = share / depth.mean()
        for _ in range(20):  # the share is concave in the rate, so Newton's steps from below never overshoot
            absent = (-depth * rate).exp()
            rate = rate + (share - 1 + absent.mean(0)) / (depth * absent).mean(0)
        with torch.no_grad():
            self.base.copy_(rate.log())

    def forward(
        self,
        outputs: Float[Tensor, "1 cell feature"],
        *,
        exposure: Float[Tensor, "cell 1"],
        features: Int[Tensor, " feature"] | None = None,
    ) -> TorchDistributionMixin:
        return Presence(outputs.squeeze(0) + pick(self.base, features) + exposure.log(), validate_args=False)
