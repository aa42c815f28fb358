import inspect
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import anndata as ad
import docstring_parser
import mudata as md
import numpy as np
import pytest

from multiome.api import Multiome, fit
from multiome.cli.command import VERBS, clean_terminal, main
from multiome.cli.files import read, write
from multiome.cli.verbs import Kind
from multiome.errors import MultiomeWarning
from multiome.modalities.registry import MODALITIES

QUICK = {
    "--train.max_epochs": "2",
    "--train.min_steps": "20",
    "--train.progress_bar": "false",
    "--train.accelerator": "cpu",
    "--config.n_latent": "5",
    "--config.n_hidden": "16",
    "--config.n_features_latent": "8",
}
QUICKLY = " ".join(f"{option} {value}" for option, value in QUICK.items())


@pytest.fixture(scope="module")
def files(tmp_path_factory, small, model):
    """The shared small data and model as files, made once."""
    folder = tmp_path_factory.mktemp("cli")
    write(small.mdata, folder / "data.h5mu")
    write(small.mdata["rna"], folder / "rna.h5ad")
    model.save(folder / "fitted.multiome")
    return folder


def run(line: str, folder: Path) -> int:
    """A command line; names with a dot before them are files in ``folder``."""
    return main([str(folder / word[2:]) if word.startswith("./") else word for word in line.split()])


def refused(line: str, folder: Path) -> int:
    with pytest.raises(SystemExit) as stop:
        run(line, folder)
    return stop.value.code


def test_fit_passes_every_setting_on(files, tmp_path, small, capsys):
    out = tmp_path / "new.multiome"
    line = f"fit ./data.h5mu --out {out} --batch_key batch --seed 3 --loss.clip 2"
    assert run(f"{line} {QUICKLY}", files) == 0
    fitted = Multiome.load(out)
    assert fitted.embed(small.mdata).shape == (160, 5)
    assert [c.name for c in fitted.spec.covariates] == ["batch"]
    assert str(out) in capsys.readouterr().out


def test_fit_takes_modalities_and_several_batch_keys(files, tmp_path, small):
    odd = md.MuData({"tags": small.mdata["prot"].copy(), "expression": small.mdata["rna"].copy()})
    odd.obs["run"] = np.where(np.arange(odd.n_obs) % 2, "a", "b")
    write(odd, tmp_path / "odd.h5mu")
    line = f"fit {tmp_path / 'odd.h5mu'} --out {tmp_path / 'm'} --modalities.tags protein --modalities.expression rna"
    assert run(f"{line} --batch_key batch --batch_key run {QUICKLY}", files) == 0
    spec = Multiome.load(tmp_path / "m").spec
    assert {key: s.kind for key, s in spec.modalities.items()} == {"tags": "protein", "expression": "rna"}
    assert [c.name for c in spec.covariates] == ["batch", "run"]


def test_embed_writes_what_the_function_returns(files, tmp_path, small, model):
    assert run(f"embed ./fitted.multiome ./data.h5mu --out {tmp_path / 'a.h5mu'}", files) == 0
    written = read(tmp_path / "a.h5mu")
    np.testing.assert_array_equal(written.obsm["X_multiome"], model.embed(small.mdata))
    assert list(written.obs_names) == list(small.mdata.obs_names)
    assert list(written.obs.columns) == list(small.mdata.obs.columns)
    assert (written["atac"].X != small.mdata["atac"].X).nnz == 0
    assert "X_multiome" not in read(files / "data.h5mu").obsm


def test_embed_from_one_modality_goes_to_that_modality(files, tmp_path, small, model):
    line = f"embed ./fitted.multiome ./data.h5mu --modality atac --key z --out {tmp_path / 'a.h5mu'}"
    assert run(line, files) == 0
    found = read(tmp_path / "a.h5mu")["atac"].obsm["z"]
    np.testing.assert_array_equal(found, model.embed(small.mdata, modality="atac"))
    assert run(f"embed ./fitted.multiome ./rna.h5ad --modality rna --out {tmp_path / 'rna.h5ad'}", files) == 0
    found = ad.read_h5ad(tmp_path / "rna.h5ad").obsm["X_multiome"]
    np.testing.assert_array_equal(found, model.embed(small.mdata["rna"], modality="rna"))


