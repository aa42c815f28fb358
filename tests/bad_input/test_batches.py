"""Experimental batches that make no sense are named errors before training."""

from __future__ import annotations

import mudata as md
import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import InvalidPairing, MultiomeError, MultiomeWarning
from tests.bad_input.cells import Trained, counts, refused, rna_only

pytestmark = pytest.mark.usefixtures("never_trains")


def test_batches_that_disagree_or_are_missing(rna, atac):
    rna.obs["donor"], atac.obs["donor"] = "a", "b"
    mdata = md.MuData({"rna": rna, "atac": atac})
    mdata.obs = mdata.obs[[]]
    refused(
        InvalidPairing,
        r"batch_key 'donor': 'rna' and 'atac' disagree in 30 cells \(first: 'cell0' is 'a' and 'b'\)",
        mdata,
        batch_key="donor",
    )
    for missing in (pd.Categorical(["a"] * 28 + [None] * 2), np.array(["a"] * 28 + [np.nan] * 2, dtype=object)):
        mdata.obs["donor"] = missing
        rna.obs["donor"] = atac.obs["donor"] = missing
        refused(
            MultiomeError, r"'donor' has no value in 2 cells \(first: 'cell28', 'cell29'\)", mdata, batch_key="donor"
        )


def test_batches_that_are_no_single_values(rna):
    mdata = rna_only(rna)
    mdata.obs["donor"] = [["a", "b"]] * 30
    refused(MultiomeError, "batch_key 'donor' must hold one level per cell.*of type list", mdata, batch_key="donor")


def test_batches_of_single_cells_and_names_given_twice(rna):
    mdata = rna_only(rna)
    mdata.obs["barcode"], mdata.obs["donor"] = list(mdata.obs_names), ["a"] * 21 + ["b"] * 9
    refused(MultiomeError, "batch_key 'barcode' has 30 levels for 30 cells", mdata, batch_key="barcode")
    refused(MultiomeError, "`batch_key` names 'donor' more than once", mdata, batch_key=["donor", "donor"])
    with pytest.warns(MultiomeWarning, match=r"1 of 2 levels have fewer than 10 cells \('b'\)"), pytest.raises(Trained):
        mo.fit(mdata, batch_key="donor")
    with pytest.raises(Trained):
        mo.fit(mdata, batch_key=[])


def test_batches_that_a_modality_says_which_is_left_out(rna, atac):
    rna.obs["donor"] = ["a", "b"] * 15
    with md.set_options(pull_on_update=False), pytest.raises(Trained):
        mo.fit(md.MuData({"rna": rna, "atac": atac}), modalities={"atac": mo.ATAC}, batch_key="donor")


def test_modalities_of_different_cells_share_no_batch(rna):
    """What tells the batches apart then tells the modalities apart as well."""
    prot = counts(4, "protein", seed=3, first=100)
    rna.obs["assay"], prot.obs["assay"] = "gex", "adt"
    table = pd.DataFrame({"source": [rna.var_names[0]], "target": [prot.var_names[0]]})
    graph = mo.GuidanceGraph.from_table(table.assign(source_modality="rna", target_modality="prot"))
    mdata = md.MuData({"rna": rna, "prot": prot})
    with (
        pytest.warns(MultiomeWarning, match="batch_key 'assay': 'rna' and 'prot' .* have no level"),
        pytest.raises(Trained),
    ):
        mo.fit(mdata, graph=graph, batch_key="assay")
    rna.obs["assay"] = ["gex", "adt"] * 15
    with pytest.raises(Trained):
        mo.fit(md.MuData({"rna": rna, "prot": prot}), graph=graph, batch_key="assay")
