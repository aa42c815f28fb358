"""Values in the model's feature order, from any form of matrix; the user's data stay as they are."""

import dataclasses

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from multiome.data.build import prepare_modality
from multiome.data.matrix import checked_values, halve, on_entries, raw_values, read_matrix, reorder, without_zeros
from multiome.errors import InvalidCounts, SpecMismatch, UnknownName
from multiome.likelihoods.bernoulli import Bernoulli
from multiome.likelihoods.poisson import Poisson
from multiome.modalities.atac import ATAC
from multiome.modalities.methylation import METHYLATION
from multiome.modalities.rna import RNA

COUNTS = np.array([[5, 0, 3, 2], [1, 1, 0, 0], [0, 7, 0, 3], [2, 2, 2, 4]], dtype=np.float32)
# one covered site or more in every cell and at every site
CALLS = np.array([[2, 0, 1, 1], [1, 1, 0, 0], [0, 3, 0, 1], [2, 2, 0, 1]], dtype=np.float32)
METHYLATED = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 3, 0, 1], [0, 2, 0, 0]], dtype=np.float32)
NAMES = [f"g{i}" for i in range(4)]


def adata_of(x, names=NAMES, **layers):
    adata = ad.AnnData(sp.csr_matrix(x) if isinstance(x, np.ndarray) else x, layers=layers)
    adata.obs_names, adata.var_names = [f"c{i}" for i in range(x.shape[0])], list(names)
    return adata


def messy(x):
    """CSR with its entries in reverse order, and every zero of some columns stored."""
    rows, columns = np.nonzero((x != 0) | (np.arange(x.shape[1]) % 2 == 1)[None])
    order = np.lexsort((-columns, rows))
    rows, columns = rows[order], columns[order]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(x)))])
    return sp.csr_matrix((x[rows, columns], columns.astype(np.int32), indptr.astype(np.int32)), shape=x.shape)


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


def test_halved_and_rounded_up():
    assert halve(sp.csr_matrix(np.array([[0.0, 1, 2, 3, 4, 5]]))).toarray().tolist() == [[0, 1, 1, 2, 2, 3]]


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
    with pytest.raises(SpecMismatch, match=r"2 of the 3 features .* \(33% found; first absent: 'g1', 'g2'"):
        read_matrix("rna", adata_of(COUNTS[:, :1], ["g0"]), spec)


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
