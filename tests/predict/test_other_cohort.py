"""Predicting for cells that came from elsewhere: other panels, other kinds of names, depth by name."""

from __future__ import annotations

import dataclasses

import mudata as md
import numpy as np
import pandas as pd
import pytest

import multiome as mo


def test_the_target_of_another_panel_or_scale_is_not_looked_at(model, small):
    rna, prot = small.mdata["rna"].copy(), small.mdata["prot"].copy()
    alone = model.impute(md.MuData({"rna": rna}), "prot", n_samples=2)
    prot.var_names = [f"other{i}" for i in range(prot.n_vars)]
    prot.X = prot.X.toarray() - 0.5
    beside = model.impute(md.MuData({"rna": rna, "prot": prot}), "prot", n_samples=2)
    np.testing.assert_array_equal(alone.mean, beside.mean)


def test_a_target_alone_leaves_nothing_to_predict_from(model, small):
    with pytest.raises(mo.UnknownName, match="'prot' only; nothing to predict 'prot' from"):
        model.impute(md.MuData({"prot": small.mdata["prot"].copy()}), "prot")


def test_depth_as_a_series_is_matched_by_name(model, small):
    rna = small.mdata["rna"]
    depth = pd.Series(np.linspace(50, 500, rna.n_obs), index=rna.obs_names)
    right = model.translate(rna, source="rna", target="prot", depth=depth.to_numpy()).X
    np.testing.assert_array_equal(model.translate(rna, source="rna", target="prot", depth=depth[::-1]).X, right)
    with pytest.raises(mo.MultiomeError, match="matched by the names"):
        model.translate(rna, source="rna", target="prot", depth=depth.reset_index(drop=True))


# anndata turns such names into text when it copies
@pytest.mark.filterwarnings("ignore:Transforming to str index")
def test_whole_numbers_as_feature_names(small, quick_fit):
    rna = small.mdata["rna"].copy()
    rna.var.index = pd.RangeIndex(rna.n_vars)
    model = quick_fit(rna, steps=2)
    shuffled = rna[:, ::-1].copy()
    np.testing.assert_allclose(model.embed(rna), model.embed(shuffled), atol=1e-5)


def test_a_batch_may_be_named_by_a_number(small, quick_fit):
    rna = small.mdata["rna"].copy()
    rna.obs["run"] = np.arange(rna.n_obs) % 2 + 1
    mdata = md.MuData({"rna": rna, "prot": small.mdata["prot"].copy()})
    model = quick_fit(mdata, batch_key="run", steps=2)
    one, same = (model.translate(mdata, source="rna", target="prot", batch=b).X for b in (1, "1"))
    np.testing.assert_array_equal(one, same)


def test_counts_are_refused_where_presence_was_fitted(small, quick_fit):
    atac = small.mdata["atac"].copy()
    atac.X = (atac.X > 0).astype(np.float32)
    model = quick_fit(atac, modalities={"atac": dataclasses.replace(mo.ATAC)}, steps=2)
    assert model.spec.modalities["atac"].likelihood == "Bernoulli"
    with pytest.raises(mo.InvalidCounts, match="describes presence"):
        model.embed(small.mdata["atac"].copy())
