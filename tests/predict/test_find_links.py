"""Links that are asked of a model: both ways round, within a window, and of models that have none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import MultiomeError, UnknownName
from multiome.graph.decoys import MIN_DECOYS
from multiome.predict.find_links import check_window, find_links, p_values, spread
from multiome.predict.multiple_tests import bh


def test_one_row_per_edge_of_the_graph(linked):
    table, known = linked.model.links().table, linked.graph.table()
    assert list(table.columns) == ["source", "target", "score", "p", "q", "distance", "weight", "sign"]
    known = known.set_index(["target", "source"])  # the graph lists the gene first
    found = table.set_index(["source", "target"])
    assert len(found) == len(known)
    for name in ("distance", "weight", "sign"):
        np.testing.assert_array_equal(found[name], known.loc[found.index, name])
    np.testing.assert_allclose(table["q"], bh(table["p"]))
    assert np.isfinite(table["score"]).all()


def test_the_names_of_assays_do(linked, small, quick_fit):
    pd.testing.assert_frame_equal(linked.model.links("atac", "rna").table, linked.model.links().table)
    graph = mo.GuidanceGraph.from_markers(small.mdata["rna"], small.mdata["prot"])
    model = quick_fit(small.mdata, graph=graph, batch_key="batch")
    links = model.links("protein", "rna")
    assert (links.source_modality, links.target_modality) == ("prot", "rna")
    assert len(links) == len(graph.edges)
    assert links.table["distance"].isna().all()


def test_both_ways_round_say_the_same(linked):
    from_peak, from_gene = linked.model.links("atac", "rna"), linked.model.links("rna", "atac")
    turned = from_gene.table.rename(columns={"source": "target", "target": "source"})
    pd.testing.assert_frame_equal(turned[from_peak.table.columns], from_peak.table)
    assert (from_peak.gene_end, from_gene.gene_end) == ("target", "source")
    gene = from_peak.table["target"][0]
    assert from_peak.of(gene)["source"].tolist() == from_gene.of(gene)["target"].tolist()


def test_both_ways_round_write_the_same_files(linked, tmp_path):
    peaks = linked.graph.table()["target"].unique()
    motifs = pd.DataFrame({"tf": np.resize(["SPI1", "GATA1"], len(peaks)), "peak": peaks})
    for name, links in (("a", linked.model.links("atac", "rna")), ("b", linked.model.links("rna", "atac"))):
        links.to_bedpe(tmp_path / f"{name}.bedpe")
        links.to_arcs(tmp_path / f"{name}.longrange")
        links.regulons(motifs).to_csv(tmp_path / f"{name}.csv")
    for suffix in ("bedpe", "longrange", "csv"):
        one, two = ((tmp_path / f"{name}.{suffix}").read_text().splitlines() for name in "ab")
        assert sorted(one) == sorted(two)
    assert set(pd.read_csv(tmp_path / "a.csv")["gene"]) <= set(linked.simulation.mdata["rna"].var_names)


def test_within_a_window_p_is_no_smaller_and_q_is_over_its_rows(linked):
    every, near = linked.model.links(), linked.model.links(window=20_000)
    kept = every.table[every.table["distance"] <= 20_000].reset_index(drop=True)
    assert 0 < len(near) < len(every)
    pd.testing.assert_frame_equal(near.table.drop(columns=["p", "q"]), kept.drop(columns=["p", "q"]))
    assert (near.table["p"] >= kept["p"]).all()
    assert (near.table["p"] > kept["p"]).any()
    np.testing.assert_allclose(near.table["q"], bh(near.table["p"]))
    assert near.notes == (*every.notes, "of the graph's edges, those of at most 20,000 base pairs")
    assert len(linked.model.links(window=10**9)) == len(every)


@pytest.mark.parametrize("ends", [("atac", "rna"), ("rna", "atac")])
def test_links_of_cells_that_may_be_matched_wrongly_say_so(linked, ends):
    fitted = linked.model._fitted

    def notes(**values):
        table = fitted.evidence.consistency.assign(**values)
        changed = replace(fitted, evidence=replace(fitted.evidence, consistency=table))
        return find_links(changed, source=ends[0], target=ends[1], window=None).notes

    known = linked.model.links(*ends).notes
    assert notes(both=0, p=0.001) == notes(both=1200, p=0.001) == notes(both=1200, p=np.nan) == known
    said = notes(both=1200, p=0.4, decoys=900)[-1]
    assert said.startswith("the cells do not bear out the guidance graph: its edges agree")
    few = notes(both=1200, p=0.4)[-1]
    assert few.startswith("it cannot be told whether the cells bear out the guidance graph: ")
    for both in (0, 60):
        found = notes(both=both, p=0.4, score=0.01)
        assert found[:-1] == known
        assert found[-1].startswith("do not trust these: hardly a cell has both modalities, and it cannot be told")
        borne = notes(both=both, p=0.4, score=0.01, decoys=900)[-1]
        assert borne.startswith("do not trust these: hardly a cell has both modalities, and the cells do not bear")
    assert "it cannot be told whether they were matched rightly: 2 groups" in notes(both=0, p=np.nan, groups=2)[-1]


def test_every_feature_of_the_model_is_known(linked):
    links = linked.model.links(window=0)
    gene = next(name for name in linked.simulation.mdata["rna"].var_names if name not in set(links.table["target"]))
    assert links.of(gene).empty
    with pytest.raises(UnknownName, match="Unknown feature 'NONE'"):
        links.of("NONE")


def test_places_are_those_of_the_graph(linked):
    found = linked.model.links().to_dataframe()
    var = linked.simulation.mdata["rna"].var.loc[found["target"]]
    np.testing.assert_array_equal(found["target_start"], var["chromStart"])
    np.testing.assert_array_equal(found["target_strand"], var["strand"])


def test_p_is_the_share_of_decoys_that_look_as_strong():
    null = np.array([0.5, -1.0, 2.0] + [0.1] * 17)
    np.testing.assert_allclose(p_values(np.array([0.0, 0.6, -1.0, -1.5, 3.0]), null), np.array([21, 3, 3, 2, 1]) / 21)


def test_no_p_with_too_few_decoys():
    score = np.linspace(-1, 1, 5)
    assert np.isnan(p_values(score, np.ones(MIN_DECOYS - 1))).all()
    assert np.isfinite(p_values(score, np.ones(MIN_DECOYS))).all()


def test_p_of_decoys_is_uniform(linked):
    """Half of them beside the other half."""
    evidence = linked.model._fitted.evidence
    score = np.random.default_rng(0).permutation(evidence.effect[evidence.edges.is_decoy].astype(float))
    p = p_values(score[::2], score[1::2])
    for level in (0.1, 0.25, 0.5, 0.75):
        assert (p <= level).mean() == pytest.approx(level, abs=3.5 * np.sqrt(level * (1 - level) * 2 / len(p)))


def test_in_units_of_their_spread_p_is_uniform_at_every_weight():
    """Scores of heavy edges are larger, be they true or false."""
    rng = np.random.default_rng(0)
    weight, null_weight = rng.uniform(0.05, 1, 4000), rng.uniform(0.05, 1, 3000)
    score, null = rng.normal(size=4000) * weight, rng.normal(size=3000) * null_weight
    p = p_values(score / spread(weight, null, null_weight), null / spread(null_weight, null, null_weight))
    for some in (weight < 0.2, (weight > 0.4) & (weight < 0.6), weight > 0.9):
        for level in (0.05, 0.25, 0.5):
            assert (p[some] <= level).mean() == pytest.approx(level, abs=0.06)
    assert (p_values(score, null)[weight > 0.9] <= 0.05).mean() > 0.15


def test_few_decoys_tell_how_scores_rise_with_the_weight():
    """Not one null edge in twenty of the heaviest looks significant, as with decoys of all weights it would."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(40):
        weight, null_weight = np.repeat(1.0, 100), rng.uniform(0.05, 1, 80)
        score, null = rng.normal(size=100) * weight, rng.normal(size=80) * null_weight
        scaled = p_values(score / spread(weight, null, null_weight), null / spread(null_weight, null, null_weight))
        shares.append(
            (np.mean(np.maximum(scaled, p_values(score, null)) <= 0.05), np.mean(p_values(score, null) <= 0.05))
        )
    within, of_all = np.mean(shares, axis=0)
    assert within <= 0.05
    assert of_all > 0.15


