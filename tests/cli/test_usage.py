"""Command lines that cannot be followed: status 2, one message in the words of the command line, nothing begun."""

import os
from pathlib import Path

import pytest

from multiome.cli.command import main


@pytest.fixture
def untouched(monkeypatch):
    """Nothing is read before every path and option has been checked."""

    def read(path, **_):
        pytest.fail(f"{path} was read")

    for name in ("data.opened.one", "data.opened.whole", "api.fit", "api.Multiome.load"):
        monkeypatch.setattr(f"multiome.{name}", read)


@pytest.mark.parametrize(
    "line",
    [
        "fit ./data.h5mu --out {out}",
        "fit ./missing.h5mu --out {out}",
        "embed ./fitted.multiome ./data.h5mu --out {out}",
        "translate ./fitted.multiome ./data.h5mu --source rna --target atac --out {out}",
        "impute ./fitted.multiome ./data.h5mu --target atac --out {out}",
    ],
)
def test_existing_output_is_refused_first_and_kept(run, line, tmp_path, capsys, untouched):
    out = tmp_path / "precious.h5ad"
    out.write_text("precious")
    assert run(line.format(out=out)) == 2
    said = capsys.readouterr().err
    assert "FileExistsError" in said
    assert str(out) in said
    assert "--overwrite true" in said
    assert out.read_text() == "precious"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "say which command: fit, embed"),
        ("fti ./data.h5mu", "fti"),
        ("fit", "MDATA and --out are missing."),
        ("fit ./data.h5mu", "error: --out is missing."),
        ("translate m d --source rna --out o.h5ad", "error: --target is missing."),
        ("fit ./data.h5mu --out m --nonsense 1", "--nonsense"),
        ("fit ./data.h5mu --out m --batch donor", "--batch"),
        ("fit ./data.h5mu --out m --batch_key", "argument --batch_key: expected one argument"),
        ("fit ./data.h5mu --out m --seed one", "--seed: expected a whole number, got 'one'."),
        ("fit ./data.h5mu --out m --loss.clip much", "--loss.clip: expected a number, got 'much'."),
        ("fit ./data.h5mu --out m --overwrite maybe", "--overwrite: expected true or false, got 'maybe'."),
        ("fit ./data.h5mu --out m --modalities rna", "--modalities: expected --modalities.KEY VALUE, got 'rna'."),
        ("fit ./data.h5mu --out m --modalities.rna dna",
         "--modalities.rna: expected one of 'rna', 'atac', 'protein', 'methylation', got 'dna'."),
        ("fit ./data.h5mu --out m --train.max_epochs 0", "`max_epochs` must be a positive whole number"),
        ("fit ./data.h5mu --out m --loss.clip -1", "clip"),
        ("fit ./data.h5mu --out m --train.accelerator banana", "'banana'; there is 'auto', 'cpu'"),
        ("impute ./fitted.multiome ./data.h5mu --target prot --out o.h5ad --interval wide", "--interval: expected a n"),
    ],
)  # fmt: skip
def test_parser_complains_in_the_words_of_the_command_line(refused, line, says, capsys):
    assert refused(line) == 2
    said = capsys.readouterr().err
    assert says in said
    command = next((word for word in ("fit", "impute", "translate") if word in line.split()), "")
    assert said.startswith(f"usage: {' '.join(['multiome', command]).strip()} ")
    for internal in ("Traceback", "fit.", "<class", "Union", "subcommand", "NestedArg", "Parser key"):
        assert internal not in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("fit ./missing.h5mu --out m", "There is no file {files}/missing.h5mu."),
        ("fit {files} --out m", "{files} is a folder, not a file."),
        ("fit ./data.h5mu --out nowhere/m", "{here}/nowhere does not exist"),
        ("fit ./data.h5mu --out ..", ".. is a folder"),
        ("fit {files}/data.h5mu --out {files}/data.h5mu --overwrite true", "is also what is read"),
        ("fit {files}/data.h5mu --out m --train.checkpoint m", "would take the place of --out m"),
        ("fit {files}/data.h5mu --out m.2 --train.checkpoint m", "would take the place of --out m.2"),
        (
            "embed {files}/fitted.multiome {files}/data.h5mu --out {files}/fitted.multiome --overwrite true",
            "also what is",
        ),
        ("embed ./missing.multiome ./data.h5mu --out o.h5mu", "missing.multiome"),
        ("embed ./fitted.multiome ./missing.h5mu --out o.h5mu", "missing.h5mu"),
        ("embed ./fitted.multiome ./data.h5mu --out o.h5ad", "must end in .h5mu"),
        (
            "translate ./fitted.multiome ./data.h5mu --source rna --target atac --out o.h5mu",
            "must end in .h5ad or .zarr",
        ),
        ("impute ./fitted.multiome ./data.h5mu --target prot --out o.h5ad --interval 1.5", "between 0 and 1, got 1.5"),
        (
            "impute {files}/fitted.multiome {files}/data.h5mu --target prot --out o.h5ad --interval 0.9 --n_samples 5",
            "--interval 0.9 needs at least 20 draws to see its tails, got --n_samples 5; say --n_samples 100.",
        ),
        (
            "impute {files}/fitted.multiome {files}/data.h5mu --target prot --out o.h5ad --interval 0.999",
            "needs at least 2,000 draws to see its tails, got --n_samples 100; say --n_samples 2000.",
        ),
    ],
)
def test_paths_are_checked_before_anything_is_read(run, line, says, files, tmp_path, capsys, monkeypatch, untouched):
    monkeypatch.chdir(tmp_path)
    assert run(line.format(files=files)) == 2
    said = capsys.readouterr().err
    assert said.startswith("Error (")
    assert says.format(files=files, here=tmp_path) in said
    assert not list(tmp_path.iterdir())


