"""The regression of a gene on its neighbours, against the plain formula; and on cells whose regulation is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import multiome as mo
from multiome.graph.edges import edges_among
from multiome.predict import loadings
from multiome.predict.cell_states import group_cells
from multiome.predict.edge_effects import (
    AGAINST,
    BY_WEIGHT,
    EFFECT_SD,
    LEAST_TOLD,
    MIN_FEATURES,
    UNEXPLAINED,
    changing,
    edge_effects,
    more_than_noise,
    most_probable,
    regress,
)

N_DIRECTIONS = 5


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def problem(rng) -> dict[str, np.ndarray]:
    """Six genes, of which one has no neighbour, and seven edges."""
    root = rng.normal(size=(6, N_DIRECTIONS, 8))
    return {
        "values": rng.normal(size=(6, N_DIRECTIONS)),
        "information": 30 * root @ root.transpose(0, 2, 1) + np.eye(N_DIRECTIONS),
        "causes": rng.normal(size=(7, N_DIRECTIONS)),
        "told": rng.uniform(0.2, 1, 7),
        "response": np.array([0, 0, 1, 3, 3, 3, 5]),
        "weight": rng.uniform(0.1, 1, 7) * [1, -1, 1, 1, -1, 1, 1],
    }


def dense(values, information, causes, *, told, response, weight, side) -> np.ndarray:
    """The posterior mean of normal coefficients, written out with the whole covariance of what was seen.

    ``side``: on which side of 0 each coefficient is known to lie.
    """
    found = np.zeros(len(response))
    for gene in set(response):
        of = np.flatnonzero(response == gene)
        x = (causes[of] / np.linalg.norm(causes[of], axis=1, keepdims=True)).T
        far = np.sqrt(np.linalg.norm(values[gene]))
        noise = np.linalg.inv(information[gene]) / far**2 + UNEXPLAINED**2 * np.eye(N_DIRECTIONS)
        sd = EFFECT_SD * told[of] * np.where(side[of] == np.sign(weight[of]), 1, AGAINST)
        prior = np.diag((sd * np.abs(weight[of]) ** BY_WEIGHT) ** 2)
        found[of] = told[of] * (prior @ x.T @ np.linalg.inv(x @ prior @ x.T + noise) @ values[gene] / far)
    return found


def test_generalised_least_squares(problem):
    found = regress(**problem)
    assert len(set(np.sign(found) * np.sign(problem["weight"]))) == 2  # some with, some against the edge's sign
    np.testing.assert_allclose(found, dense(**problem, side=np.sign(found)), rtol=1e-10)


def test_the_most_probable_effects(rng):
    """No other coefficients, near or far, have a larger posterior."""
    root = rng.normal(size=(4, 6))
    precision, evidence = root @ root.T, rng.normal(size=4) * 3
    sd, sign = np.full(4, 0.5), np.array([1.0, 1.0, -1.0, -1.0])

    def log_posterior(b):
        prior = b / np.where(b * sign < 0, AGAINST * sd, sd)
        return evidence @ b - b @ precision @ b / 2 - prior @ prior / 2

    best = most_probable(precision, evidence, sd, sign)
    others = best + rng.normal(size=(2_000, 4)) * np.geomspace(1e-3, 3, 2_000)[:, None]
    assert max(map(log_posterior, others)) < log_posterior(best)


def test_an_effect_against_the_sign_is_drawn_further_towards_zero():
    with_it, against = (
        most_probable(np.eye(1), np.ones(1), np.ones(1), np.array([float(sign)]))[0] for sign in (1, -1)
    )
    assert with_it == pytest.approx(1 / 2)
    assert against == pytest.approx(1 / (1 + 1 / AGAINST**2))


def test_the_share_of_changes_that_is_more_than_noise():
    """Loadings of squared length 4 with uncertainties that add up to 1, then such as say nothing."""
    values = np.array([[2.0, 0.0], [0.1, 0.0], [0.0, 0.0]])
    information = np.tile(2 * np.eye(2), (3, 1, 1))
    np.testing.assert_allclose(more_than_noise(values, information), [0.75, LEAST_TOLD, LEAST_TOLD])


def test_a_neighbour_that_may_not_change_at_all_explains_less(problem):
    less = problem | {"told": problem["told"] * 0.5}
    assert (np.abs(regress(**less))[[2, 6]] < np.abs(regress(**problem))[[2, 6]]).all()  # the only neighbours


def test_how_far_a_gene_changes_matters_by_its_root(problem):
    """Without noise of the counts, to which loadings four times as long are clearer."""
    exact = problem | {"information": np.full_like(problem["information"], 0) + 1e12 * np.eye(N_DIRECTIONS)}
    longer = exact | {"values": 4 * exact["values"]}
    np.testing.assert_allclose(regress(**longer), 2 * regress(**exact), rtol=1e-6)


def test_features_that_change_have_longer_loadings(rng):
    length = np.exp(rng.normal(np.repeat([-1.6, -0.3], [300, 700]), 0.3))
    found = changing(length[:, None] * np.eye(N_DIRECTIONS)[0])
    assert (found[:300] < 0.5).mean() > 0.97
    assert (found[300:] > 0.5).mean() > 0.97
    assert found[300:].mean() > 0.95
    assert (np.diff(found[np.argsort(length)]) >= 0).all()
    np.testing.assert_allclose(changing(7 * length[:, None] * np.eye(N_DIRECTIONS)[0]), found, atol=1e-6)


def test_where_all_features_change_alike_none_is_set_apart(rng):
    """The most that chance makes of one group: the middle four fifths differ threefold."""
    alike = changing(np.exp(rng.normal(-0.3, 0.3, 2_000))[:, None])
    assert np.quantile(alike, 0.9) < 3 * np.quantile(alike, 0.1)
    same = changing(np.ones((200, 2)))
    assert np.ptp(same) == pytest.approx(0, abs=1e-9)
    assert (same > 0).all()


def test_too_few_features_or_none_that_changes_do_not_tell():
    np.testing.assert_array_equal(changing(np.arange(2.0 * MIN_FEATURES - 2).reshape(-1, 2)), 1)
    np.testing.assert_array_equal(changing(np.zeros((MIN_FEATURES, 3))), 1)


def test_a_feature_without_any_change_does_not_hide_the_groups(rng):
    length = np.exp(rng.normal(np.repeat([-1.6, -0.3], [300, 700]), 0.3))
    one = np.r_[length, np.zeros(2)]
    found = changing(one[:, None])
    np.testing.assert_allclose(found[:1000], changing(length[:, None]), atol=1e-6)
    assert (found[-2:] == 0).all()


def test_how_far_a_neighbour_changes_does_not_matter(problem):
    longer = problem | {"causes": problem["causes"] * np.arange(1, 8)[:, None]}
    np.testing.assert_allclose(regress(**longer), regress(**problem))


def test_what_does_not_change_has_no_effect(problem):
    problem["causes"][[0, 6]] = 0
    problem["values"][1] = 0
    found = regress(**problem)
    assert (found[[0, 2, 6]] == 0).all()
    assert (found[[1, 3, 4, 5]] != 0).all()


def test_the_sign_is_that_of_the_change(problem):
    """Of the other end's features and of the edges at once: what was with the edge's sign stays with it."""
    turned = problem | {"causes": -problem["causes"], "weight": -problem["weight"]}
    np.testing.assert_allclose(regress(**turned), -regress(**problem))


def test_genes_without_an_edge(problem):
    none = {name: problem[name][:0] for name in ("causes", "told", "response", "weight")}
    assert regress(**problem | none).shape == (0,)


def test_few_genes_at_a_time_give_the_same_effects(linked, dataset_of, monkeypatch):
    """Also where some of them have no edge."""
    fitted = linked.model._fitted
    cells = dataset_of(linked.simulation.mdata, "batch")
    kinds = {key: s.kind for key, s in fitted.spec.modalities.items()}
    states = group_cells(fitted.vae, cells, seed=0)
    features = {key: s.features for key, s in fitted.spec.modalities.items()}
    table = linked.graph.table()
    table = table[table["source"].isin(features["rna"][:3])]
    edges = edges_among(mo.GuidanceGraph.from_table(table), features)
    whole = edge_effects(fitted.vae, cells, edges, states, kinds=kinds)
    monkeypatch.setattr(loadings, "FEATURES", 17)
    np.testing.assert_allclose(edge_effects(fitted.vae, cells, edges, states, kinds=kinds), whole, rtol=1e-4)


@pytest.fixture(scope="module")
def judged(linked) -> pd.DataFrame:
    """Links, and which of them are true."""
    table = linked.model.links("atac", "rna").table
    regulation = linked.simulation.truth.edges.query("source_modality == 'atac' and target_modality == 'rna'")
    pairs = (pd.MultiIndex.from_frame(frame[["source", "target"]]) for frame in (table, regulation))
    return table.assign(true=np.isin(*pairs))


def test_true_edges_rank_above_false_ones_better_than_by_distance(judged):
    """All edges lie in the same window; the nearer are likelier, and have more weight in the graph."""
    by_score = roc_auc_score(judged["true"], judged["score"].abs())
    by_distance = roc_auc_score(judged["true"], -judged["distance"])
    assert by_score > 0.7
    assert by_score > by_distance + 0.05


def test_false_edges_look_like_decoys(judged):
    """Few have a small p; many true ones do."""
    small = judged.groupby("true")["p"].apply(lambda p: (p < 0.1).mean())
    assert small[False] < 0.15
    assert small[True] > 0.3


def test_scores_have_the_sign_of_the_regulation(judged, linked):
    regulation = linked.simulation.truth.edges.set_index(["source", "target"])["sign"]
    sure = judged[judged["true"] & (judged["p"] < 0.05)]
    signs = regulation.loc[pd.MultiIndex.from_frame(sure[["source", "target"]])]
    assert (np.sign(sure["score"].to_numpy()) == signs.to_numpy()).mean() > 0.85


@pytest.mark.filterwarnings("ignore:There are .* to learn from:multiome.MultiomeWarning")
@pytest.mark.filterwarnings("ignore:.*features are zero in every cell:multiome.MultiomeWarning")
@pytest.mark.parametrize("n_cells", [4, 12, 40])
def test_a_handful_of_cells_is_fitted_and_says_nothing(n_cells, quick_fit):
    sim = mo.datasets.simulate(
        n_cells=n_cells, modalities=("rna", "atac"), n_genes=40, n_peaks=60, n_types=2, n_batches=1, seed=0
    )
    graph = mo.GuidanceGraph.from_genome(sim.mdata["rna"], sim.mdata["atac"], window=100_000)
    table = quick_fit(sim.mdata, graph=graph, steps=2).links().table
    assert np.isfinite(table["score"]).all()
    assert table["p"].isna().all()
