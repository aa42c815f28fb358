"""Paths in place of data: what is at them, and what is said where it is something else."""

import anndata as ad
import h5py
import mudata as md
import numpy as np
import pandas as pd
import pytest
import zarr

import multiome as mo
from multiome.data.cells import Cells
from multiome.data.opened import files_of, opened
from multiome.errors import InvalidPairing, MultiomeError


@pytest.fixture(scope="module", params=["h5mu", "zarr"])
def whole(request, small, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / f"cells.{request.param}"
    getattr(small.mdata, f"write_{request.param}")(path)
    return path


@pytest.fixture(scope="module", params=["h5ad", "zarr"])
def one(request, small, tmp_path_factory):
    path = tmp_path_factory.mktemp("one") / f"rna.{request.param}"
    getattr(small.mdata["rna"], f"write_{request.param}")(path)
    return path


def test_all_modalities(whole, small):
    cells = opened(whole)
    assert isinstance(cells, Cells)
    assert list(cells.mods) == list(small.mdata.mod)
    assert cells.obs_names.equals(small.mdata.obs_names)
    for key, adata in small.mdata.mod.items():
        there = cells.observed(key)
        assert cells.mods[key].obs_names[cells.rows[key][there]].equals(small.mdata.obs_names[there])
        assert there.sum() == adata.n_obs
        assert set(cells.mods[key].layers) == set(adata.layers)


def test_one_modality(one, small):
    adata = opened(str(one))
    assert isinstance(adata, ad.AnnData)
    assert adata.obs_names.equals(small.mdata["rna"].obs_names)
    assert adata.var_names.equals(small.mdata["rna"].var_names)


def test_what_is_at_hand_is_left_as_it_is(small):
    assert opened(small.mdata) is small.mdata


def test_verbs_take_paths(model, small, whole, one):
    np.testing.assert_array_equal(model.embed(whole), model.embed(small.mdata))
    rna = small.mdata["rna"]
    np.testing.assert_array_equal(model.embed(one, modality="rna"), model.embed(rna, modality="rna"))
    there = model.translate(one, source="rna", target="prot")
    np.testing.assert_array_equal(there.X, model.translate(rna, source="rna", target="prot").X)
    assert there.obs_names.equals(rna.obs_names)
    mean = model.impute(whole, "prot", n_samples=2).mean
    np.testing.assert_array_equal(mean, model.impute(small.mdata, "prot", n_samples=2).mean)


def test_fit_takes_a_path(quick_fit, whole, small):
    train = mo.TrainConfig(max_epochs=1, progress_bar=False, accelerator="cpu")
    config = mo.ModelConfig(n_latent=4, n_hidden=8)
    found, expected = (mo.fit(data, batch_key="batch", train=train, config=config) for data in (whole, small.mdata))
    assert found.spec == expected.spec
    np.testing.assert_array_equal(found.embed(small.mdata), expected.embed(small.mdata))


def test_nothing_there(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file '.*absent\.h5mu'"):
        model.embed(tmp_path / "absent.h5mu")


def test_no_such_format(tmp_path):
    (tmp_path / "cells.h5mu").write_text("barcodes")
    with pytest.raises(MultiomeError, match=r"cells\.h5mu' is no whole \.h5mu, \.h5ad or \.zarr"):
        opened(tmp_path / "cells.h5mu")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MultiomeError, match=r"folder' is a folder, and no \.zarr"):
        opened(tmp_path / "folder")
    with pytest.raises(FileNotFoundError, match="There is no file ''"):
        opened("")


def test_half_a_file(whole, tmp_path):
    if whole.suffix == ".zarr":
        pytest.skip("a folder")
    half = tmp_path / "half.h5mu"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(MultiomeError, match="is no whole"):
        opened(half)


def test_something_else_in_it(tmp_path):
    zarr.open_group(tmp_path / "x.zarr", mode="w").create_group("images")
    with pytest.raises(MultiomeError, match="holds 'images' at its top; expected a MuData"):
        opened(tmp_path / "x.zarr")
    with h5py.File(tmp_path / "filtered_feature_bc_matrix.h5", "w") as file:
        file.create_group("matrix")
    with pytest.raises(MultiomeError, match=r"Read files of Cell Ranger with mo\.read_10x\("):
        opened(tmp_path / "filtered_feature_bc_matrix.h5")


def test_features_of_the_same_cells_side_by_side(small, tmp_path):
    with md.set_options(pull_on_update=False):
        data = md.MuData({"a": small.mdata["rna"][:50].copy(), "b": small.mdata["rna"][50:].copy()}, axis=1)
    data.write(tmp_path / "x.h5mu")
    with pytest.raises(InvalidPairing, match="axis=1"):
        opened(tmp_path / "x.h5mu")


def test_files_of_data(tmp_path):
    assert files_of(tmp_path / "x.h5mu") == [tmp_path / "x.h5mu"]
    assert files_of(ad.AnnData(np.ones((2, 2), dtype=np.float32))) == []
    assert files_of(pd.DataFrame({"a": [1]})) == []  # refused later, with a word of what is expected
    assert files_of(None) == []
