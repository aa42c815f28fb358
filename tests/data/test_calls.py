"""Methylated calls and their coverage: the same entries, and nothing where no call was made."""

import numpy as np
import pytest
import scipy.sparse as sp

from multiome.data.build import prepare_modality
from multiome.data.calls import on_entries, without_zeros
from multiome.data.matrix import read_matrix
from multiome.data.raw import checked_values
from multiome.errors import InvalidCounts
from multiome.modalities.methylation import METHYLATION
from tests.data.matrices import CALLS, COUNTS, METHYLATED, adata_of, messy


def test_covered_sites_without_methylation_are_kept():
    values, coverage = checked_values("met", adata_of(METHYLATED, coverage=messy(CALLS)), METHYLATION)
    covered = CALLS > 0
    for x in (values, coverage):
        assert x.has_canonical_format
        recorded = sp.csr_matrix((np.ones_like(x.data), x.indices, x.indptr), shape=x.shape).toarray()
        np.testing.assert_array_equal(recorded > 0, covered)
    np.testing.assert_array_equal(values.toarray(), METHYLATED)
    np.testing.assert_array_equal(coverage.toarray(), CALLS)


def test_entries_of_random_calls():
    rng = np.random.default_rng(0)
    calls = rng.poisson(0.3, (40, 60)).astype(np.float32)
    methylated = rng.binomial(calls.astype(int), 0.2).astype(np.float32)
    coverage = sp.csr_matrix(calls)
    values = on_entries(sp.csr_matrix(methylated), coverage)
    assert np.array_equal(values.indices, coverage.indices)
    assert np.array_equal(values.indptr, coverage.indptr)
    np.testing.assert_array_equal(values.data, methylated[calls > 0])


def test_without_zeros_copies_only_if_needed():
    clean, dirty = sp.csr_matrix(COUNTS), messy(COUNTS)
    assert without_zeros(clean) is clean
    assert without_zeros(dirty).nnz == clean.nnz < dirty.nnz


def test_missing_sites_of_methylation():
    adata = adata_of(METHYLATED, coverage=sp.csr_matrix(CALLS))
    spec, trained = prepare_modality("met", adata, METHYLATION, drop_empty=False)
    part = read_matrix("met", adata[:, ["g3", "g1"]].copy(), spec, drop_empty=True)
    assert part.found.tolist() == [False, True, False, True]
    for x, whole in ((part.values, METHYLATED), (part.coverage, CALLS)):
        np.testing.assert_array_equal(x.toarray(), whole * [0, 1, 0, 1])
    assert part.values.nnz == part.coverage.nnz == 6
    assert np.array_equal(part.values.indices, part.coverage.indices)
    assert (part.depth == 1).all()
    assert (trained.values != sp.csr_matrix(METHYLATED)).nnz == 0


@pytest.mark.parametrize("form", [sp.csr_matrix, np.asarray], ids=["sparse", "dense"])
def test_nan_without_coverage_is_not_covered(form):
    x = np.where(CALLS > 0, METHYLATED, np.nan)
    adata = adata_of(METHYLATED, coverage=messy(CALLS))
    adata.X = form(x)
    found = checked_values("met", adata, METHYLATION)
    expected = checked_values("met", adata_of(METHYLATED, coverage=messy(CALLS)), METHYLATION)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.toarray(), b.toarray())
        assert np.array_equal(a.indices, b.indices)
    after = adata.X if form is np.asarray else adata.X.toarray()
    np.testing.assert_array_equal(np.isnan(after), CALLS == 0)


def test_nan_with_coverage_is_an_error():
    x = np.where(CALLS > 0, METHYLATED, np.nan)
    x[0, 2] = np.nan
    with pytest.raises(InvalidCounts, match=r"'met' holds NaN .*: 1 values, the first nan at cell 'c0', 'g2'"):
        checked_values("met", adata_of(x, coverage=sp.csr_matrix(CALLS)), METHYLATION)


@pytest.mark.parametrize("nan", [True, False])
def test_fractions_say_how_to_get_calls(nan):
    coverage = 2 * CALLS
    fraction = METHYLATED / np.where(coverage > 0, coverage, np.nan)
    fraction = fraction if nan else np.nan_to_num(fraction)
    adata = adata_of(fraction, coverage=sp.csr_matrix(coverage))
    told = r"'met': \.X holds fractions between 0 and 1, .*numpy\.round\(fraction \* coverage\).*\.layers\['coverage'\]"
    with pytest.raises(InvalidCounts, match=told):
        checked_values("met", adata, METHYLATION)
    adata.X = np.round(fraction * coverage)  # as the message says
    np.testing.assert_array_equal(checked_values("met", adata, METHYLATION)[0].toarray(), METHYLATED)


def test_other_values_than_fractions_are_no_fractions():
    x = METHYLATED * 1.5
    with pytest.raises(InvalidCounts, match="must hold raw counts, but some values are not whole numbers"):
        checked_values("met", adata_of(x, coverage=sp.csr_matrix(CALLS * 2)), METHYLATION)
