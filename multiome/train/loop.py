"""Train a model in place."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytorch_lightning as pl
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.strategies import DDPStrategy

from multiome.data.cells import apart_in
from multiome.model.vae import MultiomeVAE
from multiome.train.begin import some_of
from multiome.train.callbacks import AverageWeights, History, Together
from multiome.train.config import TrainConfig
from multiome.train.datamodule import loader
from multiome.train.interrupt import StopOnInterrupt, mention_end
from multiome.train.job import Job, Trained
from multiome.train.processes import ALL, Share, launcher, started_outside
from multiome.train.resume import Checkpoint, begun
from multiome.train.start import train_in_processes
from multiome.train.task import ALIGN_FULLY, IntegrationTask

BURN_IN = 100
"""Steps before the score of held-out cells counts."""
MAX_CHECKED = 500
"""Held-out cells that are scored while training, at most: the same ones at every check, whose scores differ by far
more than a check does from the next one."""
MAX_CHECKS = 100
"""Held-out cells are scored after every second epoch, or less often where there are many epochs; not more often than so
many times."""


def train(vae: MultiomeVAE, job: Job, interrupt: StopOnInterrupt | None = None) -> Trained:
    """Optimise until held-out cells are no longer explained better; the best averaged weights stay in ``vae``.

    In this process, or in several that are started for it, or in those of which something else has started this one.
    """
    share = started_outside(job.config.devices, job.config.num_nodes)
    before = None if job.checkpoint is None else begun(job.checkpoint, job.mark)
    if share is None and job.config.world > 1:
        told = train_in_processes(vae, job)
    else:
        told = train_here(vae, job, share or ALL, before=before, interrupt=interrupt)
    if told.interrupted:
        mention_end()
    return told


def train_here(
    vae: MultiomeVAE, job: Job, share: Share, *, before: str | None = None, interrupt: StopOnInterrupt | None = None
) -> Trained:
    """Train in this process, which is the only one or has its share; go on from the state ``before`` where given."""
    cells, rows, config, seed = job.cells, job.rows, job.config, job.seed
    held_out = job.checks[1]
    batches = loader(cells, rows, config.batch_size, seed=seed, share=share)
    steps_per_epoch = len(batches)
    n_epochs = config.n_epochs(steps_per_epoch, n_cells=len(rows), n_held_out=len(held_out))
    observed = {key: cells.observed(key) for key in cells.matrices}
    n_paired = int((np.sum([each[rows] for each in observed.values()], axis=0) > 1).sum())
    apart = [] if vae.graph is None else apart_in(observed)
    n_steps = n_epochs * steps_per_epoch
    task = IntegrationTask(
        vae, config, job.weights, n_paired=n_paired, apart=apart, n_steps=n_steps, world=share.world, seed=seed
    )
    # what is kept has been aligned, and its neighbours add what they add at the end
    burn_in = int(ALIGN_FULLY * n_steps) if apart else BURN_IN
    average = AverageWeights(config.average, config.patience, monitor="val/total", burn_in=burn_in)
    history, interrupt = History(), interrupt or StopOnInterrupt(world=share.world)
    callbacks = [average, history, interrupt]
    if share.world > 1:
        callbacks.insert(0, Together(share.seed(seed)))
    if job.checkpoint is not None:  # the last: it writes what the others hold
        sampler = batches.dataset if cells.on_disk else batches.sampler
        callbacks.append(Checkpoint(job.checkpoint, job.mark, sampler, interrupt, share=share))
    with quiet_lightning():
        trainer = pl.Trainer(
            max_epochs=n_epochs,
            **devices(config, share),
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=config.progress_bar,
            enable_model_summary=False,
            check_val_every_n_epoch=max(1, min(2, n_epochs // 10), n_epochs // MAX_CHECKS),
            num_sanity_val_steps=0,
        )
        checked = some_of(held_out, MAX_CHECKED, np.random.default_rng(seed))
        held_out_batches = loader(job.checks[0], checked, 1024, share=share) if len(held_out) else None
        try:
            trainer.fit(task, batches, held_out_batches, ckpt_path=before)
        except SystemExit as stop:
            if isinstance(stop.__context__, KeyboardInterrupt):  # Lightning would take a whole notebook with it
                raise KeyboardInterrupt from stop
            raise
        finally:
            interrupt.restore()
    average.keep(task)
    vae.settle()
    vae.eval()
    return Trained(history.table(), interrupt.asked)


def devices(config: TrainConfig, share: Share) -> dict[str, Any]:
    """What Lightning trains with."""
    if share.world == 1:
        return {"accelerator": config.accelerator, "devices": 1, "plugins": [LightningEnvironment()]}
    started = launcher()
    if started is None:
        environment: ClusterEnvironment = LightningEnvironment()
    else:
        by_slurm = started.name == "srun"
        environment = SLURMEnvironment(auto_requeue=False) if by_slurm else TorchElasticEnvironment()
    strategy = DDPStrategy(
        process_group_backend=None if config.on_gpu else "gloo",
        find_unused_parameters=True,  # steps that do not compare modalities, minibatches without one of them
        broadcast_buffers=False,
        gradient_as_bucket_view=True,
    )
    return {
        "accelerator": "cuda" if config.on_gpu else "cpu",
        "devices": config.devices,
        "num_nodes": config.num_nodes,
        "strategy": strategy,
        "plugins": [environment],
        "use_distributed_sampler": False,
    }


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Without Lightning's advice about loggers, loaders and devices, which a user of this package cannot follow."""
    logs = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        try:
            yield
        finally:
            for log, level in zip(logs, levels, strict=True):
                log.setLevel(level)
