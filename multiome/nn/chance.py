"""Many independent chances at once, and dropout by them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

BITS = 16
"""Random bits behind each chance, so that probabilities are exact to 1 in 65,536."""


def chance(shape: Sequence[int], probability: float, *, device: torch.device | None = None) -> Bool[Tensor, ...]:
    """True with this probability, in every place for itself.

    On a CPU torch takes several times as long to draw a uniform number, or a Bernoulli variable, as these few bits.
    """
    if device is not None and device.type != "cpu":
        return torch.rand(tuple(shape), device=device) < probability
    least, n = -(1 << (BITS - 1)), math.prod(shape)
    below = least + round(probability * (1 << BITS))
    if below > -least - 1:
        return torch.ones(tuple(shape), dtype=torch.bool)
    words = torch.empty(-(-n * BITS // 64), dtype=torch.int64).random_(-(1 << 63), None)
    return (words.view(torch.int16)[:n] < below).view(tuple(shape))


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
