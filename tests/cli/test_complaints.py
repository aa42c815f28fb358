"""Data and models that cannot be worked on, warnings and interrupts: messages, never a traceback."""

import os
import signal
import warnings

import pytest

from multiome.cli.command import clean_terminal
from multiome.cli.words import as_options
from multiome.errors import MultiomeWarning


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("fit ./fitted.multiome --out m", "is no whole .h5mu, .h5ad or .zarr"),
        ("embed ./data.h5mu ./data.h5mu --out o.h5mu", "InvalidModelFile"),
        ("fit ./data.h5mu --out m --batch_key donor", "Unknown batch_key 'donor'"),
        ("impute ./fitted.multiome ./data.h5mu --target rna --scale clr --out o.h5ad", "Unknown scale 'clr'"),
    ],
)
def test_complaints_are_messages(run, line, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(line) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.startswith("Error (")
    assert not list(tmp_path.iterdir())


def test_truncated_data_are_a_message(run, files, tmp_path, capsys):
    whole = (files / "data.h5mu").read_bytes()
    (tmp_path / "half.h5mu").write_bytes(whole[: len(whole) // 2])
    assert run(f"fit {tmp_path / 'half.h5mu'} --out {tmp_path / 'm'}") == 1
    assert "half.h5mu" in capsys.readouterr().err


def test_only_our_warnings_reach_the_terminal(capsys):
    with clean_terminal():
        warnings.warn("changes in 0.4", FutureWarning, stacklevel=1)
        warnings.warn("12 cells are odd.", MultiomeWarning, stacklevel=1)
    assert capsys.readouterr().err == "Warning: 12 cells are odd.\n"


def test_interrupt_is_no_traceback(run, tmp_path, capsys, monkeypatch):
    def interrupted(path, **_):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("multiome.api.fit", interrupted)
    assert run(f"fit ./data.h5mu --out {tmp_path / 'm'}") == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_full_disk_is_no_traceback(run, tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("multiome.cli.verbs.copy_with", full)
    assert run(f"embed ./fitted.multiome ./data.h5mu --out {tmp_path / 'o.h5mu'}") == 1
    assert capsys.readouterr().err == "Error (OSError): [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("python", "option"),
    [
        ("pass drop_empty=True to", "pass --drop_empty true to"),
        ("pass min_features=0.35 to accept that.", "pass --min_features 0.35 to accept that."),
        ("impute with n_samples=20 or more.", "impute with --n_samples 20 or more."),
        ("Choose features=[...], fewer", "Choose --features, fewer"),
        ("Pass batch=... to predict", "Pass --batch to predict"),
        ("with modalities={'x': mo.RNA}; keys", "with --modalities.x rna; keys"),
        ("out, with modalities={'a': mo.PROTEIN, ...}.", "out, with --modalities.a protein."),
        ("leave it out with `modalities`.", "leave it out with --modalities."),
    ],
)
def test_advice_names_options(python, option):
    assert as_options(python) == option


def test_an_error_about_empty_cells_names_the_option(run, small, tmp_path, capsys):
    rna = small.mdata["rna"].copy()
    rna.X[0, rna.X[0].indices] = 0
    rna.X.eliminate_zeros()
    rna.write_h5ad(tmp_path / "rna.h5ad")
    assert run(f"fit {tmp_path / 'rna.h5ad'} --out {tmp_path / 'm'}") == 1
    assert "pass --drop_empty true" in capsys.readouterr().err
