"""Scales of comparison, by hand and against the protocol."""

import numpy as np
import pytest
import scipy.sparse as sp

from multiome.metrics import clr, log_cp10k


def test_log_cp10k_by_hand():
    # 1 of 4 counts is 2,500 per 10,000; a cell without counts stays 0.
    found = log_cp10k(sp.csr_matrix([[1, 3], [0, 0]]))
    assert sp.issparse(found)
    np.testing.assert_allclose(found.toarray(), [[np.log(2501), np.log(7501)], [0, 0]])


def test_clr_by_hand():
    # log(1 + count) = log 2, log 8: they centre to -log 2, +log 2.
    np.testing.assert_allclose(clr([[1, 7]]), [[-np.log(2), np.log(2)]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_equal_to_protocol(rng, protocol, dtype):
    x = sp.csr_matrix(rng.poisson(0.5, (50, 30)).astype(dtype))
    x[4] = 0
    kept = x.copy()
    found = log_cp10k(x)
    assert abs(found - protocol.log_cp10k(x)).max() < 1e-12
    assert abs(x - kept).max() == 0, "the counts must stay as they were"
    assert found.dtype == (np.float32 if dtype == np.float32 else np.float64)
    np.testing.assert_allclose(clr(x.toarray()), protocol.clr(x.toarray()))
    np.testing.assert_allclose(clr(x), protocol.clr(x.toarray()))


def test_dense_and_depth(rng):
    x = rng.poisson(2, (20, 10))
    np.testing.assert_allclose(log_cp10k(x).toarray(), log_cp10k(sp.csc_array(3 * x)).toarray())
    np.testing.assert_allclose(clr(x).mean(1), 0, atol=1e-12)


@pytest.mark.parametrize("transform", [log_cp10k, clr])
@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_bad_input(transform, bad):
    x = np.ones((2, 2))
    x[0, 1] = bad
    with pytest.raises(ValueError, match=f"not negative, but 1 entries are not \\(first: {bad}"):
        transform(x)
    with pytest.raises(ValueError, match="empty"):
        transform(np.zeros((0, 2)))
