"""When the epochs and steps of a `fit` began and ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np

from multiome.train import loop


@dataclass
class Times:
    """Moments in seconds, by the wall and of CPU: where an epoch begins, after each of its steps, and where it ends."""

    epochs: list[list[tuple[float, float]]] = field(default_factory=list)
    ends: list[tuple[float, float]] = field(default_factory=list)
    n_parameters: int = 0

    @property
    def n_steps(self) -> int:
        """Of all epochs."""
        return sum(len(epoch) - 1 for epoch in self.epochs)

    def step(self) -> tuple[float, float]:
        """The median seconds of a step, by the wall and of CPU, from the end of the one before."""
        wall, busy = np.median(np.concatenate([np.diff(epoch, axis=0) for epoch in self.epochs]), axis=0)
        return float(wall), float(busy)

    def all_steps(self) -> tuple[float, float]:
        """Seconds of all steps, what was read for them included, by the wall and of CPU."""
        wall, busy = np.sum([np.subtract(epoch[-1], epoch[0]) for epoch in self.epochs], axis=0)
        return float(wall), float(busy)

    def each_epoch(self) -> list[tuple[float, float]]:
        """Seconds of each epoch, its score of held-out cells included, by the wall and of CPU."""
        ends = np.array(self.ends) - np.array([epoch[0] for epoch in self.epochs])
        return [(float(wall), float(busy)) for wall, busy in ends]


@contextmanager
def timed() -> Iterator[Times]:
    """Time what `fit` trains in this process meanwhile."""
    times = Times()

    def now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    class Clock(loop.History):
        def on_fit_start(self, _: Any, task: Any) -> None:
            times.n_parameters = sum(p.numel() for p in task.parameters())

        def on_train_epoch_start(self, *_: Any) -> None:
            times.epochs.append([now()])

        def on_train_batch_end(self, *_: Any) -> None:
            times.epochs[-1].append(now())

        def on_train_epoch_end(self, trainer: Any, task: Any) -> None:
            super().on_train_epoch_end(trainer, task)
            times.ends.append(now())

    with patch.object(loop, "History", Clock):
        yield times


class TrainedError(Exception):
    """All that was to be timed is over."""


@contextmanager
def timed_training() -> Iterator[Times]:
    """The same of a single model, without what `fit` does after training."""
    after = patch("multiome.predict.models.learn_alone", side_effect=TrainedError)
    with timed() as times, after, suppress(TrainedError):
        yield times
