"""What a user sees of training: history, few cells, one modality, settings that make no sense."""

from __future__ import annotations

import mudata as md
import numpy as np
import pytest

import multiome as mo


def test_history_is_a_tidy_table_of_finite_losses(model):
    table = model.history
    assert list(table.columns) == ["epoch", "cells", "loss", "value"]
    assert set(table["cells"]) == {"train", "val"}
    assert {"elbo", "total"} <= set(table["loss"])
    assert np.isfinite(table["value"]).all()
    assert not table.duplicated(["epoch", "cells", "loss"]).any()
    assert table["epoch"].is_monotonic_increasing
    assert table["epoch"].min() == 0


def test_changing_the_returned_history_does_not_change_the_model(model):
    model.history["value"] = 0
    assert model.history["value"].any()


def test_training_lowers_the_loss(quick_fit, small):
    table = quick_fit(small.mdata["rna"], train={"max_epochs": 12, "min_steps": 1}).history
    total = table[(table["loss"] == "total") & (table["cells"] == "train")]["value"].to_numpy()
    assert total[-1] < total[0]


@pytest.mark.filterwarnings("ignore:.*features are zero in every cell:multiome.MultiomeWarning")
@pytest.mark.parametrize(("n_cells", "validation"), [(1, 0.3), (2, 0.0), (3, 0.0), (3, 0.3), (20, 0.3)])
def test_fewer_cells_than_a_minibatch(quick_fit, small, n_cells, validation):
    full = small.mdata[small.truth.measured.all(axis=1).to_numpy()]
    few = full[:n_cells].copy()
    model = quick_fit(few, train={"batch_size": 1000, "validation": validation, "min_steps": 5})
    assert np.isfinite(model.embed(few)).all()
    assert np.isfinite(model.translate(few, source="rna", target="prot").X).all()


def test_all_cells_may_be_learnt_from(quick_fit, small):
    model = quick_fit(small.mdata, train={"validation": 0.0})
    assert set(model.history["cells"]) == {"train"}
    assert np.isfinite(model.embed(small.mdata)).all()


@pytest.mark.parametrize("batch_size", [7, 159, 161])
def test_any_size_of_minibatch(quick_fit, small, batch_size):
    model = quick_fit(small.mdata["rna"], train={"batch_size": batch_size, "max_epochs": 1, "min_steps": 1})
    assert np.isfinite(model.history["value"]).all()


def test_one_modality_in_a_mudata_is_the_same_as_an_anndata(quick_fit, small):
    rna = small.mdata["rna"]
    alone, wrapped = quick_fit(rna), quick_fit(md.MuData({"rna": rna}))
    np.testing.assert_array_equal(alone.embed(rna), wrapped.embed(md.MuData({"rna": rna})))
    assert list(alone.spec.modalities) == ["rna"]
    assert not {"clip", "cross"} & set(alone.history["loss"])


def test_cells_of_other_modalities_are_not_learnt_from(quick_fit, small):
    """Modalities that are left out leave no empty cells behind."""
    prot = small.mdata["prot"]
    model = quick_fit(small.mdata, modalities={"prot": mo.PROTEIN})
    alone = quick_fit(prot, modalities={"prot": mo.PROTEIN})
    assert model.spec.n_cells == prot.n_obs
    np.testing.assert_allclose(model.embed(prot), alone.embed(prot), rtol=1e-4, atol=1e-5)


def test_cells_that_are_dropped_everywhere_are_not_learnt_from(quick_fit, small):
    rna = small.mdata["rna"].copy()
    x = rna.X.toarray()
    x[:10] = 0
    rna.X = x
    model = quick_fit(rna, drop_empty=True)
    assert model.spec.n_cells == rna.n_obs - 10
    np.testing.assert_array_equal(model.embed(rna[10:]), quick_fit(rna[10:]).embed(rna[10:]))


@pytest.mark.parametrize(("key", "modality"), [("atac", mo.ATAC), ("prot", mo.PROTEIN), ("met", mo.METHYLATION)])
def test_an_anndata_of_any_assay(quick_fit, small, key, modality):
    adata = small.mdata[key]
    model = quick_fit(adata, modalities={key: modality})
    assert model.spec.modalities[key].kind == modality.name
    assert np.isfinite(model.embed(adata)).all()


def test_values_that_are_no_counts(quick_fit, small):
    adata = small.mdata["rna"].copy()
    adata.X = np.random.default_rng(0).normal(size=adata.shape).astype(np.float32)
    model = quick_fit(adata, modalities={"rna": mo.RNA.continuous()})
    assert model.spec.modalities["rna"].likelihood == "Normal"
    assert np.isfinite(model.embed(adata)).all()


def test_several_covariates(quick_fit, small):
    mdata = small.mdata.copy()
    mdata.obs["lane"] = np.where(np.arange(mdata.n_obs) % 3 == 0, "x", "y")
    model = quick_fit(mdata, batch_key=["batch", "lane"])
    assert [c.name for c in model.spec.covariates] == ["batch", "lane"]
    at = model.translate(mdata, source="rna", target="atac", batch=["batch1", "y"])
    assert np.isfinite(at.X).all()


@pytest.mark.parametrize(
    "given",
    [
        {"max_epochs": 0}, {"max_epochs": 1.5}, {"batch_size": 0}, {"batch_size": -1}, {"patience": 0},
        {"features_per_step": 0}, {"validation": 1.0}, {"validation": -0.1}, {"feature_dropout": 1.0},
        {"thinning": 0.0}, {"thinning": 1.1}, {"learning_rate": 0.0}, {"learning_rate": -1.0},
        {"learning_rate": float("nan")}, {"weight_decay": -0.1}, {"average": 1.0},
    ],
    ids=str,
)  # fmt: skip
def test_training_settings_are_checked(given):
    (name,) = given
    with pytest.raises((ValueError, TypeError), match=name):
        mo.TrainConfig(**given)


def test_an_unknown_accelerator_is_an_error(quick_fit, small):
    with pytest.raises(ValueError, match="abacus"):
        quick_fit(small.mdata["rna"], train={"accelerator": "abacus"})


@pytest.mark.parametrize("given", [{"n_latent": 0}, {"n_hidden": -1}, {"dropout": 1.0}, {"dropout": -0.1}], ids=str)
def test_model_sizes_are_checked(given):
    (name,) = given
    with pytest.raises(ValueError, match=name):
        mo.ModelConfig(**given)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_loss_weights_are_checked(value):
    with pytest.raises(ValueError, match="clip"):
        mo.LossWeights(clip=value)


def test_configurations_cannot_be_changed():
    with pytest.raises(AttributeError):
        mo.TrainConfig().max_epochs = 3
