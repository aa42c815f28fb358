"""The values that travel between layers, and the legend of their axes.

Axis words: ``cell`` (rows of one minibatch), ``feature`` (genes, peaks, proteins, sites), ``latent`` (shared
dimensions), ``covariate`` (the experimental batches a user named). "Batch" alone means a minibatch; the experimental
one is always ``batch_key`` / ``batch_index``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Normal

Found: TypeAlias = Bool[Tensor, " feature"] | Bool[Tensor, "cell feature"]
"""Which features say anything: of all cells, or of each."""


def move(value: Any, device: Any, *, non_blocking: bool = False) -> Any:
    """Move a tensor, a record of tensors, or a mapping of either."""
    if isinstance(value, Tensor | SparseRows):
        return value.to(device, non_blocking=non_blocking)
    if isinstance(value, Mapping):
        return {key: move(item, device, non_blocking=non_blocking) for key, item in value.items()}
    return value


def positions(mask: Bool[Tensor, " any"]) -> Int[Tensor, " true"]:
    """Where a mask is true."""
    if mask.device.type != "cpu":
        return mask.nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(mask.numpy()))  # several times as fast as torch's own on one core


@dataclass(frozen=True)
class SparseRows:
    """Some cells' values of one modality, only where something was recorded (CSR)."""

    indptr: Int[Tensor, " cell_and_one"]
    indices: Int[Tensor, " entry"]
    values: Float[Tensor, " entry"]
    n_features: int

    @classmethod
    def from_scipy(cls, x: sp.csr_matrix | sp.csr_array) -> SparseRows:
        """Wrap a CSR matrix (cells x features) of any numeric type."""
        return cls(
            torch.from_numpy(np.asarray(x.indptr, dtype=np.int64)),
            torch.from_numpy(np.asarray(x.indices, dtype=np.int64)),
            torch.from_numpy(np.asarray(x.data, dtype=np.float32)),
            int(x.shape[1]),
        )

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def rows(self) -> Int[Tensor, " entry"]:
        """The cell of every entry."""
        cells = torch.arange(len(self), device=self.indptr.device)
        return torch.repeat_interleave(cells, self.indptr.diff(), output_size=len(self.indices))

    def with_values(self, values: Float[Tensor, " entry"]) -> SparseRows:
        """The same entries with other values."""
        others = replace(self, values=values)
        if "rows" in vars(self):  # found once for all that share them
            vars(others)["rows"] = self.rows
        return others

    def only(self, cells: Bool[Tensor, " cell"]) -> SparseRows:
        """The rows of some cells."""
        length = self.indptr.diff()
        kept = length[cells]
        indptr = torch.cat([self.indptr[:1], kept.cumsum(0)])
        if indptr[-1] == len(self.indices):  # the others are empty
            return replace(self, indptr=indptr)
        entry = cells[self.rows]
        return replace(self, indptr=indptr, indices=self.indices[entry], values=self.values[entry])

    def among(self, found: Found) -> Bool[Tensor, " entry"]:
        """Which entries are of features that were found, in all cells or in their own."""
        return found.index_select(0, self.indices) if found.ndim == 1 else found[self.rows, self.indices]

    def each(self, value: Float[Tensor, "cell 1"]) -> Float[Tensor, " entry"]:
        """A value of every cell, at each of its entries."""
        return value[:, 0].index_select(0, self.rows)

    def sum(self) -> Float[Tensor, "cell 1"]:
        """Total per cell."""
        return torch.segment_reduce(self.values, "sum", offsets=self.indptr)[:, None]

    def column_sum(self, values: Float[Tensor, " entry"] | None = None) -> Float[Tensor, " feature"]:
        """Total per feature, of the values or of others that lie on the same entries."""
        values = self.values if values is None else values
        return values.new_zeros(self.n_features).index_add_(0, self.indices, values)

    def dense(self, features: Int[Tensor, " sampled"] | None = None) -> Float[Tensor, "cell sampled"]:
        """A dense block of all, or of some, features; entries that were not recorded are 0."""
        rows = self if features is None else self.sampled(features)
        block = self.values.new_zeros(len(rows), rows.n_features)
        block.view(-1)[rows.places] = rows.values
        return block

    def sampled(self, features: Int[Tensor, " sampled"]) -> SparseRows:
        """Some features, in this order; the entries of a cell stay in theirs."""
        place = torch.full((self.n_features,), -1, device=self.indices.device)
        place[features] = torch.arange(len(features), device=self.indices.device)
        column = place[self.indices]
        keep = positions(column >= 0)
        rows = self.rows[keep]
        indptr = torch.cat([self.indptr[:1], torch.bincount(rows, minlength=len(self)).cumsum(0)])
        found = SparseRows(indptr, column[keep], self.values[keep], len(features))
        vars(found)["rows"] = rows
        return found

    @property
    def places(self) -> Int[Tensor, " entry"]:
        """The position of every entry in a dense block of these rows, read row by row."""
        return self.rows * self.n_features + self.indices

    def to(self, device: Any, *, non_blocking: bool = False) -> SparseRows:
        """The same rows on another device."""
        indptr, indices, values = (
            t.to(device, non_blocking=non_blocking) for t in (self.indptr, self.indices, self.values)
        )
        return SparseRows(indptr, indices, values, self.n_features)


