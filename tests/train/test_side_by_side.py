"""Work in new processes: results come back in order, and errors, deaths and interrupts are told."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

import multiome as mo
from multiome.errors import MultiomeError
from multiome.likelihoods.poisson import Poisson
from multiome.modalities.base import keep_everything
from multiome.modalities.registry import LIKELIHOODS, MODALITIES
from multiome.predict.scale import SCALES
from multiome.train import side_by_side as module
from multiome.train.side_by_side import NotHere, side_by_side

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Where temporary files go, seen empty afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert not [path.name for path in tmp_path.iterdir() if "multiome" in path.name]


@dataclass(frozen=True)
class Told:
    """What a process says of itself."""

    number: int

    def __call__(self, interrupt):
        return self.number, os.getpid(), torch.get_num_threads(), torch.arange(3) * self.number


@dataclass(frozen=True)
class Waits:
    """Ends when it is asked to, having said where that it waits."""

    file: Path

    def __call__(self, interrupt):
        self.file.touch()
        until = time.monotonic() + 60
        while not interrupt.asked and time.monotonic() < until:
            time.sleep(0.01)
        return interrupt.asked


@dataclass(frozen=True)
class Fails:
    """Raises, while the other one waits."""

    error: Exception

    def __call__(self, interrupt):
        raise self.error


@dataclass(frozen=True)
class Dies:
    """Says nothing."""

    def __call__(self, interrupt):
        print("last words", file=sys.stderr, flush=True)
        os._exit(3)


def test_results_come_in_order_from_as_many_processes_as_there_are_threads(monkeypatch):
    monkeypatch.setattr(module, "n_cores", lambda: 5)
    torch.set_num_threads(5)
    found = side_by_side([Told(1), Told(2)])
    assert [number for number, *_ in found] == [1, 2]
    assert len({os.getpid(), *(process for _, process, *_ in found)}) == 3
    assert [n_threads for _, _, n_threads, _ in found] == [2, 2]
    assert found[1][-1].tolist() == [0, 2, 4]


def test_more_tasks_than_threads_wait_for_their_turn(monkeypatch):
    begun = []

    class Watched(module.Process):
        def __init__(self, *args):
            super().__init__(*args)
            begun.append(self)
            assert sum(process.runs for process in begun) <= 1

    monkeypatch.setattr(module, "Process", Watched)
    torch.set_num_threads(1)
    assert [number for number, *_ in side_by_side([Told(1), Told(2)])] == [1, 2]
    assert len(begun) == 2


def test_what_is_raised_ends_the_others(tmp_path):
    torch.set_num_threads(2)
    with pytest.raises(FloatingPointError, match="too small"):
        side_by_side([Waits(tmp_path / "waits"), Fails(FloatingPointError("too small"))])
    with pytest.raises(BlockingIOError, match="of the task"):  # no reason to do it elsewhere
        side_by_side([Fails(BlockingIOError("of the task"))])


@dataclass(frozen=True)
class Known:
    """What the process finds under a name of a registry."""

    def __call__(self, interrupt):
        return MODALITIES.get("histone"), LIKELIHOODS["Poisson"], SCALES.get("histone")


class Mine(Poisson):
    """Takes the place of the package's."""


def test_what_a_script_has_registered_is_known(monkeypatch):
    torch.set_num_threads(2)
    histone = replace(mo.ATAC, name="histone", recipe=lambda *_: None)
    monkeypatch.setitem(MODALITIES, "histone", histone)
    monkeypatch.setitem(SCALES, "histone", ("counts",))
    monkeypatch.setitem(LIKELIHOODS, "Poisson", Mine)
    ((found, likelihood, scales),) = side_by_side([Known()])
    assert found == replace(histone, recipe=keep_everything)
    assert likelihood is Mine
    assert scales == ("counts",)


def test_a_death_is_no_result():
    torch.set_num_threads(2)
    with pytest.raises(NotHere, match=r"process 0 ended with status 3(?s:.)*last words"):
        side_by_side([Dies()])


def test_work_that_cannot_travel():
    @dataclass(frozen=True)
    class Local(Told):
        pass

    with pytest.raises(NotHere, match="Local"):
        side_by_side([Local(1)])


def test_no_room_for_temporary_files(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "send", full)
    with pytest.raises(NotHere, match="No space left"):
        side_by_side([Told(1)])


def test_an_interrupt_reaches_all(tmp_path):
    torch.set_num_threads(2)
    files = [tmp_path / "0", tmp_path / "1"]
    handler = signal.getsignal(signal.SIGINT)

    def interrupt():
        while not all(file.exists() for file in files):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    assert side_by_side([Waits(file) for file in files]) == [True, True]
    assert signal.getsignal(signal.SIGINT) is handler


def test_processes_that_train_together_train_one_model():
    with pytest.raises(MultiomeError, match="`side_by_side` trains each model in one process, but `devices` is 2"):
        mo.TrainConfig(side_by_side=True, devices=2)
