"""Processes of one machine that train one model together: given the job, waited for, and the weights taken back."""

from __future__ import annotations

import sys
from functools import partial

import torch

from multiome.files import scratch
from multiome.model.vae import MultiomeVAE
from multiome.train.job import Job, Trained
from multiome.train.process import Process, environment, n_cores, run
from multiome.train.processes import Share
from multiome.train.registered import added
from multiome.train.sent import receive, send


def train_in_processes(vae: MultiomeVAE, job: Job) -> Trained:
    """As `train`, in as many processes of this machine as the job's settings say.

    Raises
    ------
    Exception
        What was raised in a process first, of the same type.
    """
    world = job.config.devices
    with scratch("multiome-fit") as folder:
        send((added(), vae, job), folder / "job")
        starts = [
            partial(Process, ["multiome.train.worker", str(folder)], rank, told(Share(rank, world)))
            for rank in range(world)
        ]
        error = run(folder, starts, at_once=world)
        if error is not None:
            raise error
        trained, weights = receive(folder / "result")
    vae.settle()
    vae.load_state_dict(weights)
    vae.eval()
    return trained


def told(share: Share) -> dict[str, str]:
    """What a process is told: its rank, and its part of the threads."""
    own = {"RANK": share.rank, "LOCAL_RANK": share.rank, "WORLD_SIZE": share.world}
    n_threads = max(min(torch.get_num_threads(), n_cores() // share.world), 1)
    here = environment(n_threads) | {name: str(value) for name, value in own.items()}
    if sys.platform == "linux":
        here["GLOO_SOCKET_IFNAME"] = "lo"  # whatever the name of the machine resolves to
    return here
