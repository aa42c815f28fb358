"""Log-probabilities of sparse counts: of every entry, or of whole cells, which is what training minimises.

What only counts above 0 need (log-gammas, `value * log_mean`) is evaluated there alone. Those of whole cells have their
gradient written out: what autograd of the same formulas would keep, and walk through again, is a dense block for every
operation in them; here a block is made once, summed as it is, and turned into the gradient in place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from multiome.likelihoods.rising import log_rising, rising_slope
from multiome.types import SparseRows, positions


def poisson_log_prob(log_rate: Tensor, value: Tensor | SparseRows) -> Tensor:
    """``value * log_rate - exp(log_rate) - log(value!)``."""
    shape = shared_shape(value, log_rate)
    places, x = counted(value, shape)
    told = x * log_rate.expand(shape).take(places) - log_factorial(x)
    return added((-log_rate.exp()).expand(shape), places, told)


def negative_binomial_log_prob(log_mean: Tensor, theta: Tensor, value: Tensor | SparseRows) -> Tensor:
    """Of counts with this mean and inverse dispersion; ``theta`` is broadcast against ``log_mean``."""
    shape = shared_shape(value, log_mean, theta)
    places, x = counted(value, shape)
    ratio = log_mean - theta.log()
    excess = ratio.exp().log1p()
    ways = log_rising(theta.expand(shape).take(places), x) - log_factorial(x)
    told = x * (ratio - excess).expand(shape).take(places) + ways
    return added((-theta * excess).expand(shape), places, told)


def shared_shape(value: Tensor | SparseRows, *parameters: Tensor) -> torch.Size:
    """Of the block that values and parameters make together."""
    shape = torch.Size((len(value), value.n_features)) if isinstance(value, SparseRows) else value.shape
    return torch.Size(np.broadcast_shapes(shape, *(p.shape for p in parameters)))  # torch's own takes 30 times as long


def counted(value: Tensor | SparseRows, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Flat positions in a block of this shape, and values, of everything above 0."""
    if isinstance(value, SparseRows):
        there = value.values > 0
        places = value.places
        return (places, value.values) if there.all() else (places[there], value.values[there])
    value = value.expand(shape)
    places = positions((value > 0).reshape(-1))
    return places, value.take(places)


def added(block: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """The block, to which values have been added at flat positions."""
    return block.reshape(-1).scatter_add(0, places, values).view(block.shape)


def log_factorial(x: Tensor) -> Tensor:
    """``log(x!)``; most counts are 1, where it is 0."""
    several = positions(x > 1)
    return torch.zeros_like(x).index_copy_(0, several, torch.lgamma(x[several] + 1))


def poisson_log_prob_of_cells(log_rate: Tensor, rows: SparseRows, measured: Tensor | None = None) -> Tensor:
    """Sums of `poisson_log_prob` over the features that were ``measured`` in each cell, or over all (cells)."""
    return _Poisson.apply(log_rate, Entries.of(rows), measured)


def negative_binomial_log_prob_of_cells(
    log_mean: Tensor, theta: Tensor, rows: SparseRows, measured: Tensor | None = None
) -> Tensor:
    """Sums of `negative_binomial_log_prob` over features, of which each has its ``theta``, as above (cells)."""
    return _NegativeBinomial.apply(log_mean, theta, Entries.of(rows), measured)


class Entries(NamedTuple):
    """Everything above 0."""

    cell: Tensor
    feature: Tensor
    x: Tensor
    place: Tensor
    """Position in the flat block of these cells and features."""

    @classmethod
    def of(cls, rows: SparseRows) -> Entries:
        found = (rows.rows, rows.indices, rows.values, rows.places)
        there = rows.values > 0
        return cls(*found) if there.all() else cls(*(part[there] for part in found))


class _Poisson(Function):
    """Gradient: ``value - rate``."""

    @staticmethod
    def forward(ctx: Any, log_rate: Tensor, entries: Entries, measured: Tensor | None) -> Tensor:
        cell, _, x, place = entries
        told = x * log_rate.take(place) - log_factorial(x)
        rate = log_rate.exp()
        if measured is not None:
            rate, told, x = rate.mul_(measured), told * measured.take(place), x * measured.take(place)
        ctx.save_for_backward(rate, cell, place, x)
        return rate.sum(1).neg_().index_add_(0, cell, told)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rate, cell, place, x = ctx.saved_tensors
        return into(rate.mul_(-grads[0][:, None]), place, x * grads[0].index_select(0, cell)), None, None


class _NegativeBinomial(Function):
    """With ``share = mean / (mean + theta)``, the gradient for ``log_mean`` is ``value - (value + theta) * share``."""

    @staticmethod
    def forward(ctx: Any, log_mean: Tensor, theta: Tensor, entries: Entries, measured: Tensor | None) -> Tensor:
        cell, feature, x, place = entries
        odds = log_mean - theta.log()
        ratio = odds.take(place)
        odds = odds.exp_()  # and its log1p: half as long as torch's softplus and, for the gradient, its sigmoid
        excess = odds.log1p()
        ways, slope = _orders(theta, feature, x, slope=ctx.needs_input_grad[1])
        told = (ratio - excess.take(place)).mul_(x).add_(ways)
        if measured is not None:
            excess.mul_(measured)
            there = measured.take(place)
            told, x, slope = told * there, x * there, None if slope is None else slope * there
        ctx.save_for_backward(theta, odds, excess, cell, feature, place, x, slope, measured)
        return (excess @ theta).neg_().index_add_(0, cell, told)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        theta, odds, excess, cell, feature, place, x, slope, measured = ctx.saved_tensors
        weight = grads[0]
        at_entry = weight.index_select(0, cell)
        share = odds.div_(odds + 1)
        rest = x * (1 - share.take(place)) * at_entry
        if measured is not None:
            share.mul_(measured)
        for_theta = None
        if slope is not None:
            own = theta.index_select(0, feature)
            for_theta = (weight @ (share - excess)).index_add_(0, feature, slope * at_entry - rest / own)
        for_mean = into(share.mul_(-theta).mul_(weight[:, None]), place, rest)
        return for_mean, for_theta, None, None


def into(block: Tensor, place: Tensor, values: Tensor) -> Tensor:
    """The block itself, to which values are added at flat positions."""
    block.view(-1).scatter_add_(0, place, values)
    return block


TABLED = 16
"""Counts up to this are looked up in a table of every feature; few are larger, and computed one by one."""


@torch.no_grad()
def _orders(theta: Tensor, feature: Tensor, x: Tensor, *, slope: bool) -> tuple[Tensor, Tensor | None]:
    """``log(theta * (theta + 1) * ... * (theta + x - 1) / x!)`` of counts above 0, and its slope in ``theta``.

    Each feature has its ``theta``.
    """
    before = torch.arange(TABLED, device=theta.device)
    rising = theta[:, None] + before
    tabled = x.long().clamp(1, TABLED)
    place = feature * TABLED + (tabled - 1)
    ways = (rising / (before + 1)).log().cumsum(1).take(place)
    slopes = rising.reciprocal().cumsum(1).take(place) if slope else None
    others = positions(x != tabled)
    if len(others):
        start, count = theta[feature[others]], x[others]
        ways[others] = log_rising(start, count) - torch.lgamma(count + 1)
        if slopes is not None:
            slopes[others] = rising_slope(start, count)
    return ways, slopes
