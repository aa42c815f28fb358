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
from multiome.data.stored import StoredRows
from multiome.errors import MultiomeError
from multiome.train.processes import ALL, Share
from multiome.types import Batch

BUFFERED = 32
"""Minibatches' worth of cells on disk that are read, and mixed, at a time: about so many, or more."""
MIXED = 64
"""Runs of neighbours that are read, and mixed, at a time: about so many, or more."""
FIRST = 0.25
"""Share of what is mixed at a time that an epoch begins with: its first step waits until that is read."""
VALUES = 150_000
"""Values of a matrix that a run should have, as each read takes its time: of few per cell, up to ``4 * RUN`` cells."""


class RowBlocks(Sampler[np.ndarray]):
    """Rows of each minibatch; shuffled by a generator of its own where a seed is given.

    Of several processes (``share``) each gets its own: in random order as many rows of an epoch as all others, in
    minibatches of one size, fewer rows than minibatches being left out; in order whole minibatches, or all of them
    where there are fewer than processes.
    """

    def __init__(self, rows: np.ndarray, batch_size: int, *, seed: int | None, share: Share = ALL) -> None:
        self.rows, self.batch_size, self.share = rows, min(batch_size, len(rows)), share
        self.rng = None if seed is None else np.random.default_rng(seed)

    def __len__(self) -> int:
        if self.rng:
            # the rest of a shuffled epoch is spread over the minibatches, so that none is tiny
            return max(len(self.rows) // (self.batch_size * self.share.world), 1)
        return len(self.share.of(self.starts))

    @property
    def starts(self) -> range:
        """Where minibatches begin, in order."""
        return range(0, len(self.rows), self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        if self.rng is None:
            return iter([self.rows[i : i + self.batch_size] for i in self.share.of(self.starts)])
        order = self.rng.permutation(self.rows)
        if self.share.world == 1:
            return iter(np.array_split(order, len(self)))
        size = len(order) // (len(self) * self.share.world)
        parts = order[: size * len(self) * self.share.world].reshape(len(self), self.share.world, size)
        return iter(parts[:, self.share.rank])


class TakeBatches(Dataset[Batch]):
    """``dataset[rows]`` is a `Batch`."""

    def __init__(self, cells: CellDataset) -> None:
        self.cells = cells

    def __getitem__(self, rows: np.ndarray) -> Batch:
        return self.cells.take(rows)


class Streamed(IterableDataset[Batch]):
    """Minibatches of cells on disk: runs of neighbours in random order, mixed within what is read at a time.

    While some cells are trained on, the next ones are read in the background. Of several processes (``share``) each
    reads runs of its own, as many as all others, in minibatches as large as theirs; cells too few for a whole run
    or minibatch are left out of an epoch, other ones in each.
    """

    def __init__(self, cells: CellDataset, rows: np.ndarray, batch_size: int, *, seed: int, share: Share = ALL) -> None:
        self.cells, self.rows, self.share = cells, np.sort(rows), share
        self.batch_size, self.run = min(batch_size, len(rows)), run_of(cells, len(rows), share)
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return sum(self.n_batches(len(part)) for part in self.parts(np.arange(self.n_runs)))

    def n_batches(self, n_runs: int) -> int:
        """Minibatches that so many runs make, though the last run of all may be short: each has a cell."""
        n_cells = n_runs * self.run
        least = n_cells - (self.n_runs * self.run - len(self.rows) if self.share.world == 1 else 0)
        return max(min(n_cells // self.batch_size, least), 1)

    @property
    def n_runs(self) -> int:
        """Runs of neighbours among the rows that this process reads."""
        world = self.share.world
        return -(-len(self.rows) // self.run) if world == 1 else len(self.rows) // self.run // world

    def parts(self, order: np.ndarray) -> list[np.ndarray]:
        """Runs that are read at a time: few at first, for which training waits, then about as many each as are mixed.

        What would be left is spread over the others, or read with the first, so that no minibatch is tiny or huge.
        """
        most = max(BUFFERED * self.batch_size / self.run, MIXED)
        first = max(round(FIRST * most), 1)
        n = round((len(order) - first) / most)
        return [order[:first], *np.array_split(order[first:], n)] if n > 0 else [order]

    def drawn(self) -> tuple[np.ndarray, np.random.Generator]:
        """Where the runs of one epoch start, in random order, and what mixes their cells."""
        if self.share.world == 1:
            return self.rng.permutation(self.n_runs) * self.run, self.rng
        # all processes draw the same here, and go on alike in the next epoch
        n_whole, rest = divmod(len(self.rows), self.run)
        starts = np.arange(n_whole) * self.run
        starts[self.rng.integers(n_whole + 1) :] += rest  # the cells that are too few for a run
        order = self.rng.permutation(starts)[: self.n_runs * self.share.world]
        mixing = np.random.default_rng([int(self.rng.integers(2**32)), self.share.rank])
        return order[self.share.rank :: self.share.world], mixing

    def __iter__(self) -> Iterator[Batch]:
        with ThreadPoolExecutor(1) as ahead:
            order, mixing = self.drawn()
            parts = self.parts(order)
            coming = ahead.submit(self.read, parts[0])
            for i in range(len(parts)):
                index, loaded = coming.result()
                if i + 1 < len(parts):
                    coming = ahead.submit(self.read, parts[i + 1])
                for chosen in self.minibatches(mixing.permutation(len(index)), self.n_batches(len(parts[i]))):
                    yield replace(loaded.take(chosen), index=torch.from_numpy(index[chosen]))

    def minibatches(self, mixed: np.ndarray, n: int) -> list[np.ndarray]:
        """Cells that were read, cut into so many parts."""
        return np.array_split(mixed if self.share.world == 1 else mixed[: len(mixed) // n * n], n)

    def read(self, starts: np.ndarray) -> tuple[np.ndarray, CellDataset]:
        """The cells of some runs, in memory."""
        place = (np.sort(starts)[:, None] + np.arange(self.run)).ravel()
        index = self.rows[place[place < len(self.rows)]]
        return index, self.cells.load(index)


def run_of(cells: CellDataset, n_rows: int, share: Share = ALL) -> int:
    """Neighbours that are read from one place of the disk: not so many that each process would have too few places."""
    values = [matrix.values.per_cell for matrix in cells.matrices.values() if isinstance(matrix.values, StoredRows)]
    most = min(4 * RUN, n_rows // (MIXED * share.world))
    return int(np.clip(VALUES / max([1, *values]), RUN, max(most, RUN)))


def loader(
    cells: CellDataset, rows: np.ndarray, batch_size: int, *, seed: int | None = None, share: Share = ALL
) -> DataLoader[Batch]:
    """Minibatches of some rows, or of one process's share of them; in order without a seed.

    Raises
    ------
    MultiomeError
        If there are too few rows for so many processes.
    """
    if cells.on_disk and seed is not None:
        stream = Streamed(cells, rows, batch_size, seed=seed, share=share)
        check_enough(len(rows) // stream.run, share, what=f"runs of {stream.run} neighbours")
        return DataLoader(stream, batch_size=None)
    if seed is not None:
        check_enough(len(rows), share, what="cells")
    return DataLoader(TakeBatches(cells), sampler=RowBlocks(rows, batch_size, seed=seed, share=share), batch_size=None)


def check_enough(n: int, share: Share, *, what: str) -> None:
    """Each of several processes gets something to train on."""
    if share.world > 1 and n < share.world:
        raise MultiomeError(
            f"There are {n:,} {what} to train on, fewer than the {share.world:,} processes that `devices` and "
            "`num_nodes` ask for; ask for fewer."
        )
