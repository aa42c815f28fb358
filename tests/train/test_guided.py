"""`fit` with a guidance graph: cells without a partner, saved models, graphs that do not fit."""

from dataclasses import replace

import mudata as md
import numpy as np
import pandas as pd
import pytest
import torch

import multiome as mo
from multiome.data.build import prepare
from multiome.data.cells import apart_in
from multiome.data.guided import guided, joined_pairs
from multiome.train.begin import begin
from multiome.train.task import IntegrationTask

pytestmark = pytest.mark.filterwarnings(  # a few dozen decoys cannot tell much
    "ignore:'rna' and 'atac' were measured in different cells:multiome.MultiomeWarning"
)


@pytest.fixture(scope="module")
def halves():
    """RNA of one half of simulated cells and ATAC of the other, their graph, and the other half's hidden RNA."""
    sim = mo.datasets.simulate(
        n_cells=1200, modalities=("rna", "atac"), n_genes=150, n_peaks=300, n_types=5, n_batches=1, batch_effect=0.0,
        trajectory=False, depth={"rna": 1500, "atac": 1500}, seed=3,
    )  # fmt: skip
    first, second = sim.mdata[::2].copy(), sim.mdata[1::2].copy()
    graph = mo.GuidanceGraph.from_genome(sim.mdata["rna"], sim.mdata["atac"], window=100_000)
    unpaired = md.MuData({"rna": first["rna"].copy(), "atac": second["atac"].copy()})
    return unpaired, graph, second["rna"].copy()


@pytest.fixture(scope="module")
def guided_model(halves, quick_fit):
    return quick_fit(halves[0], graph=halves[1], steps=600, config=mo.ModelConfig(n_latent=8, n_hidden=32))


def shuffled(graph):
    """The same graph with the peaks' names in another order."""
    table = graph.table()
    peak = table["source"].where(table["source_modality"] == "atac", table["target"])
    names = np.unique(peak)
    other = dict(zip(names, np.random.default_rng(0).permutation(names), strict=True))
    return mo.GuidanceGraph.from_table(table.replace({"source": other, "target": other}))


def log_cp10k(adata):
    x = adata.X.toarray()
    return np.log1p(x / x.sum(1, keepdims=True) * 1e4)


def matching(model, unpaired, hidden):
    atac, rna = model.embed(unpaired["atac"], modality="atac"), model.embed(hidden, modality="rna")
    return mo.metrics.foscttm(rna, atac)


def test_unpaired_cells_find_what_they_would_have_been(guided_model, halves, quick_fit):
    unpaired, graph, hidden = halves
    found = matching(guided_model, unpaired, hidden)
    wrong = quick_fit(unpaired, graph=shuffled(graph), steps=600, config=mo.ModelConfig(n_latent=8, n_hidden=32))
    assert found < 0.3
    assert found < matching(wrong, unpaired, hidden) - 0.1


def test_translation_without_a_single_pair_beats_the_average(guided_model, halves):
    unpaired, _, hidden = halves
    found = guided_model.translate(unpaired["atac"], source="atac", target="rna", scale="log_cp10k").X
    truth, average = log_cp10k(hidden), log_cp10k(unpaired["rna"]).mean(0)
    assert ((found - truth) ** 2).mean() < ((average - truth) ** 2).mean()


def test_a_saved_model_keeps_its_graph(guided_model, halves, tmp_path):
    unpaired, graph, _ = halves
    guided_model.save(tmp_path / "model.multiome")
    loaded = mo.Multiome.load(tmp_path / "model.multiome")
    np.testing.assert_array_equal(loaded.embed(unpaired), guided_model.embed(unpaired))
    pd.testing.assert_frame_equal(loaded._fitted.graph.table(), graph.table())
    assert f"guidance graph: edges of the features above: {len(graph.edges):,} between" in repr(loaded)


