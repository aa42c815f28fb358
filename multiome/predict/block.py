"""Some cells of a query, and everything that is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Normal

from multiome.model.channel import Channel
from multiome.types import Batch


@dataclass(frozen=True)
class Borrowed:
    """Some features, the cells as if measured in a batch that has them, and the average cell there."""

    features: Tensor
    batch: Batch
    centre: Tensor | None


@dataclass(frozen=True)
class Block:
    """Some cells of a query."""

    index: np.ndarray
    batch: Batch
    q: Normal
    """q(z | sources)."""
    log_depth: Tensor
    log_depth_std: Tensor
    """Expected log exposure of the target, and its standard deviation (cell x 1)."""
    centre: Tensor | None
    """Trunk outputs of the average cell, towards which predictions are moved (cell x hidden)."""
    borrowed: Sequence[Borrowed] = ()
    """The same cells in other batches, for features that their own were not measured in."""

    def exposure(self, noise: Tensor | float) -> Tensor:
        """The target's exposure (cell x 1), uncertain where it was predicted; ``noise`` is standard normal."""
        return (self.log_depth + self.log_depth_std * noise).exp().to(self.q.loc)


@dataclass(frozen=True)
class Told:
    """What the trunk says of some cells at given states, of which any features can be decoded."""

    h: Tensor
    elsewhere: Sequence[tuple[Tensor, Tensor]] = ()
    """Features that are decoded from what it says of the same cells in other batches, and this."""
    measured: Told | None = None
    """The same in the batches in which the target was measured, where its own values are among what is known."""

    def decoded(self, channel: Channel, exposure: Tensor, features: Tensor | None) -> Any:
        """The distribution of some features, or of all, at a depth."""
        if not self.elsewhere:
            return channel.decode(self.h, exposure, features)
        outputs = channel.head(self.h)
        for those, h in self.elsewhere:
            outputs[:, :, those] = channel.head(h, those)
        outputs = outputs if features is None else outputs[:, :, features]
        return channel.likelihood(outputs, exposure=exposure, features=features)


def as_column(values: np.ndarray) -> Tensor:
    """One value per cell, as float32 (cell x 1)."""
    return torch.from_numpy(values.astype(np.float32))[:, None]
