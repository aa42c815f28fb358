"""Predicted depth against the conditional of a Gaussian."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from multiome.data.dataset import CellDataset
from multiome.data.spec import Covariate, DataSpec
from multiome.predict.depth import DepthModel

KEYS = ("rna", "atac", "prot")
N_LATENT = 2


@pytest.fixture
def gaussian() -> DepthModel:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    covariance = root @ root.T + np.eye(5)
    return DepthModel(
        KEYS, np.array([0.1, -0.2, 0.3]), (np.array([[0.5, 0.2, 0.1], [-0.5, -0.2, -0.1]]),),
        {"atac": covariance}, {"atac": np.array([0.7, -0.7])},
    )  # fmt: skip


def conditional(model: DepthModel, used: list[int], x: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of log ATAC depth given some of (rna, -, prot, state) around their means."""
    c = model.covariance["atac"]
    slope = c[1, used] @ np.linalg.inv(c[np.ix_(used, used)])
    return slope @ x, np.sqrt(c[1, 1] - slope @ c[used, 1])


def test_prediction_is_the_conditional_of_the_gaussian(gaussian):
    rna, prot, state = np.array([0.4]), np.array([-1.0]), np.array([[1.0, 0.5]])
    loc, scale = gaussian.predict("atac", {"rna": rna, "prot": prot}, np.array([[0]]), state)
    x = np.array([0.4 - 0.1 - 0.5, -1.0 - 0.3 - 0.1, 1.0 - 0.7, 0.5 + 0.7])
    shift, expected = conditional(gaussian, [0, 2, 3, 4], x)
    assert loc[0] == pytest.approx(-0.2 + 0.2 + shift)
    assert scale[0] == pytest.approx(expected)


def test_each_cell_is_conditioned_on_what_it_has(gaussian):
    sources = {"rna": np.array([0.4, np.nan, 0.4]), "prot": np.array([np.nan, np.nan, -1.0])}
    loc, scale = gaussian.predict("atac", sources, np.full((3, 1), -1))
    assert loc[1] == pytest.approx(-0.2)
    assert scale[1] == pytest.approx(np.sqrt(gaussian.covariance["atac"][1, 1]))
    shift, expected = conditional(gaussian, [0], np.array([0.3]))
    assert (loc[0], scale[0]) == pytest.approx((-0.2 + shift, expected))
    assert scale[2] < scale[0] < scale[1]


def test_without_any_source_a_batch_has_its_mean(gaussian):
    loc, _ = gaussian.predict("atac", {}, np.array([[0], [1], [-1]]))
    np.testing.assert_allclose(loc, [0.0, -0.4, -0.2], atol=1e-12)


def test_the_target_itself_is_not_looked_at(gaussian):
    batch = np.array([[0]])
    with_target = gaussian.predict("atac", {"rna": np.array([0.4]), "atac": np.array([9.0])}, batch)
    without = gaussian.predict("atac", {"rna": np.array([0.4])}, batch)
    np.testing.assert_array_equal(with_target, without)


def test_json_round_trip(gaussian):
    again = DepthModel.from_json(json.loads(json.dumps(gaussian.to_json())))
    sources, batch = {"rna": np.array([0.4, np.nan]), "prot": np.array([0.1, 0.2])}, np.array([[0], [1]])
    np.testing.assert_array_equal(again.predict("atac", sources, batch), gaussian.predict("atac", sources, batch))


def test_round_trip_of_a_fitted_model(model):
    depth = model._fitted.depth
    assert json.dumps(DepthModel.from_json(json.loads(json.dumps(depth.to_json()))).to_json()) == json.dumps(
        depth.to_json()
    )


@pytest.fixture
def measured(model) -> tuple[CellDataset, DataSpec, np.ndarray]:
    """Cells whose log depths in two modalities correlate, in two batches of different depth."""
    rng = np.random.default_rng(0)
    n = 4000
    log_depth = rng.multivariate_normal([0, 0], [[0.25, 0.15], [0.15, 0.16]], size=n)
    batch = np.repeat([0, 1], n // 2)
    log_depth[:, 1] += np.where(batch == 0, 0.3, -0.3)
    rows = {"rna": np.arange(n), "atac": np.where(np.arange(n) % 3 == 0, -1, np.arange(n))}
    exposure = {"rna": np.exp(log_depth[:, 0]), "atac": np.exp(log_depth[:, 1])}
    spec = replace(
        model.spec,
        modalities={key: model.spec.modalities[key] for key in ("rna", "atac")},
        covariates=(Covariate("batch", ("a", "b"), (n // 2, n // 2)),),
        n_cells=n,
    )
    return CellDataset({}, rows, exposure, batch[:, None]), spec, log_depth


def test_fitting_recovers_the_regression_and_the_batches(measured):
    cells, spec, log_depth = measured
    nothing = np.zeros((len(cells), N_LATENT))
    fitted = DepthModel.fit(cells, spec, {"atac": nothing, "rna": nothing})
    loc, scale = fitted.predict("atac", {"rna": log_depth[:, 0]}, cells.batch_index)
    expected = 0.6 * log_depth[:, 0] + np.where(cells.batch_index[:, 0] == 0, 0.3, -0.3)
    assert np.abs(loc - expected).max() < 0.15
    assert np.sqrt(np.mean((loc - expected) ** 2)) < 0.03
    np.testing.assert_allclose(scale, np.sqrt(0.16 - 0.15**2 / 0.25), rtol=0.05)


def test_a_latent_state_that_tells_depth_is_used(measured):
    cells, spec, log_depth = measured
    own = log_depth[:, 1] - np.where(cells.batch_index[:, 0] == 0, 0.3, -0.3)  # a latent state is free of batches
    state = np.column_stack([own, np.random.default_rng(1).normal(size=len(cells))])
    fitted = DepthModel.fit(cells, spec, {"atac": state})
    sources = {"rna": log_depth[:, 0]}
    _, without = fitted.predict("atac", sources, cells.batch_index)
    loc, scale = fitted.predict("atac", sources, cells.batch_index, state)
    assert scale.mean() < 0.7 * without.mean()
    assert np.corrcoef(loc, log_depth[:, 1])[0, 1] > 0.95
