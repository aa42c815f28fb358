"""Bad data are a named error before training that says what was given, what exists and what to do."""

from __future__ import annotations

from dataclasses import replace

import mudata as md
import pytest

import multiome as mo
from multiome.errors import InvalidPairing, MultiomeError, MultiomeWarning, UnknownName
from tests.bad_input.cells import Trained, counts, refused, rna_only

pytestmark = pytest.mark.usefixtures("never_trains")


def test_the_cells_of_these_tests_are_fine(rna, atac, met):
    with pytest.raises(Trained):
        mo.fit(md.MuData({"rna": rna, "atac": atac, "met": met}))


@pytest.mark.parametrize("axis", ["var_names", "obs_names"])
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
@pytest.mark.filterwarnings("ignore:(obs|var)_names are not unique:UserWarning")
@pytest.mark.filterwarnings("ignore:Duplicated obs_names should not be present:UserWarning")
def test_duplicate_names(rna, atac, axis, alone):
    names = getattr(rna, axis).to_numpy().copy()
    names[1] = names[0]
    setattr(rna, axis, names)
    data = rna if alone else md.MuData({"rna": rna, "atac": atac})
    refused(InvalidPairing, rf"'rna': {axis} are not unique \(first: '{names[0]}'\).*{axis}_make_unique", data)


def test_modalities_that_share_no_cell(rna):
    other = counts(15, "peak", first=100)
    mdata = md.MuData({"rna": rna, "atac": other})
    refused(InvalidPairing, r"'rna' and 'atac' share no cell.*same obs_names.*guidance graph", mdata)


def test_a_third_modality_that_hangs_in_the_air(rna, atac):
    mdata = md.MuData({"rna": rna, "atac": atac, "prot": counts(5, "protein", first=100)})
    refused(InvalidPairing, r"'atac', 'rna' and 'prot' share no cell", mdata)


def test_a_few_shared_names_look_like_colliding_barcodes():
    mdata = md.MuData({"rna": counts(12, "gene", n_cells=200), "atac": counts(15, "peak", n_cells=200, first=195)})
    with (
        pytest.warns(MultiomeWarning, match=r"'rna' and 'atac' share only 5 of 200 cell names \(2\.5%.*prefix per run"),
        pytest.raises(Trained),
    ):
        mo.fit(mdata)


def test_unrecognised_keys_list_what_is_recognised(rna):
    refused(
        UnknownName,
        r"key 'cells' is not recognised \(.*'gex'.*\)\. .*modalities=\{'cells': mo\.RNA\}",
        md.MuData({"cells": rna}),
    )


def test_modalities_that_say_nothing(rna):
    refused(MultiomeError, r"`modalities` is empty.*each key \('rna'\) is.*leave it out", rna_only(rna), modalities={})


@pytest.mark.parametrize("field", ["name", "likelihood", "transform"])
def test_modalities_of_an_unknown_kind(rna, field):
    """A saved model could not name what it was made from."""
    value = "hic" if field == "name" else type("Mine", (getattr(mo.RNA, field),), {})
    modality = replace(mo.RNA, **{field: value})
    what = "kind of modality 'hic'" if field == "name" else f"{field} 'Mine'"
    refused(
        UnknownName, rf"Unknown {what} of modalities\['rna'\]; there is '", rna_only(rna), modalities={"rna": modality}
    )


@pytest.mark.parametrize("field", ["likelihood", "transform"])
def test_a_class_of_a_name_that_is_taken(rna, field):
    """A model would use the other one."""
    theirs = getattr(mo.RNA, field)
    modality = replace(mo.RNA, **{field: type(theirs.__name__, (theirs,), {})})
    told = rf"The {field} of modalities\['rna'\] is abc\.{theirs.__name__}, but multiome.*another name"
    refused(MultiomeError, told, rna_only(rna), modalities={"rna": modality})


def test_unknown_modality_layer_and_batch_key_list_what_exists(rna, atac):
    mdata = md.MuData({"rna": rna, "atac": atac})
    rna.layers["raw"] = rna.X.copy()
    mdata.obs["donor"] = "a"
    refused(
        UnknownName, r"modality 'peaks' in `modalities`; there is 'rna', 'atac'", mdata, modalities={"peaks": mo.ATAC}
    )
    layer = {"rna": mo.RNA.with_layer("rw")}
    refused(UnknownName, r"layer 'rw' of 'rna'; there is 'raw'\. Did you mean 'raw'", mdata, modalities=layer)
    refused(UnknownName, r"batch_key 'donr'; there is 'donor'\. Did you mean 'donor'", mdata, batch_key="donr")
    refused(UnknownName, r"batch_key 'lane'; there is 'donor'", mdata, batch_key=["donor", "lane"])


def test_two_modalities_of_one_kind(rna):
    mods = {"rna": rna[:, :6].copy(), "gex": rna[:, 6:].copy()}
    refused(InvalidPairing, r"Both 'rna' and 'gex' look like rna.*modalities=\{'rna': mo\.RNA", md.MuData(mods))
    with pytest.raises(Trained):
        mo.fit(md.MuData(mods), modalities=dict.fromkeys(mods, mo.RNA))


@pytest.mark.parametrize("features", [slice(0, 0), slice(None)], ids=["no features", "no cells"])
def test_nothing_to_learn_from(rna, features):
    empty = rna[:0].copy() if features == slice(None) else rna[:, :0].copy()
    refused(InvalidPairing, r"'rna' has \d+ cells and \d+ features; there is nothing to learn from", empty)


def test_an_empty_mudata():
    refused(InvalidPairing, "holds no modality", md.MuData({}))
