"""What a user sees of training: history, few cells, one modality, settings that make no sense."""

from __future__ import annotations

import mudata as md
import numpy as np
import pytest
import torch
from pytorch_lightning.accelerators import AcceleratorRegistry

import multiome as mo
from multiome.errors import MultiomeError
from multiome.train import loop
from multiome.train.config import ACCELERATORS
from multiome.train.datamodule import loader
from multiome.train.loop import MAX_CHECKS
from multiome.train.task import CLIP_EVERY, IntegrationTask


def test_history_is_a_tidy_table_of_finite_losses(model):
    table = model.history
    assert list(table.columns) == ["epoch", "cells", "loss", "value"]
    assert set(table["cells"]) == {"train", "val"}
    assert {"elbo", "total"} <= set(table["loss"])
    assert np.isfinite(table["value"]).all()
    assert not table.duplicated(["epoch", "cells", "loss"]).any()
    assert table["epoch"].is_monotonic_increasing
    assert table["epoch"].min() == 0


def test_held_out_cells_have_a_row_where_they_were_scored_only(quick_fit, small):
    """Many epochs are not all scored; Lightning would repeat what an earlier one has logged."""
    settings = {"max_epochs": 2 * MAX_CHECKS, "batch_size": 256, "validation": 0.3, "patience": MAX_CHECKS}
    table = quick_fit(small.mdata["prot"], train=settings).history
    scored = table[table["cells"] == "val"]["epoch"].unique()
    np.testing.assert_array_equal(scored, np.arange(1, 2 * MAX_CHECKS, 2))
    np.testing.assert_array_equal(table[table["cells"] == "train"]["epoch"].unique(), np.arange(2 * MAX_CHECKS))


def test_of_many_held_out_cells_some_are_scored(quick_fit, small, monkeypatch):
    scored = []

    def noted(cells, rows, batch_size, **given):
        if given.get("seed") is None:  # in order: not to be trained on
            scored.append(rows)
        return loader(cells, rows, batch_size, **given)

    monkeypatch.setattr(loop, "loader", noted)
    quick_fit(small.mdata, steps=10, train={"validation": 0.3})
    monkeypatch.setattr(loop, "MAX_CHECKED", 25)
    quick_fit(small.mdata, steps=10, train={"validation": 0.3})
    whole, some = scored
    assert len(whole) > len(some) == 25
    assert np.isin(some, whole).all()
    assert (np.diff(some) > 0).all()


def test_changing_the_returned_history_does_not_change_the_model(model):
    model.history["value"] = 0
    assert model.history["value"].any()


def test_training_lowers_the_loss(quick_fit, small):
    table = quick_fit(small.mdata["rna"], train={"max_epochs": 12}).history
    total = table[(table["loss"] == "total") & (table["cells"] == "train")]["value"].to_numpy()
    assert total[-1] < total[0]


@pytest.mark.filterwarnings("ignore:.*features are zero in every cell:multiome.MultiomeWarning")
@pytest.mark.filterwarnings("ignore:There (is|are) .* to learn from:multiome.MultiomeWarning")
@pytest.mark.parametrize(("n_cells", "validation"), [(1, 0.3), (2, 0.0), (3, 0.0), (3, 0.3), (20, 0.3)])
def test_fewer_cells_than_a_minibatch(quick_fit, small, n_cells, validation):
    full = small.mdata[small.truth.measured.all(axis=1).to_numpy()]
    few = full[:n_cells].copy()
    model = quick_fit(few, steps=5, train={"batch_size": 1000, "validation": validation})
    assert np.isfinite(model.embed(few)).all()
    assert np.isfinite(model.translate(few, source="rna", target="prot").X).all()


@pytest.mark.filterwarnings("ignore:.*features are zero in every cell:multiome.MultiomeWarning")
def test_a_handful_of_cells_is_mentioned(quick_fit, small):
    with pytest.warns(mo.MultiomeWarning, match="There are 19 cells to learn from"):
        quick_fit(small.mdata["rna"][:19].copy(), steps=2)


def test_all_cells_may_be_learnt_from(quick_fit, small):
    model = quick_fit(small.mdata, train={"validation": 0.0})
    assert set(model.history["cells"]) == {"train"}
    assert np.isfinite(model.embed(small.mdata)).all()


