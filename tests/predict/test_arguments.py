"""Arguments of the verbs that make no sense are named errors before anything is computed."""

from __future__ import annotations

import numpy as np
import pytest

from multiome.errors import InvalidCounts, MultiomeError, UnknownName


@pytest.fixture(scope="module")
def rna(small):
    return small.mdata["rna"][:12].copy()


@pytest.fixture
def refused(model, rna, monkeypatch):
    """Both verbs that predict complain, and neither computes."""

    def compute(*_, **__):
        raise AssertionError("something was computed")

    for name in ("translate.expected", "impute.expected", "impute.draws"):
        monkeypatch.setattr(f"multiome.predict.{name}", compute)

    def check(error, told, **given):
        with pytest.raises(error, match=told):
            model.translate(rna, source="rna", target="prot", **given)
        with pytest.raises(error, match=told):
            model.impute(rna, "prot", **given)

    return check


def test_a_model_of_one_modality_predicts_nothing(rna, quick_fit, small):
    one = quick_fit(small.mdata["rna"], steps=1)
    for predict in (one.impute, lambda data, target: one.translate(data, source="atac", target=target)):
        with pytest.raises(UnknownName, match="'rna'"):
            predict(rna, "rna")
    with pytest.raises(UnknownName, match="The model knows 'rna' only; nothing to predict it from"):
        one.impute(rna, "rna")


def test_a_batch_where_training_had_none(rna, quick_fit, small):
    model = quick_fit(small.mdata, steps=1)
    with pytest.raises(MultiomeError, match=r"`batch` is \['batch1'\], but the model was fitted without `batch_key`"):
        model.translate(rna, source="rna", target="prot", batch="batch1")


def test_values_that_are_no_counts_are_not_told_to_fit(model, small):
    rna = small.mdata["rna"][:12].copy()
    rna.X = rna.X * 0.5
    with pytest.raises(InvalidCounts, match=r"The model was fitted on raw counts in .X; show it the same\.$"):
        model.embed(rna, modality="rna")


def test_features_that_name_nothing(refused):
    refused(MultiomeError, r"`features` is empty; name some of the 8 features of 'prot' \(first: '", features=[])


def test_features_named_twice(refused, small):
    one, two = small.mdata["prot"].var_names[:2]
    refused(MultiomeError, f"`features` names '{one}' more than once", features=[one, two, one])


def test_features_that_do_not_exist(refused):
    refused(UnknownName, "Unknown feature 'CD999' of 'prot'; there is ", features=["CD999"])


@pytest.mark.parametrize(
    ("depth", "told"),
    [
        (np.ones(11), r"one total count for each of the 12 cells, got shape \(11,\)"),
        (np.ones((12, 1)), r"for each of the 12 cells, got shape \(12, 1\)"),
        (np.array([5.0] * 11 + [np.nan]), r"positive total counts; 1 are .* \(first: nan of cell number 11\)"),
        (np.array([5.0, -1, 0] * 4), r"positive total counts; 8 are .* \(first: -1 of cell number 1\)"),
        (np.array(["deep"] * 12), "`depth` must be 'predicted', 'reference', a total count or one per cell"),
        (0.0, "positive total counts"),
        ("predictd", "Unknown depth 'predictd'.*Did you mean 'predicted'"),
    ],
    ids=["length", "shape", "nan", "negative", "words", "zero", "typo"],
)
def test_depths(refused, depth, told):
    refused(MultiomeError, told, depth=depth)


@pytest.mark.parametrize("min_features", [-0.1, 1.5, np.nan, True])
def test_shares_of_features(refused, model, rna, min_features):
    told = "`min_features` must be a number between 0 and 1, got"
    refused(MultiomeError, told, min_features=min_features)
    with pytest.raises(MultiomeError, match=told):
        model.embed(rna, modality="rna", min_features=min_features)


def test_seeds(refused):
    refused(MultiomeError, "`seed` must be a whole number of at least 0, got -3", seed=-3)
