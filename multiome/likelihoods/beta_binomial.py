"""Methylated calls out of all calls, with a dispersion per site or region (DNA methylation)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from pyro.distributions.torch_distribution import TorchDistribution, TorchDistributionMixin
from torch import Tensor, nn
from torch.distributions import Beta, constraints
from torch.nn.functional import logsigmoid

from multiome.likelihoods.base import Likelihood, pick
from multiome.likelihoods.rising import log_rising
from multiome.types import SparseRows

FIXED_CONCENTRATION = 1e4
"""Stands for no dispersion, where the data cannot say how much there is."""


class LogitBetaBinomial(TorchDistribution):
    """Beta-binomial by the logit of the mean fraction and the beta's concentration ``a + b``.

    Written for sparse coverage: where nothing was covered the log-probability and its gradient are exactly 0, a single
    call costs one log-sigmoid, and only several calls need log-gammas.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "logit": constraints.real,
        "concentration": constraints.positive,
        "total_count": constraints.nonnegative_integer,
    }

    def __init__(
        self, logit: Tensor, concentration: Tensor, total_count: Tensor, *, validate_args: bool | None = None
    ) -> None:
        self.logit, self.concentration, self.total_count = torch.broadcast_tensors(logit, concentration, total_count)
        super().__init__(self.logit.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        return constraints.integer_interval(0, self.total_count)

    @property
    def fraction(self) -> Tensor:
        """The mean of the beta: the expected methylated fraction, whatever the coverage."""
        return self.logit.sigmoid()

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.fraction

    @property
    def variance(self) -> Tensor:
        binomial = self.mean * (-self.logit).sigmoid()
        return binomial * (1 + (self.total_count - 1).clamp_min(0) / (self.concentration + 1))

    def expand(self, batch_shape: Any, _instance: Any = None) -> LogitBetaBinomial:
        parameters = (self.logit, self.concentration, self.total_count)
        return LogitBetaBinomial(*(p.expand(batch_shape) for p in parameters), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            a, b = self.fraction * self.concentration, (-self.logit).sigmoid() * self.concentration
            fraction = Beta(a.clamp_min(1e-6), b.clamp_min(1e-6), validate_args=False).sample(sample_shape)
            return torch.binomial(self.total_count.expand_as(fraction).contiguous(), fraction)

    def given(self, value: Tensor, wanted: LogitBetaBinomial) -> LogitBetaBinomial:
        """Other calls (``wanted``) of the same cell, given how many of these were methylated.

        The fraction's beta distribution, with the calls of each kind added to its parameters. NaN, not recorded,
        changes nothing.
        """
        yes = value.nan_to_num()
        no = torch.where(value.isnan(), 0.0, self.total_count - yes)
        a = self.fraction * self.concentration + yes
        b = (-self.logit).sigmoid() * self.concentration + no
        a, b = a.clamp_min(1e-8), b.clamp_min(1e-8)
        logit = a.log() - b.log() + wanted.logit - self.logit
        return LogitBetaBinomial(logit, a + b, wanted.total_count, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(value.shape, self.logit.shape)
        covered = (self.total_count.expand(shape) > 0).nonzero(as_tuple=True)
        logit, yes = self.logit.expand(shape)[covered], value.expand(shape)[covered]
        no = self.total_count.expand(shape)[covered] - yes
        # the first call of each kind; where there is only one call, its concentration cancels and this is all
        log_probability = (yes > 0) * logsigmoid(logit) + (no > 0) * logsigmoid(-logit)
        several = ((yes + no) > 1).nonzero(as_tuple=True)
        if len(several[0]):
            concentration = self.concentration.expand(shape)[covered][several]
            later = _later_calls(logit[several], concentration, yes[several], no[several])
            log_probability = log_probability.index_put(several, later, accumulate=True)
        return self.logit.new_zeros(shape).index_put(covered, log_probability)


def _later_calls(logit: Tensor, concentration: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Add up what the calls beyond the first of each kind say, and the orders in which all can come."""
    a, b = logit.sigmoid() * concentration, (-logit).sigmoid() * concentration
    both = (yes > 0) & (no > 0)
    ways = torch.lgamma(yes + no + 1) - torch.lgamma(yes + 1) - torch.lgamma(no + 1)
    first = both * concentration.log() - log_rising(concentration + 1, yes + no - 1)
    return ways + first + log_rising(a + 1, (yes - 1).clamp_min(0)) + log_rising(b + 1, (no - 1).clamp_min(0))


class BetaBinomial(Likelihood):
    """``x ~ BetaBinomial(n = coverage, mean fraction = sigmoid(base + output), concentration)``.

    Exposure is the coverage of each entry; an entry without coverage says nothing. A feature that is never covered more
    than once in the training cells cannot tell its concentration (a single call is Bernoulli whatever its value), so
    there it stays fixed at a large one and is not trained.
    """

    is_count = True
    identified: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.base = nn.Parameter(torch.zeros(n_features))
        self.log_concentration = nn.Parameter(torch.ones(n_features))
        self.register_buffer("identified", torch.ones(n_features, dtype=torch.bool))

    def initialise(self, values: SparseRows, exposure: SparseRows) -> None:
        """Mean fraction per feature, and the concentration that matches the variance; ``exposure`` is the coverage."""
        x, n, column = values.values, exposure.values, values.indices
        calls = values.column_sum(n)
        overall = (x.sum() / n.sum().clamp_min(1)).clamp(0.01, 0.99)
        fraction = (values.column_sum() + overall) / (calls + 1)  # one call's worth of the average feature
        noise = n * (fraction * (1 - fraction))[column]
        # variance = noise * (1 + (n - 1) * correlation), with noise-weighted pairs of calls as the evidence
        surplus = values.column_sum((x - n * fraction[column]) ** 2 - noise)
        pairs = values.column_sum(noise * (n - 1).clamp_min(0))
        typical = (surplus.sum() / pairs.sum().clamp_min(1e-6)).clamp(0.01, 0.9)
        weak = 10 * fraction * (1 - fraction)  # ten pairs of calls that say what the average feature says
        correlation = ((surplus + weak * typical) / (pairs + weak)).clamp(0.005, 0.9)
        deepest = torch.zeros_like(calls).scatter_reduce_(0, column, n, "amax")
        with torch.no_grad():
            self.base.copy_(fraction.logit())
            self.log_concentration.copy_((1 / correlation - 1).log())
            self.identified.copy_(deepest > 1)

    @property
    def unknown_spread(self) -> Bool[Tensor, " feature"] | None:
        """Those never covered twice."""
        return ~self.identified

    def given(
        self, measured: LogitBetaBinomial, value: Float[Tensor, "cell feature"], *, wanted: LogitBetaBinomial
    ) -> LogitBetaBinomial:
        """See `LogitBetaBinomial.given`."""
        return measured.given(value, wanted)

    def forward(
        self,
        outputs: Float[Tensor, "1 cell feature"],
        *,
        exposure: Float[Tensor, "cell feature"],
        features: Int[Tensor, " feature"] | None = None,
    ) -> TorchDistributionMixin:
        concentration = torch.where(self.identified, self.log_concentration.exp(), FIXED_CONCENTRATION)
        logit = outputs[0] + pick(self.base, features)
        return LogitBetaBinomial(logit, pick(concentration, features), exposure, validate_args=False)
