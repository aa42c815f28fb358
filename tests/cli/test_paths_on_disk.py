"""Data of many cells are read a few cells at a time by every command, from each kind of file, and written so."""

import gc

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
import zarr

from multiome.api import Multiome, fit
from multiome.cli.files import copy_with
from multiome.data import raw, some_cells, stored
from multiome.train.config import TrainConfig

COMMANDS = {
    "translate": "--source rna --target atac",
    "impute": "--target prot --n_samples 20 --interval 0.9",
    "denoise": "--modality rna --n_samples 20 --interval 0.9",
}


@pytest.fixture(scope="module", params=["h5mu", "zarr"])
def data(request, small, tmp_path_factory):
    """The small data as a file, or as a folder."""
    path = tmp_path_factory.mktemp("many") / f"cells.{request.param}"
    getattr(small.mdata, f"write_{request.param}")(path)
    return path


@pytest.fixture
def never_whole(monkeypatch):
    """No modality is read as a whole."""

    read = raw.raw_values

    def not_whole(adata, *where, key):
        assert adata.n_obs <= 64, f"{key} was read as a whole"
        return read(adata, *where, key=key)

    monkeypatch.setattr(stored, "MAX_IN_MEMORY", 50)
    monkeypatch.setattr(stored, "BLOCK", 37)
    monkeypatch.setattr(some_cells, "N_CELLS", 64)
    monkeypatch.setattr(raw, "raw_values", not_whole)


def read(path):
    if path.suffix == ".h5ad":
        return ad.read_h5ad(path)
    with md.set_options(pull_on_update=False):
        return {".zarr": md.read_zarr, ".h5mu": md.read_h5mu}[path.suffix](path)


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
@pytest.mark.parametrize("command", COMMANDS)
def test_predictions(run, data, small, model, tmp_path, never_whole, command, suffix):
    out = tmp_path / f"found{suffix}"
    line = f"{command} ./fitted.multiome {data} {COMMANDS[command]} --out {out}"
    assert run(line) == 0
    found = ad.read_zarr(out) if suffix == ".zarr" else ad.read_h5ad(out)
    given = {"out": tmp_path / "expected.zarr"}
    if command == "translate":
        model.translate(data, source="rna", target="atac", **given)
    else:
        getattr(model, command)(data, COMMANDS[command].split()[1], n_samples=20, interval=0.9, **given)
    expected = ad.read_zarr(given["out"])
    np.testing.assert_array_equal(found.X, expected.X)
    assert set(found.layers) == set(expected.layers)
    for name in found.layers:
        np.testing.assert_array_equal(found.layers[name], expected.layers[name])
    assert run(line) == 2
    assert run(f"{line} --overwrite true") == 0
    assert {path.name for path in tmp_path.iterdir()} == {out.name, "expected.zarr"}


@pytest.mark.parametrize("modality", [None, "atac"])
def test_embed_copies_the_data(run, data, small, model, tmp_path, never_whole, modality):
    out = tmp_path / f"copy{data.suffix}"
    named = "" if modality is None else f"--modality {modality}"
    assert run(f"embed ./fitted.multiome {data} --key z --out {out} {named}") == 0
    found = read(out)
    holder = found if modality is None else found[modality]
    np.testing.assert_array_equal(holder.obsm["z"], model.embed(data, modality=modality))
    assert list(found.obs) == list(small.mdata.obs)
    for key in small.mdata.mod:
        assert (found[key].X != small.mdata[key].X).nnz == 0
    assert "z" not in read(data).obsm
    if data.suffix == ".zarr":
        group = zarr.open_group(out, mode="r")
        assert "z" in (group if modality is None else group["mod"][modality])["obsm"]


def test_fit(run, quickly, data, small, tmp_path, never_whole):
    assert run(f"fit {data} --out {tmp_path / 'm'} --batch_key batch {quickly}") == 0
    spec = Multiome.load(tmp_path / "m").spec
    assert list(spec.modalities) == list(small.mdata.mod)
    assert spec.n_cells == 160


