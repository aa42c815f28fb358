"""Which batch a protein is predicted in where a cell's own batch was not measured in it."""

from __future__ import annotations

from dataclasses import replace

import mudata as md
import numpy as np
import pytest
import scipy.sparse as sp
import torch

import multiome as mo
from multiome.errors import MultiomeWarning
from multiome.predict.elsewhere import elsewhere, in_measured_batches, replacing


def test_the_batch_with_most_cells_that_have_a_feature_stands_for_those_that_lack_it():
    assert replacing(np.array([10, 0, 20])).tolist() == [0, 2, 2, -1]
    assert replacing(np.array([0, 5, 0])).tolist() == [1, 1, 1, 1]  # also for cells of no batch that is known
    assert replacing(np.array([40, 2, 3])).tolist() == [0, 0, 2, -1]  # one or two cells tell next to nothing
    for nothing in ([3, 4, 5], [2, 1, 2], [0, 0, 0]):
        assert replacing(np.array(nothing)).tolist() == [0, 1, 2, -1]


def test_covariates_are_replaced_one_by_one(model):
    spec = replace(
        model.spec.modalities["prot"],
        lacking=(((), (0, 1), ()), ((), (1, 2))),  # run b lacks 0 and 1, donor y lacks 1 and 2
        cells_per_level=((10, 30, 20), (50, 10)),
    )
    index = torch.tensor([[0, 0], [1, 0], [1, 1], [-1, -1]])
    found = {tuple(features.tolist()): instead.tolist() for features, instead in elsewhere(spec, index)}
    assert found == {
        (0,): [[0, 0], [2, 0], [2, 1], [-1, -1]],
        (1,): [[0, 0], [2, 0], [2, 0], [-1, 0]],
        (2,): [[0, 0], [1, 0], [1, 0], [-1, 0]],
    }
    assert not list(elsewhere(spec, index[:1]))
    assert not list(elsewhere(model.spec.modalities["prot"], index))


@pytest.fixture(scope="module")
def mosaic(quick_fit, small):
    """Proteins in the cells of batch1 alone."""
    rna, prot = small.mdata["rna"].copy(), small.mdata["prot"]
    rna.obs["batch"] = small.mdata.obs.loc[rna.obs_names, "batch"].to_numpy()
    here = (small.mdata.obs.loc[prot.obs_names, "batch"] == "batch1").to_numpy()
    return rna, quick_fit(md.MuData({"rna": rna, "prot": prot[here].copy()}), batch_key="batch")


def test_a_batch_without_a_modality_is_predicted_as_one_that_has_it(mosaic):
    rna, model = mosaic
    there = model.spec.covariates[0].levels.index("batch1")
    n_cells = np.asarray(model.spec.modalities["prot"].cells_per_level[0])
    assert np.flatnonzero(n_cells).tolist() == [there]
    with pytest.warns(MultiomeWarning, match="measured in no training cell of a 'batch' 'batch2'.*as in 'batch1'"):
        found = model.translate(rna, source="rna", target="prot")
    expected = model.translate(rna, source="rna", target="prot", batch="batch1")
    np.testing.assert_allclose(found.X, expected.X, rtol=1e-5)
    again = in_measured_batches(model.spec, "prot", np.array([[0], [1], [-1]]))
    assert (again == there).all()


def test_what_every_batch_has_stays_in_its_own(mosaic):
    _, model = mosaic
    index = np.array([[0], [1], [-1]])
    np.testing.assert_array_equal(in_measured_batches(model.spec, "rna", index), index)


def test_denoise_and_evaluate_say_so_too(mosaic, small):
    rna, model = mosaic
    both = md.MuData({"rna": rna, "prot": small.mdata["prot"].copy()})
    both["prot"].obs["batch"] = rna.obs["batch"].reindex(both["prot"].obs_names)
    for verb in (lambda: model.denoise(both, "prot"), lambda: model.evaluate(both, n_samples=20)):
        with pytest.warns(MultiomeWarning, match="'prot' was measured in no training cell of a 'batch' 'batch2'"):
            verb()


def test_a_deep_source_is_judged_in_its_own_batch(quick_fit):
    """A batch of RNA alone, ten times as deep as the others, tells nothing of how deep proteins would be."""
    sim = mo.datasets.simulate(
        n_cells=400, modalities=("rna", "prot"), n_genes=60, n_proteins=8, n_types=3, n_latent=4, seed=2
    )
    rna, prot = sim.mdata["rna"].copy(), sim.mdata["prot"].copy()
    batch = np.array(["a", "b", "c", "c"])[np.arange(400) % 4]
    deep = batch == "c"
    counts = rna.X.toarray()
    counts[deep] *= 10
    rna.X = sp.csr_matrix(counts)
    rna.obs["batch"], prot.obs["batch"] = batch, batch
    model = quick_fit(md.MuData({"rna": rna, "prot": prot[~deep].copy()}), batch_key="batch", steps=200)
    with pytest.warns(MultiomeWarning, match="as in"):
        found = model.translate(rna[deep].copy(), source="rna", target="prot").X.sum(1)
    there = np.asarray(prot.X.sum(1)).ravel()[~deep]
    assert 0.6 < np.median(found) / np.median(there) < 1.6
    named = model.translate(rna[deep].copy(), source="rna", target="prot", batch="a").X.sum(1)
    assert 0.6 < np.median(named) / np.median(there) < 1.6


def test_a_single_cell_does_not_tell_how_its_batch_looks(mosaic, small, quick_fit):
    rna, _ = mosaic
    prot = small.mdata["prot"]
    batch = small.mdata.obs.loc[prot.obs_names, "batch"].to_numpy()
    here = (batch == "batch1") | (np.arange(len(batch)) == np.flatnonzero(batch == "batch2")[0])
    model = quick_fit(md.MuData({"rna": rna, "prot": prot[here].copy()}), batch_key="batch")
    with pytest.warns(
        MultiomeWarning, match="'prot' was measured in fewer than 3 training cells of a 'batch' 'batch2'"
    ):
        found = model.translate(rna, source="rna", target="prot")
    expected = model.translate(rna, source="rna", target="prot", batch="batch1")
    np.testing.assert_allclose(found.X, expected.X, rtol=1e-5)
