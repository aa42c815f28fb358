"""A fit that was killed goes on, and ends as if it never had been."""

import os
import signal
import subprocess
import sys
import textwrap

import mudata as md
import numpy as np
import pandas as pd
import pytest
import torch

import multiome as mo
from multiome.data import stored
from multiome.errors import MultiomeError, MultiomeWarning
from multiome.predict import models
from multiome.train import resume, task

CONFIG = mo.ModelConfig(n_latent=4, n_hidden=8, n_features_latent=6)


def train(**given):
    few = {"max_epochs": 6, "batch_size": 40, "validation": 0.2, "progress_bar": False, "accelerator": "cpu"}
    return mo.TrainConfig(**few | given)


class KilledError(Exception):
    """In place of a signal."""


@pytest.fixture
def cells(small):
    return small.mdata["rna"]


@pytest.fixture
def killed(monkeypatch):
    """Fits end after their third epoch is written, until it is undone."""
    whole = resume.Checkpoint.on_train_epoch_end

    def end(self, trainer, task):
        whole(self, trainer, task)
        if trainer.current_epoch == 2:
            raise KilledError

    monkeypatch.setattr(resume.Checkpoint, "on_train_epoch_end", end)
    return monkeypatch


def test_the_same_as_without_an_end(small, killed, tmp_path):
    data, path = small.mdata, tmp_path / "run.ckpt"
    expected = mo.fit(data, batch_key="batch", config=CONFIG, train=train())
    with pytest.raises(KilledError):
        mo.fit(data, batch_key="batch", config=CONFIG, train=train(checkpoint=str(path)))
    assert [p.name for p in tmp_path.iterdir()] == ["run.ckpt"]
    killed.undo()
    found = mo.fit(data, batch_key="batch", config=CONFIG, train=train(checkpoint=str(path)))
    np.testing.assert_array_equal(found.embed(data), expected.embed(data))
    pd.testing.assert_frame_equal(found.history, expected.history)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_fit_goes_on_later(cells, monkeypatch, tmp_path):
    path = tmp_path / "run.ckpt"
    expected = mo.fit(cells, config=CONFIG, train=train())
    step, seen = task.IntegrationTask.training_step, []

    def interrupted(self, *args):
        seen.append(args)
        if len(seen) == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *args)

    monkeypatch.setattr(task.IntegrationTask, "training_step", interrupted)
    with pytest.warns(MultiomeWarning, match="interrupted; the model is the one trained so far"):
        early = mo.fit(cells, config=CONFIG, train=train(checkpoint=path))
    assert len(early.history) < len(expected.history)
    assert path.exists()
    monkeypatch.undo()
    found = mo.fit(cells, config=CONFIG, train=train(checkpoint=path))
    np.testing.assert_array_equal(found.embed(cells), expected.embed(cells))
    pd.testing.assert_frame_equal(found.history, expected.history)
    assert not path.exists()


def test_several_models(cells, killed, tmp_path):
    given = {"config": CONFIG, "seed": 3}
    expected = mo.fit(cells, train=train(n_models=2, max_epochs=3), **given)
    killed.undo()
    path = tmp_path / "run.ckpt"
    begin = models.begin

    def second(*args, seed, **more):
        if seed == 4:
            raise KilledError
        return begin(*args, seed=seed, **more)

    killed.setattr(models, "begin", second)
    several = train(n_models=2, max_epochs=3, checkpoint=str(path))
    with pytest.raises(KilledError):
        mo.fit(cells, train=several, **given)
    killed.undo()
    found = mo.fit(cells, train=several, **given)
    assert len(found._fitted.others) == len(expected._fitted.others) == 1
    np.testing.assert_array_equal(found.denoise(cells, "rna").mean, expected.denoise(cells, "rna").mean)
    assert not list(tmp_path.iterdir())


