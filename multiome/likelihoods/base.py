"""The contract of every likelihood: decoder outputs in, a distribution over the recorded values out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Bool, Float, Int
from pyro.distributions.torch_distribution import TorchDistribution, TorchDistributionMixin
from torch import Tensor, nn

from multiome.types import SparseRows

PSEUDOCOUNT = 0.1
"""Added to a feature's total over the training cells, so that a feature never seen is rare and not impossible."""


class Likelihood(nn.Module, ABC):
    """Decoder outputs of some features to a Pyro distribution over their values.

    ``n_outputs`` decoder outputs belong to each feature. An output of 0 everywhere describes a cell that looks like the
    average training cell, because `initialise` moves the average into the parameters held here.
    """

    n_outputs: ClassVar[int] = 1
    """Decoder outputs per feature."""
    is_count: ClassVar[bool] = True
    """Whether the values are non-negative whole numbers."""
    scales_means: ClassVar[bool] = False
    """Whether `scale_means` does what it says."""
    is_sparse: ClassVar[bool] = False
    """Whether the log-probability takes `SparseRows` too, with no dense block of the values; `log_prob_of_cells` of the
    distribution that `forward` gives then makes that of whole cells."""
    disperses: ClassVar[bool] = False
    """Whether features have a dispersion, which `dispersed` changes."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.n_features = n_features

    @abstractmethod
    def initialise(self, values: SparseRows, exposure: Any) -> None:
        """Set the parameters from some training cells, so that training starts at the average profile.

        ``exposure`` is as in `forward`, but a coverage comes as `SparseRows`, on the entries of ``values``; each
        likelihood says which of the two it takes.
        """

    @abstractmethod
    def forward(
        self,
        outputs: Float[Tensor, "n_outputs cell feature"],
        *,
        exposure: Float[Tensor, "cell 1"] | Float[Tensor, "cell feature"],
        features: Int[Tensor, " feature"] | None = None,
    ) -> TorchDistributionMixin:
        """The distribution of ``(cell, feature)`` values; ``features`` says which when only some are decoded.

        ``exposure`` is the depth relative to the training median; for methylation it is the coverage of each site.
        """

    def recorded(
        self, values: SparseRows, features: Int[Tensor, " feature"] | None = None
    ) -> SparseRows | Float[Tensor, "cell feature"]:
        """Values of some features, or of all, as the log-probability takes them at the least cost."""
        if not self.is_sparse:
            return values.dense(features)
        return values if features is None else values.sampled(features)

    def of_cells(self, p: Any, measured: Bool[Tensor, "cell feature"] | None = None) -> TorchDistributionMixin:
        """The features of a cell together, as `recorded` hands them over; where given, of those that were measured."""
        if self.is_sparse:
            return CountsOfCells(p, measured)
        return (p if measured is None else p.mask(measured)).to_event(1)

    def given(self, measured: Any, value: Float[Tensor, "cell feature"], *, wanted: Any) -> Any:
        """Another measurement of cells in which ``value`` was recorded.

        ``measured`` is what `forward` gave for the measurement that was made, at its depth and in its experimental
        batch, and ``wanted`` what it gives for the other one. Where they hold more than the noise of counting, what was
        recorded says in which part of it a cell lies; NaN where nothing was. Here: nothing more.
        """
        return wanted

    @property
    def unknown_spread(self) -> Bool[Tensor, " feature"] | None:
        """Features of which training could not tell how far cells of a kind differ; None where it could of all."""
        return None

    def dispersed(self, p: Any, factor: Float[Tensor, "*feature"]) -> Any:
        """A distribution as `forward` gives it with the same mean, the inverse dispersion of each feature multiplied.

        Only where `disperses`.
        """
        raise NotImplementedError

    def scale_means(self, ratio: Float[Tensor, " feature"]) -> None:
        """Multiply the mean of each feature; only where `scales_means`, because one parameter does so."""
        raise NotImplementedError


class CountsOfCells(TorchDistribution):
    """Independent counts of each cell's features, given as `SparseRows`; only to be scored."""

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, p: Any, measured: Bool[Tensor, "cell feature"] | None = None) -> None:
        self.p, self.measured = p, measured
        super().__init__(p.batch_shape[:-1], p.batch_shape[-1:], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> CountsOfCells:
        shape = (*batch_shape, *self.event_shape)
        if shape == (*self.batch_shape, *self.event_shape):
            return self
        return CountsOfCells(self.p.expand(shape), None if self.measured is None else self.measured.expand(shape))

    def log_prob(self, value: Any) -> Float[Tensor, " cell"]:
        return self.p.log_prob_of_cells(value, self.measured)


def pick(parameter: Float[Tensor, " all"], features: Int[Tensor, " feature"] | None) -> Float[Tensor, " feature"]:
    """A parameter of the decoded features."""
    return parameter if features is None else parameter.index_select(0, features)