class Measurement(NamedTuple):
    """One modality of some cells."""

    rows: SparseRows
    exposure: Float[Tensor, "cell 1"]
    coverage: SparseRows | None

    def only(self, cells: Bool[Tensor, " cell"]) -> Measurement:
        """Of some cells."""
        coverage = None if self.coverage is None else self.coverage.only(cells)
        return Measurement(self.rows.only(cells), self.exposure[cells], coverage)


@dataclass(frozen=True)
class Batch:
    """Sparse counts, observed masks and covariates of some cells.

    A cell without a modality has an empty, unobserved row.
    """

    index: Int[Tensor, " cell"]
    counts: Mapping[str, SparseRows]
    observed: Mapping[str, Bool[Tensor, " cell"]]
    exposure: Mapping[str, Float[Tensor, "cell 1"]]
    """Depth relative to the training median, per modality; 1 where a modality has no depth."""
    batch_index: Int[Tensor, "cell covariate"]
    coverage: Mapping[str, SparseRows] = field(default_factory=dict)
    """Total calls of a methylation modality, on the same entries as its counts."""
    measured: Mapping[str, Bool[Tensor, "cell feature"]] = field(default_factory=dict)
    """Which features each cell was measured in, for a modality where that differs between cells (antibody panels)."""

    def measurement(self, key: str) -> Measurement:
        """One modality; cells without it have empty rows."""
        return Measurement(self.counts[key], self.exposure[key], self.coverage.get(key))

    def known(self, key: str, features: Int[Tensor, " sampled"] | None = None) -> Bool[Tensor, "cell sampled"] | None:
        """Where some features were measured; None where all were, in every cell that has the modality."""
        measured = self.measured.get(key)
        return measured if measured is None or features is None else measured[:, features]

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: Any, *, non_blocking: bool = False) -> Batch:
        """The same cells on another device."""
        return Batch(**{name: move(value, device, non_blocking=non_blocking) for name, value in vars(self).items()})

    def pin_memory(self) -> Batch:
        """Left where it is: the rows are small beside the work done on them."""
        return self


@dataclass(frozen=True)
class Latent:
    """What the encoders say about one batch."""

    per_modality: Mapping[str, Normal]
    """The expert q(z | x_m) of each modality; meaningless in rows where the modality was not observed."""
    joint: Normal
    """q(z | x): the product of the prior and the experts that count."""
    features: Mapping[str, Float[Tensor, "n_outputs _ hidden"]] = field(default_factory=dict)
    """Feature embeddings of each modality, where a guidance graph makes them; else those that the decoders hold."""
