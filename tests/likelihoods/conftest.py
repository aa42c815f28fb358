"""Every likelihood, initialised from data that it describes."""

from __future__ import annotations

from dataclasses import dataclass

import pyro.distributions as dist
import pytest
import scipy.sparse as sp
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from multiome.likelihoods.base import Likelihood
from multiome.likelihoods.bernoulli import Bernoulli
from multiome.likelihoods.beta_binomial import BetaBinomial
from multiome.likelihoods.negative_binomial import NegativeBinomial
from multiome.likelihoods.normal import Normal
from multiome.likelihoods.poisson import Poisson
from multiome.likelihoods.protein_mixture import ProteinMixture
from multiome.types import SparseRows

N_CELLS, N_FEATURES = 600, 5


@dataclass(frozen=True)
class Case:
    """A likelihood, the cells that it was initialised from, and outputs to try."""

    likelihood: Likelihood
    values: Tensor
    exposure: Tensor
    """Depth ``(cell, 1)``, or coverage ``(cell, feature)``."""

    def outputs(self, spread: float, n_cells: int = N_CELLS) -> Tensor:
        return spread * torch.randn(self.likelihood.n_outputs, n_cells, N_FEATURES)

    def decode(self, outputs: Tensor, features: Tensor | None = None) -> TorchDistributionMixin:
        """The distribution for the first cells, as many as there are outputs."""
        exposure = self.exposure[: outputs.shape[1]]
        if features is not None and exposure.shape[1] > 1:
            exposure = exposure[:, features]
        return self.likelihood(outputs, exposure=exposure, features=features)


def sparse(values: Tensor) -> SparseRows:
    return SparseRows.from_scipy(sp.csr_matrix(values.numpy()))


def draw(kind: type[Likelihood], depth: Tensor, coverage: Tensor) -> Tensor:
    """Values of the kind that a likelihood is for."""
    rate = depth * torch.tensor([0.05, 0.3, 1.0, 3.0, 12.0])
    if kind is Poisson:
        return dist.Poisson(rate).sample()
    if kind is Bernoulli:
        return (dist.Poisson(rate).sample() > 0).float()
    if kind is NegativeBinomial:
        return dist.Poisson(dist.Gamma(2.0, 2.0 / rate).sample()).sample()
    if kind is ProteinMixture:
        high = torch.rand(rate.shape) < torch.tensor([0.0, 0.1, 0.3, 0.5, 0.8])
        return dist.Poisson(dist.Gamma(5.0, 5.0 / (depth * torch.where(high, 30.0, 3.0))).sample()).sample()
    if kind is BetaBinomial:
        a = torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0]).expand_as(coverage)
        return dist.BetaBinomial(a, torch.full_like(a, 2.0), coverage).sample()
    return torch.tensor([-3.0, 0.0, 0.1, 1.0, 50.0]) + torch.tensor([0.5, 1.0, 0.01, 3.0, 9.0]) * torch.randn_like(rate)


@pytest.fixture(
    params=[NegativeBinomial, Poisson, Bernoulli, ProteinMixture, BetaBinomial, Normal], ids=lambda kind: kind.__name__
)
def case(request: pytest.FixtureRequest) -> Case:
    depth = torch.exp(0.4 * torch.randn(N_CELLS, 1))
    coverage = torch.poisson(torch.full((N_CELLS, N_FEATURES), 2.0))
    values = draw(request.param, depth, coverage)
    likelihood = request.param(N_FEATURES)
    if request.param is BetaBinomial:
        calls = sp.csr_matrix(coverage.numpy())
        covered = SparseRows.from_scipy(calls)
        likelihood.initialise(covered.with_values(values[covered.rows, covered.indices]), covered)
        return Case(likelihood, values, coverage)
    likelihood.initialise(sparse(values), depth)
    return Case(likelihood, values, depth)
