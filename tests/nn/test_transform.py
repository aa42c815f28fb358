"""What an encoder sees, against the same formula in numpy on the dense matrix."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.nn.transform import CentredLogRatio, Identity, LogNormalise, MethylationResidual, TfIdf, from_dense
from multiome.types import SparseRows

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(1.0, (20, 12)).astype(np.float32)
COUNTS[3] = 0
DEPTH = COUNTS.sum(1, keepdims=True) * 2
CALLS = RNG.poisson(0.7, (20, 12)).astype(np.float32)
CALLS[5] = 0
METHYLATED = RNG.binomial(CALLS.astype(int), 0.4).astype(np.float32)


def rows_of(x, entries=None):
    """Rows that store the entries where ``entries`` is not 0 (those of ``x`` itself by default)."""
    pattern = sp.csr_matrix(x if entries is None else entries)
    rows = np.repeat(np.arange(len(x)), np.diff(pattern.indptr))
    return SparseRows.from_scipy(sp.csr_matrix((x[rows, pattern.indices], pattern.indices, pattern.indptr), x.shape))


def apply(transform, x=COUNTS, depth=DEPTH):
    return transform(rows_of(x), depth=torch.from_numpy(depth)).dense().numpy()


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [1e4, 100.0])
def test_log_normalise(scale):
    transform = LogNormalise(12, scale=scale)
    close(apply(transform), np.log1p(scale * COUNTS / np.maximum(DEPTH, 1)))


def test_tf_idf():
    transform = TfIdf(12)
    transform.fit(rows_of(COUNTS))
    inverse_frequency = np.log1p(20 / (1 + (COUNTS > 0).sum(0)))
    close(transform.inverse_frequency, inverse_frequency)
    close(apply(transform), np.log1p(1e4 * COUNTS / np.maximum(DEPTH, 1)) * inverse_frequency)


def test_tf_idf_counts_no_stored_zeros():
    transform = TfIdf(12)
    transform.fit(rows_of(COUNTS, np.ones_like(COUNTS)))
    close(transform.inverse_frequency, np.log1p(20 / (1 + (COUNTS > 0).sum(0))))


def test_centred_log_ratio():
    logged = np.log1p(COUNTS)
    found = apply(CentredLogRatio(12))
    close(found, logged - logged.mean(1, keepdims=True))
    close(found.sum(1), 0)


def test_centred_log_ratio_of_the_features_that_were_found():
    """As if the others did not exist, whatever their values."""
    found = np.arange(12) % 3 > 0
    logged = np.log1p(COUNTS[:, found])
    for values in (COUNTS, COUNTS * found):
        seen = CentredLogRatio(12)(rows_of(values), depth=torch.from_numpy(DEPTH), found=torch.from_numpy(found))
        close(seen.dense().numpy()[:, found], logged - logged.mean(1, keepdims=True))


def test_centred_log_ratio_without_missing_features_is_the_plain_one():
    rows, depth = rows_of(COUNTS), torch.from_numpy(DEPTH)
    everything = CentredLogRatio(12)(rows, depth=depth, found=torch.ones(12, dtype=torch.bool))
    torch.testing.assert_close(everything.dense(), CentredLogRatio(12)(rows, depth=depth).dense())


def test_methylation_residual():
    """Share minus the site's smoothed mean where covered, 0 elsewhere, as if all sites had been covered."""
    methylated, calls = rows_of(METHYLATED, CALLS), rows_of(CALLS)
    transform = MethylationResidual(12)
    transform.fit(methylated, calls)
    mean = (METHYLATED.sum(0) + 1) / (CALLS.sum(0) + 2)
    close(transform.site_mean, mean)
    covered = CALLS > 0
    residual = np.where(covered, METHYLATED / np.maximum(CALLS, 1) - mean, 0)
    expected = residual * 12 / np.maximum(covered.sum(1, keepdims=True), 1)
    found = transform(methylated, depth=torch.ones(20, 1), coverage=calls)
    close(found.dense(), expected)
    assert len(found.indices) == covered.sum()


def test_methylation_residual_of_a_hidden_site_counts_as_not_covered():
    transform = MethylationResidual(12)
    transform.fit(rows_of(METHYLATED, CALLS), rows_of(CALLS))
    found = torch.arange(12) % 3 > 0
    kept = CALLS * found.numpy()
    shown, absent = (
        transform(rows_of(METHYLATED * (c > 0), c), depth=torch.ones(20, 1), coverage=rows_of(c), found=f)
        for c, f in ((CALLS, found), (kept, None))
    )
    close(shown.dense()[:, found], absent.dense()[:, found])


def test_identity():
    values = COUNTS - 1.5
    close(apply(Identity(12), values), values)
    assert not Identity.thins


def test_thins_only_counts():
    assert all(transform.thins for transform in (LogNormalise, TfIdf, CentredLogRatio, MethylationResidual))


def test_statistics_travel_with_the_weights():
    transform = TfIdf(12)
    transform.fit(rows_of(COUNTS))
    again = TfIdf(12)
    again.load_state_dict(transform.state_dict())
    close(apply(again), apply(transform))


@pytest.mark.parametrize("transform", [LogNormalise, TfIdf, CentredLogRatio], ids=lambda c: c.__name__)
def test_cells_do_not_see_each_other(transform):
    order = RNG.permutation(20)
    made = transform(12)
    made.fit(rows_of(COUNTS))
    close(apply(made, COUNTS[order], DEPTH[order]), apply(made)[order])


def test_from_dense():
    x = torch.randn(3, 4)
    assert torch.equal(from_dense(x).dense(), x)
    assert from_dense(x[:0]).dense().shape == (0, 4)
