"""The options of a command are the arguments of its function, and ``--help`` tells all of them."""

import inspect
import subprocess
import sys

import docstring_parser
import pytest

from multiome.api import Multiome, fit
from multiome.cli.command import VERBS, main


def documented(function) -> dict[str, str]:
    """Help of every parameter, several names sharing one entry apart, without mark-up."""
    found = {}
    for parameter in docstring_parser.parse(inspect.getdoc(function)).params:
        text = " ".join((parameter.description or "").replace("`", "").replace('"', "").split())
        found |= dict.fromkeys(parameter.arg_name.split(", "), text)
    return found


FUNCTIONS = {
    "fit": fit,
    "embed": Multiome.embed,
    "translate": Multiome.translate,
    "impute": Multiome.impute,
    "denoise": Multiome.denoise,
    "evaluate": Multiome.evaluate,
    "novelty": Multiome.novelty,
    "links": Multiome.links,
}
# Python values in the one are names on the other, or the file formats are said.
OWN_WORDS = {
    "mdata",
    "data",
    "batch_key",
    "modalities",
    "modality",
    "source",
    "target",
    "scale",
    "depth",
    "features",
    "graph",
    "reference",
    "out",
    "overwrite",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_words_and_defaults_as_the_functions(name):
    verb, function = inspect.signature(VERBS[name]).parameters, inspect.signature(FUNCTIONS[name]).parameters
    assert set(function) - {"self"} <= set(verb), "every argument is an option"
    told, reference = documented(VERBS[name]), documented(FUNCTIONS[name])
    assert set(told) == set(verb), "every option has its help"
    for argument, parameter in function.items():
        if argument in ("config", "train", "loss"):
            assert verb[argument].default == verb[argument].default.__class__()
        elif argument not in ("self", "out") and parameter.default is not parameter.empty:
            assert verb[argument].default == parameter.default
        if argument in verb and argument not in OWN_WORDS | {"batch", "seed", "min_features", "drop_empty"}:
            assert told[argument] == reference[argument]


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


def test_help_tells_the_exit_status(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "Exit status: 0 done; 1 the data or the model" in " ".join(capsys.readouterr().out.split())
