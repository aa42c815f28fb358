"""Minibatches hold the right rows, in order; cells without a modality are empty and unobserved there."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.data.build import prepare
from multiome.data.dataset import CellDataset, pick
from multiome.data.matrix import Matrix
from multiome.data.split import split
from multiome.modalities.atac import ATAC

X = np.array([[1, 0, 2], [0, 0, 0], [3, 4, 0], [0, 5, 6]], dtype=np.float32)


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [3, 3, 0], [-1, 2, -1, -1, 0], [2, -1], [-1, -1], []])
def test_pick(rows):
    rows = np.array(rows, dtype=np.int64)
    picked = pick(sp.csr_matrix(X), rows)
    assert len(picked) == len(rows)
    np.testing.assert_array_equal(picked.dense().numpy(), np.where(rows[:, None] >= 0, X[rows], 0))


def test_pick_keeps_stored_zeros():
    stored = sp.csr_matrix((np.array([0.0, 2.0]), np.array([0, 2]), np.array([0, 2, 2])), shape=(2, 3))
    assert pick(stored, np.array([1, -1, 0])).indices.tolist() == [0, 2]


def dataset():
    """Three cells with RNA, two with methylation, one of them with both."""
    rna = Matrix(sp.csr_matrix(X[:3]), None, X[:3].sum(1), np.ones(3, bool), np.zeros(3, bool))
    calls = sp.csr_matrix(np.array([[2, 0, 3], [0, 4, 0]], dtype=np.float32))
    methylated = sp.csr_matrix((np.array([0, 1, 4], np.float32), calls.indices, calls.indptr), shape=(2, 3))
    met = Matrix(methylated, calls, np.ones(2), np.ones(3, bool), np.zeros(2, bool))
    return CellDataset(
        {"rna": rna, "met": met},
        {"rna": np.array([2, -1, 0, 1]), "met": np.array([-1, 1, 0, -1])},
        {"rna": np.array([0.5, 1.5, 3.0]), "met": np.ones(2)},
        np.array([[0, 1], [1, -1], [2, 0], [0, 0]]),
    )


def test_take():
    cells = dataset()
    assert len(cells) == 4
    batch = cells.take(np.array([1, 0, 2]))
    assert batch.index.tolist() == [1, 0, 2]
    assert batch.observed["rna"].tolist() == [False, True, True]
    assert batch.observed["met"].tolist() == [True, False, True]
    np.testing.assert_array_equal(batch.counts["rna"].dense(), np.stack([0 * X[0], X[2], X[0]]))
    assert batch.exposure["rna"].tolist() == [[1.0], [3.0], [0.5]]  # 1 where it was not measured
    assert batch.batch_index.tolist() == [[1, -1], [0, 1], [2, 0]]
    assert list(batch.coverage) == ["met"]
    assert batch.coverage["met"].dense().tolist() == [[0, 4, 0], [0, 0, 0], [2, 0, 3]]
    assert batch.counts["met"].dense().tolist() == [[0, 4, 0], [0, 0, 0], [0, 0, 1]]
    assert torch.equal(batch.counts["met"].indices, batch.coverage["met"].indices)


def test_take_does_not_share_memory_with_the_data():
    """Whoever changes a minibatch must not change the cells."""
    cells = dataset()
    cells.take(np.arange(4)).counts["rna"].values.zero_()
    np.testing.assert_array_equal(cells.matrices["rna"].values.toarray(), X[:3])


@pytest.mark.filterwarnings("ignore:.*fewer than 10 cells:multiome.MultiomeWarning")
def test_prepared_mosaic(mosaic):
    """From the MuData to a minibatch, every value is where its cell's and its feature's name say."""
    mosaic.obs["donor"] = list("aabbaabb")
    part = mosaic[::-1]
    spec, cells = prepare(part, modalities=None, batch_key="donor", drop_empty=True)
    batch = cells.take(np.arange(len(part.obs_names)))
    names = list(part.obs_names)
    assert names == ["c9", "c8", "c6", "c5", "c4", "c3", "c2", "c1"]
    assert batch.batch_index[:, 0].tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    for key, adata in mosaic.mod.items():
        assert spec.modalities[key].n_cells == adata.n_obs
        dense = batch.counts[key].dense().numpy()
        for row, name in enumerate(names):
            there = name in adata.obs_names
            assert bool(batch.observed[key][row]) is there
            expected = adata[name].X.toarray()[0] if there else np.zeros(adata.n_vars)
            np.testing.assert_array_equal(
                dense[row], np.ceil(expected / 2) if spec.modalities[key].halved else expected
            )


def test_cells_dropped_as_empty_are_unobserved(mosaic):
    x = mosaic["rna"].X.toarray()
    x[3] = 0  # c4, which has ATAC too
    mosaic["rna"].X = sp.csr_matrix(x)
    _, cells = prepare(mosaic, modalities=None, batch_key=None, drop_empty=True)
    assert cells.observed("rna").tolist() == [True, True, True, False, True, True, False, False]
    batch = cells.take(np.array([3]))
    assert batch.observed["rna"].tolist() == [False]
    assert batch.observed["atac"].tolist() == [True]
    assert batch.batch_index.shape == (1, 0)


def test_cells_without_any_modality_are_left_out(mosaic):
    x = mosaic["rna"].X.toarray()
    x[2] = 0  # c3 has RNA only
    mosaic["rna"].X = sp.csr_matrix(x)
    spec, cells = prepare(mosaic, modalities=None, batch_key=None, drop_empty=True)
    assert spec.n_cells == len(cells) == 7
    assert cells.observed("rna").sum() == 5
    spec, cells = prepare(mosaic, modalities={"atac": ATAC}, batch_key=None, drop_empty=True)
    assert spec.n_cells == len(cells) == 5


def test_split_keeps_every_pattern():
    observed = np.repeat([[True, True], [True, False], [False, True]], [120, 60, 20], axis=0)
    train, held_out = split(observed, validation=0.1, seed=0)
    assert sorted([*train, *held_out]) == list(range(200))
    assert [int((held_out < 120).sum()), int(((held_out >= 120) & (held_out < 180)).sum())] == [12, 6]
    assert (held_out >= 180).sum() == 2
    again = split(observed, validation=0.1, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip((train, held_out), again, strict=True))
    assert not np.array_equal(split(observed, validation=0.1, seed=1)[1], held_out)


@pytest.mark.parametrize(("n_cells", "n_held_out"), [(194, 0), (195, 20), (200, 20)])
def test_too_few_cells_to_tell_when_to_stop_are_not_held_out(n_cells, n_held_out):
    train, held_out = split(np.ones((n_cells, 2), dtype=bool), validation=0.1, seed=0)
    assert (len(train), len(held_out)) == (n_cells - n_held_out, n_held_out)


def test_split_of_few_cells():
    train, held_out = split(np.array([[True], [True], [False]]), validation=0.1, seed=0)
    assert train.tolist() == [0, 1, 2]
    assert held_out.tolist() == []
