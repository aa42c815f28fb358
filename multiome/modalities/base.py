"""What a modality is: one frozen object that users pass and vary with ``dataclasses.replace``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from multiome.errors import MultiomeError, keep_whole
from multiome.likelihoods.base import Likelihood
from multiome.likelihoods.normal import Normal
from multiome.nn.transform import Identity, InputTransform


@dataclass(frozen=True)
class Choices:
    """What a recipe decided for one data set; stored in the `DataSpec`."""

    selected: np.ndarray
    """Which features the model uses (boolean)."""
    likelihood: type[Likelihood]
    halved: bool = False
    """Whether counts are cut sites, two per fragment, that are halved and rounded up."""
    notes: tuple[str, ...] = field(default_factory=tuple)
    """What a user should know, in sentences."""


Recipe = Callable[["Modality", sp.csr_matrix, pd.DataFrame], Choices]


def one_in_twelve(n_cells: int) -> int:
    """One component per 12 cells: beyond that they are mostly noise, by which an encoder learns cells by heart."""
    return n_cells // 12


@dataclass(frozen=True, kw_only=True)
class Modality:
    """One assay: where its values lie, how an encoder sees them, and how they are distributed.

    Predictions are on the scale of the values that the recipe chose: fragments where it halves ATAC's cut sites.

    Examples
    --------
    >>> import dataclasses
    >>> import multiome as mo
    >>> from multiome.likelihoods.poisson import Poisson
    >>> sparse_rna = dataclasses.replace(mo.RNA, likelihood=Poisson)
    >>> raw_counts = mo.RNA.with_layer("counts")
    """

    name: str
    """The kind of assay, ``"rna"``, ``"atac"``, ``"protein"`` or ``"methylation"``."""
    aliases: tuple[str, ...]
    """Keys of a `MuData` that are recognised as this kind, in lower case."""
    recipe: Recipe
    """Feature selection and data-dependent choices."""
    transform: type[InputTransform]
    """What the encoder sees."""
    likelihood: type[Likelihood]
    has_depth: bool = True
    """Whether a cell's total is a technical depth that scales all its values."""
    layer: str | None = None
    """The layer that holds the values; None is ``.X``."""
    coverage_layer: str | None = None
    """The layer that holds total calls (methylation)."""
    n_components: int = 50
    """Principal components of the transformed values that the encoder sees, at most."""
    worth_seeing: Callable[[int], int] = one_in_twelve
    """How many of them so many training cells can tell from noise."""
    has_panels: bool = False
    """Whether counts that are NaN say which features a set of cells was not measured in (antibody panels)."""

    def __post_init__(self) -> None:
        keep_whole(self, "n_components")
        for what, value, wanted in (
            ("likelihood", self.likelihood, Likelihood),
            ("transform", self.transform, InputTransform),
        ):
            if not isinstance(value, type) or not issubclass(value, wanted):
                raise MultiomeError(f"`{what}` must be a class of {wanted.__module__}, got {value!r}.")

    def components_of(self, n_cells: int) -> int:
        """Principal components that the encoder sees of so many training cells."""
        return max(1, min(self.n_components, int(self.worth_seeing(n_cells))))

    def with_layer(self, layer: str) -> Modality:
        """The same assay, its values read from ``layers[layer]``."""
        return replace(self, layer=layer)

    def continuous(self) -> Modality:
        """The same assay with values that are not counts (log-normalised, CLR, qPCR): a normal likelihood."""
        return replace(
            self, likelihood=Normal, transform=Identity, has_depth=False, coverage_layer=None, recipe=keep_everything
        )

    @property
    def is_count(self) -> bool:
        """Whether the values must be non-negative whole numbers."""
        return self.likelihood.is_count

    @property
    def takes_panels(self) -> bool:
        """Whether NaN among its values may mean that a feature is not in a cell's panel."""
        return self.has_panels and self.is_count and self.coverage_layer is None


def keep_everything(modality: Modality, counts: sp.csr_matrix, var: pd.DataFrame) -> Choices:
    """Every feature, the modality's own likelihood."""
    return Choices(np.ones(counts.shape[1], dtype=bool), modality.likelihood)
