"""False discovery rates and combined p-values against values worked out by hand, and under the null."""

import numpy as np
import pytest
from scipy import stats

from multiome.errors import MultiomeError
from multiome.predict.multiple_tests import bh, simes


def test_bh_of_the_paper():
    """Table 1 of Benjamini and Hochberg (1995): four of fifteen are found at a level of 0.05."""
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1,
    ]
    q = bh(p)
    assert (q <= 0.05).sum() == 4
    assert q[0] == pytest.approx(0.0015)
    assert q[3] == pytest.approx(0.0095 * 15 / 4)
    assert (np.diff(q) >= 0).all()


def test_bh_leaves_out_nan():
    assert bh([np.nan, 0.02, np.nan, 0.01]).tolist() == pytest.approx([np.nan, 0.02, np.nan, 0.02], nan_ok=True)
    assert np.isnan(bh([np.nan, np.nan])).all()
    assert bh([]).shape == (0,)
    assert bh([0.3]).tolist() == [0.3]


def test_simes_by_hand():
    p = np.array([0.5, 0.01, 0.04, 0.2, np.nan, 0.9, np.nan])
    group = np.array([0, 0, 0, 2, 2, 3, 1])
    found = simes(p, group, 5)
    assert found.tolist() == pytest.approx([0.03, np.nan, 0.2, 0.9, np.nan], nan_ok=True)
    assert simes([0.04, 0.05], np.array([0, 0]), 1).tolist() == pytest.approx([0.05])  # the second decides


def test_simes_is_uniform_under_the_null():
    """Exactly so for independent tests (Simes 1986)."""
    rng = np.random.default_rng(0)
    n, size = 20_000, 4
    found = simes(rng.random(n * size), np.repeat(np.arange(n), size), n)
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_one_p_value_is_itself():
    p = np.random.default_rng(0).random(10)
    np.testing.assert_allclose(simes(p, np.arange(10), 10), p)


@pytest.mark.parametrize("p", [[0.5, 1.5], [-0.1], [np.inf]])
def test_what_is_no_p_value(p):
    with pytest.raises(MultiomeError, match=r"p-values lie between 0 and 1; 1 of"):
        bh(p)
    with pytest.raises(MultiomeError, match=r"p-values lie between 0 and 1; 1 of"):
        simes(p, np.zeros(len(p), dtype=np.int64), 1)
