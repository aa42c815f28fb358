"""Independent pieces of work at the same time, which share the threads of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

MOST = 2
"""Pieces that are worked on at a time, where nothing else is said: each has memory of its own."""


def at_once(pieces: Sequence[Callable[[], Any]], *, device: torch.device, most: int = MOST) -> list[Any]:
    """What they give, in order; they are begun in it, too, so that the longest should come first.

    Much of what is done with a block of predictions, such as sorting, NumPy does with one thread: two blocks at a time
    keep two threads busy. None of them may use random numbers that all share. On a GPU one comes after the other.
    """
    threads = torch.get_num_threads()
    n = min(most, threads, len(pieces)) if device.type == "cpu" else 1
    if n < 2:
        return [piece() for piece in pieces]
    try:
        with ThreadPoolExecutor(n, initializer=torch.set_num_threads, initargs=(threads // n,)) as pool:
            return list(pool.map(lambda piece: piece(), pieces))
    finally:
        torch.set_num_threads(threads)  # of threads that are yet to come
