"""``Ctrl-C`` ends training after the current step and keeps the model trained so far."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

from multiome.errors import MultiomeWarning
from multiome.train.processes import any_of_all


class Interrupts:
    """The first interrupt is noted; a second one raises `KeyboardInterrupt` as usual."""

    def __init__(self, note: Callable[[], None]) -> None:
        self.note = note
        self.previous: Any = None

    def listen(self) -> None:
        """From now on, until `restore`."""
        if threading.current_thread() is not threading.main_thread():
            return  # signals reach the main thread only
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            return  # a job in the background (``&``, ``nohup``): Ctrl-C is meant for another one

        def ask(signum: int, frame: Any) -> None:
            signal.signal(signal.SIGINT, self.previous)
            self.note()

        self.previous = signal.signal(signal.SIGINT, ask)

    def restore(self) -> None:
        """Give the signal back to whoever had it."""
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)
            self.previous = None


class StopOnInterrupt(pl.Callback):
    """The first interrupt asks for a stop; of several processes all stop after the same step."""

    def __init__(self, *, world: int = 1) -> None:
        self.world = world
        self.interrupts = Interrupts(self.ask)
        self.asked = False
        self.trainer: pl.Trainer | None = None

    def ask(self) -> None:
        """Let training end after this step."""
        self.asked = True
        if self.world == 1 and self.trainer is not None:
            self.trainer.should_stop = True

    def on_fit_start(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        self.trainer = trainer
        self.interrupts.listen()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if any_of_all(self.asked) if self.world > 1 else self.asked:  # it may have been asked before training began
            self.asked = trainer.should_stop = True

    def restore(self) -> None:
        """Give the signal back to whoever had it."""
        self.interrupts.restore()
        self.trainer = None


def mention_end(*, stacklevel: int = 7) -> None:
    """Say that training ended early."""
    text = "Training was interrupted; the model is the one trained so far."
    warnings.warn(text, MultiomeWarning, stacklevel=stacklevel)


def mention_interrupted(n_whole: int, n_wanted: int) -> None:
    """Say that of several models only those are kept whose training had ended."""
    warnings.warn(
        f"Training was interrupted when that of {n_whole} of {n_wanted} models had ended; the others are left out.",
        MultiomeWarning,
        stacklevel=5,
    )
