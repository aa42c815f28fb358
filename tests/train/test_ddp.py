"""Several processes train together as one would: shares of cells, gradients, scores, ends of all kinds."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import mudata as md
import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.data import stored
from multiome.data.build import prepare
from multiome.errors import MultiomeError, MultiomeWarning, TrainingDiverged
from multiome.likelihoods.poisson import Poisson
from multiome.modalities.registry import LIKELIHOODS
from multiome.train import datamodule, processes
from multiome.train.datamodule import RowBlocks, Streamed, loader
from multiome.train.processes import Share, launcher
from multiome.train.sent import receive, send

CONFIG = mo.ModelConfig(n_latent=6, n_hidden=24, n_features_latent=8)
REPOSITORY = Path(__file__).resolve().parents[2]


def train(**given):
    few = {"max_epochs": 16, "batch_size": 16, "validation": 0.1, "progress_bar": False, "accelerator": "cpu"}
    return mo.TrainConfig(**few | given)


def shares(world):
    return [Share(rank, world) for rank in range(world)]


@pytest.fixture(scope="module")
def sim():
    """RNA and ATAC of 420 cells, of which 60 lack ATAC; 60 others stay away from training."""
    return mo.datasets.simulate(
        n_cells=480, modalities=("rna", "atac"), n_genes=100, n_peaks=150, n_types=5, n_batches=1, batch_effect=0.0,
        trajectory=False, depth={"rna": 1000, "atac": 800}, seed=3,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cells(sim, tmp_path_factory):
    """The path of the cells to train on."""
    rna, atac = sim.mdata["rna"][60:].copy(), sim.mdata["atac"][120:].copy()
    path = tmp_path_factory.mktemp("ddp") / "cells.h5mu"
    md.MuData({"rna": rna, "atac": atac}).write(path)
    return path


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary files go, seen empty afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert not [path.name for path in tmp_path.iterdir() if "multiome" in path.name]


# Shares of cells


@pytest.mark.parametrize(("n", "world"), [(1000, 2), (1003, 3), (130, 4), (7, 2)])
def test_every_cell_in_memory_goes_to_one_process(n, world):
    rows = np.arange(10, 10 + n)
    samplers = [RowBlocks(rows, 32, seed=5, share=share) for share in shares(world)]
    epochs = []
    for _ in range(2):
        parts = [list(sampler) for sampler in samplers]
        assert {len(part) for part in parts} == {len(sampler) for sampler in samplers}
        assert len({len(block) for part in parts for block in part}) == 1
        seen = np.concatenate([block for part in parts for block in part])
        assert len(np.unique(seen)) == len(seen) > n - world * len(parts[0])
        assert np.isin(seen, rows).all()
        epochs.append(seen)
    assert not np.array_equal(*epochs)


def test_steps_of_an_epoch_are_fewer_by_as_many_processes():
    assert [len(RowBlocks(np.arange(3200), 32, seed=0, share=Share(0, world))) for world in (1, 2, 4)] == [100, 50, 25]


@pytest.mark.parametrize(
    ("n", "world", "each"), [(1000, 2, [500, 500]), (1000, 3, [400, 300, 300]), (150, 3, [150] * 3)]
)
def test_held_out_cells_are_shared_where_minibatches_are_enough(n, world, each):
    parts = [np.concatenate(list(RowBlocks(np.arange(n), 100, seed=None, share=share))) for share in shares(world)]
    assert [len(part) for part in parts] == each
    np.testing.assert_array_equal(np.unique(np.concatenate(parts)), np.arange(n))


@pytest.fixture
def on_disk(cells, monkeypatch):
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 50)
    monkeypatch.setattr(datamodule, "RUN", 8)
    monkeypatch.setattr(datamodule, "VALUES", 1)  # runs are no longer than that
    monkeypatch.setattr(datamodule, "BUFFERED", 3)
    monkeypatch.setattr(datamodule, "MIXED", 2)
    return prepare(cells, modalities=None, batch_key=None, drop_empty=False)[1]


@pytest.mark.parametrize("world", [2, 3])
def test_every_run_on_disk_goes_to_one_process(on_disk, world):
    rows = np.setdiff1d(np.arange(420), np.arange(0, 420, 9))  # 373: 46 runs of 8, and 5 cells
    streams = [Streamed(on_disk, rows, 20, seed=5, share=share) for share in shares(world)]
    left_out = np.zeros(420)
    for _ in range(3):
        parts = [[batch.index.numpy() for batch in stream] for stream in streams]
        assert {len(part) for part in parts} == {len(stream) for stream in streams}
        for step in zip(*parts, strict=True):
            assert len({len(index) for index in step}) == 1
        seen = np.concatenate([index for part in parts for index in part])
        assert len(np.unique(seen)) == len(seen)
        assert np.isin(seen, rows).all()
        left_out[np.setdiff1d(rows, seen)] += 1
    assert 0 < left_out.sum() < 0.25 * 3 * len(rows)
    assert left_out.max() < 3, "other cells in each epoch"


def test_too_few_cells_for_so_many_processes(on_disk):
    with pytest.raises(MultiomeError, match="There are 3 cells to train on, fewer than the 4 processes"):
        loader(on_disk.load(np.arange(9)), np.arange(3), 2, seed=0, share=Share(0, 4))
    with pytest.raises(MultiomeError, match="There are 2 runs of 8 neighbours to train on, fewer than the 3"):
        loader(on_disk, np.arange(20), 2, seed=0, share=Share(0, 3))


def test_random_numbers_differ_between_processes():
    assert len({share.seed(7) for share in shares(8)} | {share.seed(8) for share in shares(8)}) == 16
    assert Share().seed(7) == 7


# Values that travel


@pytest.mark.parametrize("kind", ["h5mu", "zarr"])
def test_cells_on_disk_travel_as_their_place(cells, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 50)
    path = tmp_path / f"cells.{kind}"
    mdata = md.read_h5mu(cells)
    mdata["atac"].X = mdata["atac"].X.toarray()  # dense
    getattr(mdata, f"write_{kind}")(path)
    data = prepare(path, modalities=None, batch_key=None, drop_empty=False)[1]
    there = pickle.dumps(data.matrices)
    assert len(there) < path.stat().st_size / 2 if kind == "h5mu" else there
    for key, matrix in pickle.loads(there).items():
        rows = np.array([3, 300, 7, 8])
        expected = data.matrices[key].values[rows].toarray()
        assert expected.any()
        np.testing.assert_array_equal(matrix.values[rows].toarray(), expected)


def test_arrays_travel_once_and_are_not_shared_for_writing(tmp_path):
    big = np.arange(100_000.0)
    send({"big": big, "none": np.zeros(0), "name": "x"}, tmp_path / "job")
    one, two = receive(tmp_path / "job"), receive(tmp_path / "job")
    one["big"][:] = 0
    np.testing.assert_array_equal(two["big"], big)
    assert (one["name"], len(one["none"])) == ("x", 0)
    assert big.nbytes < (tmp_path / "job").stat().st_size < 1.01 * big.nbytes


def test_what_cannot_travel_is_said(tmp_path):
    with pytest.raises(MultiomeError, match=r"top of a module, .*, and be no lambda"):
        send(lambda: 0, tmp_path / "job")


def test_what_a_script_defines_cannot_travel(cells, temporary, monkeypatch):
    class Mine(Poisson):
        """As if the script had it at its top."""

    Mine.__module__, Mine.__qualname__ = "__main__", "Mine"
    monkeypatch.setattr(sys.modules["__main__"], "Mine", Mine, raising=False)
    monkeypatch.setitem(LIKELIHOODS, "Mine", Mine)
    with pytest.raises(
        MultiomeError, match=r"cannot be given this job \(AttributeError: .*Mine.* top of a module, which"
    ):
        mo.fit(cells, config=CONFIG, train=train(devices=2))


# Who starts the processes


@pytest.mark.parametrize(
    ("environment", "name", "share"),
    [
        ({}, None, None),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": "3", "WORLD_SIZE": "4"}, "torchrun", Share(3, 4)),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": "0", "WORLD_SIZE": "1"}, None, None),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, None, None),  # sbatch, and no srun
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}, "srun", Share(5, 8)),
    ],
)
def test_launchers_are_known(environment, name, share):
    found = launcher(environment)
    assert found is None if name is None else (found.name, found.share) == (name, share)


def test_several_machines_need_a_launcher(sim):
    with pytest.raises(MultiomeError, match=r"`num_nodes` is 2, but .* alone\. .*`srun --ntasks-per-node=4 .*torchrun"):
        mo.fit(sim.mdata, train=train(devices=4, num_nodes=2))


def test_more_gpus_than_there_are(sim, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(MultiomeError, match="`devices` is 4, but torch finds 1 GPU on this machine"):
        mo.fit(sim.mdata, train=train(devices=4, accelerator="auto"))


def test_other_numbers_of_processes_than_told(sim, monkeypatch):
    monkeypatch.setattr(processes, "launcher", lambda: processes.Launcher("torchrun", Share(0, 3)))
    for given in ({"devices": 2}, {}):
        with pytest.raises(MultiomeError, match=r"torchrun has started 3 processes, but `devices` is"):
            mo.fit(sim.mdata, train=train(**given))


@pytest.mark.parametrize("name", ["devices", "num_nodes"])
@pytest.mark.parametrize("value", [0, -1, True])
def test_counts_of_processes_are_checked(name, value):
    with pytest.raises(MultiomeError, match=f"`{name}` must be a positive whole number"):
        mo.TrainConfig(**{name: value})


# Processes that the test starts as srun would, on two machines: gradients, then a fit of cells on disk

AS_SRUN = """
    import pickle, sys
    from dataclasses import replace

    import numpy as np
    import torch
    import torch.distributed as dist
    from torch import nn
    from torch.distributions import Normal
    from torch.nn.parallel import DistributedDataParallel

    import multiome as mo
    from multiome.data import stored
    from multiome.data.build import prepare
    from multiome.train.task import IntegrationTask
    from multiome.train.begin import begin

    folder, cells, rank = sys.argv[1], sys.argv[2], int(sys.argv[3])
    dist.init_process_group("gloo", store=dist.FileStore(folder + "/meeting", 2), rank=rank, world_size=2)

    spec, data = prepare(cells, modalities=None, batch_key=None, drop_empty=False)
    n = 40
    # the cells of the first process lack ATAC but for a few, as its own decoder does not notice
    index = np.concatenate([np.flatnonzero(~data.observed("atac"))[:n], np.flatnonzero(data.observed("atac"))[:n]])

    class Loss(nn.Module):
        def __init__(self, world):
            super().__init__()
            torch.manual_seed(0)
            config = mo.ModelConfig(n_latent=4, n_hidden=8, n_features_latent=6, dropout=0.0)
            vae = begin(spec, data, np.arange(len(data)), config, seed=0, balance=0.5)
            self.task = IntegrationTask(vae, mo.TrainConfig(), mo.LossWeights(), n_paired=9, world=world,
                                        apart=[("rna", "atac")]).train()

        def forward(self, rows, name):
            batch = data.take(rows)
            latent = self.task.vae.encode(batch)
            if name != "elbo":
                experts = latent.per_modality
                more = {"clip": (experts, experts), "align": (experts,)}[name]
                return getattr(self.task, name)(batch, *more)
            q = latent.joint
            sure = replace(latent, joint=Normal(q.loc, 1e-9 * q.scale))  # no random numbers
            return self.task.elbo_of(batch, sure, {})

    def gradients(loss, rows, name):
        loss.zero_grad()
        loss(rows, name).backward()
        task = getattr(loss, "module", loss).task
        each = [np.zeros(p.numel()) if p.grad is None else p.grad.numpy().ravel() for p in task.parameters()]
        return np.concatenate(each)

    shared = lambda world: DistributedDataParallel(Loss(world), find_unused_parameters=True, broadcast_buffers=False)
    mixed = {"elbo": index, "clip": index[n:], "align": np.sort(index)}
    found = {}
    for name, rows in mixed.items():
        own = np.array_split(rows, 2)[rank]
        found[name] = [gradients(Loss(1), rows, name), gradients(shared(2), own, name), gradients(shared(1), own, name)]
    if rank == 0:
        pickle.dump(found, open(folder + "/gradients", "wb"))

    stored.MAX_IN_MEMORY = 50
    config = mo.ModelConfig(n_latent=4, n_hidden=8, n_features_latent=6)
    train = mo.TrainConfig(devices=1, num_nodes=2, max_epochs=3, batch_size=16, validation=0.1, accelerator="cpu",
                           progress_bar=False, checkpoint=folder + "/run.ckpt", features_per_step=60)
    model = mo.fit(cells, config=config, train=train)
    model.save(f"{folder}/model-{rank}")
    np.save(f"{folder}/z-{rank}.npy", model.embed(cells))
    model.history.to_csv(f"{folder}/history-{rank}.csv")
