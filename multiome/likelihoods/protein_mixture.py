"""Surface protein counts: ambient background, or background plus a real signal."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from pyro.distributions.torch_distribution import TorchDistribution, TorchDistributionMixin
from torch import Tensor, nn
from torch.distributions import constraints
from torch.nn.functional import logsigmoid, softplus

from multiome.likelihoods.base import PSEUDOCOUNT, Likelihood, pick
from multiome.likelihoods.negative_binomial import MeanDispersion
from multiome.types import SparseRows

MAX_CELLS = 2_000
"""Training cells looked at to initialise."""
EM_STEPS, STARTS = 10, (0.1, 0.3, 0.6)
"""Steps of expectation and maximisation, from each of some shares of cells in the foreground."""
EXCESS = (0.3, 0.5)
"""Bounds of the squared coefficient of variation of rates within a component: a background of less would be zeros
alone, a foreground of more would take in the background."""
LEAST_INCREASE = 0.5
"""Initially the foreground lies at least this share above the background."""


class BackgroundForeground(TorchDistribution):
    """Mixture of two negative binomials, ``P(foreground) = sigmoid(logit)``."""

    arg_constraints: ClassVar[dict[str, Any]] = {"logit": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(
        self,
        background: MeanDispersion,
        foreground: MeanDispersion,
        logit: Tensor,
        *,
        validate_args: bool | None = None,
    ) -> None:
        shape = torch.broadcast_shapes(background.batch_shape, foreground.batch_shape, logit.shape)
        self.components = (background.expand(shape), foreground.expand(shape))
        self.logit = logit.expand(shape)
        super().__init__(shape, validate_args=validate_args)

    @property
    def foreground(self) -> Tensor:
        """Probability of foreground before a count is seen."""
        return self.logit.sigmoid()

    @property
    def mean(self) -> Tensor:
        background, foreground = self.components
        return torch.lerp(background.mean, foreground.mean, self.foreground)

    @property
    def variance(self) -> Tensor:
        background, foreground = self.components
        within = torch.lerp(background.variance, foreground.variance, self.foreground)
        return within + self.foreground * (-self.logit).sigmoid() * (foreground.mean - background.mean) ** 2

    def expand(self, batch_shape: Any, _instance: Any = None) -> BackgroundForeground:
        background, foreground = (component.expand(batch_shape) for component in self.components)
        return BackgroundForeground(background, foreground, self.logit.expand(batch_shape), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            background, foreground = (component.sample(sample_shape) for component in self.components)
            return torch.where(torch.rand_like(foreground) < self.foreground, foreground, background)

    def dispersed(self, factor: Tensor) -> BackgroundForeground:
        """The same means and probability, ``theta`` of both components multiplied."""
        background, foreground = (component.dispersed(factor) for component in self.components)
        return BackgroundForeground(background, foreground, self.logit, validate_args=False)

    def given(self, value: Tensor, wanted: BackgroundForeground) -> BackgroundForeground:
        """Another measurement (``wanted``) of the same cell, given what this one counted.

        By Bayes' rule the count says which component the cell is of, and within each where its rate lies. NaN, not
        counted, changes nothing.
        """
        background, foreground = self.components
        counts = value.nan_to_num()
        told = foreground.log_prob(counts) - background.log_prob(counts)
        logit = torch.where(value.isnan(), wanted.logit, self.logit + told)
        each = [mine.given(value, theirs) for mine, theirs in zip(self.components, wanted.components, strict=True)]
        return BackgroundForeground(each[0], each[1], logit, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        background, foreground = (component.log_prob(value) for component in self.components)
        return torch.logaddexp(logsigmoid(-self.logit) + background, logsigmoid(self.logit) + foreground)

    def expected_log1p(self, scale: Tensor) -> Tensor:
        """``E[log1p(scale * x)]``, without sampling."""
        background, foreground = (component.expected_log1p(scale) for component in self.components)
        return torch.lerp(background, foreground, self.foreground)


class ProteinMixture(Likelihood):
    """Background or foreground, each a negative binomial with its own dispersion per protein.

    The three outputs of a protein shift the log mean of the background, the logarithm of the relative increase that
    makes the foreground (which so always lies above), and the logit of being foreground::

        background = exposure * exp(background_base + output[0])
        foreground = background * (1 + exp(increment_base + output[1]))
        P(foreground) = sigmoid(logit_base + output[2])
    """

    n_outputs: ClassVar[int] = 3
    disperses: ClassVar[bool] = True

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.background_base = nn.Parameter(torch.zeros(n_features))
        self.increment_base = nn.Parameter(torch.zeros(n_features))
        self.logit_base = nn.Parameter(torch.zeros(n_features))
        self.log_theta = nn.Parameter(torch.zeros(2, n_features))

    def initialise(self, values: SparseRows, exposure: Float[Tensor, "cell 1"]) -> None:
        """Split every protein's cells into low and high, and match the moments of both."""
        counts, depth = _some_cells(values, exposure)
        high = _probability_high(counts, depth)
        weights = torch.stack([1 - high, high])
        total = weights.sum(1)
        rate = _rate(weights, counts, depth)
        ratio = (rate[1] / rate[0]).clamp_min(1 + LEAST_INCREASE)
        share = total[1] / total.sum(0)
        average = (values.column_sum() + PSEUDOCOUNT) / exposure.sum()
        background = average / (1 - share + share * ratio)  # so that the mixture's mean is the average
        mean = depth * torch.stack([background, background * ratio])[:, None]
        excess = _excess(weights, counts, mean)
        with torch.no_grad():
            self.background_base.copy_(background.log())
            self.increment_base.copy_((ratio - 1).log())
            self.logit_base.copy_(share.logit())
            self.log_theta.copy_(-excess.clamp(0.05, 10).log())

    def dispersed(self, p: BackgroundForeground, factor: Float[Tensor, "*feature"]) -> BackgroundForeground:
        """See `BackgroundForeground.dispersed`."""
        return p.dispersed(factor)

    def given(
        self, measured: BackgroundForeground, value: Float[Tensor, "cell feature"], *, wanted: BackgroundForeground
    ) -> BackgroundForeground:
        """See `BackgroundForeground.given`."""
        return measured.given(value, wanted)

    def forward(
        self,
        outputs: Float[Tensor, "3 cell feature"],
        *,
        exposure: Float[Tensor, "cell 1"],
        features: Int[Tensor, " feature"] | None = None,
    ) -> TorchDistributionMixin:
        theta_background, theta_foreground = (pick(row, features).exp() for row in self.log_theta)
        low = outputs[0] + pick(self.background_base, features) + exposure.log()
        high = low + softplus(outputs[1] + pick(self.increment_base, features))
        return BackgroundForeground(
            MeanDispersion(low, theta_background, validate_args=False),
            MeanDispersion(high, theta_foreground, validate_args=False),
            outputs[2] + pick(self.logit_base, features),
            validate_args=False,
        )


