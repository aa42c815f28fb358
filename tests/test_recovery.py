"""What a short fit recovers of simulated truth, beside baselines that know less."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

import multiome as mo
from multiome import metrics

STEPS, TRAIN = 250, {"batch_size": 128}
SIZE = mo.ModelConfig(n_latent=16, n_hidden=64, n_features_latent=32)


def pca(adata, n: int = 16) -> np.ndarray:
    return PCA(n, random_state=0).fit_transform(metrics.log_cp10k(adata.X).toarray())


@pytest.fixture(scope="module")
def mosaic():
    """800 cells of which half lack ATAC and a third lack protein."""
    return mo.datasets.simulate(
        n_cells=800, n_genes=200, n_peaks=400, n_proteins=15, modalities=("rna", "atac", "prot"), n_types=5,
        depth={"rna": 300, "atac": 400}, pairing={"atac": 0.5, "prot": 1 / 3}, batch_effect=0.1, seed=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted(mosaic, quick_fit):
    return quick_fit(mosaic.mdata, batch_key="batch", config=SIZE, steps=STEPS, train=TRAIN)


@pytest.mark.parametrize("modality", [None, "rna"])
def test_neighbours_share_their_cell_type(mosaic, fitted, modality):
    z, labels = fitted.embed(mosaic.mdata, modality=modality), mosaic.mdata.obs["cell_type"]
    rna = mosaic.mdata["rna"][mosaic.mdata.obs_names]
    found, base = (metrics.knn_label_accuracy(x, labels)["label_accuracy"] for x in (z, pca(rna)))
    assert found > base - 0.03


def test_modalities_of_one_cell_lie_together(mosaic, fitted):
    both = mosaic.mdata[mosaic.truth.measured[["rna", "atac"]].all(axis=1).to_numpy()].copy()
    z = [fitted.embed(both, modality=key) for key in ("rna", "atac")]
    order = both["atac"].obs_names.get_indexer(both["rna"].obs_names)
    assert metrics.foscttm(z[0], z[1][order]) < 0.25  # 0.5 by chance


def test_accessibility_of_cells_without_it_beats_the_mean(mosaic, fitted):
    withheld = mosaic.truth.withheld("atac")
    assert len(withheld) == 400
    found = fitted.translate(mosaic.mdata["rna"][withheld].copy(), source="rna", target="atac")
    counts = mosaic.truth.counts["atac"][withheld].X
    scores = metrics.accessibility(found.X, counts)
    mean = np.tile(np.asarray(mosaic.mdata["atac"].X.mean(0)), (len(withheld), 1))
    base = metrics.accessibility(mean, counts)
    assert scores["peak_auroc_depth_free"] > base["peak_auroc_depth_free"] + 0.03
    assert scores["peak_auroc"] > 0.55
    assert scores["cell_auroc"] > base["cell_auroc"] - 0.01


def test_proteins_of_cells_without_them_beat_mean_and_neighbours(mosaic, fitted):
    withheld = mosaic.truth.withheld("prot")
    prot, rna = mosaic.mdata["prot"], mosaic.mdata["rna"]
    found = fitted.impute(mosaic.mdata, "prot", scale="clr", n_samples=2)
    rows = found.obs.index.get_indexer(withheld)
    truth = metrics.clr(mosaic.truth.counts["prot"][withheld].X.toarray())
    base = metrics.baseline_knn(rna[prot.obs_names].X, metrics.clr(prot.X.toarray()), rna[withheld].X)
    r, r_base = (metrics.correlation(x, truth)["feature_r"] for x in (found.mean[rows], base))
    mean = metrics.baseline_mean(rna[prot.obs_names].X, metrics.clr(prot.X.toarray()), rna[withheld].X)
    assert r > 0.3
    assert r > r_base - 0.05
    assert metrics.rmse(found.mean[rows], truth) < metrics.rmse(mean, truth)


def test_one_call_imputes_both_missing_modalities(mosaic, fitted):
    for target in ("atac", "prot"):
        found = fitted.impute(mosaic.mdata, target, n_samples=2)
        assert found.mean.shape == (800, len(fitted.spec.modalities[target].features))
        assert np.isfinite(found.mean).all()


def test_intervals_hold_what_was_withheld(mosaic, fitted):
    withheld = mosaic.truth.withheld("prot")
    found = fitted.impute(mosaic.mdata["rna"][withheld].copy(), "prot", n_samples=100)
    values = found.pit(mosaic.truth.counts["prot"][withheld])
    assert 0.8 < np.mean((values > 0.05) & (values < 0.95)) < 0.97


def test_a_strong_batch_effect_is_left_to_the_decoder(quick_fit):
    sim = mo.datasets.simulate(
        n_cells=600, n_genes=150, n_proteins=15, modalities=("rna", "prot"), n_types=4, batch_effect=1.0,
        depth={"rna": 300}, seed=2,
    )  # fmt: skip
    model = quick_fit(sim.mdata, batch_key="batch", config=SIZE, steps=STEPS, train=TRAIN)
    obs, z, base = sim.mdata.obs, model.embed(sim.mdata), pca(sim.mdata["rna"])
    mixing, mixing_base = (metrics.neighbour_mixing(x, obs["batch"]) for x in (z, base))
    assert mixing > mixing_base + 0.05
    label, label_base = (metrics.knn_label_accuracy(x, obs["cell_type"])["label_accuracy"] for x in (z, base))
    assert label > label_base - 0.05


def test_methylation_is_recovered_from_rna(quick_fit):
    sim = mo.datasets.simulate(
        n_cells=500, n_genes=150, n_sites=150, modalities=("rna", "met"), n_types=4, pairing={"met": 0.4},
        depth={"rna": 300, "met": 150}, seed=3,
    )  # fmt: skip
    model = quick_fit(sim.mdata, config=SIZE, steps=STEPS, train=TRAIN)
    withheld = sim.truth.withheld("met")
    found = model.translate(sim.mdata["rna"][withheld].copy(), source="rna", target="met")
    truth = sim.truth.rates("met", withheld).to_numpy()
    assert metrics.correlation(found.X, truth)["feature_r"] > 0.2
    assert metrics.correlation(found.X, truth)["cell_r"] > 0.6
