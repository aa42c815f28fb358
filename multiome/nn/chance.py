"""Many independent chances at once, and dropout by them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

BITS = 16
"""Random bits behind each chance, so that probabilities are exact to 1 in 65,536."""


def chance(shape: Sequence[int], probability: float, *, device: torch.device | None = None) -> Bool[Tensor, ...]:
    """True with this probability, in every place for itself.

    On a CPU torch takes several times as long to draw a uniform number, or a Bernoulli variable, as these few bits.
    """
    if device is not None and device.type != "cpu":
        return torch.rand(tuple(shape), device=device) < probability
    below = round(probability * (1 << BITS)) - (1 << (BITS - 1))
    if below == 1 << (BITS - 1):
        return torch.ones(tuple(shape), dtype=torch.bool)
    return (_signed_bits(math.prod(shape)) < below).view(tuple(shape))


def random_bits(n: int, *, device: torch.device | None = None) -> Int[Tensor, " place"]:
    """`BITS` random bits in every place, as a whole number from 0."""
    if device is not None and device.type != "cpu":
        return torch.randint(1 << BITS, (n,), device=device)
    return _signed_bits(n).long() + (1 << (BITS - 1))


def _signed_bits(n: int) -> Int[Tensor, " place"]:
    words = torch.empty(-(-n * BITS // 64), dtype=torch.int64).random_(-(1 << 63), None)
    return words.view(torch.int16)[:n]


class Dropout(nn.Module):
    """Hide values at random while training, and scale the others up so that their mean stays."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        if not self.training or self.share == 0:
            return x
        keep = 1 - self.share
        return x * chance(x.shape, keep, device=x.device).to(x.dtype).div_(keep)