def _some_cells(
    values: SparseRows, exposure: Float[Tensor, "cell 1"]
) -> tuple[Float[Tensor, "some feature"], Float[Tensor, "some 1"]]:
    """Dense counts and the depth of at most `MAX_CELLS` cells, the same ones every time."""
    chosen = torch.randperm(len(values), generator=torch.Generator().manual_seed(0))[:MAX_CELLS].to(exposure.device)
    place = torch.full((len(values),), -1, device=exposure.device)
    place[chosen] = torch.arange(len(chosen), device=exposure.device)
    row = place[values.rows]
    keep = row >= 0
    counts = exposure.new_zeros(len(chosen), values.n_features)
    counts[row[keep], values.indices[keep]] = values.values[keep]
    return counts, exposure[chosen]


def _rate(
    weights: Float[Tensor, "2 some feature"], counts: Float[Tensor, "some feature"], exposure: Float[Tensor, "some 1"]
) -> Float[Tensor, "2 feature"]:
    """Counts per exposure of both components."""
    return ((weights * counts).sum(1) + PSEUDOCOUNT / 2) / (weights * exposure).sum(1)


def _excess(
    weights: Float[Tensor, "2 some feature"],
    counts: Float[Tensor, "some feature"],
    mean: Float[Tensor, "2 some feature"],
) -> Float[Tensor, "2 feature"]:
    """Squared coefficient of variation of both components' rates: the variance of counts beyond Poisson's."""
    return (weights * ((counts - mean) ** 2 - mean)).sum(1) / (weights * mean**2).sum(1)


def _probability_high(
    counts: Float[Tensor, "some feature"], depth: Float[Tensor, "some 1"]
) -> Float[Tensor, "some feature"]:
    """Two negative binomials per feature by EM: the probability of the upper one, from the most likely of some starts.

    Half of a depth's logarithm counts: much of a protein's total is the few proteins that the cell has in foreground.
    """
    exposure = depth.sqrt()
    scaled = counts / exposure
    best = torch.full_like(counts[0], -torch.inf)
    found = torch.zeros_like(counts)
    for start in STARTS:
        high = (scaled > torch.quantile(scaled, 1 - start, dim=0)) * 0.8 + 0.1
        for _ in range(EM_STEPS):
            weights = torch.stack([1 - high, high])
            rate = _rate(weights, counts, exposure)
            rate[1] = rate[1].maximum(rate[0] * (1 + LEAST_INCREASE))
            share = (weights.sum(1) + 1) / (len(counts) + 2)
            mean = exposure * rate[:, None]
            excess = _excess(weights, counts, mean).clamp(*EXCESS)
            each = MeanDispersion(mean.log(), 1 / excess[:, None], validate_args=False)
            joint = each.log_prob(counts.expand_as(mean)) + share.log()[:, None]
            high = (joint[1] - joint[0]).sigmoid()
        likelihood = joint.logsumexp(0).sum(0)
        found = torch.where(likelihood > best, high, found)
        best = best.maximum(likelihood)
    return found
