"""Expected values on every scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from multiome.errors import MultiomeError, MultiomeWarning, UnknownName
from multiome.likelihoods.negative_binomial import MeanDispersion
from multiome.likelihoods.poisson import LogRate
from multiome.predict import embed, scale
from multiome.predict.scale import draw, expectation

SCALES = [
    ("atac", "rna", "counts"), ("atac", "rna", "log_cp10k"), ("rna", "atac", "counts"), ("rna", "atac", "probability"),
    ("rna", "prot", "counts"), ("rna", "prot", "clr"), ("rna", "prot", "foreground"), ("rna", "met", "fraction"),
]  # fmt: skip


def test_probability_is_that_of_at_least_one_count():
    rate = torch.tensor([[0.01, 0.5, 3.0]])
    found = expectation(LogRate(rate.log()), "probability", torch.ones(1, 1))
    torch.testing.assert_close(found, 1 - torch.exp(-rate))


def test_probability_of_a_likelihood_that_does_not_say_it():
    mean, theta = torch.tensor([[0.01, 0.5, 3.0]]), torch.tensor([0.5, 2.0, 9.0])
    found = expectation(MeanDispersion(mean.log(), theta), "probability", torch.ones(1, 1))
    torch.testing.assert_close(found, 1 - (theta / (theta + mean)) ** theta)


@pytest.mark.parametrize(("source", "target", "scale"), SCALES)
def test_draws_have_the_expected_mean(model, small, source, target, scale):
    """At one latent state per cell, for the likelihoods as they were fitted."""
    vae = model._fitted.vae
    n_cells, n_draws = 3, 4000
    h = vae.trunk(torch.randn(n_cells, vae.n_latent), vae.trunk.batch_effect(torch.zeros(n_cells, 1, dtype=torch.long)))
    channel = vae.channel(target)
    exposure = torch.ones(n_cells, channel.likelihood.n_features if target == "met" else 1)
    total = torch.full((n_cells, 1), channel.median_depth)
    with torch.no_grad():
        p = channel.decode(h, exposure)
        draws = torch.stack([draw(p, scale, total) for _ in range(n_draws)])
        error = draws.std(0) / n_draws**0.5
        gap = (draws.mean(0) - expectation(p, scale, total)).abs()
    assert (gap < 5 * error + 1e-3).all()


@pytest.mark.parametrize("features", [None, slice(None, None, -3)])
@pytest.mark.parametrize(("source", "target", "scale"), SCALES)
def test_features_may_be_decoded_some_at_a_time(model, small, monkeypatch, source, target, scale, features):
    adata = small.mdata[source]
    chosen = None if features is None else list(small.mdata[target].var_names[features])
    told = []
    for entries in (1_000_000_000, 7 * adata.n_obs):
        monkeypatch.setattr(embed, "PART", entries)
        told.append(model.translate(adata, source=source, target=target, scale=scale, features=chosen).X)
    np.testing.assert_allclose(told[1], told[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("source", "target", "scale"), SCALES)
def test_a_choice_of_features_is_a_slice_of_all(model, small, source, target, scale):
    adata = small.mdata[source]
    whole = model.translate(adata, source=source, target=target, scale=scale)
    wanted = list(whole.var_names[[5, 2, 0]])
    part = model.translate(adata, source=source, target=target, scale=scale, features=wanted)
    assert list(part.var_names) == wanted
    np.testing.assert_allclose(part.X, whole[:, wanted].X, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("source", "target", "scale"), SCALES)
def test_results_say_what_they_are(model, small, source, target, scale):
    adata = small.mdata[source]
    found = model.translate(adata, source=source, target=target, scale=scale)
    assert found.X.dtype == np.float32
    assert list(found.obs_names) == list(adata.obs_names)
    assert tuple(found.var_names) == model.spec.modalities[target].features
    assert found.uns["multiome"] == {"scale": scale, "modality": target}
    assert np.isfinite(found.X).all()


def test_rows_of_clr_sum_to_0(model, small):
    found = model.translate(small.mdata, source="rna", target="prot", scale="clr")
    np.testing.assert_allclose(found.X.sum(1), 0, atol=1e-4)
    some = model.translate(small.mdata, source="rna", target="prot", scale="clr", features=list(found.var_names[:3]))
    assert np.abs(some.X.sum(1)).max() > 0.01  # of a choice they need not


@pytest.mark.parametrize(("target", "scale"), [("atac", "probability"), ("prot", "foreground"), ("met", "fraction")])
def test_probabilities_lie_between_0_and_1(model, small, target, scale):
    found = model.translate(small.mdata, source="rna", target=target, scale=scale)
    assert found.X.min() >= 0
    assert found.X.max() <= 1


def test_default_scales(model, small):
    scales = {
        t: model.translate(small.mdata, source="rna", target=t).uns["multiome"]["scale"]
        for t in ("atac", "prot", "met")
    }
    assert scales == {"atac": "counts", "prot": "counts", "met": "fraction"}


def test_counts_grow_with_the_depth_they_are_predicted_at(model, small):
    rna = small.mdata["rna"]
    depth = np.linspace(50, 500, rna.n_obs)
    at, twice = (model.translate(rna, source="rna", target="atac", depth=d) for d in (depth, 2 * depth))
    np.testing.assert_allclose(twice.X, 2 * at.X, rtol=1e-4)


def test_the_reference_depth_is_the_median_of_training(model, small):
    rna = small.mdata["rna"]
    median = model.spec.modalities["atac"].median_depth
    assert median == np.median(np.asarray(small.mdata["atac"].X.sum(1)))
    reference = model.translate(rna, source="rna", target="atac", depth="reference")
    for depth in (median, np.full(rna.n_obs, median)):
        np.testing.assert_allclose(
            model.translate(rna, source="rna", target="atac", depth=depth).X, reference.X, rtol=1e-4
        )


def test_the_predicted_depth_follows_the_cell(quick_fit, small):
    """Depths of a cell's modalities correlate: deeper RNA, more fragments."""
    rna = small.mdata["rna"]
    model = quick_fit(small.mdata)
    found = model.translate(rna, source="rna", target="atac").X.sum(1)
    reference = model.translate(rna, source="rna", target="atac", depth="reference").X.sum(1)
    truth = small.truth.size.loc[rna.obs_names, "atac"].to_numpy()
    assert np.corrcoef(found, truth)[0, 1] > np.corrcoef(reference, truth)[0, 1] + 0.1


