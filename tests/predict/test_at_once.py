"""Pieces of work at the same time: in order, with their share of threads, and nothing of it stays."""

import threading
from functools import partial

import pytest
import torch

from multiome.predict.at_once import at_once

CPU = torch.device("cpu")


@pytest.fixture
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
def test_two_at_a_time_with_a_thread_each():
    meet = threading.Barrier(2, timeout=30)

    def piece(i):
        if i < 2:  # neither ends before the other one has begun
            meet.wait()
        return i, torch.get_num_threads()

    found = at_once([partial(piece, i) for i in range(5)], device=CPU)
    assert found == [(i, 1) for i in range(5)]
    assert torch.get_num_threads() == 2
    assert at_once([torch.get_num_threads], device=CPU) == [2]
    assert at_once([torch.get_num_threads] * 2, device=CPU, most=1) == [2, 2]


@pytest.mark.usefixtures("_two_threads")
def test_an_error_is_that_of_the_piece():
    def fail():
        raise KeyError("of the piece")

    with pytest.raises(KeyError, match="of the piece"):
        at_once([fail, dict], device=CPU)
    assert torch.get_num_threads() == 2


def test_one_after_the_other_on_other_devices():
    here = threading.get_ident()
    assert at_once([threading.get_ident] * 3, device=torch.device("meta")) == [here] * 3
