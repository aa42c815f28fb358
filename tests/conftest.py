"""What every test relies on: checked shapes, seeded and validated Pyro, at most two threads, real data if present."""

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pyro
import pytest
import torch
from jaxtyping import install_import_hook

# Before anything imports the package: its annotated shapes and types are checked at every call. Users never pay.
install_import_hook("multiome", "beartype.beartype")
os.environ.setdefault("MPLBACKEND", "Agg")

REPOSITORY = Path(__file__).resolve().parents[1]
N_THREADS = 2

torch.set_num_threads(min(N_THREADS, torch.get_num_threads()))
# The same examples in every run, and no deadline: shared machines are slow at times.
hypothesis.settings.register_profile("multiome", deadline=None, derandomize=True)
hypothesis.settings.load_profile("multiome")


@pytest.fixture(autouse=True)
def _validated_and_seeded() -> None:
    """Pyro's checks are on, and no test sees the random state or the parameters that another one left."""
    pyro.enable_validation(True)
    pyro.clear_param_store()
    pyro.set_rng_seed(0)


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