@pytest.mark.parametrize("batch_size", [7, 159, 161])
def test_any_size_of_minibatch(quick_fit, small, batch_size):
    model = quick_fit(small.mdata["rna"], train={"batch_size": batch_size, "max_epochs": 1})
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
    model, alone = (
        quick_fit(data, modalities={"prot": mo.PROTEIN}, train={"max_epochs": 10}) for data in (small.mdata, prot)
    )
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
        {"max_epochs": 0}, {"max_epochs": True}, {"min_steps": 0}, {"min_steps": -1}, {"min_steps": True},
        {"batch_size": 0}, {"batch_size": -1}, {"batch_size": True}, {"patience": 0},
        {"features_per_step": 0}, {"validation": 1.0}, {"validation": -0.1}, {"feature_dropout": 1.0},
        {"thinning": 0.0}, {"thinning": 1.1}, {"learning_rate": 0.0}, {"learning_rate": -1.0},
        {"learning_rate": float("nan")}, {"weight_decay": -0.1}, {"average": 1.0}, {"thinning": True},
    ],
    ids=str,
)  # fmt: skip
def test_training_settings_are_checked(given):
    (name,) = given
    with pytest.raises(MultiomeError, match=rf"`{name}` must be .*, got "):
        mo.TrainConfig(**given)


def test_an_unknown_accelerator_lists_those_that_exist():
    with pytest.raises(MultiomeError, match=r"Unknown accelerator 'gup'; there is 'auto', 'cpu', .*Did you mean 'gpu'"):
        mo.TrainConfig(accelerator="gup")


def test_every_accelerator_that_is_listed_is_known_to_lightning():
    assert set(ACCELERATORS) - {"auto", "gpu"} <= set(AcceleratorRegistry.available_accelerators())


@pytest.mark.parametrize("seed", [-1, True])
def test_the_seed_is_checked(quick_fit, small, seed):
    with pytest.raises(MultiomeError, match=r"`seed` must be a whole number of at least 0, got (-1|True)"):
        quick_fit(small.mdata["rna"], seed=seed)


def test_a_seed_that_is_too_large_is_refused(quick_fit, small):
    with pytest.raises(MultiomeError, match=r"`seed` must be a whole number of at most 4,294,967,295, got 4294967296"):
        quick_fit(small.mdata["rna"], seed=2**32)


@pytest.mark.parametrize("min_steps", [1, 1500])
def test_max_epochs_is_the_most_however_few_the_steps(quick_fit, small, min_steps):
    table = quick_fit(small.mdata["rna"], train={"max_epochs": 3, "min_steps": min_steps}).history
    assert table["epoch"].nunique() == 3


@pytest.mark.parametrize(("given", "n_epochs"), [({}, 36), ({"min_steps": 73}, 37), ({"max_epochs": 7}, 7)])
def test_small_data_get_more_epochs_unless_the_user_says_how_many(given, n_epochs):
    config = mo.TrainConfig(**{"min_steps": 1} | given)
    assert config.n_epochs(steps_per_epoch=2, n_cells=500, n_held_out=20) == n_epochs


def test_the_built_in_number_of_epochs():
    assert mo.TrainConfig().n_epochs(steps_per_epoch=1, n_cells=200, n_held_out=20) == 1200
    assert mo.TrainConfig().n_epochs(steps_per_epoch=1000, n_cells=250_000, n_held_out=20) == 36


def test_where_nothing_tells_when_to_stop_training_is_short():
    few = {"steps_per_epoch": 3, "n_cells": 199, "n_held_out": 0}
    assert mo.TrainConfig().n_epochs(**few) == 34
    assert mo.TrainConfig(max_epochs=7).n_epochs(**few) == 7
    assert mo.TrainConfig(min_steps=400).n_epochs(**few) == 134
    assert mo.TrainConfig(validation=0).n_epochs(**few) == 400  # the user's own wish
    assert mo.TrainConfig(validation=0.05).n_epochs(**few | {"n_cells": 200}) == 400