@pytest.mark.parametrize("apart", [(), (("rna", "atac"),)])
def test_the_prior_counts_half_in_rna_where_others_were_measured_in_other_cells(halves, apart):
    unpaired, graph, _ = halves
    spec, cells = prepare(unpaired, modalities=None, batch_key=None, drop_empty=False, joined=joined_pairs(graph))
    spec, edges = guided(spec, graph)
    vae = begin(spec, cells, np.arange(len(cells)), mo.ModelConfig(), seed=0, balance=0.5, edges=edges)
    task = IntegrationTask(vae, mo.TrainConfig(), mo.LossWeights(prior=0.8), n_paired=0, apart=apart)
    batch = cells.take(np.arange(0, len(cells), 7))
    weight = task.prior_weight(batch)
    if not apart:
        assert weight == 0.8
        return
    assert 0 < batch.observed["rna"].sum() < len(batch)
    np.testing.assert_allclose(weight, np.where(batch.observed["rna"], 0.4, 0.8), rtol=1e-6)
    latent = replace(vae.encode(batch), features=vae.features())
    loss = []
    for prior in (0.8, weight):
        torch.manual_seed(0)
        loss.append(task.elbo.differentiable_loss(vae.model, vae.guide, batch, latent, {}, prior) / vae.n_cells)
    kl = torch.distributions.kl_divergence(latent.joint, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(loss[0] - loss[1], (kl * (0.8 - weight)).mean(), rtol=1e-3, atol=1e-3)


def test_a_graph_for_paired_cells(small, quick_fit):
    graph = mo.GuidanceGraph.from_genome(small.mdata["rna"], small.mdata["atac"], window=100_000)
    graph |= mo.GuidanceGraph.from_genome(small.mdata["rna"], small.mdata["met"], keys=("rna", "met"))
    model = quick_fit(small.mdata, graph=graph, batch_key="batch")
    assert np.isfinite(model.embed(small.mdata)).all()
    assert "align" not in set(model.history["loss"])


def test_the_encoder_is_shown_the_genes_components(halves):
    unpaired, graph, _ = halves
    spec, cells = prepare(unpaired, modalities=None, batch_key=None, drop_empty=False, joined=joined_pairs(graph))
    spec, edges = guided(spec, graph)
    vae = begin(spec, cells, np.arange(len(cells)), mo.ModelConfig(), seed=0, balance=0.5, edges=edges)
    rna, atac = spec.modalities["rna"], spec.modalities["atac"]
    assert (atac.lender, atac.n_borrowed) == ("rna", rna.n_own_components)
    assert (rna.lender, rna.n_borrowed) == (None, 0)
    batch = cells.take(np.flatnonzero(cells.observed("atac")))
    with torch.no_grad():
        scores = vae.channel("atac").components(batch.counts["atac"], batch.exposure["atac"], None)
    assert scores.shape[1] == atac.n_own_components + atac.n_borrowed
    spread = scores[:, atac.n_own_components :].std(0, correction=0)
    torch.testing.assert_close(spread, torch.ones_like(spread), rtol=1e-3, atol=1e-3)


def test_embeddings_that_settle_decode_the_same(halves):
    unpaired, graph, _ = halves
    spec, cells = prepare(unpaired, modalities=None, batch_key=None, drop_empty=False, joined=joined_pairs(graph))
    spec, edges = guided(spec, graph)
    vae = begin(spec, cells, np.arange(len(cells)), mo.ModelConfig(), seed=0, balance=0.5, edges=edges).eval()
    before = vae.features()
    vae.settle()
    assert not vae.features()
    for key, embedding in before.items():
        torch.testing.assert_close(vae.channel(key).head.embedding.data, embedding.data)


def test_a_graph_of_other_names(halves):
    unpaired, graph, _ = halves
    renamed = unpaired["atac"].copy()
    renamed.var_names = [f"peak{i}" for i in range(renamed.n_vars)]
    with pytest.raises(mo.InvalidGraph, match=r"joins features of the model between 'atac' and 'rna'.*'peak0'"):
        mo.fit(md.MuData({"rna": unpaired["rna"], "atac": renamed}), graph=graph)


def test_a_graph_that_joins_other_modalities_does_not_stand_for_pairs(halves):
    unpaired, graph, _ = halves
    other = md.MuData({"rna": unpaired["rna"], "peaks": unpaired["atac"]})
    with pytest.raises(mo.InvalidPairing, match=r"joins 'atac' with 'rna'; the data have .*'peaks'.*keys="):
        mo.fit(other, graph=graph)


def test_weights_that_are_kept_have_been_aligned(guided_model):
    """The loss sets in late, and no earlier weights are kept, however well they explain the held-out cells."""
    table = guided_model.history.query("loss == 'align'")
    n_epochs = guided_model.history["epoch"].max() + 1
    assert 0.55 * n_epochs <= table["epoch"].min() <= 0.7 * n_epochs
    assert table["epoch"].max() == n_epochs - 1


def test_no_alignment_without_a_graph_or_of_cells_that_others_connect(small, quick_fit):
    mosaic = md.MuData({"rna": small.mdata["rna"], "atac": small.mdata["atac"][:50].copy()})
    assert "align" not in set(quick_fit(mosaic).history["loss"])


@pytest.mark.filterwarnings("ignore::multiome.MultiomeWarning")  # some thirty cells of each
def test_two_modalities_without_an_edge_between_them_are_aligned_too(small, quick_fit, monkeypatch):
    apart = md.MuData({key: small.mdata[i::3][key].copy() for i, key in enumerate(("rna", "atac", "prot"))})
    graph = mo.GuidanceGraph.from_genome(apart["rna"], apart["atac"], window=100_000)
    graph |= mo.GuidanceGraph.from_markers(apart["rna"], apart["prot"])
    seen, align = [], IntegrationTask.align
    monkeypatch.setattr(IntegrationTask, "align", lambda self, *given: seen.append(self.apart) or align(self, *given))
    quick_fit(apart, graph=graph)
    assert seen[0] == [("rna", "atac"), ("rna", "prot"), ("atac", "prot")]


@pytest.mark.parametrize(
    ("atac", "prot", "apart"),
    [
        (range(50), range(50, 100), []),  # RNA of all cells connects them
        (range(100, 150), range(50), [("rna", "atac"), ("atac", "prot")]),
        (range(99, 150), range(50), [("rna", "atac"), ("atac", "prot")]),  # one name in common is chance
        (range(100, 150), range(150, 200), [("rna", "atac"), ("rna", "prot"), ("atac", "prot")]),
    ],
)
def test_which_modalities_are_apart(atac, prot, apart):
    observed = {key: np.isin(np.arange(200), list(rows)) for key, rows in
                {"rna": range(100), "atac": atac, "prot": prot}.items()}  # fmt: skip
    assert apart_in(observed) == apart


def test_a_graph_that_joins_next_to_nothing_is_mentioned(halves, quick_fit):
    unpaired, graph, _ = halves
    with pytest.warns(mo.MultiomeWarning, match=r"joins only 1 of the 150 features of 'rna' and 1 of the 300 features"):
        quick_fit(unpaired, graph=mo.GuidanceGraph.from_table(graph.table()[:1]), steps=2)


def test_a_graph_within_one_modality_joins_nothing(halves):
    unpaired, _, _ = halves
    a, b = unpaired["rna"].var_names[:2]
    rows = {"source_modality": ["rna"], "source": [a], "target_modality": ["rna"], "target": [b]}
    with pytest.raises(mo.InvalidGraph, match="1 edges, none of them between two modalities"):
        mo.fit(unpaired, graph=mo.GuidanceGraph.from_table(pd.DataFrame(rows)))


def test_methylation_that_would_rise_with_its_gene_is_mentioned(small, quick_fit):
    rna, sites = small.mdata["rna"], small.mdata["met"]
    data, modalities = md.MuData({"rna": rna, "cpg": sites}), {"rna": mo.RNA, "cpg": mo.METHYLATION}

    def fitted(**signs):
        graph = mo.GuidanceGraph.from_genome(rna, sites, keys=("rna", "cpg"), window=100_000, **signs)
        quick_fit(data, graph=graph, modalities=modalities, steps=2)

    with pytest.warns(
        mo.MultiomeWarning, match=r"edges of .* between 'rna' and 'cpg' are positive, .*`signs=\(-1, 0\)`"
    ):
        fitted()
    for signs in ((-1, 0), (-1, 1)):  # no warning
        fitted(signs=signs)


def test_edges_that_the_data_lack_are_mentioned(halves, quick_fit):
    unpaired, graph, _ = halves
    table = graph.table()
    other = table.assign(target=table["target"].where(table.index % 2 == 0, table["target"] + "x"))
    n = int((table.index % 2 == 1).sum())
    with pytest.warns(
        mo.MultiomeWarning, match=rf"{n:,} of the graph's {len(table):,} edges name features that the data lack"
    ):
        quick_fit(unpaired, graph=mo.GuidanceGraph.from_table(other), steps=2)
    adt = pd.DataFrame(
        {"source": [table["source"][0]], "target": ["CD3"], "source_modality": "rna", "target_modality": "adt"}
    )
    with pytest.warns(
        mo.MultiomeWarning, match=r"1 of the graph's .* edges are of 'adt', but the data have the modalities"
    ):
        quick_fit(unpaired, graph=graph | mo.GuidanceGraph.from_table(adt), steps=2)
