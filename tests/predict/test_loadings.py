"""How features change over groups of cells: the decoder's directions, and the step towards the counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.predict import loadings as module
from multiome.predict.cell_states import group_cells
from multiome.predict.loadings import directions, loadings


@pytest.fixture
def states(vae, dataset):
    return group_cells(vae, dataset, seed=0)


def whole(vae, dataset, states, key) -> tuple[np.ndarray, np.ndarray]:
    parts = list(loadings(vae, dataset, states, key))
    assert [some.stop for some, *_ in parts[:-1]] == [some.start for some, *_ in parts[1:]]
    return np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])


def test_groups_are_of_one_batch_and_hold_every_cell(states, dataset):
    np.testing.assert_array_equal(states.rows, np.arange(160))
    np.testing.assert_array_equal(np.bincount(states.member), states.size)
    assert (states.size > 0).all()
    batch = dataset.batch_index[states.rows, 0]
    assert all(len(set(batch[states.member == g])) == 1 for g in range(len(states.size)))


def test_group_means_are_means_of_cells(vae, dataset, states):
    with torch.no_grad():
        z = vae.encode(dataset.take(states.rows)).joint.loc.numpy()
    for g in range(len(states.size)):
        np.testing.assert_allclose(states.latent[g], z[states.member == g].mean(0), rtol=1e-4, atol=1e-5)


def test_sums_of_a_group_are_those_of_its_cells_that_have_the_modality(dataset, states):
    for key, coverage in (("rna", False), ("atac", False), ("met", False), ("met", True)):
        counts, exposure = states.sums(dataset, key, coverage=coverage)
        batch = dataset.take(states.rows)
        values = (batch.coverage if coverage else batch.counts)[key].dense().numpy()
        seen = dataset.observed(key)[states.rows]
        for g in (0, len(states.size) - 1):
            of = states.member == g
            np.testing.assert_allclose(counts.toarray()[g], values[of].sum(0), rtol=1e-5)
            np.testing.assert_allclose(exposure[g], batch.exposure[key].numpy()[of & seen].sum(), rtol=1e-5)


def test_directions_have_variance_one_and_no_correlation(states):
    share = states.size / states.size.sum()
    basis = (states.hidden - share @ states.hidden) @ directions(states)
    np.testing.assert_allclose((basis * share[:, None]).T @ basis, np.eye(basis.shape[1]), atol=1e-8)


def test_loadings_make_the_decoders_logarithms(vae, dataset, states, monkeypatch):
    """Where the decoder is believed without limit, what changes over cells is what it says."""
    monkeypatch.setattr(module, "TRUST", 1e12)
    share = states.size / states.size.sum()
    centred = states.hidden - share @ states.hidden
    for key in ("rna", "atac", "prot", "met"):
        found, _ = whole(vae, dataset, states, key)
        told = centred @ vae.channel(key).head.embedding.detach().mean(0).double().numpy().T
        np.testing.assert_allclose((centred @ directions(states)) @ found.T, told, atol=0.02 * np.abs(told).max())


@pytest.mark.parametrize(("key", "feature"), [("rna", 0), ("rna", 39), ("atac", 5)])
def test_one_newton_step_of_a_poisson_regression_on_the_groups(vae, dataset, states, key, feature):
    share = states.size / states.size.sum()
    basis = (states.hidden - share @ states.hidden) @ directions(states)
    embedding = vae.channel(key).head.embedding.detach().mean(0).double().numpy()[feature]
    counts, exposure = states.sums(dataset, key)
    y = counts.toarray()[:, feature]
    mean = exposure * np.exp(states.own_hidden @ embedding)
    mean *= y.sum() / mean.sum()
    information = basis.T @ np.diag(mean) @ basis + module.TRUST * np.eye(basis.shape[1])
    told = np.linalg.lstsq(basis, (states.hidden - share @ states.hidden) @ embedding, rcond=None)[0]
    found = whole(vae, dataset, states, key)
    np.testing.assert_allclose(found[1][feature], information, rtol=1e-6)
    np.testing.assert_allclose(found[0][feature], told + np.linalg.solve(information, basis.T @ (y - mean)), atol=2e-3)


def test_the_less_the_decoder_is_believed_the_further_the_step(vae, dataset, states, monkeypatch):
    with torch.no_grad():
        vae.channel("rna").head.embedding.zero_()
    lengths = []
    for trust in (1e9, 300.0, 30.0):
        monkeypatch.setattr(module, "TRUST", trust)
        lengths.append(np.linalg.norm(whole(vae, dataset, states, "rna")[0]))
    assert lengths[0] < 1e-4 < lengths[1] < lengths[2]


def test_a_zero_embedding_of_what_is_no_count_stays_zero(vae, dataset, states):
    with torch.no_grad():
        vae.channel("met").head.embedding.zero_()
    found, information = whole(vae, dataset, states, "met")
    assert (found == 0).all()
    np.testing.assert_array_equal(information[0], 160 * np.eye(found.shape[1]))


def test_a_feature_that_was_never_counted_stays_where_it_was(vae, dataset, states):
    matrix = dataset.matrices["rna"]
    without = sp.csr_matrix(matrix.values.multiply(np.arange(40) != 3))
    dataset = replace(dataset, matrices={**dataset.matrices, "rna": replace(matrix, values=without)})
    with torch.no_grad():
        vae.channel("rna").head.embedding[:, 3] = 0
    found, _ = whole(vae, dataset, states, "rna")
    assert np.isfinite(found).all()
    assert (found[3] == 0).all()


def test_some_features_at_a_time_give_the_same(vae, dataset, states, monkeypatch):
    before = whole(vae, dataset, states, "atac")
    monkeypatch.setattr(module, "FEATURES", 7)
    for one, two in zip(before, whole(vae, dataset, states, "atac"), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-6, atol=1e-9)
