"""Tables are read and pools are made as stated, scores know the answer, and short fits of links are measured."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import fisher_exact

import multiome as mo
from tests.benchmarks import links_baselines, links_ours, links_scores, links_tasks, measure
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.steps import STEPS

QUICK = {"train.max_epochs": 1, "config.n_latent": 4, "config.n_hidden": 16}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_pair_is_listed_where_peak_and_gene_agree():
    places = pd.DataFrame(
        {"chrom": ["1", "1", "2"], "chromStart": [0, 100, 0], "chromEnd": [50, 200, 50]}, index=["a", "b", "c"]
    )
    pairs = pd.DataFrame({"peak": ["a", "b", "c", "b"], "gene": ["g", "g", "g", "h"]})
    table = pd.DataFrame(
        {"chrom": ["1", "1", "1"], "chromStart": [50, 49, 199], "chromEnd": [100, 51, 300], "gene_name": ["g"] * 3}
    )  # the first only touches a and b
    np.testing.assert_array_equal(links_tasks.listed_pairs(pairs, places, table), [1, 1, 0, 0])
    np.testing.assert_array_equal(links_tasks.listed_pairs(pairs, places, table.iloc[:1]), [0, 0, 0, 0])
    tested = table.assign(held=[True, False, True])
    found = links_tasks.listed_pairs(pairs, places, tested, value="held", otherwise=np.nan)
    np.testing.assert_array_equal(found, [0, 1, np.nan, np.nan])


def test_enrichment_is_fishers(rng):
    chosen, known = rng.random(300) < 0.1, rng.random(300) < 0.3
    found = links_scores.enrichment(chosen, known)
    table = pd.crosstab(~chosen, ~known).to_numpy()
    assert found["p"] == pytest.approx(fisher_exact(table, alternative="greater").pvalue)
    assert found["precision"] == pytest.approx(known[chosen].mean())
    (a, b), (c, d) = table + 0.5
    assert found["odds"] == pytest.approx(a * d / b / c)


def test_the_strongest_are_a_tenth_and_not_too_few(rng):
    score = rng.random(500)
    assert set(np.flatnonzero(links_scores.strongest(score))) == set(np.argsort(score)[-50:])
    assert links_scores.strongest(score[:60]).sum() == 20
    assert links_scores.strongest(score[:5]).all()
    of_equal = np.flatnonzero(links_scores.strongest(np.zeros(1000)))
    assert of_equal.min() < 100 < 900 < of_equal.max()


def test_what_distance_explains(rng):
    distance = rng.integers(0, 100_000, 20_000).astype(float)
    known = rng.random(20_000) < 0.4 * (distance < 20_000)
    near = links_scores.strongest(-distance)
    assert links_scores.enrichment(near, known)["odds"] > 4
    assert links_scores.over_alike(near, known, distance) == pytest.approx(1, abs=0.1)
    better = links_scores.strongest(known + rng.random(20_000))
    assert links_scores.over_alike(better, known, distance) == pytest.approx(1 / 0.4, rel=0.1)


def test_scores_of_known_links():
    links = pd.DataFrame(
        {"score": [-3, 2, 1, 0.5], "p": [0.01, 0.02, 0.04, 0.5], "q": [0.04, 0.04, 0.08, 0.5]}
    )  # the second is false
    found = links_scores.simulated(links, np.array([True, False, True, False]))
    assert found == {
        "auroc": 0.75,
        "false_q10": pytest.approx(1 / 3),
        "false_q05": 0.5,
        "n_q10": 3,
        "power_q10": 1,
        "false_p05": 0.5,
    }
    assert links_scores.false_share(np.zeros(4, bool), np.ones(4, bool)) == 0


def test_pools_stay_within_a_batch(rng):
    space, batch = rng.normal(size=(300, 2)), np.repeat(["x", "y"], [100, 200])
    members = links_baselines.pools(space, batch).toarray()
    np.testing.assert_array_equal(members.sum(1), np.repeat([10, 20], [100, 200]))
    assert not members[:100, 100:].any()
    assert np.diag(members).all()
    distance = np.linalg.norm(space[:1] - space[:100], axis=1)
    assert set(np.flatnonzero(members[0])) == set(np.argsort(distance)[:10])


def test_counts_are_pooled_before_their_log():
    counts = sp.csr_matrix(np.array([[1.0, 0], [2, 1], [0, 5]]))
    members = sp.csr_array(np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]))
    expected = np.log1p([[7500, 2500], [7500, 2500], [0, 1e4]])
    np.testing.assert_allclose(links_baselines.pooled(counts, members), expected, rtol=1e-6)
    np.testing.assert_allclose(links_baselines.centred(expected, np.array(["a", "a", "b"])), 0)


@pytest.fixture(scope="module")
def small():
    return links_tasks.simulated("links_simulated", seed=0, dev=True, n_cells=400)


def test_correlations_are_numpys(small, rng):
    values = {mod: rng.normal(size=(30, a.n_vars)) for mod, a in small.mods.items()}
    values = {mod: v - v.mean(0) for mod, v in values.items()}
    found = links_baselines.correlations(values, small, block=100)
    peak, gene = links_baselines.ends(small)
    for i in (0, 99, 100, len(found) - 1):
        assert found[i] == pytest.approx(np.corrcoef(values["atac"][:, peak[i]], values["rna"][:, gene[i]])[0, 1])


def test_every_true_link_is_a_candidate(small):
    assert 0.2 < small.pairs["true"].mean() < 0.3
    assert len(small.pairs) == len(small.graph.edges)
    simple = links_baselines.strengths(small)
    assert links_scores.auroc(simple["distance"], small.pairs["true"].to_numpy()) > 0.65


@pytest.mark.filterwarnings("ignore::multiome.MultiomeWarning")  # features that are 0 in few cells
def test_a_short_fit_of_simulated_links_is_measured(small, monkeypatch):
    name = "links_simulated"
    monkeypatch.setitem(measure.STEPS, name, replace(STEPS[name], load=lambda name, **how: small))
    mine, *beside = measure.measure(name, seed=3, dev=True, settings=QUICK)
    assert {goal.score for goal in TASKS[name].goals} <= mine["scores"].keys()
    assert {record["method"] for record in beside} == {"untrained", *links_baselines.strengths(small)}
    assert all(record["scores"].keys() <= mine["scores"].keys() for record in beside)


@pytest.mark.filterwarnings("ignore::multiome.MultiomeWarning")  # features that are 0 in few cells
def test_untrained_weights_stay_where_they_began(small):
    fits, longer = [], replace(links_ours.UNTRAINED, max_epochs=3)

    def fit(mdata, train=longer, **how):
        fits.append(mo.fit(mdata, train=train, config=mo.ModelConfig(n_latent=4, n_hidden=16), seed=0, **how))
        return fits[-1]

    links_ours.simulated(small, fit)
    for before, after in zip(*(model._fitted.vae.parameters() for model in fits), strict=True):
        if before.requires_grad:  # the others follow the data without being learned
            np.testing.assert_allclose(before.detach(), after.detach(), atol=1e-7)


@pytest.mark.parametrize("name", ["links_real_pbmc", "links_real_bmmc"])
@pytest.mark.filterwarnings("ignore::multiome.MultiomeWarning")
def test_a_short_fit_of_real_links_is_measured(bench_data, name):
    for file in (TASKS[name].file, *TASKS[name].tables):
        bench_data(file)
    task = STEPS[name].load(name)
    what = TASKS[name].what
    assert f"({len(task.pairs):,} edges, {max(20, round(len(task.pairs) / 10)):,} chosen)" in what
    assert f"{task.mods['rna'].n_vars:,} genes and {task.mods['atac'].n_vars:,} peaks" in what
    (found,) = measure.measure(name, seed=0, settings=QUICK)
    assert {goal.score for goal in TASKS[name].goals} <= found["scores"].keys()
    simple = measure.measure(name, seed=None)
    assert all(record["scores"].keys() <= found["scores"].keys() for record in simple)
