"""Rows that stay on disk are the rows of the matrix, whatever its form and whichever are asked for."""

import anndata as ad
import h5py
import numpy as np
import pytest
import scipy.sparse as sp
import zarr

from multiome.data import stored
from multiome.data.opened import values
from multiome.data.raw import raw_values
from multiome.data.stored import Shown, StoredRows
from multiome.errors import InvalidCounts, MultiomeError, MultiomeWarning
from multiome.modalities.atac import ATAC
from multiome.modalities.methylation import METHYLATION
from multiome.modalities.rna import RNA

X = sp.random(90, 23, density=0.3, format="csr", random_state=0, dtype=np.float32)
X.data = np.ceil(X.data * 9)


@pytest.fixture(params=["h5", "zarr"])
def root(request, tmp_path):
    if request.param == "zarr":
        return zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=2)
    return h5py.File(tmp_path / "x.h5", "w")


@pytest.fixture(params=[sp.csr_matrix, np.asarray], ids=["csr", "dense"])
def rows(request, root, monkeypatch):
    monkeypatch.setattr(stored, "BLOCK", 13)
    ad.io.write_elem(root, "X", X if request.param is sp.csr_matrix else X.toarray())
    return StoredRows(values(root["X"]))


@pytest.mark.parametrize(
    "wanted",
    [np.arange(90), np.array([3]), np.array([], dtype=int), np.array([80, 2, 3, 4, 41, 89, 0]), np.array([7, 7, 5])],
)
def test_rows_in_any_order(rows, wanted):
    found = rows[wanted]
    assert isinstance(found, sp.csr_matrix)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.toarray(), X[wanted].toarray())


def test_one_pass_over_all(rows):
    parts = list(rows.blocks())
    assert [part.start for part, _ in parts] == list(range(0, 90, 13))
    np.testing.assert_array_equal(sp.vstack([x for _, x in parts]).toarray(), X.toarray())


def test_columns_in_the_models_order_and_halved(rows):
    wanted = np.array([7, 0, 22, 3])
    place = np.full(23, -1)
    place[wanted] = np.arange(4)
    shown = rows.shown(Shown(place, 5, halved=True))  # the model has a fifth, which the data lack
    expected = np.column_stack([np.ceil(X.toarray()[:, wanted] / 2), np.zeros(90)])
    assert shown.shape == (90, 5)
    np.testing.assert_array_equal(shown[np.array([9, 4, 50])].toarray(), expected[[9, 4, 50]])
    assert shown[np.arange(90)].has_sorted_indices


def test_doubled_entries_are_summed(root):
    group = root.create_group("X")
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": [1, 3]})
    for name, array in (
        ("data", np.ones(3, "f4")),
        ("indices", np.array([2, 0, 2], "i4")),
        ("indptr", np.array([0, 3])),
    ):
        ad.io.write_elem(group, name, array)
    np.testing.assert_array_equal(StoredRows(values(root["X"]))[np.array([0])].toarray(), [[1, 0, 2]])


def table(x, **layers):
    return ad.AnnData(x, layers=layers)


def test_only_what_is_on_disk_and_large_stays_there(root, monkeypatch):
    ad.io.write_elem(root, "X", X)
    on_disk = table(values(root["X"]))
    assert stored.stored("rna", on_disk, RNA) is None
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 89)
    assert stored.stored("rna", on_disk, RNA).shape == X.shape
    assert stored.stored("rna", table(X), RNA) is None
    assert stored.stored("rna", table(None, counts=values(root["X"])), RNA.with_layer("counts")).shape == X.shape


def test_calls_stay_on_disk_with_their_coverage(root, monkeypatch):
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 89)
    ad.io.write_elem(root, "X", X)
    both = stored.stored("met", table(values(root["X"]), coverage=values(root["X"])), METHYLATION)
    np.testing.assert_array_equal(both.coverage[np.array([5])].toarray(), X[[5]].toarray())
    with pytest.warns(MultiomeWarning, match=r"'met': all 90 cells are read .* because layer 'coverage' is there"):
        assert stored.stored("met", table(values(root["X"]), coverage=X), METHYLATION) is None


