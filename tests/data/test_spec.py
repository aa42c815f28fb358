"""A `DataSpec` survives JSON, and finds its modalities by key or by kind."""

import json
from dataclasses import replace

import pytest

from multiome.data.spec import Covariate, DataSpec, ModalitySpec
from multiome.errors import UnknownName
from multiome.likelihoods.bernoulli import Bernoulli
from multiome.modalities.atac import ATAC
from multiome.modalities.rna import RNA


def modality(kind, **changes):
    values = {
        "kind": kind,
        "likelihood": "NegativeBinomial",
        "transform": "LogNormalise",
        "features": ("a", "b"),
        "other_features": ("ç",),
        "share": (0.1, 1 / 3, 0.2),
        "median_depth": 1234.5,
        "n_cells": 7,
        "has_depth": True,
        "layer": None,
        "coverage_layer": None,
        "halved": False,
        "n_components": 50,
        "notes": ("a sentence.",),
    }
    return ModalitySpec(**{**values, **changes})


@pytest.fixture
def spec():
    peaks = modality("atac", likelihood="Bernoulli", transform="TfIdf", layer="counts", halved=True, n_components=30)
    covariates = (Covariate("donor", ("1", "b"), (3, 9)), Covariate("site", ("s",), (12,)))
    return DataSpec({"gex": modality("rna"), "bins": peaks}, covariates, 12)


@pytest.mark.parametrize(("n_cells", "rna", "atac"), [(5, 2, 1), (100, 10, 8), (540, 23, 45), (2500, 50, 50)])
def test_few_cells_tell_few_components_from_noise(n_cells, rna, atac):
    assert (RNA.components_of(n_cells), ATAC.components_of(n_cells)) == (rna, atac)
    assert replace(RNA, n_components=7).components_of(n_cells) == min(rna, 7)
    assert RNA.continuous().components_of(n_cells) == rna


def test_json_round_trip(spec):
    again = DataSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert list(again.modalities) == ["gex", "bins"]
    assert isinstance(again.modalities["gex"].share, tuple)
    empty = DataSpec({}, (), 0)
    assert DataSpec.from_json(json.loads(json.dumps(empty.to_json()))) == empty


def test_modality_that_it_was_made_from(spec):
    peaks = spec.modalities["bins"].modality
    assert peaks.likelihood is Bernoulli
    assert peaks.transform is ATAC.transform
    assert (peaks.layer, peaks.n_components, peaks.aliases) == ("counts", 30, ATAC.aliases)
    assert spec.modalities["gex"].modality.likelihood is RNA.likelihood


def test_key(spec):
    assert spec.key("bins") == "bins"
    assert spec.key("rna") == "gex"
    assert spec.key("Peaks") == "bins"
    for name in ("protein", "bin"):
        with pytest.raises(UnknownName, match=rf"Unknown modality '{name}'; there is 'gex', 'bins'"):
            spec.key(name)


def test_key_of_two_of_one_kind():
    twice = DataSpec({"rna1": modality("rna"), "rna2": modality("rna")}, (), 7)
    assert twice.key("rna2") == "rna2"
    with pytest.raises(UnknownName, match="several are of kind"):
        twice.key("rna")


def test_average_batch(spec):
    assert spec.average_batch(0).tolist() == [0.25, 0.75]
    assert spec.average_batch(1).tolist() == [1.0]
