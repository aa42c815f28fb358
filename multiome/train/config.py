"""How a model is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Optimisation; the defaults were chosen on training cells of real data sets (see the benchmarks page)."""

    max_epochs: int = 45
    """Passes over the training cells, at most."""
    min_steps: int = 1500
    """Optimiser steps that small data sets get by more passes."""
    batch_size: int = 256
    """Cells per step."""
    learning_rate: float = 2e-3
    """Peak learning rate of AdamW."""
    weight_decay: float = 1e-2
    """Decoupled weight decay."""
    patience: int = 10
    """Checks of the held-out cells without a better score before training stops."""
    validation: float = 0.1
    """Share of the cells held out to tell when to stop."""
    features_per_step: int = 2500
    """Features per modality whose likelihood a step evaluates, a fresh random sample each step."""
    thinning: float = 0.7
    """Probability to keep each count in the views that the encoders are trained on."""
    part_share: float = 0.5
    """Share of the cells that a step explains from a random part of their modalities, and not from all."""
    feature_dropout: float = 0.1
    """Share of features hidden from the encoders in a step."""
    average: float = 0.99
    """Decay of the running average of the weights, which is what is evaluated and kept."""
    accelerator: str = "auto"
    """Lightning's accelerator, ``"cpu"`` or ``"gpu"`` to insist."""
    progress_bar: bool = True
    """Whether to show losses while training."""

    def __post_init__(self) -> None:
        for name in ("max_epochs", "batch_size", "patience", "features_per_step"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` must be a positive whole number, got {value!r}.")
        for name in ("validation", "part_share", "feature_dropout", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"`{name}` must lie in [0, 1), got {getattr(self, name)!r}.")
        if not 0 < self.thinning <= 1:
            raise ValueError(f"`thinning` must lie in (0, 1], got {self.thinning!r}.")
        if not 0 < self.learning_rate < math.inf or not 0 <= self.weight_decay < math.inf:
            raise ValueError(
                f"`learning_rate` must be positive and `weight_decay` at least 0, got "
                f"{self.learning_rate!r} and {self.weight_decay!r}."
            )


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """What each term counts in the sum that is minimised, per cell."""

    elbo: float = 1.0
    """Explaining all observed modalities, given all or a part of them."""
    clip: float = 10.0
    """Contrastive alignment of the modalities of one cell."""
    prior: float = 1.0
    """The Kullback–Leibler term inside the ELBO; below 1 the latent space holds more detail."""
    balance: float = 0.5
    """From 0, likelihoods as they are, to 1, every modality counts the same however many features it has."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < math.inf:
                raise ValueError(f"Loss weight `{name}` must be at least 0 and finite, got {value!r}.")
