"""Values of a wrong type say what is expected; in a process without checks of types at run time, as users have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

SCRIPT = """
    import dataclasses, json, sys, warnings
    warnings.simplefilter("ignore")
    import numpy as np
    import multiome as mo

    out = sys.argv[1]
    few = dataclasses.replace(mo.RNA, n_components=np.int64(3))
    short = mo.TrainConfig(max_epochs=1, progress_bar=False)

    def told(call):
        try:
            call()
        except Exception as error:
            return [type(error).__name__, str(error)]
        return ["nothing", ""]

    sim = mo.datasets.simulate(n_cells=20, n_genes=20, n_peaks=20, n_proteins=3, n_sites=5, n_tfs=3, n_types=2)
    rna = sim.mdata["rna"]
    model = mo.fit(sim.mdata, drop_empty=True, train=short)
    predicted = model.impute(sim.mdata, "prot", n_samples=2, drop_empty=True)
    print(json.dumps({
        "path": told(lambda: mo.fit("cells.h5mu")),
        "table": told(lambda: mo.fit(rna.to_df())),
        "matrix": told(lambda: mo.fit(rna.X)),
        "word": told(lambda: mo.fit(sim.mdata, modalities={"rna": "rna"})),
        "words": told(lambda: mo.fit(sim.mdata, modalities=["rna", "atac"])),
        "half an epoch": told(lambda: mo.TrainConfig(max_epochs=1.5)),
        "epochs in words": told(lambda: mo.TrainConfig(max_epochs="9")),
        "steps": told(lambda: mo.TrainConfig(min_steps=2.0)),
        "rate": told(lambda: mo.TrainConfig(learning_rate="1e-3")),
        "average": told(lambda: mo.TrainConfig(average=None)),
        "progress bar": told(lambda: mo.TrainConfig(progress_bar=1)),
        "weight": told(lambda: mo.LossWeights(clip="10")),
        "seed": told(lambda: mo.fit(rna, seed=0.5)),
        "observed cells": told(lambda: predicted.pit(sim.mdata)),
        "observed values": told(lambda: predicted.pit(sim.mdata["prot"].X)),
        "half a draw": told(lambda: model.impute(sim.mdata, "prot", n_samples=2.5)),
        "draws in words": told(lambda: model.impute(sim.mdata, "prot", n_samples="2")),
        "share in words": told(lambda: model.embed(sim.mdata, min_features="all")),
        "features as a number": told(lambda: model.translate(sim.mdata, source="rna", target="prot", features=3)),
        "batch_key as a number": told(lambda: mo.fit(rna, batch_key=3)),
        "batch_key as values": told(lambda: mo.fit(rna, batch_key=rna.obs["cell_type"].cat.codes)),
        "modalities as a modality": told(lambda: mo.fit(rna, modalities=mo.RNA)),
        "modalities as a number": told(lambda: mo.fit(sim.mdata, modalities=5)),
        "source as a number": told(lambda: model.translate(sim.mdata, source=3, target="atac")),
        "source as a list": told(lambda: model.translate(sim.mdata, source=["rna"], target="atac")),
        "no source": told(lambda: model.translate(sim.mdata, source=None, target="atac")),
        "no target": told(lambda: model.impute(sim.mdata, None)),
        "modality as a number": told(lambda: model.embed(sim.mdata, modality=3)),
        "true as a depth": told(lambda: model.impute(sim.mdata, "prot", depth=True)),
        "batch_key as a dict": told(lambda: mo.fit(rna, batch_key={"batch": 1})),
        "likelihood in words": told(lambda: dataclasses.replace(mo.RNA, likelihood="Poisson")),
        "components in words": told(lambda: dataclasses.replace(mo.RNA, n_components="5")),
        "epochs of NumPy": told(lambda: mo.fit(rna, train=mo.TrainConfig(max_epochs=np.int64(1), progress_bar=False))),
        "components of NumPy": told(lambda: mo.fit(rna, modalities={"rna": few}, train=short).save(out + "2")),
        "cells in words": told(lambda: mo.datasets.simulate(n_cells="a")),
        "negative seed": told(lambda: mo.datasets.simulate(seed=-1)),
        "a word to drop": told(lambda: mo.fit(rna, drop_empty="no")),
        "a word to drop later": told(lambda: model.embed(sim.mdata, drop_empty="no")),
        "a word to overwrite": told(lambda: model.save(out, overwrite="no")),
        "config as a dict": told(lambda: mo.fit(rna, config={"n_latent": 4})),
        "train as a dict": told(lambda: mo.fit(rna, train={"max_epochs": 1})),
        "loss as a dict": told(lambda: mo.fit(rna, loss={"clip": 1})),
        "size in words": told(lambda: mo.ModelConfig(n_latent="4")),
        "size of NumPy": told(lambda: mo.fit(rna, config=mo.ModelConfig(n_latent=np.int64(4)), train=short).save(out)),
        "size true": told(lambda: mo.ModelConfig(n_hidden=True)),
        "dropout in words": told(lambda: mo.ModelConfig(dropout="a")),
        "level in words": told(lambda: predicted.interval("90%")),
        "path to embed": told(lambda: model.embed("cells.h5mu")),
        "path to translate": told(lambda: model.translate("cells.h5mu", source="rna", target="atac")),
        "path to impute": told(lambda: model.impute("cells.h5mu", "prot")),
    }))
