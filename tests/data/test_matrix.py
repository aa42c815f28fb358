"""Values from any form of matrix; the user's data stay as they are."""

import warnings
from dataclasses import replace

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from multiome.data.build import prepare_modality
from multiome.data.matrix import Matrix, read_matrix
from multiome.data.raw import checked_values, raw_values
from multiome.errors import InvalidCounts, MultiomeWarning, UnknownName
from multiome.modalities.atac import ATAC
from multiome.modalities.methylation import METHYLATION
from multiome.modalities.rna import RNA
from tests.data.matrices import CALLS, COUNTS, METHYLATED, adata_of, messy


def snapshot(adata):
    parts = [adata.X, *adata.layers.values()]
    return [array.copy() for x in parts for array in (x.data, x.indices, x.indptr)]


def same(before, adata):
    return all(np.array_equal(a, b) for a, b in zip(before, snapshot(adata), strict=True))


@pytest.mark.parametrize(
    "form",
    [sp.csr_matrix, sp.csc_matrix, sp.csr_array, np.asarray, messy, lambda x: sp.csr_matrix(x.astype(np.int64))],
    ids=["csr", "csc", "csr array", "dense", "messy", "int64"],
)
def test_any_form(form):
    adata = adata_of(form(COUNTS))
    values = raw_values(adata, None)
    assert isinstance(values, sp.csr_matrix)
    assert values.dtype == np.float32
    assert values.has_canonical_format
    np.testing.assert_array_equal(values.toarray(), COUNTS)


def test_memory_is_shared():
    adata = adata_of(COUNTS, counts=sp.csr_matrix(COUNTS))
    assert np.shares_memory(raw_values(adata, None).data, adata.X.data)
    assert np.shares_memory(raw_values(adata, "counts").data, adata.layers["counts"].data)


@pytest.mark.parametrize("in_order", [True, False])
def test_reading_changes_nothing(in_order):
    adata = adata_of(messy(METHYLATED), coverage=messy(CALLS))
    if in_order:  # stored zeros in the memory that is shared
        adata.X.sort_indices()
        adata.layers["coverage"].sort_indices()
    before = snapshot(adata)
    checked_values("met", adata, METHYLATION)
    spec, _ = prepare_modality("met", adata, METHYLATION, drop_empty=False)
    read_matrix("met", adata, spec)
    assert same(before, adata)
    counts = adata_of(messy(2 * COUNTS))
    before = snapshot(counts)
    spec, _ = prepare_modality("atac", counts, ATAC, drop_empty=False)
    assert spec.halved
    read_matrix("atac", counts[:, ::-1], spec)
    assert same(before, counts)


@pytest.mark.parametrize("cut_sites", [True, False], ids=["fitted on cut sites", "fitted on fragments"])
def test_fragments_where_training_had_cut_sites_are_mentioned(cut_sites):
    fragments = np.random.default_rng(0).poisson(0.8, (40, 30)).astype(np.float32)
    fragments[:, 0] += 1
    names = [f"p{i}" for i in range(30)]
    double = adata_of(fragments * 2, names)
    trained, other = (double, adata_of(fragments, names)) if cut_sites else (adata_of(fragments, names), double)
    spec, _ = prepare_modality("peaks", trained, ATAC, drop_empty=False)
    ours, theirs = ("cut sites", "fragments") if cut_sites else ("fragments", "cut sites")
    with pytest.warns(MultiomeWarning, match=f"'peaks': the model was fitted on counts of {ours}.*look like {theirs}"):
        read_matrix("peaks", other, spec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_matrix("peaks", trained, spec)
        read_matrix("peaks", other[:3], spec)  # too few to tell


def test_counts_where_training_had_other_values_are_mentioned():
    counts = np.random.default_rng(0).poisson(3.0, (40, 30)).astype(np.float32)
    names = [f"g{i}" for i in range(30)]
    logged = adata_of(np.log1p(counts), names)
    spec, _ = prepare_modality("rna", logged, RNA.continuous(), drop_empty=False)
    assert (spec.largest, spec.is_whole) == (pytest.approx(np.log1p(counts.max())), False)
    with pytest.warns(MultiomeWarning, match=r"'rna': the model was fitted on values up to 2\.4, .* whole numbers"):
        read_matrix("rna", adata_of(counts, names), spec)
    with pytest.warns(MultiomeWarning, match=r"but these go up to 9\.59\. Transform them"):
        read_matrix("rna", adata_of(np.log1p(counts) * 4, names), spec)
    whole, _ = prepare_modality("rna", adata_of(counts, names), RNA.continuous(), drop_empty=False)
    of_counts, _ = prepare_modality("rna", adata_of(counts, names), RNA, drop_empty=False)
    assert (of_counts.largest, of_counts.is_whole) == (None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_matrix("rna", adata_of(np.log1p(counts) * 2, names), spec)
        read_matrix("rna", adata_of(counts[:3], names), spec)  # too few to tell
        read_matrix("rna", adata_of(counts, names), whole)
        read_matrix("rna", adata_of(counts, names), replace(spec, largest=None, is_whole=None))  # of an older version
        read_matrix("rna", adata_of(10 * counts, names), of_counts)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_matrix], ids=["dense", "csr", "csc"])
def test_backed(tmp_path, form):
    adata_of(form(COUNTS)).write(tmp_path / "a.h5ad")
    adata = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    np.testing.assert_array_equal(raw_values(adata, None).toarray(), COUNTS)
    np.testing.assert_array_equal(raw_values(adata[1:3], None).toarray(), COUNTS[1:3])
    adata.file.close()


def test_no_x():
    adata = adata_of(COUNTS, counts=sp.csr_matrix(COUNTS))
    adata.X = None
    with pytest.raises(UnknownName, match=r"'rna' has no \.X; name the layer that holds its values \('counts'\)"):
        checked_values("rna", adata, RNA)
    values, _ = checked_values("rna", adata, RNA.with_layer("counts"))
    np.testing.assert_array_equal(values.toarray(), COUNTS)


def test_too_large_for_float32():
    with pytest.raises(InvalidCounts, match="infinite values: 1 values, the first inf at cell 'c0', 'g0'"):
        checked_values("rna", adata_of(np.array([[1e300, 1.0]]), ["g0", "g1"]), RNA)


@pytest.mark.parametrize("kinds", [(np.int64, np.int32), (np.int32, np.int64), (np.int32, np.int32)])
def test_rows_are_looked_up_without_converting_all_column_numbers(kinds):
    """Scipy converts them at every look-up where row starts are of another type; files have int64 and int32."""
    x = sp.csr_matrix(np.array([[0, 2, 1], [3, 0, 0]], dtype=np.float32))
    x.indptr, x.indices = x.indptr.astype(kinds[0]), x.indices.astype(kinds[1])
    found = Matrix(x, None, np.ones(2), np.ones(3, dtype=bool), np.zeros(2, dtype=bool)).values
    assert found.indptr.dtype == found.indices.dtype == np.int32
    assert found.data is x.data
    np.testing.assert_array_equal(found[[1, 0]].toarray(), [[3, 0, 0], [0, 2, 1]])
