"""Which genes the RNA recipe uses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from multiome.modalities import rna
from multiome.modalities.rna import RNA, log_variance, select_variable_genes


@pytest.fixture
def counts() -> sp.csr_matrix:
    rng = np.random.default_rng(0)
    means = rng.gamma(0.5, 2.0, size=40)
    return sp.csr_matrix(rng.poisson(means * rng.gamma(2, 0.5, size=(60, 40))).astype(np.float32))


def test_log_variance_is_that_of_dense_log_cp10k(counts):
    dense = counts.toarray().astype(float)
    logged = np.log1p(1e4 * dense / dense.sum(1, keepdims=True))
    np.testing.assert_allclose(log_variance(counts), logged.var(0), rtol=1e-9)


def test_a_cell_without_counts_is_no_trouble():
    assert np.isfinite(log_variance(sp.csr_matrix((3, 4)))).all()


def test_the_most_variable_genes_are_selected_and_counts_left_alone(counts, monkeypatch):
    monkeypatch.setattr(rna, "N_TOP_GENES", 10)
    before = counts.copy()
    choices = select_variable_genes(RNA, counts, pd.DataFrame(index=[f"g{i}" for i in range(40)]))
    assert choices.selected.sum() == 10
    variance = log_variance(counts)
    assert variance[choices.selected].min() >= variance[~choices.selected].max()
    assert "10 most variable of 40 genes" in choices.notes[0]
    assert (before != counts).nnz == 0


def test_few_genes_are_all_kept(counts):
    choices = select_variable_genes(RNA, counts, pd.DataFrame(index=range(40)))
    assert choices.selected.all()
    assert not choices.notes