def test_evaluate(run, data, small, model, tmp_path, never_whole, monkeypatch, capsys):
    assert run(f"evaluate ./fitted.multiome {data} --n_samples 20 --max_cells 40 --out {tmp_path / 's.csv'}") == 0
    monkeypatch.undo()
    expected = model.evaluate(small.mdata, n_samples=20, max_cells=40)
    found = pd.read_csv(tmp_path / "s.csv")
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-4)
    assert set(found["n_cells"]) == {40}
    assert "n_cells" in capsys.readouterr().out


def test_one_modality_cannot_be_evaluated(run, small, tmp_path, capsys):
    small.mdata["rna"].write_zarr(tmp_path / "rna.zarr")
    assert run(f"evaluate ./fitted.multiome {tmp_path / 'rna.zarr'}") == 2
    assert "rna.zarr holds one modality; evaluate needs cells in which several" in capsys.readouterr().err


def test_a_folder_of_something_else(run, tmp_path, capsys):
    (tmp_path / "x.zarr").mkdir()
    assert run(f"embed ./fitted.multiome {tmp_path / 'x.zarr'} --out {tmp_path / 'y.zarr'}") == 2
    assert "x.zarr is a folder, not a file" in capsys.readouterr().err
    zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=2).create_group("letters")
    assert run(f"embed ./fitted.multiome {tmp_path / 'x.zarr'} --out {tmp_path / 'y.zarr'}") == 1
    assert "holds 'letters' at its top; expected a MuData" in capsys.readouterr().err
    (tmp_path / "z.zarr").write_text("")
    assert run(f"translate ./fitted.multiome ./data.h5mu --source rna --target prot --out {tmp_path / 'z.zarr'}") == 2
    assert "z.zarr is a file, and a folder is to be written" in capsys.readouterr().err


def test_folders_of_other_files_are_not_replaced(run, small, tmp_path, capsys):
    data, other = tmp_path / "data.zarr", tmp_path / "other.zarr"
    small.mdata.write_zarr(data)
    other.mkdir()
    (other / "notes.txt").write_text("precious")
    for line in (
        f"embed ./fitted.multiome {data}", f"translate ./fitted.multiome {data} --source rna --target prot"
    ):  # fmt: skip
        assert run(f"{line} --out {other} --overwrite true") == 2
        assert "other.zarr is a folder of other files, and must not be replaced" in capsys.readouterr().err
    assert (other / "notes.txt").read_text() == "precious"


def test_a_fit_leaves_no_file_open(small, tmp_path, never_whole):
    path = tmp_path / "cells.h5mu"
    small.mdata.write_h5mu(path)
    gc.disable()
    try:
        fit(path, batch_key="batch", train=TrainConfig(max_epochs=1, accelerator="cpu", progress_bar=False))
        small.mdata.write_h5mu(path)  # which is refused of a file that is open
    finally:
        gc.enable()


@pytest.mark.filterwarnings("ignore:zarr v3 autosharding:UserWarning", "ignore:Consolidated metadata is currently not")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_copy_lists_what_was_added(small, tmp_path, zarr_format):
    with ad.settings.override(zarr_write_format=zarr_format):
        small.mdata["rna"].write_zarr(tmp_path / "rna.zarr")
    zarr.consolidate_metadata(zarr.open_group(tmp_path / "rna.zarr", mode="r+", use_consolidated=False).store)
    copy_with(tmp_path / "rna.zarr", tmp_path / "copy.zarr", np.ones((160, 2), dtype=np.float32), key="z")
    assert "z" in zarr.open_group(tmp_path / "copy.zarr", mode="r", use_consolidated=True)["obsm"]
    np.testing.assert_array_equal(ad.read_zarr(tmp_path / "copy.zarr").obsm["z"], 1)


def test_a_copy_that_fails_leaves_nothing(small, tmp_path):
    small.mdata["rna"].write_h5ad(tmp_path / "rna.h5ad")
    with pytest.raises(KeyError):
        copy_with(tmp_path / "rna.h5ad", tmp_path / "copy.h5ad", np.ones((160, 2)), key="z", modality="absent")
    assert [path.name for path in tmp_path.iterdir()] == ["rna.h5ad"]
