"""Real data end to end; few steps, so only what any sensible fit reaches."""

from __future__ import annotations

import warnings

import mudata as md
import numpy as np
import pytest

import multiome as mo
from multiome import metrics
from multiome.errors import MultiomeWarning

STEPS, TRAIN = 120, {"batch_size": 128}
SIZE = mo.ModelConfig(n_latent=16, n_hidden=64, n_features_latent=32)
# real data have features that are zero in every cell; the warning itself is tested elsewhere
pytestmark = pytest.mark.filterwarnings("ignore:.*features are zero in every cell:multiome.MultiomeWarning")


def read(path) -> md.MuData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what mudata says while it reads
        return md.read_h5mu(path)


def halves(mdata: md.MuData, *, seed: int = 0) -> tuple[md.MuData, md.MuData]:
    """A training part and a held-out fifth."""
    out = np.random.default_rng(seed).random(mdata.n_obs) < 0.2
    return mdata[~out].copy(), mdata[out].copy()


def test_bmmc_multiome_with_two_donors(bench_data, quick_fit):
    train, test = halves(read(bench_data("bmmc_multiome_small.h5mu")))
    model = quick_fit(train, batch_key="batch", config=SIZE, steps=STEPS, train=TRAIN)
    z = model.embed(test)
    assert z.shape == (test.n_obs, 16)
    assert np.isfinite(z).all()
    found = model.translate(test, source="rna", target="atac")
    assert found.shape == test["atac"].shape
    scores = metrics.accessibility(found.X, test["atac"].X)
    mean = np.tile(np.asarray(train["atac"].X.mean(0)), (test.n_obs, 1))
    assert scores["peak_auroc"] > metrics.accessibility(mean, test["atac"].X)["peak_auroc"] + 0.02
    assert scores["auprc"] > metrics.accessibility(mean, test["atac"].X)["auprc"]
    back = model.translate(test["atac"], source="atac", target="rna", scale="log_cp10k")
    assert np.isfinite(back.X).all()
    assert metrics.correlation(back.X, metrics.log_cp10k(test["rna"].X))["cell_r"] > 0.3


def test_bmmc_cite_with_two_donors(bench_data, quick_fit):
    train, test = halves(read(bench_data("bmmc_cite_small.h5mu")))
    model = quick_fit(train, batch_key="batch", config=SIZE, steps=STEPS, train=TRAIN)
    found = model.impute(test, "protein", scale="clr", n_samples=40)
    truth = metrics.clr(test["prot"].X.toarray())
    mean = metrics.baseline_mean(train["rna"].X, metrics.clr(train["prot"].X.toarray()), test["rna"].X)
    assert found.mean.shape == truth.shape
    assert metrics.rmse(found.mean, truth) < metrics.rmse(mean, truth)
    assert metrics.correlation(found.mean, truth)["feature_r"] > 0.3
    lower, upper = found.interval(0.9)
    assert 0.75 < np.mean((lower <= truth) & (truth <= upper)) < 0.99


def test_scmt_of_continuous_rna_and_methylation(bench_data, quick_fit):
    mdata = read(bench_data("scmt_mesc_rna_met.h5mu"))
    with pytest.raises(mo.InvalidCounts, match="continuous"):
        quick_fit(mdata)
    model = quick_fit(
        mdata,
        modalities={"rna": mo.RNA.continuous(), "met": mo.METHYLATION},
        steps=STEPS,
    )
    assert model.spec.modalities["rna"].likelihood == "Normal"
    z = model.embed(mdata)
    assert np.isfinite(z).all()
    found = model.translate(mdata["rna"], source="rna", target="met")
    assert found.shape == mdata["met"].shape
    assert 0 <= found.X.min() <= found.X.max() <= 1
    culture = mdata["rna"].obs["culture"].to_numpy()
    level = found.X.mean(1)
    assert level[culture == "Serum"].mean() > level[culture == "2i"].mean() + 0.1  # 0.68 and 0.05 in truth


def test_pbmc_multiome_of_few_features(bench_data, quick_fit):
    mdata = read(bench_data("pbmc_multiome_tiny.h5mu"))
    empty = {key: int((np.asarray(a.X.sum(1)) == 0).sum()) for key, a in mdata.mod.items()}
    if any(empty.values()):
        with pytest.raises(mo.InvalidCounts, match="drop_empty=True"):
            quick_fit(mdata)
    model = quick_fit(mdata, drop_empty=True, steps=30, train={"batch_size": 256})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MultiomeWarning)  # some cells have no count in either
        z = model.embed(mdata, drop_empty=True)
    some = np.any(
        [mdata.obs_names.isin(a.obs_names[np.asarray(a.X.sum(1)).ravel() > 0]) for a in mdata.mod.values()], axis=0
    )
    np.testing.assert_array_equal(np.isfinite(z).all(1), some)


def test_chen2018_has_binary_accessibility(bench_data, quick_fit):
    mdata = read(bench_data("chen2018_hesc_rna_atac.h5mu"))
    some = md.MuData({"rna": mdata["rna"][:, :1500].copy(), "atac": mdata["atac"][:, :3000].copy()})
    model = quick_fit(some, drop_empty=True, train={"batch_size": 128})
    assert model.spec.modalities["atac"].likelihood == "Bernoulli"
    assert "Bernoulli" in repr(model)
    rna = some["rna"][np.asarray(some["rna"].X.sum(1)).ravel() > 0].copy()
    found = model.translate(rna, source="rna", target="atac", scale="probability")
    assert 0 <= found.X.min() <= found.X.max() <= 1
