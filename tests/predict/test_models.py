"""The models of one fit: side by side they are the same as one after the other, and it is known when that pays."""

from __future__ import annotations

import tempfile
from collections import namedtuple
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import multiome as mo
from multiome.data.build import prepare
from multiome.errors import MultiomeWarning
from multiome.predict import models
from multiome.train.config import LossWeights
from multiome.train.interrupt import StopOnInterrupt
from multiome.train.job import Job
from multiome.train.side_by_side import NotHere

TWO = {"n_models": 2, "side_by_side": True}


@pytest.fixture
def here(monkeypatch):
    """Tasks run in this process; what they are is noted, and what they return."""
    found = []

    def side_by_side(tasks):
        for task in tasks:
            found.append((task, task(StopOnInterrupt())))
        return [outcome for _, outcome in found]

    monkeypatch.setattr(models, "side_by_side", side_by_side)
    return found


def test_processes_find_the_same_models(quick_fit, small, tmp_path, monkeypatch):
    """Of as many threads for each, here one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    torch.set_num_threads(1)
    settings = {"steps": 6, "batch_key": "batch", "seed": 3}
    one_by_one = quick_fit(small.mdata, train=TWO | {"side_by_side": False}, **settings)
    at_once = quick_fit(small.mdata, train=TWO, **settings)
    pd.testing.assert_frame_equal(at_once.history, one_by_one.history)
    pd.testing.assert_frame_equal(at_once.reliability, one_by_one.reliability)
    np.testing.assert_allclose(at_once.embed(small.mdata), one_by_one.embed(small.mdata), atol=1e-5)
    for target in ("rna", "prot"):
        ours, theirs = (model.impute(small.mdata, target, n_samples=3, seed=1) for model in (at_once, one_by_one))
        np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(ours.draws, theirs.draws, atol=1e-4)
    assert not list(tmp_path.glob("multiome-fit*"))


def test_a_model_without_processes_of_its_own_is_trained_here(quick_fit, small, monkeypatch):
    def side_by_side(tasks):
        raise NotHere("no room")

    monkeypatch.setattr(models, "side_by_side", side_by_side)
    with pytest.warns(
        MultiomeWarning, match=r"one after the other, as .* of their own \(no room\)\. .*side_by_side=False"
    ):
        found = quick_fit(small.mdata, steps=2, batch_key="batch", train=TWO)
    assert len(found._fitted.others) == 1


def test_what_processes_are_given_and_what_is_kept(quick_fit, small, here, monkeypatch, capsys):
    """Only the first one shows how far it is; models that were cut short are kept where none is whole."""
    settings = {"steps": 2, "batch_key": "batch", "train": TWO | {"n_models": 3, "progress_bar": True}}
    quick_fit(small.mdata, **settings)
    assert "3 models side by side" in capsys.readouterr().err
    tasks, outcomes = zip(*here, strict=True)
    assert [task.job.config.progress_bar for task in tasks] == [True, False, False]
    assert [task.job.seed for task in tasks] == [0, 1, 2]
    for cut_short, kept, told in (
        ((False, False, False), (0, 1, 2), None),
        ((False, True, False), (0, 2), "when that of 2 of 3 models had ended"),
        ((True, False, True), (1,), "when that of 1 of 3 models had ended"),
        ((True, True, True), (0, 1, 2), "the model is the one trained so far"),
    ):
        found = [replace(o, told=replace(o.told, interrupted=cut)) for o, cut in zip(outcomes, cut_short, strict=True)]
        monkeypatch.setattr(models, "side_by_side", lambda _, found=found: found)
        with nullcontext() if told is None else pytest.warns(MultiomeWarning, match=told):
            found = models.beside_each_other(tasks)
        assert found.interrupted == any(cut_short)
        for one, number in zip(found.each, kept, strict=True):
            for name, weights in one.vae.state_dict().items():
                torch.testing.assert_close(weights, outcomes[number].weights[name], rtol=0, atol=0)
        pd.testing.assert_frame_equal(found.history, outcomes[kept[0]].told.history)


@pytest.fixture
def plans(small):
    """Of models that are not trained."""
    spec, cells = prepare(small.mdata, modalities=None, batch_key=None, drop_empty=False)

    def make(n_models=2, n_rows=5000, **settings):
        train = mo.TrainConfig(**({"accelerator": "cpu"} | settings))
        job = Job(cells, np.arange(n_rows), (cells, np.arange(100)), train, LossWeights(), 0)
        return [models.Plan(spec, mo.ModelConfig(), None, job, job.rows, 0)] * n_models

    return make


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"n_models": 1}, False),
        ({"n_models": 1, "side_by_side": True}, False),
        ({"side_by_side": False}, False),
        ({"max_epochs": 20}, True),  # 400 steps
        ({"max_epochs": 19}, False),
        ({"max_epochs": 19, "side_by_side": True}, True),
        ({"devices": 2}, False),
        ({"n_rows": 300}, True),
        ({"n_rows": 150, "validation": 0.0}, True),
    ],
)
def test_when_processes_pay(plans, given, expected):
    torch.set_num_threads(2)
    assert models.pays(plans(**given)) is expected


def test_one_thread_trains_one_model_at_a_time(plans):
    torch.set_num_threads(1)
    assert not models.pays(plans())
    assert models.pays(plans(side_by_side=True))


def test_cells_that_take_much_room_are_not_handed_over(plans, monkeypatch):
    torch.set_num_threads(2)
    size = plans()[0].job.cells.n_bytes
    assert size > 1000
    usage = namedtuple("usage", ["free"])
    monkeypatch.setattr(models.shutil, "disk_usage", lambda _: usage(2 * size - 1))
    assert not models.pays(plans())
    monkeypatch.setattr(models.shutil, "disk_usage", lambda _: usage(2 * size))
    assert models.pays(plans())
    monkeypatch.setattr(models, "MOST_HANDED_OVER", size - 1)
    assert not models.pays(plans())


def test_no_folder_of_temporary_files(plans, monkeypatch, tmp_path):
    torch.set_num_threads(2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert not models.pays(plans())


def test_a_gpu_trains_one_model_at_a_time(plans, monkeypatch):
    torch.set_num_threads(2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not models.pays(plans(accelerator="auto"))
    assert models.pays(plans(accelerator="cpu"))
