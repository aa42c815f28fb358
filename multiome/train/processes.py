"""The processes of one fit: who starts them, which of them this is, and what they tell each other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from multiome.errors import MultiomeError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Share:
    """What one of several processes works on."""

    rank: int = 0
    world: int = 1

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Every so manieth item; all of them where there are fewer than processes."""
        return items if len(items) < self.world else items[self.rank :: self.world]

    def seed(self, seed: int) -> int:
        """A seed of its own; that of the fit where there is one process."""
        return seed if self.world == 1 else int(np.random.SeedSequence([seed, self.rank]).generate_state(1)[0])


ALL = Share()
"""Everything, for the one process that there is."""


@dataclass(frozen=True)
class Launcher:
    """What has started the processes of a fit, each of which runs the same program."""

    name: str
    """``"torchrun"`` or ``"srun"``."""
    share: Share


def launcher(environment: Mapping[str, str] = os.environ) -> Launcher | None:
    """What has started this process together with others, as the environment tells; None if nothing has."""
    for name, known_by, rank, world in (
        ("torchrun", "TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE"),
        ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ):
        if known_by in environment and int(environment.get(world, 1)) > 1:
            return Launcher(name, Share(int(environment[rank]), int(environment[world])))
    return None


HOW_TO_START = (
    "Every machine needs its processes started: `srun --ntasks-per-node={devices} multiome fit ...` under SLURM, or on "
    "each machine `torchrun --nnodes={num_nodes} --nproc-per-node={devices} --rdzv-backend=c10d --rdzv-endpoint=HOST "
    "-m multiome fit ...` (of a Python script, its name in place of `-m multiome fit`)."
)


def started_outside(devices: int, num_nodes: int) -> Share | None:
    """The share of this process where something else has started all; None where `fit` is to start them itself.

    Raises
    ------
    MultiomeError
        If there are several machines and nobody has started processes there, or other numbers of them than told.
    """
    wanted, started = devices * num_nodes, launcher()
    if started is None or (started.name == "srun" and wanted == 1):  # several fits, each by itself
        if num_nodes > 1:
            raise MultiomeError(
                f"`num_nodes` is {num_nodes}, but this process was started alone. "
                + HOW_TO_START.format(devices=devices, num_nodes=num_nodes)
            )
        return None
    if started.share.world != wanted:
        raise MultiomeError(
            f"{started.name} has started {started.share.world} processes, but `devices` is {devices} and `num_nodes` "
            f"is {num_nodes}; their product must be the number of processes."
        )
    return started.share


def is_first() -> bool:
    """Whether this process is the one that writes files: of those that fitted a model together, the first."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def meeting_place() -> torch.device:
    """Where tensors must lie that processes exchange."""
    on_gpu = dist.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


def of_all(x: Tensor) -> Tensor:
    """A tensor of every process, all of one shape, stacked in their order."""
    own = x.detach().to(meeting_place()).contiguous()
    found = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(found, own)
    return torch.stack(found).to(x.device)


def mean_of_all(tensors: Sequence[Tensor]) -> None:
    """Put in place of each tensor its mean over all processes."""
    for sent in [dist.all_reduce(tensor, async_op=True) for tensor in tensors]:
        sent.wait()
    for tensor in tensors:
        tensor.div_(dist.get_world_size())


def any_of_all(told: bool) -> bool:  # noqa: FBT001
    """Whether it is true in any process; all of them ask in the same step."""
    flag = torch.tensor(float(told), device=meeting_place())
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def first_of_all(told: str | None) -> str | None:
    """What the first process says that says something."""
    found: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(found, told)
    return next((each for each in found if each is not None), None)


def rows_of_all(x: Tensor) -> Tensor:
    """Rows of all processes, as many of each, for a loss that every process then computes alike.

    Its gradient reaches the own rows, times the number of processes: the mean over processes that training takes is
    then the gradient of that loss. Nothing needs to be sent back, as it would be if gradients of all rows were summed.
    """
    world, rank = dist.get_world_size(), dist.get_rank()
    every = list(of_all(x))
    every[rank] = _Times.apply(x, world)
    return torch.cat(every)


class _Times(torch.autograd.Function):
    """The same values; gradients are multiplied."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: int) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.factor, None
