"""What the commands write is what the functions return."""

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd

from multiome.api import Multiome


def read(path):
    with md.set_options(pull_on_update=False):
        return md.read_h5mu(path)


def test_fit_passes_every_setting_on(run, quickly, tmp_path, small, capsys):
    out = tmp_path / "new.multiome"
    line = f"fit ./data.h5mu --out {out} --batch_key batch --seed 3 --loss.clip 2"
    assert run(f"{line} {quickly}") == 0
    fitted = Multiome.load(out)
    assert fitted.embed(small.mdata).shape == (160, 5)
    assert [c.name for c in fitted.spec.covariates] == ["batch"]
    assert str(out) in capsys.readouterr().out


def test_embed_writes_what_the_function_returns(run, files, tmp_path, small, model):
    assert run(f"embed ./fitted.multiome ./data.h5mu --out {tmp_path / 'a.h5mu'}") == 0
    written = read(tmp_path / "a.h5mu")
    np.testing.assert_array_equal(written.obsm["X_multiome"], model.embed(small.mdata))
    assert list(written.obs_names) == list(small.mdata.obs_names)
    assert list(written.obs.columns) == list(small.mdata.obs.columns)
    assert (written["atac"].X != small.mdata["atac"].X).nnz == 0
    assert "X_multiome" not in read(files / "data.h5mu").obsm


def test_embed_from_one_modality_goes_to_that_modality(run, files, tmp_path, small, model):
    line = f"embed ./fitted.multiome ./data.h5mu --modality atac --key z --out {tmp_path / 'a.h5mu'}"
    assert run(line) == 0
    found = read(tmp_path / "a.h5mu")["atac"].obsm["z"]
    np.testing.assert_array_equal(found, model.embed(small.mdata, modality="atac"))
    assert run(f"embed ./fitted.multiome ./rna.h5ad --modality rna --out {tmp_path / 'rna.h5ad'}") == 0
    found = ad.read_h5ad(tmp_path / "rna.h5ad").obsm["X_multiome"]
    np.testing.assert_array_equal(found, model.embed(small.mdata["rna"], modality="rna"))


def test_translate_writes_what_the_function_returns(run, files, tmp_path, small, model):
    features = list(small.mdata["prot"].var_names[:2])
    line = f"translate ./fitted.multiome ./data.h5mu --source rna --target protein --out {tmp_path / 'p.h5ad'}"
    assert run(f"{line} --scale clr --features {features[0]} --features {features[1]} --batch batch1") == 0
    expected = model.translate(small.mdata, source="rna", target="prot", scale="clr", features=features, batch="batch1")
    written = ad.read_h5ad(tmp_path / "p.h5ad")
    np.testing.assert_array_equal(written.X, expected.X)
    assert list(written.var_names) == features
    assert written.uns["multiome"]["scale"] == "clr"
    assert run(f"{line} --depth 500 --overwrite true") == 0
    expected = model.translate(small.mdata, source="rna", target="prot", depth=500.0)
    np.testing.assert_array_equal(ad.read_h5ad(tmp_path / "p.h5ad").X, expected.X)


def test_impute_writes_mean_spread_and_interval(run, files, tmp_path, small, model):
    line = "impute ./fitted.multiome ./rna.h5ad --target atac --n_samples 20 --interval 0.9 --out"
    assert run(f"{line} {tmp_path / 'a.h5ad'}") == 0
    expected = model.impute(small.mdata["rna"], "atac", n_samples=20)
    written = ad.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(written.X, expected.mean)
    np.testing.assert_array_equal(written.layers["std"], expected.std)
    for layer, bound in zip(("lower", "upper"), expected.interval(0.9), strict=True):
        np.testing.assert_array_equal(written.layers[layer], bound)


def test_denoise_writes_mean_and_both_intervals(run, files, tmp_path, small, model):
    line = "denoise ./fitted.multiome ./data.h5mu --modality prot --scale clr"
    assert run(f"{line} --out {tmp_path / 'mean.h5ad'}") == 0
    assert list(ad.read_h5ad(tmp_path / "mean.h5ad").layers) == []
    assert run(f"{line} --n_samples 20 --interval 0.9 --out {tmp_path / 'both.h5ad'}") == 0
    expected = model.denoise(small.mdata, "prot", scale="clr", n_samples=20)
    written = ad.read_h5ad(tmp_path / "both.h5ad")
    np.testing.assert_array_equal(written.X, expected.mean)
    for prefix, ends in (("", expected.interval(0.9)), ("expected_", expected.expected_interval(0.9))):
        for layer, bound in zip(("lower", "upper"), ends, strict=True):
            np.testing.assert_array_equal(written.layers[prefix + layer], bound)


def test_novelty_writes_a_row_per_cell(run, files, tmp_path, small, model, capsys, monkeypatch):
    table = pd.DataFrame({"novelty": [0.5, 4.0], "unlike_training": [False, True]}, index=["a", "b"])
    asked = {}
    monkeypatch.setattr("multiome.api.Multiome.novelty", lambda self, data, **given: asked.update(given) or table)
    line = "novelty ./fitted.multiome ./data.h5mu --modality rna"
    assert run(f"{line} --out {tmp_path / 'n.tsv'}") == 0
    assert asked["modality"] == "rna"
    written = pd.read_csv(tmp_path / "n.tsv", sep="\t", index_col="cell")
    pd.testing.assert_frame_equal(written.rename_axis(None), table)
    assert "1 of 2 cells" in capsys.readouterr().out
    assert run(f"{line} --out {tmp_path / 'n.h5ad'}") == 2
    assert "must end in .csv or .tsv" in capsys.readouterr().err
    monkeypatch.undo()
    assert run(f"{line} --out {tmp_path / 'few.csv'}") == 1
    assert "held out" in capsys.readouterr().err, "too few cells to tell"


def test_evaluate_writes_the_table_and_a_picture(run, files, tmp_path, small, model, capsys):
    line = "evaluate ./fitted.multiome ./data.h5mu --n_samples 20 --max_cells 40"
    assert run(f"{line} --out {tmp_path / 's.csv'}") == 0
    expected = model.evaluate(small.mdata, n_samples=20, max_cells=40)
    written = pd.read_csv(tmp_path / "s.csv")
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)
    assert "feature_r" in capsys.readouterr().out
    assert run(f"{line} --reference ./data.h5mu --plot {tmp_path / 's.png'}") == 0
    assert "names that occur in" in capsys.readouterr().err
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    assert run(f"{line} --plot {tmp_path / 't.png'}") == 2
    assert "needs --reference" in capsys.readouterr().err
    assert run(f"{line} --out {tmp_path / 't.xlsx'}") == 2
