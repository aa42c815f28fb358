"""The command line on small files: a model, the data it was fitted on, and one modality of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from multiome.cli.command import main
from multiome.cli.files import write

QUICK = {
    "--train.max_epochs": "2",
    "--train.min_steps": "20",
    "--train.progress_bar": "false",
    "--train.accelerator": "cpu",
    "--config.n_latent": "5",
    "--config.n_hidden": "16",
    "--config.n_features_latent": "8",
}


@pytest.fixture(scope="session")
def files(tmp_path_factory, small, model) -> Path:
    """The shared small data and model as files, made once."""
    folder = tmp_path_factory.mktemp("cli")
    write(small.mdata, folder / "data.h5mu")
    write(small.mdata["rna"], folder / "rna.h5ad")
    model.save(folder / "fitted.multiome")
    return folder


@pytest.fixture(scope="session")
def quickly() -> str:
    """Options for a small network and few steps."""
    return " ".join(f"{option} {value}" for option, value in QUICK.items())


@pytest.fixture
def run(files) -> Callable[[str], int]:
    """A command line; names that begin with ``./`` are those of `files`."""

    def call(line: str) -> int:
        return main([str(files / word[2:]) if word.startswith("./") else word for word in line.split()])

    return call


@pytest.fixture
def refused(run) -> Callable[[str], int]:
    """The exit status of a command line that the parser refuses."""

    def call(line: str) -> int:
        with pytest.raises(SystemExit) as stop:
            run(line)
        return stop.value.code

    return call
