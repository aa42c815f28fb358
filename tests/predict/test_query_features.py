"""Data whose features are in another order, or partly missing."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.errors import SpecMismatch
from multiome.types import SparseRows


@pytest.fixture(scope="module")
def fitted(quick_fit, small):
    """Trained a little longer: how well it does with fewer genes is measured."""
    return quick_fit(small.mdata, batch_key="batch", steps=60)


def with_genes(small, share: float) -> ad.AnnData:
    rna = small.mdata["rna"]
    rng = np.random.default_rng(0)
    return rna[:, rng.permutation(rna.n_vars)[: round(share * rna.n_vars)]].copy()


def test_more_features_than_the_model_knows_change_nothing(fitted, small):
    rna = small.mdata["rna"]
    extra = ad.AnnData(sp.csr_matrix(np.full((rna.n_obs, 5), 3, dtype=np.float32)), obs=rna.obs[[]].copy())
    extra.var_names = [f"other{i}" for i in range(5)]
    more = ad.concat([extra, rna], axis=1)
    np.testing.assert_allclose(
        fitted.embed(more, modality="rna"), fitted.embed(rna, modality="rna"), rtol=1e-4, atol=1e-5
    )


def test_some_missing_genes_change_little(fitted, small):
    """Against the spread between cells; the depth is estimated as if nothing were missing."""
    rna, part = small.mdata["rna"], with_genes(small, 0.8)
    full, less = (fitted.translate(a, source="rna", target="atac", batch="batch1") for a in (rna, part))
    assert np.isfinite(less.X).all()
    assert np.corrcoef(full.X.ravel(), less.X.ravel())[0, 1] > 0.98
    assert less.X.sum() == pytest.approx(full.X.sum(), rel=0.05)
    z, y = fitted.embed(rna, modality="rna"), fitted.embed(part, modality="rna")
    assert np.mean((z - y) ** 2) < 0.5 * z.var(0).mean()


def test_too_few_features_are_an_error_that_states_the_share(fitted, small):
    part = with_genes(small, 0.4)
    with pytest.raises(
        SpecMismatch, match=r"'rna': 24 of the 40 features .* absent \(40% found; .*min_features=0\.4 to"
    ):
        fitted.translate(part, source="rna", target="atac")
    assert np.isfinite(fitted.translate(part, source="rna", target="atac", min_features=0.4).X).all()
    assert np.isfinite(fitted.embed(part, modality="rna", min_features=0.1)).all()
    assert np.isfinite(fitted.impute(part, "atac", n_samples=2, min_features=0.1).mean).all()


def test_no_common_feature_is_an_error_that_shows_the_expected_names(fitted, small):
    rna = small.mdata["rna"].copy()
    expected = rna.var_names[0]
    rna.var_names = [f"ENSG{i:011d}" for i in range(rna.n_vars)]
    with pytest.raises(SpecMismatch, match=rf"none of the 40 features .*{expected}.*Check the feature names"):
        fitted.embed(rna, modality="rna", min_features=0.0)


def test_missing_proteins_are_as_hidden_ones(fitted, small):
    """The encoder sees the same whether values are absent or not looked at."""
    vae = fitted._fitted.vae
    counts = small.mdata["prot"].X.toarray()
    found = np.arange(counts.shape[1]) % 2 == 0
    exposure, mask = torch.ones(len(counts), 1), torch.from_numpy(found)
    whole, part = (
        vae.channel("prot").components(SparseRows.from_scipy(sp.csr_matrix(x)), exposure, None, mask)
        for x in (counts, counts * found)
    )
    torch.testing.assert_close(whole, part, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("key", ["atac", "prot", "met"])
def test_every_modality_may_miss_features(fitted, small, key):
    part = small.mdata[key][:, 1::2].copy()
    assert np.isfinite(fitted.embed(part, modality=key, min_features=0.3, drop_empty=True)).any()
