"""Negative binomial counts with a dispersion per feature (RNA)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from pyro.distributions.torch_distribution import TorchDistribution, TorchDistributionMixin
from torch import Tensor, nn
from torch.distributions import constraints

from multiome.likelihoods.base import PSEUDOCOUNT, Likelihood, pick
from multiome.likelihoods.counted import negative_binomial_log_prob, negative_binomial_log_prob_of_cells
from multiome.likelihoods.expectation import expected_log1p
from multiome.types import SparseRows


class MeanDispersion(TorchDistribution):
    """Negative binomial by its mean and its inverse dispersion ``theta``: the variance is ``mean + mean**2 / theta``.

    Written for sparse counts: the log-gamma terms vanish at 0, so they are evaluated only where a count is.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"log_mean": constraints.real, "theta": constraints.positive}
    support = constraints.nonnegative_integer

    def __init__(self, log_mean: Tensor, theta: Tensor, *, validate_args: bool | None = None) -> None:
        self.log_mean, self.theta = torch.broadcast_tensors(log_mean, theta)
        self.given_theta = theta
        super().__init__(self.log_mean.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.log_mean.exp()

    @property
    def variance(self) -> Tensor:
        return self.mean + self.mean**2 / self.theta

    def expand(self, batch_shape: Any, _instance: Any = None) -> MeanDispersion:
        return MeanDispersion(self.log_mean.expand(batch_shape), self.given_theta, validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            shape = self._extended_shape(sample_shape)
            rate = torch.distributions.Gamma(self.theta, self.theta / self.mean.clamp_min(1e-20)).sample(sample_shape)
            return torch.poisson(rate.expand(shape))

    def dispersed(self, factor: Tensor) -> MeanDispersion:
        """The same mean, ``theta`` multiplied."""
        return MeanDispersion(self.log_mean, self.given_theta * factor, validate_args=False)

    def given(self, value: Tensor, wanted: MeanDispersion) -> MeanDispersion:
        """Another measurement (``wanted``) of the same cell, given what this one counted.

        The count is Poisson around a rate that is gamma distributed with shape ``theta``; given a count ``x``, the
        rate's shape is ``theta + x`` and its mean ``mean * (theta + x) / (theta + mean)`` (Huang et al. 2018,
        doi:10.1038/s41592-018-0033-z, who predict genes from genes). NaN, not counted, changes nothing.
        """
        shape = torch.where(value.isnan(), self.theta, self.theta + value)
        change = torch.where(value.isnan(), 0.0, (shape / (self.theta + self.mean)).log())
        return MeanDispersion(wanted.log_mean + change, shape, validate_args=False)

    def log_prob(self, value: Tensor | SparseRows) -> Tensor:
        return negative_binomial_log_prob(self.log_mean, self.given_theta, value)

    def log_prob_of_cells(self, rows: SparseRows, measured: Tensor | None = None) -> Tensor:
        """The sum over all features, or over those that were ``measured``; each feature has its dispersion."""
        return negative_binomial_log_prob_of_cells(self.log_mean, self.given_theta, rows, measured)

    def expected_log1p(self, scale: Tensor) -> Tensor:
        """``E[log1p(scale * x)]``, without sampling and without a gradient."""
        return expected_log1p(self.mean, scale, self.theta)


class NegativeBinomial(Likelihood):
    """``x ~ NB(mean = exposure * exp(base + output), theta)``."""

    scales_means: ClassVar[bool] = True
    is_sparse: ClassVar[bool] = True
    disperses: ClassVar[bool] = True

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.base = nn.Parameter(torch.zeros(n_features))
        self.log_theta = nn.Parameter(torch.zeros(n_features))

    def initialise(self, values: SparseRows, exposure: Float[Tensor, "cell 1"]) -> None:
        """Mean rate per feature, and the dispersion that matches the variance."""
        rate = (values.column_sum() + PSEUDOCOUNT) / exposure.sum()
        entry_exposure = values.each(exposure)
        squares = values.column_sum(values.values**2)
        cross = values.column_sum(values.values * entry_exposure)
        power = (exposure**2).sum()
        # sum over cells of (x - mean)^2 - mean, over the sum of mean^2
        excess = (squares - 2 * rate * cross + rate**2 * power - rate * exposure.sum()) / (rate**2 * power)
        with torch.no_grad():
            self.base.copy_(rate.log())
            self.log_theta.copy_((1 / excess.clamp(0.02, 20)).log())

    def scale_means(self, ratio: Float[Tensor, " feature"]) -> None:
        """Exactly: the base is the logarithm of a factor."""
        with torch.no_grad():
            self.base.add_(ratio.log())

    def dispersed(self, p: MeanDispersion, factor: Float[Tensor, "*feature"]) -> MeanDispersion:
        """See `MeanDispersion.dispersed`."""
        return p.dispersed(factor)

    def given(
        self, measured: MeanDispersion, value: Float[Tensor, "cell feature"], *, wanted: MeanDispersion
    ) -> MeanDispersion:
        """See `MeanDispersion.given`."""
        return measured.given(value, wanted)

    def forward(
        self,
        outputs: Float[Tensor, "1 cell feature"],
        *,
        exposure: Float[Tensor, "cell 1"],
        features: Int[Tensor, " feature"] | None = None,
    ) -> TorchDistributionMixin:
        log_mean = (outputs.squeeze(0) + pick(self.base, features)).add_(exposure.log())
        return MeanDispersion(log_mean, pick(self.log_theta, features).exp(), validate_args=False)
