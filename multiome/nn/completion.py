"""What a cell's measured features say of those that are not in its panel: conditional expectations of one Gaussian.

Encoders see them, so that cells are laid beside each other by what they are, and not by which panel they had.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

NOISE = 1e-3
"""Share of the mean variance that is added to what was measured, so that it can be inverted."""
N_ROUNDS = 20
"""Rounds of expectation and maximisation."""


def centring(found: Bool[Tensor, " feature"], *, relative: bool) -> Float[Tensor, "feature feature"]:
    """What turns a cell's values into those that were found, where they are ``relative`` less the mean of these."""
    weight = found.float()
    matrix = torch.diag(weight)
    return matrix - torch.outer(weight, weight) / weight.sum().clamp_min(1) if relative else matrix


def telling(
    covariance: Float[Tensor, "feature feature"], found: Bool[Tensor, " feature"], *, relative: bool
) -> Float[Tensor, "feature feature"]:
    """The weights by which what was found of a cell (features) tells all that would have been found (features)."""
    shown = centring(found, relative=relative) @ covariance
    noise = NOISE * covariance.diagonal().mean().clamp_min(1e-9)
    seen = shown @ centring(found, relative=relative) + noise * torch.eye(len(covariance)).to(covariance)
    return torch.linalg.solve(seen, shown)


def covariance_of(
    values: Float[Tensor, "cell feature"], measured: Bool[Tensor, "cell feature"], *, relative: bool
) -> Float[Tensor, "feature feature"]:
    """Covariance of values of mean 0, of which each cell has some: by expectation and maximisation.

    Features that no panel has together are related through those that they have in common.
    """
    panels, member = torch.unique(measured, dim=0, return_inverse=True)
    known = [values[member == p] @ centring(found, relative=relative) for p, found in enumerate(panels)]
    covariance = values.T @ values / len(values)
    for _ in range(N_ROUNDS):
        total = torch.zeros_like(covariance)
        for found, y in zip(panels, known, strict=True):
            weights = telling(covariance, found, relative=relative)
            whole = y @ weights
            left = covariance - covariance @ centring(found, relative=relative) @ weights
            total += whole.T @ whole + len(y) * left
        covariance = total / len(values)
    return (covariance + covariance.T) / 2
