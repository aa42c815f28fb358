"""A measured modality, smoothed: closer to the truth than what was counted, and what the intervals say of it."""

from __future__ import annotations

import mudata as md
import numpy as np
import pytest
import scipy.sparse as sp

from multiome.errors import MultiomeError, MultiomeWarning, UnknownName
from multiome.predict import embed

CASES = [
    ("rna", "counts"), ("rna", "log_cp10k"), ("atac", "counts"), ("atac", "probability"), ("prot", "counts"),
    ("prot", "clr"), ("prot", "foreground"), ("prot", "background_removed"), ("met", "fraction"),
]  # fmt: skip


@pytest.fixture(scope="module")
def cells(small):
    """Some cells with everything."""
    return small.mdata[small.truth.measured.all(axis=1).to_numpy()][:60].copy()


def halves(x: sp.csr_matrix) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Every count is dealt to one of two measurements."""
    first = sp.csr_matrix(x, copy=True)
    first.data = np.random.default_rng(0).binomial(first.data.astype(int), 0.5).astype(np.float32)
    return first, sp.csr_matrix(x - first)


def deviance(expected: np.ndarray, x: np.ndarray) -> float:
    """Poisson deviance per entry."""
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(x > 0, x * np.log(x / expected), 0.0)
    return float(2 * (own - x + expected).mean())


@pytest.mark.parametrize("key", ["rna", "prot"])
def test_half_of_the_counts_tell_the_other_half_better_than_profiles_and_themselves(model, cells, key):
    given, scored = halves(cells[key].X)
    data = cells.copy()
    data[key].X = given
    features = list(model.spec.modalities[key].features)
    at = cells[key].var_names.get_indexer(features)
    smooth = model.denoise(data, key).mean
    x, own = scored[:, at].toarray(), given[:, at].toarray()
    profile = np.asarray(cells[key].X.sum(0)).ravel()[at]
    average = own.sum(1, keepdims=True) * profile / profile.sum()
    alone = model.impute(data, key, n_samples=1, depth=np.asarray(given.sum(1)).ravel()).mean
    assert deviance(smooth, x) < deviance(average, x)
    assert deviance(smooth, x) < deviance(alone, x)
    assert deviance(smooth, x) < deviance(np.maximum(own, 0.1), x)


@pytest.mark.parametrize(("key", "scale"), CASES)
def test_expected_values_lie_in_their_intervals_and_these_within_those_of_measurements(model, cells, key, scale):
    found = model.denoise(cells, key, scale=scale, n_samples=60)
    assert list(found.obs.index) == list(cells[key].obs_names)
    low, high = found.expected_interval(0.9)
    # a point mass may hold the whole of a measurement's interval, but nowhere more than the expectation's tails
    assert np.mean((low <= found.mean + 1e-4) & (found.mean - 1e-4 <= high)) > 0.95
    if scale not in ("probability", "foreground"):
        wide = np.subtract(*found.interval(0.9)[::-1])
        assert wide.mean() > (high - low).mean()


@pytest.mark.parametrize(("key", "scale"), CASES)
def test_features_may_be_decoded_some_at_a_time(model, cells, monkeypatch, key, scale):
    told = []
    for entries in (1_000_000_000, 7 * cells.n_obs):
        monkeypatch.setattr(embed, "PART", entries)
        told.append(model.denoise(cells, key, scale=scale, n_samples=0).mean)
    np.testing.assert_allclose(told[1], told[0], rtol=1e-4, atol=1e-6)


def test_without_draws_there_are_values_and_no_intervals(model, cells):
    found = model.denoise(cells, "rna")
    assert "std" not in found.to_anndata().layers
    np.testing.assert_array_equal(found.mean, model.denoise(cells, "rna", n_samples=20).mean)
    for ask in (found.interval, found.expected_interval):
        with pytest.raises(MultiomeError, match=r"needs at least 20 draws, there are 0; predict with n_samples=20"):
            ask(0.9)
    with pytest.raises(MultiomeError, match="no draws to compare with"):
        found.pit(cells["rna"])


def test_foreground_follows_the_count(model, cells):
    """Of a protein that is there or not, the count says which; the more is counted, the surer."""
    before = model.denoise(cells, "prot", scale="foreground").mean
    more = cells.copy()
    more["prot"].X = sp.csr_matrix(more["prot"].X.toarray() + 200)
    after = model.denoise(more, "prot", scale="foreground", depth=np.asarray(cells["prot"].X.sum(1)).ravel()).mean
    assert after.mean() > before.mean()
    assert before.min() >= 0
    assert before.max() <= 1


def test_depth_multiplies_counts(model, cells):
    own = np.asarray(cells["rna"].X.sum(1)).ravel()
    as_measured, twice = (model.denoise(cells, "rna", depth=depth).mean for depth in ("own", 2 * own))
    np.testing.assert_allclose(twice, 2 * as_measured, rtol=1e-4)


def test_a_feature_that_the_data_lack_is_not_taken_for_zero(model, cells):
    """It is expected as from the other features, not drawn towards a count of nothing."""
    key, lacking = "prot", cells.copy()
    absent = cells[key].var_names[0]
    lacking.mod[key] = lacking[key][:, 1:].copy()
    lacking = md.MuData({k: lacking[k] for k in lacking.mod})
    zero = cells.copy()
    zero[key].X = sp.csr_matrix(np.where(zero[key].var_names == absent, 0, zero[key].X.toarray()).astype(np.float32))
    j = list(model.spec.modalities[key].features).index(absent)
    unknown, none = (model.denoise(data, key).mean[:, j].mean() for data in (lacking, zero))
    assert unknown > 1.5 * none


def test_cells_without_the_modality_are_no_rows(model, small):
    found = model.denoise(small.mdata, "prot")
    assert list(found.obs.index) == list(small.mdata["prot"].obs_names)
    assert not np.isnan(found.mean).any()


def test_one_modality_alone(model, cells):
    found = model.denoise(cells["rna"], "rna")
    assert found.mean.shape == (60, len(model.spec.modalities["rna"].features))
    assert not np.isnan(found.mean).any()


def test_the_same_seed_gives_the_same_whatever_cells_are_beside(model, cells):
    both = model.denoise(cells, "prot").mean
    some = model.denoise(cells[:10].copy(), "prot").mean
    np.testing.assert_allclose(both[:10], some, rtol=1e-4)


def test_an_empty_cell_is_refused_or_unmeasured(model, cells):
    empty = cells.copy()
    x = empty["prot"].X.toarray()
    x[3] = 0
    empty["prot"].X = sp.csr_matrix(x)
    with pytest.raises(MultiomeError, match="not a single count"):
        model.denoise(empty, "prot")
    with pytest.warns(MultiomeWarning, match="no measured 'prot'"):
        found = model.denoise(empty, "prot", drop_empty=True)
    assert np.isnan(found.mean[3]).all()
    assert not np.isnan(np.delete(found.mean, 3, axis=0)).any()


def test_what_was_not_measured_cannot_be_smoothed(model, cells):
    without = md.MuData({"rna": cells["rna"]})
    with pytest.raises(UnknownName, match=r"hold 'rna', not 'prot': `denoise` smooths .* `impute`"):
        model.denoise(without, "prot")
    with pytest.raises(UnknownName, match="'own', 'reference'"):
        model.denoise(cells, "prot", depth="predicted")
    with pytest.raises(UnknownName):
        model.denoise(cells, "protin")
    with pytest.raises(MultiomeError, match="n_samples"):
        model.denoise(cells, "prot", n_samples=-1)


def test_in_another_batch_a_count_is_judged_by_its_own(model, small):
    """What is expected changes as the batch's effect does, and not towards what the other batch counted."""
    cells = small.mdata[(small.mdata.obs["batch"] == "batch1").to_numpy()].copy()
    own, other = (model.denoise(cells, "rna", batch=batch).mean for batch in (None, "batch2"))
    effect = [
        model.translate(cells, source="rna", target="atac", batch=batch, depth="reference").X.sum()
        for batch in (None, "batch2")
    ]
    assert effect[0] != effect[1]
    change = np.log(other / own).std(0)
    # the effect of a batch is nearly the same for all cells; judged by the other batch it would follow each count
    assert np.median(change) < 0.1
    np.testing.assert_array_equal(own, model.denoise(cells, "rna", batch="batch1").mean)


def test_sites_that_the_data_lack_are_expected_from_the_others(model, cells):
    fewer = cells.copy()
    fewer.mod["met"] = cells["met"][:, 10:].copy()
    fewer = md.MuData({key: fewer[key] for key in fewer.mod})
    found = model.denoise(fewer, "met")
    assert not np.isnan(found.mean).any()
    assert ((found.mean > 0) & (found.mean < 1)).all()