def test_translate_writes_what_the_function_returns(files, tmp_path, small, model):
    features = list(small.mdata["prot"].var_names[:2])
    line = f"translate ./fitted.multiome ./data.h5mu --source rna --target protein --out {tmp_path / 'p.h5ad'}"
    assert run(f"{line} --scale clr --features {features[0]} --features {features[1]} --batch batch1", files) == 0
    expected = model.translate(small.mdata, source="rna", target="prot", scale="clr", features=features, batch="batch1")
    written = ad.read_h5ad(tmp_path / "p.h5ad")
    np.testing.assert_array_equal(written.X, expected.X)
    assert list(written.var_names) == features
    assert written.uns["multiome"]["scale"] == "clr"
    assert run(f"{line} --depth 500 --overwrite true", files) == 0
    expected = model.translate(small.mdata, source="rna", target="prot", depth=500.0)
    np.testing.assert_array_equal(ad.read_h5ad(tmp_path / "p.h5ad").X, expected.X)


def test_impute_writes_mean_spread_and_interval(files, tmp_path, small, model):
    line = "impute ./fitted.multiome ./rna.h5ad --target atac --n_samples 20 --interval 0.9 --out"
    assert run(f"{line} {tmp_path / 'a.h5ad'}", files) == 0
    expected = model.impute(small.mdata["rna"], "atac", n_samples=20)
    written = ad.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(written.X, expected.mean)
    np.testing.assert_array_equal(written.layers["std"], expected.std)
    for layer, bound in zip(("lower", "upper"), expected.interval(0.9), strict=True):
        np.testing.assert_array_equal(written.layers[layer], bound)


