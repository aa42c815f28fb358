"""Every direction beside simple methods: the numbers are those that the same cells give by hand."""

from __future__ import annotations

import mudata as md
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import multiome as mo
from multiome.errors import MultiomeError, MultiomeWarning
from multiome.metrics import baseline_ridge, clr, correlation, pit_coverage

METHODS = ["multiome", "mean", "knn", "ridge"]


@pytest.fixture(scope="module")
def parts(quick_fit):
    """Simulated cells: some that a model is fitted on, some that are scored, and the model."""
    sim = mo.datasets.simulate(
        n_cells=500, n_genes=80, n_peaks=80, n_proteins=12, n_sites=40, depth={"rna": 3000, "atac": 2000}, seed=2
    )
    rows = np.arange(500) < 300
    train, test = sim.mdata[rows].copy(), sim.mdata[~rows].copy()
    return train, test, quick_fit(train, steps=300)


@pytest.fixture(scope="module")
def table(parts):
    train, test, model = parts
    return model.evaluate(test, reference=train, n_samples=40)


def value(table, source, target, method, score):
    found = table.query("source == @source and target == @target and method == @method and score == @score")
    assert len(found) == 1
    return found["value"].iloc[0]


def test_every_direction_and_method_is_there(table):
    keys = ["rna", "atac", "prot", "met"]
    expected = {(a, b) for a in keys for b in keys if a != b} | {("all others", b) for b in keys}
    assert set(zip(table["source"], table["target"], strict=True)) == expected
    for _, part in table.groupby(["source", "target"]):
        assert set(METHODS) == set(part["method"])
    assert not table["value"].isna().any()
    assert (table["n_cells"] == 200).all()


def test_scores_are_those_of_translate_and_of_the_baseline(parts, table):
    train, test, model = parts
    features = list(model.spec.modalities["prot"].features)
    truth = clr(test["prot"][:, features].X)
    predicted = model.translate(test, source="rna", target="prot", scale="clr").X
    genes = list(model.spec.modalities["rna"].features)
    ridge = baseline_ridge(train["rna"][:, genes].X, clr(train["prot"][:, features].X), test["rna"][:, genes].X)
    for method, values in (("multiome", predicted), ("ridge", ridge)):
        for score, by_hand in correlation(values, truth).items():
            assert value(table, "rna", "prot", method, score) == pytest.approx(by_hand, abs=2e-3)


def test_coverage_is_that_of_impute(parts, table):
    _, test, model = parts
    only = md.MuData({key: test[key] for key in ("rna", "prot")})
    u = model.impute(only, "prot", n_samples=100).pit(test["prot"])
    assert value(table, "rna", "prot", "multiome", "pit_covered") == pytest.approx(pit_coverage(u)["covered"], abs=0.03)
    assert value(table, "rna", "prot", "multiome", "interval_score") < value(
        table, "rna", "prot", "mean", "interval_score"
    )


def test_per_feature_tells_which_can_be_predicted(parts):
    train, test, model = parts
    found = model.evaluate(test, reference=train, per="feature", n_samples=40)
    proteins = found.query("source == 'rna' and target == 'prot' and method == 'multiome' and score == 'r'")
    assert list(proteins["feature"]) == list(model.spec.modalities["prot"].features)
    known = model.reliability.query("modality == 'prot'").set_index("feature")["predictable"]
    assert (proteins.set_index("feature")["predictable"] == known).all()
    mean = found.query("method == 'mean' and score == 'r'")["value"]
    np.testing.assert_allclose(mean, 0, atol=1e-6)


def test_without_a_reference_the_model_stands_alone(parts):
    _, test, model = parts
    pair = md.MuData({key: test[key] for key in ("rna", "prot")})
    found = model.evaluate(pair, n_samples=20)
    assert set(found["method"]) == {"multiome"}
    assert set(zip(found["source"], found["target"], strict=True)) == {("rna", "prot"), ("prot", "rna")}


