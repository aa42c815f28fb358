"""Measured values beside predictions: read, checked and transformed as the training data were."""

from __future__ import annotations

from dataclasses import replace

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from multiome.errors import InvalidCounts, InvalidPairing, MultiomeError, MultiomeWarning, UnknownName


@pytest.fixture(scope="module")
def cells(small):
    return small.mdata[small.truth.measured.all(axis=1).to_numpy()][:20].copy()


@pytest.fixture(scope="module")
def atac(model, cells):
    return model.impute(cells, "atac", n_samples=5)


def fitted_on(prediction, **changes):
    """The prediction of a model that was fitted on something else."""
    return replace(prediction, spec=replace(prediction.spec, **changes))


def test_the_layer_that_the_model_was_fitted_on_is_read(atac, cells):
    observed = cells["atac"].copy()
    observed.layers["counts"] = observed.X.copy()
    observed.X = np.log1p(observed.X.toarray())
    found = fitted_on(atac, layer="counts").pit(observed)
    np.testing.assert_array_equal(found, atac.pit(cells["atac"]))
    with pytest.raises(UnknownName, match="layer 'counts' of 'atac'"):
        fitted_on(atac, layer="counts").pit(cells["atac"])


def test_cut_sites_are_halved(atac, cells):
    observed = cells["atac"].copy()
    observed.X = observed.X * 2
    np.testing.assert_array_equal(fitted_on(atac, halved=True).pit(observed), atac.pit(cells["atac"]))


def test_cp10k_refers_to_genes_that_were_not_selected_too(model, cells):
    rna = cells["rna"]
    kept, others = rna.var_names[:50], tuple(rna.var_names[50:])
    found = model.impute(cells["atac"], "rna", scale="log_cp10k", features=list(kept), n_samples=5)
    spec = replace(found.spec, features=tuple(kept), other_features=others)
    values, _ = replace(found, spec=spec).observed_values(rna)
    x = rna.X.toarray()
    np.testing.assert_allclose(values, np.log1p(1e4 * x / x.sum(1, keepdims=True))[:, :50], rtol=1e-4)


@pytest.mark.parametrize(("value", "problem"), [(0.5, "not whole numbers"), (-1, "negative"), (np.nan, "NaN")])
def test_values_are_checked_as_at_training(atac, cells, value, problem):
    observed = cells["atac"].copy()
    x = observed.X.toarray()
    x[3, 2] = value
    observed.X = x
    with pytest.raises(InvalidCounts, match=rf"'atac' .*{problem}"):
        atac.pit(observed)


def test_methylation_is_checked_as_at_training(model, cells):
    found = model.impute(cells, "met", n_samples=5)
    observed = cells["met"].copy()
    observed.X = sp.csr_matrix(observed.layers["coverage"]) * 2
    with pytest.raises(InvalidCounts, match="methylated calls exceed the coverage"):
        found.pit(observed)


@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
def test_observed_cells_must_be_unique(atac, cells):
    with pytest.raises(InvalidPairing, match="'atac': obs_names are not unique"):
        atac.pit(ad.concat([cells["atac"], cells["atac"]]))


def test_foreground_cannot_be_observed(model, cells):
    found = model.impute(cells, "prot", scale="foreground", n_samples=5)
    with pytest.raises(MultiomeError, match=r"'foreground' has no observed counterpart.*scale='counts'"):
        found.pit(cells["prot"])


@pytest.mark.filterwarnings("ignore:.*have no measured:multiome.MultiomeWarning")
@pytest.mark.parametrize("target", ["atac", "met"])
def test_cells_that_were_not_predicted_are_nan(model, cells, target):
    some = cells.copy()
    for key in [key for key in some.mod if key != target]:
        some.mod[key] = some[key][4:].copy()
    some.update()
    found = model.impute(some, target, n_samples=5).pit(cells[target])
    lacking = ~some.obs_names.isin(some["rna"].obs_names)
    assert lacking.sum() == 4
    assert np.isnan(found[lacking]).all()
    assert (np.isfinite(found[~lacking]).sum(1) > 0).all()


def test_the_seed_is_checked(atac, cells):
    with pytest.raises(MultiomeError, match="`seed` must be a whole number of at least 0, got -1"):
        atac.pit(cells["atac"], seed=-1)


def test_cells_of_another_depth_say_nothing_of_calibration(model, cells, recwarn):
    prot = cells["prot"]
    own = np.asarray(prot.X.sum(1)).ravel().astype(float)
    with pytest.warns(MultiomeWarning, match=r"Predicted were 7 counts per cell .* in 20 of 20 cells another number"):
        model.impute(cells, "prot", n_samples=5, depth=7.0).pit(prot)
    with pytest.warns(MultiomeWarning, match=r"predict with depth='predicted'"):
        model.impute(cells, "prot", n_samples=5, depth="reference").pit(prot)
    recwarn.clear()
    model.impute(cells, "prot", n_samples=5, depth=own).pit(prot)
    model.impute(cells, "prot", n_samples=5).pit(prot)
    assert not [w for w in recwarn if issubclass(w.category, MultiomeWarning)]


def test_smoothed_values_say_nothing_of_calibration(model, cells):
    with pytest.warns(MultiomeWarning, match="was shown the cells' own values"):
        model.denoise(cells, "prot", n_samples=5).pit(cells["prot"])
