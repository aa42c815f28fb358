"""Log-probabilities of sparse counts whose value and gradient take one pass over the dense block each.

Autograd of the same formulas keeps and walks through a dense block for every operation in them; what only stored
counts need (log-gammas, `value * log_mean`) is evaluated there alone. Where counts come as sparse rows, there is no
dense block of them at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from multiome.likelihoods.rising import log_rising
from multiome.types import SparseRows


def poisson_log_prob(log_rate: Tensor, value: Tensor | SparseRows) -> Tensor:
    """``value * log_rate - exp(log_rate) - log(value!)``."""
    shape = log_rate.shape if isinstance(value, SparseRows) else torch.broadcast_shapes(log_rate.shape, value.shape)
    return _Poisson.apply(log_rate.expand(shape), *counted(value, shape))


def negative_binomial_log_prob(log_mean: Tensor, theta: Tensor, value: Tensor | SparseRows) -> Tensor:
    """Of counts with this mean and inverse dispersion; ``theta`` is broadcast against ``log_mean``."""
    shape = torch.broadcast_shapes(log_mean.shape, theta.shape)
    if isinstance(value, Tensor):
        shape = torch.broadcast_shapes(shape, value.shape)
    return _NegativeBinomial.apply(log_mean.expand(shape), theta, *counted(value, shape))


def counted(value: Tensor | SparseRows, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Flat positions in a block of this shape, and values, of everything above 0."""
    if isinstance(value, SparseRows):
        there = value.values > 0
        places = value.places
        return (places, value.values) if there.all() else (places[there], value.values[there])
    value = value.expand(shape)
    mask = (value > 0).reshape(-1)
    # NumPy's is several times as fast as torch's own on one core
    places = torch.from_numpy(np.flatnonzero(mask.numpy())) if mask.device.type == "cpu" else mask.nonzero()[:, 0]
    return places, value.take(places)


def added(block: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """The block, to which values have been added at flat positions."""
    block.view(-1).scatter_add_(0, places, values)
    return block


class _Poisson(Function):
    """Gradient: ``value - rate``."""

    @staticmethod
    def forward(ctx: Any, log_rate: Tensor, places: Tensor, value: Tensor) -> Tensor:
        minus_rate = log_rate.exp().neg_()
        ctx.save_for_backward(minus_rate, places, value)
        told = value * log_rate.take(places)
        several = (value > 1).nonzero()[:, 0]
        told.index_add_(0, several, torch.lgamma(value[several] + 1), alpha=-1)
        return added(minus_rate.clone(), places, told)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        minus_rate, places, value = ctx.saved_tensors
        return added(minus_rate.clone(), places, value).mul_(grads[0]), None, None


class _NegativeBinomial(Function):
    """With ``share = mean / (mean + theta)``, the gradient for ``log_mean`` is ``value - (value + theta) * share``."""

    @staticmethod
    def forward(ctx: Any, log_mean: Tensor, theta: Tensor, places: Tensor, x: Tensor) -> Tensor:
        ratio = log_mean - theta.log()
        odds = ratio.exp()  # and its log1p: half as long as torch's softplus and, for the gradient, its sigmoid
        excess = odds.log1p()
        ways, slope = _orders(theta.expand_as(ratio).take(places), x, slope=ctx.needs_input_grad[1])
        told = (ratio.take(places) - excess.take(places)).mul_(x).add_(ways)
        out = added((excess * -theta).contiguous(), places, told)
        ctx.save_for_backward(theta, odds, excess, places, x, slope)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        theta, odds, excess, places, x, slope = ctx.saved_tensors
        share = odds / (odds + 1)
        rest = x * (1 - share.take(places))
        for_mean = added(share * -theta, places, rest).mul_(grads[0])
        if slope is None:
            return for_mean, None, None, None
        for_theta = added(share.sub_(excess), places, slope - rest / theta.expand_as(odds).take(places))
        return for_mean, for_theta.mul_(grads[0]).sum_to_size(theta.shape), None, None


@torch.no_grad()
def _orders(theta: Tensor, x: Tensor, *, slope: bool) -> tuple[Tensor, Tensor | None]:
    """``log(theta * (theta + 1) * ... * (theta + x - 1) / x!)`` of counts above 0, and its slope in ``theta``.

    Most counts are 1, for which that is the logarithm of theta.
    """
    ways, slopes = theta.log(), theta.reciprocal() if slope else None
    several = (x > 1).nonzero()[:, 0]
    if not len(several):
        return ways, slopes
    start, more = theta[several] + 1, x[several] - 1
    with torch.enable_grad():
        start.requires_grad_(slope)
        rising = log_rising(start, more)
        if slopes is not None:
            slopes.index_add_(0, several, torch.autograd.grad(rising.sum(), start)[0])
    ways.index_add_(0, several, rising.detach() - torch.lgamma(more + 2))
    return ways, slopes
