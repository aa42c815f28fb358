"""The size of a model."""

from __future__ import annotations

from dataclasses import dataclass

from multiome.errors import check_flag, check_probability, keep_whole


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Architecture; the defaults were chosen on data sets of 77 to 9,309 cells."""

    n_latent: int = 32
    """Dimensions of the shared latent space."""
    n_hidden: int = 128
    """Hidden units of the encoders and of the decoder trunk."""
    n_features_latent: int = 64
    """Dimensions of the feature embeddings that all decoders use."""
    n_batch_latent: int = 8
    """Dimensions of the learned embedding of each experimental covariate (decoder only)."""
    embedding_scores: bool = True
    """Whether the encoders of RNA, ATAC and methylation see, beside principal components, how the values of a cell
    weigh the feature embeddings."""
    dropout: float = 0.1
    """Probability of dropping a hidden unit while training."""

    def __post_init__(self) -> None:
        keep_whole(self, "n_latent", "n_hidden", "n_features_latent", "n_batch_latent")
        check_flag("embedding_scores", self.embedding_scores)
        check_probability("dropout", self.dropout)
