"""Work of several models, each in a new process of this machine, as many at a time as there are threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from multiome.files import scratch
from multiome.train.interrupt import StopOnInterrupt
from multiome.train.process import Died, Process, environment, n_cores, run
from multiome.train.registered import added
from multiome.train.sent import NotHandedOver, receive, send

Result = TypeVar("Result")

TASKS = "tasks"
"""The file that hands the work over."""


class NotHere(Exception):
    """Why work cannot be done in processes of its own, here or of this kind."""


def side_by_side(tasks: Sequence[Callable[[StopOnInterrupt], Result]]) -> list[Result]:
    """What the tasks return, which end early where the interrupt they are given asks for that.

    The threads of this process are shared out; results are those of as many threads as a task has.

    Raises
    ------
    NotHere
        If processes cannot be started, or given their work, or one of them ended without a word.
    Exception
        What was raised by a task first, of the same type.
    """
    n_threads = min(torch.get_num_threads(), n_cores())
    at_once = max(min(len(tasks), n_threads), 1)
    results: list[Result] = []
    try:
        with scratch("multiome-fit") as folder:
            send((added(), list(tasks)), folder / TASKS)
            told = environment(max(n_threads // at_once, 1))
            starts = [
                partial(Process, ["multiome.train.worker", str(folder), str(number)], number, told)
                for number in range(len(tasks))
            ]
            error = run(folder, starts, at_once=at_once)
            if error is None:
                results = [receive(result_file(folder, number)) for number in range(len(tasks))]
    except NotHandedOver as why:
        raise NotHere(str(why)) from why
    except OSError as why:  # no room for temporary files, no further processes
        raise NotHere(f"{type(why).__name__}: {why}") from why
    if isinstance(error, Died | NotHandedOver):
        raise NotHere(str(error)) from error
    if error is not None:
        raise error
    return results


def result_file(folder: Path, number: int) -> Path:
    """Where a process leaves what its task returned."""
    return folder / f"result-{number}"