@pytest.mark.parametrize("depth", [0.0, -1.0, np.nan, np.ones(3)], ids=["zero", "negative", "nan", "other cells"])
def test_depths_are_checked(model, small, depth):
    with pytest.raises(MultiomeError, match=r"`depth` must .*total count"):
        model.translate(small.mdata["rna"], source="rna", target="atac", depth=depth)


def test_a_batch_may_be_named(model, small):
    rna = small.mdata["rna"].copy()
    there = (small.mdata.obs.loc[rna.obs_names, "batch"] == "batch2").to_numpy()
    rna.obs["batch"] = small.mdata.obs.loc[rna.obs_names, "batch"].to_numpy()
    named = model.translate(rna, source="rna", target="atac", batch="batch2")
    own = model.translate(rna, source="rna", target="atac")
    np.testing.assert_allclose(named.X[there], own.X[there], rtol=1e-5)
    assert not np.allclose(named.X[~there], own.X[~there], rtol=1e-3)
    other = model.translate(rna, source="rna", target="atac", batch="batch1")
    np.testing.assert_allclose(other.X[~there], own.X[~there], rtol=1e-5)


def test_a_named_batch_is_the_target_s_alone(model, small):
    """Whether a cell's RNA is deep is told by the batch that it was measured in, whatever the target's is."""
    rna = small.mdata["rna"][:5].copy()
    where = {}
    for own in ("batch1", "batch2"):
        rna.obs["batch"] = own
        where[own] = model.translate(rna, source="rna", target="atac", batch="batch2", depth="reference").X
        where[own, "deep"] = model.translate(rna, source="rna", target="atac", batch="batch2").X
    np.testing.assert_allclose(where["batch1"], where["batch2"], rtol=1e-5)
    effect = model._fitted.depth.effects[0][:, model._fitted.depth.keys.index("rna")]
    slope = np.log(where["batch1", "deep"].sum(1) / where["batch2", "deep"].sum(1)) / (effect[1] - effect[0])
    assert (slope > 0).all()
    assert (slope < 1.5).all()


def test_an_unseen_batch_gets_the_average_with_a_warning(model, small):
    rna = small.mdata["rna"].copy()
    rna.obs["batch"] = "batch9"
    with pytest.warns(
        MultiomeWarning, match=rf"{rna.n_obs} cells are of no 'batch' .*'batch1', 'batch2'.*average.*batch=\.\.\."
    ):
        unseen = model.translate(rna, source="rna", target="atac")
    del rna.obs["batch"]
    with pytest.warns(MultiomeWarning, match="average"):
        unsaid = model.translate(rna, source="rna", target="atac")
    np.testing.assert_array_equal(unseen.X, unsaid.X)
    trunk = model._fitted.vae.trunk
    one, two, average = trunk.batch_effect(torch.tensor([[0], [1], [-1]]))
    share = np.bincount(small.mdata.obs["batch"].cat.codes) / small.mdata.n_obs
    torch.testing.assert_close(average, float(share[0]) * one + float(share[1]) * two)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"source": "hic"}, r"modality 'hic'; there is 'rna', 'atac', 'prot', 'met'"),
        ({"target": "hic"}, r"modality 'hic'; there is 'rna', 'atac', 'prot', 'met'"),
        ({"scale": "clr"}, r"scale 'clr' for 'atac'; there is 'counts', 'probability'"),
        ({"scale": "log1p"}, r"scale 'log1p' for 'atac'; there is 'counts', 'probability'"),
        ({"depth": "deep"}, r"depth 'deep'.*; there is 'predicted', 'reference'"),
        ({"batch": "batch3"}, r"batch 'batch3' of 'batch'; there is 'batch1', 'batch2'. Did you mean"),
        ({"features": ["chr1:1-2"]}, r"feature 'chr1:1-2' of 'atac'; there is .* and 52 more"),
        ({"features": "chr1:1-2"}, r"feature 'chr1:1-2' of 'atac'"),
    ],
    ids=str,
)
def test_unknown_names_list_what_exists(model, small, given, told):
    with pytest.raises(UnknownName, match=told):
        model.translate(small.mdata, **{"source": "rna", "target": "atac"} | given)


def test_a_scale_that_nothing_computes(model, small, monkeypatch):
    """Not counts under its name."""
    monkeypatch.setitem(scale.SCALES, "atac", (*scale.SCALES["atac"], "activity"))
    with pytest.raises(MultiomeError, match="'activity' of 'atac' was added to `SCALES`, but nothing says how"):
        model.translate(small.mdata["rna"], source="rna", target="atac", scale="activity")


def test_source_and_target_must_differ(model, small):
    with pytest.raises(MultiomeError, match="source and target are both 'rna'"):
        model.translate(small.mdata, source="rna", target="gex")