def test_stored_by_column(root, monkeypatch):
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 89)
    ad.io.write_elem(root, "X", X.tocsc())
    with pytest.raises(MultiomeError, match=r"'atac' is stored by column \(CSC\).*tocsr\(\)"):
        stored.stored("atac", table(values(root["X"])), ATAC)


def test_what_is_read_as_a_whole_is_whole(tmp_path):
    """A folder that was copied in part: what is missing would be zeros."""
    path = tmp_path / "x.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    for name, kept in (("csr", X), ("csc", X.tocsc())):
        held = group.create_group(name)
        held.attrs.update({"encoding-type": f"{name}_matrix", "encoding-version": "0.1.0", "shape": list(X.shape)})
        for part in ("data", "indices", "indptr"):
            array = getattr(kept, part)
            held.create_array(part, shape=array.shape, dtype=array.dtype, chunks=(20,))[:] = array
    for name in ("csr", "csc"):
        np.testing.assert_array_equal(raw_values(table(values(group[name])), None).toarray(), X.toarray())
        (path / name / "indices" / "1").unlink()
        with pytest.raises(MultiomeError, match=rf"x\.zarr, matrix '/{name}', is damaged: 1 of .* chunks are missing"):
            raw_values(table(values(group[name])), None)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("x", [X, X.toarray()], ids=["sparse", "dense"])
def test_what_cannot_be_read_is_damaged(tmp_path, monkeypatch, x, many):
    path = tmp_path / "x.zarr"
    ad.io.write_elem(zarr.open_group(path, mode="w", zarr_format=2), "X", x)
    chunk = next(file for file in sorted((path / "X").rglob("*0")) if sp.issparse(x) is (file.parent.name == "data"))
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 1 if many else 1000)
    adata = table(values(zarr.open_group(path, mode="r")["X"]))
    with pytest.raises(MultiomeError, match=r"matrix '/X', is damaged: .* cannot be read"):
        stored.stored("rna", adata, RNA)[np.arange(9)] if many else raw_values(adata, None)


def test_a_matrix_whose_place_in_the_file_is_damaged():
    class Damaged(ad.AnnData):
        @property
        def X(self):
            raise KeyError("Unable to synchronously open object")

    with pytest.raises(MultiomeError, match=r"'rna': \.X cannot be read .* the file is damaged"):
        raw_values(Damaged(shape=(2, 2)), None, key="rna")


def test_no_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 1)
    file = h5py.File(tmp_path / "x.h5", "w")
    file["X"] = np.array([[1, 2], [3, 4]], dtype=complex)
    adata = table(np.zeros((2, 2)))
    adata.layers["odd"] = file["X"]
    with pytest.raises(InvalidCounts, match="'rna' must hold numbers, but its dtype is complex128"):
        stored.stored("rna", adata, RNA.with_layer("odd"))


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("indptr", lambda x: np.where(np.arange(len(x)) == 50, 0, x), "rows do not follow each other"),
        ("indptr", lambda x: np.append(x[:-1], x[-1] - 1), "values, and"),
        (
            "indices",
            lambda x: np.append(x[:-1], 99).astype(x.dtype),
            "cells 78 to 89 have values of features that",
        ),
        (
            "indices",
            lambda x: np.append(x[:-1], -5).astype(x.dtype),
            "cells 78 to 89 have values of features that",
        ),
    ],
)
def test_damaged_files_are_named(root, monkeypatch, name, change, says):
    monkeypatch.setattr(stored, "BLOCK", 13)
    ad.io.write_elem(root, "X", X)
    root["X"][name][:] = change(root["X"][name][:])
    with pytest.raises(MultiomeError, match=r"x\.(h5|zarr), matrix '/?X', is damaged: .*" + says):
        list(StoredRows(values(root["X"])).blocks())


def test_chunks_that_were_not_copied(tmp_path):
    root = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=2)
    ad.io.write_elem(root, "X", X, dataset_kwargs={"chunks": 20})
    chunks = sorted(file for file in (tmp_path / "x.zarr" / "X" / "indices").iterdir() if file.name.isdigit())
    assert len(chunks) > 3
    chunks[2].unlink()
    with pytest.raises(MultiomeError, match=r"1 of \d+ chunks are missing\. Copy or write the file anew"):
        StoredRows(values(root["X"]))
