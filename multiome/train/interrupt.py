"""``Ctrl-C`` ends training after the current step and keeps the model trained so far."""

from __future__ import annotations

import signal
import threading
import warnings
from typing import Any

import pytorch_lightning as pl

from multiome.errors import MultiomeWarning


class StopOnInterrupt(pl.Callback):
    """The first interrupt asks for a stop; a second one raises `KeyboardInterrupt` as usual."""

    def __init__(self) -> None:
        self.previous: Any = None
        self.asked = False

    def on_fit_start(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # signals reach the main thread only
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            return  # a job in the background (``&``, ``nohup``): Ctrl-C is meant for another one

        def ask(signum: int, frame: Any) -> None:
            signal.signal(signal.SIGINT, self.previous)
            self.asked = True
            trainer.should_stop = True

        self.previous = signal.signal(signal.SIGINT, ask)

    def restore(self) -> None:
        """Give the signal back to whoever had it."""
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)
            self.previous = None

    def mention(self) -> None:
        """Say that training ended early, if it did."""
        if self.asked:
            warnings.warn(
                "Training was interrupted; the model is the one trained so far.", MultiomeWarning, stacklevel=4
            )


def mention_interrupted(n_whole: int, n_wanted: int) -> None:
    """Say that of several models only those are kept whose training had ended."""
    warnings.warn(
        f"Training was interrupted in model {n_whole + 1} of {n_wanted}; predictions are averaged over the {n_whole} "
        "before it.",
        MultiomeWarning,
        stacklevel=3,
    )
