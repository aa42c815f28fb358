"""What an encoder sees of one modality's values: sparse in, sparse out, with statistics of the training cells.

Each transform is an ``nn.Module`` whose buffers `fit` sets once; they travel with the weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from multiome.types import Found, SparseRows


class InputTransform(nn.Module, ABC):
    """Recorded values to encoder input on the same, or on all, entries."""

    thins: bool = True
    """Whether values are counts, of which training may keep a random part."""
    scored: bool = False
    """Whether encoders also see embedding scores; of few, well measured features components say everything."""
    relative: bool = False
    """Whether values are relative to the mean of those of the cell that were found."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.n_features = n_features

    def fit(self, rows: SparseRows, coverage: SparseRows | None = None) -> None:
        """Set the statistics from training cells."""

    def to_score(self, rows: SparseRows, seen: SparseRows, *, depth: Float[Tensor, "cell 1"]) -> SparseRows:
        """What embedding scores are made of: the transformed values ``seen``, unless a kind says otherwise."""
        return seen

    @abstractmethod
    def forward(
        self,
        rows: SparseRows,
        *,
        depth: Float[Tensor, "cell 1"],
        coverage: SparseRows | None = None,
        found: Found | None = None,
    ) -> SparseRows:
        """Transform the rows of some cells.

        ``depth`` is each cell's total count over all features. Values of features that are not ``found`` (missing in
        the data or in a cell's panel, or hidden while training) say nothing: whatever they become is not used, and no
        other value depends on them.
        """


class CountTransform(InputTransform):
    """Counts of many features, few of them in any one cell."""

    scored = True

    def to_score(self, rows: SparseRows, seen: SparseRows, *, depth: Float[Tensor, "cell 1"]) -> SparseRows:
        """Counts over depth."""
        return rows.with_values(rows.values / rows.each(depth.clamp_min(1)))


class LogNormalise(CountTransform):
    """``log1p(scale * x / depth)``, RNA's usual transform."""

    def __init__(self, n_features: int, *, scale: float = 1e4) -> None:
        super().__init__(n_features)
        self.scale = scale

    def forward(
        self,
        rows: SparseRows,
        *,
        depth: Float[Tensor, "cell 1"],
        coverage: SparseRows | None = None,
        found: Found | None = None,
    ) -> SparseRows:
        return rows.with_values(torch.log1p(self.scale * rows.values / rows.each(depth.clamp_min(1))))


class TfIdf(CountTransform):
    """``log1p(1e4 * x / depth) * log1p(n_cells / (1 + n_cells_with_peak))``, ATAC's usual transform."""

    inverse_frequency: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.register_buffer("inverse_frequency", torch.ones(n_features))

    def fit(self, rows: SparseRows, coverage: SparseRows | None = None) -> None:
        seen = rows.column_sum((rows.values > 0).float())
        self.inverse_frequency.copy_(torch.log1p(len(rows) / (1 + seen)))

    def forward(
        self,
        rows: SparseRows,
        *,
        depth: Float[Tensor, "cell 1"],
        coverage: SparseRows | None = None,
        found: Found | None = None,
    ) -> SparseRows:
        share = torch.log1p(1e4 * rows.values / rows.each(depth.clamp_min(1)))
        return rows.with_values(share * self.inverse_frequency.index_select(0, rows.indices))


class CentredLogRatio(InputTransform):
    """``log1p(x)`` minus the cell's mean over the features (proteins) that were found, a dense row."""

    relative = True

    def forward(
        self,
        rows: SparseRows,
        *,
        depth: Float[Tensor, "cell 1"],
        coverage: SparseRows | None = None,
        found: Found | None = None,
    ) -> SparseRows:
        logged = torch.log1p(rows.dense())
        if found is None:
            return from_dense(logged - logged.mean(1, keepdim=True))
        weight = found.to(logged)
        if found.ndim > 1:
            return from_dense(
                logged - (logged * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp_min(1)
            )
        return from_dense(logged - (logged @ weight / weight.sum().clamp_min(1))[:, None])


class MethylationResidual(InputTransform):
    """Methylated share of each covered site minus the site's mean, scaled up for the sites that were not covered."""

    scored = True
    site_mean: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.register_buffer("site_mean", torch.full((n_features,), 0.5))

    def fit(self, rows: SparseRows, coverage: SparseRows | None = None) -> None:
        assert coverage is not None
        self.site_mean.copy_((rows.column_sum() + 1) / (coverage.column_sum() + 2))

    def forward(
        self,
        rows: SparseRows,
        *,
        depth: Float[Tensor, "cell 1"],
        coverage: SparseRows | None = None,
        found: Found | None = None,
    ) -> SparseRows:
        assert coverage is not None
        covered = coverage.values > 0
        if found is not None:
            covered = covered & rows.among(found)
        residual = rows.values / coverage.values.clamp_min(1) - self.site_mean.index_select(0, rows.indices)
        n_covered = coverage.with_values(covered.float()).sum().clamp_min(1)
        return rows.with_values(torch.where(covered, residual, 0.0) * rows.each(self.n_features / n_covered))


class Identity(InputTransform):
    """Values as they are (already normalised by the user)."""

    thins = False

    def forward(
        self,
        rows: SparseRows,
        *,
        depth: Float[Tensor, "cell 1"],
        coverage: SparseRows | None = None,
        found: Found | None = None,
    ) -> SparseRows:
        return rows


def from_dense(values: Float[Tensor, "cell feature"]) -> SparseRows:
    """Rows in which every entry was recorded."""
    n_cells, n_features = values.shape
    device = values.device
    return SparseRows(
        torch.arange(n_cells + 1, device=device) * n_features,
        torch.arange(n_features, device=device).repeat(n_cells),
        values.reshape(-1),
        n_features,
    )
