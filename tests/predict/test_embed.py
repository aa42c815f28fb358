"""Which rows an embedding has, and what they are made from."""

from __future__ import annotations

import warnings

import mudata as md
import numpy as np
import pytest

from multiome.errors import MultiomeWarning, UnknownName

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def test_an_embedding_is_float32_and_follows_the_cells(model, small):
    z = model.embed(small.mdata)
    assert z.dtype == np.float32
    assert z.shape == (small.mdata.n_obs, model._fitted.config.n_latent)
    assert np.isfinite(z).all()


@pytest.mark.parametrize("key", ["rna", "atac", "prot", "met"])
def test_rows_of_one_modality_follow_that_modality(model, small, key):
    adata = small.mdata[key]
    shuffled = adata[np.random.default_rng(0).permutation(adata.n_obs)].copy()
    mods = {k: shuffled if k == key else a for k, a in small.mdata.mod.items()}
    z = model.embed(md.MuData(mods), modality=key)
    assert z.shape[0] == adata.n_obs
    np.testing.assert_allclose(z, model.embed(shuffled, modality=key), **CLOSE)
    np.testing.assert_allclose(
        z, model.embed(adata, modality=key)[adata.obs_names.get_indexer(shuffled.obs_names)], **CLOSE
    )


def test_one_modality_is_not_all_of_them(model, small):
    rna = model.embed(small.mdata, modality="rna")
    assert not np.allclose(rna, model.embed(small.mdata), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "key"), [("protein", "prot"), ("adt", "prot"), ("peaks", "atac"), ("methylation", "met")]
)
def test_a_kind_of_assay_finds_its_key(model, small, name, key):
    np.testing.assert_array_equal(model.embed(small.mdata, modality=name), model.embed(small.mdata, modality=key))
    assert model.translate(small.mdata, source="gex", target=name).uns["multiome"]["modality"] == key


def test_an_exact_key_goes_before_a_kind(quick_fit, small):
    import multiome as mo

    rna, protein = small.mdata["rna"], small.mdata["prot"]
    mdata = md.MuData({"gex": rna, "rna": protein})
    model = quick_fit(mdata, modalities={"gex": mo.RNA, "rna": mo.PROTEIN})
    np.testing.assert_array_equal(model.embed(mdata, modality="rna"), model.embed(protein, modality="rna"))


def test_two_keys_of_one_kind_must_be_named_exactly(quick_fit, small):
    import multiome as mo

    mods = {"cells": small.mdata["rna"][:, :20].copy(), "nuclei": small.mdata["rna"][:, 20:].copy()}
    mdata = md.MuData(mods)
    model = quick_fit(mdata, modalities=dict.fromkeys(mods, mo.RNA))
    assert len(model.embed(mdata, modality="nuclei")) == mdata.n_obs
    with pytest.raises(UnknownName, match=r"'rna' .*several are of kind 'rna'.*'cells', 'nuclei'"):
        model.embed(mdata, modality="rna")


def test_data_may_call_a_modality_otherwise(model, small):
    renamed = md.MuData({"gex": small.mdata["rna"], "adt": small.mdata["prot"]})
    named = md.MuData({"rna": small.mdata["rna"], "prot": small.mdata["prot"]})
    np.testing.assert_array_equal(model.embed(renamed), model.embed(named))


def test_unknown_modalities_of_the_data_are_left_out(model, small):
    rna = small.mdata["rna"]
    extra = md.MuData({"rna": rna, "images": small.mdata["met"].copy()})
    with pytest.warns(MultiomeWarning, match=r"'images' is ignored: the model has no such modality \(used: 'rna'\)"):
        z = model.embed(extra)
    np.testing.assert_array_equal(z, model.embed(rna, modality="rna"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", MultiomeWarning)
        np.testing.assert_array_equal(model.embed(extra, modality="rna"), z)


def test_a_second_modality_of_a_kind_is_left_out_beside_the_exact_key(model, small):
    rna = small.mdata["rna"]
    twice = md.MuData({"gex": rna[:, ::-1].copy(), "rna": rna})
    with pytest.warns(MultiomeWarning, match="'gex' is ignored"):
        z = model.embed(twice)
    np.testing.assert_array_equal(z, model.embed(rna, modality="rna"))


def test_two_modalities_that_fit_one_are_an_error_that_lists_them(model, small):
    rna, atac = small.mdata["rna"], small.mdata["atac"]
    twice = md.MuData({"gex": rna, "genes": rna, "atac": atac})
    told = r"'gex', 'genes' could each be the model's 'rna' \(all are of kind 'rna'\).*MuData\(\{'rna': mdata\['gex'\]"
    with pytest.raises(UnknownName, match=told):
        model.embed(twice)
    with pytest.raises(UnknownName, match=told):
        model.embed(twice, modality="rna")
    np.testing.assert_array_equal(model.embed(twice, modality="atac"), model.embed(atac, modality="atac"))


def test_the_batch_may_stand_in_a_modality_that_is_not_looked_at(model, small):
    """As where ``mdata.obs`` says it: no cell is of an unseen batch, in whatever order the cells are."""
    rna, atac = small.mdata["rna"].copy(), small.mdata["atac"][::-1].copy()
    del atac.obs["batch"]
    with md.set_options(pull_on_update=False):
        data = md.MuData({"rna": rna, "atac": atac})
    assert "batch" not in data.obs
    found = model.translate(data, source="atac", target="prot")
    expected = model.translate(small.mdata, source="atac", target="prot")
    np.testing.assert_allclose(found.X, expected[found.obs_names].X, **CLOSE)


@pytest.mark.filterwarnings("ignore:.*'images' is ignored:multiome.MultiomeWarning")
def test_a_cell_without_any_known_modality_is_nan_with_a_warning(model, small):
    protein = small.mdata["prot"]
    data = md.MuData({"prot": protein, "images": small.mdata["met"].copy()})
    lacking = ~data.obs_names.isin(protein.obs_names)
    with pytest.warns(MultiomeWarning, match=rf"{lacking.sum()} cells have no measured 'prot'.*NaN"):
        z = model.embed(data)
    assert np.isnan(z[lacking]).all()
    assert np.isfinite(z[~lacking]).all()


def test_an_unknown_modality_lists_those_that_exist(model, small):
    with pytest.raises(UnknownName, match=r"modality 'hic'; there is 'rna', 'atac', 'prot', 'met'"):
        model.embed(small.mdata, modality="hic")
    with pytest.raises(UnknownName, match=r"modality 'atac' in the data; there is 'rna'"):
        model.embed(md.MuData({"rna": small.mdata["rna"]}), modality="atac")
    with pytest.raises(UnknownName, match=r"None of the data's modalities 'images' was trained on"):
        model.embed(md.MuData({"images": small.mdata["rna"]}))


def test_an_anndata_needs_its_modality_where_the_model_knows_several(model, small):
    with pytest.raises(UnknownName, match="say which of them"):
        model.embed(small.mdata["rna"])


def test_blocks_of_cells_do_not_matter(model, small, monkeypatch):
    whole = model.embed(small.mdata)
    monkeypatch.setattr("multiome.predict.embed.BLOCK", 7)
    np.testing.assert_allclose(model.embed(small.mdata), whole, **CLOSE)
