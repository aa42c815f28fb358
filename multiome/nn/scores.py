"""What a cell's values say in the decoder's own terms: an encoder's second input, beside principal components."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from multiome.nn.product import centred_product
from multiome.types import Found, SparseRows

SIZE = 0.3
"""Root mean square of a score: like that of a middling component, so that neither drowns the other."""
FOLLOW = 0.1
"""How fast the scale follows the embeddings while they are learned, per step."""


class EmbeddingScores(nn.Module):
    """Values minus their averages, times the decoder's embeddings of their features.

    Where values are counts over depth, and Poisson, this is the gradient of the cell's log-likelihood with respect to
    the trunk's output, at the average profile and per unit of depth: all that sparse counts can say of a small change
    of state. Components know only which features vary together in one modality; the embeddings have been learned with
    all of them. No gradient flows back: they are the decoder's.
    """

    average: Tensor

    def __init__(self, n_features: int, n_hidden: int) -> None:
        super().__init__()
        self.register_buffer("average", torch.zeros(n_features))
        # a parameter, so that it is averaged over steps together with the embeddings that it belongs to
        self.scale = nn.Parameter(torch.ones(n_hidden), requires_grad=False)

    @torch.no_grad()
    def forward(
        self,
        views: Sequence[SparseRows],
        embedding: Float[Tensor, "feature hidden"],
        found: Found | None = None,
    ) -> Float[Tensor, "view_and_cell hidden"]:
        """Scores of the features that were ``found``, of the cells of one view after the other."""
        scores = centred_product(views, self.average, embedding, found)
        if self.training:
            self.follow(scores[torch.cat([rows.indptr.diff() for rows in views]) > 0])
        return SIZE * scores / self.scale.clamp_min(1e-6)

    def follow(self, scores: Float[Tensor, "cell hidden"]) -> None:
        """Move the scale towards the root mean square of some cells' scores."""
        if len(scores):
            self.scale.lerp_((scores**2).mean(0).sqrt(), FOLLOW)
