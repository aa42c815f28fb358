"""Log-probabilities of sparse counts whose value and gradient take one pass over the dense block each.

Autograd of the same formulas keeps and walks through a dense block for every operation in them; what only stored
counts need (log-gammas, `value * log_mean`) is evaluated there alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import softplus

from multiome.likelihoods.rising import log_rising


def poisson_log_prob(log_rate: Tensor, value: Tensor) -> Tensor:
    """``value * log_rate - exp(log_rate) - log(value!)``."""
    return _Poisson.apply(*torch.broadcast_tensors(log_rate, value))


def negative_binomial_log_prob(log_mean: Tensor, theta: Tensor, value: Tensor) -> Tensor:
    """Of counts with this mean and inverse dispersion; ``theta`` is broadcast against ``log_mean``."""
    shape = torch.broadcast_shapes(log_mean.shape, theta.shape, value.shape)
    return _NegativeBinomial.apply(log_mean.expand(shape), theta, value.expand(shape))


def larger(value: Tensor, than: float) -> Tensor:
    """Flat positions of the values larger than this."""
    mask = (value > than).reshape(-1)
    if mask.device.type == "cpu":  # several times as fast as torch's own on one core
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.nonzero()[:, 0]


class _Poisson(Function):
    """Gradient: ``value - rate``."""

    @staticmethod
    def forward(ctx: Any, log_rate: Tensor, value: Tensor) -> Tensor:
        rate = log_rate.exp()
        ctx.save_for_backward(rate, value)
        out = torch.addcmul(-rate, value, log_rate)
        several = larger(value, 1)
        out.view(-1).index_add_(0, several, torch.lgamma(value.take(several) + 1), alpha=-1)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        rate, value = ctx.saved_tensors
        return (value - rate).mul_(grads[0]), None


class _NegativeBinomial(Function):
    """With ``share = mean / (mean + theta)``, the gradient for ``log_mean`` is ``value - (value + theta) * share``."""

    @staticmethod
    def forward(ctx: Any, log_mean: Tensor, theta: Tensor, value: Tensor) -> Tensor:
        ratio = log_mean - theta.log()
        excess = softplus(ratio)
        seen = larger(value, 0)
        x, dispersion = value.take(seen), theta.expand_as(ratio).take(seen)
        with torch.enable_grad():
            dispersion.requires_grad_(ctx.needs_input_grad[1])
            rising = log_rising(dispersion, x)
            slope = torch.autograd.grad(rising.sum(), dispersion)[0] if rising.requires_grad else None
        told = x * (ratio.take(seen) - excess.take(seen)) + rising.detach() - torch.lgamma(x + 1)
        out = (excess * -theta).contiguous()
        out.view(-1).index_add_(0, seen, told)
        ctx.save_for_backward(theta, ratio, excess, seen, x, slope)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None]:
        theta, ratio, excess, seen, x, slope = ctx.saved_tensors
        share = ratio.sigmoid()
        rest = x * (1 - share.take(seen))
        for_mean = share * -theta
        for_mean.view(-1).index_add_(0, seen, rest)
        for_mean *= grads[0]
        if slope is None:
            return for_mean, None, None
        for_theta = share.sub_(excess)
        for_theta.view(-1).index_add_(0, seen, slope - rest / theta.expand_as(ratio).take(seen))
        return for_mean, for_theta.mul_(grads[0]).sum_to_size(theta.shape), None