"""


@pytest.fixture(scope="module")
def as_srun(cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("srun")
    slurm = {"NTASKS": 2, "STEP_NUM_TASKS": 2, "NTASKS_PER_NODE": 1, "NNODES": 2, "LOCALID": 0, "NODELIST": "127.0.0.1"}
    own = []
    for rank in range(2):
        told = {f"SLURM_{name}": str(value) for name, value in (slurm | {"PROCID": rank, "NODEID": rank}).items()}
        environment = os.environ | told | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(AS_SRUN), str(folder), str(cells), str(rank)]
        own.append(subprocess.Popen(command, env=environment, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=120)[1] for process in own]
    assert [process.returncode for process in own] == [0, 0], "\n".join(said)[-3000:]
    return folder


@pytest.mark.parametrize("name", ["elbo", "clip", "align"])
def test_the_gradient_is_that_of_all_cells_in_one_process(as_srun, name):
    one, two, apart = pickle.loads((as_srun / "gradients").read_bytes())[name]
    size = np.linalg.norm(one)
    assert size > 1e-3
    assert np.linalg.norm(two - one) < 1e-4 * size
    if name != "elbo":  # which compares no cells
        assert np.linalg.norm(apart - one) > 0.05 * size


def test_only_the_first_process_writes(as_srun, cells):
    names = {path.name for path in as_srun.iterdir()} - {"meeting"}
    assert names == {"gradients", "model-0", "z-0.npy", "z-1.npy", "history-0.csv", "history-1.csv"}
    first, second = (np.load(as_srun / f"z-{rank}.npy") for rank in range(2))
    np.testing.assert_array_equal(first, second)
    assert (as_srun / "history-0.csv").read_text() == (as_srun / "history-1.csv").read_text()
    np.testing.assert_allclose(mo.Multiome.load(as_srun / "model-0").embed(cells), first, rtol=1e-4, atol=1e-5)


# Processes that `fit` starts


@pytest.fixture(scope="module")
def two(cells):
    return mo.fit(cells, config=CONFIG, train=train(devices=2))


def scores(model, sim):
    """How far away true partners are, and correlation of predicted and true expression over cells."""
    new = sim.mdata[:60]
    rna, atac = model.embed(new["rna"], modality="rna"), model.embed(new["atac"], modality="atac")
    predicted = model.translate(new["atac"], source="atac", target="rna", scale="log_cp10k").X
    x = new["rna"].X.toarray()
    true = np.log1p(x / x.sum(1, keepdims=True) * 1e4)
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(predicted.T, true.T, strict=True) if a.std() and b.std()]
    return mo.metrics.foscttm(rna, atac), np.mean(r)


def test_two_processes_learn_what_one_does(two, sim, cells, tmp_path):
    one = mo.fit(cells, config=CONFIG, train=train(batch_size=32))
    assert one.history["epoch"].max() == two.history["epoch"].max() == 15
    (f1, r1), (f2, r2) = scores(one, sim), scores(two, sim)
    assert f2 < 0.25, "0.5 by chance"
    assert f2 < f1 + 0.05
    assert r2 > max(0.15, r1 - 0.05)
    two.save(tmp_path / "two.multiome")
    again = mo.Multiome.load(tmp_path / "two.multiome")
    np.testing.assert_allclose(again.embed(cells), two.embed(cells), rtol=1e-5, atol=1e-6)


def test_an_error_in_a_process_is_raised_here(cells, temporary, monkeypatch):
    """Of cells on disk, which every process opens anew."""
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 50)
    with pytest.raises(TrainingDiverged, match=r"step \d+: loss .* through modality .*learning_rate` \(now 1e\+12\)"):
        mo.fit(cells, config=CONFIG, train=train(devices=2, learning_rate=1e12))


def test_an_interrupt_ends_all_processes(cells, temporary, tmp_path):
    path = tmp_path / "run.ckpt"

    def interrupt():
        while not path.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    handler = signal.getsignal(signal.SIGINT)
    with pytest.warns(MultiomeWarning, match="interrupted; the model is the one trained so far"):
        model = mo.fit(
            cells, config=CONFIG, train=train(devices=2, max_epochs=5000, patience=5000, checkpoint=str(path))
        )
    assert signal.getsignal(signal.SIGINT) is handler
    assert model.history["epoch"].max() < 1000
    assert np.isfinite(model.embed(cells)).all()


CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children")


@pytest.mark.skipif(not CHILDREN.exists(), reason="no list of a process's children")
def test_a_fit_that_was_killed_goes_on(two, cells, temporary, tmp_path):
    path = tmp_path / "run.ckpt"
    script = f"""
        import multiome as mo

        config = mo.ModelConfig(**{vars(CONFIG)!r})
        mo.fit({str(cells)!r}, config=config, train=mo.TrainConfig(**{vars(train(devices=2, checkpoint=str(path)))!r}))
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], env=environment, cwd=REPOSITORY
    )
    while not path.exists():
        assert parent.poll() is None
        time.sleep(0.02)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert len(children) == 2
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20
    while time.monotonic() < until and any(is_alive(child) for child in children):
        time.sleep(0.02)
    assert not any(is_alive(child) for child in children), "they end with the one that waits for them"
    assert path.exists()
    found = mo.fit(cells, config=CONFIG, train=train(devices=2, checkpoint=str(path)))
    np.testing.assert_array_equal(found.embed(cells), two.embed(cells))
    by = ["epoch", "cells", "loss"]  # Lightning lists what it logged first at the start of each fit
    pd.testing.assert_frame_equal(*(m.history.sort_values(by, ignore_index=True) for m in (found, two)))
    assert not path.exists()


def is_alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
