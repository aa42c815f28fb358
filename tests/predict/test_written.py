"""Predictions that are written as they are made are those that are returned."""

import anndata as ad
import numpy as np
import pytest

from multiome.errors import MultiomeError
from multiome.predict import embed, written


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(embed, "BLOCK", 48)
    monkeypatch.setattr(written, "BLOCK", 48)
    monkeypatch.setattr(written, "CHUNK", 7)


def read(path):
    return ad.read_zarr(path) if path.suffix == ".zarr" else ad.read_h5ad(path)


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
@pytest.mark.parametrize("given", [{}, {"scale": "probability", "features": ["peak3", "peak0"]}], ids=["all", "some"])
def test_the_same_as_in_memory(model, small, tmp_path, suffix, given):
    if "features" in given:
        given = given | {"features": list(small.mdata["atac"].var_names[[3, 0]])}
    expected = model.translate(small.mdata["rna"], source="rna", target="atac", **given)
    path = tmp_path / f"atac{suffix}"
    shown = model.translate(small.mdata["rna"], source="rna", target="atac", out=path, **given)
    assert not isinstance(shown.X, np.ndarray)
    np.testing.assert_array_equal(shown.X[:], expected.X)
    found = read(path)
    np.testing.assert_array_equal(found.X, expected.X)
    assert found.X.dtype == np.float32
    assert found.obs_names.equals(expected.obs_names)
    assert found.var_names.equals(expected.var_names)
    assert set(found.obs) == set(expected.obs)
    assert set(found.var) == set(expected.var)
    assert found.uns["multiome"] == shown.uns["multiome"] == expected.uns["multiome"]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_nothing_is_replaced_unless_it_may_be(model, small, tmp_path, suffix):
    path = tmp_path / f"prot{suffix}"
    model.translate(small.mdata["rna"], source="rna", target="prot", out=path)
    few = small.mdata["rna"][:9].copy()
    with pytest.raises(FileExistsError, match="exists; choose another name, or pass overwrite=True"):
        model.translate(few, source="rna", target="prot", out=path)
    assert read(path).n_obs == 160
    model.translate(few, source="rna", target="prot", out=str(path), overwrite=True)
    assert read(path).n_obs == 9
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_where_nothing_can_be_written(model, small, tmp_path):
    rna = small.mdata["rna"]
    with pytest.raises(MultiomeError, match=r"`out` must be named \.h5ad or \.zarr, got 'atac\.csv'"):
        model.translate(rna, source="rna", target="atac", out="atac.csv")
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        model.translate(rna, source="rna", target="atac", out=tmp_path / "absent" / "x.zarr")
    (tmp_path / "x.zarr").write_text("")
    with pytest.raises(FileExistsError, match="is a file, and a folder is to be written"):
        model.translate(rna, source="rna", target="atac", out=tmp_path / "x.zarr", overwrite=True)
    (tmp_path / "x.h5ad").mkdir()
    with pytest.raises(FileExistsError, match="is a folder; name a file"):
        model.translate(rna, source="rna", target="atac", out=tmp_path / "x.h5ad", overwrite=True)


def test_nothing_is_left_where_it_fails(model, small, tmp_path, monkeypatch):
    def broken(*_, **__):
        yield np.arange(48), np.zeros((48, 60), dtype=np.float32)
        raise RuntimeError("no more")

    monkeypatch.setattr(written, "expected_by_block", broken)
    with pytest.raises(RuntimeError, match="no more"):
        model.translate(small.mdata["rna"], source="rna", target="atac", out=tmp_path / "atac.zarr")
    assert not list(tmp_path.iterdir())
