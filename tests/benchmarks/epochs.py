"""Seconds of an epoch on real data, to stand beside another method's: ``python -m tests.benchmarks.epochs``.

Run both one after the other, with as many threads (``OMP_NUM_THREADS``): times of different days do not compare.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from statistics import median

import torch

import multiome as mo
from tests.benchmarks.clock import timed
from tests.benchmarks.tasks import load


def main(argv: Sequence[str] | None = None) -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="snare_paired")
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args(argv)
    warnings.filterwarnings("ignore")
    mdata = load(given.task).mdata("train")
    train = mo.TrainConfig(max_epochs=given.epochs, n_models=1, progress_bar=False)
    with timed() as times:
        mo.fit(mdata, train=train, seed=0)
    wall, busy = times.all_steps()
    whole = median(seconds for seconds, _ in times.each_epoch()[1:])
    print(f"{given.task}, {mdata.n_obs:,} cells, {torch.get_num_threads()} threads: an epoch's steps take "
          f"{wall / given.epochs:.2f} s ({busy / given.epochs:.2f} s of CPU), with the score of held-out cells, every "
          f"second epoch, {whole:.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
