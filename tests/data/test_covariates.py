"""Experimental batches: looked up in one order, contradictions refused, unseen levels marked."""

import warnings

import mudata as md
import numpy as np
import pandas as pd
import pytest

from multiome.data import covariates as module
from multiome.data.build import prepare
from multiome.data.cells import Cells, cells_of
from multiome.data.covariates import (
    UNSEEN,
    batch_names,
    check_levels,
    column,
    fixed_batch_index,
    query_batch_index,
    read_covariates,
    settled,
)
from multiome.data.spec import Covariate, DataSpec
from multiome.errors import InvalidPairing, MultiomeError, MultiomeWarning, UnknownName

NAMES = ["c1", "c2", "c3", "c4", "c5", "c6", "c8", "c9"]  # of the mosaic, in order


def levels(mdata, name="donor"):
    return column(cells_of(mdata), name).tolist()


def put(mdata, key, values):
    """Write a covariate into one modality, by cell name."""
    mdata[key].obs["donor"] = [values[name] for name in mdata[key].obs_names]


def test_mdata_and_modalities_must_agree(mosaic):
    truth = dict(zip(NAMES, "abababab", strict=True))
    mosaic.obs["donor"] = list(truth.values())
    put(mosaic, "atac", truth)
    assert levels(mosaic) == list("abababab")
    put(mosaic, "rna", {**truth, "c4": "other", "c5": "other"})
    with pytest.raises(
        InvalidPairing, match=r"'mdata\.obs' and 'rna' disagree in 2 cells \(first: 'c4' is 'b' and 'other'\)\. Make"
    ):
        levels(mosaic)


def test_then_modalities(mosaic):
    truth = dict(zip(NAMES, "abcdefgh", strict=True))
    put(mosaic, "rna", truth)
    put(mosaic, "atac", truth)
    assert levels(mosaic) == list("abcdefgh")
    assert column(cells_of(mosaic[["c9", "c4", "c1"]]), "donor").to_dict() == {"c9": "h", "c4": "d", "c1": "a"}


def test_modalities_fill_what_mdata_lacks(mosaic):
    put(mosaic, "rna", {**dict.fromkeys(NAMES, "rna"), "c1": None, "c3": None, "c5": None})
    put(mosaic, "atac", {**dict.fromkeys(NAMES, "rna"), "c8": None})
    mosaic.obs["donor"] = ["all", None] * 3 + ["all", None]
    assert levels(mosaic) == ["all", "rna"] * 4


def test_disagreement(mosaic):
    put(mosaic, "rna", dict.fromkeys(NAMES, "a"))
    put(mosaic, "atac", {**dict.fromkeys(NAMES, "a"), "c6": "b"})
    with pytest.raises(InvalidPairing, match=r"'rna' and 'atac' disagree in 1 cells \(first: 'c6' is 'a' and 'b'\)"):
        levels(mosaic)


def test_categories(mosaic):
    put(mosaic, "rna", dict.fromkeys(NAMES, "a"))
    put(mosaic, "atac", dict.fromkeys(NAMES, "a"))
    for key in ("rna", "atac"):
        mosaic[key].obs["donor"] = pd.Categorical(mosaic[key].obs["donor"], categories=["unused", "a"])
    cells = settled(cells_of(mosaic), "donor")
    assert read_covariates(cells, "donor") == (Covariate("donor", ("a",), (8,)),)


def test_whole_numbers_beside_missing_values(mosaic):
    """pandas stores 1 as 1.0 as soon as a value is missing; the level stays the same."""
    mosaic.obs["donor"] = [1, np.nan, 2, np.nan, 1, 1, 2, 2]
    put(mosaic, "rna", dict(zip(NAMES, [1, 2, 2, 2, 1, 1, 2, 2], strict=True)))
    assert levels(mosaic) == ["1", "2", "2", "2", "1", "1", "2", "2"]
    mosaic.obs["donor"] = [1, 2, 2, 2, 1, 1, 2, 2]
    assert levels(mosaic) == ["1", "2", "2", "2", "1", "1", "2", "2"]
    del mosaic["rna"].obs["donor"]
    mosaic.obs["donor"] = [0.5, 1.5] * 4
    assert levels(mosaic)[:2] == ["0.5", "1.5"]


def test_missing_values(mosaic):
    put(mosaic, "rna", dict.fromkeys(NAMES, "a"))
    with pytest.raises(MultiomeError, match=r"'donor' has no value in 2 cells \(first: 'c8', 'c9'\)"):
        read_covariates(settled(cells_of(mosaic), "donor"), "donor")


def test_unknown_name(mosaic):
    mosaic.obs["donor"] = "a"
    mosaic["atac"].obs["site"] = "s"
    with pytest.raises(UnknownName, match=r"Unknown batch_key 'doner'; there is 'donor', 'site'.*Did you mean 'donor'"):
        levels(mosaic, "doner")


