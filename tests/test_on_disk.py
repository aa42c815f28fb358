"""Cells that stay on disk: fitted and shown a few at a time, with the results of cells in memory."""

import mudata as md
import numpy as np
import pytest
import scipy.sparse as sp
import torch

import multiome as mo
from multiome.data import some_cells, stored
from multiome.data.build import prepare
from multiome.data.split import split
from multiome.errors import InvalidCounts, MultiomeWarning, UnknownName
from multiome.train import datamodule
from multiome.train.datamodule import Streamed

pytestmark = pytest.mark.usefixtures("few_in_memory")

CONFIG = mo.ModelConfig(n_latent=6, n_hidden=16, n_features_latent=8, n_batch_latent=2)


@pytest.fixture(scope="module")
def whole(small):
    """RNA, ATAC, protein and methylation of 160 cells; the middle two miss in some."""
    return small.mdata


@pytest.fixture(scope="module", params=["h5mu", "zarr"])
def path(request, whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("disk") / f"cells.{request.param}"
    getattr(whole, f"write_{request.param}")(path)
    return path


def write(data, tmp_path):
    data.write(tmp_path / "cells.h5mu")
    return tmp_path / "cells.h5mu"


def prepared(data, **given):
    return prepare(data, **{"modalities": None, "batch_key": "batch", "drop_empty": False} | given)


def test_nothing_is_read_into_memory(path):
    _, cells = prepared(path)
    assert cells.on_disk
    assert all(isinstance(matrix.values, stored.StoredRows) for matrix in cells.matrices.values())
    assert isinstance(cells.matrices["met"].coverage, stored.StoredRows)


def test_what_the_model_is_built_for_is_the_same(path, whole):
    there, at_hand = prepared(path)[0], prepared(whole)[0]
    assert there.covariates == at_hand.covariates
    assert there.n_cells == at_hand.n_cells
    for key, expected in at_hand.modalities.items():
        found = there.modalities[key]
        for name in (
            "features",
            "other_features",
            "likelihood",
            "n_cells",
            "n_components",
            "cells_per_level",
            "halved",
        ):
            assert getattr(found, name) == getattr(expected, name), name
        assert found.median_depth == pytest.approx(expected.median_depth)
        np.testing.assert_allclose(found.share, expected.share, rtol=1e-5)
        assert found.notes[-1] == f"the recipe saw 64 of {expected.n_cells} cells."


def test_minibatches_are_the_same(path, whole):
    (_, there), (_, at_hand) = prepared(path), prepared(whole)
    index = np.array([3, 150, 7, 8, 9, 77])
    found, expected = there.take(index), at_hand.take(index)
    for key in at_hand.matrices:
        np.testing.assert_array_equal(found.counts[key].dense(), expected.counts[key].dense())
        np.testing.assert_array_equal(found.observed[key], expected.observed[key])
        np.testing.assert_allclose(found.exposure[key], expected.exposure[key], rtol=1e-6)
    for x, y in ((found.counts["met"], expected.counts["met"]), (found.coverage["met"], expected.coverage["met"])):
        for part in ("indptr", "indices", "values"):  # calls are on the entries of the coverage, zeros stored
            np.testing.assert_array_equal(getattr(x, part), getattr(y, part))
    loaded = there.load(index)
    assert not loaded.on_disk
    np.testing.assert_array_equal(loaded.take(np.arange(6)).counts["rna"].dense(), expected.counts["rna"].dense())


def test_an_epoch_sees_every_cell_once_and_mixes_them(path, whole, monkeypatch):
    monkeypatch.setattr(datamodule, "BUFFERED", 3)
    monkeypatch.setattr(datamodule, "MIXED", 2)
    _, cells = prepared(path)
    rows = np.setdiff1d(np.arange(160), np.arange(0, 160, 9))
    batches = datamodule.loader(cells, rows, 20, seed=0)
    expected = prepared(whole)[1]
    orders = []
    for _ in range(2):
        epoch = list(batches)
        assert len(epoch) == len(batches)
        orders.append(np.concatenate([batch.index for batch in epoch]))
        np.testing.assert_array_equal(np.sort(orders[-1]), rows)
        assert min(len(batch) for batch in epoch) >= 10
        for batch in epoch:
            dense = expected.take(batch.index.numpy()).counts["atac"].dense()
            np.testing.assert_array_equal(batch.counts["atac"].dense(), dense)
    assert not np.array_equal(*orders)
    assert not np.array_equal(orders[0][:20], np.sort(orders[0][:20]))


def test_cells_with_few_values_are_read_in_longer_runs_and_training_waits_for_few(path, monkeypatch):
    _, cells = prepared(path)
    monkeypatch.setattr(datamodule, "MIXED", 2)
    values = max(matrix.values.per_cell for matrix in cells.matrices.values())
    for of_a_run, run in ((1.0, 16), (30.5 * values, 30), (1e9, 64)):
        monkeypatch.setattr(datamodule, "VALUES", of_a_run)
        assert datamodule.run_of(cells, 160) == run
        assert datamodule.run_of(cells, 60) == min(run, 30)  # two places are to be mixed
    stream = Streamed(cells, np.arange(160), 10, seed=0)
    monkeypatch.setattr(datamodule, "MIXED", 8)
    monkeypatch.setattr(datamodule, "BUFFERED", 1)
    for n, lengths in ((26, [2, 8, 8, 8]), (7, [2, 5]), (6, [6]), (2, [2]), (1, [1])):
        parts = stream.parts(np.arange(n))
        assert [len(part) for part in parts] == lengths
        np.testing.assert_array_equal(np.concatenate(parts), np.arange(n))


@pytest.mark.parametrize(("batch_size", "run"), [(256, 250), (256, 64), (32, 256), (2368, 64), (4096, 250)])
def test_minibatches_of_an_epoch_are_about_as_large_as_each_other(path, batch_size, run):
    stream = Streamed(prepared(path)[1], np.arange(160), 10, seed=0)
    stream.batch_size, stream.run = batch_size, run
    most = max(datamodule.BUFFERED * batch_size / run, datamodule.MIXED)
    for n_runs in range(2 * batch_size // run + 1, int(4 * most), 3):
        lengths = [len(part) for part in stream.parts(np.arange(n_runs))]
        sizes = [n * run / stream.n_batches(n) for n in lengths]
        assert sum(lengths) == n_runs
        assert max(sizes) <= 1.15 * min(sizes)
        assert batch_size <= min(sizes) <= max(sizes) <= 1.5 * batch_size
        assert max(lengths) <= 1.5 * most


def test_rows_come_in_the_order_in_which_they_are_asked_for(path, whole):
    values = prepared(path)[1].matrices["rna"].values
    expected = prepared(whole)[1].matrices["rna"].values
    rng = np.random.default_rng(0)
    for rows in (
        rng.permutation(160)[:40],
        np.array([5, 5, 2, 90, 2]),
        np.arange(30, 60),
        np.array([159]),
        np.array([], int),
    ):
        np.testing.assert_array_equal(values[rows].toarray(), expected[rows].toarray())
    of_bytes = np.array([127, 0, 3], dtype=np.int8)  # one more than the largest is no such number
    np.testing.assert_array_equal(values[of_bytes].toarray(), expected[[127, 0, 3]].toarray())


def test_held_out_cells_are_neighbours_and_no_more_than_wanted():
    observed = np.ones((1000, 2), dtype=bool)
    rows, held_out = split(observed, validation=0.1, seed=0, run=16, most=64)
    assert len(held_out) == 64
    assert len(np.unique(held_out // 16)) <= 8
    np.testing.assert_array_equal(np.sort(np.concatenate([rows, held_out])), np.arange(1000))


def test_fit_embed_and_predict(path, whole):
    train = mo.TrainConfig(max_epochs=3, batch_size=32, validation=0.2, progress_bar=False, accelerator="cpu")
    model = mo.fit(path, batch_key="batch", config=CONFIG, train=train)
    assert np.isfinite(model.history["value"]).all()
    assert {"train", "val"} == set(model.history["cells"])
    np.testing.assert_allclose(model.embed(path), model.embed(whole), rtol=1e-5, atol=1e-6)
    for source, target in (("rna", "prot"), ("atac", "rna"), ("met", "rna"), ("rna", "met")):
        found, expected = (model.translate(data, source=source, target=target) for data in (path, whole))
        np.testing.assert_allclose(found.X, expected.X, rtol=1e-4)
        assert found.obs_names.equals(expected.obs_names)
    found, expected = (model.denoise(data, "rna", n_samples=2) for data in (path, whole))
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-4)
    assert len(model.reliability)


def test_backed(whole, tmp_path):
    backed = md.read_h5mu(write(whole, tmp_path), backed="r")
    with pytest.warns(MultiomeWarning, match="'met': all 160 cells are read into memory, because layer 'coverage' is"):
        spec, cells = prepared(backed)
    assert cells.on_disk
    assert spec.n_cells == 160
    backed.file.close()


def test_features_in_another_order_and_some_missing(whole, model, tmp_path):
    rna = whole["rna"][:, ::-1][:, 5:].copy()
    rna.write_h5ad(tmp_path / "rna.h5ad")
    found, expected = (model.embed(data, modality="rna") for data in (tmp_path / "rna.h5ad", rna))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def damaged(whole, key, row, value):
    data = md.MuData({k: whole[k].copy() for k in whole.mod})
    x = data[key].X.toarray() if sp.issparse(data[key].X) else np.array(data[key].X)
    x[row] = value
    data[key].X = sp.csr_matrix(x)
    return data


@pytest.mark.parametrize(
    ("value", "complaint"),
    [(-1, "negative: 40 values, the first -1 at cell"), (0.5, "not whole numbers"), (np.nan, "holds NaN or infinite")],
)
def test_bad_values_far_down_the_file(whole, tmp_path, value, complaint):
    path = write(damaged(whole, "rna", 130, value), tmp_path)
    with pytest.raises(InvalidCounts, match=complaint):
        prepared(path)


def test_empty_cells(whole, tmp_path):
    path = write(damaged(whole, "rna", 130, 0), tmp_path)
    name = whole["rna"].obs_names[130]
    with pytest.raises(InvalidCounts, match=f"'rna': 1 of 160 cells have not a single count.*first: '{name}'"):
        prepared(path)
    spec, cells = prepared(path, drop_empty=True)
    assert spec.modalities["rna"].n_cells == 159
    assert (~cells.observed("rna")).sum() == 1


def test_features_that_are_zero_everywhere_are_mentioned(whole, tmp_path):
    data = md.MuData({"rna": whole["rna"].copy(), "prot": whole["prot"].copy()})
    x = data["rna"].X.toarray()
    x[:, 3] = 0
    data["rna"].X = sp.csr_matrix(x)
    with pytest.warns(MultiomeWarning, match="'rna': 1 of 40 features are zero in every cell"):
        prepared(write(data, tmp_path))


def test_cut_sites(whole, tmp_path):
    data = md.MuData({"rna": whole["rna"].copy(), "atac": whole["atac"].copy()})
    data["atac"].X = data["atac"].X * 2
    path = write(data, tmp_path)
    (spec, there), (expected, at_hand) = prepared(path), prepared(data)
    assert spec.modalities["atac"].halved
    assert spec.modalities["atac"].median_depth == pytest.approx(expected.modalities["atac"].median_depth)
    index = np.array([0, 5, 100])
    np.testing.assert_array_equal(there.take(index).counts["atac"].dense(), at_hand.take(index).counts["atac"].dense())


def methylation(whole, change):
    """Methylation beside RNA, something changed in the calls and their coverage, both dense."""
    met = whole["met"].copy()
    met.X, met.layers["coverage"] = met.X.toarray(), met.layers["coverage"].toarray()
    change(met.X, met.layers["coverage"])
    return md.MuData({"rna": whole["rna"], "met": met})


def nan_without_calls(calls, coverage):
    calls[coverage == 0] = np.nan


def test_nan_at_sites_without_calls(whole, tmp_path):
    data = methylation(whole, nan_without_calls)
    (_, there), (_, at_hand) = prepared(write(data, tmp_path)), prepared(data)
    assert isinstance(there.matrices["met"].values, stored.StoredRows)
    index = np.array([150, 3, 4])
    found, expected = there.take(index), at_hand.take(index)
    np.testing.assert_array_equal(found.counts["met"].dense(), expected.counts["met"].dense())
    np.testing.assert_array_equal(found.coverage["met"].dense(), expected.coverage["met"].dense())


def too_many(calls, coverage):
    calls[130] = coverage[130] + 1


def fractions(calls, coverage):
    calls[:] = calls / np.maximum(coverage, 1)


def half_a_call(calls, coverage):
    coverage[130, 0] = 1.5


@pytest.mark.parametrize(
    ("change", "complaint"),
    [(too_many, "methylated calls exceed the coverage by 30 values"),
     (fractions, r"\.X holds fractions between 0 and 1"),
     (half_a_call, r"layer 'coverage'\) must hold raw counts, but some values are not whole numbers")],
)  # fmt: skip
def test_bad_calls_far_down_the_file(whole, tmp_path, change, complaint):
    data = methylation(whole, change)
    for given in (write(data, tmp_path), data):
        with pytest.raises(InvalidCounts, match=complaint):
            prepared(given)


def test_no_layer_of_all_calls(whole, tmp_path):
    data = methylation(whole, nan_without_calls)
    data["met"].layers["all"] = data["met"].layers.pop("coverage")
    with pytest.raises(UnknownName, match=r"Unknown layer 'coverage' of 'met' \(methylation needs its total calls\)"):
        prepared(write(data, tmp_path))


def test_raw_may_hold_the_counts(whole, tmp_path):
    rna = whole["rna"].copy()
    rna.raw = rna.copy()
    rna.X = rna.X * 0.5
    rna.write_h5ad(tmp_path / "rna.h5ad")
    with pytest.raises(InvalidCounts, match=r"\.raw may hold the counts"):
        prepared(tmp_path / "rna.h5ad", batch_key=None)


def test_presence_that_not_all_cells_show(whole, tmp_path, monkeypatch):
    data = md.MuData({key: whole[key].copy() for key in ("rna", "atac")})
    data["atac"].X = (data["atac"].X > 0).astype(np.float32)
    x = data["atac"].X.tolil()
    x[data["atac"].n_obs - 1, 3] = 2
    data["atac"].X = sp.csr_matrix(x)
    monkeypatch.setattr(some_cells, "in_runs", lambda rows, *_: rows[:40])
    path = write(data, tmp_path)
    in_memory, on_disk = (prepared(given)[0].modalities["atac"].likelihood for given in (data, path))
    assert in_memory == on_disk == "Poisson"


@pytest.mark.parametrize("batch_size", [1, 3])
def test_minibatches_of_few_cells(path, batch_size):
    _, cells = prepared(path)
    rows = np.arange(131)
    stream = Streamed(cells, rows, batch_size, seed=0)
    batches = list(stream)
    assert len(stream) == len(batches)
    assert all(len(batch) for batch in batches)
    assert sorted(torch.cat([batch.index for batch in batches]).tolist()) == rows.tolist()
