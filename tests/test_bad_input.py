"""Every bad input is a named error before training that says what was given, what exists and what to do."""

from __future__ import annotations

from dataclasses import replace

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import multiome as mo
from multiome.errors import InvalidCounts, InvalidPairing, MultiomeError, MultiomeWarning, SpecMismatch, UnknownName

N_CELLS = 30


class Trained(Exception):
    """Training was about to start."""


@pytest.fixture
def never_trains(monkeypatch):
    """Training itself is an error: whatever is refused must be refused before."""

    def optimise(*_, **__):
        raise Trained

    monkeypatch.setattr("multiome.api.optimise", optimise)


def counts(n_features: int, prefix: str, *, n_cells: int = N_CELLS, first: int = 0, seed: int = 0) -> ad.AnnData:
    """Cells without an empty one, features without one that is zero everywhere."""
    x = np.random.default_rng(seed).poisson(1.0, (n_cells, n_features)) + np.eye(n_cells, n_features)
    x[0] += 1
    x[:, 0] += 1
    names = pd.Index([f"cell{i}" for i in range(first, first + n_cells)])
    var = pd.DataFrame(index=[f"{prefix}{i}" for i in range(n_features)])
    return ad.AnnData(sp.csr_matrix(x.astype(np.float32)), obs=pd.DataFrame(index=names), var=var)


@pytest.fixture
def rna() -> ad.AnnData:
    return counts(12, "gene")


@pytest.fixture
def atac() -> ad.AnnData:
    return counts(15, "peak", seed=1)


@pytest.fixture
def met() -> ad.AnnData:
    adata = counts(10, "site", seed=2)
    adata.layers["coverage"] = adata.X * 2
    return adata


def rna_only(rna: ad.AnnData) -> md.MuData:
    return md.MuData({"rna": rna})


def refused(error: type[Exception], told: str, data, **given) -> None:
    with pytest.raises(error, match=told):
        mo.fit(data, **given)


pytestmark = pytest.mark.usefixtures("never_trains")


def test_the_cells_of_these_tests_are_fine(rna, atac, met):
    with pytest.raises(Trained):
        mo.fit(md.MuData({"rna": rna, "atac": atac, "met": met}))


@pytest.mark.parametrize(
    ("value", "problem"),
    [(0.5, "not whole numbers"), (-1.0, "negative"), (np.nan, "NaN or infinite"), (np.inf, "NaN or infinite")],
)
@pytest.mark.parametrize("form", [sp.csr_matrix, np.asarray], ids=["sparse", "dense"])
def test_values_that_are_no_counts(rna, value, problem, form):
    x = rna.X.toarray()
    x[3, 5] = value
    rna.X = form(x)
    refused(
        InvalidCounts,
        rf"'rna' .*{problem}.*1 values, the first {value:g} at cell 'cell3', 'gene5'",
        md.MuData({"rna": rna}),
    )


@pytest.mark.parametrize("value", [0.5, -1.0])
def test_the_normal_likelihood_is_offered_and_works(rna, value):
    rna.X = rna.X.toarray() + value
    mdata = md.MuData({"rna": rna})
    refused(InvalidCounts, r"modalities=\{'rna': \.\.\.continuous\(\)\}", mdata)
    with pytest.raises(Trained):
        mo.fit(mdata, modalities={"rna": mo.RNA.continuous()})


def test_layers_with_raw_counts_are_offered(rna):
    rna.layers["raw"] = rna.X.copy()
    rna.X = rna.X.toarray() * 0.5
    mdata = md.MuData({"rna": rna})
    refused(InvalidCounts, r"There are layers 'raw'.*with_layer", mdata)
    with pytest.raises(Trained):
        mo.fit(mdata, modalities={"rna": mo.RNA.with_layer("raw")})


def test_a_cell_without_a_single_count(rna, atac):
    x = atac.X.toarray()
    x[[4, 9]] = 0
    atac.X = sp.csr_matrix(x)
    mdata = md.MuData({"rna": rna, "atac": atac})
    refused(InvalidCounts, r"'atac': 2 of 30 cells .*'cell4', 'cell9'.*drop_empty=True", mdata)
    with pytest.raises(Trained):
        mo.fit(mdata, drop_empty=True)


def test_a_modality_of_empty_cells_cannot_be_dropped_cell_by_cell(rna, atac):
    atac.X = sp.csr_matrix(atac.shape, dtype=np.float32)
    with pytest.warns(MultiomeWarning, match="zero in every cell"):
        refused(
            InvalidPairing, "'atac' has no cell with a count", md.MuData({"rna": rna, "atac": atac}), drop_empty=True
        )


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