def test_levels_are_sorted_and_counted(mosaic):
    mosaic.obs["donor"] = list("bbbabbab")
    mosaic.obs["site"] = ["s1"] * 8
    cells = settled(cells_of(mosaic), ["donor", "site"])
    donor, site = Covariate("donor", ("a", "b"), (2, 6)), Covariate("site", ("s1",), (8,))
    assert read_covariates(cells, None) == ()
    assert read_covariates(cells, "donor") == (donor,)
    assert read_covariates(cells, ["site", "donor"]) == (site, donor)
    spec = DataSpec({}, (site, donor), 8)
    assert query_batch_index(cells_of(mosaic), spec).tolist() == [[0, int(level == "b")] for level in "bbbabbab"]
    np.testing.assert_allclose(spec.average_batch(1), [0.25, 0.75])


def test_unseen_levels(mosaic):
    spec = DataSpec({}, (Covariate("donor", ("a", "b"), (2, 6)), Covariate("site", ("s1",), (8,))), 8)
    mosaic.obs["donor"] = list("abcabcab")
    index = query_batch_index(cells_of(mosaic), spec)
    assert index[:, 0].tolist() == [0, 1, UNSEEN, 0, 1, UNSEEN, 0, 1]
    assert (index[:, 1] == UNSEEN).all()  # the data do not have this covariate at all


def test_names(mosaic):
    assert batch_names(None) == batch_names([]) == []
    assert batch_names("donor") == ["donor"]
    assert batch_names(("donor", "site")) == ["donor", "site"]
    with pytest.raises(MultiomeError, match=r"names 'donor' more than once, got \['donor', 'site', 'donor'\]"):
        batch_names(["donor", "site", "donor"])


def test_a_level_per_cell_is_an_error():
    with pytest.raises(MultiomeError, match=r"'barcode' has 3 levels for 3 cells \(first: 'a', 'b', 'c'\).*donor, run"):
        check_levels([Covariate("donor", ("a", "b"), (50, 50)), Covariate("barcode", ("a", "b", "c"), (1, 1, 1))])


def test_levels_of_few_cells_are_named():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_levels([Covariate("donor", ("a", "b"), (10, 11))])
    with pytest.warns(MultiomeWarning, match=r"'donor': 2 of 3 levels have fewer than 10 cells \('b', 'c'\)"):
        check_levels([Covariate("donor", ("a", "b", "c"), (10, 9, 1))])


def test_a_modality_that_is_left_out_still_says_which_batch(mosaic):
    """Covariates are settled before modalities are chosen."""
    put(mosaic, "rna", dict.fromkeys(NAMES, "a"))
    cells = settled(cells_of(mosaic), "donor")
    rest = Cells(cells.obs_names, cells.obs, {"atac": cells.mods["atac"]}, {"atac": cells.rows["atac"]})
    assert rest.obs["donor"][["c2", "c4", "c6"]].tolist() == ["a"] * 3
    assert "donor" not in mosaic.obs


def test_columns_are_read_once(mosaic, monkeypatch):
    mosaic.obs["donor"], mosaic.obs["run"] = list("abababab"), 1
    read = []
    monkeypatch.setattr(module, "column", lambda cells, name: read.append(name) or column(cells, name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MultiomeWarning)
        prepare(mosaic, modalities=None, batch_key=["donor", "run"], drop_empty=False)
    assert read == ["donor", "run"]


def test_anndata(make_adata):
    cells = cells_of(make_adata(["c1", "c2"], donor=["b", "a"]), "rna")
    assert column(cells, "donor").tolist() == ["b", "a"]
    with md.set_options(pull_on_update=False):
        wrapped = md.MuData({"rna": make_adata(["c1", "c2"], donor=["b", "a"])})
    assert column(cells_of(wrapped), "donor").tolist() == ["b", "a"]


def test_as_if_measured_elsewhere():
    spec = DataSpec({}, (Covariate("donor", ("a", "b"), (2, 6)), Covariate("site", ("s1",), (8,))), 8)
    assert fixed_batch_index(spec, ["b", "s1"], 2).tolist() == [[1, 0], [1, 0]]
    lanes = DataSpec({}, (Covariate("lane", ("1", "2"), (2, 6)),), 8)
    assert [fixed_batch_index(lanes, lane, 1).item() for lane in (2, 2.0, "2", np.float64(2))] == [1, 1, 1, 1]
    with pytest.raises(UnknownName, match=r"Unknown batch 'c' of 'donor'; there is 'a', 'b'"):
        fixed_batch_index(spec, ["c", "s1"], 2)
    with pytest.raises(MultiomeError, match=r"one level per covariate \['donor', 'site'\], got \['b'\]"):
        fixed_batch_index(spec, "b", 2)
