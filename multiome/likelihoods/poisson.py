"""Poisson counts (ATAC fragments)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from pyro.distributions.torch_distribution import TorchDistribution, TorchDistributionMixin
from torch import Tensor, nn
from torch.distributions import constraints

from multiome.likelihoods.base import PSEUDOCOUNT, Likelihood, pick
from multiome.likelihoods.counted import poisson_log_prob, poisson_log_prob_of_cells
from multiome.likelihoods.expectation import expected_log1p
from multiome.types import SparseRows


class LogRate(TorchDistribution):
    """Poisson by the logarithm of its rate; written for sparse counts, whose ``log x!`` vanishes at 0 and 1."""

    arg_constraints: ClassVar[dict[str, Any]] = {"log_rate": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, log_rate: Tensor, *, validate_args: bool | None = None) -> None:
        self.log_rate = log_rate
        super().__init__(log_rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.log_rate.exp()

    @property
    def variance(self) -> Tensor:
        return self.mean

    @property
    def presence(self) -> Tensor:
        """``P(x > 0)``."""
        return self.log_rate.exp().neg_().expm1_().neg_()

    def expand(self, batch_shape: Any, _instance: Any = None) -> LogRate:
        return LogRate(self.log_rate.expand(batch_shape), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return torch.poisson(self.mean.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor | SparseRows) -> Tensor:
        return poisson_log_prob(self.log_rate, value)

    def log_prob_of_cells(self, rows: SparseRows, measured: Tensor | None = None) -> Tensor:
        """The sum over all features, or over those that were ``measured``."""
        return poisson_log_prob_of_cells(self.log_rate, rows, measured)

    def expected_log1p(self, scale: Tensor) -> Tensor:
        """``E[log1p(scale * x)]``, without sampling and without a gradient."""
        return expected_log1p(self.mean, scale)


class Poisson(Likelihood):
    """``x ~ Poisson(exposure * exp(base + output))``."""

    scales_means: ClassVar[bool] = True
    is_sparse: ClassVar[bool] = True

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.base = nn.Parameter(torch.zeros(n_features))

    def initialise(self, values: SparseRows, exposure: Float[Tensor, "cell 1"]) -> None:
        """Mean rate per feature."""
        with torch.no_grad():
            self.base.copy_(((values.column_sum() + PSEUDOCOUNT) / exposure.sum()).log())

    def scale_means(self, ratio: Float[Tensor, " feature"]) -> None:
        """Exactly: the base is the logarithm of a factor."""
        with torch.no_grad():
            self.base.add_(ratio.log())

    def forward(
        self,
        outputs: Float[Tensor, "1 cell feature"],
        *,
        exposure: Float[Tensor, "cell 1"],
        features: Int[Tensor, " feature"] | None = None,
    ) -> TorchDistributionMixin:
        return LogRate((outputs.squeeze(0) + pick(self.base, features)).add_(exposure.log()), validate_args=False)
