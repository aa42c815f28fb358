"""Bad data shown to a fitted model later are named errors as well."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from multiome.errors import InvalidCounts, InvalidPairing, MultiomeWarning, SpecMismatch


def test_other_features_than_at_training(model, rna):
    with pytest.raises(SpecMismatch, match=r"'rna': none of the 40 features .*Check the feature names"):
        model.embed(rna, modality="rna")


def test_invalid_counts(model, small):
    data = small.mdata["rna"].copy()
    data.X = np.log1p(data.X.toarray())
    with pytest.raises(InvalidCounts, match="'rna' must hold raw counts"):
        model.translate(data, source="rna", target="atac")


def test_an_empty_cell(model, small):
    data = small.mdata["rna"].copy()
    x = data.X.toarray()
    x[4] = 0
    data.X = sp.csr_matrix(x)
    with pytest.raises(InvalidCounts, match=rf"1 of 160 cells .*{data.obs_names[4]}.*drop_empty=True"):
        model.embed(data, modality="rna")
    with pytest.warns(MultiomeWarning, match="1 cells have no measured 'rna'"):
        z = model.embed(data, modality="rna", drop_empty=True)
    assert np.isnan(z[4]).all()
    assert np.isfinite(np.delete(z, 4, axis=0)).all()


@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
def test_duplicate_cells(model, small):
    data = ad.concat([small.mdata["rna"][:3], small.mdata["rna"][:3]])
    data.obs["batch"] = "batch1"
    with pytest.raises(InvalidPairing, match="obs_names are not unique"):
        model.embed(data, modality="rna")


def test_an_output_that_exists(model, tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(tmp_path / "model")
    assert (tmp_path / "model").read_text() == "mine"
