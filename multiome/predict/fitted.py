"""What the verbs read: a trained model, what it was built for, and how depth carries over between modalities."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from multiome.data.spec import DataSpec
from multiome.model.config import ModelConfig
from multiome.model.vae import MultiomeVAE
from multiome.predict.depth import DepthModel


@dataclass(frozen=True)
class Fitted:
    """A trained model as a value."""

    vae: MultiomeVAE
    spec: DataSpec
    config: ModelConfig
    depth: DepthModel

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.vae.parameters()).device
