"""The size of a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Architecture; the defaults suit a few hundred to a million cells."""

    n_latent: int = 32
    """Dimensions of the shared latent space."""
    n_hidden: int = 128
    """Hidden units of the encoders and of the decoder trunk."""
    n_features_latent: int = 64
    """Dimensions of the feature embeddings that all decoders use."""
    n_batch_latent: int = 8
    """Dimensions of the learned embedding of each experimental covariate (decoder only)."""
    dropout: float = 0.1
    """Probability of dropping a hidden unit while training."""

    def __post_init__(self) -> None:
        for name in ("n_latent", "n_hidden", "n_features_latent", "n_batch_latent"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` must be a positive whole number, got {value!r}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"`dropout` must lie in [0, 1), got {self.dropout!r}.")
