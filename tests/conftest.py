"""What every test relies on: checked shapes, seeded and validated Pyro, at most two threads, real data if present."""

import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pyro
import pytest
import torch
from jaxtyping import install_import_hook

# Before anything imports the package: its annotated shapes and types are checked at every call. Users never pay.
# The string is an expression: the tower lets an int stand where a float is annotated, as type checkers do (PEP 484).
install_import_hook("multiome", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")
os.environ.setdefault("MPLBACKEND", "Agg")

REPOSITORY = Path(__file__).resolve().parents[1]
N_THREADS = min(2, torch.get_num_threads())

torch.set_num_threads(N_THREADS)
# The same examples in every run, and no deadline: shared machines are slow at times.
hypothesis.settings.register_profile("multiome", deadline=None, derandomize=True)
hypothesis.settings.load_profile("multiome")


@pytest.fixture(autouse=True)
def _validated_and_seeded() -> None:
    """Pyro's checks are on, and no test sees the random state, parameters or threads that another one left."""
    pyro.enable_validation(True)
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background starts with it ignored
    torch.set_num_threads(N_THREADS)  # numba, through scanpy, sets torch's threads to the number of cores


@pytest.fixture
def few_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data of more than 50 cells stay on disk, of which recipes see 64, and 16 are read from one place."""
    from multiome.data import some_cells, stored
    from multiome.train import datamodule

    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 50)
    monkeypatch.setattr(stored, "BLOCK", 37)
    monkeypatch.setattr(some_cells, "N_CELLS", 64)
    monkeypatch.setattr(some_cells, "RUN", 16)
    monkeypatch.setattr(datamodule, "RUN", 16)
    monkeypatch.setattr(datamodule, "VALUES", 1)


@pytest.fixture(scope="session")
def bench_data() -> Callable[[str], Path]:
    """Path of a real data file by name, ``bench_data("pbmc.h5mu")``; the test is skipped where the file is absent."""
    folder = Path(os.environ.get("MULTIOME_BENCH_DATA", REPOSITORY.parent / "shared" / "data"))

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"real data: no `{name}` in `{folder}`; set MULTIOME_BENCH_DATA to the folder that holds it")
        return path

    return find


@pytest.fixture(scope="session")
def quick_fit() -> Callable[..., Any]:
    """`fit` with a small network and about so many ``steps``, whatever the defaults are; ``train`` holds what differs.

    Whole epochs are trained, at least ``steps`` steps; ``train={"max_epochs": ...}`` says epochs instead.
    """
    import multiome as mo

    config = mo.ModelConfig(n_latent=6, n_hidden=16, n_features_latent=8, n_batch_latent=2)
    few = {"batch_size": 64, "validation": 0.15, "n_models": 1, "progress_bar": False, "accelerator": "cpu"}

    def fit(data: Any, *, steps: int = 20, train: dict[str, Any] | None = None, **given: Any) -> Any:
        settings = few | (train or {})
        n_train = max(round(data.n_obs * (1 - settings["validation"])), 1)
        per_epoch = max(n_train // settings["batch_size"], 1)
        settings = {"max_epochs": math.ceil(steps / per_epoch)} | settings
        return mo.fit(data, train=mo.TrainConfig(**settings), **{"config": config} | given)

    return fit


@pytest.fixture(scope="session")
def small() -> Any:
    """160 simulated cells: four modalities, of which ATAC and protein miss in some cells, and two batches."""
    import multiome as mo

    return mo.datasets.simulate(
        n_cells=160, n_genes=40, n_peaks=60, n_proteins=8, n_sites=30, n_tfs=6, n_types=3, n_latent=4,
        pairing={"atac": 0.3, "prot": 0.3}, depth={"rna": 200, "atac": 120, "met": 60}, seed=1,
    )  # fmt: skip


@pytest.fixture(scope="session")
def model(quick_fit: Callable[..., Any], small: Any) -> Any:
    """A model fitted on `small` with ``batch_key="batch"``; for tests that hold however well it is trained."""
    return quick_fit(small.mdata, batch_key="batch")
