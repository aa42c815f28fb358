"""Which batch a protein is predicted in where a cell's own batch was not measured in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from multiome.data.spec import Covariate
from multiome.predict.elsewhere import elsewhere, replacing

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
