"""Ctrl-C ends training and keeps the model trained so far."""

from __future__ import annotations

import os
import signal
import threading
import warnings

import numpy as np
import pytest

from multiome.errors import MultiomeWarning
from multiome.train.task import IntegrationTask

LONG = {"max_epochs": 3000, "patience": 3000}


@pytest.fixture
def interrupt(monkeypatch):
    """Send SIGINT to this process in some of the training steps."""

    def at(*steps: int) -> None:
        step, plain = iter(range(10_000)), IntegrationTask.training_step

        def training_step(self, *args, **kwargs):
            if next(step) in steps:
                os.kill(os.getpid(), signal.SIGINT)
            return plain(self, *args, **kwargs)

        monkeypatch.setattr(IntegrationTask, "training_step", training_step)

    return at


@pytest.mark.parametrize(("step", "validation"), [(0, 0.1), (9, 0.1), (9, 0.0)])
def test_an_interrupt_returns_a_usable_model_with_a_warning(quick_fit, small, interrupt, step, validation):
    interrupt(step)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.warns(MultiomeWarning, match="interrupted; the model is the one trained so far"):
        model = quick_fit(small.mdata, train=LONG | {"validation": validation})
    assert signal.getsignal(signal.SIGINT) is handler
    assert np.isfinite(model.embed(small.mdata)).all()
    assert model.history["epoch"].max(skipna=True) < 20 or model.history.empty


def test_the_handler_is_restored_without_an_interrupt(quick_fit, small):
    handler = signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=FutureWarning)
        quick_fit(small.mdata["rna"])
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_handler_is_restored_after_an_error(quick_fit, small, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("stop")

    monkeypatch.setattr(IntegrationTask, "training_step", fail)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="stop"):
        quick_fit(small.mdata["rna"])
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_interrupt_stops_at_once(quick_fit, small, interrupt, monkeypatch):
    """Both arrive in one step: the first asks for a stop, the second does not wait for it."""
    plain = IntegrationTask.training_step

    def training_step(self, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(IntegrationTask, "training_step", training_step)
    handler = signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MultiomeWarning)
        with pytest.raises(KeyboardInterrupt):
            quick_fit(small.mdata["rna"], train=LONG)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_job_in_the_background_minds_no_interrupt(quick_fit, small, interrupt, monkeypatch):
    """A shell starts such jobs with the signal ignored: Ctrl-C is meant for what runs in front."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", MultiomeWarning)
        assert quick_fit(small.mdata["rna"], train={"max_epochs": 2}).history["epoch"].nunique() == 2
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_training_works_outside_the_main_thread(quick_fit, small):
    """Signals reach the main thread only."""
    models = []
    thread = threading.Thread(target=lambda: models.append(quick_fit(small.mdata["rna"])))
    thread.start()
    thread.join()
    assert len(models) == 1
