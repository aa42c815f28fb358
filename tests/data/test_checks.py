"""Every complaint says what is wrong, where, and what to do."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from multiome.data import checks
from multiome.data.checks import (
    check_coverage,
    check_found,
    check_layer,
    check_share,
    check_values,
    empty_cells,
    mention_unseen,
)
from multiome.errors import InvalidCounts, MultiomeError, MultiomeWarning, SpecMismatch, UnknownName

CELLS = pd.Index(["c0", "c1", "c2", "c3"])
GENES = pd.Index(["g0", "g1", "g2"])


def with_value(value):
    """Counts in which the second cell is empty and the third one's last gene has this value."""
    return sp.csr_matrix(np.array([[1, 0, 2], [0, 0, 0], [0, 3, value], [4, 5, value]], dtype=np.float32))


def check(value, *, is_count=True, layers=(), layer=None):
    check_values("rna", with_value(value), CELLS, GENES, is_count=is_count, layers=list(layers), layer=layer)


def test_whole_numbers_pass():
    check(7)
    check(-0.5, is_count=False)


@pytest.mark.parametrize(
    ("value", "what"), [(np.nan, "NaN"), (np.inf, "infinite"), (-1, "negative"), (0.5, "not whole numbers")]
)
@pytest.mark.parametrize("block", [1, 2, 1 << 22])
def test_bad_values(monkeypatch, value, what, block):
    monkeypatch.setattr(checks, "BLOCK", block)
    with pytest.raises(InvalidCounts, match=rf"'rna' .*{what}.*: 2 values, the first {value:g} at cell 'c2', 'g2'"):
        check(value)


@pytest.mark.parametrize("value", [-1, 0.5])
def test_not_counts_offers_another_likelihood(value):
    with pytest.raises(InvalidCounts, match=r"modalities=\{'rna': \.\.\.continuous\(\)\}.*mo\.RNA\.continuous\(\)"):
        check(value)
    with pytest.raises(InvalidCounts, match=r"layers 'counts'. Pass raw counts.*with_layer"):
        check(value, layers=["counts", "logged"], layer="logged")
    with pytest.raises(InvalidCounts, match=r"'rna' \(layer 'logged'\) must hold raw counts"):
        check(value, layers=["counts", "logged"], layer="logged")


def test_another_likelihood_is_that_of_the_same_assay():
    with pytest.raises(InvalidCounts, match=r"\{'prot': .*mo\.PROTEIN\.continuous\(\)"):
        check_values("prot", with_value(0.5), CELLS, GENES, is_count=True, layers=[])
    with pytest.raises(InvalidCounts, match=r"\{'mine': .*mo\.RNA\.continuous\(\)"):
        check_values("mine", with_value(0.5), CELLS, GENES, is_count=True, layers=[])


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_continuous_values_must_be_finite(value):
    with pytest.raises(InvalidCounts, match="'rna' holds NaN or infinite values"):
        check(value, is_count=False)


@pytest.mark.parametrize("value", [1e9, 1e10, 2.0**24 + 2])
def test_counts_that_are_too_large(value):
    with pytest.raises(InvalidCounts, match=r"too large for counts \(above 16,777,216\): 2 values, .*'c2', 'g2'"):
        check(value)
    check(2.0**24)
    check(value, is_count=False)


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.3)])
def test_a_share(value):
    check_share("min_features", value)


@pytest.mark.parametrize("value", [-0.1, 1.01, np.nan, True, "0.5", None])
def test_no_share(value):
    with pytest.raises(MultiomeError, match="`min_features` must be a number between 0 and 1, got"):
        check_share("min_features", value)


def test_coverage():
    total = sp.csr_matrix(np.array([[3, 0, 2], [1, 1, 1], [0, 3, 2], [4, 5, 2]], dtype=np.float32))
    check_coverage("met", with_value(2), total, CELLS, GENES)
    with pytest.raises(
        InvalidCounts, match=r"'met': methylated calls exceed the coverage by 2 values, the first 4 at cell 'c2', 'g2'"
    ):
        check_coverage("met", with_value(6), total, CELLS, GENES)
    uncovered = sp.csr_matrix((4, 3), dtype=np.float32)
    with pytest.raises(InvalidCounts, match=r"the first 1 at cell 'c0', 'g0'"):
        check_coverage("met", with_value(2), uncovered, CELLS, GENES)


def test_empty_cells():
    total = np.array([3.0, 0.0, 2.0, 0.0])
    with pytest.raises(InvalidCounts, match=r"'rna': 2 of 4 cells .*first: 'c1', 'c3'.*drop_empty=True"):
        empty_cells("rna", total, CELLS, drop_empty=False)
    assert empty_cells("rna", total, CELLS, drop_empty=True).tolist() == [False, True, False, True]


def test_unseen_features_are_mentioned_once():
    mention_unseen("rna", 0, 3)
    with pytest.warns(MultiomeWarning, match="2 of 3 features are zero in every cell") as warned:
        mention_unseen("rna", 2, 3)
    assert len(warned) == 1


def test_layer():
    check_layer("met", None, [])
    check_layer("met", "coverage", ["coverage"])
    with pytest.raises(UnknownName, match=r"Unknown layer 'covrage' of 'met'; there is 'coverage'.*Did you mean"):
        check_layer("met", "covrage", ["coverage"])


@pytest.mark.parametrize("n_found", [1, 45, 57, 58, 99])
def test_share_of_found_features(n_found):
    """The share that the message offers is accepted."""
    names = tuple(f"g{i}" for i in range(199))
    missing = list(names[n_found:])
    with pytest.raises(SpecMismatch, match=rf"{len(missing)} of the 199 .*first absent: 'g{n_found}'") as caught:
        check_found("rna", n_found, names, missing, 0.5)
    offered = float(str(caught.value).split("min_features=")[1].split()[0])
    check_found("rna", n_found, names, missing, offered)


def test_no_feature_found():
    with pytest.raises(SpecMismatch, match=r"none of the 2 features.*expected names like 'a', 'b'"):
        check_found("rna", 0, ("a", "b"), ["a", "b"], 0.0)
