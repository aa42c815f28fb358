"""Predictions that are written as they are made are those that are returned."""

from types import SimpleNamespace

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest

from multiome.errors import MultiomeError, MultiomeWarning
from multiome.predict import drawn, embed, written


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(embed, "BLOCK", 48)
    monkeypatch.setattr(written, "BLOCK", 48)
    monkeypatch.setattr(written, "CHUNK", 7)


def read(path):
    return ad.read_zarr(path) if path.suffix == ".zarr" else ad.read_h5ad(path)


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
@pytest.mark.parametrize("given", [{}, {"scale": "probability", "features": ["peak3", "peak0"]}], ids=["all", "some"])
def test_the_same_as_in_memory(model, small, tmp_path, suffix, given):
    if "features" in given:
        given = given | {"features": list(small.mdata["atac"].var_names[[3, 0]])}
    expected = model.translate(small.mdata["rna"], source="rna", target="atac", **given)
    path = tmp_path / f"atac{suffix}"
    shown = model.translate(small.mdata["rna"], source="rna", target="atac", out=path, **given)
    assert not isinstance(shown.X, np.ndarray)
    np.testing.assert_array_equal(shown.X[:], expected.X)
    found = read(path)
    np.testing.assert_array_equal(found.X, expected.X)
    assert found.X.dtype == np.float32
    assert found.obs_names.equals(expected.obs_names)
    assert found.var_names.equals(expected.var_names)
    assert set(found.obs) == set(expected.obs)
    assert set(found.var) == set(expected.var)
    assert found.uns["multiome"] == shown.uns["multiome"] == expected.uns["multiome"]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def layers_of(prediction, verb):
    lower, upper = prediction.interval(0.8)
    found = {"std": prediction.std, "lower": lower, "upper": upper}
    if verb == "denoise":
        found["expected_lower"], found["expected_upper"] = prediction.expected_interval(0.8)
    return found


