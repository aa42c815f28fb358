"""The logarithm of a rising factorial, accurate where the difference of two log-gammas is not."""

from __future__ import annotations

import torch
from torch import Tensor

LARGE = 16.0
"""From here on Stirling's series is exact to single precision."""


def log_rising(start: Tensor, steps: Tensor) -> Tensor:
    """``log(start * (start + 1) * ... * (start + steps - 1))``, which is ``lgamma(start + steps) - lgamma(start)``.

    In single precision the two log-gammas of a large ``start`` swallow their difference, so there it comes from
    Stirling's series term by term.
    """
    large = start > LARGE
    small, big = torch.where(large, LARGE, start), torch.where(large, start, LARGE)
    end = big + steps
    stirling = steps * big.log() + (end - 0.5) * torch.log1p(steps / big) - steps + (1 / end - 1 / big) / 12
    return torch.where(large, stirling, torch.lgamma(small + steps) - torch.lgamma(small))


def rising_slope(start: Tensor, steps: Tensor) -> Tensor:
    """The slope of `log_rising` in ``start``, which is ``digamma(start + steps) - digamma(start)``.

    Of a large ``start`` again term by term: the derivative of Stirling's series.
    """
    large = start > LARGE
    small, big = torch.where(large, LARGE, start), torch.where(large, start, LARGE)
    end = big + steps
    stirling = torch.log1p(steps / big) + (1 / big - 1 / end) / 2 + (1 / big**2 - 1 / end**2) / 12
    return torch.where(large, stirling, torch.digamma(small + steps) - torch.digamma(small))
