"""Data as users bring them: every storage, views, files on disk, and wrong types; and nothing in them changes."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import multiome as mo
from multiome.errors import InvalidCounts, InvalidPairing

REPOSITORY = Path(__file__).resolve().parents[1]
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def with_zeros(x: sp.csr_matrix) -> sp.csr_matrix:
    """The same values, some zeros stored."""
    dense = x.toarray()
    full = sp.csr_matrix(dense + 1)
    full.data = full.data - 1
    return full


def reversed_rows(x: sp.csr_matrix) -> sp.csr_matrix:
    """The same values, columns of each row from right to left."""
    order = np.concatenate([np.arange(b - 1, a - 1, -1) for a, b in zip(x.indptr[:-1], x.indptr[1:], strict=True)])
    return sp.csr_matrix((x.data[order], x.indices[order], x.indptr), shape=x.shape)


FORMS = {
    "dense": lambda x: x.toarray(),
    "integers": lambda x: x.astype(np.int64),
    "unsigned": lambda x: x.astype(np.uint16),
    "dense integers": lambda x: x.toarray().astype(np.int32),
    "float64": lambda x: x.astype(np.float64),
    "float16": lambda x: x.toarray().astype(np.float16),
    "csc": sp.csc_matrix,
    "csr_array": sp.csr_array,
    "csc_array": sp.csc_array,
    "boolean": lambda x: (x > 0).toarray(),
    "stored zeros": with_zeros,
    "unsorted": reversed_rows,
}


@pytest.mark.parametrize("form", FORMS)
def test_any_storage_gives_the_same_embedding(model, small, form):
    rna = small.mdata["rna"]
    other = rna.copy()
    other.X = FORMS[form](rna.X)
    plain = rna.copy()
    if form == "boolean":
        plain.X = (rna.X > 0).astype(np.float32)
    np.testing.assert_allclose(model.embed(other, modality="rna"), model.embed(plain, modality="rna"), **CLOSE)


@pytest.mark.parametrize("form", [f for f in FORMS if f not in ("boolean", "float16")])
def test_any_storage_can_be_trained_on(quick_fit, small, form):
    """Methylation is the hardest: its coverage need not store what its calls store."""
    met = small.mdata["met"].copy()
    met.X, met.layers["coverage"] = FORMS[form](met.X), FORMS[form](met.layers["coverage"])
    plain = quick_fit(small.mdata["met"], modalities={"met": mo.METHYLATION}, steps=2)
    model = quick_fit(met, modalities={"met": mo.METHYLATION}, steps=2)
    np.testing.assert_allclose(model.embed(met), plain.embed(small.mdata["met"]), **CLOSE)


def test_counts_in_layers(quick_fit, small):
    rna = small.mdata["rna"].copy()
    rna.layers["counts"] = rna.X.copy()
    rna.X = np.log1p(rna.X.toarray())
    model = quick_fit(rna, modalities={"rna": mo.RNA.with_layer("counts")})
    plain = quick_fit(small.mdata["rna"])
    np.testing.assert_array_equal(model.embed(rna), plain.embed(small.mdata["rna"]))


def test_no_x_at_all_names_the_layers(quick_fit, small):
    rna = small.mdata["rna"].copy()
    rna.layers["counts"] = rna.X.copy()
    rna.X = None
    with pytest.raises(mo.UnknownName, match=r"'rna' has no \.X; name the layer .*'counts'"):
        quick_fit(rna)
    quick_fit(rna, modalities={"rna": mo.RNA.with_layer("counts")}, steps=1)


def test_counts_in_raw_are_not_taken_silently(quick_fit, small):
    rna = small.mdata["rna"].copy()
    rna.raw = rna
    rna.X = np.log1p(rna.X.toarray())
    with pytest.raises(InvalidCounts, match="must hold raw counts"):
        quick_fit(rna)


def test_views(model, quick_fit, small):
    mdata, rna = small.mdata, small.mdata["rna"]
    assert rna[::2].is_view
    np.testing.assert_allclose(model.embed(rna[::2], modality="rna"), model.embed(rna, modality="rna")[::2], **CLOSE)
    np.testing.assert_allclose(model.embed(mdata[:50]), model.embed(mdata)[:50], **CLOSE)
    mask = mdata.obs["cell_type"].to_numpy() == "type1"
    np.testing.assert_allclose(model.embed(mdata[mask]), model.embed(mdata)[mask], **CLOSE)
    quick_fit(mdata[:100], batch_key="batch", steps=1)


def test_a_mudata_that_was_not_updated(quick_fit, small):
    mdata = small.mdata.copy()
    mdata.mod["rna"] = mdata["rna"][:50].copy()
    with pytest.raises(InvalidPairing, match=r"'rna'.*mdata\.update\(\)"):
        quick_fit(mdata)
    mdata = small.mdata.copy()
    mdata.mod["extra"] = mdata["rna"].copy()
    with pytest.raises(InvalidPairing, match=r"'extra' was added after .*mdata\.update\(\)"):
        quick_fit(mdata)
    mdata = small.mdata.copy()
    mdata["rna"].obs_names = [f"x{name}" for name in mdata["rna"].obs_names]
    with pytest.raises(InvalidPairing, match=r"'rna'.*mdata\.update\(\)"):
        quick_fit(mdata)


@pytest.mark.filterwarnings("ignore:Transforming to str index:UserWarning")
def test_names_that_are_numbers(quick_fit, small):
    rna = small.mdata["rna"].copy()
    numbers = ad.AnnData(rna.X, obs=pd.DataFrame(index=range(rna.n_obs)), var=pd.DataFrame(index=range(rna.n_vars)))
    model = quick_fit(numbers)
    assert model.spec.modalities["rna"].features[:3] == ("0", "1", "2")
    assert np.isfinite(model.embed(numbers)).all()
    numbers.obs["donor"] = np.arange(rna.n_obs) % 2
    model = quick_fit(numbers, batch_key="donor")
    assert model.spec.covariates[0].levels == ("0", "1")


@pytest.mark.parametrize("kind", ["category", "string", "object", "bool"])
def test_batches_of_any_type(quick_fit, small, kind):
    mdata = small.mdata.copy()
    first = mdata.obs["batch"] == "batch1"
    mdata.obs["donor"] = first if kind == "bool" else first.map({True: "a", False: "b"}).astype(kind)
    model = quick_fit(mdata, batch_key="donor", steps=1)
    levels = model.spec.covariates[0].levels
    assert levels == (("False", "True") if kind == "bool" else ("a", "b"))
    assert np.isfinite(model.translate(mdata, source="rna", target="atac", batch=levels[0]).X).all()


def test_a_category_without_cells_is_no_level(quick_fit, small):
    mdata = small.mdata.copy()
    mdata.obs["batch"] = mdata.obs["batch"].cat.add_categories("batch3")
    assert quick_fit(mdata, batch_key="batch", steps=1).spec.covariates[0].levels == ("batch1", "batch2")


def on_disk(small, tmp_path: Path) -> Path:
    path = tmp_path / "cells.h5mu"
    small.mdata.write_h5mu(path)
    return path


def test_a_mudata_backed_by_a_file(model, quick_fit, small, tmp_path):
    path = on_disk(small, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what mudata says while it opens
        backed = md.read_h5mu(path, backed="r")
    np.testing.assert_allclose(model.embed(backed), model.embed(small.mdata), **CLOSE)
    quick_fit(backed, batch_key="batch", steps=1)


@pytest.mark.parametrize("dense", [True, False])
def test_an_anndata_backed_by_a_file(model, small, tmp_path, dense):
    rna = small.mdata["rna"].copy()
    rna.X = rna.X.toarray() if dense else rna.X
    rna.write_h5ad(tmp_path / "rna.h5ad")
    backed = ad.read_h5ad(tmp_path / "rna.h5ad", backed="r")
    np.testing.assert_allclose(model.embed(backed, modality="rna"), model.embed(rna, modality="rna"), **CLOSE)
    found = model.translate(backed, source="rna", target="prot")
    np.testing.assert_allclose(found.X, model.translate(rna, source="rna", target="prot").X, **CLOSE)
    backed.file.close()


def contents(mdata: md.MuData) -> dict[str, bytes]:
    """Everything that a user could notice, as bytes."""
    found = {"obs": mdata.obs.to_csv().encode(), "keys": repr(mdata).encode()}
    for key, adata in mdata.mod.items():
        for name, x in {"X": adata.X, **adata.layers}.items():
            for part in ("data", "indices", "indptr"):
                found[f"{key}/{name}/{part}"] = np.asarray(getattr(x, part)).tobytes()
        found[f"{key}/obs"], found[f"{key}/var"] = adata.obs.to_csv().encode(), adata.var.to_csv().encode()
    return found


@pytest.mark.parametrize("zeros", [False, True])
def test_user_data_are_unchanged(quick_fit, small, zeros):
    mdata = small.mdata.copy()
    if zeros:
        mdata["met"].layers["coverage"] = reversed_rows(with_zeros(mdata["met"].layers["coverage"]))
        mdata["rna"].X = reversed_rows(mdata["rna"].X)
    before = contents(mdata)
    model = quick_fit(mdata, batch_key="batch")
    model.embed(mdata)
    model.translate(mdata, source="rna", target="met")
    model.impute(mdata, "prot", n_samples=2)
    assert contents(mdata) == before


def test_results_share_no_memory_with_the_data(model, small):
    rna = small.mdata["rna"].copy()
    found = model.translate(rna, source="rna", target="atac")
    found.obs["batch"] = "changed"
    assert "changed" not in set(rna.obs["batch"])
