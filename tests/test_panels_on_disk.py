"""Sets of cells with different antibody panels that stay on disk: learnt and predicted as in memory."""

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import multiome as mo
from multiome.data import stored
from multiome.data.build import prepare
from multiome.data.panels_on_disk import PanelTally
from multiome.data.query import read_query
from multiome.errors import InvalidCounts, MultiomeWarning, SpecMismatch

pytestmark = pytest.mark.usefixtures("few_in_memory")

N = 160


@pytest.fixture(scope="module")
def whole(small):
    """Three panels, one of them of six cells beside each other, and a protein that is in none."""
    return with_panels(small.mdata)


def with_panels(mdata):
    prot = mdata["prot"].copy()
    x = prot.X.toarray()
    x[:60, 2] = np.nan
    x[60:66, [0, 5]] = np.nan
    x[:, 7] = np.nan
    prot.X = x
    prot.obs["batch"] = np.where(np.arange(prot.n_obs) < 60, "early", "late")
    rna = mdata["rna"].copy()
    rna.obs["batch"] = prot.obs["batch"].reindex(rna.obs_names).fillna("late")
    return md.MuData({"rna": rna, "prot": prot})


@pytest.fixture(scope="module", params=["h5mu", "zarr"])
def path(request, whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("panels") / f"cells.{request.param}"
    getattr(whole, f"write_{request.param}")(path)
    return path


def prepared(data):
    with pytest.warns(MultiomeWarning, match="'prot': 1 of 8 features are NaN in every cell"):
        return prepare(data, modalities=None, batch_key="batch", drop_empty=False)


def test_what_the_model_is_built_for_is_the_same(path, whole):
    (spec, there), (expected, at_hand) = prepared(path), prepared(whole)
    assert isinstance(there.matrices["prot"].values, stored.StoredRows)
    found, wanted = spec.modalities["prot"], expected.modalities["prot"]
    for name in ("features", "other_features", "n_cells", "n_panels", "lacking", "cells_per_level", "n_components"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert found.notes[: len(wanted.notes)] == wanted.notes
    assert found.n_panels == 3
    np.testing.assert_allclose(found.share, wanted.share, rtol=1e-5)
    assert found.median_depth == pytest.approx(wanted.median_depth)
    for part in ("measured", "member"):
        np.testing.assert_array_equal(
            getattr(there.matrices["prot"].panels, part), getattr(at_hand.matrices["prot"].panels, part)
        )
    np.testing.assert_allclose(there.matrices["prot"].depth, at_hand.matrices["prot"].depth, rtol=1e-5)


def test_minibatches_are_the_same(path, whole):
    (_, there), (_, at_hand) = prepared(path), prepared(whole)
    index = np.array([3, 150, 60, 61, 62, 66])
    found, expected = there.take(index), at_hand.take(index)
    np.testing.assert_array_equal(found.counts["prot"].dense(), expected.counts["prot"].dense())
    np.testing.assert_array_equal(found.measured["prot"], expected.measured["prot"])
    assert not found.counts["prot"].dense().isnan().any()


@pytest.fixture(scope="module")
def fitted(whole, quick_fit):
    return quick_fit(whole, batch_key="batch", steps=30)


@pytest.mark.filterwarnings("ignore:.*features are NaN in every cell")
def test_predictions_are_the_same(path, whole, fitted):
    np.testing.assert_allclose(fitted.embed(path), fitted.embed(whole), rtol=1e-4, atol=1e-5)
    for source, target in (("prot", "rna"), ("rna", "prot")):
        found, expected = (fitted.translate(data, source=source, target=target) for data in (path, whole))
        np.testing.assert_allclose(found.X, expected.X, rtol=1e-4)
    found, expected = (fitted.denoise(data, "prot", scale="clr") for data in (path, whole))
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*features are NaN in every cell")
def test_fit(path, whole):
    train = mo.TrainConfig(max_epochs=2, batch_size=32, validation=0.2, progress_bar=False, accelerator="cpu")
    model = mo.fit(path, batch_key="batch", config=mo.ModelConfig(n_latent=4, n_hidden=8), train=train)
    assert np.isfinite(model.history["value"]).all()
    assert np.isfinite(model.impute(path, "prot", n_samples=2).mean).all()


def changed(whole, tmp_path, change):
    x = whole["prot"].X.copy()
    change(x)
    prot = ad.AnnData(x, obs=whole["prot"].obs, var=whole["prot"].var)
    data = md.MuData({"rna": whole["rna"], "prot": prot})
    data.write(tmp_path / "cells.h5mu")
    return tmp_path / "cells.h5mu", data


def scattered(x):
    rows = np.random.default_rng(0).permutation(len(x))[:60]
    x[rows, np.arange(60) % 7] = np.nan
    x[rows, (np.arange(60) // 7) % 7] = np.nan


def one_cell(x):
    x[100, 3] = np.nan


@pytest.mark.parametrize(
    ("change", "complaint"),
    [(scattered, "cells differ in .* ways in which features are NaN"), (one_cell, "of them of fewer than 5 cells")],
)
def test_scattered_nan_are_no_panels(whole, tmp_path, change, complaint):
    for data in changed(whole, tmp_path, change):
        with pytest.raises(InvalidCounts, match=complaint):
            prepare(data, modalities=None, batch_key="batch", drop_empty=False)


def test_more_patterns_than_panels_are_said_before_the_end():
    x = np.ones((60, 70), dtype=np.float32)
    x[np.arange(60), np.arange(60)] = np.nan
    tally = PanelTally("prot", pd.Index([f"p{i}" for i in range(70)]), 10**6, fitted=True)
    with pytest.raises(InvalidCounts, match="cells differ in 60 ways in which features are NaN"):
        tally.add(slice(0, 60), sp.csr_matrix(x))


def test_a_query_whose_panel_lacks_most(whole, fitted, tmp_path):
    def few(x):
        x[66:80, 1:] = np.nan

    path, data = changed(whole, tmp_path, few)
    for cells in (path, data):
        with pytest.raises(SpecMismatch, match="In 14 cells, whose panel that is, the others are NaN"):
            fitted.embed(cells)
    found, expected = (read_query(cells, fitted.spec, min_features=0.1)[1].matrices["prot"] for cells in (path, data))
    np.testing.assert_allclose(found.depth, expected.depth, rtol=1e-5)
    np.testing.assert_array_equal(
        found.panels.of(np.arange(len(found.depth))), expected.panels.of(np.arange(len(expected.depth)))
    )


@pytest.mark.filterwarnings("ignore:.*features are NaN in every cell")
def test_cells_that_are_nan_throughout_were_not_measured(whole, tmp_path):
    def nothing(x):
        x[80:90] = np.nan

    path, data = changed(whole, tmp_path, nothing)
    for cells in (path, data):
        with pytest.raises(InvalidCounts, match=r"'prot': 10 of .* not a single count"):
            prepare(cells, modalities=None, batch_key="batch", drop_empty=False)
    found, expected = (
        prepare(cells, modalities=None, batch_key="batch", drop_empty=True)[0].modalities["prot"]
        for cells in (path, data)
    )
    assert found.n_cells == expected.n_cells
    assert found.features == expected.features
