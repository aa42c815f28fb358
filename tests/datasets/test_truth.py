"""The truth agrees with the data that came from it."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from multiome.datasets import simulate
from multiome.errors import UnknownName

SMALL = {"n_cells": 150, "n_genes": 80, "n_peaks": 200, "n_proteins": 12, "n_sites": 60, "seed": 1}


@pytest.fixture(scope="module")
def default():
    return simulate()


@pytest.fixture(scope="module")
def small():
    return simulate(**SMALL, pairing={"prot": 0.4}).truth


TRANSFORMS = {
    "counts": lambda x: x,
    "log_cp10k": lambda x: np.log1p(1e4 * x / x.sum(1, keepdims=True)),
    "clr": lambda x: np.log1p(x) - np.log1p(x).mean(1, keepdims=True),
    "probability": lambda x: x > 0,
}


@pytest.mark.parametrize(
    ("modality", "scale"),
    [
        ("rna", "counts"),
        ("rna", "log_cp10k"),
        ("atac", "counts"),
        ("atac", "probability"),
        ("prot", "counts"),
        ("prot", "clr"),
        ("met", "counts"),
    ],
)
def test_expected_values_are_the_means_of_repeated_observations(small, modality, scale):
    n, transform = 60, TRANSFORMS[scale]
    draws = np.stack([transform(small.draw(modality, seed=k).X.toarray().astype(float)) for k in range(n)])
    expected = small.expected(modality, scale=scale).to_numpy()
    # errors are as large as chance makes them; counts are weighted so that a few high ones do not decide
    error, weight = draws.mean(0) - expected, 1 / (expected + expected**2 + 0.01) if scale == "counts" else 1.0
    assert (weight * error**2).mean() == pytest.approx((weight * draws.var(0, ddof=1)).mean() / n, rel=0.1)
    assert abs(error.mean()) < 0.02 * np.abs(draws).mean()


def test_observed_counts_scatter_around_their_expectation(default):
    for m, counts in default.truth.counts.items():
        observed, expected = np.asarray(counts.X.mean(0)).ravel(), default.truth.expected(m).to_numpy().mean(0)
        assert np.corrcoef(observed, expected)[0, 1] > 0.99
        assert observed.sum() == pytest.approx(expected.sum(), rel=0.03)


def test_calls_follow_the_methylated_fraction(default):
    met, fraction = default.truth.counts["met"], default.truth.expected("met", scale="fraction").to_numpy()
    coverage = met.layers["coverage"].toarray()
    assert met.X.sum() / coverage.sum() == pytest.approx((fraction * coverage).sum() / coverage.sum(), rel=0.01)


def test_rates_sum_to_one_and_fractions_are_fractions(small):
    for m in ("rna", "atac", "prot"):
        np.testing.assert_allclose(small.rates(m).sum(axis=1), 1)
    assert small.rates("met").to_numpy().min() > 0
    assert small.rates("met").to_numpy().max() < 1


def test_batch_free_rates_do_not_know_the_batch():
    truth = simulate(**SMALL, batch_effect=1.0).truth
    none = simulate(**SMALL, batch_effect=0.0).truth
    for m in truth.assays:
        pd.testing.assert_frame_equal(truth.rates(m, batch_free=True), none.rates(m))
        assert np.abs(truth.rates(m) - none.rates(m)).to_numpy().max() > 0.01


def test_foreground_membership_follows_its_probability(default):
    probability = default.truth.expected("prot", scale="foreground").to_numpy()
    np.testing.assert_allclose(default.truth.foreground.mean(0), probability.mean(0), atol=0.04)
    counts = default.truth.counts["prot"].X.toarray()
    for protein, member in enumerate(default.truth.foreground.T):
        assert counts[member, protein].mean() > 1.5 * counts[~member, protein].mean()


def test_linked_peaks_follow_their_gene_and_decoys_do_not(default):
    truth = default.truth
    log = {m: np.log(truth.rates(m, batch_free=True)) for m in ("rna", "atac")}

    def signed_correlation(edges):
        a, b = log["atac"][edges["source"]].to_numpy(), log["rna"][edges["target"]].to_numpy()
        a, b = a - a.mean(0), b - b.mean(0)
        return (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))

    links = truth.edges.query("source_modality == 'atac' and target_modality == 'rna'")
    true, decoy = signed_correlation(links) * links["sign"].to_numpy(), signed_correlation(truth.decoys)
    assert true.mean() > 0.4
    assert abs(decoy.mean()) < 0.2  # not 0: neighbours that share a TF go together
    rank = scipy.stats.rankdata(np.concatenate([true, decoy]))[: len(true)]
    auroc = (rank.sum() - len(true) * (len(true) + 1) / 2) / (len(true) * len(decoy))
    assert auroc > 0.7


def test_edges_are_tidy_and_near(default):
    truth, edges = default.truth, default.truth.edges
    assert set(zip(edges["source_modality"], edges["target_modality"], strict=True)) == {
        ("tf", "atac"),
        ("atac", "rna"),
        ("rna", "prot"),
        ("rna", "met"),
        ("atac", "met"),
    }
    assert (edges["weight"] > 0).all()
    assert edges["sign"].isin([-1, 1]).all()
    assert (edges.query("target_modality == 'met'")["sign"] == -1).all()
    assert not edges.duplicated(["source", "target"]).any()
    names = {m: set(a.var_names) for m, a in truth.counts.items()} | {"tf": set(truth.tf_activity)}
    for side in ("source", "target"):
        assert all(name in names[m] for m, name in zip(edges[f"{side}_modality"], edges[side], strict=True))
    near = pd.concat([edges.query("source_modality == 'atac' and target_modality == 'rna'"), truth.decoys])
    assert near["distance"].max() <= 100_000
    chrom = {m: truth.counts[m].var["chrom"].astype(str) for m in ("rna", "atac")}
    assert (chrom["atac"][near["source"]].to_numpy() == chrom["rna"][near["target"]].to_numpy()).all()


def test_protein_and_methylation_follow_their_sources(default):
    truth = default.truth
    log = {m: np.log(truth.rates(m, batch_free=True)) for m in ("rna", "atac")}
    log["prot"], log["met"] = truth.expected("prot", scale="foreground"), truth.rates("met", batch_free=True)
    for target in ("prot", "met"):
        edges = truth.edges.query("target_modality == @target")
        r = [
            e.sign * np.corrcoef(log[e.source_modality][e.source], log[target][e.target])[0, 1]
            for e in edges.itertuples()
        ]
        assert np.mean(r) > 0.5


def test_cells_by_name_position_and_mask(small):
    names = small.withheld("prot")
    assert len(names) == 60
    by_name = small.expected("prot", names, scale="clr")
    mask = ~small.measured["prot"].to_numpy()
    pd.testing.assert_frame_equal(by_name, small.expected("prot", mask, scale="clr"))
    pd.testing.assert_frame_equal(by_name, small.expected("prot", np.flatnonzero(mask), scale="clr"))
    pd.testing.assert_frame_equal(by_name, small.expected("prot", scale="clr").loc[names])


def test_the_truth_scores_better_than_the_mean_profile(small):
    names = small.withheld("prot")
    observed = TRANSFORMS["clr"](small.counts["prot"][names].X.toarray())
    best = small.expected("prot", names, scale="clr").to_numpy()
    assert ((observed - best) ** 2).mean() < 0.7 * ((observed - observed.mean(0)) ** 2).mean()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.expected("gex"), "'gex'.*'rna'"),
        (lambda t: t.expected("rna", scale="clr"), "'clr' of 'rna'.*'log_cp10k'"),
        (lambda t: t.expected("rna", ["cell001", "nobody"]), "1 of 2 names.*nobody"),
        (lambda t: t.withheld("gex"), "'gex'"),
    ],
)
def test_errors_name_what_was_given(small, call, message):
    with pytest.raises(UnknownName, match=message):
        call(small)
