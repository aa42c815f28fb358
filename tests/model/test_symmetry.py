"""What must not matter: the order of cells and features, and whether a modality is masked or was never there."""

from __future__ import annotations

from dataclasses import replace

import mudata as md
import numpy as np
import pytest
import torch
from pyro.infer import Trace_ELBO

from multiome.data.query import read_query
from multiome.train.views import hide_features, thin
from multiome.types import Batch

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def without(mdata: md.MuData, *keys: str) -> md.MuData:
    """The same cells, some modalities deleted."""
    found = md.MuData({key: adata for key, adata in mdata.mod.items() if key not in keys})
    found.obs = mdata.obs.loc[found.obs_names]
    return found


@pytest.fixture(scope="module")
def order(small) -> np.ndarray:
    return np.random.default_rng(0).permutation(small.mdata.n_obs)


def test_permuting_cells_permutes_the_embedding(model, small, order):
    shuffled = small.mdata[order].copy()
    np.testing.assert_allclose(model.embed(shuffled), model.embed(small.mdata)[order], **CLOSE)


@pytest.mark.parametrize("target", ["atac", "prot", "met"])
def test_permuting_cells_permutes_predictions(model, small, order, target):
    shuffled = small.mdata[order].copy()
    found = model.translate(shuffled, source="rna", target=target)
    plain = model.translate(small.mdata, source="rna", target=target)
    np.testing.assert_allclose(found[plain.obs_names].X, plain.X, **CLOSE)


def test_other_cells_do_not_matter(model, small):
    some = small.mdata["rna"][::7].copy()
    alone = model.translate(some, source="rna", target="atac")
    among = model.translate(small.mdata["rna"], source="rna", target="atac")
    np.testing.assert_allclose(alone.X, among[alone.obs_names].X, **CLOSE)


def test_permuting_features_changes_nothing(model, small):
    rng = np.random.default_rng(1)
    mods = {key: adata[:, rng.permutation(adata.n_vars)].copy() for key, adata in small.mdata.mod.items()}
    shuffled = without(md.MuData(mods))
    shuffled.obs = small.mdata.obs.loc[shuffled.obs_names]
    shuffled = shuffled[small.mdata.obs_names].copy()
    np.testing.assert_allclose(model.embed(shuffled), model.embed(small.mdata), **CLOSE)
    found, plain = (model.translate(m, source="rna", target="prot", scale="clr") for m in (shuffled, small.mdata))
    np.testing.assert_allclose(found[plain.obs_names].X, plain.X, **CLOSE)


def test_a_cell_that_lacks_a_modality_is_a_cell_of_data_without_it(model, small):
    mdata = small.mdata
    lacking = mdata.obs_names.difference(mdata["atac"].obs_names)
    joint = mdata.obs_names.get_indexer(lacking)
    deleted = without(mdata, "atac")
    rows = deleted.obs_names.get_indexer(lacking)
    np.testing.assert_allclose(model.embed(mdata)[joint], model.embed(deleted)[rows], **CLOSE)


def test_imputing_does_not_look_at_the_target(model, small):
    found = model.impute(small.mdata, "prot", n_samples=2)
    blind = model.impute(without(small.mdata, "prot"), "prot", n_samples=2)
    np.testing.assert_allclose(found.mean, blind.mean[blind.obs.index.get_indexer(found.obs.index)], **CLOSE)


def test_imputing_from_one_modality_is_translating(model, small):
    rna = small.mdata["rna"]
    found = model.translate(rna, source="rna", target="atac")
    alone = model.impute(without(small.mdata, "atac", "prot", "met"), "atac", n_samples=2)
    np.testing.assert_allclose(found.X, alone.mean[alone.obs.index.get_indexer(found.obs_names)], **CLOSE)


def masked(batch: Batch, key: str) -> Batch:
    return replace(batch, observed={**batch.observed, key: torch.zeros(len(batch), dtype=torch.bool)})


def deleted(batch: Batch, key: str) -> Batch:
    def rest(values: dict) -> dict:
        return {k: v for k, v in values.items() if k != key}

    return replace(
        batch,
        counts=rest(batch.counts),
        observed=rest(batch.observed),
        exposure=rest(batch.exposure),
        coverage=rest(batch.coverage),
    )


@torch.no_grad()
def test_views_of_the_same_cells_do_not_matter_to_each_other(model, small):
    """Several are encoded in one pass, a modality that some cells lack and a view that lacks one among them."""
    vae = model._fitted.vae
    _, cells = read_query(small.mdata, model.spec)
    batch = cells.take(np.arange(len(cells)))
    batch = replace(batch, observed={**batch.observed, "atac": torch.arange(len(batch)) % 3 > 0})
    keep = {key: vae.channel(key).transform.thins for key in batch.counts}
    found = hide_features({key: rows.n_features for key, rows in batch.counts.items()}, 0.2)
    views = [batch, thin(deleted(batch, "rna"), 0.5, counts=keep)]
    together, alone = vae.experts(views, found), [vae.experts([view], found)[0] for view in views]
    assert [list(each) for each in together] == [list(batch.counts), [key for key in batch.counts if key != "rna"]]
    for one, other in zip(together, alone, strict=True):
        for key, q in one.items():
            torch.testing.assert_close(q.loc, other[key].loc, **CLOSE)
            torch.testing.assert_close(q.scale, other[key].scale, **CLOSE)


@pytest.mark.parametrize("key", ["rna", "atac", "prot", "met"])
@torch.no_grad()
def test_masking_a_modality_equals_deleting_it(model, small, key):
    """The same posterior and the same loss."""
    vae = model._fitted.vae
    _, cells = read_query(small.mdata, model.spec)
    batch = cells.take(np.arange(len(cells)))
    parts = masked(batch, key), deleted(batch, key)
    latents = [vae.encode(part) for part in parts]
    torch.testing.assert_close(latents[0].joint.loc, latents[1].joint.loc, rtol=0, atol=0)
    torch.testing.assert_close(latents[0].joint.scale, latents[1].joint.scale, rtol=0, atol=0)
    losses = []
    for part, latent in zip(parts, latents, strict=True):
        torch.manual_seed(0)
        losses.append(Trace_ELBO().loss(vae.model, vae.guide, part, latent, {}))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