@pytest.mark.parametrize(
    "line",
    [
        "fit ./data.h5mu --out {out}",
        "fit ./missing.h5mu --out {out}",
        "embed ./fitted.multiome ./data.h5mu --out {out}",
        "translate ./fitted.multiome ./data.h5mu --source rna --target atac --out {out}",
        "impute ./fitted.multiome ./data.h5mu --target atac --out {out}",
    ],
)
def test_existing_output_is_refused_first_and_kept(line, files, tmp_path, capsys, monkeypatch):
    for module in ("verbs", "predictions"):
        monkeypatch.setattr(f"multiome.cli.{module}.read", lambda path: pytest.fail("was read"))
    out = tmp_path / "precious.h5ad"
    out.write_text("precious")
    assert run(line.format(out=out), files) == 2
    said = capsys.readouterr().err
    assert "FileExistsError" in said
    assert str(out) in said
    assert "--overwrite true" in said
    assert out.read_text() == "precious"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "subcommand"),
        ("fti ./data.h5mu", "fti"),
        ("fit", "mdata"),
        ("fit ./data.h5mu", "out"),
        ("fit ./data.h5mu --out m --nonsense 1", "--nonsense"),
        ("fit ./data.h5mu --out m --batch donor", "--batch"),
        ("fit ./data.h5mu --out m --modalities.rna dna", "methylation"),
        ("fit ./data.h5mu --out m --train.max_epochs 0", "`max_epochs` must be a positive whole number"),
        ("fit ./data.h5mu --out m --loss.clip -1", "clip"),
        ("impute ./fitted.multiome ./data.h5mu --target prot --out o.h5ad --interval 1.5", "interval"),
    ],
)
def test_command_that_cannot_be_followed_ends_with_2(line, says, files, capsys):
    assert refused(line, files) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("line", "status", "says"),
    [
        ("fit ./missing.h5mu --out m", 2, "missing.h5mu"),
        ("fit ./data.h5mu --out nowhere/m", 2, "nowhere"),
        ("embed ./missing.multiome ./data.h5mu --out o.h5mu", 2, "missing.multiome"),
        ("embed ./fitted.multiome ./data.h5mu --out o.h5ad", 1, ".h5mu"),
        ("fit ./fitted.multiome --out m", 1, "not a whole .h5mu or .h5ad"),
        ("embed ./data.h5mu ./data.h5mu --out o.h5mu", 1, "InvalidModelFile"),
        ("fit ./data.h5mu --out m --batch_key donor", 1, "Unknown batch_key 'donor'"),
        ("impute ./fitted.multiome ./data.h5mu --target rna --scale clr --out o.h5ad", 1, "Unknown scale 'clr'"),
        ("impute ./fitted.multiome ./rna.h5ad --target prot --n_samples 5 --interval 0.9 --out o.h5ad", 1, "20 draws"),
    ],
)
def test_complaints_are_messages(line, status, says, files, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(line, files) == status
    said = capsys.readouterr().err
    assert says in said
    assert said.startswith("Error (")
    assert not list(tmp_path.iterdir())


def test_truncated_data_are_a_message(files, tmp_path, capsys):
    whole = (files / "data.h5mu").read_bytes()
    (tmp_path / "half.h5mu").write_bytes(whole[: len(whole) // 2])
    assert run(f"fit {tmp_path / 'half.h5mu'} --out {tmp_path / 'm'}", files) == 1
    assert "half.h5mu" in capsys.readouterr().err


def test_only_our_warnings_reach_the_terminal(capsys):
    with clean_terminal():
        warnings.warn("changes in 0.4", FutureWarning, stacklevel=1)
        warnings.warn("12 cells are odd.", MultiomeWarning, stacklevel=1)
    assert capsys.readouterr().err == "Warning: 12 cells are odd.\n"


def test_interrupt_is_no_traceback(files, tmp_path, capsys, monkeypatch):
    def interrupted(path):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("multiome.cli.verbs.read", interrupted)
    assert run(f"fit ./data.h5mu --out {tmp_path / 'm'}", files) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def documented(function) -> dict[str, str]:
    """Help of every parameter, several names sharing one entry apart, without mark-up."""
    found = {}
    for parameter in docstring_parser.parse(inspect.getdoc(function)).params:
        text = " ".join((parameter.description or "").replace("`", "").replace('"', "").split())
        found |= dict.fromkeys(parameter.arg_name.split(", "), text)
    return found


FUNCTIONS = {"fit": fit, "embed": Multiome.embed, "translate": Multiome.translate, "impute": Multiome.impute}
# Python values in the one are names on the other, or the file formats are said.
OWN_WORDS = {"mdata", "data", "batch_key", "modalities", "modality", "source", "target", "scale", "depth", "features"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_words_and_defaults_as_the_functions(name):
    verb, function = inspect.signature(VERBS[name]).parameters, inspect.signature(FUNCTIONS[name]).parameters
    assert set(function) - {"self", "graph"} <= set(verb), "every argument is an option"
    told, reference = documented(VERBS[name]), documented(FUNCTIONS[name])
    assert set(told) == set(verb), "every option has its help"
    for argument, parameter in function.items():
        if argument in ("config", "train", "loss"):
            assert verb[argument].default == verb[argument].default.__class__()
        elif argument != "self" and parameter.default is not parameter.empty:
            assert verb[argument].default == parameter.default
        if argument in verb and argument not in OWN_WORDS | {"batch", "seed", "min_features", "drop_empty"}:
            assert told[argument] == reference[argument]


def test_every_assay_has_its_word():
    assert set(Kind.__args__) == set(MODALITIES)


@pytest.mark.parametrize("name", VERBS)
def test_help_tells_everything(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for parameter in inspect.signature(VERBS[name]).parameters:
        assert parameter in said or parameter.upper() in said
    if name == "fit":
        assert "--config.n_latent" in said
        assert "Dimensions of the shared latent space." in said  # the attribute's own docstring


def test_module_runs_and_knows_its_version():
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "multiome", "--version"], capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith("multiome ")
    assert found.stderr == ""
