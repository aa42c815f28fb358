"""Folds are fitted and scored apart, a mosaic shows no protein of the scored cells, panels are matched by training."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from multiome.metrics import bootstrap, clr, correlation
from tests.benchmarks import measure, panel_baselines, panel_ours, panel_tasks, records, scores, table, tasks
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.goals import BEST
from tests.benchmarks.panel_catalogue import ECCITE, PANEL_TASKS
from tests.benchmarks.steps import STEPS
from tests.benchmarks.test_protocol import protocol as protocol
from tests.benchmarks.test_run import record

QUICK = {"train.max_epochs": 1, "train.min_steps": 2, "config.n_latent": 4}


def loaded(bench_data, name, **given):
    """A task, skipped where a file of it is absent."""
    for file in (TASKS[name].file, *TASKS[name].tables):
        bench_data(file)
    return STEPS[name].load(name, **given)


def made(x, names, prefix="c"):
    """Counts as AnnData."""
    obs = pd.DataFrame(index=[f"{prefix}{i}" for i in range(len(x))])
    return ad.AnnData(sp.csr_matrix(np.asarray(x, dtype=np.float32)), obs=obs, var=pd.DataFrame(index=list(names)))


@pytest.fixture
def two_folds():
    """Sixty cells in two folds."""
    rng = np.random.default_rng(0)
    rna, prot = rng.poisson(4.0, (60, 6)), rng.poisson(6.0, (60, 4))
    mods, even = {"rna": made(rna, "abcdef"), "prot": made(prot, "wxyz")}, np.arange(60) % 2 == 0
    return panel_tasks.Folds("spleen_folds", tuple(tasks.Task("spleen_folds", mods, t, ~t) for t in (even, ~even)))


@pytest.mark.parametrize("name", ["eccite_folds", "spleen_folds"])
def test_folds_are_the_protocols(protocol, bench_data, name):
    ours, theirs = loaded(bench_data, name).folds, protocol.cite_folds(TASKS[name].file)
    assert len(ours) == len(theirs) == 5
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_array_equal(a.train, b.train)
        np.testing.assert_array_equal(a.test, b.test)
        for mod in a.mods:
            assert list(a.mods[mod].var_names) == list(b.mods[mod].var_names)
            assert (a.mods[mod].X != b.mods[mod].X).nnz == 0
    assert (np.sum([fold.test for fold in ours], axis=0) == 1).all()


def test_folds_for_development_are_inside_the_training_cells(bench_data):
    for fold, dev in zip(
        loaded(bench_data, "spleen_folds").folds, loaded(bench_data, "spleen_folds", dev=True).folds, strict=True
    ):
        held = set(fold.part("rna", "test").obs_names)
        assert held.isdisjoint(dev.mods["rna"].obs_names)
        assert dev.train.sum() + dev.test.sum() == fold.train.sum()


def test_scores_of_folds_are_averaged_and_intervals_paired(two_folds, monkeypatch):
    fitted = []

    def fit(mdata):
        fitted.append(list(mdata.obs_names))
        return SimpleNamespace(translate=lambda a, **how: dense(np.arange(4) + clr(a.X[:, :4])))

    def dense(x):
        return ad.AnnData(x, var=pd.DataFrame(index=list("wxyz")))

    rival = np.tile(np.arange(4.0), (30, 1)) + np.eye(30, 4)
    monkeypatch.setattr(panel_ours, "protein_predictions", lambda fold, n_nets: {"ridge": rival})
    monkeypatch.setattr(scores, "bootstrap", partial(bootstrap, n=40))
    found, more = panel_ours.folds(two_folds, fit)
    truth = [clr(fold.part("prot", "test").X) for fold in two_folds.folds]
    guess = [np.arange(4) + clr(fold.part("rna", "test").X[:, :4]) for fold in two_folds.folds]
    each = [correlation(g.astype(np.float32), t) for g, t in zip(guess, truth, strict=True)]
    assert found == pytest.approx({name: (each[0][name] + each[1][name]) / 2 for name in each[0]}, rel=1e-5)
    assert [sorted(cells) for cells in fitted] == [
        sorted(fold.part("rna", "train").obs_names) for fold in two_folds.folds
    ]
    intervals = more["intervals"]()
    assert list(intervals) == ["multiome", "ridge", "multiome - ridge"]
    for low, high in intervals["multiome"].values():
        assert low < high
    same = panel_ours.fold_intervals(truth, truth, beside=truth)
    assert same == {"feature_r": [0, 0], "cell_r": [0, 0], "rmse": [0, 0]}
    perfect = panel_ours.fold_intervals(truth, truth, beside=[rival, rival])
    assert perfect["rmse"][1] < 0 < perfect["cell_r"][0]


def test_simple_methods_are_averaged_alike(two_folds, monkeypatch):
    constant = np.tile(np.arange(4.0), (30, 1))
    monkeypatch.setattr(panel_baselines, "protein_predictions", lambda fold: {"mean": constant})
    truth = [clr(fold.part("prot", "test").X) for fold in two_folds.folds]
    expected = np.mean([correlation(constant, t)["rmse"] for t in truth])
    assert panel_baselines.folds(two_folds)["mean"]["rmse"] == pytest.approx(expected)


def test_a_mosaic_shows_no_protein_of_the_scored_cells(bench_data):
    task = loaded(bench_data, "reap_mosaic")
    mdata, scored = panel_tasks.mosaic(task), task.part("rna", "test").obs_names
    assert mdata["rna"].obs_names.isin(scored).sum() == len(scored) == task.test.sum()
    assert not mdata["prot"].obs_names.isin(scored).any()
    assert mdata["prot"].n_obs == task.train.sum()
    assert mdata["rna"].n_obs == task.train.sum() + task.test.sum()
    same = tasks.load("reap_protein")
    np.testing.assert_array_equal(task.test, same.test)
    dev = panel_tasks.mosaic(loaded(bench_data, "reap_mosaic", dev=True))
    assert dev["rna"].obs_names.isin(task.part("rna", "train").obs_names).all()


def test_clones_are_chosen_by_training_cells_and_names_by_their_order():
    pairs = pd.DataFrame(
        {
            "name": ["CD8_a", "CD8_b", "PD1", "PD1", "own"],
            "other": ["CD8", "CD8", "PD-1 (2)", "PD-1 (1)", "Own"],
            "antigen": ["CD8A", "CD8A", "PDCD1", "PDCD1", None],
        }
    )
    steady, varied = [10, 10, 10, 10], [1, 9, 1, 9]  # variance over mean: 0 and 3.2
    counts = np.array([steady, varied, [1, 0, 2, 1], [0, 1, 0, 1]]).T
    trained = made(counts, ["CD8_a", "CD8_b", "PD1", "own"])
    found = panel_tasks.one_each(pairs, trained)
    assert list(zip(found["name"], found["other"], strict=True)) == [
        ("CD8_b", "CD8"), ("PD1", "PD-1 (2)"), ("own", "Own"),
    ]  # fmt: skip
    rare = made(np.array([steady, [0, 0, 1, 0], [1, 0, 2, 1], [0, 1, 0, 1]]).T * [1, 1, 1, 1], trained.var_names)
    assert panel_tasks.one_each(pairs, rare)["name"][0] == "CD8_b"


def test_another_experiment_shares_features(bench_data):
    task = loaded(bench_data, "reap_to_eccite")
    reap, eccite = tasks.read(TASKS["reap_protein"].file), tasks.read(ECCITE)
    assert task.train.sum() == reap["rna"].n_obs
    assert task.test.sum() == eccite["rna"].n_obs
    names = list(task.mods["prot"].var_names)
    antigens = [name.split("_")[0] for name in names]
    assert len(set(antigens)) == len(antigens)
    assert {"CD4", "CD279", "CD197", "CD152", "HLA-DRA", "CD45", "CD45RA", "CD45RO"} <= set(antigens)
    genes = task.mods["rna"].var_names
    assert genes.isin(reap["rna"].var_names).all()
    assert genes.isin(eccite["rna"].var_names).all()
    column = dict(zip(antigens, names, strict=True))
    scored = task.part("prot", "test")
    for antigen, other in {"CD4": "CD4", "CD197": "CCR7", "CD279": "PD-1 (CD279)", "CD152": "CTLA4"}.items():
        np.testing.assert_array_equal(
            scored[:, column[antigen]].X.toarray(), eccite["prot"][:, other].X.toarray(), err_msg=antigen
        )
    dev = loaded(bench_data, "reap_to_eccite", dev=True)
    assert list(dev.mods["prot"].var_names) == names
    assert set(dev.mods["rna"].obs_names) <= set(task.part("rna", "train").obs_names)


def scored(**ours):
    """Records of a task that is to be ahead of two simple methods."""
    rivals = {
        "ridge": {"feature_r": 0.5, "cell_r": 0.9, "rmse": 1.0},
        "mean": {"feature_r": 0.0, "cell_r": 0.8, "rmse": 0.9},
    }
    found = [record("multiome", task="spleen_folds", **ours)]
    return found + [record(name, None, "spleen_folds", **values) for name, values in rivals.items()]


@pytest.mark.parametrize(
    ("ours", "holds"),
    [
        ({"feature_r": 0.6, "cell_r": 0.95, "rmse": 0.8}, True),
        ({"feature_r": 0.6, "cell_r": 0.883, "rmse": 0.8}, True),  # 1.9 % behind in one
        ({"feature_r": 0.6, "cell_r": 0.88, "rmse": 0.8}, False),  # 2.2 % behind
        ({"feature_r": 0.6, "cell_r": 0.95, "rmse": 0.917}, True),  # the best in RMSE is another method
        ({"feature_r": 0.6, "cell_r": 0.95, "rmse": 0.95}, False),
        ({"feature_r": 0.6, "cell_r": 0.899, "rmse": 0.901}, False),  # ahead in one only
    ],
)
def test_ahead_in_two_and_little_behind_in_the_third(ours, holds):
    found = scored(**ours)
    sentence = table.two_ahead(PANEL_TASKS["spleen_folds"], found, table.by_method(found))[0]
    assert ("Reached: yes" in sentence) is holds


def test_the_best_simple_method_is_to_be_reached():
    text = table.render(scored(feature_r=0.6, cell_r=0.85, rmse=0.8))
    assert "| r per protein | 0.6000 | 0.5000 (ridge) | > 0.5000 (ridge) | yes |" in text
    assert "| r per cell | 0.8500 | 0.9000 (ridge) | > 0.9000 (ridge) | **no** |" in text
    assert "| RMSE | 0.8000 | 0.9000 (mean) | < 0.9000 (mean) | yes |" in text
    assert table.bar({"multiome": {"rmse": [1.0]}}, replace(PANEL_TASKS["spleen_folds"].goals[2], over=BEST)) is None


def test_a_mosaic_stands_beside_the_model_without_it():
    ours = record(task="reap_mosaic", feature_r=0.6, cell_r=0.85, rmse=0.5)
    text = table.render([ours, record(task="reap_protein", feature_r=0.6, cell_r=0.86, rmse=0.6)])
    assert "| score | multiome | `reap_protein` |" in text
    assert "≥ 0.6000 (reap_protein) | yes |" in text
    assert "≥ 0.8600 (reap_protein) | **no** |" in text
    assert "| r per protein (TOTALVI's 0.515) | 0.6000 | 0.6000 (reap_protein) | ≥ 0.5150 | yes |" in text


def test_what_matches_names_decides_whether_baselines_are_measured_again(monkeypatch):
    before, read_bytes = (records.recipe("reap_to_eccite"), records.recipe("reap_protein")), Path.read_bytes
    changed = {"match_proteins.py"}
    monkeypatch.setattr(Path, "read_bytes", lambda file: b"changed" if file.name in changed else read_bytes(file))
    assert records.recipe("reap_to_eccite") != before[0]
    assert records.recipe("reap_protein") == before[1]


@pytest.mark.filterwarnings("ignore::multiome.MultiomeWarning")  # features that no cell of a small fold shows
def test_a_short_fit_is_measured(bench_data, monkeypatch):
    monkeypatch.setattr(panel_tasks, "N_FOLDS", 2)
    monkeypatch.setattr(scores, "bootstrap", partial(bootstrap, n=5))
    bench_data(TASKS["spleen_folds"].file)
    (found,) = measure.measure("spleen_folds", seed=0, settings=QUICK, intervals=True)
    assert {goal.score for goal in TASKS["spleen_folds"].goals} <= found["scores"].keys()
    assert found["intervals"].keys() == {"multiome", "ridge", "multiome - ridge"}
