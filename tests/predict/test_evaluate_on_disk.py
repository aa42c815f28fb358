"""Held-out cells and the reference by the paths of their files: few of many cells are read, and scored as in memory."""

from __future__ import annotations

from dataclasses import replace

import mudata as md
import numpy as np
import pandas as pd
import pytest

from multiome.data import stored
from multiome.predict import evaluate
from multiome.predict.direction import Direction
from multiome.predict.evaluate import directions_of, drawn


@pytest.fixture
def halves(small, tmp_path, monkeypatch):
    """Cells to score and cells to learn from, in memory and as files; of more than 30 cells, values stay there."""
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 30)
    monkeypatch.setattr(stored, "BLOCK", 37)
    rows = np.arange(160) % 2 == 0
    parts = [small.mdata[rows].copy(), small.mdata[~rows].copy()]
    parts[0].write_h5mu(tmp_path / "test.h5mu")
    parts[1].write_zarr(tmp_path / "train.zarr")
    return parts, [tmp_path / "test.h5mu", tmp_path / "train.zarr"]


@pytest.mark.parametrize("per", ["all", "feature"])
def test_scores_are_those_in_memory(model, halves, per, monkeypatch):
    monkeypatch.setattr(evaluate, "MAX_REFERENCE", 30)
    at_hand, there = (
        model.evaluate(test, reference=train, per=per, n_samples=20, max_cells=15, seed=2) for test, train in halves
    )
    pd.testing.assert_frame_equal(there, at_hand, rtol=1e-4)
    assert set(there["n_cells"]) == {15}
    assert {"multiome", "ridge"} <= set(there["method"])


def test_no_more_is_read_than_is_scored(model, halves, monkeypatch):
    read = stored.StoredRows.__getitem__
    asked = []

    def noted(self, rows):
        asked.append(len(rows))
        return read(self, rows)

    monkeypatch.setattr(stored.StoredRows, "__getitem__", noted)
    _, (test, _) = halves
    table = model.evaluate(test, n_samples=20, max_cells=10)
    assert set(table["n_cells"]) == {10}
    assert len(asked) == 5, "four modalities and the calls of one, once each"
    assert max(asked) < 60, "of 80 cells"


def test_directions_share_cells(dataset):
    directions = directions_of(["rna", "atac", "prot"])
    some, rows = drawn(dataset, directions, 20, seed=0)
    assert not some.on_disk
    assert [len(each) for each in rows] == [20] * len(directions)
    for direction, each in zip(directions, rows, strict=True):
        assert np.isin(each, direction.rows(some)).all()
        assert len(np.unique(each)) == 20
    assert len(some) < 45
    other = drawn(dataset, directions, 20, seed=1)[0]
    assert not np.array_equal(some.batch_index, other.batch_index) or len(some) != len(other)


def test_cells_are_drawn_evenly(dataset):
    direction = Direction(("rna",), "met")
    own = replace(dataset, batch_index=np.arange(160)[:, None])  # tells which cell it is
    times = np.zeros(160)
    for seed in range(300):
        some, (rows,) = drawn(own, [direction], 16, seed=seed)
        assert len(some) == len(rows) == 16
        times[some.batch_index[:, 0]] += 1
    assert times.sum() == 300 * 16
    assert 10 < times.min() < 30 < times.max() < 55, "each about 30 times, give or take 5"


@pytest.mark.parametrize("argument", ["data", "reference"])
def test_one_modality_is_refused(model, small, tmp_path, argument):
    small.mdata["rna"].write_h5ad(tmp_path / "rna.h5ad")
    given = {"data": small.mdata} | {argument: tmp_path / "rna.h5ad"}
    with pytest.raises(TypeError, match=rf"`{argument}` must be a MuData, or the path of one.*rna\.h5ad', which holds"):
        model.evaluate(**given, n_samples=20)
    with pytest.raises(TypeError, match=r"Got AnnData"):
        model.evaluate(**given | {argument: small.mdata["rna"]}, n_samples=20)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        model.evaluate(**given | {argument: str(tmp_path / "absent.h5mu")}, n_samples=20)


def test_names_in_both_files_are_mentioned(model, halves):
    _, (test, _) = halves
    with pytest.warns(UserWarning, match="80 of 80 cells have names that occur in `reference`"):
        model.evaluate(test, reference=md.read_h5mu(test), n_samples=20, max_cells=10)
