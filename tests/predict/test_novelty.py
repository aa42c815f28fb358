"""Cells unlike the training's: new types, swapped features, and none where there is nothing new."""

from __future__ import annotations

import warnings
from dataclasses import replace
from io import BytesIO

import mudata as md
import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import MultiomeError, MultiomeWarning
from multiome.metrics import auroc
from multiome.predict import embed
from multiome.predict.novelty import Standard, Usual


@pytest.fixture(scope="module")
def trained(quick_fit):
    """A model of all but one of four cell types, other cells of these types, and those of the one."""
    sim = mo.datasets.simulate(
        n_cells=1600, n_genes=400, n_proteins=30, n_types=4, modalities=("rna", "prot"), depth={"rna": 6000}, seed=1
    )
    new = (sim.mdata.obs["cell_type"] == "type2").to_numpy()
    old = np.random.default_rng(0).random(1600) < 0.25
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MultiomeWarning)  # genes of the type that is left out
        model = quick_fit(sim.mdata[~new & ~old].copy(), steps=600)
    return model, sim.mdata[~new & old].copy(), sim.mdata[new].copy()


def test_a_type_that_training_lacked_is_told(trained):
    model, old, new = trained
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MultiomeWarning)  # where many are told
        unknown = model.novelty(new)
    known = model.novelty(old)
    score = np.r_[known["novelty"], unknown["novelty"]]
    assert auroc(score, np.arange(len(score)) >= len(known)) > 0.8
    assert known["unlike_training"].mean() < 0.05
    assert unknown["unlike_training"].mean() > 5 * known["unlike_training"].mean()


def test_swapped_features_are_told(trained):
    model, old, _ = trained
    rna = old["rna"].copy()
    rna.var_names = np.random.default_rng(0).permutation(rna.var_names)
    with pytest.warns(MultiomeWarning, match="features in another order or of other names"):
        found = model.translate(rna, source="rna", target="prot")
    assert found.obs["unlike_training"].mean() > 0.8


def test_results_carry_it(trained):
    model, old, _ = trained
    by_rna = model.novelty(old, modality="rna")
    for obs in (
        model.translate(old, source="rna", target="prot").obs,
        model.impute(old, "prot", n_samples=2).to_anndata().obs,
    ):
        pd.testing.assert_frame_equal(obs[["novelty", "unlike_training"]], by_rna, check_names=False)
        assert "cell_type" in obs
    both = model.novelty(old)
    pd.testing.assert_frame_equal(
        model.denoise(old, "rna").obs[["novelty", "unlike_training"]], both, check_names=False
    )
    assert not np.allclose(both["novelty"], by_rna["novelty"])


def test_features_that_are_missing_do_not_make_cells_new(trained):
    model, old, _ = trained
    fewer = md.MuData({"rna": old["rna"][:, ::-1][:, 100:].copy()})
    found = model.novelty(fewer)
    assert found["unlike_training"].mean() < 0.15  # fewer features scatter more
    assert np.corrcoef(found["novelty"], model.novelty(old, modality="rna")["novelty"])[0, 1] > 0.7


def test_features_may_be_decoded_some_at_a_time(trained, monkeypatch):
    model, old, _ = trained
    told = []
    for entries in (1_000_000_000, 7 * old.n_obs):
        monkeypatch.setattr(embed, "PART", entries)
        told.append(model.novelty(old)["novelty"])
    np.testing.assert_allclose(told[1], told[0], rtol=1e-3, atol=1e-3)


def test_depth_is_nothing_new(trained):
    model, old, _ = trained
    shallow = old["rna"].copy()
    shallow.X.data = np.random.default_rng(0).binomial(shallow.X.data.astype(int), 0.5).astype(np.float32)
    shallow.X.eliminate_zeros()
    assert model.novelty(shallow, modality="rna")["unlike_training"].mean() < 0.1


def test_it_is_saved(trained, tmp_path):
    model, old, _ = trained
    model.save(tmp_path / "m")
    again = mo.Multiome.load(tmp_path / "m")
    pd.testing.assert_frame_equal(again.novelty(old), model.novelty(old), rtol=1e-4)


@pytest.mark.parametrize("modality", ["rna", "prot", None])
def test_few_usual_cells_are_called_new_whatever_they_are_told_by(trained, modality):
    model, old, _ = trained
    assert model.novelty(old, modality=modality)["unlike_training"].mean() < 0.03


