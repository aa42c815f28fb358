"""Which key is which assay, where its values lie and how they are distributed, said on the command line."""

import re
import warnings

import mudata as md
import numpy as np
import pytest

from multiome.api import Multiome
from multiome.cli.files import write
from multiome.cli.verbs import Kind
from multiome.metrics.transforms import log_cp10k
from multiome.modalities.registry import MODALITIES


@pytest.fixture(scope="module")
def normalised(tmp_path_factory, small):
    """RNA with log values in X and its counts in a layer, beside methylation and protein."""
    rna = small.mdata["rna"].copy()
    rna.layers["counts"], rna.X = rna.X.copy(), log_cp10k(rna.X)
    path = tmp_path_factory.mktemp("normalised") / "data.h5mu"
    write(md.MuData({"rna": rna, "met": small.mdata["met"].copy(), "tags": small.mdata["prot"].copy()}), path)
    return path


def test_fit_takes_modalities_and_several_batch_keys(run, quickly, tmp_path, small):
    odd = md.MuData({"tags": small.mdata["prot"].copy(), "expression": small.mdata["rna"].copy()})
    odd.obs["run"] = np.where(np.arange(odd.n_obs) % 2, "a", "b")
    write(odd, tmp_path / "odd.h5mu")
    line = f"fit {tmp_path / 'odd.h5mu'} --out {tmp_path / 'm'} --modalities.tags protein --modalities.expression rna"
    assert run(f"{line} --batch_key batch --batch_key run {quickly}") == 0
    spec = Multiome.load(tmp_path / "m").spec
    assert {key: s.kind for key, s in spec.modalities.items()} == {"tags": "protein", "expression": "rna"}
    assert [c.name for c in spec.covariates] == ["batch", "run"]


def test_every_assay_has_its_word():
    assert set(Kind.__args__) == set(MODALITIES)


def likelihoods(path) -> dict[str, tuple[str, str | None]]:
    return {key: (s.likelihood, s.layer) for key, s in Multiome.load(path).spec.modalities.items()}


def test_counts_of_a_layer(run, quickly, normalised, tmp_path):
    line = f"fit {normalised} --out {tmp_path / 'm'} --modalities.rna rna --modalities.met methylation"
    assert run(f"{line} --layer.rna counts {quickly}") == 0
    assert likelihoods(tmp_path / "m") == {"rna": ("NegativeBinomial", "counts"), "met": ("BetaBinomial", None)}


def test_continuous_values_of_keys_that_are_recognised(run, quickly, tmp_path, small):
    two = md.MuData({key: small.mdata[key].copy() for key in ("rna", "met", "prot")})
    write(two, tmp_path / "data.h5mu")
    line = f"fit {tmp_path / 'data.h5mu'} --out {tmp_path / 'm'} --continuous rna --continuous prot"
    assert run(f"{line} {quickly}") == 0
    assert likelihoods(tmp_path / "m") == {
        "rna": ("Normal", None), "met": ("BetaBinomial", None), "prot": ("Normal", None)
    }  # fmt: skip


def test_continuous_values_of_a_layer_of_one_modality(run, quickly, normalised, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rna = md.read_h5mu(normalised)["rna"]
    rna.layers["log"], rna.X = rna.X.copy(), rna.layers["counts"].copy()
    write(rna, tmp_path / "rna.h5ad")
    line = f"fit {tmp_path / 'rna.h5ad'} --out {tmp_path / 'm'} --continuous rna --layer.rna log"
    assert run(f"{line} {quickly}") == 0
    assert likelihoods(tmp_path / "m") == {"rna": ("Normal", "log")}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("", "raw counts with --layer.rna <layer>, or .* with --continuous rna"),
        ("--layer.rna count", "Unknown layer 'count' of 'rna'; there is 'counts'. Did you mean 'counts'?"),
        ("--continuous gex", "Unknown modality 'gex' in --continuous; there is 'rna', 'met'"),
        ("--layer.tags counts", "Unknown modality 'tags' in --layer; there is 'rna', 'met'"),
    ],
)
def test_errors_name_the_option(run, normalised, tmp_path, capsys, options, says):
    line = f"fit {normalised} --out {tmp_path / 'm'} --modalities.rna rna --modalities.met methylation {options}"
    assert run(line) == 1
    assert re.search(says, capsys.readouterr().err)
    assert not (tmp_path / "m").exists()


def test_a_key_that_is_not_recognised_is_said_with_the_option(run, normalised, tmp_path, capsys):
    assert run(f"fit {normalised} --out {tmp_path / 'm'}") == 1
    assert "--modalities.tags rna" in capsys.readouterr().err


def test_log_rna_and_methylation_of_real_cells(run, quickly, bench_data, tmp_path):
    path = bench_data("scmt_mesc_rna_met.h5mu")
    assert run(f"fit {path} --out {tmp_path / 'm'} --continuous rna {quickly}") == 0
    assert run(f"embed {tmp_path / 'm'} {path} --out {tmp_path / 'z.h5mu'}") == 0
    z = md.read_h5mu(tmp_path / "z.h5mu").obsm["X_multiome"]
    assert z.shape == (77, 5)
    assert np.isfinite(z).all()
