"""What the verbs read: a trained model, what it was built for, and what was learnt of its predictions."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from multiome.data.spec import DataSpec
from multiome.model.config import ModelConfig
from multiome.model.vae import MultiomeVAE
from multiome.predict.depth import DepthModel
from multiome.predict.shrinkage import Shrinkage


@dataclass(frozen=True)
class Fitted:
    """A trained model as a value."""

    vae: MultiomeVAE
    spec: DataSpec
    config: ModelConfig
    depth: DepthModel
    shrinkage: Shrinkage

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.vae.parameters()).device
