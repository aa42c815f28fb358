"""One modality's expert: principal components of its transformed values, then a small residual network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.functional import softplus

from multiome.nn.completion import centring, telling
from multiome.nn.mlp import ResidualMLP
from multiome.nn.product import centred_product
from multiome.types import Found, SparseRows

MIN_SCALE = 0.02
"""No expert is surer than this; keeps precisions finite."""


FROM_INPUTS = ("network.linear.weight", "network.mlp.0.weight")
"""The weights that meet an encoder's inputs."""


class Projection(nn.Module):
    """Centred values times fixed loadings; a feature that is missing, or dropped, contributes nothing.

    Where training cells had different panels, it contributes what the others tell of it. Its values may be ``relative``
    to the mean of those that were found; their centre then is, too.
    """

    loadings: Tensor
    centre: Tensor

    covariance: Tensor
    """Of the values of all features of a cell; only where training cells had different panels."""

    def __init__(
        self,
        loadings: Float[Tensor, "feature component"],
        centre: Float[Tensor, " feature"],
        *,
        completes: bool = False,
        relative: bool = False,
    ) -> None:
        super().__init__()
        self.completes, self.relative = completes, relative
        if completes:
            self.register_buffer("covariance", torch.zeros(len(centre), len(centre)))
        self.register_buffer("loadings", loadings)
        self.register_buffer("centre", centre)

    def forward(
        self, views: Sequence[SparseRows], found: Found | None = None
    ) -> Float[Tensor, "view_and_cell component"]:
        """Of the cells of one view after the other."""
        if found is not None and self.completes:
            return torch.cat([self.completed(rows, found) for rows in views])
        return centred_product(views, self.centre, self.loadings, found)

    def completed(self, rows: SparseRows, found: Found) -> Float[Tensor, "cell component"]:
        """Components of all features, as what was found of each cell tells them."""
        residual = rows.dense() - self.centre
        panels, member = torch.unique(found.expand(len(rows), -1), dim=0, return_inverse=True)
        scores = residual.new_zeros(len(rows), self.loadings.shape[1])
        for p, panel in enumerate(panels):
            cells = member == p
            shown = residual[cells] @ centring(panel, relative=self.relative)
            scores[cells] = shown @ (telling(self.covariance, panel, relative=self.relative) @ self.loadings)
        return scores


class CellEncoder(nn.Module):
    """Components of one modality to its expert q(z | x_m); never told the experimental batch."""

    def __init__(self, n_in: int, n_latent: int, *, n_hidden: int, dropout: float) -> None:
        super().__init__()
        self.network = ResidualMLP(n_in, 2 * n_latent, n_hidden=n_hidden, dropout=dropout)

    def mute(self, n: int) -> None:
        """Let the first ``n`` inputs of a new encoder say nothing yet; the others start as if they were alone."""
        with torch.no_grad():
            for name in FROM_INPUTS:
                weight = self.get_parameter(name)
                weight[:, :n] = 0
                weight.mul_(math.sqrt(weight.shape[1] / (weight.shape[1] - n)))

    def start_as(self, other: CellEncoder, *, n_shared: int) -> None:
        """Be another encoder of the last ``n_shared`` inputs of both; the inputs before them say nothing yet."""
        theirs = dict(other.named_parameters())
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if name in FROM_INPUTS:
                    weight[:, :-n_shared] = 0
                    weight[:, -n_shared:] = theirs[name][:, -n_shared:]
                else:
                    weight.copy_(theirs[name])

    def forward(self, components: Float[Tensor, "cell component"]) -> Normal:
        loc, raw = self.network(components).chunk(2, dim=-1)
        return Normal(loc, softplus(raw) + MIN_SCALE, validate_args=False)