def test_two_modalities_of_one_kind(rna):
    mods = {"rna": rna[:, :6].copy(), "gex": rna[:, 6:].copy()}
    refused(InvalidPairing, r"Both 'rna' and 'gex' look like rna.*modalities=\{'rna': mo\.RNA", md.MuData(mods))
    with pytest.raises(Trained):
        mo.fit(md.MuData(mods), modalities=dict.fromkeys(mods, mo.RNA))


def test_coverage_below_methylated_calls(met):
    calls, coverage = met.X.toarray(), met.layers["coverage"].toarray()
    calls[2, 0], coverage[2, 0] = 3, 1
    met.X, met.layers["coverage"] = sp.csr_matrix(calls), sp.csr_matrix(coverage)
    refused(
        InvalidCounts,
        r"'met': methylated calls exceed the coverage by 1 values, the first 2 at cell 'cell2', 'site0'",
        md.MuData({"met": met}),
    )


def test_coverage_that_is_missing_or_no_counts(met):
    met.layers["coverage"] = met.layers["coverage"] * 0.75
    refused(InvalidCounts, r"'met' \(layer 'coverage'\).*not whole numbers", md.MuData({"met": met}))
    del met.layers["coverage"]
    refused(
        UnknownName,
        r"layer 'coverage' of 'met' \(methylation needs its total calls\); there is none",
        md.MuData({"met": met}),
    )
    met.layers["total"] = met.X * 2
    with pytest.raises(Trained):
        mo.fit(md.MuData({"met": met}), modalities={"met": replace(mo.METHYLATION, coverage_layer="total")})


@pytest.mark.parametrize("features", [slice(0, 0), slice(None)], ids=["no features", "no cells"])
def test_nothing_to_learn_from(rna, features):
    empty = rna[:0].copy() if features == slice(None) else rna[:, :0].copy()
    refused(InvalidPairing, r"'rna' has \d+ cells and \d+ features; there is nothing to learn from", empty)


def test_an_empty_mudata():
    refused(InvalidPairing, "holds no modality", md.MuData({}))


def test_features_that_are_zero_everywhere_are_kept_and_mentioned_once(rna, atac):
    x = rna.X.toarray()
    x[:, [3, 7]] = 0
    rna.X = sp.csr_matrix(x)
    with pytest.warns(MultiomeWarning) as told, pytest.raises(Trained):
        mo.fit(md.MuData({"rna": rna, "atac": atac}))
    mentions = [str(w.message) for w in told if "zero in every cell" in str(w.message)]
    assert len(mentions) == 1
    assert mentions[0].startswith("'rna': 2 of 12 features are zero in every cell. They are kept and do no harm")


class TestWithAModel:
    """Data shown to a fitted model later, and files."""

    def test_other_features_than_at_training(self, model, rna):
        with pytest.raises(SpecMismatch, match=r"'rna': none of the 40 features .*Check the feature names"):
            model.embed(rna, modality="rna")

    def test_invalid_counts(self, model, small):
        data = small.mdata["rna"].copy()
        data.X = np.log1p(data.X.toarray())
        with pytest.raises(InvalidCounts, match="'rna' must hold raw counts"):
            model.translate(data, source="rna", target="atac")

    def test_an_empty_cell(self, model, small):
        data = small.mdata["rna"].copy()
        x = data.X.toarray()
        x[4] = 0
        data.X = sp.csr_matrix(x)
        with pytest.raises(InvalidCounts, match=rf"1 of 160 cells .*{data.obs_names[4]}.*drop_empty=True"):
            model.embed(data, modality="rna")
        with pytest.warns(MultiomeWarning, match="1 cells have no measured 'rna'"):
            z = model.embed(data, modality="rna", drop_empty=True)
        assert np.isnan(z[4]).all()
        assert np.isfinite(np.delete(z, 4, axis=0)).all()

    @pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
    def test_duplicate_cells(self, model, small):
        data = ad.concat([small.mdata["rna"][:3], small.mdata["rna"][:3]])
        data.obs["batch"] = "batch1"
        with pytest.raises(InvalidPairing, match="obs_names are not unique"):
            model.embed(data, modality="rna")

    def test_an_output_that_exists(self, model, tmp_path):
        (tmp_path / "model").write_text("mine")
        with pytest.raises(FileExistsError, match="overwrite=True"):
            model.save(tmp_path / "model")
        assert (tmp_path / "model").read_text() == "mine"
