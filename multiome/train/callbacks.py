"""What happens around steps: weight averaging, keeping the best, stopping, history."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch
import torch.distributed as dist

from multiome.train.processes import mean_of_all
from multiome.train.task import IntegrationTask

EVERY, FROM, LONG = 4, 100, 0.9
"""From so many steps on, a running average that decays no faster than this takes up every fourth step's weights: those
between add next to nothing to it, and it takes as long as two thirds of the optimiser's own step."""

LOSSES = ("elbo", "cross", "clip", "align", "total")
"""In the order of a history."""


class AverageWeights(pl.Callback):
    """A running average of the weights, which held-out cells are scored with and which is kept at its best score.

    Scores count after ``burn_in`` steps only: until then the average is mostly the random start, which few cells may
    score best. Where no score has counted, the last average is kept.
    """

    def __init__(self, decay: float, patience: int, *, monitor: str, burn_in: int = 0) -> None:
        self.decay, self.patience, self.monitor, self.burn_in = decay, patience, monitor, burn_in
        self.n_steps = 0
        self.weights: list[torch.nn.Parameter] = []
        self.average: list[torch.Tensor] = []
        self.best: list[torch.Tensor] = []
        self.best_score, self.waited = math.inf, 0

    def state_dict(self) -> dict[str, Any]:
        """What a fit that goes on needs."""
        names = ("n_steps", "average", "best", "best_score", "waited")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        vars(self).update(state)

    def on_train_start(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        self.weights = list(task.parameters())  # once: it walks through all modules
        for kept in (self.average, self.best):
            kept[:] = [old.to(p) for p, old in zip(tensors(task), kept, strict=True)] if kept else copies(task)
        trainer.should_stop |= self.waited >= self.patience  # a fit that had ended already

    def on_train_batch_end(self, trainer: pl.Trainer, task: pl.LightningModule, *_: Any) -> None:
        self.n_steps += 1
        decay = min(self.decay, self.n_steps / (self.n_steps + 10))
        if self.n_steps > FROM and decay >= LONG:
            if self.n_steps % EVERY:
                return
            decay **= EVERY
        torch._foreach_lerp_(self.average, [p.data for p in self.weights], 1 - decay)

    def swap(self, task: pl.LightningModule) -> None:
        """Exchange the weights and their average."""
        for parameter, average in zip(task.parameters(), self.average, strict=True):
            parameter.data, average.data = average.data, parameter.data

    def on_validation_start(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        self.swap(task)

    def on_validation_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        score = float(trainer.callback_metrics[self.monitor])
        if self.n_steps < self.burn_in:
            pass
        elif score < self.best_score:
            self.best_score, self.waited = score, 0
            torch._foreach_copy_(self.best, tensors(task))
        else:
            self.waited += 1
            trainer.should_stop |= self.waited >= self.patience
        self.swap(task)

    def on_train_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        self.keep(task)

    def keep(self, task: pl.LightningModule) -> None:
        """Put the best average in place of the weights; Lightning does not ask for it where no epoch was left to do."""
        kept = (self.best if math.isfinite(self.best_score) else self.average) or tensors(task)  # nothing was trained
        torch._foreach_copy_(tensors(task), kept)


def copies(task: pl.LightningModule) -> list[torch.Tensor]:
    """The weights as they are now."""
    return [p.clone() for p in tensors(task)]


def tensors(task: pl.LightningModule) -> list[torch.Tensor]:
    """The weights as plain tensors."""
    return [p.data for p in task.parameters()]


class Together(pl.Callback):
    """Several processes begin alike, draw random numbers of their own, and stay alike in what no gradient changes."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def setup(self, trainer: pl.Trainer, task: pl.LightningModule, stage: str) -> None:
        torch.manual_seed(self.seed)

    def on_train_start(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        assert isinstance(task, IntegrationTask)
        for each in (*task.buffers(), *task.sampling.tables.values()):  # of other weights, training itself takes care
            dist.broadcast(each.data, 0)

    def on_train_batch_end(self, trainer: pl.Trainer, task: pl.LightningModule, *_: Any) -> None:
        # no gradient moves these, but what weights see in a minibatch
        mean_of_all([p.data for p in task.parameters() if not p.requires_grad])


class History(pl.Callback):
    """Losses per epoch, as a tidy table."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.validated = False

    def state_dict(self) -> dict[str, Any]:
        """What a fit that goes on needs."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.rows = state["rows"]

    def on_validation_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        self.validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        assert isinstance(task, IntegrationTask)
        logged = trainer.callback_metrics  # also what earlier epochs have logged
        for cells, told in (("train", task.told), ("val", LOSSES if self.validated else ())):
            for loss in LOSSES:
                if loss in told and f"{cells}/{loss}" in logged:
                    value = float(logged[f"{cells}/{loss}"])
                    self.rows.append({"epoch": trainer.current_epoch, "cells": cells, "loss": loss, "value": value})
        self.validated, task.told = False, set()

    def table(self) -> pd.DataFrame:
        """One row per epoch, part of the cells (``train``, or ``val`` where those were scored) and loss."""
        return pd.DataFrame(self.rows, columns=["epoch", "cells", "loss", "value"])