def test_what_is_usual_is_known_of_each_set_of_modalities(trained):
    model, old, _ = trained
    usual = model._fitted.usual
    assert set(usual.thresholds) == set(usual.distances) == {"rna", "prot", "rna prot"}
    assert set(usual.parts) <= {"rna | rna", "prot | prot"}
    assert usual.thresholds["rna prot"] == usual.threshold  # all held-out cells have both
    for key in usual.standards:
        assert usual.standard(key, "rna prot") is usual.standards[key]
        alone = usual.standard(key, key)
        assert alone is not usual.standards[key]
        assert alone.weight == usual.standards[key].weight
    anywhere = mo.Multiome(
        replace(model._fitted, usual=replace(usual, thresholds={}, threshold=-np.inf)), model.history
    )
    nowhere = replace(usual, thresholds={"rna": np.inf}, threshold=-np.inf)
    alone = mo.Multiome(replace(model._fitted, usual=nowhere), model.history)
    mixed = md.MuData({"rna": old["rna"].copy(), "prot": old["prot"][::2].copy()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MultiomeWarning)  # many are told
        assert anywhere.novelty(mixed)["unlike_training"].all()
        told = alone.novelty(mixed)["unlike_training"]
    np.testing.assert_array_equal(told, told.index.isin(mixed["prot"].obs_names))


def test_cells_of_several_sets_score_as_each_by_itself(trained):
    """Each cell as if all had what it has, and no more."""
    model, old, _ = trained
    rna, prot = old["rna"].copy(), old["prot"][::2].copy()
    mixed = model.novelty(md.MuData({"rna": rna, "prot": prot}))["novelty"]
    both = mixed.index.isin(prot.obs_names)
    np.testing.assert_allclose(mixed[both], model.novelty(old)["novelty"][mixed.index[both]], rtol=1e-4, atol=1e-4)
    alone = model.novelty(old, modality="rna")["novelty"]
    np.testing.assert_allclose(mixed[~both], alone[mixed.index[~both]], rtol=1e-4, atol=1e-4)


def test_what_older_versions_wrote_is_read(trained):
    usual = trained[0]._fitted.usual
    usual.write(file := BytesIO())
    file.seek(0)
    with np.load(file) as stored:
        older = {name: stored[name] for name in stored.files if not name.startswith(("sets", "thresholds", "parts"))}
    np.savez_compressed(old := BytesIO(), **older)
    file.seek(0)
    old.seek(0)
    again, before = Usual.read(file), Usual.read(old)
    assert again.thresholds == usual.thresholds
    assert again.parts.keys() == usual.parts.keys()
    assert (before.thresholds, before.parts) == ({}, {})
    assert before.threshold == usual.threshold


def test_a_model_that_does_not_know_says_so(trained, model, cells_of_small):
    known, old, _ = trained
    without = mo.Multiome(replace(known._fitted, usual=None), known.history)
    with pytest.raises(MultiomeError, match=r"does not know what is usual: fewer than 30 cells were held out"):
        without.novelty(old)
    assert "novelty" not in without.translate(old, source="rna", target="prot").obs
    assert model._fitted.usual is None  # too few cells
    assert "novelty" not in model.translate(cells_of_small, source="rna", target="prot").obs
    told = known.translate(old, source="rna", target="prot")[:20].obs  # what another model said is not this one's word
    cells = cells_of_small["rna"].copy()
    cells.obs = cells.obs.assign(**{name: told[name].to_numpy() for name in ("novelty", "unlike_training")})
    assert "unlike_training" not in model.translate(cells, source="rna", target="prot").obs


def test_no_cell_is_no_reason_to_look_at_modalities(trained):
    model, old, _ = trained
    with pytest.raises(MultiomeError, match="hold no cell"):
        model.novelty(old[:0].copy())


@pytest.fixture
def cells_of_small(small):
    return small.mdata[:20].copy()


def test_scores_are_standard_at_every_depth():
    rng = np.random.default_rng(0)
    depth = rng.normal(7, 0.6, 4_000)
    ratio = 0.3 * (depth - 7) + 0.1 * (depth - 7) ** 2 + np.exp(-0.5 * (depth - 7)) * 0.2 * rng.normal(size=4_000)
    score = Standard.of(np.ones(3), ratio, depth).score(ratio, depth)
    for some in (depth < 6.5, (depth > 6.5) & (depth < 7.5), depth > 7.5):
        assert score[some].mean() == pytest.approx(0, abs=0.15)
        assert score[some].std() == pytest.approx(1, abs=0.15)
    flat = Standard.of(np.ones(3), ratio, np.zeros(4_000))
    assert flat.score(ratio, np.zeros(4_000)).mean() == pytest.approx(0, abs=0.1)


def test_parts_are_joined_by_what_they_tell():
    standard = Standard(np.ones(1), np.array([0.0, 1.0]), np.zeros(3), np.zeros(2))
    usual = Usual({"a": replace(standard, weight=2.0), "b": standard}, {}, 0.0, 1.0)
    nan = np.nan
    residual = {"a": np.array([1.0, 1, nan, nan]), "b": np.array([1.0, nan, 1, nan])}
    no_distance, distance = np.full(4, nan), np.full(4, 2.0)
    np.testing.assert_allclose(usual.join(residual, no_distance), [3 / np.sqrt(5), 1, 1, nan])
    expected = [(3 / np.sqrt(5) + 2) / np.sqrt(2), 3 / np.sqrt(2), 3 / np.sqrt(2), 2]
    np.testing.assert_allclose(usual.join(residual, distance), expected)
    correlated = replace(usual, correlation=1.0)
    np.testing.assert_allclose(correlated.join({"a": np.ones(1), "b": np.ones(1)}, np.full(1, nan)), 1)
    np.testing.assert_allclose(usual.join({}, np.ones(1)), 1)