"""
CASES = {
    "path": ("TypeError", "the path 'cells.h5mu'; read it first, with mudata.read_h5mu"),
    "table": ("TypeError", "MuData or an AnnData"),
    "matrix": ("TypeError", "MuData or an AnnData"),
    "word": ("TypeError", "modalities['rna'] must be a Modality such as mo.RNA"),
    "words": ("TypeError", "such as {'rna': mo.RNA}"),
    "half an epoch": ("MultiomeError", "`max_epochs` must be a positive whole number, got 1.5"),
    "epochs in words": ("MultiomeError", "`max_epochs` must be a positive whole number, got '9'"),
    "steps": ("MultiomeError", "`min_steps` must be a positive whole number, got 2.0"),
    "rate": ("MultiomeError", "`learning_rate` must be a positive number, got '1e-3'"),
    "average": ("MultiomeError", "`average` must be a number in [0, 1), got None"),
    "progress bar": ("MultiomeError", "`progress_bar` must be True or False, got 1"),
    "weight": ("MultiomeError", "`clip` must be a finite number of at least 0, got '10'"),
    "seed": ("MultiomeError", "`seed` must be a whole number of at least 0, got 0.5"),
    "observed cells": (
        "MultiomeError",
        "`observed` must be the AnnData of one modality, such as mdata['prot'], got MuD",
    ),
    "observed values": ("MultiomeError", "such as mdata['prot'], got csr_matrix"),
    "half a draw": ("MultiomeError", "`n_samples` must be a positive whole number, got 2.5"),
    "draws in words": ("MultiomeError", "`n_samples` must be a positive whole number, got '2'"),
    "share in words": ("MultiomeError", "`min_features` must be a number between 0 and 1, got 'all'"),
    "features as a number": ("MultiomeError", "`features` must be names of features of 'prot', got 3"),
    "batch_key as a number": ("MultiomeError", "`batch_key` must be the name of a column of obs"),
    "batch_key as values": ("MultiomeError", "store them first: mdata.obs['batch'] = ..., and pass batch_key='batch'."),
    "modalities as a modality": ("TypeError", "`modalities` must say what each key is, such as {'rna': mo.RNA}"),
    "modalities as a number": ("TypeError", "such as {'rna': mo.RNA}, got 5"),
    "source as a number": ("UnknownName", "A modality is named by a word ('rna', 'atac', 'prot', 'met'), got 3"),
    "source as a list": ("UnknownName", "got ['rna']"),
    "no source": ("UnknownName", "got None"),
    "no target": ("UnknownName", "got None"),
    "modality as a number": ("UnknownName", "got 3"),
    "true as a depth": ("MultiomeError", "`depth` must be 'predicted', 'reference', a total count or one per cell"),
    "batch_key as a dict": ("MultiomeError", "must be the name of a column of obs"),
    "likelihood in words": (
        "MultiomeError",
        "`likelihood` must be a class of multiome.likelihoods.base, got 'Poisson'",
    ),
    "components in words": ("MultiomeError", "`n_components` must be a positive whole number, got '5'"),
    "epochs of NumPy": ("nothing", ""),
    "components of NumPy": ("nothing", ""),
    "cells in words": ("MultiomeError", "`n_cells` must be a positive whole number, got 'a'"),
    "negative seed": ("MultiomeError", "`seed` must be a whole number of at least 0, got -1"),
    "a word to drop": ("MultiomeError", "`drop_empty` must be True or False, got 'no'"),
    "a word to drop later": ("MultiomeError", "`drop_empty` must be True or False, got 'no'"),
    "a word to overwrite": ("MultiomeError", "`overwrite` must be True or False, got 'no'"),
    "config as a dict": (
        "MultiomeError",
        "`config` must be a ModelConfig, got dict; write config=mo.ModelConfig(...).",
    ),
    "train as a dict": ("MultiomeError", "`train` must be a TrainConfig, got dict; write train=mo.TrainConfig(...)."),
    "loss as a dict": ("MultiomeError", "`loss` must be a LossWeights, got dict; write loss=mo.LossWeights(...)."),
    "size in words": ("MultiomeError", "`n_latent` must be a positive whole number, got '4'"),
    "size of NumPy": ("nothing", ""),
    "size true": ("MultiomeError", "`n_hidden` must be a positive whole number, got True"),
    "dropout in words": ("MultiomeError", "`dropout` must be a number in [0, 1), got 'a'"),
    "level in words": ("MultiomeError", "`level` must be a number between 0 and 1, such as 0.9, got '90%'"),
    "path to embed": ("TypeError", "the path 'cells.h5mu'; read it first, with mudata.read_h5mu"),
    "path to translate": ("TypeError", "the path 'cells.h5mu'; read it first, with mudata.read_h5mu"),
    "path to impute": ("TypeError", "the path 'cells.h5mu'; read it first, with mudata.read_h5mu"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, list[str]]:
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path_factory.mktemp("model") / "m.multiome")],
        cwd=REPOSITORY, env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_every_case_is_expected(told):
    assert told.keys() == CASES.keys()


@pytest.mark.parametrize("case", CASES)
def test_wrong_types_say_what_is_expected(told, case):
    kind, message = CASES[case]
    assert told[case][0] == kind
    assert message in told[case][1]