@pytest.mark.parametrize(("suffix", "bytes_at_a_time"), [(".h5ad", 2**29), (".zarr", 40_000)], ids=["whole", "parts"])
@pytest.mark.parametrize(
    ("verb", "target", "scale"),
    [("impute", "atac", "counts"), ("impute", "prot", "clr"), ("impute", "met", "fraction"), ("denoise", "prot", "clr"),
     ("denoise", "rna", "counts")],
)  # fmt: skip
def test_draws_are_those_in_memory(model, small, tmp_path, monkeypatch, verb, target, scale, suffix, bytes_at_a_time):
    monkeypatch.setattr(drawn, "BLOCK_BYTES", bytes_at_a_time)
    given = {"scale": scale, "n_samples": 10}
    expected = getattr(model, verb)(small.mdata, target, **given)
    shown = getattr(model, verb)(small.mdata, target, **given, out=tmp_path / f"x{suffix}", interval=0.8)
    layers = layers_of(expected, verb)
    assert not isinstance(shown.X, np.ndarray)
    assert set(shown.layers) == set(layers)
    found = read(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(found.X, expected.mean)
    for name, values in layers.items():
        np.testing.assert_allclose(found.layers[name], values, rtol=1e-6, err_msg=name)
        assert found.layers[name].dtype == np.float32
    assert found.obs_names.equals(expected.obs.index)
    assert found.uns["multiome"] == expected.to_anndata().uns["multiome"]
    assert set(found.var) == set(expected.var)


def test_no_more_draws_are_held_than_said(model, small, tmp_path, monkeypatch):
    held = []
    told = written.spread
    monkeypatch.setattr(drawn, "BLOCK_BYTES", 40_000)
    monkeypatch.setattr(written, "spread", lambda draws: held.append(draws.nbytes) or told(draws))
    model.impute(small.mdata["rna"], "atac", n_samples=10, out=tmp_path / "x.zarr")
    assert max(held) <= 20_000, "as many are of expected values"
    assert len(held) > 160 // 12


def test_what_is_written_need_not_fit_into_memory(model, small, tmp_path, monkeypatch):
    rna = small.mdata["rna"]
    monkeypatch.setattr("multiome.predict.drawn.MAX_BYTES", 10_000)
    with pytest.raises(MultiomeError, match=r"write the result with out='NAME\.zarr'"):
        model.impute(rna, "atac", n_samples=10)
    assert model.impute(rna, "atac", n_samples=10, out=tmp_path / "x.zarr").shape == (160, 60)


@pytest.mark.parametrize(("n_samples", "layers"), [(0, set()), (1, set()), (2, {"std"})])
def test_layers_that_draws_allow(model, small, tmp_path, n_samples, layers):
    found = model.denoise(small.mdata, "rna", n_samples=n_samples, out=tmp_path / "x.h5ad")
    assert set(found.layers) == set(read(tmp_path / "x.h5ad").layers) == layers


def test_cells_without_a_source_are_nan(model, small, tmp_path):
    data = md.MuData({"atac": small.mdata["atac"], "prot": small.mdata["prot"]})
    data.obs["batch"] = small.mdata.obs["batch"]
    lacking = ~data.obs_names.isin(small.mdata["prot"].obs_names)
    with pytest.warns(MultiomeWarning, match="no measured 'prot'"):
        model.impute(data, "atac", n_samples=10, out=tmp_path / "x.zarr", interval=0.8)
    found = read(tmp_path / "x.zarr")
    for values in (found.X, *found.layers.values()):
        np.testing.assert_array_equal(np.isnan(values).all(1), lacking)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"interval": 0.9}, r"`interval` says what is written to `out`, which is not given.*\.interval\(0\.9\)"),
        ({"interval": 0.9, "out": "x.zarr", "n_samples": 5}, "90% interval needs at least 20 draws, there are 5"),
        ({"interval": 9, "out": "x.zarr"}, "`interval` must be a number between 0 and 1, such as 0.9, got 9"),
        ({"out": "x.h5mu"}, r"must be named \.h5ad or \.zarr, got 'x\.h5mu'"),
    ],
)
@pytest.mark.parametrize("verb", ["impute", "denoise"])
def test_what_cannot_be_written_is_said_first(model, tmp_path, monkeypatch, verb, given, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MultiomeError, match=says):
        getattr(model, verb)("absent.h5mu", "prot", **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_nothing_is_replaced_unless_it_may_be(model, small, tmp_path, suffix):
    path = tmp_path / f"prot{suffix}"
    model.translate(small.mdata["rna"], source="rna", target="prot", out=path)
    few = small.mdata["rna"][:9].copy()
    with pytest.raises(FileExistsError, match="exists; choose another name, or pass overwrite=True"):
        model.translate(few, source="rna", target="prot", out=path)
    assert read(path).n_obs == 160
    model.translate(few, source="rna", target="prot", out=str(path), overwrite=True)
    assert read(path).n_obs == 9
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_where_nothing_can_be_written(model, small, tmp_path):
    rna = small.mdata["rna"]
    with pytest.raises(MultiomeError, match=r"`out` must be named \.h5ad or \.zarr, got 'atac\.csv'"):
        model.translate(rna, source="rna", target="atac", out="atac.csv")
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        model.translate(rna, source="rna", target="atac", out=tmp_path / "absent" / "x.zarr")
    (tmp_path / "x.zarr").write_text("")
    with pytest.raises(FileExistsError, match="is a file, and a folder is to be written"):
        model.translate(rna, source="rna", target="atac", out=tmp_path / "x.zarr", overwrite=True)
    (tmp_path / "x.h5ad").mkdir()
    with pytest.raises(FileExistsError, match="is a folder; name a file"):
        model.translate(rna, source="rna", target="atac", out=tmp_path / "x.h5ad", overwrite=True)


def test_nothing_is_left_where_it_fails(model, small, tmp_path, monkeypatch):
    def broken(*_, **__):
        yield np.arange(48), np.zeros((48, 60), dtype=np.float32)
        raise RuntimeError("no more")

    monkeypatch.setattr(written, "expected_by_block", broken)
    with pytest.raises(RuntimeError, match="no more"):
        model.translate(small.mdata["rna"], source="rna", target="atac", out=tmp_path / "atac.zarr")
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_where_draws_fail(model, small, tmp_path, monkeypatch):
    path = tmp_path / "atac.h5ad"
    model.translate(small.mdata["rna"], source="rna", target="atac", out=path)
    before = path.read_bytes()

    def broken(*_, **__):
        raise RuntimeError("no more")

    monkeypatch.setattr(drawn, "draw", broken)
    with pytest.raises(RuntimeError, match="no more"):
        model.impute(small.mdata["rna"], "atac", n_samples=10, out=path, overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("is_backed", [False, True])
def test_the_data_are_not_replaced(model, small, tmp_path, is_backed):
    path = tmp_path / "rna.h5ad"
    small.mdata["rna"].write_h5ad(path)
    data = ad.read_h5ad(path, backed="r") if is_backed else path
    with pytest.raises(MultiomeError, match="where the data lie; they would be lost"):
        model.translate(data, source="rna", target="prot", out=tmp_path / "." / "rna.h5ad", overwrite=True)
    assert ad.read_h5ad(path).n_vars == small.mdata["rna"].n_vars


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_no_cell_is_written_as_none(model, small, tmp_path, suffix):
    none = small.mdata["rna"][:0].copy()
    found = model.translate(none, source="rna", target="prot", out=tmp_path / f"x{suffix}")
    assert found.shape == (0, small.mdata["prot"].n_vars)


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("mixed", [1, "two"], r"obs\['mixed'\]` holds values of type 'int', 'str'"),
        ("known", [True, None], r"obs\['known'\]` holds values of type 'bool'"),
        ("nothing", [None, None], r"obs\['nothing'\]` holds values of type 'None'"),
        ("day", pd.to_datetime(["2020-01-01", "2020-01-02"]), r"obs\['day'\]` holds values of type 'datetime64"),
        ("_index", [1, 2], r"obs\['_index'\]` cannot be written under that name; rename it"),
    ],
)
def test_annotation_that_no_file_keeps_is_named(model, small, tmp_path, suffix, name, values, says):
    rna = small.mdata["rna"].copy()
    rna.obs[name] = list(values) * (rna.n_obs // 2)
    with pytest.raises(MultiomeError, match=says):
        model.translate(rna, source="rna", target="prot", out=tmp_path / f"x{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
@pytest.mark.parametrize("missing", [np.nan, None])
def test_text_with_missing_values_is_written(model, small, tmp_path, suffix, missing):
    rna = small.mdata["rna"].copy()
    rna.obs["donor"] = [missing, "a"] * (rna.n_obs // 2)
    rna.obs["sort"] = pd.array(["x", "y"] * (rna.n_obs // 2), dtype="string")
    rna.obs["number"] = pd.Series(list(range(rna.n_obs)), index=rna.obs_names, dtype=object)
    rna.obs.index.name = "donor"
    model.translate(rna, source="rna", target="prot", out=tmp_path / f"x{suffix}")
    obs = read(tmp_path / f"x{suffix}").obs
    assert obs["donor"].isna().tolist() == [True, False] * (rna.n_obs // 2)
    assert set(obs["donor"].dropna()) == {"a"}
    assert obs["sort"].tolist() == ["x", "y"] * (rna.n_obs // 2)
    assert obs["number"].tolist() == list(range(rna.n_obs))


def test_draws_of_one_cell_that_memory_does_not_hold(model, small, tmp_path):
    with pytest.raises(MultiomeError, match=r"100,000,000,000 draws of 1 cell x 60 features need .* smaller n_samples"):
        model.impute(small.mdata["rna"], "atac", n_samples=10**11, out=tmp_path / "x.zarr")
    with pytest.raises(MultiomeError, match=r"draws of .* need .* smaller n_samples or max_cells"):
        model.evaluate(small.mdata, n_samples=10**11)
    assert not list(tmp_path.iterdir())


def test_not_inside_of_the_data(model, small, tmp_path):
    small.mdata["rna"].write_zarr(tmp_path / "rna.zarr")
    with pytest.raises(MultiomeError, match=r"inside of the data \('.*rna\.zarr'\)"):
        model.translate(tmp_path / "rna.zarr", source="rna", target="prot", out=tmp_path / "rna.zarr" / "x.zarr")


def test_not_in_place_of_what_the_data_lie_in(model, small, tmp_path):
    small.mdata.write_zarr(tmp_path / "cells.zarr")
    rna = tmp_path / "cells.zarr" / "mod" / "rna"
    with pytest.raises(MultiomeError, match="in which the data lie"):
        model.translate(rna, source="rna", target="prot", out=tmp_path / "cells.zarr", overwrite=True)
    assert (rna / "X").is_dir()


def test_a_name_through_a_folder_that_is_not_there(model, small, tmp_path):
    found = model.translate(small.mdata["rna"], source="rna", target="prot", out=tmp_path / "absent" / ".." / "x.zarr")
    assert found.shape == read(tmp_path / "x.zarr").shape


def test_depth_and_batch_are_checked_before_anything_is_read(model, small, monkeypatch):
    monkeypatch.setattr("multiome.predict.ask.read_query", lambda *_, **__: pytest.fail("read"))
    rna = small.mdata["rna"]
    for given, says in (
        ({"depth": "own"}, "depth"), ({"depth": -1.0}, "positive total counts"), ({"batch": "typo"}, "typo"),
    ):  # fmt: skip
        with pytest.raises(MultiomeError, match=says):
            model.translate(rna, source="rna", target="prot", **given)


def test_a_folder_of_other_files_stays(model, small, tmp_path):
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.txt").write_text("x")
    with pytest.raises(FileExistsError, match="a folder of other files"):
        model.translate(small.mdata["rna"], source="rna", target="prot", out=tmp_path / "mine.zarr", overwrite=True)
    assert (tmp_path / "mine.zarr" / "thesis.txt").exists()


def test_room_on_the_disk(model, small, tmp_path, monkeypatch):
    free = 4 * 2 * small.mdata["rna"].n_obs * small.mdata["prot"].n_vars  # of the mean and one layer
    given = {"target": "prot", "n_samples": 2, "overwrite": True, "out": tmp_path / "x.h5ad"}
    monkeypatch.setattr(written.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    model.impute(small.mdata["rna"], **given)
    monkeypatch.setattr(written.shutil, "disk_usage", lambda _: SimpleNamespace(free=free - 1))
    with pytest.raises(OSError, match=r"will take 0\.00 GB, and 0\.00 GB are free"):
        model.impute(small.mdata["rna"], **given)
