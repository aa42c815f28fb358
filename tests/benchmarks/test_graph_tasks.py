"""Simple methods see no pairing, scores know the answer, and a short fit of simulated data is measured."""

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from multiome import GuidanceGraph
from tests.benchmarks import graph_baselines, graph_scores, measure, simulated_tasks
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.graph_tasks import Unpaired
from tests.benchmarks.steps import STEPS

QUICK = {"train.max_epochs": 1, "config.n_latent": 4, "config.n_hidden": 16}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_every_task_has_its_steps():
    assert STEPS.keys() == TASKS.keys()
    assert all((STEPS[name].baselines is not None) == info.baselines_apart for name, info in TASKS.items())


def test_what_another_method_reached_without_a_pair_is_to_be_reached():
    goals = {goal.score: goal.reach for goal in TASKS["snare_unpaired"].goals if goal.reach is not None}
    assert goals == {"foscttm": 0.155, "transfer": 0.618, "ari": 0.441, "nmi": 0.492}


def test_genes_of_every_modality():
    edges = [("rna", "g1", "atac", "p1"), ("rna", "g1", "atac", "p2"), ("rna", "g3", "atac", "p2")]
    edges += [
        ("rna", "g1", "prot", "x"),
        ("rna", "g1", "prot", "y"),
        ("rna", "g2", "met", "s1"),
        ("rna", "g2", "met", "s2"),
    ]
    graph = GuidanceGraph.from_table(
        pd.DataFrame(edges, columns=["source_modality", "source", "target_modality", "target"])
    )

    def values(mod, x, names, **layers):
        a = ad.AnnData(sp.csr_matrix(np.array(x, dtype=float)), var=pd.DataFrame(index=names))
        a.layers.update({key: sp.csr_matrix(np.array(layer, dtype=float)) for key, layer in layers.items()})
        return graph_baselines.gene_values(a, mod, graph)

    atac = values("atac", [[1, 2, 5], [0, 1, 0]], ["p1", "p2", "p3"])
    assert list(atac.columns) == ["g1", "g3"]
    np.testing.assert_allclose(atac, np.log1p(1e4 * np.array([[3 / 5, 2 / 5], [1 / 2, 1 / 2]])), rtol=1e-6)
    prot = values("prot", [[0, np.e - 1], [0, 0]], ["x", "y"])
    np.testing.assert_allclose(prot, [[0], [0]], atol=1e-12)  # CLR of a cell adds up to 0
    met = values("met", [[1, 0], [0, 0], [1, 1]], ["s1", "s2"], coverage=[[1, 1], [0, 0], [1, 1]])
    np.testing.assert_allclose(met, [[-0.5], [-0.75], [-1]])  # a cell without coverage has the mean


def test_simple_methods_find_what_two_modalities_share(rng):
    state, loadings = rng.normal(size=(150, 3)), rng.normal(size=(3, 40))
    a, b = (pd.DataFrame(state @ loadings + 0.3 * rng.normal(size=(150, 40))) for _ in range(2))
    shuffled = rng.permutation(150)
    for one, other in graph_baselines.embedded(a, b.iloc[shuffled]).values():
        assert graph_scores.foscttm(one, other[np.argsort(shuffled)]) < 0.05
    fitted = graph_baselines.rows(150, np.arange(100))
    for one, other in graph_baselines.embedded(a, b, fitted, fitted).values():
        assert graph_scores.foscttm(one[100:], other[100:]) < 0.05


def test_agreement_without_labels(rng):
    state = rng.normal(size=(200, 2))
    genes = [f"g{i}" for i in range(12)]
    counts = rng.poisson(np.exp(1 + state @ rng.normal(size=(2, 12))))
    rna = ad.AnnData(sp.csr_matrix(counts[:100].astype(float)), var=pd.DataFrame(index=genes))
    atac = ad.AnnData(np.zeros((100, 1)), obsm={"gene_activity": counts[100:]}, uns={"gene_activity_genes": genes})
    task = Unpaired("", {"rna": rna, "atac": atac}, None, None)
    assert graph_scores.unpaired(task, state[:100], state[100:])["activity_r"] > 0.7
    assert abs(graph_scores.activity_r(task, state[:100], rng.permutation(state[100:]))) < 0.3


def test_company():
    """Two lenders in three: a cell among them, one among its own kind, and one that has a few lenders around."""
    lender, own = np.random.default_rng(0).normal(size=(200, 2)), np.random.default_rng(1).normal(size=(98, 2)) + 50
    alone_and_among = graph_scores.company(lender, np.vstack([own, [[0.0, 0.0], [50.0, 50.0]]]))
    assert alone_and_among[98]
    assert not alone_and_among[99]


def test_confidence():
    lender, labels = np.zeros((30, 1)), np.repeat(["a", "b"], 15)
    lender[15:] = 5
    lender[14] = 9  # an "a" beyond all others: 15 nearest to 5 are "b"
    assert graph_scores.confidence(lender, labels, np.array([[5.0]])).all()
    labels[15:17] = "c"  # 13 of 15 agree
    assert not graph_scores.confidence(lender, labels, np.array([[5.0]])).any()


def test_a_type_goes_missing():
    task = simulated_tasks.type_in_one("type_in_one", seed=0, n_cells=200)
    mods = task.without("rna")
    assert task.missing not in set(simulated_tasks.types(mods["rna"]))
    assert task.missing in set(simulated_tasks.types(mods["atac"]))
    other = simulated_tasks.type_in_one("type_in_one", seed=0, dev=True, n_cells=200)
    assert (task.mods["atac"].X[: other.mods["atac"].n_obs] != other.mods["atac"].X).nnz > 0


@pytest.mark.parametrize("name", ["four_simulated", "type_in_one"])
@pytest.mark.filterwarnings("ignore::multiome.MultiomeWarning")  # features that are 0 in few cells
def test_a_short_fit_of_simulated_data_is_measured(name, monkeypatch):
    load = STEPS[name].load
    few = replace(STEPS[name], load=lambda name, **how: load(name, n_cells=400, **how))
    monkeypatch.setitem(measure.STEPS, name, few)
    mine, *beside = measure.measure(name, seed=3, dev=True, settings=QUICK)
    assert {goal.score for goal in TASKS[name].goals} <= mine["scores"].keys()
    assert (mine["seed"], mine["split"], mine["method"]) == (3, "dev", "multiome")
    assert {record["method"] for record in beside} == {"pca of genes", "cca of genes"}
    for record in beside:
        assert record["scores"].keys() <= mine["scores"].keys()
        assert record["seed"] == 3
    with pytest.raises(ValueError, match="give a seed"):
        measure.measure(name, seed=None)


@pytest.mark.parametrize("name", ["bmmc_unpaired", "cite_unpaired_spleen"])
@pytest.mark.filterwarnings("ignore::multiome.MultiomeWarning")
def test_a_short_fit_of_unpaired_cells_is_measured(bench_data, name):
    bench_data(TASKS[name].file)
    (found,) = measure.measure(name, seed=0, settings=QUICK)
    assert {goal.score for goal in TASKS[name].goals} <= found["scores"].keys()
    simple = measure.measure(name, seed=None)
    assert all(record["scores"].keys() <= found["scores"].keys() for record in simple)


@pytest.mark.parametrize(("name", "edges"), [("bmmc_multiome_unpaired", 121), ("bmmc_unpaired", 37)])
def test_edges_of_small_sets_are_as_stated(bench_data, name, edges):
    bench_data(TASKS[name].file)
    assert len(STEPS[name].load(name).graph.edges) == edges
    assert f"({edges} edges)" in TASKS[name].what
