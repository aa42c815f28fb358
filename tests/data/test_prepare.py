"""What the recipes make of training data."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from multiome.data.build import prepare_modality
from multiome.data.matrix import read_matrix
from multiome.data.raw import halve
from multiome.errors import MultiomeError, MultiomeWarning
from multiome.likelihoods.bernoulli import Bernoulli
from multiome.likelihoods.poisson import Poisson
from multiome.modalities.atac import ATAC
from multiome.modalities.rna import RNA
from tests.data.matrices import COUNTS, NAMES, adata_of


def test_continuous_values():
    values = COUNTS - 1.5
    spec, matrix = prepare_modality("rna", adata_of(values), RNA.continuous(), drop_empty=False)
    assert spec.likelihood == "Normal"
    assert not spec.has_depth
    np.testing.assert_array_equal(matrix.values.toarray(), values)
    again = read_matrix("rna", adata_of(values[:, ::-1].copy(), NAMES[::-1]), spec)
    np.testing.assert_array_equal(again.values.toarray(), values)
    assert not again.empty.any()
    zero = read_matrix("rna", adata_of(np.zeros_like(values)), spec)
    assert not zero.empty.any()


@pytest.mark.parametrize(
    ("counts", "likelihood", "halved"),
    [
        ((COUNTS > 0).astype(np.float32), Bernoulli, False),
        (2 * COUNTS, Poisson, True),
        (np.array([[1.0, 1, 1, 2, 1, 3]] * 2), Poisson, False),
    ],
    ids=["binary", "cut sites", "fragments"],
)
def test_what_atac_counts_are(counts, likelihood, halved):
    adata = adata_of(counts, [f"p{i}" for i in range(counts.shape[1])])
    spec, matrix = prepare_modality("atac", adata, ATAC, drop_empty=False)
    assert spec.likelihood == likelihood.__name__
    assert spec.modality.likelihood is likelihood
    assert spec.halved is halved
    assert bool(spec.notes) is (likelihood is Bernoulli or halved)
    expected = np.ceil(counts / 2) if halved else counts
    np.testing.assert_array_equal(matrix.values.toarray(), expected)
    # what prediction reads is treated as training data were, whatever it looks like by itself
    again = read_matrix("atac", adata, spec)
    np.testing.assert_array_equal(again.values.toarray(), expected)
    np.testing.assert_allclose(again.depth, expected.sum(1))


def test_halved_and_rounded_up():
    assert halve(sp.csr_matrix(np.array([[0.0, 1, 2, 3, 4, 5]]))).toarray().tolist() == [[0, 1, 1, 2, 2, 3]]


def test_stored_zeros_are_not_seen():
    x = COUNTS * [1, 0, 1, 1]
    stored = sp.csr_matrix(x + 1)
    stored.data -= 1
    assert stored.nnz == 16
    with pytest.warns(MultiomeWarning, match="'rna': 1 of 4 features are zero in every cell"):
        prepare_modality("rna", adata_of(stored), RNA, drop_empty=True)


def test_dropped_cells_are_not_counted():
    x = COUNTS.copy()
    x[1] = 0
    spec, matrix = prepare_modality("rna", adata_of(x), RNA, drop_empty=True)
    assert spec.n_cells == 3
    assert matrix.empty.tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    "column",
    [np.array([True, False, True, False]), pd.array([True, None, True, False], dtype="boolean")],
    ids=["bool", "nullable"],
)
def test_marked_genes_are_used(column):
    adata = adata_of(COUNTS)
    adata.var["highly_variable"] = column
    assert prepare_modality("rna", adata, RNA, drop_empty=True)[0].features == ("g0", "g2")


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (["True", "False", "True", "True"], r"must hold booleans, got (object|str) \(first: 'True', 'False', 'True'\)"),
        ([0, 1, 1, 0], "must hold booleans, got int64"),
        ([True, None, True, False], "must hold booleans, got object"),
        ([False] * 4, "marks none of the 4 genes"),
        (pd.array([None, False, False, None], dtype="boolean"), "marks none of the 4 genes"),
    ],
    ids=["words", "numbers", "objects", "none", "none of nullable"],
)
def test_marks_that_are_read_strictly(column, told):
    adata = adata_of(COUNTS)
    adata.var["highly_variable"] = column
    with pytest.raises(MultiomeError, match=rf"var\['highly_variable'\] {told}.* (D|d)rop the column"):
        prepare_modality("rna", adata, RNA, drop_empty=False)