def test_cells_on_disk(small, killed, tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 50)
    data = tmp_path / "rna.h5ad"
    small.mdata["rna"].write_h5ad(data)
    expected = mo.fit(data, config=CONFIG, train=train())
    with pytest.raises(KilledError):
        mo.fit(data, config=CONFIG, train=train(checkpoint=str(tmp_path / "run.ckpt")))
    monkeypatch.undo()
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 50)
    found = mo.fit(data, config=CONFIG, train=train(checkpoint=tmp_path / "run.ckpt"))
    np.testing.assert_array_equal(found.embed(data), expected.embed(data))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_kill_9(cells, tmp_path):
    data, path = tmp_path / "rna.h5ad", tmp_path / "run.ckpt"
    cells.write_h5ad(data)
    script = f"""
        import os, signal
        import torch
        import multiome as mo
        from multiome.train import resume

        torch.set_num_threads(1)
        whole = resume.Checkpoint.on_train_epoch_end

        def end(self, trainer, task):
            whole(self, trainer, task)
            if trainer.current_epoch == 2:
                os.kill(os.getpid(), signal.SIGKILL)

        if {{kill}}:
            resume.Checkpoint.on_train_epoch_end = end
        config = mo.ModelConfig(n_latent=4, n_hidden=8, n_features_latent=6)
        train = mo.TrainConfig(max_epochs=6, batch_size=40, validation=0.2, progress_bar=False, accelerator="cpu",
                               checkpoint={str(path)!r})
        model = mo.fit({str(data)!r}, config=config, train=train)
        model.save({{out!r}})
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def run(*, kill, out):
        code = textwrap.dedent(script.format(kill=kill, out=str(tmp_path / out)))
        return subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode

    assert run(kill=False, out="whole") == 0
    assert run(kill=True, out="never") == -signal.SIGKILL
    assert path.exists()
    assert run(kill=False, out="resumed") == 0
    whole, resumed = (mo.Multiome.load(tmp_path / name) for name in ("whole", "resumed"))
    np.testing.assert_array_equal(resumed.embed(cells), whole.embed(cells))
    assert {p.name for p in tmp_path.iterdir()} == {"rna.h5ad", "whole", "resumed"}


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"seed": 1}, r"seed \(0 there, 1 here\)"),
        (
            {"config": mo.ModelConfig(n_latent=5, n_hidden=8, n_features_latent=6)},
            r"ModelConfig\.n_latent \(4 there, 5 here\)",
        ),
        (
            {"train": {"learning_rate": 0.01, "max_epochs": 8}},
            r"TrainConfig\.max_epochs \(6 .*, 8 here\), TrainConfig\.learning_rate \(0\.002 there, 0\.01 here\)",
        ),
        ({"loss": mo.LossWeights(prior=0.5)}, r"LossWeights\.prior \(1 there, 0\.5 here\)"),
    ],
)
def test_a_state_of_another_fit(cells, killed, tmp_path, other, told):
    path = str(tmp_path / "run.ckpt")
    with pytest.raises(KilledError):
        mo.fit(cells, config=CONFIG, train=train(checkpoint=path))
    before = (tmp_path / "run.ckpt").read_bytes()
    given = {"config": CONFIG} | other | {"train": train(checkpoint=path, **other.get("train", {}))}
    with pytest.raises(MultiomeError, match=rf"`checkpoint` '.*run\.ckpt' is of another fit\. What differs: {told}\."):
        mo.fit(cells, **given)
    assert (tmp_path / "run.ckpt").read_bytes() == before


def test_a_state_of_another_model_of_the_same_fit(cells, killed, tmp_path):
    """Else both would be the same model, averaged as if they were two."""
    path = tmp_path / "run.ckpt"
    with pytest.raises(KilledError):
        mo.fit(cells, config=CONFIG, train=train(n_models=2, checkpoint=path, side_by_side=False))
    path.rename(tmp_path / "run.ckpt.1")
    with pytest.raises(MultiomeError, match=r"run\.ckpt\.1' is .* differs: number of the model \(0 there, 1 here\)\."):
        mo.fit(cells, config=CONFIG, train=train(n_models=2, checkpoint=path, side_by_side=False))


def test_a_state_goes_on_elsewhere(cells, killed, tmp_path):
    """On another device, or in another number of processes that hold a model each."""
    path = tmp_path / "run.ckpt"
    with pytest.raises(KilledError):
        mo.fit(cells, config=CONFIG, train=train(checkpoint=path))
    killed.undo()
    elsewhere = train(checkpoint=path, accelerator="auto", side_by_side=False)
    assert mo.fit(cells, config=CONFIG, train=elsewhere).history["epoch"].max() == 5
    assert not path.exists()


def test_equal_settings_are_the_same_of_whatever_type():
    assert resume.written(10) == resume.written(10.0) == resume.written(np.int64(10)) == "10"
    assert resume.written(np.float64(0.002)) == resume.written(0.002) == "0.002"
    assert resume.written(True) == "True"
    assert resume.written(None) == "None"


def test_a_file_that_a_single_model_does_not_need(cells, tmp_path):
    (tmp_path / "run.ckpt.1").write_text("notes")
    mo.fit(cells, config=CONFIG, train=train(checkpoint=tmp_path / "run.ckpt", max_epochs=1))
    assert (tmp_path / "run.ckpt.1").read_text() == "notes"


def test_a_state_of_an_earlier_version(cells, killed, tmp_path):
    path = tmp_path / "run.ckpt"
    with pytest.raises(KilledError):
        mo.fit(cells, config=CONFIG, train=train(checkpoint=path))
    state = torch.load(path, weights_only=True)
    torch.save(state | {resume.KEY: "0123456789abcdef"}, path)
    with pytest.raises(MultiomeError, match=r"What differs: version of multiome \(an earlier one there, .* here\)"):
        mo.fit(cells, config=CONFIG, train=train(checkpoint=path))


def test_not_in_the_data(cells, tmp_path):
    cells.write_zarr(tmp_path / "rna.zarr")
    with pytest.raises(MultiomeError, match=r"`checkpoint` is '.*run\.ckpt', inside of the data"):
        mo.fit(tmp_path / "rna.zarr", config=CONFIG, train=train(checkpoint=tmp_path / "rna.zarr" / "run.ckpt"))
    with pytest.raises(MultiomeError, match=r"`checkpoint` is '.*rna\.zarr', where the data lie"):
        mo.fit(tmp_path / "rna.zarr", config=CONFIG, train=train(checkpoint=tmp_path / "rna.zarr"))
    with pytest.raises(MultiomeError, match=r"`checkpoint` '.*' is a folder; name a file"):
        mo.fit(cells, config=CONFIG, train=train(checkpoint=tmp_path))


def test_something_else(cells, tmp_path):
    (tmp_path / "notes.txt").write_text("dear diary")
    with pytest.raises(MultiomeError, match=r"notes\.txt' exists and is no state of training"):
        mo.fit("absent.h5mu", config=CONFIG, train=train(checkpoint=tmp_path / "notes.txt"))  # before data are read
    with pytest.raises(MultiomeError, match=r"notes\.txt' exists and is no state of training"):
        mo.fit(cells, config=CONFIG, train=train(checkpoint=str(tmp_path / "notes.txt")))
    assert (tmp_path / "notes.txt").read_text() == "dear diary"


def test_something_else_for_the_second_model(tmp_path):
    (tmp_path / "run.ckpt.1").write_text("dear diary")
    with pytest.raises(MultiomeError, match=r"run\.ckpt\.1' exists and is no state of training"):
        mo.fit("absent.h5mu", config=CONFIG, train=train(n_models=2, checkpoint=tmp_path / "run.ckpt"))


def test_nowhere_to_write(cells, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        mo.fit(cells, config=CONFIG, train=train(checkpoint=str(tmp_path / "absent" / "run.ckpt")))


def test_no_name():
    with pytest.raises(MultiomeError, match="`checkpoint` must be the name of a file, got ''"):
        mo.TrainConfig(checkpoint="")


def permuted_values(cells):
    """The same names, totals of features and depths of another order: cells that are paired wrongly, or rightly now."""
    other = cells.copy()
    other.X = cells.X[np.random.default_rng(0).permutation(cells.n_obs)]
    return other


def test_a_state_of_other_data(cells, killed, tmp_path):
    path = str(tmp_path / "run.ckpt")
    with pytest.raises(KilledError):
        mo.fit(cells, config=CONFIG, train=train(checkpoint=path))
    with pytest.raises(MultiomeError, match=r"is of another fit\. What differs: values\."):
        mo.fit(permuted_values(cells), config=CONFIG, train=train(checkpoint=path))


def test_a_state_of_another_graph(small, killed, tmp_path):
    data = md.MuData({key: small.mdata[key] for key in ("rna", "atac")})
    path = str(tmp_path / "run.ckpt")
    genes, peaks = data["rna"].var_names, data["atac"].var_names

    def graph(shift):
        named = {"source_modality": "rna", "source": genes[:30], "target_modality": "atac"}
        return mo.GuidanceGraph.from_table(pd.DataFrame(named | {"target": np.roll(peaks[:30], shift)}))

    with pytest.raises(KilledError):
        mo.fit(data, graph=graph(0), config=CONFIG, train=train(checkpoint=path))
    with pytest.raises(MultiomeError, match=r"is of another fit\. What differs: graph\."):
        mo.fit(data, graph=graph(1), config=CONFIG, train=train(checkpoint=path))


def test_a_second_state_is_looked_at_before_training(cells, tmp_path, monkeypatch):
    monkeypatch.setattr("multiome.predict.models.train", lambda *_: pytest.fail("trained"))
    (tmp_path / "run.ckpt.1").write_text("something else")
    with pytest.raises(MultiomeError, match=r"run\.ckpt\.1' exists and is no state of training"):
        mo.fit(cells, config=CONFIG, train=train(n_models=2, checkpoint=str(tmp_path / "run.ckpt")))


def test_a_fit_that_had_stopped_by_itself_trains_no_further(cells, monkeypatch, tmp_path):
    monkeypatch.setattr("multiome.train.loop.BURN_IN", 0)
    path = str(tmp_path / "run.ckpt")
    few = {"max_epochs": 30, "patience": 1, "learning_rate": 0.5, "average": 0.0}
    expected = mo.fit(cells, config=CONFIG, train=train(**few))
    assert expected.history["epoch"].max() < 29

    def lost(*_, **__):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("multiome.predict.models.learn_alone", lost)
        with pytest.raises(KilledError):
            mo.fit(cells, config=CONFIG, train=train(checkpoint=path, **few))
    found = mo.fit(cells, config=CONFIG, train=train(checkpoint=path, **few))
    pd.testing.assert_frame_equal(found.history, expected.history)
    np.testing.assert_array_equal(found.embed(cells), expected.embed(cells))
