"""One of the processes that a fit starts.

``python -m multiome.train.worker FOLDER`` trains a model together with others, as `train_in_processes` starts it;
``python -m multiome.train.worker FOLDER NUMBER`` does one of the tasks that `side_by_side` hands over.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from multiome.errors import MultiomeError
from multiome.train.heap import keep_freed
from multiome.train.interrupt import StopOnInterrupt
from multiome.train.job import Failure
from multiome.train.loop import train_here
from multiome.train.process import error_file
from multiome.train.processes import Share
from multiome.train.registered import add
from multiome.train.resume import begun
from multiome.train.sent import not_handed_over, receive, send
from multiome.train.side_by_side import TASKS, result_file


def main(folder: Path, number: int | None = None) -> int:
    """Do the work, and leave the result, or what was raised, in the folder."""
    share = Share() if number is not None else Share(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    interrupt = StopOnInterrupt(world=share.world)
    threading.Thread(target=listen, args=(interrupt, folder), daemon=True).start()
    warnings.simplefilter("ignore")
    keep_freed()
    try:
        if number is None:
            together(folder, share, interrupt)
        else:
            alone(folder, number, interrupt)
    except BaseException as error:
        when = time.time()
        if not isinstance(error, MultiomeError):
            error.add_note("".join(traceback.format_exception(error)))
        report(Failure(error, when), error_file(folder, share.rank if number is None else number))
        return 1
    return 0


def alone(folder: Path, number: int, interrupt: StopOnInterrupt) -> None:
    """One of the tasks."""
    own, tasks = received(folder / TASKS)
    add(own)
    send(tasks[number](interrupt), result_file(folder, number))


def together(folder: Path, share: Share, interrupt: StopOnInterrupt) -> None:
    """Train together with the other processes."""
    own, vae, job = received(folder / "job")
    add(own)
    if job.config.on_gpu:
        torch.cuda.set_device(share.rank)
    dist.init_process_group(
        "nccl" if job.config.on_gpu else "gloo",
        store=dist.FileStore(str(folder / "meeting"), share.world),
        rank=share.rank,
        world_size=share.world,
    )
    before = None if job.checkpoint is None else begun(job.checkpoint, job.mark)
    told = train_here(vae, job, share, before=before, interrupt=interrupt)
    if share.rank == 0:
        send((told, vae.state_dict()), folder / "result")


def received(path: Path) -> Any:
    """What is handed over.

    Raises
    ------
    NotHandedOver
        If it cannot be made anew here, such as of a class that a notebook or a script defines.
    """
    try:
        return receive(path)
    except Exception as error:
        raise not_handed_over(error) from error


def report(failure: Failure, path: Path) -> None:
    """Write what was raised; under its name alone where it cannot be handed over."""
    beside = path.with_name(f"new-{path.name}")
    try:
        send(failure, beside)
        receive(beside)
    except Exception:
        failure = Failure(RuntimeError(f"{type(failure.error).__name__}: {failure.error}"), failure.when)
        send(failure, beside)
    beside.rename(path)


def listen(interrupt: StopOnInterrupt, folder: Path) -> None:
    """A line asks for the end of training; the end of all lines says that who waits for it is gone."""
    for _ in sys.stdin.buffer:
        interrupt.ask()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    status = main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # at once: other processes may be gone, and a connection waits for them
