"""How a model is trained."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from importlib.util import find_spec

import torch

from multiome.errors import MultiomeError, check_flag, check_probability, is_number, keep_whole, unknown
from multiome.files import check_name
from multiome.train.processes import launcher, started_outside

MAX_EPOCHS = 36
"""Passes over the training cells where a user says nothing; small data get as many as give ``min_steps``."""
FEW_STEPS = 100
"""Steps on fewer than `FEW_CELLS` cells, none of which can be held out to tell when to stop."""
FEW_CELLS = 200
MIN_STEPS = 1200
"""Steps that small data get by more passes than 36."""
HELD_OUT, FEW_HELD_OUT, OF_MANY, MOST_HELD_OUT = 0.1, 500, 0.02, 2_000
"""Share of the cells that is held out where a user says nothing, down to so many cells; of many cells another share, up
to so many: what more of them would tell is worth less than what a model learns of them."""
USUALLY_AVERAGED, MOST_AVERAGED = 2, 10_000
"""Models whose predictions are averaged where a user says nothing, and paired cells up to which that is so: of more, a
fit takes minutes and more."""
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
"""The names that Lightning knows."""


def is_available(accelerator: str) -> bool:
    """Whether there is such a device on this machine."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    tpu = find_spec("torch_xla") is not None
    return {"gpu": cuda or mps, "cuda": cuda, "mps": mps, "tpu": tpu}.get(accelerator, True)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Optimisation; the defaults were chosen on training cells of real data sets (see the benchmarks page)."""

    max_epochs: int | None = None
    """Passes over the training cells, at most; by default 36, or on small data as many as give ``min_steps``."""
    min_steps: int | None = None
    """Optimiser steps that small data get by more passes than 36; not used where ``max_epochs`` is given. By default
    1,200, and 100 in all on fewer than 200 cells, of which too few could be held out to tell when to stop."""
    batch_size: int = 256
    """Cells per step, of each process: a step of several looks at as many times more. What would be left of an epoch
    is spread over its steps, which are then larger: 600 cells make two steps of 300, 500 cells a single one."""
    learning_rate: float = 2e-3
    """Peak learning rate of AdamW, from which it falls in a line to almost 0 over the planned steps."""
    weight_decay: float = 1e-2
    """Decoupled weight decay."""
    patience: int = 10
    """Checks of the held-out cells without a better score before training stops."""
    validation: float | None = None
    """Share of the cells held out to tell when to stop (500 of them, where they are more), how far predictions may lie
    from the average cell, and how far they can be trusted; none where they would be fewer than 20. By default 0.1; of
    more than 5,000 cells 500, or 2 % of the cells where that is more, and 2,000 at most (as of any share of cells on
    disk)."""
    features_per_step: int = 2500
    """Features per modality whose likelihood a step evaluates, a fresh random sample each step."""
    thinning: float = 0.7
    """Probability to keep each count in the views that the encoders are trained on."""
    part_share: float = 0.5
    """Share of the cells that a step explains from a random part of their modalities, and not from all."""
    feature_dropout: float = 0.1
    """Share of features hidden from the encoders in a step."""
    average: float = 0.99
    """Decay of the running average of the weights, which is what is evaluated and kept."""
    decoys: float | None = None
    """With a guidance graph: false edges added per edge of the graph, which say by chance how strong a link looks.
    From 0 (none; links then have no p) to less than 1: each imitates another edge, of which there are only so many.
    By default 0.1; between modalities that fewer than 5,000 edges join, enough for 500, and at most 0.3 (0.1 again of
    fewer than 67 edges, of which 0.3 would be too few to tell anything)."""
    n_models: int | None = None
    """Models that are trained from different random starts. Their predictions are averaged, which
    makes them better, at as many times the cost; embeddings and links are the first one's. By default 2 where 200 to
    10,000 training cells have several modalities, else 1."""
    side_by_side: bool | None = None
    """Whether several models are trained at the same time, in a process each, among which the threads are shared out,
    or one after the other. By default on the CPU of one machine where there are threads for it and each takes 400 steps
    and more: two threads train one model hardly faster than one does. A process takes some seconds to start, and
    0.5 to 1 GB; the cells in memory are written to the folder of temporary files once, and read from there by all."""
    checkpoint: str | os.PathLike | None = None
    """File to which the state of training is written after every epoch. Where it exists, a `fit` of the same data,
    settings and seed goes on from it: a fit that was killed loses an epoch at most. It is removed at the end, but stays
    where training was interrupted (Ctrl-C), which gives a model of what there is: the same `fit` then goes on."""
    accelerator: str = "auto"
    """Lightning's accelerator, ``"cpu"`` or ``"gpu"`` to insist."""
    devices: int = 1
    """Processes on each machine that train together, on a GPU each, or on the CPU where none are used. Every one has
    minibatches of its own. On one machine `fit` starts them; what `torchrun` or `srun` has started, it takes."""
    num_nodes: int = 1
    """Machines. Of more than one, `torchrun` or SLURM's `srun` must start the processes, so many on each."""
    progress_bar: bool = True
    """Whether to show losses while training."""

    def __post_init__(self) -> None:
        given = [name for name in ("max_epochs", "min_steps", "n_models") if getattr(self, name) is not None]
        keep_whole(self, *given, "batch_size", "patience", "features_per_step", "devices", "num_nodes")
        for name in ("part_share", "feature_dropout", "average"):
            check_probability(name, getattr(self, name))
        for name in ("validation", "decoys"):
            if getattr(self, name) is not None:
                check_probability(name, getattr(self, name))
        if not is_number(self.thinning) or not 0 < self.thinning <= 1:
            raise MultiomeError(f"`thinning` must be a number in (0, 1], got {self.thinning!r}.")
        if not is_number(self.learning_rate) or not 0 < self.learning_rate < math.inf:
            raise MultiomeError(f"`learning_rate` must be a positive number, got {self.learning_rate!r}.")
        if not is_number(self.weight_decay) or not 0 <= self.weight_decay < math.inf:
            raise MultiomeError(f"`weight_decay` must be a number of at least 0, got {self.weight_decay!r}.")
        if self.accelerator not in ACCELERATORS:
            raise unknown("accelerator", self.accelerator, ACCELERATORS)
        check_flag("progress_bar", self.progress_bar)
        if self.side_by_side is not None:
            check_flag("side_by_side", self.side_by_side)
        if self.side_by_side and self.world > 1:
            raise MultiomeError(
                f"`side_by_side` trains each model in one process, but `devices` is {self.devices} and `num_nodes` is "
                f"{self.num_nodes}; leave it out, or give one device."
            )
        if self.checkpoint is not None:
            object.__setattr__(self, "checkpoint", os.fspath(check_name("checkpoint", self.checkpoint)))

    def check_device(self) -> None:
        """The accelerator exists here, as often as wanted, and processes are there, or can be started.

        Asked when training is about to begin, not where settings are written down.

        Raises
        ------
        MultiomeError
            If not.
        """
        if not is_available(self.accelerator):
            raise MultiomeError(
                f"`accelerator` is {self.accelerator!r}, but torch finds no such device here; leave it at 'auto', or "
                "say 'cpu'."
            )
        if self.world > 1 and not self.on_gpu and self.accelerator not in ("auto", "cpu"):
            raise MultiomeError(
                f"`accelerator` is {self.accelerator!r}, which one process can use; several need GPUs of NVIDIA or "
                "AMD, or 'cpu'."
            )
        n_gpus = torch.cuda.device_count()
        if self.on_gpu and self.devices > max(n_gpus, 1):
            raise MultiomeError(
                f"`devices` is {self.devices}, but torch finds {n_gpus} GPU{'s' * (n_gpus != 1)} on this machine. Ask "
                "for as many (under SLURM for those of a whole machine, `--gres=gpu:N` and not `--gpus-per-task`), or "
                "say accelerator='cpu'."
            )
        started_outside(self.devices, self.num_nodes)

    @property
    def world(self) -> int:
        """Processes that train together, on all machines."""
        return self.devices * self.num_nodes

    @property
    def on_gpu(self) -> bool:
        """Whether processes use a GPU each."""
        return self.accelerator != "cpu" and torch.cuda.is_available()

    @property
    def only_this_cpu(self) -> bool:
        """Whether a model is trained by one process of this machine, which no other one accompanies, on its CPU."""
        if self.world > 1 or launcher() is not None:
            return False
        return self.accelerator == "cpu" or not any(is_available(each) for each in ("gpu", "tpu"))

    def n_averaged(self, n_paired: int) -> int:
        """Models whose predictions are averaged: what the user says, else by the training cells that are paired."""
        if self.n_models is not None:
            return self.n_models
        return USUALLY_AVERAGED if FEW_CELLS <= n_paired <= MOST_AVERAGED else 1

    def share_held_out(self, n_cells: int) -> float:
        """What the user says of ``validation``, else by the number of cells."""
        if self.validation is not None:
            return self.validation
        return min(HELD_OUT, max(FEW_HELD_OUT / n_cells, OF_MANY), MOST_HELD_OUT / n_cells)

    def n_epochs(self, steps_per_epoch: int, *, n_cells: int, n_held_out: int) -> int:
        """Passes over the training cells, at most: what the user says, else as ``min_steps`` tells."""
        if self.max_epochs is not None:
            return self.max_epochs
        if self.min_steps is None and self.validation != 0 and not n_held_out and n_cells < FEW_CELLS:
            return math.ceil(FEW_STEPS / steps_per_epoch)
        return max(MAX_EPOCHS, math.ceil((self.min_steps or MIN_STEPS) / steps_per_epoch))


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """What each term counts in the sum that is minimised, per cell."""

    elbo: float = 1.0
    """Explaining all observed modalities, given all or a part of them."""
    clip: float | None = None
    """Contrastive alignment of the modalities of one cell, in every second step, where it counts twice. By default 10,
    and down to 4 where fewer than 2,500 training cells have several modalities: the fewer the cells, the sooner they
    are told apart by heart."""
    align: float = 30.0
    """With a guidance graph, alignment of modalities that hardly any cell connects, be it through others; also of two
    between which the graph has no edge. Latent states of their cells become alike, where cells of both come near each
    other at all. Sets in at 0.6 of the steps."""
    prior: float = 1.0
    """The Kullback–Leibler term inside the ELBO; below 1 the latent space holds more detail. Where a
    guidance graph joins RNA with modalities of other cells, it counts half as much in cells that have RNA."""
    balance: float = 0.5
    """From 0, likelihoods as they are, to 1, every modality counts the same however many features it has."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name == "clip" and value is None:
                continue
            if not is_number(value) or not 0 <= value < math.inf:
                raise MultiomeError(f"Loss weight `{name}` must be a finite number of at least 0, got {value!r}.")

    def clip_among(self, n_paired: int) -> float:
        """The weight of the contrastive loss among so many paired cells: what the user says, else 4 to 10."""
        return min(max(n_paired / 250, 4.0), 10.0) if self.clip is None else self.clip