def test_spread_is_that_of_decoys_of_like_weight():
    null_weight = np.repeat([1.0, 0.5], 150)
    np.testing.assert_allclose(spread(np.array([0.2, 0.5, 1.0]), null_weight * 3, null_weight), [1.5, 1.5, 3.0])
    np.testing.assert_array_equal(spread(np.ones(2), np.empty(0), np.empty(0)), 1)


def test_a_loaded_model_has_the_same_links(linked, tmp_path):
    linked.model.save(tmp_path / "model.multiome")
    again = mo.Multiome.load(tmp_path / "model.multiome")
    one, two = linked.model.links("atac", "rna"), again.links("atac", "rna")
    pd.testing.assert_frame_equal(two.table, one.table)
    pd.testing.assert_frame_equal(two.to_dataframe(), one.to_dataframe())
    assert repr(two) == repr(one)
    assert repr(again) == repr(linked.model)
    pd.testing.assert_frame_equal(again.consistency, linked.model.consistency)


def test_a_model_without_a_graph(model):
    with pytest.raises(MultiomeError, match=r"fitted without a guidance graph; fit\(mdata, graph=GuidanceGraph"):
        model.links()


def test_a_model_of_a_version_that_did_not_ask(linked):
    old = mo.Multiome(replace(linked.model._fitted, evidence=None), linked.model.history)
    for ask in (old.links, lambda: old.consistency):
        with pytest.raises(MultiomeError, match=r"saved by a version .* did not ask the cells .*; fit it again"):
            ask()
    assert "edges of the features above" in repr(old)