@pytest.mark.parametrize(
    ("n_cells", "held_out"),
    [
        (200, 20),
        (4_000, 400),
        (5_000, 500),
        (9_309, 500),
        (25_000, 500),
        (50_000, 1_000),
        (100_000, 2_000),
        (10**6, 2_000),
    ],
)
def test_the_built_in_number_of_cells_that_are_held_out(n_cells, held_out):
    assert round(mo.TrainConfig().share_held_out(n_cells) * n_cells) == held_out
    assert mo.TrainConfig(validation=0.2).share_held_out(n_cells) == 0.2


def test_few_cells_are_all_learnt_from(small):
    model = mo.fit(
        small.mdata[:80]["rna"], config=mo.ModelConfig(n_latent=4, n_hidden=8),
        train=mo.TrainConfig(batch_size=40, progress_bar=False, accelerator="cpu"),
    )  # fmt: skip
    assert set(model.history["cells"]) == {"train"}
    assert model.history["epoch"].max() == 49


@pytest.mark.parametrize("given", [{"n_latent": 0}, {"n_hidden": -1}, {"dropout": 1.0}, {"dropout": -0.1}], ids=str)
def test_model_sizes_are_checked(given):
    (name,) = given
    with pytest.raises(MultiomeError, match=name):
        mo.ModelConfig(**given)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_loss_weights_are_checked(value):
    with pytest.raises(ValueError, match="clip"):
        mo.LossWeights(clip=value)


@pytest.mark.parametrize(("n_paired", "weight"), [(0, 4), (1000, 4), (1500, 6), (2500, 10), (10**6, 10)])
def test_few_paired_cells_are_contrasted_less_unless_the_user_says_how_much(n_paired, weight):
    assert mo.LossWeights().clip_among(n_paired) == weight
    assert mo.LossWeights(clip=7).clip_among(n_paired) == 7
    assert mo.LossWeights(clip=0).clip_among(n_paired) == 0


def test_the_contrastive_weight_counts_paired_training_cells_only(quick_fit, small, monkeypatch):
    counted = []
    asked = mo.LossWeights.clip_among
    monkeypatch.setattr(mo.LossWeights, "clip_among", lambda self, n: counted.append(n) or asked(self, n))
    rna, atac = small.mdata["rna"][:60], small.mdata["atac"][40:90]
    n_paired = len(rna.obs_names.intersection(atac.obs_names))
    quick_fit(md.MuData({"rna": rna.copy(), "atac": atac.copy()}), drop_empty=True, train={"validation": 0.0})
    assert counted == [n_paired]
    assert 0 < n_paired < 50


def test_an_accelerator_that_this_machine_lacks(quick_fit, small, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    told = "`accelerator` is 'cuda', but torch finds no such device here; leave it at 'auto'"
    with pytest.raises(MultiomeError, match=told):
        quick_fit(small.mdata["rna"], train={"accelerator": "cuda"})


def test_configurations_cannot_be_changed():
    with pytest.raises(AttributeError):
        mo.TrainConfig().max_epochs = 3


def test_modalities_are_compared_in_every_second_step_for_both(quick_fit, small, monkeypatch):
    """So that their comparison weighs as it would in every step; held-out cells are always compared."""
    shares, plain = [], IntegrationTask.total

    def total(self, losses):
        whole, without = plain(self, losses), plain(self, {k: v for k, v in losses.items() if k != "clip"})
        shares.append((self.training, ((whole - without) / losses.get("clip", torch.ones(()))).item()))
        return whole

    monkeypatch.setattr(IntegrationTask, "total", total)
    quick_fit(small.mdata, steps=12, loss=mo.LossWeights(clip=3))
    weights = [weight for training, weight in shares if training]
    np.testing.assert_allclose(weights, np.where(np.arange(len(weights)) % CLIP_EVERY, 0, 3 * CLIP_EVERY), rtol=1e-3)
    held_out = [weight for training, weight in shares if not training]
    assert held_out
    np.testing.assert_allclose(held_out, 3, rtol=1e-3)


def test_the_history_has_no_comparison_of_epochs_without_one(quick_fit, small):
    model = quick_fit(small.mdata, train={"max_epochs": 6, "batch_size": 1000})  # one step per epoch
    table = model.history[model.history["cells"] == "train"]
    np.testing.assert_array_equal(table[table["loss"] == "clip"]["epoch"], [0, 2, 4])
    np.testing.assert_array_equal(table[table["loss"] == "total"]["epoch"], np.arange(6))
