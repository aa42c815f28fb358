"""Everything the model holds for one modality: what its encoder sees, its expert, its features, its likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor, nn
from torch.distributions import Normal

from multiome.data.spec import ModalitySpec
from multiome.graph.encoder import average_output
from multiome.model.components import principal_components
from multiome.model.config import ModelConfig
from multiome.model.panels import completed, initialise_by_panel
from multiome.nn.decoder import Head
from multiome.nn.encoder import CellEncoder, Projection
from multiome.nn.scores import EmbeddingScores
from multiome.types import Found, Measurement, SparseRows


class Channel(nn.Module):
    """One modality's way into the latent space and out of it."""

    def __init__(self, spec: ModalitySpec, config: ModelConfig) -> None:
        super().__init__()
        n_features = len(spec.features)
        self.n_own = spec.n_own_components
        n_components = self.n_own + spec.n_borrowed
        modality = spec.modality
        self.median_depth = spec.median_depth
        self.transform = modality.transform(n_features)
        self.projection = Projection(
            torch.zeros(n_features, n_components),
            torch.zeros(n_features),
            completes=spec.n_panels > 1,
            relative=modality.transform.relative,
        )
        n_scores = config.n_features_latent if config.embedding_scores and modality.transform.scored else 0
        self.scores = EmbeddingScores(n_features, n_scores) if n_scores else None
        self.encoder = CellEncoder(
            n_scores + n_components, config.n_latent, n_hidden=config.n_hidden, dropout=config.dropout
        )
        self.encoder.mute(n_scores)
        self.head = Head(n_features, config.n_features_latent, n_outputs=modality.likelihood.n_outputs)
        self.shared: Tensor | None = None
        """Embeddings that a guidance graph makes of the head's own, while there is one."""
        self.likelihood = modality.likelihood(n_features)

    def initialise(
        self,
        rows: SparseRows,
        exposure: Float[Tensor, "cell 1"],
        coverage: SparseRows | None,
        measured: Bool[Tensor, "cell feature"] | None = None,
    ) -> None:
        """Set statistics, components and the average profile from training cells, where they were ``measured``."""
        self.transform.fit(rows, coverage)
        depth = exposure * self.median_depth
        seen = self.transform(rows, depth=depth, coverage=coverage, found=measured)
        whole = seen
        if measured is not None:
            whole, self.projection.covariance[:] = completed(seen, measured, relative=self.transform.relative)
        loadings, centre = principal_components(whole, self.n_own)
        self.projection.loadings.zero_()
        self.projection.loadings[:, : loadings.shape[1]] = loadings
        self.projection.centre.copy_(centre)
        if measured is None:
            self.likelihood.initialise(rows, exposure if coverage is None else coverage)
        else:
            initialise_by_panel(self.likelihood, rows, exposure, measured)
        if self.scores is not None:
            scored = self.transform.to_score(rows, seen, depth=depth)
            self.scores.average.copy_(scored.column_sum() / (len(rows) if measured is None else measured.sum(0)))

    @property
    def own_loadings(self) -> Float[np.ndarray, "feature own"]:
        """Loadings of the modality's own components."""
        return self.projection.loadings[:, : self.n_own].numpy()

    def show(self, loadings: Float[np.ndarray, "feature borrowed"]) -> None:
        """Show the encoder another modality's components too."""
        self.projection.loadings[:, self.n_own :] = torch.from_numpy(loadings)

    def borrow(
        self,
        lender: Channel,
        rows: SparseRows,
        exposure: Float[Tensor, "cell 1"],
        coverage: SparseRows | None,
        measured: Bool[Tensor, "cell feature"] | None = None,
    ) -> None:
        """Begin with what the encoder is shown of another modality; training cells' scores get variance 1.

        It starts as the lender's encoder of these components, and its features start as their neighbours say: had each
        modality random weights of its own, they would arrange their cells apart and no longer find each other.
        """
        scores = self.components(rows, exposure, coverage, measured)[:, self.n_own :]
        self.projection.loadings[:, self.n_own :] /= scores.std(0, correction=0).clamp_min(1e-6)
        self.encoder.start_as(lender.encoder, n_shared=lender.n_own)
        with torch.no_grad():
            self.head.embedding.zero_()

    def components(
        self,
        rows: SparseRows,
        exposure: Float[Tensor, "cell 1"],
        coverage: SparseRows | None,
        found: Found | None = None,
    ) -> Float[Tensor, "cell component"]:
        """Principal component scores."""
        seen = self.transform(rows, depth=exposure * self.median_depth, coverage=coverage, found=found)
        return self.projection([seen], found)

    def encode(self, views: Sequence[Measurement], found: Found | None = None) -> Normal:
        """The expert q(z | x_m) of the cells of one view after the other, in one pass through the network."""
        depths = [view.exposure * self.median_depth for view in views]
        seen = [
            self.transform(view.rows, depth=depth, coverage=view.coverage, found=found)
            for view, depth in zip(views, depths, strict=True)
        ]
        inputs = self.projection(seen, found)
        if self.scores is not None:
            embedding = average_output((self.head.embedding if self.shared is None else self.shared).detach())
            scored = [
                self.transform.to_score(view.rows, values, depth=depth)
                for view, values, depth in zip(views, seen, depths, strict=True)
            ]
            inputs = torch.cat([self.scores(scored, embedding, found), inputs], -1)
        return self.encoder(inputs)

    def decode(
        self,
        h: Float[Tensor, "cell hidden"],
        exposure: Float[Tensor, "cell 1"] | Float[Tensor, "cell feature"],
        features: Int[Tensor, " feature"] | None = None,
        embedding: Float[Tensor, "n_outputs feature hidden"] | None = None,
    ) -> TorchDistributionMixin:
        """The distribution of the values, given the trunk's output; with other embeddings of the features if given."""
        return self.likelihood(self.head(h, features, embedding), exposure=exposure, features=features)
