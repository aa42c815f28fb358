"""Splits, scores and simple methods are those of the comparison protocol, where that is there."""

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

from tests.benchmarks import baselines, scores, tasks
from tests.benchmarks.catalogue import PAIRED_TASKS, TASKS, data_folder

PROTOCOL = data_folder().parent / "bench"
WITH_DEV = [name for name, info in PAIRED_TASKS.items() if info.dev and info.beside is None]


def module(file: str, name: str) -> ModuleType:
    """A file of the protocol as a module."""
    if not (PROTOCOL / file).exists():
        pytest.skip(f"the comparison protocol is not there: no `{file}` in `{PROTOCOL}`")
    spec = importlib.util.spec_from_file_location(name, PROTOCOL / file)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found  # its dataclasses and its other files look it up
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def protocol() -> Iterator[ModuleType]:
    """Its warnings are not ours, nor are its data where ours are elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = module("protocol.py", "protocol")
        found.DATA = data_folder()
        yield found
    del sys.modules["protocol"]


@pytest.mark.parametrize("name", WITH_DEV)
def test_splits_are_the_protocols(protocol, bench_data, name):
    bench_data(TASKS[name].file)
    theirs, ours = getattr(protocol, name)(), tasks.load(name)
    for a, b in ((theirs, ours), (theirs.dev(), ours.dev())):
        np.testing.assert_array_equal(a.train, b.train)
        np.testing.assert_array_equal(a.test, b.test)
        assert list(a.mods) == list(b.mods)
        for mod in a.mods:
            assert list(a.mods[mod].obs_names) == list(b.mods[mod].obs_names)
            assert list(a.mods[mod].var_names) == list(b.mods[mod].var_names)
            assert (a.mods[mod].X != b.mods[mod].X).nnz == 0
    assert not (ours.train & ours.test).any()
    scored = set(ours.part("rna", "test").obs_names)
    assert scored.isdisjoint(ours.dev().mods["rna"].obs_names)


def test_alignment_scores_are_the_protocols(protocol, rng):
    labels = np.array(["a", "b", "c", scores.UNRESOLVED])[rng.integers(0, 4, 200)]
    truth = labels[:120]
    z, a = rng.normal(size=(200, 8)), rng.normal(size=(120, 8))
    b = a + rng.normal(size=(120, 8))
    found = scores.alignment(reference=z, labels=labels, rna=a, atac=b, truth=truth)
    assert found["foscttm_raw"] == pytest.approx(protocol.foscttm(a, b))
    assert found["foscttm"] == pytest.approx(protocol.foscttm(scores.unit(a), scores.unit(b)))
    assert found["transfer_raw"] == pytest.approx(protocol.label_transfer(z, labels, b, truth)["transfer"])
    expected = protocol.label_transfer(scores.unit(z), labels, scores.unit(a), truth)
    assert found["transfer_rna_balanced"] == pytest.approx(expected["transfer_balanced"])


def test_integration_scores_are_the_protocols(protocol, rng):
    z, donor = rng.normal(size=(90, 4)), np.repeat(["x", "y"], 45)
    z[45:, 0] += 1.5
    found = scores.integration(z, donor, donor)
    assert found["mixing"] == pytest.approx(protocol.neighbour_mixing(z, donor))
    assert scores.culture(z, donor, "met").keys() == {"met_k1", "met_k7"}


def test_intervals_are_the_protocols(protocol, rng):
    counts = tasks.sp.csr_matrix(rng.poisson(3.0, (40, 6)))
    truth = protocol.clr(counts.toarray())
    a, b = truth + rng.normal(size=truth.shape), truth + rng.normal(size=truth.shape)
    found = scores.beside_each_other(lambda p, rows: scores.proteins(p[rows], counts[rows]), a, {"b": b})
    assert list(found) == ["multiome", "b", "multiome - b"]
    expected = protocol.bootstrap(lambda i: protocol.correlation(a[i], truth[i])["rmse"], 40)
    assert found["multiome"]["rmse"] == pytest.approx(expected)
    expected = protocol.bootstrap(
        lambda i: protocol.correlation(a[i], truth[i])["cell_r"] - protocol.correlation(b[i], truth[i])["cell_r"],
        40,
    )
    assert found["multiome - b"]["cell_r"] == pytest.approx(expected)


def test_protein_baselines_are_the_protocols(protocol, bench_data, monkeypatch):
    bench_data(TASKS["bmmc_cite"].file)
    task, protocol_baselines = tasks.load("bmmc_cite"), module("baselines.py", "protocol_baselines")
    for place in (baselines, protocol_baselines):  # four rounds tell recipes apart as well as a hundred
        monkeypatch.setattr(place, "MLPRegressor", lambda **recipe: MLPRegressor(**recipe | {"max_iter": 4}))
    theirs, ours = protocol_baselines.protein_predictions(task), baselines.protein_predictions(task)
    for method, same in {"mean": "mean", "knn30": "knn30", "ridge": "ridge", "mlp": "mlp", "mlp x 5": "mlp5"}.items():
        a = protocol.correlation(ours[method], protocol.clr(task.part("prot", "test").X.toarray()))
        b = protocol.correlation(theirs[same], protocol.clr(task.part("prot", "test").X.toarray()))
        assert a == pytest.approx(b, abs=2e-3 if "mlp" in method else 1e-4)


def test_paired_baselines_are_the_protocols(protocol, bench_data, monkeypatch):
    bench_data(TASKS["snare_paired"].file)
    part = {mod: a[::15, ::10].copy() for mod, a in tasks.load("snare_paired").mods.items()}  # the whole takes a minute
    task = tasks.Task("snare_paired", part, *tasks.random_test(part["rna"].n_obs, 100, seed=0))
    theirs, found = module("baselines.py", "protocol_baselines"), {}
    monkeypatch.setattr(theirs, "report", lambda task, method, scores: found.update({method: scores}))
    theirs.rna_atac(task)
    ours = baselines.baselines(task)
    names = {
        "rna->atac mean x RNA depth": "mean x depth",
        "rna->atac (knn200 + mean) x RNA depth": "(knn200 + mean) x depth",
        "rna->atac ridge (components, log depth)": "ridge",
        "atac->rna ridge (components, log depth)": "ridge",
    }
    assert found
    for method, expected in found.items():
        prefix = "atac_" if method.startswith("rna->atac") else "rna_"
        mine = ours[names.get(method, method.split(" ", 1)[1])]
        for name, value in expected.items():
            assert mine[prefix + name] == pytest.approx(value, abs=1e-3), f"{method}: {name}"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_nothing_here_imports_the_protocol():
    for file in Path(__file__).parent.glob("*.py"):
        if not file.name.startswith("test_"):
            assert "protocol" not in file.read_text(), f"{file.name} must not depend on files beside the repository"
