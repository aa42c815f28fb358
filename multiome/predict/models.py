"""The models of one fit, each from its random start to what is learnt of its predictions: in turn, or side by side."""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from multiome.data.spec import DataSpec
from multiome.errors import MultiomeWarning
from multiome.graph.edges import FeatureEdges
from multiome.model.config import ModelConfig
from multiome.model.vae import MultiomeVAE
from multiome.predict.fitted import Fitted
from multiome.predict.learn import learn_alone
from multiome.train.begin import begin
from multiome.train.interrupt import StopOnInterrupt, mention_end, mention_interrupted
from multiome.train.job import Job, Trained
from multiome.train.loop import train
from multiome.train.side_by_side import NotHere, side_by_side

STEPS_THAT_PAY = 400
"""Of a model, from which on processes are worth the seconds that they take to start."""
MOST_HANDED_OVER = 2 * 1024**3
"""Bytes of cells that are written to the folder of temporary files without being asked."""


@dataclass(frozen=True)
class Plan:
    """One of the models of a fit."""

    spec: DataSpec
    config: ModelConfig
    edges: FeatureEdges | None
    job: Job
    """Its seed is that of the model's random start."""
    known_rows: np.ndarray
    """The training cells among those whose values are in memory."""
    seed: int
    """That of the fit."""

    def trained(self, interrupt: StopOnInterrupt | None = None) -> tuple[MultiomeVAE, Trained]:
        """Weights from a random start."""
        job = self.job
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(job.seed)
            vae = begin(
                self.spec, job.checks[0], self.known_rows, self.config,
                seed=job.seed, balance=job.weights.balance, edges=self.edges,
            )  # fmt: skip
            return vae, train(vae, job, interrupt)

    def learnt(self, vae: MultiomeVAE) -> Fitted:
        """A model that can predict, of trained weights."""
        known, held_out = self.job.checks
        return learn_alone(vae, self.spec, self.config, known, rows=self.known_rows, held_out=held_out, seed=self.seed)

    def __call__(self, interrupt: StopOnInterrupt) -> Outcome:
        """All of it, in a process of its own."""
        vae, told = self.trained(interrupt)
        fitted = self.learnt(vae)
        learnt = {name: getattr(fitted, name) for name in ("depth", "shrinkage", "calibration")}
        return Outcome(told, vae.weights, vae.state_dict(), learnt)

    def fitted(self, found: Outcome) -> Fitted:
        """A model of what another process has found."""
        vae = MultiomeVAE(self.spec, self.config)
        vae.weights = dict(found.balance)
        vae.load_state_dict(found.weights)
        vae.eval()
        return Fitted(vae, self.spec, self.config, **found.learnt)


@dataclass(frozen=True)
class Outcome:
    """What a process sends back: all of a model but what it shares with others."""

    told: Trained
    balance: Mapping[str, float]
    """What each modality's likelihood counts in training."""
    weights: Mapping[str, torch.Tensor]
    learnt: Mapping[str, Any]
    """Fields of `Fitted`."""


@dataclass(frozen=True)
class Models:
    """Those of a fit; where training was interrupted, whose training had ended, or what there is of them."""

    each: list[Fitted]
    history: pd.DataFrame
    """That of the first one."""
    interrupted: bool


def fitted_models(plans: Sequence[Plan]) -> Models:
    """Side by side where that pays."""
    if pays(plans):
        try:
            return beside_each_other(plans)
        except NotHere as reason:
            warnings.warn(
                f"Models are trained one after the other, as they cannot be in processes of their own ({reason}). "
                "TrainConfig(side_by_side=False) trains them so without trying.",
                MultiomeWarning,
                stacklevel=3,
            )
    return one_after_the_other(plans)


def one_after_the_other(plans: Sequence[Plan]) -> Models:
    """In this process."""
    models: list[Fitted] = []
    history, interrupted = pd.DataFrame(), False
    for number, plan in enumerate(plans, 1):
        if plan.job.config.progress_bar and len(plans) > 1:
            print(f"Model {number} of {len(plans)}", file=sys.stderr)
        vae, told = plan.trained()
        interrupted = told.interrupted
        if interrupted and models:
            mention_interrupted(len(models), len(plans))
            break
        history = history if models else told.history
        models.append(plan.learnt(vae))
        if interrupted:
            break
    return Models(models, history, interrupted)


def beside_each_other(plans: Sequence[Plan]) -> Models:
    """In processes of their own; the first one shows how far it is."""
    first, *others = plans
    if first.job.config.progress_bar:
        print(f"{len(plans)} models side by side; what is shown is the first one", file=sys.stderr)
    silent = [replace(p, job=replace(p.job, config=replace(p.job.config, progress_bar=False))) for p in others]
    found = side_by_side([first, *silent])
    whole = [number for number, outcome in enumerate(found) if not outcome.told.interrupted]
    if not whole:
        mention_end(stacklevel=5)
    elif len(whole) < len(plans):
        mention_interrupted(len(whole), len(plans))
    kept = whole or range(len(plans))
    models = [plans[number].fitted(found[number]) for number in kept]
    return Models(models, found[kept[0]].told.history, len(whole) < len(plans))


def pays(plans: Sequence[Plan]) -> bool:
    """Whether processes of their own are asked for, or will be faster, and leave the machine enough room."""
    job = plans[0].job
    if len(plans) == 1 or job.config.side_by_side is not None:
        return len(plans) > 1 and bool(job.config.side_by_side)
    steps = math.ceil(len(job.rows) / job.config.batch_size)
    n_epochs = job.config.n_epochs(steps, n_cells=len(job.rows), n_held_out=len(job.checks[1]))
    size = sum(cells.n_bytes for cells in {id(cells): cells for cells in (job.cells, job.checks[0])}.values())
    return (
        job.config.only_this_cpu
        and torch.get_num_threads() > 1
        and steps * n_epochs >= STEPS_THAT_PAY
        and size <= MOST_HANDED_OVER
        and 2 * size <= room()
    )


def room() -> int:
    """Bytes that may be written to the folder of temporary files; none where there is no such folder."""
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free
    except OSError:
        return 0
