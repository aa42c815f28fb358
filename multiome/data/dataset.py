"""Cells as minibatches: CSR rows picked by index, absent modalities as empty unobserved rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch

from multiome.data.matrix import Matrix
from multiome.data.panels import Panels
from multiome.data.stored import StoredRows
from multiome.types import Batch, SparseRows


@dataclass(frozen=True)
class CellDataset:
    """All cells that a verb works on; their values in memory, or on disk where they are many."""

    matrices: Mapping[str, Matrix]
    rows: Mapping[str, np.ndarray]
    """Row of each cell in each modality's matrix; -1 where it was not measured."""
    exposure: Mapping[str, np.ndarray]
    """Depth over the training median, per row of each matrix."""
    batch_index: np.ndarray
    """Level of each covariate (cells x covariates)."""

    def __len__(self) -> int:
        return len(self.batch_index)

    def observed(self, key: str) -> np.ndarray:
        """Which cells have this modality."""
        return self.rows[key] >= 0

    def part(self, index: np.ndarray) -> CellDataset:
        """Some of the cells, in this order; matrices are shared."""
        return replace(
            self, rows={key: rows[index] for key, rows in self.rows.items()}, batch_index=self.batch_index[index]
        )

    def only(self, keys: Collection[str]) -> CellDataset:
        """As if nothing else had been measured."""
        return replace(
            self,
            matrices={key: self.matrices[key] for key in keys},
            rows={key: self.rows[key] for key in keys},
            exposure={key: self.exposure[key] for key in keys},
        )

    @property
    def on_disk(self) -> bool:
        """Whether the values of some modality are read from disk, a few cells at a time."""
        return any(isinstance(matrix.values, StoredRows) for matrix in self.matrices.values())

    @property
    def n_bytes(self) -> int:
        """Of the values in memory."""
        every = (x for matrix in self.matrices.values() for x in (matrix.values, matrix.coverage))
        return sum(
            array.nbytes for x in every if isinstance(x, sp.csr_matrix) for array in (x.data, x.indices, x.indptr)
        )

    def load(self, index: np.ndarray) -> CellDataset:
        """Some of the cells, in this order, in memory; matrices hold only theirs."""
        matrices, rows, exposure = {}, {}, {}
        for key, matrix in self.matrices.items():
            place = self.rows[key][index]
            there = place >= 0
            place = place[there]
            matrices[key] = Matrix(
                matrix.values[place],
                None if matrix.coverage is None else matrix.coverage[place],
                matrix.depth[place],
                matrix.found,
                matrix.empty[place],
                None if matrix.panels is None else Panels(matrix.panels.measured, matrix.panels.member[place]),
            )
            rows[key] = np.where(there, np.cumsum(there) - 1, -1)
            exposure[key] = self.exposure[key][place]
        return CellDataset(matrices, rows, exposure, self.batch_index[index])

    def take(self, index: np.ndarray) -> Batch:
        """The minibatch of some cells."""
        counts, coverage, observed, exposure, measured = {}, {}, {}, {}, {}
        for key, matrix in self.matrices.items():
            rows = self.rows[key][index]
            there = rows >= 0
            counts[key] = pick(matrix.values, rows)
            if matrix.coverage is not None:
                coverage[key] = pick(matrix.coverage, rows)
            if matrix.panels is not None:
                measured[key] = torch.from_numpy(matrix.panels.of(rows) & there[:, None])
            observed[key] = torch.from_numpy(there)
            depth = np.ones(len(rows), dtype=np.float32)
            depth[there] = self.exposure[key][rows[there]]
            exposure[key] = torch.from_numpy(depth)[:, None]
        return Batch(
            torch.from_numpy(np.asarray(index, dtype=np.int64)),
            counts,
            observed,
            exposure,
            torch.from_numpy(self.batch_index[index]),
            coverage,
            measured,
        )


def pick(x: sp.csr_matrix | StoredRows, rows: np.ndarray) -> SparseRows:
    """CSR rows by index; an index of -1 is an empty row."""
    there = rows >= 0
    if there.all():
        return SparseRows.from_scipy(x[rows])
    part = x[rows[there]]
    length = np.zeros(len(rows) + 1, dtype=np.int64)
    length[1:][there] = np.diff(part.indptr)
    return SparseRows.from_scipy(
        sp.csr_matrix((part.data, part.indices, np.cumsum(length)), shape=(len(rows), x.shape[1]))
    )
