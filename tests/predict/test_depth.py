"""Predicted depth against regressions whose answer is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from multiome.data.dataset import CellDataset
from multiome.data.spec import Covariate, DataSpec
from multiome.predict.depth import DepthModel
from multiome.predict.depth_regression import Regression, fitted_to_all

KEYS = ("rna", "atac", "prot")
N_LATENT = 2
NOWHERE = np.zeros((3, N_LATENT))
HELD_OUT = np.arange(0, 4000, 10)


@pytest.fixture
def known() -> DepthModel:
    """Told by RNA and protein, by RNA alone, and by the state alone."""
    return DepthModel(
        KEYS, np.array([0.1, -0.2, 0.3]), (np.array([[0.5, 0.2, 0.1], [-0.5, -0.2, -0.1]]),), np.array([9.0, 0.6, 9.0]),
        {"atac": (
            Regression(("rna", "prot"), np.array([0.01, 0.5, 0.25, 1.0, -1.0]), 0.3, (np.array([0.2, -0.2]),)),
            Regression(("rna",), np.array([0.02, 0.6, 1.0, -1.0]), 0.4, (np.array([0.2, -0.2]),)),
            Regression((), np.array([0.03, 1.0, -1.0]), 0.5, (np.array([0.3, -0.3]),)),
        )},
    )  # fmt: skip


def test_prediction_is_that_of_the_regression(known):
    rna, prot, state = np.array([0.4]), np.array([-1.0]), np.array([[1.0, 0.5]])
    loc, scale = known.predict("atac", {"rna": rna, "prot": prot}, np.array([[0]]), state)
    told = 0.01 + 0.5 * (0.4 - 0.1 - 0.5) + 0.25 * (-1.0 - 0.3 - 0.1) + 1.0 - 0.5
    assert loc[0] == pytest.approx(-0.2 + 0.2 + told)
    assert scale[0] == pytest.approx(0.3)


def test_each_cell_is_told_by_what_it_has(known):
    sources = {"rna": np.array([0.4, np.nan, 0.4]), "prot": np.array([np.nan, -1.0, -1.0])}
    loc, scale = known.predict("atac", sources, np.full((3, 1), -1), NOWHERE)
    expected = [-0.2 + 0.02 + 0.6 * 0.3, -0.2 + 0.03, -0.2 + 0.01 + 0.5 * 0.3 + 0.25 * -1.3]
    np.testing.assert_allclose(loc, expected, atol=1e-12)
    np.testing.assert_allclose(scale, [0.4, 0.5, 0.3])


def test_a_cell_with_nothing_has_the_mean_of_its_batch(known):
    loc, scale = known.predict("atac", {}, np.array([[0], [1], [-1]]), NOWHERE)
    np.testing.assert_allclose(loc, [0.0, -0.4, -0.2], atol=1e-12)
    np.testing.assert_allclose(scale, 0.6)
    again, _ = known.predict("atac", {"rna": np.full(3, np.nan)}, np.array([[0], [1], [-1]]), NOWHERE)
    np.testing.assert_array_equal(again, loc)


def test_the_target_itself_is_not_looked_at(known):
    batch, state = np.array([[0]]), NOWHERE[:1]
    with_target = known.predict("atac", {"rna": np.array([0.4]), "atac": np.array([9.0])}, batch, state)
    without = known.predict("atac", {"rna": np.array([0.4])}, batch, state)
    np.testing.assert_array_equal(with_target, without)


def test_json_round_trip(known):
    again = DepthModel.from_json(json.loads(json.dumps(known.to_json())))
    sources, batch = {"rna": np.array([0.4, np.nan]), "prot": np.array([0.1, 0.2])}, np.array([[0], [1]])
    state = NOWHERE[:2]
    np.testing.assert_array_equal(
        again.predict("atac", sources, batch, state), known.predict("atac", sources, batch, state)
    )


def test_round_trip_of_a_fitted_model(model):
    depth = model._fitted.depth
    assert json.dumps(DepthModel.from_json(json.loads(json.dumps(depth.to_json()))).to_json()) == json.dumps(
        depth.to_json()
    )


def test_files_that_hold_a_covariance_are_read_as_the_same_regressions():
    root = np.random.default_rng(0).normal(size=(5, 5))
    joint, at = root @ root.T + np.eye(5), np.array([0.7, -0.7])
    old = {
        "keys": list(KEYS), "mean": [0.1, -0.2, 0.3], "effects": [[[0.5, 0.2, 0.1], [-0.5, -0.2, -0.1]]],
        "covariance": {"atac": joint.tolist()}, "state_mean": {"atac": at.tolist()},
    }  # fmt: skip
    state = np.array([[1.0, 0.5]])
    loc, scale = DepthModel.from_covariance(old).predict("atac", {"prot": np.array([-1.0])}, np.array([[0]]), state)
    used = [2, 3, 4]
    slope = joint[1, used] @ np.linalg.inv(joint[np.ix_(used, used)])
    assert loc[0] == pytest.approx(slope @ np.array([-1.0 - 0.3 - 0.1, *(state[0] - at)]))
    assert scale[0] == pytest.approx(np.sqrt(joint[1, 1] - slope @ joint[used, 1]))


def test_modalities_never_measured_together_do_not_tell_of_each_other():
    """Their covariance is unknown: a Gaussian put together from pairs predicted depths of 1e30."""
    rng = np.random.default_rng(0)
    state = rng.normal(size=(600, N_LATENT))
    depth = np.column_stack([state[:, 0] + rng.normal(0, 0.1, 600) for _ in KEYS])
    depth[:300, 1], depth[300:, 2] = np.nan, np.nan
    sources = {"rna": depth[:, 0], "atac": depth[:, 1]}
    alone = {"held_out": np.zeros(600, dtype=bool), "batch_index": np.empty((600, 0), dtype=int), "n_levels": []}
    told = fitted_to_all(sources, state, depth[:, 2], **alone)
    assert [regression.sources for regression in told] == [("rna",), ()]


def test_with_few_cells_what_is_left_is_not_taken_for_too_little():
    """Thirty dimensions that say nothing, for sixty cells: least squares would leave half of the variance."""
    rng = np.random.default_rng(0)
    state, y = rng.normal(size=(60, 30)), rng.normal(size=60)
    found = Regression.fit([], np.empty((60, 0)), state, y, held_out=np.zeros(60, dtype=bool))
    others, theirs = rng.normal(size=(2000, 30)), rng.normal(size=2000)
    off = theirs - found.predict(np.empty((2000, 0)), others, np.empty((2000, 0), dtype=int))
    assert off.std() < 1.1
    assert 0.85 < found.scale / off.std() < 1.2


def test_what_is_left_is_what_held_out_cells_show():
    rng = np.random.default_rng(0)
    state, held_out = rng.normal(size=(2000, N_LATENT)), np.arange(2000) % 2 == 0
    y = state[:, 0] + rng.normal(0, np.where(held_out, 0.8, 0.2))  # an encoder knows its training cells too well
    found = Regression.fit([], np.empty((2000, 0)), state, y, held_out=held_out)
    assert found.scale == pytest.approx(0.8, rel=0.1)


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
    fitted = DepthModel.fit(cells, spec, {"atac": nothing, "rna": nothing}, HELD_OUT)
    loc, scale = fitted.predict("atac", {"rna": log_depth[:, 0]}, cells.batch_index, nothing)
    expected = 0.6 * log_depth[:, 0] + np.where(cells.batch_index[:, 0] == 0, 0.3, -0.3)
    assert np.abs(loc - expected).max() < 0.15
    assert np.sqrt(np.mean((loc - expected) ** 2)) < 0.03
    np.testing.assert_allclose(scale, np.sqrt(0.16 - 0.15**2 / 0.25), rtol=0.05)


def test_a_latent_state_that_tells_depth_is_used(measured):
    cells, spec, log_depth = measured
    own = log_depth[:, 1] - np.where(cells.batch_index[:, 0] == 0, 0.3, -0.3)  # a latent state is free of batches
    state = np.column_stack([own, np.random.default_rng(1).normal(size=len(cells))])
    sources, nothing = {"rna": log_depth[:, 0]}, np.zeros_like(state)
    _, without = DepthModel.fit(cells, spec, {"atac": nothing}, HELD_OUT).predict(
        "atac", sources, cells.batch_index, nothing
    )
    fitted = DepthModel.fit(cells, spec, {"atac": state}, HELD_OUT)
    loc, scale = fitted.predict("atac", sources, cells.batch_index, state)
    assert scale.mean() < 0.7 * without.mean()
    assert np.corrcoef(loc, log_depth[:, 1])[0, 1] > 0.95


def test_types_that_alone_were_measured_in_a_batch_are_not_taken_for_the_batch(measured):
    """Of the second batch only cells of a deep type have the target: the batch itself is no deeper."""
    cells, spec, log_depth = measured
    kind = np.arange(len(cells)) % 2
    own = log_depth[:, 1] + kind
    there = (cells.batch_index[:, 0] == 0) | (kind == 1)
    rows = cells.rows | {"atac": np.where(there, np.arange(len(cells)), -1)}
    some = replace(cells, rows=rows, exposure=cells.exposure | {"atac": np.exp(own)})
    state = kind[:, None].astype(float)
    sources = {"rna": log_depth[:, 0]}
    loc, _ = DepthModel.fit(some, spec, {"atac": state}, HELD_OUT).predict("atac", sources, cells.batch_index, state)
    for level in (0, 1):
        for each in (0, 1):
            those = (cells.batch_index[:, 0] == level) & (kind == each)
            assert loc[those].mean() == pytest.approx(own[those].mean(), abs=0.05)


def test_files_whose_regressions_hold_no_batches_add_the_mean_of_each(known):
    old = json.loads(json.dumps(known.to_json()))
    for each in old["regressions"]["atac"]:
        del each["effects"]
    sources, batch = {"rna": np.array([0.4])}, np.array([[0]])
    loc, _ = DepthModel.from_json(old).predict("atac", sources, batch, NOWHERE[:1])
    assert loc[0] == pytest.approx(-0.2 + 0.2 + 0.02 + 0.6 * (0.4 - 0.1 - 0.5))
