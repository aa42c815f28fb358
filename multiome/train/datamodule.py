"""Minibatches for Lightning: a fresh order every epoch, CSR rows by index."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from multiome.data.dataset import CellDataset
from multiome.types import Batch


class RowBlocks(Sampler[np.ndarray]):
    """Rows of each minibatch; shuffled by a generator of its own where a seed is given."""

    def __init__(self, rows: np.ndarray, batch_size: int, *, seed: int | None) -> None:
        self.rows, self.batch_size = rows, min(batch_size, len(rows))
        self.rng = None if seed is None else np.random.default_rng(seed)

    def __len__(self) -> int:
        # the rest of a shuffled epoch is spread over the minibatches, so that none is tiny
        return max(len(self.rows) // self.batch_size, 1) if self.rng else -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        if self.rng is None:
            return iter([self.rows[i : i + self.batch_size] for i in range(0, len(self.rows), self.batch_size)])
        return iter(np.array_split(self.rng.permutation(self.rows), len(self)))


class TakeBatches(Dataset[Batch]):
    """``dataset[rows]`` is a `Batch`."""

    def __init__(self, cells: CellDataset) -> None:
        self.cells = cells

    def __getitem__(self, rows: np.ndarray) -> Batch:
        return self.cells.take(rows)


def loader(cells: CellDataset, rows: np.ndarray, batch_size: int, *, seed: int | None = None) -> DataLoader[Batch]:
    """Minibatches of some rows; in order without a seed."""
    return DataLoader(TakeBatches(cells), sampler=RowBlocks(rows, batch_size, seed=seed), batch_size=None)
