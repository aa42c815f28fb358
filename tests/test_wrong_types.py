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

SETUP = """
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
"""
# what is called, the error (or nothing), and what it says
CASES = {
    "path": ('mo.fit("cells.h5mu")', "FileNotFoundError", "There is no file 'cells.h5mu'"),
    "number for a checkpoint": ("mo.TrainConfig(checkpoint=3)", "MultiomeError", "must be the name of a file, got 3"),
    "number for a model": ("mo.Multiome.load(3)", "MultiomeError", "`path` must be the name of a file"),
    "nothing to save to": ("model.save(None)", "MultiomeError", "`path` must be the name of a file"),
    "a model named as data": ('model.save("x.h5mu")', "MultiomeError", "'x.h5mu' is named as data are"),
    "table": ("mo.fit(rna.to_df())", "TypeError", "a MuData, an AnnData or the path of a file of either"),
    "matrix": ("mo.fit(rna.X)", "TypeError", "a MuData, an AnnData or the path of a file of either"),
    "word": (
        'mo.fit(sim.mdata, modalities={"rna": "rna"})',
        "TypeError",
        "modalities['rna'] must be a Modality such as mo.RNA",
    ),
    "words": ('mo.fit(sim.mdata, modalities=["rna", "atac"])', "TypeError", "such as {'rna': mo.RNA}"),
    "a graph as a path": (
        'mo.fit(sim.mdata, graph="graph.npz")',
        "MultiomeError",
        "`graph` must be a GuidanceGraph, got str; make one with GuidanceGraph.from_genome",
    ),
    "scales": (
        'model.impute(sim.mdata, "prot", scale=np.array(["clr", "counts"]), drop_empty=True)',
        "UnknownName",
        "Unknown scale array(['clr', 'counts']",
    ),
    "half an epoch": (
        "mo.TrainConfig(max_epochs=1.5)",
        "MultiomeError",
        "`max_epochs` must be a positive whole number, got 1.5",
    ),
    "epochs in words": (
        'mo.TrainConfig(max_epochs="9")',
        "MultiomeError",
        "`max_epochs` must be a positive whole number, got '9'",
    ),
    "half a process": (
        "mo.TrainConfig(devices=1.5)",
        "MultiomeError",
        "`devices` must be a positive whole number, got 1.5",
    ),
    "steps": ("mo.TrainConfig(min_steps=2.0)", "MultiomeError", "`min_steps` must be a positive whole number, got 2.0"),
    "rate": (
        'mo.TrainConfig(learning_rate="1e-3")',
        "MultiomeError",
        "`learning_rate` must be a positive number, got '1e-3'",
    ),
    "decoys": ("mo.TrainConfig(decoys=2)", "MultiomeError", "`decoys` must be a number in [0, 1), got 2"),
    "average": ("mo.TrainConfig(average=None)", "MultiomeError", "`average` must be a number in [0, 1), got None"),
    "progress bar": ("mo.TrainConfig(progress_bar=1)", "MultiomeError", "`progress_bar` must be True or False, got 1"),
    "weight": ('mo.LossWeights(clip="10")', "MultiomeError", "`clip` must be a finite number of at least 0, got '10'"),
    "seed": ("mo.fit(rna, seed=0.5)", "MultiomeError", "`seed` must be a whole number of at least 0, got 0.5"),
    "observed cells": (
        "predicted.pit(sim.mdata)",
        "MultiomeError",
        "`observed` must be the AnnData of one modality, such as mdata['prot'], got MuD",
    ),
    "observed values": ('predicted.pit(sim.mdata["prot"].X)', "MultiomeError", "such as mdata['prot'], got csr_matrix"),
    "half a draw": (
        'model.impute(sim.mdata, "prot", n_samples=2.5)',
        "MultiomeError",
        "`n_samples` must be a positive whole number, got 2.5",
    ),
    "draws in words": (
        'model.impute(sim.mdata, "prot", n_samples="2")',
        "MultiomeError",
        "`n_samples` must be a positive whole number, got '2'",
    ),
    "share in words": (
        'model.embed(sim.mdata, min_features="all")',
        "MultiomeError",
        "`min_features` must be a number between 0 and 1, got 'all'",
    ),
    "features as a number": (
        'model.translate(sim.mdata, source="rna", target="prot", features=3)',
        "MultiomeError",
        "`features` must be names of features of 'prot', got 3",
    ),
    "batch_key as a number": (
        "mo.fit(rna, batch_key=3)",
        "MultiomeError",
        "`batch_key` must be the name of a column of obs",
    ),
    "batch_key as values": (
        'mo.fit(rna, batch_key=rna.obs["cell_type"].cat.codes)',
        "MultiomeError",
        "store them first: mdata.obs['batch'] = ..., and pass batch_key='batch'.",
    ),
    "modalities as a modality": (
        "mo.fit(rna, modalities=mo.RNA)",
        "TypeError",
        "`modalities` must say what each key is, such as {'rna': mo.RNA}",
    ),
    "modalities as a number": ("mo.fit(sim.mdata, modalities=5)", "TypeError", "such as {'rna': mo.RNA}, got 5"),
    "source as a number": (
        'model.translate(sim.mdata, source=3, target="atac")',
        "UnknownName",
        "A modality is named by a word ('rna', 'atac', 'prot', 'met'), got 3",
    ),
    "source as a list": ('model.translate(sim.mdata, source=["rna"], target="atac")', "UnknownName", "got ['rna']"),
    "no source": ('model.translate(sim.mdata, source=None, target="atac")', "UnknownName", "got None"),
    "one modality to evaluate": (
        'model.evaluate(sim.mdata["rna"])',
        "TypeError",
        "`data` must be a MuData, or the path of one: cells in which several modalities were measured. Got AnnData",
    ),
    "one modality as reference": (
        'model.evaluate(sim.mdata, reference=sim.mdata["rna"], drop_empty=True)',
        "TypeError",
        "`reference` must be a MuData",
    ),
    "evaluate per what": ('model.evaluate(sim.mdata, per="features")', "UnknownName", "Unknown per 'features'"),
    "no target": ("model.impute(sim.mdata, None)", "UnknownName", "got None"),
    "modality as a number": ("model.embed(sim.mdata, modality=3)", "UnknownName", "got 3"),
    "true as a depth": (
        'model.impute(sim.mdata, "prot", depth=True)',
        "MultiomeError",
        "`depth` must be 'predicted', 'reference', a total count or one per cell",
    ),
    "batch_key as a dict": (
        'mo.fit(rna, batch_key={"batch": 1})',
        "MultiomeError",
        "must be the name of a column of obs",
    ),
    "likelihood in words": (
        'dataclasses.replace(mo.RNA, likelihood="Poisson")',
        "MultiomeError",
        "`likelihood` must be a class of multiome.likelihoods.base, got 'Poisson'",
    ),
    "components in words": (
        'dataclasses.replace(mo.RNA, n_components="5")',
        "MultiomeError",
        "`n_components` must be a positive whole number, got '5'",
    ),
    "epochs of NumPy": ("mo.fit(rna, train=mo.TrainConfig(max_epochs=np.int64(1), progress_bar=False))", "nothing", ""),
    "components of NumPy": ('mo.fit(rna, modalities={"rna": few}, train=short).save(out + "2")', "nothing", ""),
    "cells in words": (
        'mo.datasets.simulate(n_cells="a")',
        "MultiomeError",
        "`n_cells` must be a positive whole number, got 'a'",
    ),
    "negative seed": (
        "mo.datasets.simulate(seed=-1)",
        "MultiomeError",
        "`seed` must be a whole number of at least 0, got -1",
    ),
    "a word to drop": ('mo.fit(rna, drop_empty="no")', "MultiomeError", "`drop_empty` must be True or False, got 'no'"),
    "a word to drop later": (
        'model.embed(sim.mdata, drop_empty="no")',
        "MultiomeError",
        "`drop_empty` must be True or False, got 'no'",
    ),
    "a word to overwrite": (
        'model.save(out, overwrite="no")',
        "MultiomeError",
        "`overwrite` must be True or False, got 'no'",
    ),
    "config as a dict": (
        'mo.fit(rna, config={"n_latent": 4})',
        "MultiomeError",
        "`config` must be a ModelConfig, got dict; write config=mo.ModelConfig(...).",
    ),
    "train as a dict": (
        'mo.fit(rna, train={"max_epochs": 1})',
        "MultiomeError",
        "`train` must be a TrainConfig, got dict; write train=mo.TrainConfig(...).",
    ),
    "loss as a dict": (
        'mo.fit(rna, loss={"clip": 1})',
        "MultiomeError",
        "`loss` must be a LossWeights, got dict; write loss=mo.LossWeights(...).",
    ),
    "size in words": (
        'mo.ModelConfig(n_latent="4")',
        "MultiomeError",
        "`n_latent` must be a positive whole number, got '4'",
    ),
    "size of NumPy": ("mo.fit(rna, config=mo.ModelConfig(n_latent=np.int64(4)), train=short).save(out)", "nothing", ""),
    "size true": (
        "mo.ModelConfig(n_hidden=True)",
        "MultiomeError",
        "`n_hidden` must be a positive whole number, got True",
    ),
    "dropout in words": (
        'mo.ModelConfig(dropout="a")',
        "MultiomeError",
        "`dropout` must be a number in [0, 1), got 'a'",
    ),
    "level in words": (
        'predicted.interval("90%")',
        "MultiomeError",
        "`level` must be a number between 0 and 1, such as 0.9, got '90%'",
    ),
    "a modality as names of proteins": (
        'mo.match_proteins(sim.mdata["prot"], model)',
        "MultiomeError",
        "`names` must be names of antibodies, got AnnData; pass its .var_names",
    ),
    "no panel to match": (
        'mo.match_proteins(["CD4"], None)',
        "MultiomeError",
        "`others` must be a list of names of antibodies, or a fitted Multiome, got None",
    ),
    "numbers among names of proteins": (
        'mo.match_proteins(["CD4", 3], model)',
        "MultiomeError",
        "`names` must be a list of names, got 3",
    ),
    "path to embed": (
        'model.embed("cells.h5mu")',
        "FileNotFoundError",
        "There is no file 'cells.h5mu'",
    ),
    "path to translate": (
        'model.translate("cells.h5mu", source="rna", target="atac")',
        "FileNotFoundError",
        "There is no file 'cells.h5mu'",
    ),
    "path to impute": (
        'model.impute("cells.h5mu", "prot")',
        "FileNotFoundError",
        "There is no file 'cells.h5mu'",
    ),
}
SCRIPT = "\n".join(
    [
        textwrap.dedent(SETUP),
        "found = {}",
        *(f"found[{case!r}] = told(lambda: {call})" for case, (call, _, _) in CASES.items()),
        "print(json.dumps(found))",
    ]
)


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, list[str]]:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path_factory.mktemp("model") / "m.multiome")],
        cwd=REPOSITORY, env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_every_case_is_expected(told):
    assert told.keys() == CASES.keys()


@pytest.mark.parametrize("case", CASES)
def test_wrong_types_say_what_is_expected(told, case):
    _, kind, message = CASES[case]
    assert told[case][0] == kind
    assert message in told[case][1]