def test_modalities_that_the_graph_does_not_join(small, quick_fit):
    graph = mo.GuidanceGraph.from_genome(small.mdata["rna"], small.mdata["atac"], window=100_000)
    model = quick_fit(small.mdata, graph=graph, batch_key="batch", steps=2)
    for ends in (("met", "rna"), ("rna", "rna")):
        with pytest.raises(MultiomeError, match=rf"no edge between '{ends[0]}' and 'rna'; it joins 'rna and atac'"):
            model.links(*ends)
    with pytest.raises(UnknownName, match="'histone'"):
        model.links("histone", "rna")


@pytest.mark.parametrize("window", [-1, 1.5, True, "100"])
def test_a_window_is_a_whole_number(window):
    with pytest.raises(MultiomeError, match="`window` must be a whole number of at least 0, got"):
        check_window(window, pd.Series([0.0]), ["atac", "rna"])


def test_a_window_in_which_nothing_lies(linked):
    fitted = linked.model._fitted
    far = fitted.graph.edges.assign(distance=fitted.graph.edges["distance"] + 5_000)
    graph = mo.GuidanceGraph(fitted.graph.vertices, far, places=fitted.graph.places)
    model = mo.Multiome(replace(fitted, graph=graph), linked.model.history)
    shortest = f"{int(far['distance'].min()):,}"
    with pytest.raises(MultiomeError, match=rf"at most 4,999 base pairs; the shortest spans {shortest}"):
        model.links(window=4_999)
    assert len(model.links(window=int(far["distance"].min())))


def test_a_window_needs_distances(linked):
    fitted = linked.model._fitted
    graph = mo.GuidanceGraph(fitted.graph.vertices, fitted.graph.edges.assign(distance=np.nan))
    model = mo.Multiome(replace(fitted, graph=graph), linked.model.history)
    with pytest.raises(MultiomeError, match=r"knows no distances between 'atac' and 'rna'; leave `window` out"):
        model.links(window=1_000)
    assert len(model.links()) == len(linked.graph.edges)
