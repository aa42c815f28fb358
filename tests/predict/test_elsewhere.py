"""Which batch a protein is predicted in where a cell's own batch was not measured in it."""

from __future__ import annotations

from dataclasses import replace

import mudata as md
import numpy as np
import pytest
import torch

from multiome.data.spec import Covariate
from multiome.errors import MultiomeWarning
from multiome.predict.elsewhere import elsewhere, in_measured_batches, replacing

RUN, DONOR = Covariate("run", ("a", "b", "c"), (10, 30, 20)), Covariate("donor", ("x", "y"), (50, 10))


def test_the_largest_batch_that_has_a_feature_stands_for_those_that_lack_it():
    lacks_in_b = np.array([False, True, False])
    assert replacing(RUN, lacks_in_b).tolist() == [0, 2, 2, 2]  # also for cells of no known batch
    assert replacing(RUN, ~lacks_in_b).tolist() == [1, 1, 1, 1]
    for nothing in (np.zeros(3, dtype=bool), np.ones(3, dtype=bool)):
        assert replacing(RUN, nothing).tolist() == [0, 1, 2, -1]


def test_covariates_are_replaced_one_by_one(model):
    spec = replace(
        model.spec.modalities["prot"], lacking=(((), (0, 1), ()), ((), (1, 2)))
    )  # run b lacks 0 and 1, donor y lacks 1 and 2
    index = torch.tensor([[0, 0], [1, 0], [1, 1], [-1, -1]])
    found = {tuple(features.tolist()): instead.tolist() for features, instead in elsewhere(spec, (RUN, DONOR), index)}
    assert found == {
        (0,): [[0, 0], [2, 0], [2, 1], [2, -1]],
        (1,): [[0, 0], [2, 0], [2, 0], [2, 0]],
        (2,): [[0, 0], [1, 0], [1, 0], [-1, 0]],
    }
    assert not list(elsewhere(spec, (RUN, DONOR), index[:1]))
    assert not list(elsewhere(model.spec.modalities["prot"], (RUN, DONOR), index))


@pytest.fixture(scope="module")
def mosaic(quick_fit, small):
    """Proteins in the cells of batch1 alone."""
    rna, prot = small.mdata["rna"].copy(), small.mdata["prot"]
    rna.obs["batch"] = small.mdata.obs.loc[rna.obs_names, "batch"].to_numpy()
    here = (small.mdata.obs.loc[prot.obs_names, "batch"] == "batch1").to_numpy()
    return rna, quick_fit(md.MuData({"rna": rna, "prot": prot[here].copy()}), batch_key="batch")


def test_a_batch_without_a_modality_is_predicted_as_one_that_has_it(mosaic):
    rna, model = mosaic
    levels = model.spec.covariates[0].levels
    there = levels.index("batch1")
    assert model.spec.modalities["prot"].absent == (tuple(i for i in range(len(levels)) if i != there),)
    assert model.spec.modalities["rna"].absent == ()
    with pytest.warns(MultiomeWarning, match="measured in no training cell of 'batch' 'batch2'.*as in 'batch1'"):
        found = model.translate(rna, source="rna", target="prot")
    expected = model.translate(rna, source="rna", target="prot", batch="batch1")
    np.testing.assert_allclose(found.X, expected.X, rtol=1e-5)
    again = in_measured_batches(model.spec, "prot", np.array([[0], [1], [-1]]))
    assert (again == there).all()


def test_what_every_batch_has_stays_in_its_own(mosaic, recwarn):
    _, model = mosaic
    index = np.array([[0], [1], [-1]])
    assert in_measured_batches(model.spec, "rna", index) is index
    assert not recwarn.list
