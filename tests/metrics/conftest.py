"""The comparison protocol, where it is there: the scores must be its scores."""

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PROTOCOL = Path(__file__).resolve().parents[3] / "shared" / "bench" / "protocol.py"


@pytest.fixture(scope="session")
def protocol_module() -> ModuleType:
    if not PROTOCOL.exists():
        pytest.skip(f"the comparison protocol is not there: {PROTOCOL}")
    spec = importlib.util.spec_from_file_location("bench_protocol", PROTOCOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def protocol(protocol_module: ModuleType) -> Iterator[ModuleType]:
    """Its own warnings are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield protocol_module


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
