"""How far a training step is from what the machine can do: ``python -m tests.benchmarks.machine`` prints a table.

One thread, random cells of 10,000 genes and 50,000 peaks, of which 1,000 and 2,000 are seen per cell. Counted are the
floating-point operations of products of matrices (as PyTorch counts them) and of sparse rows with their components,
and the bytes that a step must move at least: every parameter, its gradient, the two moments of the optimiser and the
running average are read and written once. Beside them stands how fast this machine multiplies and moves such arrays.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import multiome as mo
from tests.benchmarks.clock import timed
from tests.benchmarks.cost import N_CELLS, N_GENES, N_PEAKS, cells

BATCH = 256
MOVES = 4 + 5
"""Reads of parameter, gradient, two moments and average, and writes of all but the gradient, which is written too."""
N_COMPONENTS = 100
"""At most, that a sparse row is multiplied with."""


def seconds(work: Callable[[], Any], *, times: int = 20) -> float:
    """The median of some runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return median(found)


def product_rate() -> float:
    """Operations per second of the largest product of a step: minibatch x hidden units x sampled features."""
    h, v = torch.randn(BATCH, 128), torch.randn(128, 2_500)
    return 2 * BATCH * 128 * 2_500 / seconds(lambda: h @ v)


def memory_rate() -> float:
    """Bytes per second that are read or written by an array's running average."""
    one, other = torch.randn(8_000_000), torch.randn(8_000_000)
    return 3 * 4 * 8_000_000 / seconds(lambda: one.lerp_(other, 0.01))


def main(argv: Sequence[str] | None = None) -> None:
    """Print one line per quantity."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=N_CELLS)
    given = parser.parse_args(argv)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    mdata = cells(given.cells, {"rna": N_GENES, "atac": N_PEAKS})
    train = mo.TrainConfig(max_epochs=3, n_models=1, validation=0, batch_size=BATCH, progress_bar=False)
    operations = []
    for n_epochs in (1, 3):
        with FlopCounterMode(display=False) as counted:
            mo.fit(mdata, train=mo.TrainConfig(**vars(train) | {"max_epochs": n_epochs}), seed=0)
        operations.append(counted.get_total_flops())
    with timed() as times:
        mo.fit(mdata, train=train, seed=0)
    step, n_steps = times.step()[1], times.n_steps / 3
    n_seen = sum(a.X.nnz for a in mdata.mod.values()) / mdata.n_obs
    dense = (operations[1] - operations[0]) / 2 / n_steps / BATCH
    sparse = 2 * n_seen * N_COMPONENTS
    moved = MOVES * 4 * times.n_parameters / BATCH
    products, memory = product_rate(), memory_rate()
    least = (dense + sparse) * BATCH / products + moved * BATCH / memory
    print(f"parameters: {times.n_parameters:,}; values seen per cell: {n_seen:,.0f}")
    print(f"seconds of CPU per step of {BATCH} cells: {step:.4f} ({BATCH / step:,.0f} cells per second)")
    print(f"operations per cell: {dense:,.0f} in products, at most {sparse:,.0f} of sparse rows")
    print(f"bytes per cell: {moved:,.0f}")
    print(f"this machine: {products / 1e9:.1f} GFLOP per second in such products, {memory / 1e9:.1f} GB per second")
    print(f"at these rates a step would take {least:.4f} s: {(dense + sparse) * BATCH / products:.4f} s of products, "
          f"{moved * BATCH / memory:.4f} s of memory; {least / step:.0%} of what it takes")  # fmt: skip


if __name__ == "__main__":
    main()
