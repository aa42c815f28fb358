"""Train a model in place."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl

from multiome.data.cells import apart_in
from multiome.data.dataset import CellDataset
from multiome.model.vae import MultiomeVAE
from multiome.train.callbacks import AverageWeights, History
from multiome.train.config import LossWeights, TrainConfig
from multiome.train.datamodule import loader
from multiome.train.interrupt import StopOnInterrupt
from multiome.train.resume import Checkpoint, begun
from multiome.train.task import ALIGN_FULLY, IntegrationTask

BURN_IN = 100
"""Steps before the score of held-out cells counts."""
MAX_CHECKS = 100
"""Held-out cells are scored after every second epoch, or less often where there are many epochs; not more often than so
many times."""


@dataclass(frozen=True)
class Trained:
    """How training went."""

    history: pd.DataFrame
    """Losses per epoch (``epoch``, ``cells``, ``loss``, ``value``)."""
    interrupted: bool
    """Whether the user ended it."""


def train(
    vae: MultiomeVAE,
    cells: CellDataset,
    rows: np.ndarray,
    checks: tuple[CellDataset, np.ndarray],
    *,
    config: TrainConfig,
    weights: LossWeights,
    seed: int,
    checkpoint: Path | None = None,
    mark: str = "",
) -> Trained:
    """Optimise until held-out cells are no longer explained better; the best averaged weights stay in ``vae``.

    ``checks`` are the held-out cells: rows of a data set that is in memory. Where there is a ``checkpoint`` of the same
    ``mark``, training goes on from it.
    """
    before = None if checkpoint is None else begun(checkpoint, mark)
    held_out = checks[1]
    batches = loader(cells, rows, config.batch_size, seed=seed)
    steps_per_epoch = len(batches)
    n_epochs = config.n_epochs(steps_per_epoch, n_cells=len(rows), n_held_out=len(held_out))
    n_paired = int((np.sum([cells.observed(key)[rows] for key in cells.matrices], axis=0) > 1).sum())
    apart = [] if vae.graph is None else apart_in({k: cells.observed(k) for k in cells.matrices})
    n_steps = n_epochs * steps_per_epoch
    task = IntegrationTask(vae, config, weights, n_paired=n_paired, apart=apart, n_steps=n_steps)
    # what is kept has been aligned, and its neighbours add what they add at the end
    burn_in = int(ALIGN_FULLY * n_steps) if apart else BURN_IN
    average = AverageWeights(config.average, config.patience, monitor="val/total", burn_in=burn_in)
    history, interrupt = History(), StopOnInterrupt()
    callbacks = [average, history, interrupt]
    if checkpoint is not None:  # the last: it writes what the others hold
        callbacks.append(Checkpoint(checkpoint, mark, batches.dataset if cells.on_disk else batches.sampler))
    with quiet_lightning():
        trainer = pl.Trainer(
            max_epochs=n_epochs,
            accelerator=config.accelerator,
            devices=1,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=config.progress_bar,
            enable_model_summary=False,
            check_val_every_n_epoch=max(1, min(2, n_epochs // 10), n_epochs // MAX_CHECKS),
            num_sanity_val_steps=0,
        )
        try:
            trainer.fit(task, batches, loader(*checks, 1024) if len(held_out) else None, ckpt_path=before)
        except SystemExit as stop:
            if isinstance(stop.__context__, KeyboardInterrupt):  # Lightning would take a whole notebook with it
                raise KeyboardInterrupt from stop
            raise
        finally:
            interrupt.restore()
    interrupt.mention()
    average.keep(task)
    vae.settle()
    vae.eval()
    return Trained(history.table(), interrupt.asked)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Without Lightning's advice about loggers, loaders and devices, which a user of this package cannot follow."""
    log = logging.getLogger("pytorch_lightning")
    level = log.level
    log.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        try:
            yield
        finally:
            log.setLevel(level)
