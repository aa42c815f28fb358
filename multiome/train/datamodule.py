"""Minibatches for Lightning: a fresh order every epoch, CSR rows by index."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler

from multiome.data.dataset import CellDataset
from multiome.data.some_cells import RUN
from multiome.types import Batch

BUFFERED = 32
"""Minibatches' worth of cells on disk that are read, and mixed, at a time."""


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


class Streamed(IterableDataset[Batch]):
    """Minibatches of cells on disk: runs of neighbours in random order, mixed within what is read at a time.

    While some cells are trained on, the next ones are read in the background.
    """

    def __init__(self, cells: CellDataset, rows: np.ndarray, batch_size: int, *, seed: int) -> None:
        self.cells, self.rows = cells, np.sort(rows)
        self.batch_size = min(batch_size, len(rows))
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return sum(self.n_batches(part) for part in self.parts(np.arange(self.n_runs)))

    def n_batches(self, runs: np.ndarray) -> int:
        """Minibatches that so many runs make, whichever they are."""
        return max(len(runs) * RUN // self.batch_size, 1)

    @property
    def n_runs(self) -> int:
        """Runs of neighbours among the rows."""
        return -(-len(self.rows) // RUN)

    def parts(self, order: np.ndarray) -> list[np.ndarray]:
        """Runs that are read at a time: as many cells each as can be, but for the last one's short run."""
        return np.array_split(order, max(round(self.n_runs * RUN / (BUFFERED * self.batch_size)), 1))

    def __iter__(self) -> Iterator[Batch]:
        with ThreadPoolExecutor(1) as ahead:
            parts = self.parts(self.rng.permutation(self.n_runs))
            coming = ahead.submit(self.read, parts[0])
            for i in range(len(parts)):
                index, loaded = coming.result()
                if i + 1 < len(parts):
                    coming = ahead.submit(self.read, parts[i + 1])
                for chosen in np.array_split(self.rng.permutation(len(index)), self.n_batches(parts[i])):
                    yield replace(loaded.take(chosen), index=torch.from_numpy(index[chosen]))

    def read(self, runs: np.ndarray) -> tuple[np.ndarray, CellDataset]:
        """The cells of some runs, in memory."""
        place = (np.sort(runs)[:, None] * RUN + np.arange(RUN)).ravel()
        index = self.rows[place[place < len(self.rows)]]
        return index, self.cells.load(index)


def loader(cells: CellDataset, rows: np.ndarray, batch_size: int, *, seed: int | None = None) -> DataLoader[Batch]:
    """Minibatches of some rows; in order without a seed."""
    if cells.on_disk and seed is not None:
        return DataLoader(Streamed(cells, rows, batch_size, seed=seed), batch_size=None)
    return DataLoader(TakeBatches(cells), sampler=RowBlocks(rows, batch_size, seed=seed), batch_size=None)