def test_other_panels_are_compared_on_what_both_have(parts):
    train, test, model = parts
    fewer = md.MuData({"rna": test["rna"][:, 5:].copy(), "prot": test["prot"][:, ::-1][:, 3:].copy()})
    found = model.evaluate(fewer, reference=train, n_samples=20)
    row = found.query("source == 'rna' and target == 'prot' and method == 'multiome' and score == 'feature_r'").iloc[0]
    assert row["n_features"] == 9
    assert row["value"] > found.query("source == 'rna' and target == 'prot' and score == 'feature_r'")["value"].min()


def test_the_same_seed_gives_the_same(parts):
    train, test, model = parts
    pair = md.MuData({key: test[key] for key in ("rna", "prot")})
    one, two = (model.evaluate(pair, reference=train, n_samples=20, max_cells=50, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert (one["n_cells"] == 50).all()


def test_cells_that_are_in_both_are_mentioned(parts):
    _, test, model = parts
    pair = md.MuData({key: test[key] for key in ("rna", "prot")})
    with pytest.warns(MultiomeWarning, match=r"200 of 200 cells have names that occur in `reference`"):
        model.evaluate(pair, reference=test, n_samples=20)


def test_nothing_to_compare(parts):
    _, test, model = parts
    apart = md.MuData({"rna": test["rna"][:50].copy(), "prot": test["prot"][50:].copy()})
    with pytest.raises(MultiomeError, match=r"no 10 cells with two of them"):
        model.evaluate(apart)
    with pytest.raises(MultiomeError, match="needs at least 20 draws, got n_samples=5; pass n_samples=20"):
        model.evaluate(test, n_samples=5)


def test_cells_without_a_count_are_refused(parts):
    _, test, model = parts
    empty = md.MuData({"rna": test["rna"].copy(), "prot": test["prot"].copy()})
    x = empty["prot"].X.toarray()
    x[0] = 0
    empty["prot"].X = sp.csr_matrix(x)
    with pytest.raises(MultiomeError, match="not a single count"):
        model.evaluate(empty)


def test_a_reference_that_cannot_train_a_method_is_mentioned(parts):
    train, test, model = parts
    pair = md.MuData({key: test[key] for key in ("rna", "prot")})
    with pytest.warns(
        MultiomeWarning, match=r"Fewer than 10 cells of `reference` have the modalities of .*'rna to prot'"
    ):
        found = model.evaluate(pair, reference=md.MuData({"rna": train["rna"].copy()}), n_samples=20)
    assert set(found["method"]) == {"multiome"}


@pytest.mark.filterwarnings("ignore:.*show what no similar training cell does")  # by two proteins: not the point here
def test_too_few_shared_features_are_not_scored(parts):
    train, test, model = parts
    prot = test["prot"][np.asarray(test["prot"].X[:, :2].sum(1)).ravel() > 0]
    few = md.MuData({"rna": test["rna"], "prot": prot[:, :2].copy()})
    with pytest.warns(MultiomeWarning, match=r"Not scored: 'rna to prot', since `data` share 2 .* \(at least 3"):
        found = model.evaluate(few, n_samples=20, min_features=0)
    assert set(found["target"]) == {"rna"}
    one = train["prot"][:, 5:].copy()
    disjoint = md.MuData({"rna": train["rna"], "prot": one})
    few = md.MuData({"rna": test["rna"], "prot": test["prot"][:, :5].copy()})
    with pytest.raises(
        MultiomeError, match=r"Nothing can be compared: .*`data` and `reference` share 0 of the model's"
    ):
        model.evaluate(few, reference=disjoint, n_samples=20, min_features=0)


def test_reference_is_checked_before_anything_is_read(parts, monkeypatch):
    _, test, model = parts
    monkeypatch.setattr("multiome.predict.evaluate.read_query", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(TypeError, match="`reference` must be a MuData"):
        model.evaluate(test, reference=test["rna"], n_samples=20)
