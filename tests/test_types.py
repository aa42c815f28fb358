"""Sparse rows against the dense matrix they stand for, and records that move as a whole."""

from dataclasses import fields

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.types import Batch, SparseRows, move

X = np.array([[0, 2, 0, 3], [0, 0, 0, 0], [1, 0, 4, 0]], dtype=np.float32)


@pytest.fixture(params=[sp.csr_matrix, sp.csr_array])
def rows(request):
    return SparseRows.from_scipy(request.param(X))


def test_from_scipy(rows):
    assert len(rows) == 3
    assert rows.n_features == 4
    assert (rows.indptr.dtype, rows.indices.dtype, rows.values.dtype) == (torch.int64, torch.int64, torch.float32)
    assert rows.rows.tolist() == [0, 0, 2, 2]
    whole = SparseRows.from_scipy(sp.csr_matrix(X.astype(np.int16)))
    np.testing.assert_array_equal(whole.dense(), X)


def test_sums(rows):
    assert rows.sum().tolist() == [[5], [0], [5]]
    assert rows.column_sum().tolist() == [1, 2, 4, 3]
    assert rows.column_sum(torch.ones(4)).tolist() == [1, 1, 1, 1]


def test_dense(rows):
    np.testing.assert_array_equal(rows.dense(), X)


@pytest.mark.parametrize("features", [[3, 1], [0, 1, 2, 3], [2], []])
def test_dense_block_of_sampled_features(rows, features):
    """In the order in which they were asked for."""
    block = rows.dense(torch.tensor(features, dtype=torch.int64))
    np.testing.assert_array_equal(block, X[:, features])


def test_no_cells():
    none = SparseRows.from_scipy(sp.csr_matrix((0, 4), dtype=np.float32))
    assert len(none) == 0
    assert none.dense().shape == (0, 4)
    assert none.dense(torch.tensor([1])).shape == (0, 1)
    assert none.sum().shape == (0, 1)


def test_with_values(rows):
    other = rows.with_values(rows.values * 2)
    np.testing.assert_array_equal(other.dense(), 2 * X)
    np.testing.assert_array_equal(rows.dense(), X)


def batch(rows):
    return Batch(
        index=torch.arange(3),
        counts={"rna": rows},
        observed={"rna": torch.tensor([True, False, True])},
        exposure={"rna": torch.ones(3, 1)},
        batch_index=torch.zeros(3, 2, dtype=torch.int64),
        coverage={"met": rows},
    )


def tensors(value):
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in tensors(item)]
    if isinstance(value, SparseRows):
        return [value.indptr, value.indices, value.values]
    return [value]


def test_every_tensor_of_a_batch_moves(rows):
    """To a device without memory, so that a tensor left behind would show."""
    there = batch(rows).to("meta", non_blocking=True)
    found = [tensor for field in fields(there) for tensor in tensors(getattr(there, field.name))]
    assert len(found) == 10
    assert all(tensor.device.type == "meta" for tensor in found)
    assert there.counts["rna"].n_features == 4


def test_move_to_the_same_place_changes_nothing(rows):
    here = batch(rows)
    again = here.to("cpu")
    assert len(again) == 3
    assert torch.equal(again.counts["rna"].dense(), here.counts["rna"].dense())
    assert torch.equal(again.observed["rna"], here.observed["rna"])
    assert here.pin_memory() is here
    assert move("a word", "cpu") == "a word"
