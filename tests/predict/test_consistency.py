"""Whether the cells bear out a guidance graph."""

from __future__ import annotations

import warnings
from dataclasses import replace

import mudata as md
import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, mannwhitneyu, norm, rankdata

import multiome as mo
from multiome.errors import MultiomeError
from multiome.predict import consistency as module
from multiome.predict.cell_states import group_cells
from multiome.predict.consistency import (
    agreement,
    compare,
    consistency,
    levels,
    n_wanted,
    spread,
    standardised,
    verdict,
    warn_inconsistent,
)

COLUMNS = ["modality", "other", "edges", "decoys", "both", "groups", "score", "p"]


def shuffled(graph: mo.GuidanceGraph) -> mo.GuidanceGraph:
    """The same graph with the peaks' names in another order."""
    table = graph.table()
    names = np.unique(table["target"])
    other = dict(zip(names, np.random.default_rng(0).permutation(names), strict=True))
    return mo.GuidanceGraph.from_table(table.assign(target=table["target"].map(other)))


def fitted(quick_fit, data, graph, *, steps: int, seed: int = 0, decoys: float = 0.3, **train: float) -> mo.Multiome:
    """As `linked` is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mo.MultiomeWarning)
        config = mo.ModelConfig(n_latent=8, n_hidden=32)
        return quick_fit(data, graph=graph, steps=steps, seed=seed, train={"decoys": decoys} | train, config=config)


def test_a_right_graph_and_a_wrong_one(linked, quick_fit):
    right = linked.model.consistency
    wrong = fitted(quick_fit, linked.simulation.mdata, shuffled(linked.graph), steps=200).consistency
    assert list(right.columns) == COLUMNS
    n_decoys = linked.model._fitted.evidence.edges.is_decoy.sum()
    assert right.iloc[0, :5].tolist() == ["rna", "atac", len(linked.graph.edges), n_decoys, 1200]
    assert right["score"].item() > wrong["score"].item() + 0.1
    assert right["p"].item() < 0.05 < wrong["p"].item()


def test_cells_without_a_partner_tell_too(linked, quick_fit):
    """The score needs no pair of cells. Where too few groups have cells of both it is NaN, with a right graph at times.

    So few cells are matched no better than that in every fifth training or so: of two, one may be NaN.
    """
    mdata = linked.simulation.mdata
    apart = md.MuData({"rna": mdata["rna"][::2].copy(), "atac": mdata["atac"][1::2].copy()})
    found = [
        fitted(quick_fit, apart, graph, steps=700, seed=seed, decoys=0.1).consistency
        for graph, seed in ((linked.graph, 0), (linked.graph, 1), (shuffled(linked.graph), 0))
    ]
    right, wrong = pd.concat(found[:2]), found[2]
    assert (right["both"] == 0).all()
    known = right["score"].dropna()
    assert (known > 0.05).any()
    assert (known > 0).all()
    assert not wrong["score"].item() > known.max() - 0.1


def test_edges_of_equal_weight_are_compared_as_often_as_one_is_above():
    rng = np.random.default_rng(0)
    decoy = np.arange(300) >= 220
    r = rng.normal(size=300) + 0.3 * ~decoy
    score, p = compare(r, decoy, np.full(300, 0.4))
    above = np.greater.outer(r[~decoy], r[decoy]).mean()
    assert score == pytest.approx(2 * above - 1)
    normal = norm.ppf((rankdata(r) - 0.5) / 300)
    differences = [
        normal[~other].mean() - normal[other].mean() for other in rng.permuted(np.tile(decoy, (4000, 1)), axis=1)
    ]
    assert p == pytest.approx(np.mean(differences >= normal[~decoy].mean() - normal[decoy].mean()), abs=0.01)


def test_p_of_false_edges_is_uniform_whatever_their_weights():
    rng = np.random.default_rng(1)
    weight = rng.gamma(0.5, size=400)
    decoy = np.arange(400) >= 300
    p = [compare(rng.normal(size=400), decoy, weight)[1] for _ in range(600)]
    assert kstest(p, "uniform").pvalue > 0.01


def test_few_strong_edges_tell_more_by_normal_scores_than_by_ranks():
    rng = np.random.default_rng(2)
    decoy = np.arange(900) >= 600
    ours, ranks = [], []
    for _ in range(50):
        r = rng.normal(size=900) + 2.5 * (np.arange(900) < 60)
        ours.append(compare(r, decoy, np.ones(900))[1])
        ranks.append(mannwhitneyu(r[~decoy], r[decoy], alternative="greater").pvalue)
    assert np.median(ours) < np.median(ranks) / 2


def test_a_weighted_score_is_how_much_more_often_an_edge_is_above_a_decoy():
    rng = np.random.default_rng(3)
    r, weight, decoy = rng.integers(6, size=80), rng.gamma(0.5, size=80), np.arange(80) % 3 == 0
    edges, decoys = weight[~decoy] / weight[~decoy].sum(), weight[decoy] / weight[decoy].sum()
    expected = edges @ np.sign(np.subtract.outer(r[~decoy], r[decoy])) @ decoys
    assert compare(r.astype(float), decoy, weight)[0] == pytest.approx(expected)


def test_edges_that_are_always_above_or_never():
    decoy = np.arange(100) >= 50
    for r, expected in ((-np.arange(100.0), 1), (np.arange(100.0), -1), (np.zeros(100), 0)):
        score, p = compare(r, decoy, np.ones(100))
        assert score == pytest.approx(expected)
        assert (p < 0.001, p > 0.999, p == pytest.approx(0.5)) == (expected == 1, expected == -1, expected == 0)


def test_agreement_is_the_correlation_over_groups_times_the_sign(linked, dataset_of):
    cells = dataset_of(linked.simulation.mdata, "batch")
    vae, edges = linked.model._fitted.vae, linked.model._fitted.evidence.edges
    states = group_cells(vae, cells, seed=0)
    r, moves, n_groups = agreement(vae, cells, edges, states, pair=("rna", "atac"), wanted=12, seed=0)
    assert 5 <= n_groups <= 12
    assert moves.shape == r.shape
    assert r.shape == edges.between("rna", "atac").edge.shape
    assert np.abs(r).max() <= 1 + 1e-9
    assert r[~edges.is_decoy].mean() > r[edges.is_decoy].mean()


@pytest.mark.parametrize(("wanted", "needed"), [(5, 3), (6, 4), (8, 5), (20, 5)])
def test_of_few_groups_fewer_must_hold_both(linked, dataset_of, monkeypatch, wanted, needed):
    cells = dataset_of(linked.simulation.mdata, "batch")
    vae, edges = linked.model._fitted.vae, linked.model._fitted.evidence.edges
    states = group_cells(vae, cells, seed=0)
    r = np.where(edges.is_decoy, 0, np.linspace(-0.1, 0.9, len(edges.is_decoy)))
    moves = np.ones(len(r))
    monkeypatch.setattr(module, "n_wanted", lambda *_: wanted)
    for n_groups in (needed - 1, needed):
        monkeypatch.setattr(module, "agreement", lambda *_, n=n_groups, **__: (r, moves, n))
        row = consistency(vae, cells, edges, states, seed=0).iloc[0]
        assert (row["groups"], row["p"] < 0.01, np.isnan(row["p"])) == (n_groups, n_groups == needed, n_groups < needed)


def test_groups_are_cut_from_the_cells_of_the_smaller_modality(linked, dataset_of):
    cells = dataset_of(linked.simulation.mdata, "batch")
    states = group_cells(linked.model._fitted.vae, cells, seed=0)
    assert n_wanted(cells, states, ("rna", "atac")) == 12
    few = {**cells.rows, "atac": np.where(np.arange(1200) < 160, cells.rows["atac"], -1)}
    assert n_wanted(replace(cells, rows=few), states, ("rna", "atac")) == 5


def test_levels_are_log_counts_per_exposure(linked, dataset_of):
    """Plainly calculated, cell by cell."""
    cells = dataset_of(linked.simulation.mdata, "batch")
    vae = linked.model._fitted.vae
    states = group_cells(vae, cells, seed=0)
    group = np.arange(len(states.size)) % 6
    x, depth = cells.matrices["rna"].values.toarray(), cells.exposure["rna"]
    of = group[states.member]
    summed = np.stack([x[states.rows[of == g]].sum(0) for g in range(6)]).astype(float)
    size = np.array([depth[states.rows[of == g]].sum() for g in range(6)])[:, None]
    expected = np.log((summed + 0.5 + 0.2 * summed.mean(0)) / size)
    np.testing.assert_allclose(levels(vae, cells, states, group, "rna"), expected, rtol=1e-5, atol=1e-6)


def test_levels_of_methylation_are_logit_fractions(vae, dataset):
    states = group_cells(vae, dataset, seed=0)
    group = np.zeros(len(states.size), dtype=np.int64)
    matrix = dataset.matrices["met"]
    methylated, calls = (np.asarray(x.sum(0), dtype=float).ravel() for x in (matrix.values, matrix.coverage))
    expected = np.log((methylated + 0.5) / (calls - methylated + 0.5))
    np.testing.assert_allclose(levels(vae, dataset, states, group, "met")[0], expected, rtol=1e-5)


def test_ends_that_change_more_between_groups_count_more_where_they_are_logarithms(vae, monkeypatch):
    level = {"rna": np.array([[0.0, 1.0, 1.0], [0.0, 3.0, 7.0]])}
    np.testing.assert_allclose(spread(vae, level, "rna"), [1e-3, 1, 3])
    monkeypatch.setattr(module, "has_units", lambda *_: True)
    np.testing.assert_allclose(spread(vae, level, "rna"), [1, 1, 1])


def test_what_does_not_change_agrees_with_nothing():
    found = standardised(np.array([[1.0, 2.0], [1.0, 4.0]]))
    np.testing.assert_allclose(found, [[0, -1], [0, 1]])


def test_with_too_few_decoys_nothing_is_said(linked, quick_fit):
    model = quick_fit(linked.simulation.mdata, graph=linked.graph, steps=5, train={"decoys": 0.02})
    row = model.consistency.iloc[0]
    assert 0 < row["decoys"] < 20
    assert np.isnan(row["score"])
    assert np.isnan(row["p"])
    assert "whether cells bear out 'rna' and 'atac' cannot be told\n" in f"{model!r}\n"


def test_where_features_lie_near_each_other_there_are_few_decoys(quick_fit, small):
    graph = mo.GuidanceGraph.from_genome(small.mdata["rna"], small.mdata["atac"], window=100_000)
    graph |= mo.GuidanceGraph.from_genome(small.mdata["rna"], small.mdata["met"], keys=("rna", "met"))
    found = quick_fit(small.mdata, graph=graph, batch_key="batch").consistency
    assert found[["modality", "other"]].to_numpy().tolist() == [["rna", "atac"], ["rna", "met"]]
    assert (found["decoys"] < 20).all()
    assert found[["score", "p"]].isna().all(axis=None)
    assert found["both"].tolist() == [112, 160]


def test_a_model_tells_how_its_graph_is_borne_out(linked):
    row = linked.model.consistency.iloc[0]
    assert f"cells bear out 'rna' and 'atac' with a score of {row['score']:.3f}" in repr(linked.model)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"p": 0.001}, "cells bear out 'rna' and 'atac' with a score of 0.200 (p = 0.001)"),
        ({"p": 0.2}, "whether cells bear out 'rna' and 'atac' cannot be told from 90 decoys, with a score of 0.200"),
        ({"p": 0.2, "decoys": 900}, "cells do not bear out 'rna' and 'atac', with a score of 0.200 (p = 0.2)"),
        ({"p": np.nan}, "whether cells bear out 'rna' and 'atac' cannot be told"),
    ],
)
def test_a_row_in_a_few_words(values, says):
    assert verdict(told(**values).iloc[0]).startswith(says)


def test_changing_the_table_leaves_the_model_alone(linked):
    before, changed = linked.model.consistency, linked.model.consistency
    changed["score"] = 7
    assert linked.model.consistency.equals(before)


def test_no_graph_no_consistency(model):
    with pytest.raises(MultiomeError, match=r"fitted without a guidance graph; fit\(mdata, graph="):
        _ = model.consistency


def told(**values):
    row = {"modality": "rna", "other": "atac", "edges": 900, "decoys": 90, "both": 0, "groups": 12, "score": 0.2}
    return pd.DataFrame([row | {"p": 0.001} | values])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"p": 0.2, "score": 0.03, "edges": 9000, "decoys": 900},
            r"9,000 edges agree with the counts hardly better than 900 false ones \(score 0.030.*check the names",
        ),
        (
            {"p": 0.2, "score": 0.03},
            r"cannot be told .* 900 edges .* than 90 false .*more decoys, `TrainConfig\(decoys=0.5\)`.* Else check the",
        ),
        ({"p": 0.2, "score": 0.03, "edges": 2100, "decoys": 210}, r"more decoys, `TrainConfig\(decoys=0.3\)`"),
        (
            {"p": 0.2, "score": 0.03, "edges": 900, "decoys": 450},
            r"than 450 false .*`model.consistency`; check the names",
        ),
        (
            {"p": np.nan, "score": np.nan, "edges": 900, "decoys": 270, "groups": 2},
            "2 groups.*consistency`; check the names",
        ),
        ({"p": np.nan, "score": np.nan, "decoys": 3}, "900 edges of the guidance graph and 3 decoys are too few"),
        (
            {"p": np.nan, "score": np.nan, "edges": 27, "decoys": 3},
            "27 edges of the guidance graph and 3 decoys are too few.* so few edges cannot show it: judge by",
        ),
        (
            {"p": np.nan, "score": np.nan, "groups": 2},
            "matched rightly: 2 groups of similar cells have at least 10 of both, where 3 are needed with few",
        ),
    ],
)
def test_unpaired_cells_that_do_not_bear_the_graph_out_are_mentioned(values, message):
    with pytest.warns(mo.MultiomeWarning, match=message):
        warn_inconsistent(told(**values), [("rna", "atac")])


def test_nothing_is_said_of_a_graph_that_is_borne_out_or_of_paired_cells():
    warn_inconsistent(told(), [("rna", "atac")])
    warn_inconsistent(told(p=0.5), [])
