"""The Python and shell blocks of the pages run as they stand, in order, with few steps where they fit a model."""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mudata as md
import pytest

import multiome as mo
from multiome.cli.command import main
from multiome.modalities.registry import MODALITIES
from multiome.predict.scale import SCALES

REPOSITORY = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUICKLY = (
    "--train.max_epochs 1 --train.min_steps 10 --train.accelerator cpu --train.progress_bar false --config.n_hidden 16"
)


@pytest.fixture
def follow(tmp_path, monkeypatch) -> Callable[[str], dict[str, Any]]:
    """Run a page in an empty folder; returns the names it has made."""
    monkeypatch.chdir(tmp_path)
    small = mo.ModelConfig(n_hidden=16)
    few = mo.TrainConfig(max_epochs=1, min_steps=10, accelerator="cpu", progress_bar=False)
    monkeypatch.setattr(mo, "fit", partial(mo.fit, config=small, train=few))

    def run(page: str) -> dict[str, Any]:
        text, names = (REPOSITORY / page).read_text(encoding="utf-8"), {}
        with md.set_options(pull_on_update=None), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for found in BLOCK.finditer(text):
                line = text[: found.start()].count("\n") + 1
                if found[1] == "python":
                    exec(compile("\n" * line + found[2], page, "exec"), names)
                    continue
                for command in found[2].strip().split("\n"):
                    program, *arguments = shlex.split(command, comments=True)
                    if program == "multiome":
                        few = QUICKLY.split() if arguments[0] == "fit" else []
                        assert main([*arguments, *few]) == 0, f"{page}, below line {line}: {command}"
        return names

    return run


def test_readme(follow, small, tmp_path):
    mdata = small.mdata.copy()
    mdata.obs["donor"] = mdata.obs["batch"]
    mdata.write_h5mu(tmp_path / "pbmc.h5mu")
    names = follow("README.md")
    assert names["protein"].interval(0.9)[0].shape == names["low"].shape
    assert (tmp_path / "pbmc.multiome").exists()


def test_tasks(follow, tmp_path):
    names = follow("docs/tasks.md")
    assert names["values"].spec.modalities["rna"].likelihood == "Normal"
    assert names["counts"].spec.modalities["rna"].layer == "counts"
    written = {path.name for path in tmp_path.iterdir()}
    assert {"embedded.h5mu", "open.h5ad", "protein.h5ad", "counts.multiome", "values.multiome"} <= written


def test_add_a_modality(follow, monkeypatch):
    for registry in (MODALITIES, SCALES):
        monkeypatch.delitem(registry, "histone", raising=False)  # and take it out again afterwards
    names = follow("docs/add_a_modality.md")
    assert names["predicted"].shape == names["renamed"]["h3k27ac"].shape
    assert names["model"].spec.modalities["h3k27ac"].kind == "histone"
    for registry in (MODALITIES, SCALES):
        del registry["histone"]
