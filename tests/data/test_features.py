"""Features of later data matched to those of the model, by name and in any order."""

import dataclasses

import numpy as np
import pytest

from multiome.data.build import prepare_modality
from multiome.data.matrix import read_matrix, reorder
from multiome.errors import InvalidCounts, SpecMismatch
from multiome.modalities.rna import RNA
from tests.data.matrices import COUNTS, NAMES, adata_of, messy


@pytest.fixture
def spec():
    """RNA of four cells: the first three genes are used, the last counts towards the depth only."""
    adata = adata_of(COUNTS)
    adata.var["highly_variable"] = [True, True, True, False]
    return prepare_modality("rna", adata, RNA, drop_empty=False)[0]


def test_spec_of_selected_genes(spec):
    assert spec.features == ("g0", "g1", "g2")
    assert spec.other_features == ("g3",)
    np.testing.assert_allclose(spec.share, np.array([8, 10, 5, 9]) / 32)
    assert spec.median_depth == 10
    assert spec.kind == "rna"
    assert spec.likelihood == "NegativeBinomial"


def test_shuffled_features(spec):
    plain = read_matrix("rna", adata_of(COUNTS), spec)
    np.testing.assert_array_equal(plain.values.toarray(), COUNTS[:, :3])
    np.testing.assert_array_equal(plain.depth, [10, 2, 10, 10])
    assert plain.found.all()
    order = [3, 1, 0, 2]
    shuffled = read_matrix("rna", adata_of(COUNTS[:, order], [NAMES[i] for i in order]), spec)
    for a, b in zip(dataclasses.astuple(plain), dataclasses.astuple(shuffled), strict=True):
        assert (a is b is None) or (a != b).sum() == 0


def test_other_features_do_not_count(spec):
    extra = np.hstack([COUNTS, np.full((4, 1), 100, dtype=np.float32)])
    matrix = read_matrix("rna", adata_of(extra, [*NAMES, "new"]), spec)
    np.testing.assert_array_equal(matrix.values.toarray(), COUNTS[:, :3])
    np.testing.assert_array_equal(matrix.depth, [10, 2, 10, 10])


def test_missing_features(spec):
    """g1 is absent: marked, and the depth is scaled up by the share of all counts that g1 has in training."""
    matrix = read_matrix("rna", adata_of(COUNTS[:, [2, 3, 0]], ["g2", "g3", "g0"]), spec, drop_empty=True)
    assert matrix.found.tolist() == [True, False, True]
    np.testing.assert_array_equal(matrix.values.toarray(), COUNTS[:, :3] * [1, 0, 1])
    np.testing.assert_allclose(matrix.depth, np.array([10, 1, 3, 8]) / (22 / 32), rtol=1e-6)
    assert matrix.empty.tolist() == [False, False, True, False]
    with pytest.raises(InvalidCounts, match=r"1 of 4 cells .*'c2'"):
        read_matrix("rna", adata_of(COUNTS[:, [2, 3, 0]], ["g2", "g3", "g0"]), spec)
    with pytest.raises(SpecMismatch, match=r"2 of the 3 features .* \(33.3% found; first absent: 'g1', 'g2'"):
        read_matrix("rna", adata_of(COUNTS[:, :1], ["g0"]), spec)


def test_reorder():
    place = np.array([3, -1, 0, 1, -1])
    out = reorder(messy(COUNTS), place)
    expected = np.where(place >= 0, COUNTS[:, place], 0)
    np.testing.assert_array_equal(out.toarray(), expected)
    assert out.has_sorted_indices
    stored = messy(COUNTS)
    n_stored = sum(np.count_nonzero(stored.indices == p) for p in place if p >= 0)
    assert out.nnz == n_stored  # stored zeros stay stored
    assert reorder(messy(COUNTS), np.array([-1, -1])).nnz == 0