def test_an_accelerator_that_this_machine_lacks(run, tmp_path, capsys, monkeypatch, untouched):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run(f"fit ./data.h5mu --out {tmp_path / 'm'} --train.accelerator cuda") == 2
    assert "--train.accelerator cuda: torch finds no such device" in capsys.readouterr().err
    assert main(["demo", "--out", str(tmp_path / "demo"), "--train.accelerator", "cuda"]) == 2
    assert not list(tmp_path.iterdir())


def test_several_machines_without_a_launcher(run, tmp_path, capsys, untouched):
    assert run(f"fit ./data.h5mu --out {tmp_path / 'm'} --train.devices 4 --train.num_nodes 2") == 2
    told = capsys.readouterr().err
    assert "--train.num_nodes is 2, but this process was started alone" in told
    assert "srun --ntasks-per-node=4 multiome fit" in told


def test_a_folder_that_may_not_be_written_to(run, tmp_path, capsys, untouched, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied") if dir == tmp_path else AssertionError

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # root may write everywhere
    assert run(f"fit ./data.h5mu --out {tmp_path / 'm'}") == 2
    assert f"Nothing can be written into the folder {tmp_path} (Permission denied)" in capsys.readouterr().err


def test_a_pipe_is_not_replaced(run, tmp_path, capsys, untouched):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert run(f"fit ./data.h5mu --out {pipe} --overwrite true") == 2
    assert f"{pipe} is no regular file" in capsys.readouterr().err


def test_an_input_that_may_not_be_read(run, files, tmp_path, capsys, untouched, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: path != files / "data.h5mu")
    assert run(f"embed ./fitted.multiome ./data.h5mu --out {tmp_path / 'o.h5mu'}") == 2
    assert f"may not read {files / 'data.h5mu'}" in capsys.readouterr().err


def test_a_link_is_written_through(run, files, tmp_path):
    link, aim = tmp_path / "link.h5ad", tmp_path / "aim.h5ad"
    link.symlink_to(aim)
    assert run(f"translate ./fitted.multiome ./data.h5mu --source rna --target prot --out {link}") == 0
    assert link.is_symlink()
    assert aim.stat().st_size > 0
    link.unlink()
    link.symlink_to(Path("nowhere") / "aim.h5ad")
    assert run(f"translate ./fitted.multiome ./data.h5mu --source rna --target prot --out {link}") == 2
